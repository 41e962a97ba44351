"""Forwards laid out as one batch of numbers: what a pass computes, where its mask has a simple form, and the mask itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from wino_viz.decoding.base import NO_TOKEN, Forward
from wino_viz.models.layers import Batch

MASKS_KEPT = 8  # decodings that take turns keep theirs


class Shape(NamedTuple):
    """All sizes of a Batch (see there), and `slot`: which memory it uses, None for none."""

    count: int  # B
    computed: int  # N
    length: int  # T
    rows: int  # R
    open_rows: int
    seen: int
    has_bias: bool
    windowed: bool = False
    slot: int | None = None

    def batch(self, numbers: torch.Tensor, bias: torch.Tensor | None) -> Batch:
        """The tensors that `numbers` (n,) and `bias` hold."""
        sizes = [self.count * self.computed] * 2 + [self.count * self.rows] * 2 + [self.computed * self.windowed]
        ids, positions, rows, given, where = numbers.split(sizes)
        return Batch(
            ids.view(self.count, -1),
            positions.view(self.count, -1),
            rows.view(self.count, -1),
            given.view(self.count, -1),
            bias,
            self.open_rows,
            self.seen,
            where if self.windowed else None,
        )


class Layout(NamedTuple):
    """A Shape, its numbers in the order in which `Shape.batch` reads them, and the mask where it has one.

    masks: (B,) of Mask or None (sees everything). pads: padding on the left of each sequence.
    """

    shape: Shape
    numbers: np.ndarray
    masks: Sequence[Mask | None]
    pads: Sequence[int]

    @property
    def bias_from(self) -> object | None:
        """The object that the bias depends on alone, None where that is more than one."""
        return self.masks[0] if len(self.masks) == 1 else None

    def bias(self, device: torch.device, dtype: torch.dtype) -> torch.Tensor | None:
        """(B, 1, T, T): 0 where a row sees a column, minus infinity where not. Pads see only each other."""
        if not self.shape.has_bias:
            return None
        if len(self.masks) == 1:
            return self.masks[0].bias(device, dtype)
        length = self.shape.length
        seen = np.zeros((len(self.masks), 1, length, length), dtype=bool)
        for own, mask, pad in zip(seen[:, 0], self.masks, self.pads, strict=True):
            own[:pad, :pad] = True  # a row that sees nothing would be NaN
            own[pad:, pad:] = True if mask is None else mask.attention
        return _as_bias(seen, device, dtype)


class Mask:
    """A decoder's mask (T, T). open_rows: so many rows, from the first, see each other and nothing else; 0 for none."""

    def __init__(self, attention: np.ndarray) -> None:
        self.attention = attention
        first = attention[0]
        rows = len(first) if first.all() else int(first.argmin())
        is_open = attention[:rows, :rows].all() and not attention[:rows, rows:].any()
        self.open_rows = rows if is_open else 0
        self._bias: torch.Tensor | None = None

    def bias(self, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        """(1, 1, T, T), made once."""
        if self._bias is None:
            self._bias = _as_bias(self.attention[None, None], device, dtype)
        return self._bias


class Masks:
    """The Mask of a decoder's mask, the same object while the decoder passes the same one (a whole block)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Mask] = OrderedDict()

    def __call__(self, attention: np.ndarray | None) -> Mask | None:
        if attention is None:
            return None
        found = self._kept.get(id(attention))
        if found is None or found.attention is not attention:
            found = Mask(attention)
            kept = OrderedDict(self._kept)  # replaced as a whole: several threads may decode with one model
            kept[id(attention)] = found
            while len(kept) > MASKS_KEPT:
                kept.popitem(last=False)
            self._kept = kept
        return found


def arrange(
    forwards: Sequence[Forward], masks: Sequence[Mask | None], filler: int, rows_of: int, length_of: int
) -> Layout:
    """Forwards padded on the left to one length, which in a batch is a multiple of length_of; rows to one of rows_of.

    filler: the id of padding. Rows are filled up with the last row, which judges nothing.
    """
    longest = max(len(f.ids) for f in forwards)
    if len(forwards) > 1:
        longest += -longest % length_of
    most = max(len(f.rows) for f in forwards)
    most += -most % rows_of
    count, pads = len(forwards), [longest - len(f.ids) for f in forwards]
    numbers = np.empty(2 * count * (longest + most), dtype=np.int64)  # of all four, in the order of `Shape.batch`
    ids, positions = numbers[: 2 * count * longest].reshape(2, count, longest)
    rows, given = numbers[2 * count * longest :].reshape(2, count, most)
    for n, (forward, pad) in enumerate(zip(forwards, pads, strict=True)):
        ids[n, :pad], ids[n, pad:] = filler, forward.ids
        places = np.arange(len(forward.ids)) if forward.position_ids is None else forward.position_ids
        positions[n, :pad], positions[n, pad:] = 0, places
        asked = len(forward.rows)
        rows[n, :asked], rows[n, asked:] = forward.rows + pad if pad else forward.rows, longest - 1
        given[n, :asked], given[n, asked:] = forward.given, NO_TOKEN
    has_bias = any(pads) or any(mask is not None for mask in masks)
    open_rows = {0 if mask is None else mask.open_rows for mask in masks}
    split = open_rows.pop() if len(open_rows) == 1 and not any(pads) else 0
    shape = Shape(count, longest, longest, most, split, split if has_bias else longest, has_bias)
    return Layout(shape, numbers, masks, pads)


def _as_bias(seen: np.ndarray, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    allowed = torch.tensor(seen).to(device)
    return torch.zeros(allowed.shape, dtype=dtype, device=device).masked_fill_(~allowed, -torch.inf)
