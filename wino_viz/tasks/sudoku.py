"""4x4 sudoku: every row, column and 2x2 square holds 1 to 4. Puzzles, their solutions, and the checker.

    python -m wino_viz.tasks.sudoku --split test --count 500 --seed 0 [--out FILE.jsonl]

A grid is a text of 16 characters, row by row, 0 for an empty cell; with a tokenizer that keeps digits apart, every cell
is one token, at the same place in every question and every answer.

A puzzle is one of the 288 grids without 4 to 12 of its cells, as many as chance says; no more is asked of it, so it may
have several completions, as 124 of the 500 puzzles (8 empty cells each) in the WINO paper's test file do. The solution is
the grid that the puzzle was cut from. Each completion is then equally likely, and what a model learns is right: it is
sure of the cells that follow from the givens, and as sure of a value of an open cell as the share of completions says.
Train, validation and test are told apart by a hash of the puzzle.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any

from wino_viz.tasks.dataset import SPLITS, check_split, data_parser, distinct, split_of_key, write_records
from wino_viz.untrusted import described

__all__ = [
    "SPLITS",
    "Example",
    "Verdict",
    "check",
    "clashes",
    "completions",
    "generate",
    "main",
    "puzzle_and_solution",
    "question",
    "read_grid",
    "record",
    "split_of",
]

SIDE, CELLS = 4, 16
MIN_EMPTY, MAX_EMPTY = 4, 12
MAX_COUNT = 10_000  # of a file
MAX_TOLD = 3  # faults named in a sentence

_PUZZLE, _GRID = re.compile(r"[0-4]{16}"), re.compile(r"[1-4]{16}")
_RUN = re.compile(r"[0-9](?:[\s,|]*[0-9])*")
_BLANKS = re.compile(r"[\s,|]+")

ROWS = tuple(tuple(range(SIDE * row, SIDE * row + SIDE)) for row in range(SIDE))
COLUMNS = tuple(tuple(range(column, CELLS, SIDE)) for column in range(SIDE))
SQUARES = tuple(tuple(corner + step for step in (0, 1, 4, 5)) for corner in (0, 2, 8, 10))
UNITS = {
    **{f"row {number}": cells for number, cells in enumerate(ROWS, start=1)},
    **{f"column {number}": cells for number, cells in enumerate(COLUMNS, start=1)},
    **dict(zip(("top left", "top right", "bottom left", "bottom right"), SQUARES, strict=True)),
}


@dataclass(frozen=True)
class Example:
    """A puzzle of 16 characters from 0 to 4, and the grid that it was cut from."""

    puzzle: str
    solution: str

    @property
    def question(self) -> str:
        return question(record(self))

    @property
    def worked(self) -> str:
        """The answer that a model learns: the solution and nothing else."""
        return self.solution


@dataclass(frozen=True)
class Verdict:
    """What a text is worth as the answer to a record.

    correct: a valid grid that keeps the givens, whichever. grid: the 16 cells read, None where there are none.
    cells: of the record's empty cells, how many are as in its solution, and how many there are; None without a solution.
    faithful: every given is kept. foreign: the givens that are not. text: one or a few sentences for people.
    """

    correct: bool
    grid: str | None
    cells: tuple[int, int] | None
    faithful: bool
    foreign: tuple[str, ...]
    text: str


@cache
def _grids() -> tuple[str, ...]:
    """All 288 solved grids, in order."""
    grids = [""]
    for cell in range(CELLS):
        seen = [[other for other in cells if other < cell] for cells in UNITS.values() if cell in cells]
        grids = [
            g + value for g in grids for value in "1234" if all(g[other] != value for row in seen for other in row)
        ]
    return tuple(grids)


def _faults(grid: Sequence[str]) -> list[str]:
    """What stands twice or more, such as "3 twice in row 2", and what is no 1 to 4."""
    faults = [f"{value} is not 1 to 4" for value in sorted(set(grid) - set("1234"))]
    for name, cells in UNITS.items():
        where = name if " " in name and name[-1].isdigit() else f"the {name} square"
        for value, times in sorted(Counter(grid[cell] for cell in cells).items()):
            if times > 1:
                faults.append(f"{value} {'twice' if times == 2 else f'{times} times'} in {where}")
    return faults


def clashes(puzzle: str) -> list[str]:
    """Which givens contradict each other, such as "3 twice in row 2"."""
    return [fault for fault in _faults(puzzle) if not fault.startswith("0")]


def completions(puzzle: str) -> list[str]:
    """Every valid grid that keeps the givens, in order. ValueError for what is no puzzle of 16 characters from 0 to 4."""
    if not isinstance(puzzle, str) or not _PUZZLE.fullmatch(puzzle):
        raise ValueError(
            f'"puzzle" must be text of 16 digits from 0 to 4, 0 for an empty cell, not {described(puzzle)}'
        )
    givens = [(cell, value) for cell, value in enumerate(puzzle) if value != "0"]
    return [grid for grid in _grids() if all(grid[cell] == value for cell, value in givens)]


# Problems


def split_of(puzzle: str) -> str:
    """The split of a puzzle: train 98 %, validation 1 %, test 1 %."""
    return split_of_key(f"sudoku {puzzle}")


def generate(rng: Random, split: str = "train", empty: int | None = None) -> Example:
    """A random example of a split with 4 to 12 empty cells (None: any); the same rng state gives the same example.

    ValueError for what is no split, and another number of cells.
    """
    check_split(split)
    if empty is not None and (type(empty) is not int or not MIN_EMPTY <= empty <= MAX_EMPTY):
        raise ValueError(f"empty {empty!r} is not a whole number from {MIN_EMPTY} to {MAX_EMPTY}")
    cells_empty = MIN_EMPTY + int(rng.random() * (MAX_EMPTY - MIN_EMPTY + 1)) if empty is None else empty
    while True:
        solution = _grids()[int(rng.random() * len(_grids()))]
        puzzle = list(solution)
        for cell in rng.sample(range(CELLS), cells_empty):
            puzzle[cell] = "0"
        if split_of("".join(puzzle)) == split:
            return Example("".join(puzzle), solution)


def puzzle_and_solution(record: Mapping[str, Any]) -> tuple[str, str | None]:
    """The puzzle of a record, and its solution where it has one. ValueError saying what is wrong with them."""
    if not isinstance(record, Mapping):
        raise ValueError("a sudoku record must be an object")
    puzzle, solution = record.get("puzzle"), record.get("solution")
    possible = completions(puzzle)
    if "0" not in puzzle:
        raise ValueError(f'"puzzle" {puzzle} has no empty cell (0)')
    if not possible:
        raise ValueError(f'"puzzle" {puzzle} can\'t be solved: no valid grid keeps its givens')
    if solution is not None and (not isinstance(solution, str) or not _GRID.fullmatch(solution)):
        raise ValueError(f'"solution" must be text of 16 digits from 1 to 4, not {described(solution)}')
    if solution is not None and solution not in possible:
        raise ValueError(f'"solution" {solution} is no valid grid that keeps the givens of {puzzle}')
    return puzzle, solution


def question(record: Mapping[str, Any]) -> str:
    """What a record asks, in the one wording that the models learn. ValueError as `puzzle_and_solution`."""
    return f"Fill in the zeros of this 4x4 sudoku: {puzzle_and_solution(record)[0]}"


def record(example: Example) -> dict[str, Any]:
    """The example as a problem record, ready for a line of JSON."""
    return {"task": "sudoku", "puzzle": example.puzzle, "solution": example.solution}


# The checker


def read_grid(text: str) -> str | None:
    """The last 16 digits of the last 16 or more that stand together: blanks, line breaks, commas and | don't part them.

    None when there are no such 16, and when it is not clear which are meant: 17 digits, say, or 32 without a blank. A
    puzzle and then its solution are 32 digits, with something in between.
    """
    for run in reversed(_RUN.findall(text)):
        pieces = _BLANKS.split(run)
        digits = "".join(pieces)
        if len(digits) >= CELLS:
            ends = accumulate(map(len, reversed(pieces)))
            return digits[-CELLS:] if len(digits) % CELLS == 0 and CELLS in ends else None
    return None


def check(record: Mapping[str, Any], text: str) -> Verdict:
    """Judge a text as the answer to a record with a puzzle and, if known, a solution.

    Any text can be judged, in linear time. ValueError as `puzzle_and_solution`.
    """
    puzzle, solution = puzzle_and_solution(record)
    grid = read_grid(text)
    empty = [cell for cell in range(CELLS) if puzzle[cell] == "0"]
    cells = None
    if solution is not None:
        cells = (sum(grid is not None and grid[cell] == solution[cell] for cell in empty), len(empty))
    if grid is None:
        return Verdict(False, None, cells, True, (), "Wrong: it holds no grid of 16 cells.")
    foreign = tuple(
        f"{grid[cell]} in row {cell // SIDE + 1}, column {cell % SIDE + 1} (given: {puzzle[cell]})"
        for cell in range(CELLS)
        if puzzle[cell] not in ("0", grid[cell])
    )
    faults = _faults(grid)
    correct = not foreign and not faults
    if correct:
        words = "Right: a valid grid that keeps the givens"
        words += "; the puzzle has more than one solution." if solution not in (None, grid) else "."
    else:
        words = f"Wrong: {'; '.join(_some(faults) if faults else ['it changes what is given'])}."
        if foreign:
            words += f" Not as given: {'; '.join(_some(foreign))}."
    if cells and grid != solution:
        words += f" {cells[0]} of {cells[1]} empty cells are as in the solution{' noted with it' if correct else ''}."
    return Verdict(correct, grid, cells, not foreign, foreign, words)


def _some(texts: Sequence[str]) -> list[str]:
    more = [f"{len(texts) - MAX_TOLD} more"] if len(texts) > MAX_TOLD else []
    return [*texts[:MAX_TOLD], *more]


def records(split: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` different problems of a split as records, the same for the same seed."""
    rng = Random(seed)
    return map(record, distinct(lambda: generate(rng, split), lambda made: made.puzzle, count))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write records as JSON lines. Returns 0; bad arguments exit with 2 and one line."""
    parser = data_parser("sudoku", "Write 4x4 sudoku puzzles as JSON lines.", MAX_COUNT)
    options = parser.parse_args(arguments)
    return write_records(parser, options.out, records(options.split, options.count, options.seed))


if __name__ == "__main__":
    sys.exit(main())
