"""Frames as an animated GIF: one palette for all, and of each frame only what differs from the one before.

Pillow encodes; the frames are put together here because its own `save_all` keeps every frame in memory and compares them
pixel by pixel in Python, which takes minutes for a hundred passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
from PIL import GifImagePlugin, Image

from wino_viz.drawing.theme import TRANSPARENT

END_OF_FILE = b";"


def encode_gif(frames: Iterable[tuple[Image.Image, float]], palette: list[int]) -> bytes:
    """A GIF that plays for ever, from (RGB image, seconds) pairs of one size.

    palette: 256 × (red, green, blue) as one list; its last colour is never drawn, as it means "unchanged". A frame that is
    the same as the one before stays a frame of its own.
    """
    colours = Image.new("P", (1, 1))
    colours.putpalette([*palette[: 3 * TRANSPARENT], *palette[:3]])  # nothing is nearest to the last
    parts: list[bytes] = []
    before = None
    for image, seconds in frames:
        now = np.asarray(image.quantize(palette=colours, dither=Image.Dither.NONE))
        if before is None:
            patch, offset = now, (0, 0)
            header, _ = GifImagePlugin.getheader(_indexed(now, palette), info={"loop": 0, "optimize": False})
            parts += header
        else:
            patch, offset = _difference(before, now)
        settings = {"duration": round(seconds * 1000), "disposal": 1, "include_color_table": False}
        parts += GifImagePlugin.getdata(_indexed(patch, palette), offset, transparency=TRANSPARENT, **settings)
        before = now
    return b"".join(chain(parts, [END_OF_FILE]))


def _difference(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """The smallest rectangle that holds what changed, the rest of it transparent, and where it lies (left, top)."""
    changed = before != now
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not rows.size:
        return np.full((1, 1), TRANSPARENT, np.uint8), (0, 0)
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.where(changed[inside], now[inside], TRANSPARENT).astype(np.uint8), (int(columns[0]), int(rows[0]))


def _indexed(numbers: np.ndarray, palette: list[int]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(numbers), "L")
    image.putpalette(palette)
    return image
