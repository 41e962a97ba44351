"""The case studies of assets/cases/cases.json: recorded decodings, each chosen for a property that it is held to.

    for case in read_cases(): print(case.title, case.property, case.number)

    {"cases": [{"title": "…", "text": "one sentence: what it shows", "property": "wrong_number",
                "traces": ["NAME", …], "pass": 4, "points": [{"position": 7, "is": "taken back", "token": "9"}],
                "facts": {…}, "moments": [{"pass": 4, "label": "a button", "text": "what is to be seen", "points": […],
                                           "facts": {…}}, …]}, …]}

A property (wino_viz/properties.py) says what the traces must show, and by which decoders they were made; `pass` is one
where it is to be seen. Of two traces side by side, points and facts are those of the last. A trace is looked for in
assets/cases/traces (examples/record_lessons.sh), among those of the lessons, and in examples/traces and examples/pictures.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wino_viz import properties
from wino_viz.claims import (
    ClaimError,
    Point,
    check_facts,
    mapping,
    natural,
    read_facts,
    read_points,
    read_trace,
    rows,
    text,
)
from wino_viz.tasks.registry import check_record
from wino_viz.trace import Trace, TraceError

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "assets" / "cases" / "cases.json"
ELSEWHERE = (ROOT / "assets" / "lessons" / "traces", ROOT / "examples" / "traces", ROOT / "examples" / "pictures")
MOST_CASES, MOST_MOMENTS = 40, 6
TITLE, SENTENCE, LABEL = 60, 400, 40  # characters at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseMoment:
    """A place to look at on the way: the pass, a short label, what is to be seen there, and where."""

    number: int
    label: str
    text: str
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Case:
    """One case whose property and claims hold. `number`: the pass at which it opens; `picture`: the PNG it is about."""

    title: str
    text: str
    property: str
    traces: tuple[Trace, ...]
    number: int
    points: tuple[Point, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    moments: tuple[CaseMoment, ...] = ()
    picture: Path | None = None


def read_cases(path: Path = CASES) -> list[Case]:
    """Every case of the file; one that can't be used is left out, and the log says why. An empty list without the file."""
    try:
        listed = case_data(path)
    except (ClaimError, OSError) as error:
        log.warning("%s is left out: %s", path, error)
        return []
    cases = []
    for number, data in enumerate(listed, start=1):
        try:
            cases.append(read_case(data, f"case {number}", path.parent))
        except (ClaimError, TraceError, OSError) as error:
            log.warning("%s: %s", path, error)
    return cases


def case_data(path: Path = CASES) -> list[Any]:
    """The entries of the file as they stand; ClaimError or OSError where there are none to be read."""
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ClaimError(f"{path.name} is not valid JSON: {error}") from None
    return rows(mapping(data, path.name, {"cases"}).get("cases"), f"{path.name}: cases", 1, MOST_CASES)


def read_case(data: Any, where: str, folder: Path = CASES.parent) -> Case:
    """One case, checked against its traces; ClaimError, TraceError (both ValueErrors) or OSError saying what is wrong."""
    known = {"title", "text", "property", "traces", "pass", "points", "facts", "moments"}
    data = mapping(data, where, known)
    folders = (folder / "traces", *ELSEWHERE)
    read = [read_trace(name, where, folders) for name in rows(data.get("traces"), f"{where}: traces", 1, 2)]
    traces = tuple(trace for trace, _ in read)
    for trace in traces:
        _check_record(trace, where)
    shown = text(data.get("property"), f"{where}: property", 40)
    number = _pass(data, traces, where)
    try:
        moments = properties.find(shown, traces)
    except ValueError as error:
        raise ClaimError(f"{where}: {error}") from None
    if not moments:
        raise ClaimError(f'{where}: its traces do not show "{shown}": {properties.PROPERTIES[shown].words}')
    if number not in {moment.number for moment in moments}:
        raise ClaimError(f'{where}: "{shown}" is to be seen in pass {_listed(moments)}, not in {number}')
    looks = rows(data.get("moments", []), f"{where}: moments", 0, MOST_MOMENTS)
    picture = read[-1][1].with_name(str(traces[-1].extra.get("image"))) if "picture" in traces[-1].extra else None
    return Case(
        title=text(data.get("title"), f"{where}: title", TITLE),
        text=text(data.get("text"), f"{where}: text", SENTENCE),
        property=shown,
        traces=traces,
        number=number,
        points=_points(data, traces[-1], number, where),
        facts=read_facts(data.get("facts"), f"{where}: facts"),
        moments=tuple(_moment(each, traces, f"{where}: moment {n}") for n, each in enumerate(looks, start=1)),
        picture=picture,
    )


def _moment(data: Any, traces: Sequence[Trace], where: str) -> CaseMoment:
    data = mapping(data, where, {"pass", "label", "text", "points", "facts"})
    number = _pass(data, traces, where)
    return CaseMoment(
        number=number,
        label=text(data.get("label"), f"{where}: label", LABEL),
        text=text(data.get("text"), f"{where}: text", SENTENCE),
        points=_points(data, traces[-1], number, where),
    )


def _pass(data: Mapping[str, Any], traces: Sequence[Trace], where: str) -> int:
    number = natural(data.get("pass"), f"{where}: pass")
    most = max(trace.forward_passes for trace in traces)
    if number > most:
        raise ClaimError(f"{where}: there is no pass {number} among {most}")
    return number


def _points(data: Mapping[str, Any], trace: Trace, number: int, where: str) -> tuple[Point, ...]:
    """The points of an entry; its facts are checked, too. A lane that has ended stands at its last pass."""
    number = min(number, trace.forward_passes)
    check_facts(read_facts(data.get("facts"), f"{where}: facts"), trace, number, where)
    return read_points(data.get("points"), trace, number, where)


def _check_record(trace: Trace, where: str) -> None:
    try:
        check_record(trace.extra.get("record"), f"{where}: the record of a trace")
    except ValueError as error:
        raise ClaimError(str(error)) from None


def _listed(moments: Sequence[properties.Moment]) -> str:
    return ", ".join(str(moment.number) for moment in moments)
