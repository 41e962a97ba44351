"""The command line: decode a prompt, evaluate decoders on problems, measure speed.

    python -m wino_viz decode --decoder wino --prompt "Ana has 30 cards. Ana gives 12 cards to Omar. How many …?"
    python -m wino_viz eval --decoders standard,wino:tau1=0.6:tau2=0.9 --data problems.jsonl --out result.json
    python -m wino_viz bench

`decode` prints the answer to standard output and the figures to standard error. Bad input ends with exit code 2 and one
line that says which value is wrong and what is allowed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from wino_viz.decoding import DECODERS
from wino_viz.session import Session

PROG = "python -m wino_viz"


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line without the usage."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    try:
        return options.run(options, arguments)
    except (ValueError, OSError) as error:
        print(f"{PROG} {options.command}: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")

    decode = commands.add_parser("decode", help="decode one prompt", description="Decode one prompt.")
    decode.set_defaults(run=run_decode)
    _model_option(decode)
    decode.add_argument("--decoder", default="wino", metavar="SPEC", help=f"{', '.join(DECODERS)} (default: wino)")
    decode.add_argument("--tau1", type=float, help="WINO drafts above this confidence, 0 to 1")
    decode.add_argument("--tau2", type=float, help="WINO re-masks below this verification probability, 0 to 1")
    decode.add_argument("--gen-length", type=int, help="tokens to generate")
    decode.add_argument("--block-length", type=int, help="tokens per block; must divide gen-length")
    decode.add_argument("--temperature", type=float, default=0.0, help="0 (default) is exact arg-max")
    decode.add_argument("--seed", type=int, default=0, help="of sampling and of random re-masking")
    what = decode.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", help="the problem, in words")
    what.add_argument("--record", metavar="JSON", help='a problem record: {"task": "arithmetic", "question": "…"}')
    decode.add_argument("--trace", type=Path, metavar="OUT.json", help="write the whole trace to this file")
    decode.add_argument("--title", help="title to keep in the trace")
    decode.add_argument("--note", help="what the trace shows, to keep in it")

    evaluate = commands.add_parser("eval", help="decoders × problems", description="Evaluate decoders on problems.")
    evaluate.set_defaults(run=run_eval)
    _model_option(evaluate)
    evaluate.add_argument("--decoders", required=True, metavar="SPEC,SPEC", help="such as standard,wino:tau1=0.6")
    evaluate.add_argument("--data", required=True, type=Path, metavar="FILE.jsonl", help="problem records, one a line")
    evaluate.add_argument("--limit", type=int, help="only the first so many problems")
    evaluate.add_argument("--gen-length", type=int, help="tokens to generate (default: the model's preset)")
    evaluate.add_argument("--block-length", type=int, help="tokens per block (default: the model's preset)")
    evaluate.add_argument("--in-flight", type=int, default=1, help="problems decoded in one batch (default: 1)")
    evaluate.add_argument("--out", type=Path, metavar="OUT.json", help="write rows and items to this file")

    bench = commands.add_parser("bench", help="measure speed on this machine", description="Measure decoding speed.")
    bench.set_defaults(run=run_bench)
    _model_option(bench)
    bench.add_argument("--decoders", default="", metavar="SPEC,SPEC", help="default: a standard set of four")
    bench.add_argument("--problems", type=int, default=5, help="problems decoded per decoder (default: 5)")
    bench.add_argument("--out", type=Path, metavar="OUT.json", help="write the figures to this file")
    return parser


def _model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="llada-mini", metavar="M", help="embedded model or folder (llada-mini)")


# ---- decode


def run_decode(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.tasks.registry import read_record

    _check_writable(options.trace)
    problem = read_record(options.record, "--record") if options.record is not None else None
    session = Session(options.model)
    settings = session.parse(options.decoder)
    for name in ("tau1", "tau2"):
        if (value := getattr(options, name)) is not None:
            if not hasattr(settings, name):
                raise ValueError(f"--{name} goes with the decoder wino, not with {settings.name}")
            settings = replace(settings, **{name: value})
    decoding = session.start(
        problem["question"] if problem else options.prompt,
        settings,
        gen_length=options.gen_length,
        block_length=options.block_length,
        temperature=options.temperature,
        seed=options.seed,
        record=problem,
    )
    for _ in decoding:
        pass
    trace = decoding.trace()
    print(trace.text)
    seconds = trace.timing["model_seconds"]
    figures = (
        f"{trace.forward_passes} forward passes · {trace.tokens_per_pass:.1f} tokens per pass · "
        f"{trace.revocations} revocations · {seconds:.2f} s model time ({trace.gen_length / seconds:.0f} tokens/s)"
    )
    print(figures, file=sys.stderr)
    if problem and problem.get("answer") is not None:
        print(decoding.verdict()["text"], file=sys.stderr)
    if options.trace:
        extra: dict[str, Any] = {"command": f"{PROG} {shlex.join(arguments)}"}
        extra |= {key: getattr(options, key) for key in ("title", "note") if getattr(options, key)}
        extra |= {"record": problem} if problem else {}
        _write(options.trace, replace(trace, extra=extra).to_json())
    return 0


# ---- eval


def run_eval(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.evaluation import evaluate, read_records
    from wino_viz.models.checkpoint import load_checkpoint

    for name in ("limit", "in_flight"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    records = read_records(options.data, options.limit)
    specs = [spec.strip() for spec in options.decoders.split(",")]
    _check_writable(options.out)
    checkpoint = load_checkpoint(options.model)
    progress = _Progress()
    result = evaluate(
        checkpoint,
        specs,
        records,
        gen_length=options.gen_length,
        block_length=options.block_length,
        in_flight=options.in_flight,
        progress=progress,
    )
    progress.end()
    print(table(result["rows"]))
    if options.out:
        head = {"model": options.model, "data": str(options.data), "command": f"{PROG} {shlex.join(arguments)}"}
        _write(options.out, json.dumps({**head, **result}, indent=1, ensure_ascii=False))
    return 0


class _Progress:
    """One line on standard error, rewritten: how far the decoder is and how long the rest may take."""

    def __init__(self) -> None:
        self._spec, self._started, self._shown = "", 0.0, 0.0

    def __call__(self, spec: str, done: int, of: int) -> None:
        now = time.monotonic()
        if spec != self._spec:
            self._spec, self._started = spec, now
        if done < of and now - self._shown < 0.2:
            return
        self._shown = now
        left = (now - self._started) / done * (of - done)
        ending = "\n" if done == of else ""
        print(f"\r{spec}: {done} of {of}, about {left:.0f} s left   ", end=ending, file=sys.stderr, flush=True)

    def end(self) -> None:
        self._spec = ""


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The result rows as a Markdown table."""
    lines = [
        "| decoder | n | accuracy | faithful | forward passes | step reduction | revocations |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['decoder']} | {row['n']} | {row['accuracy']:.1%} | {row['faithful']:.1%} "
            f"| {row['mean_forward_passes']:.2f} | {row['step_reduction']:.2f}× | {row['mean_revocations']:.2f} |"
        )
    return "\n".join(lines)


# ---- bench


def run_bench(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.bench import SPECS, bench, report

    if not 1 <= options.problems <= 1000:
        raise ValueError(f"--problems must be 1 to 1000, not {options.problems}")
    _check_writable(options.out)
    specs = [spec.strip() for spec in options.decoders.split(",")] if options.decoders else SPECS
    result = bench(options.model, options.problems, specs)
    print(report(result))
    if options.out:
        _write(options.out, json.dumps({"command": f"{PROG} {shlex.join(arguments)}", **result}, indent=1))
    return 0


# ---- small things


def _check_writable(path: Path | None) -> None:
    """Say that a result can't be written before the work is done, not after."""
    if path is not None and path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write")
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{path}: the folder {path.resolve().parent} does not exist")


def _write(path: Path, text: str) -> None:
    _check_writable(path)
    path.write_text(text + "\n", encoding="utf-8")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
