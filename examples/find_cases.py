"""Decode fresh problems and print those that show a property: how the case studies were found, and can be found again.

    python examples/find_cases.py --task arithmetic --count 100 --seed 7
    python examples/find_cases.py --task sudoku --count 300 --seed 7 --property sudoku_digit --wino wino:tau1=0.5
    python examples/find_cases.py --task arithmetic --count 40 --seed 7 --property beats_standard,heals,wino_plus
    python examples/find_cases.py --task arithmetic --count 40 --seed 7 --property planted --records

One line per problem and property: the property, the problem's number (from 0, of the same task, count and seed), its steps or
operations, forward passes and tokens taken back per lane, and the first moments (pass: positions). The problem follows with
`--records`. Without `--property` all are looked for that need WINO alone. Lengths and settings are the model's presets.
"planted" changes a digit by hand after the pass that drafts it, to the other one that the model thought of first, and lets both
decoders go on from there; the texts of the two tokens follow. It takes minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from wino_viz.evaluation.rows import difficulty_of
from wino_viz.fates import fates
from wino_viz.plus import SUFFIX
from wino_viz.properties import PROPERTIES, find, is_number, is_right, planted_number, replaced
from wino_viz.session import Session
from wino_viz.tasks.registry import fresh_problems, prompt_of
from wino_viz.trace import Trace

MODEL = "llada-mini"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="arithmetic", choices=("arithmetic", "countdown", "sudoku"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--property", default="", help=f"one or several of {', '.join(PROPERTIES)}")
    parser.add_argument("--wino", default="wino", help="the SPEC of WINO")
    parser.add_argument("--threshold", default="threshold:tau=0.6", help="the SPEC of a threshold alone")
    parser.add_argument("--gen-length", type=int)
    parser.add_argument("--block-length", type=int)
    parser.add_argument("--records", action="store_true", help="print each problem, too")
    options = parser.parse_args()
    names = options.property.split(",") if options.property else _alone(options.task)
    if unknown := [name for name in names if name not in PROPERTIES]:
        parser.error(f"there is no property {unknown[0]}: {', '.join(PROPERTIES)}")
    specs = {"wino": options.wino, "threshold": options.threshold, "standard": "standard", "wino+": "threshold"}
    lengths = {"gen_length": options.gen_length, "block_length": options.block_length}
    for number, record in enumerate(fresh_problems(options.task, options.count, options.seed)):
        made = cache(partial(decoded_as, record, specs, lengths))
        told = not options.records
        for name in names:
            moments, traces = look(name, made)
            if not moments:
                continue
            print(line(name, number, record, traces, moments), flush=True)
            if not told:
                print(json.dumps(record, ensure_ascii=False), flush=True)
                told = True


def _alone(task: str) -> list[str]:
    return [name for name, one in PROPERTIES.items() if one.decoders == ("wino",) and task in one.tasks]


def look(name: str, made: Any) -> tuple[list[Any], list[Trace]]:
    """The moments of a property and its traces, which `made` decodes by kind; WINO, the cheapest, first."""
    if name == "planted":
        return planted(made("wino"))
    kinds = PROPERTIES[name].decoders
    if "wino" in kinds and "single" not in name and not made("wino").revocations and name != "draft_cap":
        return [], []
    traces = [made(kind) for kind in kinds]
    return find(name, traces), traces


def planted(wino: Trace) -> tuple[list[Any], list[Trace]]:
    """The first number of a WINO decoding that can be changed by hand so that it shows "planted", and the two branches."""
    if not is_right(wino):
        return [], []
    for number, position, token in changes(wino):
        healed = branched(wino, number, {position: token}, "wino")
        fate = planted_number(healed)
        if fate.revoked is None or fate.final != fate.before or not is_right(healed):
            continue  # before the long one
        traces = [branched(wino, number, {position: token}, "standard"), healed]
        if moments := find("planted", traces):
            return moments, traces
    return [], []


def changes(trace: Trace) -> Iterator[tuple[int, int, int]]:
    """(pass, position, id): a digit that stands to the end, and the other one that the model thought of first when it drafted
    it."""
    for number, step in enumerate(trace.steps[:-1], start=1):
        for token in step.drafted:
            if replaced(trace, token) or not is_number(trace, token.id):
                continue
            choices = (one for one, _ in step.alternatives.get(token.position, ()))
            other = next((one for one in choices if one != token.id and is_number(trace, one)), None)
            if other is not None:
                yield number, token.position, other


def branched(trace: Trace, number: int, edits: Mapping[int, int], kind: str) -> Trace:
    session = _session(trace.model)
    record = trace.extra["record"]
    decoding = session.branch(trace, number, edits, session.settings(kind, record["task"]), record=record)
    for _ in decoding:
        pass
    return decoding.trace()


def decoded_as(
    record: Mapping[str, Any], specs: Mapping[str, str], lengths: Mapping[str, int | None], kind: str
) -> Trace:
    """The trace of a record by a kind of decoder: "wino", "threshold", "standard" or "wino+"."""
    session = _session(MODEL + (SUFFIX if kind == "wino+" else ""))
    given = {key: value for key, value in lengths.items() if value}
    usual = dict(zip(("gen_length", "block_length"), session.lengths(record["task"]), strict=True))
    decoding = session.start(
        prompt_of(record), session.parse(specs[kind], record["task"]), record=record, **{**usual, **given}
    )
    for _ in decoding:
        pass
    trace = decoding.trace()
    return replace(trace, extra={**trace.extra, "record": dict(record)})


@cache
def _session(name: str) -> Session:
    return Session(name)


def line(name: str, number: int, record: Mapping[str, Any], traces: Sequence[Trace], moments: Sequence[Any]) -> str:
    lanes = " | ".join(f"{t.forward_passes} passes, {t.revocations} back" for t in traces)
    shown = "  ".join(f"{m.number}: {','.join(map(str, m.positions[:8]))}" for m in moments[:4])
    shown += "".join(f"  {_piece(t, f.before)} -> {_piece(t, f.edit.id)}" for t in traces[-1:] for f in fates(t))
    return f"{name:14} {number:4} difficulty {difficulty_of(record)}  {lanes}  {shown}"


def _piece(trace: Trace, token: int | None) -> str:
    return "mask" if token is None else trace.pieces[token]


if __name__ == "__main__":
    main()
