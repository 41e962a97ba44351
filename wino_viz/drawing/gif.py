"""Frames as an animated GIF: one palette for all, and of each frame only what differs from the one before.

Pillow encodes; the frames are put together here because its own `save_all` keeps every frame in memory and compares them
pixel by pixel in Python, which takes minutes for a hundred passes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import GifImagePlugin, Image

from wino_viz.drawing.theme import TRANSPARENT

END_OF_FILE = b";"


def encode_gif(frames: Iterable[tuple[Image.Image, float]], palette: list[int]) -> bytes:
    """A GIF that plays for ever, from (RGB image, seconds) pairs of one size.

    palette: 256 × (red, green, blue) as one list; its last colour is never drawn, as it means "unchanged". A frame that is
    the same as the one before stays a frame of its own.
    """
    nearest = _Nearest(palette)
    parts: list[bytes] = []
    before = None
    for image, seconds in frames:
        now = _packed(image)
        if before is None:
            patch, offset = nearest(now), (0, 0)
            header, _ = GifImagePlugin.getheader(_indexed(patch, palette), info={"loop": 0, "optimize": False})
            parts += header
        else:
            patch, offset = _difference(before, now, nearest)
        settings = {"duration": round(seconds * 1000), "disposal": 1, "include_color_table": False}
        parts += GifImagePlugin.getdata(_indexed(patch, palette), offset, transparency=TRANSPARENT, **settings)
        before = now
    return b"".join([*parts, END_OF_FILE])


class _Nearest:
    """The number of the nearest colour of a palette, for arrays of packed colours.

    Exact, where Pillow's `quantize` takes the same number for colours that are only close: paper must stay paper. A picture
    has few colours, so each is looked for once.
    """

    def __init__(self, palette: list[int]) -> None:
        self._colours = np.array(palette[: 3 * TRANSPARENT], np.int32).reshape(-1, 3)
        self._numbers = np.full(1 << 24, TRANSPARENT, np.uint8)  # TRANSPARENT: not looked for yet

    def __call__(self, packed: np.ndarray) -> np.ndarray:
        numbers = self._numbers[packed]
        missing = numbers == TRANSPARENT
        if missing.any():
            new = np.unique(packed[missing])
            rgb = np.stack([new >> 16, new >> 8 & 255, new & 255], axis=-1).astype(np.int32)
            distances = ((rgb[:, None, :] - self._colours[None]) ** 2).sum(axis=2)
            self._numbers[new] = distances.argmin(axis=1)
            numbers = self._numbers[packed]
        return numbers


def _packed(image: Image.Image) -> np.ndarray:
    """(height, width) colours as one number each."""
    rgb = np.asarray(image, np.uint32)
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


def _difference(before: np.ndarray, now: np.ndarray, nearest: _Nearest) -> tuple[np.ndarray, tuple[int, int]]:
    """The smallest rectangle that holds what changed, the rest of it transparent, and where it lies (left, top)."""
    changed = before != now
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not rows.size:
        return np.full((1, 1), TRANSPARENT, np.uint8), (0, 0)
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    patch = np.where(changed[inside], nearest(now[inside]), TRANSPARENT).astype(np.uint8)
    return patch, (int(columns[0]), int(rows[0]))


def _indexed(numbers: np.ndarray, palette: list[int]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(numbers), "L")
    image.putpalette(palette)
    return image
