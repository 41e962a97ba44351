"""Prefix reuse: a pass computes the current block and its shadow only. **Approximate**: it may choose other tokens.

In a bidirectional model every token's keys and values depend on every other token, so a pass computes the whole
sequence. Here the first pass of a block does; the later ones keep, from it, the keys and values of everything outside
the block: the prompt, the finished blocks, and the masks of later ones. They change little while the block is being
filled, but they do change. (The dual cache of arXiv 2505.22618.) `python -m wino_viz bench --check` measures how
often tokens differ.

Decoders know nothing of it. Which tokens belong to the block is seen from what they ask: the shadow's positions are
the block's, and without a shadow the first pass asks about the whole block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Forward
from wino_viz.models.layers import Memory
from wino_viz.models.layout import Layout, Mask, Shape, arrange

SLOTS = 4  # sequences whose keys and values are kept: those that are decoded in turns


@dataclass(eq=False)
class Slot:
    """What is kept of one sequence: its ids without the shadow, the window [start, stop) that is computed anew, the memory."""

    number: int
    ids: np.ndarray
    start: int
    stop: int
    memory: Memory

    def is_of(self, ids: np.ndarray, room: int) -> bool:
        """Whether `ids` are of the same sequence, as far as can be seen: nothing outside the window has changed."""
        return (
            len(ids) == len(self.ids)
            and room == len(self.memory)
            and np.array_equal(ids[: self.start], self.ids[: self.start])
            and np.array_equal(ids[self.stop :], self.ids[self.stop :])
        )


class Prefixes:
    """Lays out one Forward at a time, as a whole pass that fills a slot or as a window that uses one.

    new_memory(T): an empty Memory; forget(slot number): whatever else was made for a slot is of no use any more.
    """

    def __init__(self, mask_id: int, new_memory: Callable[[int], Memory], forget: Callable[[int], None]) -> None:
        self._mask_id, self._new_memory, self._forget = mask_id, new_memory, forget
        self._slots: list[Slot] = []  # the longest unused first
        self._numbers = count()

    def memory(self, number: int) -> Memory:
        return next(slot.memory for slot in self._slots if slot.number == number)

    def layout(self, forward: Forward, mask: Mask | None, rows_of: int) -> Layout:
        """The pass to make for a Forward; the slot it uses is in its shape."""
        places = np.arange(len(forward.ids))
        positions = places if forward.position_ids is None else forward.position_ids
        moved = np.flatnonzero(positions != places)
        length = int(moved[0]) if len(moved) else len(places)
        block = positions[length:] if length < len(places) else forward.rows
        start, stop = int(block.min()), int(block.max()) + 1
        ids = forward.ids[:length]
        slot = next((s for s in self._slots if s.is_of(ids, len(places))), None)
        is_first = bool((ids[start:stop] == self._mask_id).all())  # of its block: everything is computed
        anew = slot is None or is_first or not (slot.start <= start and stop <= slot.stop)
        slot = slot or self._free_slot(len(places))
        slot.ids = ids.copy()
        self._slots.append(self._slots.pop(self._slots.index(slot)))
        if not anew:
            return self._window(forward, positions, mask, slot, length, rows_of)
        slot.start, slot.stop = start, stop
        if (forward.rows < length).all():
            forward, mask = without_shadow(forward, length), None
        made = arrange([forward], [mask], self._mask_id, rows_of, 1)
        return made._replace(shape=made.shape._replace(slot=slot.number))

    def _free_slot(self, room: int) -> Slot:
        """A new one; where there are as many as there may be, the longest unused, with its memory if that is as long."""
        if len(self._slots) >= SLOTS:
            fitting = next((slot for slot in self._slots if len(slot.memory) == room), None)
            if fitting is not None:
                return fitting
            self._forget(self._slots.pop(0).number)
        slot = Slot(next(self._numbers), np.empty(0, dtype=np.int64), 0, 0, self._new_memory(room))
        self._slots.append(slot)
        return slot

    def _window(
        self, forward: Forward, positions: np.ndarray, mask: Mask | None, slot: Slot, length: int, rows_of: int
    ) -> Layout:
        window = np.arange(slot.start, slot.stop)
        judges = bool((forward.rows >= length).any())
        where = np.concatenate((window, np.arange(length, len(forward.ids)))) if judges else window
        most = len(forward.rows) + -len(forward.rows) % rows_of
        rows, given = np.full(most, len(where) - 1), np.full(most, NO_TOKEN)
        rows[: len(forward.rows)] = np.searchsorted(where, forward.rows)
        given[: len(forward.rows)] = forward.given
        total = len(forward.ids)
        shape = Shape(1, len(where), total, most, len(window), length, judges, windowed=True, slot=slot.number)
        numbers = np.concatenate((forward.ids[where], positions[where], rows, given, where))
        return Layout(shape, numbers, [mask if judges else None], [0])


def without_shadow(forward: Forward, length: int) -> Forward:
    """The same question about the first `length` positions alone, which see nothing else."""
    positions = None if forward.position_ids is None else forward.position_ids[:length]
    return Forward(
        forward.ids[:length], forward.rows, forward.given, positions, None, forward.temperature, forward.seed
    )
