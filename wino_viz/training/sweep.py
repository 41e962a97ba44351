"""Which settings suit a model: decoders × canvases on fresh problems of one task, for choosing presets.

    python -m wino_viz.training.sweep --model runs/mini --task countdown --count 200 \\
        --specs standard,threshold,wino:tau1=0.6,wino:tau1=0.9 --lengths 32x32,64x32 --out runs/sweep-countdown.json

Problems are of the validation split: the test split is for measuring what was chosen. A GPU decodes all in one
batch, a CPU one by one. A SPEC means what it does for `python -m wino_viz eval`, and a canvas is gen_length x block_length.
--out holds a row for each, and is written after every canvas.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from wino_viz.arguments import Parser, whole
from wino_viz.evaluation import evaluate
from wino_viz.models.checkpoint import load_checkpoint
from wino_viz.tasks.dataset import SPLITS
from wino_viz.training.word_problems import TASKS

SPECS = "standard,threshold,wino:tau1=0.6,wino:tau1=0.7,wino:tau1=0.8,wino:tau1=0.9"
COLUMNS = {
    "canvas": "{:>9}",
    "accuracy": "{:9.3f}",
    "faithful": "{:9.3f}",
    "mean_forward_passes": "{:7.2f}",
    "step_reduction": "{:9.2f}",
    "mean_revocations": "{:11.2f}",
    "decoder": "  {}",
}
HEAD = "   canvas accuracy faithful passes reduction revocations  decoder"


def problems(task: str, split: str, count: int, seed: int) -> list[dict[str, Any]]:
    """`count` records of a task's split."""
    rng = Random(seed)
    return [TASKS[task].record(TASKS[task].generate(rng, split)) for _ in range(count)]


def lengths_of(text: str) -> list[tuple[int, int]]:
    """ "32x32,64x32" as [(32, 32), (64, 32)]. ValueError for another form."""
    try:
        return [(int(gen), int(block)) for gen, block in (one.split("x") for one in text.split(","))]
    except ValueError:
        raise ValueError(f"--lengths must be such as 32x32,64x32 (tokens x tokens per block), not {text!r}") from None


def shown(row: Mapping[str, Any]) -> str:
    return "".join(form.format(row[name]) for name, form in COLUMNS.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Decode, print a line for each decoder and canvas, write --out. Bad arguments exit with 2 and one line."""
    parser = Parser(prog="python -m wino_viz.training.sweep", description="Try decoders and canvases on one task.")
    parser.add_argument("--model", required=True, metavar="M", help="embedded model or folder")
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--count", type=whole(1, 10_000), default=200, help="problems (default: 200)")
    parser.add_argument("--seed", type=whole(0, 2**63 - 1), default=0, help="of the problems")
    parser.add_argument("--specs", default=SPECS, metavar="SPEC,SPEC", help=f"default: {SPECS}")
    parser.add_argument("--lengths", required=True, metavar="NxN,NxN", help="such as 32x32,64x32")
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    try:
        canvases = lengths_of(options.lengths)
        records = problems(options.task, options.split, options.count, options.seed)
        checkpoint = load_checkpoint(options.model)
        in_flight = options.count if checkpoint.denoiser.device.type == "cuda" else 1
        print(HEAD)
        for gen_length, block_length in canvases:
            started = time.perf_counter()
            lengths = {"gen_length": gen_length, "block_length": block_length}
            found = evaluate(checkpoint, options.specs.split(","), records, in_flight=in_flight, **lengths)
            made = [{"canvas": f"{gen_length}x{block_length}", **lengths, **row} for row in found["rows"]]
            print("\n".join(map(shown, made)), f" ({time.perf_counter() - started:.0f} s)", flush=True)
            rows += made
            if options.out:
                about = {name: getattr(options, name) for name in ("model", "task", "split", "count", "seed")}
                options.out.write_text(json.dumps({**about, "rows": rows}, indent=1))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
