"""Where each token of a block stands in its lines, for every pass at once.

A block has one division into lines for the whole decoding: a line is broken where every pass's tokens fit. So a word that is
drafted, taken back or replaced may push its neighbours in the line, but never moves a word to another line, and a block has
one height. A mask is as wide as the text that will stand there, as in the player. Units are px.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wino_viz.drawing.fonts import Letters
from wino_viz.drawing.replay import BREAK, MASKED, REMASKED, Frame, Piece, block_range, end_tail, piece
from wino_viz.trace import Trace

UNKNOWN = Piece(" ", "nn")  # the room of a mask whose token is not known
BLANK = "␣"  # how a blank is written where it is struck through
END_HOLE = 0.62  # of the size of letters: the width of a mask that will be end of text


@dataclass(frozen=True)
class Item:
    """One token in a frame. `left` and `width` are those of its box; `hole` is the width of the mask in it (0: none).

    `core` is what is written: the token's text, for a re-masked one what was taken back, "" for a mask.
    """

    position: int
    line: int
    left: int
    width: int
    state: str
    core: str
    kind: str
    hole: int


@dataclass(frozen=True)
class Fold:
    """The chip that stands for a tail of end of text: its words, each with the state whose look it has ("" for none)."""

    line: int
    left: int
    words: tuple[tuple[str, str], ...]


class BlockFlow:
    """The lines of one block: `lines` of them in all, and `place` for the items of one frame."""

    def __init__(
        self, trace: Trace, frames: Sequence[Frame], block: int, width: int, letters: Letters, small: Letters
    ) -> None:
        self._trace, self._letters, self._small, self._width = trace, letters, small, width
        self._positions = block_range(trace, block)
        self._block = block
        self._final = frames[-1].ids
        self._pieces: dict[int, Piece] = {}
        self._sizes: dict[tuple, tuple[int, int, int]] = {}
        leads, ends = self._measure_all(frames)
        self._starts, self._indents = self._break_lines(leads, ends)
        self.lines = len(self._starts)
        for row, frame in enumerate(frames):  # a chip that fits nowhere gets a line of its own
            tail = end_tail(trace, frame, block)
            if tail is not None:
                line, left = self._end_of_line(leads[row], ends[row], tail - self._positions.start)
                self.lines = max(self.lines, self._fold(frame, tail, line, left).line + 1)

    def place(self, frame: Frame) -> tuple[list[Item], Fold | None]:
        """The items of a frame, line by line, and the chip of the folded tail where there is one."""
        items: list[Item] = []
        tail = end_tail(self._trace, frame, self._block)
        stop = self._positions.stop if tail is None else tail
        line, left = 0, 0
        for position in range(self._positions.start, stop):
            starts = position in self._indents
            if starts:
                line, left = bisect_right(self._starts, position) - 1, self._indents[position]
            lead, width, hole = self._size(frame, position)
            left += 0 if starts else lead
            shown = self._shown(frame, position)
            items.append(Item(position, line, left, width, frame.states[position], shown.core, shown.kind, hole))
            left += width
        if tail is None:
            return items, None
        return items, self._fold(frame, tail, line, left)

    def _fold(self, frame: Frame, tail: int, line: int, left: int) -> Fold:
        words = fold_words(self._trace, frame, range(tail, self._positions.stop))
        gap = round(self._letters.size * 0.5)
        width = fold_width(self._small, words)
        left = left + gap if left else 0
        if left and left + width > self._width:
            line, left = line + 1, 0
        return Fold(line, left, words)

    def _measure_all(self, frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
        """(frames, tokens) widths of the leads, and (frames, tokens + 1) where each token would end in one endless line.

        Only what changed from the frame before is measured. Tokens of a folded tail take no room.
        """
        first, count = self._positions.start, len(self._positions)
        leads, widths = np.zeros((len(frames), count), np.int32), np.zeros((len(frames), count), np.int32)
        changed: set[int] = set(self._positions)
        row_leads, row_widths = np.zeros(count, np.int32), np.zeros(count, np.int32)
        for row, frame in enumerate(frames):
            if frame.step is not None:
                changed |= {token.position for token in (*frame.step.drafted, *frame.step.remasked)}
            for position in changed:
                if position in self._positions:
                    row_leads[position - first], row_widths[position - first], _ = self._size(frame, position)
            changed = set(frame.revoked)  # a mask in the next frame
            tail = end_tail(self._trace, frame, self._block)
            shown = count if tail is None else tail - first
            leads[row, :shown], widths[row, :shown] = row_leads[:shown], row_widths[:shown]
        ends = np.zeros((len(frames), count + 1), np.int32)
        np.cumsum(leads + widths, axis=1, out=ends[:, 1:])
        return leads, ends

    def _end_of_line(self, leads: np.ndarray, ends: np.ndarray, stop: int) -> tuple[int, int]:
        """The line of the last token before `stop` in one frame, and where that token ends."""
        if stop == 0:
            return 0, 0
        position = self._positions.start + stop - 1
        line = bisect_right(self._starts, position) - 1
        start = self._starts[line] - self._positions.start
        return line, int(ends[stop] - ends[start] - leads[start]) + self._indents[self._starts[line]]

    def _break_lines(self, leads: np.ndarray, ends: np.ndarray) -> tuple[list[int], dict[int, int]]:
        """The first position of each line, and how far each line is indented."""
        first, count = self._positions.start, len(self._positions)
        starts, indents = [first], {first: 0}
        at = 0  # where the line begins
        chance = None  # the last place in the line where it may be broken
        indent = 0

        def begin(new: int, room: int) -> None:
            nonlocal at, chance, indent
            at, chance, indent = new, None, room
            starts.append(first + new)
            indents[first + new] = room

        for p in range(count):
            if p > at and self._may_break(first + p):
                chance = p
            too_long = int((ends[:, p + 1] - ends[:, at] - leads[:, at]).max()) + indent > self._width
            if too_long and p > at:
                begin(chance if chance is not None else p, 0)
                if at < p and int((ends[:, p + 1] - ends[:, at] - leads[:, at]).max()) > self._width:
                    begin(p, 0)
            shown = self._piece(self._final[first + p])
            if shown.breaks and p + 1 < count:  # spaces at the start of such a line are meant
                spaces = len(shown.indent) + len(self._piece(self._final[first + p + 1]).lead)
                begin(p + 1, min(self._letters.width(" ") * spaces, self._width // 2))
        return starts, indents

    def _may_break(self, position: int) -> bool:
        here, before = self._piece(self._final[position]), self._piece(self._final[position - 1])
        return bool(here.lead) or before.core[-1:].isspace() or here.kind == "space" or _wide(here) or _wide(before)

    def _size(self, frame: Frame, position: int) -> tuple[int, int, int]:
        """Width of the lead, of the box, and of the mask in it."""
        state = frame.states[position]
        final = self._final[position]
        key = (state == MASKED, state == REMASKED, frame.ids[position], frame.revoked.get(position), final)
        known = self._sizes.get(key)
        if known is None:
            known = self._sizes[key] = self._measure(frame, position)
        return known

    def _measure(self, frame: Frame, position: int) -> tuple[int, int, int]:
        state, letters = frame.states[position], self._letters
        room = self._piece(self._final[position])
        space = letters.width(" ")
        if state == MASKED:
            hole = self._hole(room)
            return space * len(room.lead[:8]), hole, hole
        shown = self._shown(frame, position)
        core = core_width(shown.core, self._letters_of(shown.kind), self._small)
        if state != REMASKED:
            return space * len(shown.lead[:8]), core, 0
        hole = min(self._hole(room), letters.size * 2)
        lead = room.lead or shown.lead
        return space * len(lead[:8]), core + hole + round(letters.size * 0.75), hole

    def _letters_of(self, kind: str) -> Letters:
        return self._small if kind in ("end", "special") else self._letters

    def _hole(self, room: Piece) -> int:
        if room.kind == "end":
            return round(self._letters.size * END_HOLE)
        return max(core_width(room.core, self._letters, self._small), round(self._letters.size * 0.35))

    def _shown(self, frame: Frame, position: int) -> Piece:
        """What is written at a position; nothing for a mask."""
        if frame.states[position] == MASKED:
            return Piece("", "")
        shown = self._piece(frame.revoked.get(position, frame.ids[position]))
        if frame.states[position] == REMASKED and shown.kind == "space":  # struck through, a blank reads as a minus
            return replace(shown, core=shown.core.replace(" ", BLANK))
        return shown

    def _piece(self, token: int | None) -> Piece:
        """The text of a token, cut so that it fits into a line with a mask beside it."""
        if token is None:
            return UNKNOWN
        known = self._pieces.get(token)
        if known is None:
            full = piece(self._trace, token)
            core = self._letters_of(full.kind).fit(full.core, self._width - 4 * self._letters.size)
            known = self._pieces[token] = Piece(full.lead, core, full.kind, full.breaks, full.indent)
        return known


def core_width(core: str, letters: Letters, small: Letters) -> int:
    """Px of a token's text; its ↵ are written small."""
    return letters.width(core.replace(BREAK, "")) + core.count(BREAK) * small.width(BREAK)


def fold_words(trace: Trace, frame: Frame, tail: range) -> tuple[tuple[str, str], ...]:
    """What the chip of a folded tail says, each part with the state whose look it has."""
    states = [frame.states[position] for position in tail]
    counts = {state: states.count(state) for state in ("drafted", "verified", "remasked", "masked")}
    said = {"drafted": "drafted", "verified": "passed", "remasked": "taken back", "masked": "masked"}
    standing = len(states) - counts["masked"] - counts["remasked"]
    parts = [(f"{counts[state]} {said[state]}", state) for state in counts if counts[state]]
    return ((f"end of text × {standing}", ""), *parts)


def fold_width(small: Letters, words: Sequence[tuple[str, str]]) -> int:
    """Px that a chip takes."""
    return sum(small.width(text) for text, _ in words) + small.size * len(words) + small.size


def _wide(shown: Piece) -> bool:
    """Whether a text is of a script that is written without spaces."""
    return any(
        unicodedata.east_asian_width(character) in "WF" for character in (shown.core[:1], shown.core[-1:]) if character
    )
