"""The attention mask of a trace's blocks, packed for the picture: runs of equal rows, and the columns that they see."""

from __future__ import annotations

from typing import Any

import numpy as np

from wino_viz.decoding import shadow_attention
from wino_viz.trace import Trace, dumps


def mask_message(trace: Trace, follows: str) -> str:
    """The value of a MaskPicture: every block's real mask, and the block of every pass of the player `follows`."""
    shape = len(trace.prompt_ids), trace.gen_length, trace.block_length
    blocks = [
        {"rows": pack(shadow_attention(*shape, block)), "pieces": _first_pieces(trace, block)}
        for block in range(trace.blocks)
    ]
    lengths = dict(zip(("prompt_length", "gen_length", "block_length"), shape, strict=True))
    return dumps({**lengths, "follows": follows, "blocks": blocks, "passes": [step.block for step in trace.steps]})


def pack(attention: np.ndarray) -> list[list[Any]]:
    """[[count, [[from, to], …]], …]: `count` equal rows in a run, which see the columns from..to-1."""
    packed: list[list[Any]] = []
    for row in attention:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False]))))
        seen = edges.reshape(-1, 2).tolist()
        if packed and packed[-1][1] == seen:
            packed[-1][0] += 1
        else:
            packed.append([1, seen])
    return packed


def unpack(packed: list[list[Any]]) -> np.ndarray:
    """The (T, T) mask that was packed."""
    total = sum(count for count, _ in packed)
    attention = np.zeros((total, total), dtype=bool)
    top = 0
    for count, seen in packed:
        for start, end in seen:
            attention[top : top + count, start:end] = True
        top += count
    return attention


def _first_pieces(trace: Trace, block: int, count: int = 8) -> list[str]:
    start = block * trace.block_length
    return [trace.pieces.get(i, "") for i in trace.output_ids[start : min(start + count, start + trace.block_length)]]
