"""A decoding in miniature: its text at one pass as bars, and its passes as columns. Drawn by assets/page/cases.js.

minimap(trace, 4, {17, 18})
{"lines": [[["p", 3], ["d", 5, 1], …], …], "passes": [[13, 0], [20, 7], …], "at": 4}
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any

from wino_viz.drawing.replay import REMASKED, end_tail, frames, piece
from wino_viz.trace import Trace

MOST_TOKENS = 256  # of a picture the size of a stamp
MOST_WIDTH = 24  # characters of one token
SIDE = 4  # cells along a sudoku, whose tokens are its cells in reading order
MARKED, BY_HAND, PLANTED = 1, 2, 4  # what the last figure of a bar adds up: a flag, and a frame while the token stands
LETTERS = {"masked": "m", "drafted": "d", "verified": "v", "remasked": "r", "placed": "p"}


def minimap(trace: Trace, number: int, marked: Collection[int] = ()) -> dict[str, Any]:
    """The canvas after pass `number` as lines of [first letter of a state, characters(, what it is marked with)], without
    what is folded away at the end of a block, and [drafted, taken back] of each pass."""
    number = min(number, trace.forward_passes)
    frame = next(islice(frames(trace), number, None))
    final = trace.output_ids
    lines: list[list[list[Any]]] = [[]]
    is_sudoku = trace.extra.get("record", {}).get("task") == "sudoku"
    tails = [end_tail(trace, frame, block) for block in range(trace.blocks)]
    for position in range(min(trace.gen_length, MOST_TOKENS)):
        tail = tails[position // trace.block_length]
        if tail is not None and position >= tail:
            continue
        token = final[position] if frame.ids[position] is None else frame.ids[position]
        if frame.states[position] == REMASKED:
            token = frame.revoked[position]
        if token == trace.mask_id:  # of a trace that was stopped
            lines[-1].append([LETTERS["masked"], 2])
            continue
        shown = piece(trace, token)
        width = min(MOST_WIDTH, max(1, len(shown.core)))
        bar = [LETTERS[frame.states[position]], width]
        if shown.lead and lines[-1]:
            lines[-1].append(["", 1])
        by_hand = {"site": BY_HAND, "planted": BY_HAND | PLANTED}.get(frame.marks.get(position, ""), 0)
        marks = by_hand | (MARKED if position in marked else 0)
        lines[-1].append([*bar, marks] if marks else bar)
        if shown.breaks or (position % SIDE == SIDE - 1 and position < SIDE * SIDE and is_sudoku):
            lines.append([])
    passes = [[len(step.drafted), len(step.remasked)] for step in trace.steps]
    return {"lines": [line for line in lines if line], "passes": passes, "at": number}
