"""Countdown: reach a target with three numbers, each used once, and + - * /. Problems and their worked answers.

    python -m wino_viz.tasks.countdown --split test --count 500 --seed 0 [--out FILE.jsonl]

A worked answer is two equations, one below the other, here for 23 from 30, 100 and 93:

     30+ 93=123
    123-100= 23

Many targets can be reached in several ways. A model that is to write tokens side by side learns one way best, so there
is one rule:

- The ways are tried in the order of `WAYS`: additions and subtractions first, then one multiplication or division, then
  two. The first that works is the answer.
- Without multiplication and division the first equation is a sum: 100-30-47=23 becomes 30+47=77, 100-77=23. So there
  are seven ways of this kind, told apart by the number left out, and whether the result stands before it, after it, or
  is added to it.
- Numbers that may change places stand as in the question; the result of the first equation opens the second where it may.

Numbers are written digit by digit, as everywhere in this project, and blanks fill them up to three places, as in a
column: every number and sign has a place of its own. Without the blanks the place of a token depends on the lengths of
all numbers before it, and a model that writes side by side has to know those before it can write anything else.

Problems have numbers and targets from 1 to 100. The WINO paper's test file (256 problems, countdown_cd3_test.jsonl) has
the same ranges, and about 14 of 100 problems there need a multiplication or division (12 of the first 86). Here it is 32
of 100, because the rare cases are the hard ones; small and repeated numbers are drawn more often for the same reason, and
every problem that has an answer can be drawn. Train, validation and test are told apart by a hash of the sorted numbers
and the target.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from wino_viz.tasks.countdown_check import MAX_TARGET, Verdict, check, numbers_and_target
from wino_viz.tasks.dataset import SPLITS, check_split, data_parser, distinct, split_of_key, write_records

__all__ = [
    "MAX_TARGET",
    "SPLITS",
    "Example",
    "Verdict",
    "check",
    "generate",
    "key",
    "main",
    "numbers_and_target",
    "question",
    "record",
    "solutions",
    "split_of",
    "work",
]

HIGH = 100  # of numbers and targets in problems made here
PLACES = 3  # of a number as it is written; longer ones (85*60=5100) take what they need
SMALL, SMALL_SHARE, REPEATED_SHARE = 12, 0.15, 0.05  # small numbers are what products and quotients come from
MAX_COUNT = 3000  # of a file: there are some 6,600 test problems

# First operator, second operator, whether the first result is the second equation's right-hand number. Every target
# that any expression reaches, with fractions or negative numbers on the way, is reached by one of these without.
WAYS = (
    *(("+", "+", False), ("+", "-", False), ("+", "-", True)),
    *(("*", "+", False), ("*", "-", False), ("*", "-", True)),
    *(("/", "+", False), ("/", "-", False), ("/", "-", True)),
    *(("+", "*", False), ("-", "*", False)),
    *(("+", "/", False), ("-", "/", False), ("+", "/", True), ("-", "/", True)),
    *(("*", "*", False), ("*", "/", False), ("/", "/", False)),
)


@dataclass(frozen=True)
class Example:
    """A problem that has an answer: three numbers and a target. ValueError from `worked` where it has none."""

    numbers: tuple[int, int, int]
    target: int

    @property
    def question(self) -> str:
        return question(record(self))

    @cached_property
    def worked(self) -> str:
        """Two equations, one a line, in columns; the last ends in the target."""
        found = work(self.numbers, self.target)
        if found is None:
            raise ValueError(f"{self.target} can't be reached with {', '.join(map(str, self.numbers))}")
        return found


# Solving


def _result(left: int, operator: str, right: int) -> int:
    """The result where it is a whole number above 0, else 0."""
    if operator == "+":
        return left + right
    if operator == "-":
        return max(0, left - right)
    if operator == "*":
        return left * right
    return left // right if left % right == 0 else 0


def solutions(numbers: Sequence[int]) -> Iterator[tuple[int, tuple[str, int, str, int, int, str, int]]]:
    """Every (target, steps) with whole numbers above 0 on the way, in the order of preference; targets repeat.

    steps: left, operator, right, then left, operator, right of both equations with the results between and at the end
    (`work` writes them out). `numbers` are three whole numbers above 0.
    """
    firsts: dict[str, list[tuple[int, int, int, int]]] = {operator: [] for operator in "+-*/"}
    for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        a, b, c = numbers[i], numbers[j], numbers[k]
        high, low = max(a, b), min(a, b)
        for operator, (left, right) in {"+": (a, b), "-": (high, low), "*": (a, b), "/": (high, low)}.items():
            if result := _result(left, operator, right):
                firsts[operator].append((left, right, result, c))
    for first, second, flipped in WAYS:
        for left, right, result, other in firsts[first]:
            x, y = (other, result) if flipped else (result, other)
            if target := _result(x, second, y):
                yield target, (left, first, right, result, x, second, y)


def _write(steps: tuple, target: int) -> str:
    left, first, right, result, x, second, y = steps
    equations = (left, first, right, result), (x, second, y, target)
    return "\n".join(f"{a:>{PLACES}}{sign}{b:>{PLACES}}={c:>{PLACES}}" for a, sign, b, c in equations)


def work(numbers: Sequence[int], target: int) -> str | None:
    """The worked answer to three numbers and a target, all above 0; None when the target can't be reached."""
    return next((_write(steps, target) for reached, steps in solutions(numbers) if reached == target), None)


# Problems


def key(numbers: Sequence[int], target: int) -> str:
    """What makes two problems the same: the numbers in any order, and the target."""
    return f"countdown {','.join(map(str, sorted(numbers)))} {target}"


def split_of(numbers: Sequence[int], target: int) -> str:
    """The split of a problem: train 98 %, validation 1 %, test 1 %."""
    return split_of_key(key(numbers, target))


def _draw_numbers(rng: Random) -> list[int]:
    numbers = [1 + int(rng.random() * (SMALL if rng.random() < SMALL_SHARE else HIGH)) for _ in range(3)]
    if rng.random() < REPEATED_SHARE:
        one, other = rng.sample(range(3), 2)
        numbers[one] = numbers[other]
    return numbers


def generate(rng: Random, split: str = "train", hard: bool = False) -> Example:
    """A random example of a split; the same rng state gives the same example. ValueError for what is no split.

    All targets from 1 to 100 that the numbers reach are equally likely; with `hard`, all that take a multiplication or
    division.
    """
    check_split(split)
    while True:
        numbers = _draw_numbers(rng)
        first_ways: dict[int, tuple] = {}
        for target, steps in solutions(numbers):
            if target <= HIGH:
                first_ways.setdefault(target, steps)
        targets = [t for t, steps in first_ways.items() if not hard or steps[1] in "*/" or steps[5] in "*/"]
        if targets:
            target = targets[int(rng.random() * len(targets))]
            if split_of(numbers, target) == split:
                return Example(tuple(numbers), target)


def question(record: Mapping[str, Any]) -> str:
    """What a record asks, in the one wording that the models learn. ValueError as `numbers_and_target`."""
    (a, b, c), target = numbers_and_target(record)
    return f"Make {target} from {a}, {b} and {c}. Use each number once, with + - * /."


def record(example: Example) -> dict[str, Any]:
    """The example as a problem record, ready for a line of JSON."""
    return {"task": "countdown", "numbers": list(example.numbers), "target": example.target}


def records(split: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` different problems of a split as records, the same for the same seed."""
    rng = Random(seed)
    return map(record, distinct(lambda: generate(rng, split), lambda made: key(made.numbers, made.target), count))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write records as JSON lines. Returns 0; bad arguments exit with 2 and one line."""
    parser = data_parser("countdown", "Write countdown problems as JSON lines.", MAX_COUNT)
    options = parser.parse_args(arguments)
    return write_records(parser, options.out, records(options.split, options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
