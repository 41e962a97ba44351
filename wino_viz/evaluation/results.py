"""The measured files that the Explore tab draws: decoders and settings on problems of the test split, as small files.

    make results                                                                  all of llada-mini, 500 problems each
    python -m wino_viz.evaluation.results --task arithmetic --figure grid --limit 30
    python -m wino_viz.evaluation.results --model llada-mini-wino-plus --decoders standard,threshold --figure tradeoff

Per task of the model's presets and per figure, one run of `python -m wino_viz eval` and one file in assets/results:

    tradeoff-TASK-MODEL.json    every decoder over its settings (also what is drawn by difficulty)
    grid-TASK-MODEL.json        WINO over τ1 × τ2

A file holds what `eval` writes without the answers (see `condensed`). A run that was stopped goes on with the same
command, as `eval` does; a file that this command made already of the same weights and problems is left as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from wino_viz import cli
from wino_viz.arguments import Parser, whole
from wino_viz.decoding import DECODERS
from wino_viz.evaluation.result_files import GRID, TRADEOFF, ResultError, read_result
from wino_viz.evaluation.sweeps import SWEEP, grid_specs, tradeoff_specs
from wino_viz.evaluation.unfinished import write_whole
from wino_viz.models.presets import read_presets
from wino_viz.provenance import file_checksum, shown_command, weights_checksum
from wino_viz.tasks.registry import TASKS

PROG = "python -m wino_viz.evaluation.results"
FIGURES = (TRADEOFF, GRID)
PROBLEMS, SEED = 500, 0  # of the test split
DECIMALS = 6


def condensed(result: Mapping[str, Any], figure: str, task: str, data_command: str) -> dict[str, Any]:
    """What `eval` wrote, as a result file: which figure, how the problems were made, no answers, and of the comparisons
    those with the first decoder."""
    rows, first = result["rows"], result["rows"][0]["decoder"]
    compared = [pair for pair in result["comparisons"] if pair["decoders"][0] == first]
    head = {key: value for key, value in result.items() if key not in ("rows", "comparisons", "items")}
    made = {"figure": figure, "task": task, **head, "data_command": data_command, "rows": rows, "comparisons": compared}
    return _rounded(made)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing. Returns 0, or the exit code of the first run that did not end."""
    parser = Parser(prog=PROG, description="Measure the files that the Explore tab draws.")
    parser.add_argument("--model", default=cli.READS, metavar="M", help=f"embedded model or folder ({cli.READS})")
    parser.add_argument("--task", metavar="TASK,TASK", help="default: every task of the model's presets")
    parser.add_argument("--figure", default=",".join(FIGURES), metavar="F,F", help=f"default: {','.join(FIGURES)}")
    parser.add_argument("--decoders", default=",".join(SWEEP), metavar="D,D", help="of the trade-off; default: all")
    parser.add_argument("--limit", type=whole(1, PROBLEMS), default=PROBLEMS, help=f"problems, 1 to {PROBLEMS} (all)")
    parser.add_argument("--in-flight", type=whole(1, 1024), help="problems in one batch, as eval's")
    parser.add_argument("--out", type=Path, default=Path("assets/results"), help="default: assets/results")
    parser.add_argument("--work", type=Path, default=Path("runs/results"), help="problems and answers (runs/results)")
    parser.add_argument("--again", action="store_true", help="measure also what is there already")
    options = parser.parse_args(arguments)
    try:
        folder = _folder(options.model)
        presets = {task: preset for task, preset in read_presets(folder).items() if _in_words(task)}
        tasks = _chosen("--task", options.task, presets)
        figures = _chosen("--figure", options.figure, FIGURES)
        decoders = _chosen("--decoders", options.decoders, SWEEP)
        options.out.mkdir(parents=True, exist_ok=True)
        options.work.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    for task in tasks:
        for figure in figures:
            usual = {name: DECODERS[name](**presets[task].decoders.get(name, {})) for name in SWEEP}
            swept = {name: usual[name] for name in decoders}
            specs = grid_specs(usual["wino"]) if figure == GRID else tradeoff_specs(swept)
            if code := _measure(figure, task, specs, folder, options):
                return code
    return 0


def _measure(figure: str, task: str, specs: Sequence[str], folder: Path, options: Any) -> int:
    """One file; returns eval's exit code."""
    data = options.work / f"{task}.jsonl"
    making = ["--split", "test", "--count", str(PROBLEMS), "--seed", str(SEED), "--out", str(data)]
    import_module(f"wino_viz.tasks.{task}").main(making)
    name = f"{figure}-{task}-{folder.name}.json"
    whole_result = options.work / name
    evaluating = ["eval", "--model", options.model, "--decoders", ",".join(specs), "--data", str(data)]
    evaluating += ["--limit", str(options.limit)] if options.limit < PROBLEMS else []
    evaluating += ["--in-flight", str(options.in_flight)] if options.in_flight else []
    evaluating += ["--out", str(whole_result)]
    made = {
        "command": shown_command(cli.PROG, evaluating),
        "weights_sha256": weights_checksum(folder),
        "data_sha256": file_checksum(data),
    }
    if not options.again and _is_made(options.out / name, made):
        print(f"{name} is there already (--again measures it anew)", file=sys.stderr)
        return 0
    print(f"{name}: {len(specs)} decoders and settings", file=sys.stderr)
    if code := cli.main(evaluating):
        return code
    result = json.loads(whole_result.read_text(encoding="utf-8"))
    data_command = shown_command(f"python -m wino_viz.tasks.{task}", making)
    write_whole(options.out / name, json.dumps(condensed(result, figure, task, data_command), ensure_ascii=False))
    return 0


def _is_made(path: Path, made: Mapping[str, str]) -> bool:
    """Whether a file is what this command would make again."""
    try:
        there = read_result(path)
    except ResultError:
        return False
    return all(there.about.get(key) == value for key, value in made.items())


def _folder(model: str) -> Path:
    from wino_viz.models.checkpoint import find_model  # imports torch, after --help and bad options

    return find_model(model)


def _in_words(task: str) -> bool:
    return task in TASKS and not TASKS[task].has_image


def _chosen(option: str, said: str | None, allowed: Iterable[str]) -> list[str]:
    """The parts of a comma-separated option; ValueError for one that is not allowed, or where nothing is."""
    allowed = list(allowed)
    chosen = allowed if said is None else [part.strip() for part in said.split(",")]
    for part in chosen:
        if part not in allowed:
            raise ValueError(f"{option}: {part!r} is not one of {', '.join(allowed)}")
    if not chosen:
        raise ValueError("the model has no preset for a task in words, so there is nothing to measure")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
