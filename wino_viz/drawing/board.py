"""The board of a 4×4 sudoku in a trace: assets/player/sudoku.js and board.js in Python.

The puzzle is the trace's own record, {"record": {"task": "sudoku", "puzzle": "3102…"}}, row by row, 0 for an empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from wino_viz.drawing.fonts import Letters
from wino_viz.drawing.replay import DRAFTED, MASKED, REMASKED, VERIFIED, Frame, piece
from wino_viz.drawing.shapes import bar, box, disc
from wino_viz.drawing.theme import Theme
from wino_viz.trace import Trace

SIDE = 4
CELLS = SIDE * SIDE
MOST_OTHERS = 2  # tokens among the first 16 that are no digit, in an answer that is taken for a grid
GIVEN = "given"
UNITS = [
    *([row * SIDE + n for n in range(SIDE)] for row in range(SIDE)),
    *([n * SIDE + column for n in range(SIDE)] for column in range(SIDE)),
    *([corner + n for n in (0, 1, 4, 5)] for corner in (0, 2, 8, 10)),
]


@dataclass(frozen=True)
class Cell:
    """One of 16: its look (a state, or "given"), what stands there, and what this pass took back."""

    look: str
    given: str
    value: str
    old: str


def read_puzzle(trace: Trace) -> str | None:
    """The 16 cells of the trace's sudoku; None where it has none, or its record is not what its prompt asks."""
    record = trace.extra.get("record")
    if not isinstance(record, dict) or record.get("task") != "sudoku":
        return None
    puzzle = record.get("puzzle")
    known = isinstance(puzzle, str) and re.fullmatch("[0-4]{16}", puzzle, re.ASCII) and puzzle in trace.prompt
    return puzzle if known else None


def cell_places(trace: Trace, ids: Sequence[int | None]) -> list[tuple[int, int]] | None:
    """(position, which digit of its token) of each cell: the last 16 digits that stand together, else the first 16
    tokens as long as nearly all of them are single digits. None where the answer shows no grid.
    """
    text, digits = "", []
    for position, token in enumerate(ids):
        if token in trace.end_ids:
            continue
        nth = 0
        for character in "?" if token is None else trace.pieces.get(token, "?"):
            if character in "0123456789":
                digits.append((len(text), position, nth))
                nth += 1
            text += character
    for run in reversed(list(re.finditer(r"[0-9](?:[\s,|]*[0-9])*", text))):
        parts = re.split(r"[\s,|]+", run[0])
        length = sum(map(len, parts))
        if length < CELLS:
            continue
        sums = {sum(map(len, parts[at:])) for at in range(len(parts))}
        if length % CELLS or CELLS not in sums:
            return None  # not clear which 16 are meant
        inside = [(position, nth) for at, position, nth in digits if run.start() <= at < run.end()]
        return inside[-CELLS:]
    return _places_in_order(trace, ids)


def _places_in_order(trace: Trace, ids: Sequence[int | None]) -> list[tuple[int, int]] | None:
    placed = [token for token in ids[:CELLS] if token is not None]
    single = sum(bool(re.fullmatch(r"\s*[0-9]\s*", trace.pieces.get(token, ""), re.ASCII)) for token in placed)
    others = len(placed) - single
    if len(ids) < CELLS or others > MOST_OTHERS or (others and others >= single):
        return None
    return [(position, 0) for position in range(CELLS)]


def board_cells(trace: Trace, puzzle: str, frame: Frame, places: Sequence[tuple[int, int]]) -> list[Cell]:
    """The 16 cells after a pass. A given is quiet as long as the answer copies it."""
    cells = []
    for given, (position, nth) in zip(puzzle.replace("0", " "), places, strict=True):
        given = given.strip()
        value = _cell_text(trace, frame.ids[position], nth)
        old = _cell_text(trace, frame.revoked.get(position), nth)
        quiet = given and {value, old} <= {"", given}
        cells.append(Cell(GIVEN if quiet else frame.states[position], given, value, old))
    return cells


def _cell_text(trace: Trace, token: int | None, nth: int) -> str:
    if token is None:
        return ""
    text = "" if token in trace.end_ids else trace.pieces.get(token, "")
    if digits := re.findall("[0-9]", text):
        return digits[nth] if nth < len(digits) else ""
    core = piece(trace, token).core
    return f"{core[:3]}…" if len(core) > 4 else core


def faulty_cells(cells: Sequence[Cell]) -> set[int]:
    """The cells of a full grid that break its rules. A given that is kept is never at fault."""
    faults = {
        at
        for at, cell in enumerate(cells)
        if (cell.given and cell.given != cell.value) or cell.value not in ("1", "2", "3", "4")
    }
    for unit in UNITS:
        for value in "1234":
            same = [at for at in unit if cells[at].value == value]
            if len(same) > 1:
                faults |= {at for at in same if cells[at].given != value}
    return faults


def draw_board(
    cells: Sequence[Cell], faults: set[int], size: int, colours: Theme, digits: Letters, small: Letters
) -> Image.Image:
    """The board as a picture of `size` × `size` px."""
    image = Image.new("RGB", (size, size), colours.paper)
    side = (size - 4) / SIDE
    for at, cell in enumerate(cells):
        row, column = divmod(at, SIDE)
        left, top = 2 + column * side, 2 + row * side
        _draw_cell(image, (left, top, left + side, top + side), cell, at in faults, colours, digits, small)
    for line in range(1, SIDE):
        at, thick = round(2 + line * side), 3 if line == SIDE // 2 else 1
        colour = colours.ink if thick > 1 else colours.mask_edge
        bar(image, (at - thick // 2, 2, at - thick // 2 + thick, size - 2), colour)
        bar(image, (2, at - thick // 2, size - 2, at - thick // 2 + thick), colour)
    box(image, (0, 0, size, size), edge=colours.ink, stroke=2.5, radius=10)
    return image


def _draw_cell(
    image: Image.Image, rect: tuple, cell: Cell, wrong: bool, colours: Theme, digits: Letters, small: Letters
) -> None:
    left, top, right, bottom = rect
    middle, baseline = (left + right) / 2, (top + bottom) / 2 + digits.size * 0.36
    face = (left + 6, top + 6, right - 6, bottom - 6)
    if cell.look == GIVEN:
        bar(image, (left + 1, top + 1, right, bottom), colours.well)
        digits.draw(image, (middle - digits.width(cell.given) / 2, baseline), cell.given, colours.soft)
        return
    colour = colours.back_text if wrong else colours.ink
    if cell.look == MASKED:
        box(image, face, fill=colours.mask, edge=colours.mask_edge, stroke=1, radius=7, dash=(2, 2))
    elif cell.look == DRAFTED:
        box(image, face, fill=colours.draft_fill, edge=colours.draft_edge, stroke=2, radius=7, dash=(6, 4))
    elif cell.look == VERIFIED:
        bar(image, (face[0], face[3] - 4, face[2], face[3]), colours.verified)
    elif cell.look == REMASKED:
        box(image, face, fill=colours.back_fill, edge=colours.back, stroke=2, radius=7)
        width = digits.width(cell.old)
        start = middle - (width + digits.size * 0.75) / 2
        digits.draw(image, (start, baseline), cell.old, colours.back_text)
        strike = baseline - digits.size * 0.34
        bar(image, (start - 2, strike, start + width + 2, strike + 3), colours.back_text)
        hole = (start + width + digits.size * 0.25, baseline - digits.size * 0.78)
        edge = (*hole, hole[0] + digits.size * 0.5, hole[1] + digits.size * 0.9)
        box(image, edge, fill=colours.mask, edge=colours.mask_edge, stroke=1, radius=4, dash=(2, 2))
        return
    letters = digits if len(cell.value) < 2 else small
    text = letters.fit(cell.value, right - left - 12)
    letters.draw(image, (middle - letters.width(text) / 2, baseline), text, colour)
    if cell.given:
        note = f"given {cell.given}"
        small.draw(image, (middle - small.width(note) / 2, bottom - 4), note, colours.soft)
    if wrong:
        radius = small.size * 0.7
        centre = (right - 5 - radius, top + 5 + radius)
        disc(image, (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius), colours.back_text)
        spot = (centre[0] - small.width("✗") / 2, centre[1] + small.size * 0.36)
        small.draw(image, spot, "✗", colours.paper)
