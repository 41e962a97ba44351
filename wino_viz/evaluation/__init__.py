"""Decoders × problems: how often each decoder is right, and how many forward passes it takes.

    python -m wino_viz eval --model llada-mini --decoders standard,wino --data problems.jsonl --out result.json
    python -m wino_viz eval --model mmada-mini --decoders standard,wino --data captions.jsonl

records.py reads the problems, run.py decodes them, rows.py and intervals.py make figures of the items, report.py prints
them, and unfinished.py keeps what is measured, so that a run that was stopped goes on. For the Explore tab: sweeps.py says
which settings are measured, results.py measures them into assets/results, result_files.py reads those files, and
measuring.py measures a small sample while somebody watches. Nothing here imports torch.
"""

from wino_viz.evaluation.intervals import CONFIDENCE_LEVEL
from wino_viz.evaluation.records import read_records
from wino_viz.evaluation.report import Progress, report
from wino_viz.evaluation.run import Evaluation, evaluate, judge, usual_in_flight
from wino_viz.evaluation.unfinished import Unfinished, write_whole

__all__ = [
    "CONFIDENCE_LEVEL",
    "Evaluation",
    "Progress",
    "Unfinished",
    "evaluate",
    "judge",
    "read_records",
    "report",
    "usual_in_flight",
    "write_whole",
]
