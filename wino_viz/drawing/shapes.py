"""Boxes with smooth edges: drawn four times as large, made small again, and kept as masks that colours go through."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from PIL import Image, ImageChops, ImageDraw

FINE = 4  # times as large
LARGE = 30_000  # px of a box
Rect = tuple[float, float, float, float]  # left, top, right, bottom
Colour = tuple[int, int, int]


def box(
    image: Image.Image,
    rect: Rect,
    *,
    fill: Colour | None = None,
    edge: Colour | None = None,
    stroke: float = 1.5,
    radius: float = 4,
    dash: tuple[float, float] | None = None,
) -> None:
    """A box with round corners. `dash` is (drawn, left out) px along its edge."""
    left, top, right, bottom = (round(value) for value in rect)
    size = (max(1, right - left), max(1, bottom - top))
    if fill is not None:
        image.paste(fill, (left, top), _mask(_filled, size, radius))
    if edge is not None:
        image.paste(edge, (left, top), _mask(_edge, size, radius, stroke, dash))


def bar(image: Image.Image, rect: Rect, colour: Colour) -> None:
    """A rectangle without smooth edges: at whole px."""
    left, top, right, bottom = (round(value) for value in rect)
    if right > left and bottom > top:
        image.paste(colour, (left, top, right, bottom))


def disc(image: Image.Image, rect: Rect, colour: Colour) -> None:
    left, top, right, bottom = (round(value) for value in rect)
    image.paste(colour, (left, top), _filled((right - left, bottom - top), (right - left) / 2))


def _mask(made: Any, size: tuple[int, int], *rest: Any) -> Image.Image:
    """What `made` gives, kept only where it is small: boxes of tokens come again and again, those of blocks do not."""
    return (made if size[0] * size[1] <= LARGE else made.__wrapped__)(size, *rest)


@lru_cache(maxsize=2048)
def _filled(size: tuple[int, int], radius: float) -> Image.Image:
    return _round(size, radius, 0).reduce(FINE)


@lru_cache(maxsize=2048)
def _edge(size: tuple[int, int], radius: float, stroke: float, dash: tuple[float, float] | None) -> Image.Image:
    line = ImageChops.subtract(_round(size, radius, 0), _round(size, max(0, radius - stroke), stroke))
    if dash is not None:
        line = ImageChops.multiply(line, _dashes(size, radius, dash))
    return line.reduce(FINE)


def _round(size: tuple[int, int], radius: float, inset: float) -> Image.Image:
    """The inside of a round box, `inset` px smaller on each side, as a large mask."""
    width, height = size[0] * FINE, size[1] * FINE
    mask = Image.new("L", (width, height))
    off = round(inset * FINE)
    if width > 2 * off and height > 2 * off:
        corners = (off, off, width - 1 - off, height - 1 - off)
        ImageDraw.Draw(mask).rounded_rectangle(corners, round(radius * FINE), fill=255)
    return mask


def _dashes(size: tuple[int, int], radius: float, dash: tuple[float, float]) -> Image.Image:
    """Black gaps across the straight parts of the edge; whole dashes, so that both ends look alike."""
    width, height = size[0] * FINE, size[1] * FINE
    mask = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(mask)
    keep = max(2.0, radius * 0.7) * FINE
    for length, along_x in ((width, True), (height, False)):
        straight = length - 2 * keep
        count = max(1, round(straight / FINE / sum(dash)))
        if straight < dash[1] * FINE:
            continue
        period = straight / count
        gap = period * dash[1] / sum(dash)
        for number in range(count):
            start = keep + number * period + (period - gap) / 2
            if along_x:
                pen.rectangle((start, 0, start + gap, keep), fill=0)
                pen.rectangle((start, height - keep, start + gap, height), fill=0)
            else:
                pen.rectangle((0, start, keep, start + gap), fill=0)
                pen.rectangle((width - keep, start, width, start + gap), fill=0)
    return mask
