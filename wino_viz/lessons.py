"""The guided lessons of assets/lessons: words about recorded traces, each checked against its trace when it is read.

    for lesson in read_lessons(): print(lesson.title, len(lesson.steps))

A lesson is one JSON file, NUMBER-NAME.json; its traces are in traces/ beside it (examples/record_lessons.sh)
or in examples/traces:

    {"title": "…", "summary": "one line",
     "steps": [{"heading": "…", "text": ["a paragraph", …], "trace": "NAME of traces/NAME.json", "pass": 3,
                "points": [{"position": 7, "is": "taken back", "token": "of", "p": 0.31}, …],
                "claims": [{"pass": 1, "position": 7, "is": "leaning", "token": "of", "p": 0.42}, …],
                "facts": {"drafted": 15, "limits": ["draft_cap"], …},
                "question": {"ask": "…", "find": "taken back"}}, …]}

`points` are marked in the player, and each says what is to be seen there (wino_viz/claims.py); `claims` are what the
text says of other passes (or with "trace" of another trace), and `facts` figures that it names. A question asks which
tokens the *next* pass takes back, or drafts; the answer comes from the trace. In texts, *stars* set words apart; there is
no other markup.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wino_viz.claims import (
    DRAFTED,
    TAKEN_BACK,
    ClaimError,
    Point,
    check_claims,
    check_facts,
    folded,
    mapping,
    natural,
    read_facts,
    read_points,
    read_trace,
    rows,
    standing,
    text,
)
from wino_viz.trace import Trace, TraceError

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "assets" / "lessons"
EXAMPLES = ROOT / "examples" / "traces"
MOST_STEPS, MOST_PARAGRAPHS = 12, 4
TITLE, SUMMARY, HEADING, PARAGRAPH = 60, 160, 80, 600  # characters at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """Which tokens does the next pass take back (or draft)? `choices`: the positions that may be picked; `answer`: those."""

    ask: str
    find: str
    choices: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True)
class LessonStep:
    """One step: words, and where the player stands meanwhile (`number`: the pass, 0 before the first)."""

    heading: str
    text: tuple[str, ...]
    trace: str
    number: int
    points: tuple[Point, ...] = ()
    claims: tuple[tuple[int, Point], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    question: Question | None = None


@dataclass(frozen=True)
class Lesson:
    """A lesson whose every claim holds; `traces` by name, each with its problem under "record"."""

    title: str
    summary: str
    steps: tuple[LessonStep, ...]
    traces: Mapping[str, Trace]


def read_lessons(folder: Path = LESSONS) -> list[Lesson]:
    """Every lesson of the folder in the order of the file names; one that can't be used is left out, and the log says why."""
    lessons = []
    for path in sorted(folder.glob("*.json")):
        try:
            lessons.append(read_lesson(path))
        except (ClaimError, TraceError, OSError) as error:
            log.warning("%s is left out: %s", path, error)
    return lessons


def read_lesson(path: Path) -> Lesson:
    """One lesson, checked; ClaimError, TraceError (both ValueErrors) or OSError saying what is wrong and where."""
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ClaimError(f"{path.name} is not valid JSON: {error}") from None
    where = path.name
    data = mapping(data, where, {"title", "summary", "steps"})
    title = text(data.get("title"), f"{where}: title", TITLE)
    summary = text(data.get("summary"), f"{where}: summary", SUMMARY)
    traces: dict[str, Trace] = {}
    steps = []
    for number, step in enumerate(rows(data.get("steps"), f"{where}: steps", 2, MOST_STEPS), start=1):
        steps.append(_step(step, f"{where}: step {number}", path.parent / "traces", traces))
    return Lesson(title, summary, tuple(steps), traces)


def _step(data: Any, where: str, folder: Path, traces: dict[str, Trace]) -> LessonStep:
    data = mapping(data, where, {"heading", "text", "trace", "pass", "points", "claims", "facts", "question"})
    paragraphs = rows(data.get("text"), f"{where}: text", 1, MOST_PARAGRAPHS)
    name = text(data.get("trace"), f"{where}: trace", 80)
    if name not in traces:
        traces[name] = _trace(name, where, folder)
    trace = traces[name]
    number = natural(data.get("pass"), f"{where}: pass")
    if number > trace.forward_passes:
        raise ClaimError(f"{where}: there is no pass {number} among {trace.forward_passes}")
    points, facts = (
        read_points(data.get("points"), trace, number, where),
        read_facts(data.get("facts"), f"{where}: facts"),
    )
    check_facts(facts, trace, number, where)
    return LessonStep(
        heading=text(data.get("heading"), f"{where}: heading", HEADING),
        text=tuple(text(words, f"{where}: text", PARAGRAPH) for words in paragraphs),
        trace=name,
        number=number,
        points=points,
        claims=check_claims(data.get("claims"), trace, where, lambda name: _trace(name, where, folder)),
        facts=facts,
        question=None
        if data.get("question") is None
        else _question(data["question"], trace, number, f"{where}: question"),
    )


def _trace(name: Any, where: str, folder: Path) -> Trace:
    return read_trace(name, where, (folder, EXAMPLES))[0]


def _question(data: Any, trace: Trace, number: int, where: str) -> Question:
    data = mapping(data, where, {"ask", "find"})
    ask, find = text(data.get("ask"), f"{where}: ask", PARAGRAPH), data.get("find")
    if find not in (TAKEN_BACK, DRAFTED):
        raise ClaimError(f'{where}: "find" must be "{TAKEN_BACK}" or "{DRAFTED}"')
    if number >= trace.forward_passes:
        raise ClaimError(f"{where}: there is no pass after pass {number} to ask about")
    step = trace.steps[number]
    hidden = folded(trace, number)
    found = (token.position for token in (step.remasked if find == TAKEN_BACK else step.drafted))
    answer = tuple(position for position in found if position not in hidden)
    if not answer:
        raise ClaimError(f"{where}: pass {number + 1} has no token in sight that is {find}")
    start = step.block * trace.block_length
    canvas = standing(trace, number)
    positions: Sequence[int] = range(start, start + trace.block_length)
    choices = tuple(p for p in positions if (canvas[p] == trace.mask_id) == (find == DRAFTED) and p not in hidden)
    return Question(ask, find, choices, answer)
