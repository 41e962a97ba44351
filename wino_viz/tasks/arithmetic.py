"""Multi-step word problems with worked answers: generate them, word them, check what a model answered.

    python -m wino_viz.tasks.arithmetic --split test --count 500 --seed 0 [--steps 4] [--out FILE.jsonl]

A problem is a start number and 2 to 6 events; its worked answer has one line per event and ends in `#### 57`.
Every sentence has several wordings (arithmetic_wording.py), so that words drafted in parallel can collide.
Train, validation and test are told apart by a hash of the numbers and events alone: a test problem is never trained
on, whatever its names and words.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from wino_viz.arguments import whole
from wino_viz.tasks.arithmetic_check import Verdict, check, foreign_words, read_answer, wrong_equations
from wino_viz.tasks.arithmetic_wording import FINAL, KINDS, NAMES, START, THINGS, Kind, Thing, Wording
from wino_viz.tasks.dataset import SPLITS, check_split, data_parser, distinct, split_of_key, write_records

__all__ = [
    "SPLITS",
    "Event",
    "Example",
    "Problem",
    "Verdict",
    "check",
    "count_units",
    "foreign_words",
    "generate",
    "main",
    "read_answer",
    "record",
    "sample_problem",
    "skeleton",
    "split_of",
    "word_answer",
    "word_question",
    "wrong_equations",
]

MIN_STEPS, MAX_STEPS = 2, 6
MAX_TOTAL = 999
MAX_ANSWER_UNITS = 116  # an answer of 128 tokens, less end-of-text and a reserve for names of two tokens
MAX_QUESTION_UNITS = 130
MAX_COUNT = 1_000_000

USUAL_TOTAL, LARGE_TOTAL_SHARE = 200, 0.08  # most problems stay below 200; a few may use the whole range
MIN_TOTAL = 2  # "1 cards" would be wrong
MAX_NUMBER, SMALL_NUMBER, SMALL_NUMBER_SHARE = 99, 30, 0.6
MAX_FACTOR, MAX_PARTS, MAX_PACKS, MAX_PACK_SIZE = 5, 9, 9, 20
MAX_OTHERS = 3
STEPS_TABLE = (2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6)
WORDING_TRIES = 8

_KIND = {kind.name: kind for kind in KINDS}


def _table(wordings: Sequence[Wording]) -> tuple[str, ...]:
    """Each text as often as its weight: one random index then takes a text by weight."""
    return tuple(w.text for w in wordings for _ in range(w.weight))


_KIND_TABLE = tuple(kind for kind in KINDS for _ in range(kind.weight))
_START, _FINAL = _table(START), _table(FINAL)
_QUESTION = {kind.name: _table(kind.question) for kind in KINDS}
_WORKED = {kind.name: _table(kind.worked) for kind in KINDS}


def _pick(rng: Random, table: Sequence):
    return table[int(rng.random() * len(table))]  # a third of the time of rng.choice


@dataclass(frozen=True)
class Event:
    """One thing that happens: a kind's name, its numbers (none, one or two), and who else takes part."""

    kind: str
    numbers: tuple[int, ...]
    person: str | None = None


@dataclass(frozen=True)
class Problem:
    """What a question tells, before it is put into words. Totals are 1 to 999, event numbers 2 to 99."""

    thing: Thing
    name: str
    start: int
    events: tuple[Event, ...]

    @cached_property
    def work(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """Per event its equations and the total after it. ValueError when an event can't happen."""
        work, total = [], self.start
        for event in self.events:
            if event.kind not in _KIND:
                raise ValueError(f"event kind {event.kind!r} is not one of {', '.join(_KIND)}")
            equations, total = _solve(_KIND[event.kind], total, event.numbers)
            work.append((equations, total))
        return tuple(work)

    @property
    def totals(self) -> tuple[int, ...]:
        """The running total after each event."""
        return tuple(total for _, total in self.work)

    @property
    def answer(self) -> int:
        """The last total."""
        return self.work[-1][1]


@dataclass(frozen=True)
class Example:
    """A problem in words: the question, and a worked answer that ends in the line `#### answer`."""

    problem: Problem
    question: str
    worked: str

    @property
    def answer(self) -> int:
        return self.problem.answer

    @property
    def steps(self) -> int:
        return len(self.problem.events)


def _solve(kind: Kind, total: int, numbers: tuple[int, ...]) -> tuple[tuple[str, ...], int]:
    """The equations of one event and the total after it. ValueError when inexact or outside 1 to 999."""
    wanted = ("a" in kind.formula) + ("b" in kind.formula)
    if len(numbers) != wanted:
        raise ValueError(f"event {kind.name} takes {wanted} number(s), not {len(numbers)}")
    values = dict(zip("ab", numbers, strict=False))
    values["n"] = total
    equations, result = [], total
    for left_name, operator, right_name in kind.formula.split():
        left = values[left_name]
        right = int(right_name) if right_name.isdigit() else values[right_name]
        if operator == "+":
            result = left + right
        elif operator == "-":
            result = left - right
        elif operator == "*":
            result = left * right
        else:
            result, rest = divmod(left, right)
            if rest:
                raise ValueError(f"event {kind.name}: {left}/{right} is not exact")
        if not 1 <= result <= MAX_TOTAL:
            raise ValueError(f"event {kind.name}: {left}{operator}{right}={result} is outside 1 to {MAX_TOTAL}")
        equations.append(f"{left}{operator}{right}={result}")
        values["x"] = result
    return tuple(equations), result


# Problems


def _number(rng: Random, high: int, low: int = 2) -> int:
    """An event number from low up to high and 99, small ones more often; 0 when there is none."""
    high = min(high, MAX_NUMBER if rng.random() > SMALL_NUMBER_SHARE else SMALL_NUMBER)
    return low + int(rng.random() * (high - low + 1)) if high >= low else 0


def _draw_numbers(rng: Random, formula: str, total: int, limit: int) -> tuple[int, ...] | None:
    """Numbers with which an event of this formula leads from total to 2..limit exactly; None if the draw fails."""
    match formula:
        case "n+a":
            numbers = (_number(rng, limit - total),)
        case "n-a":
            numbers = (_number(rng, total - MIN_TOTAL),)
        case "n*2" | "n+n":
            return () if total * 2 <= limit else None
        case "n*3":
            return () if total * 3 <= limit else None
        case "n*a":
            numbers = (_number(rng, min(MAX_FACTOR, limit // total), low=3),)  # "twice" has a kind of its own
        case "n/2" | "n/3" | "n/4" | "n/3 n-x":
            parts = int(formula[2])
            return () if total % parts == 0 and total >= MIN_TOTAL * parts else None
        case "n/a":
            numbers = (3 + int(rng.random() * (MAX_PARTS - 2)),)
            if total % numbers[0] or total < MIN_TOTAL * numbers[0]:
                return None
        case "a*b n+x" | "a*b n-x":
            packs = _number(rng, MAX_PACKS)
            room = limit - total if formula == "a*b n+x" else total - MIN_TOTAL
            numbers = (packs, _number(rng, min(MAX_PACK_SIZE, room // packs)))
        case "n-a x+b":
            given = _number(rng, total - MIN_TOTAL)
            numbers = (given, _number(rng, limit - total + given))
            if numbers[0] == numbers[1]:
                return None
        case "n+a x/2":
            other = _number(rng, limit - total)
            numbers = (other,)
            if (total + other) % 2 or total + other < 2 * MIN_TOTAL:
                return None
    return numbers if all(numbers) else None


def _sample_skeleton(rng: Random, steps: int) -> tuple[int, tuple[tuple[str, tuple[int, ...]], ...]]:
    """A start number and events (kind, numbers). No kind twice: two birthdays in one story read badly."""
    limit = MAX_TOTAL if rng.random() < LARGE_TOTAL_SHARE else USUAL_TOTAL
    while True:
        start = total = 4 + int(rng.random() * 117)
        before_last = 0  # the total before the last event
        events: list[tuple[str, tuple[int, ...]]] = []
        used: set[str] = set()
        while len(events) < steps:
            kind = _pick(rng, _KIND_TABLE)
            if kind.name in used:
                continue
            numbers = _draw_numbers(rng, kind.formula, total, limit)
            if numbers is None:
                continue
            _, after = _solve(kind, total, numbers)
            if after == before_last:  # an event that undoes the one before (x3, then a third) teaches nothing
                continue
            before_last, total = total, after
            used.add(kind.name)
            events.append((kind.name, numbers))
        if any(_KIND[name].person for name in used):  # every story has someone besides the protagonist
            return start, tuple(events)


def _skeleton_text(start: int, events: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return f"{start} " + " ".join(f"{kind}:{','.join(map(str, numbers))}" for kind, numbers in events)


def skeleton(problem: Problem) -> str:
    """The problem without names, things and words: its start number, kinds of events and numbers."""
    return _skeleton_text(problem.start, [(event.kind, event.numbers) for event in problem.events])


def split_of(problem: Problem) -> str:
    """The split a problem belongs to, by a hash of its skeleton: train 98 %, validation 1 %, test 1 %."""
    return split_of_key(skeleton(problem))


def sample_problem(rng: Random, split: str | None = None, steps: int | None = None) -> Problem:
    """A random problem of a split (None: any) with 2 to 6 steps (None: any). ValueError for other values."""
    if split is not None:
        check_split(split)
    if steps is not None and (type(steps) is not int or not MIN_STEPS <= steps <= MAX_STEPS):
        raise ValueError(f"steps {steps!r} is not a whole number from {MIN_STEPS} to {MAX_STEPS}")
    while True:  # skeletons only: the test split rejects 99 of 100, so the words wait
        start, events = _sample_skeleton(rng, steps or _pick(rng, STEPS_TABLE))
        if split is None or split_of_key(_skeleton_text(start, events)) == split:
            break
    name, *others = rng.sample(NAMES, 2 + int(rng.random() * MAX_OTHERS))
    told = (Event(kind, numbers, _pick(rng, others) if _KIND[kind].person else None) for kind, numbers in events)
    return Problem(_pick(rng, THINGS), name, start, tuple(told))


# Words


def word_question(rng: Random, problem: Problem) -> str:
    """A question for the problem, in one paragraph."""
    people = {"P": problem.name, "T": problem.thing.plural}
    sentences = [_pick(rng, _START).format(n=problem.start, **people)]
    for event in problem.events:
        a, b = (*event.numbers, None, None)[:2]
        sentences.append(_pick(rng, _QUESTION[event.kind]).format(a=a, b=b, O=event.person, **people))
    sentences.append(_pick(rng, _FINAL).format(**people))
    return " ".join(sentences)


def word_answer(rng: Random, problem: Problem) -> str:
    """A worked answer: one line per event, then `#### answer`."""
    people = {"P": problem.name, "T": problem.thing.plural}
    lines = []
    for event, (equations, _) in zip(problem.events, problem.work, strict=True):
        a, b = (*event.numbers, None, None)[:2]
        text = _pick(rng, _WORKED[event.kind])
        lines.append(text.format(a=a, b=b, O=event.person, d=equations[0], e=equations[-1], **people))
    lines.append(f"#### {problem.answer}")
    return "\n".join(lines)


_UNIT = re.compile(r"[^\W\d_]+|\S|\n")


def count_units(text: str) -> int:
    """Words, digits, punctuation marks and newlines of a text: about its tokens when digits stand alone."""
    return len(_UNIT.findall(text))


def generate(rng: Random, split: str = "train", steps: int | None = None) -> Example:
    """A random example of a split with 2 to 6 steps (None: any); the same rng state gives the same example.

    Questions have at most 130 units and answers 116; longer wordings are drawn again. ValueError as sample_problem.
    """
    check_split(split)
    while True:
        problem = sample_problem(rng, split, steps)
        for _ in range(WORDING_TRIES):
            question, worked = word_question(rng, problem), word_answer(rng, problem)
            if count_units(worked) <= MAX_ANSWER_UNITS and count_units(question) <= MAX_QUESTION_UNITS:
                return Example(problem, question, worked)


def record(example: Example) -> dict:
    """The example as a problem record, ready for a line of JSON."""
    return {
        "task": "arithmetic",
        "question": example.question,
        "answer": example.answer,
        "steps": example.steps,
        "worked": example.worked,
    }


def records(split: str, count: int, seed: int, steps: int | None = None) -> Iterator[dict]:
    """`count` different problems of a split as records, the same for the same seed."""
    rng = Random(seed)
    return map(record, distinct(lambda: generate(rng, split, steps), lambda made: skeleton(made.problem), count))


# The command


def main(arguments: Sequence[str] | None = None) -> int:
    """Write records as JSON lines. Returns 0; bad arguments exit with 2 and one line."""
    parser = data_parser("arithmetic", "Write word problems as JSON lines.", MAX_COUNT)
    parser.add_argument("--steps", type=whole(MIN_STEPS, MAX_STEPS), help="2 to 6; default: mixed")
    options = parser.parse_args(arguments)
    return write_records(parser, options.out, records(options.split, options.count, options.seed, options.steps))


if __name__ == "__main__":
    sys.exit(main())
