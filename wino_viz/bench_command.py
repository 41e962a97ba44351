"""The command that measures speed on this machine: of the decoders, or of one thing that an option names.

python -m wino_viz bench
python -m wino_viz bench --users 1,4,16 --seconds 4 --out users.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wino_viz.arguments import whole
from wino_viz.files import check_writable
from wino_viz.loading import PROG, READS, bar, loader, model_option

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint


def add_bench(commands: argparse._SubParsersAction) -> None:
    """Adds the command to those of the command line."""
    parser = commands.add_parser("bench", help="measure speed on this machine", description="Measure decoding speed.")
    parser.set_defaults(run=run_bench)
    model_option(parser)
    parser.add_argument("--decoders", default="", metavar="SPEC,SPEC", help="default: a standard set of four")
    parser.add_argument("--problems", type=int, help="problems decoded per decoder (default: 5)")
    parser.add_argument(
        "--in-flight",
        nargs="?",
        const="",
        metavar="N,N",
        help="instead: how much faster many problems in one batch are (1,8,64 problems of the decoder wino)",
    )
    parser.add_argument(
        "--shadow",
        nargs="?",
        const="",
        metavar="GENxBLOCK,…",
        help="instead: what the shadow block costs in time and memory, by lengths of answer and block",
    )
    parser.add_argument(
        "--shape",
        metavar="NAME",
        help="instead: one step at the sizes of this model, random weights, beside the matrix products alone: llada-8b",
    )
    parser.add_argument("--compile", action="store_true", help="with --shape: torch.compile, too")
    parser.add_argument("--profile", action="store_true", help="with --shape: where the time of a step goes")
    parser.add_argument("--steps", type=int, default=40, help="steps timed of each kind for --shape (default: 40)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="instead: whether all ways to run the model choose the same tokens, over --problems (default: 60)",
    )
    parser.add_argument(
        "--naive",
        action="store_true",
        help="instead: how much faster WINO is than recomputing everything, with the head on all rows",
    )
    parser.add_argument(
        "--load", action="store_true", help="instead: seconds and memory that it takes to load the model (--model NAME)"
    )
    parser.add_argument(
        "--parity",
        action="store_true",
        help="instead: how many of --problems have the same tokens in bfloat16 as in float32",
    )
    parser.add_argument(
        "--users",
        nargs="?",
        const="",
        metavar="N,N",
        help="instead: how many users decode at once (1,4,16,64), and what they notice of each other",
    )
    parser.add_argument(
        "--replicas", type=whole(1, 64), metavar="N", help="with --users: in so many replicas, as `serve` does"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row of --users (default: 5)")
    parser.add_argument("--repeats", type=int, default=15, help="passes of each kind for --shadow (default: 15)")
    parser.add_argument("--out", type=Path, metavar="OUT.json", help="write the figures to this file")


def run_bench(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.provenance import shown_command

    for name in ("problems", "repeats", "steps"):
        if (value := getattr(options, name)) is not None and not 1 <= value <= 1000:
            raise ValueError(f"--{name} must be 1 to 1000, not {value}")
    if not 0.1 <= options.seconds <= 600:
        raise ValueError(f"--seconds must be 0.1 to 600, not {options.seconds:g}")
    kinds = ("shadow", "in_flight", "shape", "check", "naive", "load", "parity", "users")
    chosen = [name for name in kinds if getattr(options, name) not in (None, False)]
    if len(chosen) > 1:
        raise ValueError("choose one of " + " and ".join(f"--{name.replace('_', '-')}" for name in chosen))
    for name in ("compile", "profile"):
        if getattr(options, name) and not options.shape:
            raise ValueError(f"--{name} goes with --shape NAME")
    if options.replicas and options.users is None:
        raise ValueError("--replicas goes with --users")
    if options.parity and options.dtype:
        raise ValueError("--parity compares both types: leave --dtype out")
    if not options.load and (options.dtype or (options.device_map and not options.parity)):
        raise ValueError("--dtype and --device-map go with --load here")
    check_writable(options.out)
    result, printed, code = _measure(options)
    print(printed)
    if options.out:
        written = json.dumps({"command": shown_command(PROG, arguments), **result}, indent=1)
        options.out.write_text(written + "\n", encoding="utf-8")
    return code


def _measure(options: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """(figures, the same to be read, exit code) of the kind of benchmark that was asked for."""
    model = options.model or READS
    specs = [spec.strip() for spec in options.decoders.split(",")] if options.decoders else []
    if options.shape:
        from wino_viz import bench_shape

        if options.shape not in bench_shape.SHAPES:
            raise ValueError(f"--shape must be one of {', '.join(bench_shape.SHAPES)}, not {options.shape!r:.40}")
        asked = {"steps": options.steps, "compile": options.compile, "profile": options.profile}
        result = bench_shape.bench_shape(options.shape, **asked, say=lambda line: print(line, file=sys.stderr))
        return result, bench_shape.report(result), 0
    if options.check:
        from wino_viz import bench_check

        result = bench_check.bench_check(model, options.problems or bench_check.PROBLEMS)
        return result, bench_check.report(result), 0 if bench_check.all_same(result) else 1
    from wino_viz import bench

    problems = options.problems or bench.PROBLEMS
    if options.load:
        result = bench.bench_load(model, loader(options.dtype, options.device_map, bar()))
        return result, bench.report_load(result), 0
    if options.naive:
        result = bench.bench_naive(model, problems)
        return result, bench.report_naive(result), 0
    if options.parity:
        result = bench.bench_parity(model, partial(_load_as, model, options), problems, specs)
        return result, bench.report_parity(result), 0
    if options.shadow is not None:
        shapes = _shapes(options.shadow) if options.shadow else None
        result = bench.bench_shadow_block(model, shapes, options.repeats)
        return result, bench.report_shadow_block(result), 0
    if options.users is not None:
        counts = _counts("--users", options.users, bench.bench_users.MOST_USERS) if options.users else None
        if len(specs) > 1:
            raise ValueError("--users takes one decoder")
        spec = specs[0] if specs else bench.IN_FLIGHT_SPECS[0]
        counts = counts or bench.bench_users.USERS
        result = bench.bench_many_users(model, counts, spec, options.seconds, options.replicas)
        return result, bench.report_many_users(result), 0
    if options.in_flight is None:
        result = bench.bench(model, problems, specs or bench.SPECS)
        return result, bench.report(result), 0
    counts = _counts("--in-flight", options.in_flight, bench.MAX_IN_FLIGHT) if options.in_flight else bench.IN_FLIGHT
    result = bench.bench_in_flight(model, counts, specs or bench.IN_FLIGHT_SPECS)
    return result, bench.report_in_flight(result), 0


def _load_as(model: str, options: argparse.Namespace, dtype: str) -> Checkpoint:
    return loader(dtype, options.device_map, bar())(model)


def _shapes(text: str) -> list[tuple[int, int]]:
    """ "64x32,128x64" as [(64, 32), (128, 64)]."""
    shapes = []
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", part.strip())
        if not found:
            raise ValueError(f"--shadow: {part!r} is not GENxBLOCK, such as 128x64")
        shapes.append((int(found[1]), int(found[2])))
    return shapes


def _counts(option: str, text: str, most: int) -> list[int]:
    parse = whole(1, most)
    try:
        return [parse(count) for count in text.split(",")]
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"{option}: {error}") from None
