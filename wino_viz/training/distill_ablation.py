"""The ablation of WINO+: distil with each loss term on and off and in random order, and evaluate each on the same problems.

    python -m wino_viz.training.distill_ablation --model llada-mini --trajectories runs/trajectories.jsonl.gz \
        --data runs/test.jsonl --out runs/ablation --devices 0,1 --in-flight 256 -- \
        --lora 32 --lora-targets q_proj,k_proj,v_proj,up_proj,o_proj,gate_proj,down_proj --steps 400 --batch 192 \
        --learning-rate 5e-4 --skip-ends --keep-share 0.5

What stands behind -- goes to `distill.py` for every variant; a variant then changes what its name says. Each is a run of
its own on one device, several at a time where there are several devices. OUT/NAME.json is what `wino_viz eval` writes,
OUT/NAME.log what the commands said, OUT/ablation.json has the rows of all. A variant whose NAME.json is there is not run
again, so the same command goes on after a stop; remove OUT to start anew with other settings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from wino_viz.arguments import Parser, whole
from wino_viz.decoding import parse_spec
from wino_viz.evaluation import write_whole
from wino_viz.provenance import commit, shown_command

PROG = "python -m wino_viz.training.distill_ablation"
BASE = "base"  # the model as it is: nothing is distilled
PUBLISHED = ["--tok-weight", "1", "--sharp-weight", "0.1", "--defer-weight", "1"]
NO_KEEP = ["--keep-share", "0", "--keep-task", ""]

# name -> what it changes in the common options
VARIANTS: dict[str, list[str]] = {
    BASE: [],
    "full": [],
    "tok": ["--sharp-weight", "0", "--defer-weight", "0"],
    "tok-sharp": ["--defer-weight", "0"],
    "tok-defer": ["--sharp-weight", "0"],
    "sharp-defer": ["--tok-weight", "0"],
    "random-order": ["--random-order"],
    "no-keep": NO_KEEP,
    "published-weights": [*PUBLISHED, *NO_KEEP],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the variants. Returns 0, or 1 where one failed; bad arguments exit with 2 and one line."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options, common = parser.parse_args(arguments[:cut]), arguments[cut + 1 :]
    variants = options.variants.split(",")
    try:
        for spec in options.decoders.split(","):
            parse_spec(spec)
        for name in variants:
            if name not in VARIANTS:
                raise ValueError(f"there is no variant {name!r}: choose of {', '.join(VARIANTS)}")
        for path in (options.data, *options.trajectories):
            if not path.is_file():
                raise ValueError(f"{path} is not there")
        options.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    devices: SimpleQueue[str] = SimpleQueue()
    names = options.devices.split(",") if options.devices else [""]
    for name in names:
        devices.put(name)

    def one(name: str) -> bool:
        device = devices.get()
        try:
            return run_variant(name, options, common, device)
        finally:
            devices.put(device)

    with ThreadPoolExecutor(len(names)) as pool:
        done = list(pool.map(one, variants))
    summary = summarize(options.out, [name for name, good in zip(variants, done, strict=True) if good], common)
    summary = {"command": shown_command(PROG, arguments), "commit": commit(), **summary}
    write_whole(options.out / "ablation.json", json.dumps(summary, indent=1))
    print(table(summary))
    return 0 if all(done) else 1


def run_variant(name: str, options: argparse.Namespace, common: Sequence[str], device: str) -> bool:
    """Distil and evaluate one variant, unless its result is there. Returns whether there is a result."""
    result, folder = options.out / f"{name}.json", options.out / name
    if result.exists():
        print(f"{name}: {result} is there", flush=True)
        return True
    distill = [sys.executable, "-m", "wino_viz.training.distill", "--model", options.model, "--out", str(folder)]
    distill += ["--trajectories", *map(str, options.trajectories), *common, *VARIANTS[name]]
    model = options.model if name == BASE else str(folder)
    evaluate = [sys.executable, "-m", "wino_viz", "eval", "--model", model, "--decoders", options.decoders]
    evaluate += ["--data", str(options.data), "--out", str(result)]
    evaluate += ["--in-flight", str(options.in_flight)] if options.in_flight else []
    environment = {**os.environ, **({"CUDA_VISIBLE_DEVICES": device} if device else {})}
    finished = (folder / "distill.json").exists()  # written last
    with open(options.out / f"{name}.log", "a", encoding="utf-8") as log:
        for command in ([] if name == BASE or finished else [distill]) + [evaluate]:
            print(f"{name}: {'evaluating' if command is evaluate else 'distilling'}", flush=True)
            if code := subprocess.run(command, env=environment, stdout=log, stderr=log).returncode:
                print(f"{name}: failed with exit code {code}, see {log.name}", flush=True)
                return False
    return True


def summarize(out: Path, names: Sequence[str], common: Sequence[str]) -> dict[str, Any]:
    """{"common": options, "variants": {name: {"changes", "rows", and of its training "last_report", "steps_taken"}}}."""
    variants = {}
    for name in names:
        found: dict[str, Any] = {"changes": VARIANTS[name]}
        told = out / name / "distill.json"
        if name != BASE and told.exists():
            distilled = json.loads(told.read_text(encoding="utf-8"))
            found |= {"steps_taken": distilled["steps_taken"], "last_report": (distilled["reports"] or [None])[-1]}
        found["rows"] = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        variants[name] = found
    return {"common": list(common), "variants": variants}


def table(summary: dict[str, Any]) -> str:
    """Accuracy and forward passes of every variant, decoder and task, in Markdown."""
    rows = [row for found in summary["variants"].values() for row in found["rows"]]
    tasks = list(dict.fromkeys(task for row in rows for task in row.get("by_task", ("all",))))
    lines = [f"| variant | decoder | {' | '.join(tasks)} |", "|" + "---|" * (2 + len(tasks))]
    for name, found in summary["variants"].items():
        for row in found["rows"]:
            cells = [row.get("by_task", {"all": row})[task] for task in tasks]
            told = (f"{cell['accuracy']:.1%} in {cell['mean_forward_passes']:.1f}" for cell in cells)
            lines.append(f"| {name} | {row['decoder']} | {' | '.join(told)} |")
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="M", help="the base model")
    parser.add_argument("--trajectories", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.jsonl", help="problems to evaluate on")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    usual = "standard,wino,threshold:tau=0.5,threshold:tau=0.6,threshold:tau=0.7,threshold:tau=0.9"
    parser.add_argument("--decoders", default=usual, metavar="SPEC,SPEC", help=f"default: {usual}")
    parser.add_argument("--variants", default=",".join(VARIANTS), metavar="NAME,NAME", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--devices", default="", metavar="0,1", help="GPUs, a variant at a time on each (default: one)")
    parser.add_argument("--in-flight", type=whole(1, 4096), metavar="N", help="of the evaluation")
    return parser


if __name__ == "__main__":
    sys.exit(main())
