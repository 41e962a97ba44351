"""Draw a scene of shapes with Pillow and numpy: shaded objects with a soft shadow on a muted background.

    draw(generate(Random(0))).save("scene.png")         # 128 x 128
    draw(generate(Random(0)), size=512).save("large.png")

The shapes, colours and sizes are chosen to be told apart at 20 pixels: no hexagon (a circle, once it is 20 pixels
wide), no brown (a shaded orange). Nothing random happens here: a scene is always the same picture. What depends on
shape and size alone is computed once and kept, so that a 128-pixel picture takes a millisecond of one core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, cos, pi, radians, sin
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from wino_viz.tasks.scenes import Scene

MIN_PICTURE, MAX_PICTURE = 16, 2048  # pixels

COLOURS = {
    "red": (214, 34, 38),
    "orange": (246, 128, 16),
    "yellow": (248, 212, 28),
    "green": (38, 158, 64),
    "blue": (36, 92, 220),
    "purple": (124, 48, 172),
    "pink": (250, 138, 190),
    "black": (38, 38, 44),
}
# The reach of an object: the radius of the circle around it, in widths of the picture.
REACH = {"small": 0.09, "medium": 0.13, "large": 0.185}

# Two pale tones of each background; none is near an object's colour.
TINTS = {
    "cream": ((247, 241, 226), (232, 220, 194)),
    "grey": ((233, 234, 236), (207, 210, 214)),
    "mint": ((226, 240, 232), (197, 219, 207)),
    "sky": ((225, 236, 245), (194, 212, 227)),
    "lilac": ((236, 231, 242), (213, 204, 224)),
    "clay": ((241, 230, 224), (221, 203, 194)),
}

CORNER_RADIUS = 0.05  # of a shape's reach: rounds the corners
SHADOW_BLUR, SHADOW_OFFSET, SHADOW_STRENGTH = 0.10, 0.12, 0.34
RELIEF_BLUR = 0.16
LIGHTEN, DARKEN = 0.42, 0.40  # how far the lit rim goes to white, and the far one to black
GRAIN, PAPER_GRAIN = 1.2, 4.0  # standard deviation, of 255
NOISE_SHIFTS = 64


# Shapes: outlines in a circle of radius 1, y down


def _polar(angles_and_radii) -> list[tuple[float, float]]:
    """Points at clock angles in degrees (0 is up, 90 right)."""
    return [(radius * sin(radians(angle)), -radius * cos(radians(angle))) for angle, radius in angles_and_radii]


def _circle(radius: float = 0.90, x: float = 0.0, y: float = 0.0) -> list[tuple[float, float]]:
    return [(x + px, y + py) for px, py in _polar((angle, radius) for angle in range(0, 360, 3))]


def _heart() -> list[tuple[float, float]]:
    turns = [2 * pi * step / 120 for step in range(120)]
    curve = [(16 * sin(t) ** 3, -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t))) for t in turns]
    return [(x / 17.6, (y - 1.5) / 16.0) for x, y in curve]


def _moon() -> list[tuple[float, float]]:
    """A crescent open to the right: the left arc of one circle, then the left arc of a smaller one, back."""
    outer = [(0.12 + x, y) for x, y in _polar((angle, 0.96) for angle in range(395, 144, -3))]
    inner = [(0.58 + x, y) for x, y in _polar((angle, 0.72) for angle in range(174, 367, 3))]
    return outer + inner


_ARM, _REACH_OF_ARM = 0.30, 0.92
OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": _circle(),
    "square": [(-0.74, -0.74), (0.74, -0.74), (0.74, 0.74), (-0.74, 0.74)],
    "triangle": [(0.0, -0.94), (0.92, 0.70), (-0.92, 0.70)],
    "star": _polar((36 * point, 0.43 if point % 2 else 1.04) for point in range(10)),
    "heart": _heart(),
    "diamond": [(0.0, -1.02), (0.66, 0.0), (0.0, 1.02), (-0.66, 0.0)],
    "moon": _moon(),
    "cross": [
        (-_ARM, -_REACH_OF_ARM),
        (_ARM, -_REACH_OF_ARM),
        (_ARM, -_ARM),
        (_REACH_OF_ARM, -_ARM),
        (_REACH_OF_ARM, _ARM),
        (_ARM, _ARM),
        (_ARM, _REACH_OF_ARM),
        (-_ARM, _REACH_OF_ARM),
        (-_ARM, _ARM),
        (-_REACH_OF_ARM, _ARM),
        (-_REACH_OF_ARM, -_ARM),
        (-_ARM, -_ARM),
    ],
}

SHAPES = tuple(OUTLINES)


def _blob(number: int) -> list[tuple[float, float]]:
    """A smooth outline that is like nothing in particular: a circle with two to five bulges, now and then thin."""
    rng = Random(number)
    waves = [(bulges, rng.uniform(0, most), rng.uniform(0, 2 * pi)) for bulges, most in BULGES]
    radii = [1 + sum(a * cos(bulges * radians(angle) + p) for bulges, a, p in waves) for angle in range(0, 360, 3)]
    return _polar((3 * step, max(0.25, radius / max(radii))) for step, radius in enumerate(radii))


def _band(number: int) -> list[tuple[float, float]]:
    """A stroke of one width along an arc, its ends cut straight: thin as the arms of many shapes are."""
    rng = Random(f"band {number}")
    width, radius, start, arc = (
        rng.uniform(0.14, 0.45),
        rng.uniform(0.45, 1.6),
        rng.uniform(0, 360),
        rng.uniform(50, 150),
    )
    angles = [start + arc * step / 30 for step in range(31)]
    edges = _polar((a, radius + width / 2) for a in angles) + _polar((a, radius - width / 2) for a in angles[::-1])
    left, right = min(x for x, _ in edges), max(x for x, _ in edges)
    top, bottom = min(y for _, y in edges), max(y for _, y in edges)
    scale = 1.8 / max(right - left, bottom - top)
    return [((x - (left + right) / 2) * scale, (y - (top + bottom) / 2) * scale) for x, y in edges]


# Outlines without a name of their own, for training only: they show every colour on shapes of all kinds.
BULGES = ((2, 0.6), (3, 0.35), (4, 0.2), (5, 0.15))  # how many, and their greatest height
BLOBS = {f"blob {number}": _blob(number) for number in range(256)} | {f"band {n}": _band(n) for n in range(128)}
SIZES = tuple(REACH)


class _Relief(NamedTuple):
    """What lights a shape of one size: square float32 tiles of 2*half+1 pixels."""

    half: int
    cover: np.ndarray  # (W, W, 1) how much of each pixel the shape covers, 0..1
    shadow: np.ndarray  # (W, W, 1) the same, blurred and as strong as the shadow
    slope_x: np.ndarray  # (W, W, 1) how far the surface faces right, about -1..1
    slope_y: np.ndarray  # (W, W, 1) how far it faces down


@lru_cache(maxsize=1024)
def _relief(shape: str, reach: float) -> _Relief:
    """The relief of a shape whose reach is given in pixels."""
    half = ceil(1.4 * reach) + 2
    width = 2 * half + 1
    fine = 8 if reach < 40 else 4  # supersampling
    large = Image.new("L", (width * fine, width * fine))
    centre = width * fine / 2
    outline = [(centre + x * reach * fine, centre + y * reach * fine) for x, y in (OUTLINES.get(shape) or BLOBS[shape])]
    ImageDraw.Draw(large).polygon(outline, fill=255)
    large = large.filter(ImageFilter.GaussianBlur(CORNER_RADIUS * reach * fine)).point(
        lambda value: 255 * (value > 127)
    )
    mask = large.reduce(fine)
    cover = np.asarray(mask, np.float32) / 255
    height = np.asarray(large.filter(ImageFilter.GaussianBlur(RELIEF_BLUR * reach * fine)).reduce(fine), np.float32)
    down, right = np.gradient(height)
    steepest = float(np.hypot(right, down).max())
    ramp = (np.arange(width, dtype=np.float32) - half) / reach  # a slight dome: the flat inside is lit unevenly too
    slope_x = -right / steepest * 0.75 + ramp[None, :] * 0.35
    slope_y = -down / steepest * 0.75 + ramp[:, None] * 0.35
    shadow = np.asarray(mask.filter(ImageFilter.GaussianBlur(SHADOW_BLUR * reach)), np.float32) / 255
    tiles = (cover, shadow * SHADOW_STRENGTH, slope_x, slope_y)
    return _Relief(half, *(np.ascontiguousarray(tile, np.float32)[..., None] for tile in tiles))


def _windows(column: int, row: int, half: int, size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a tile around a pixel lies in the picture, and which part of the tile is inside it."""
    picture, tile = [], []
    for centre in (row, column):
        start, stop = max(centre - half, 0), min(centre + half + 1, size)
        picture.append(slice(start, stop))
        tile.append(slice(start - centre + half, stop - centre + half))
    return (picture[0], picture[1]), (tile[0], tile[1])


# Backgrounds: a field of 0..1 between the two tones of the tint


@lru_cache(maxsize=4)
def _axis(size: int) -> np.ndarray:
    return ((np.arange(size) + 0.5) / size).astype(np.float32)


@lru_cache(maxsize=4)
def _noise(size: int) -> np.ndarray:
    """Fixed white noise, a little larger than the picture: the grain seed shifts it."""
    edge = size + NOISE_SHIFTS
    return np.random.default_rng(0).standard_normal((edge, edge, 1), np.float32)


@lru_cache(maxsize=4)
def _blotches(size: int) -> np.ndarray:
    """Fixed soft noise of mean 0 and deviation 1, a little larger than the picture."""
    edge = size + NOISE_SHIFTS
    coarse = np.random.default_rng(1).standard_normal((24, 24)).astype(np.float32)
    soft = np.asarray(Image.fromarray(coarse).resize((edge, edge), Image.Resampling.BICUBIC))
    return (soft / soft.std())[..., None]


def _edge(field: np.ndarray, sharpness: float) -> np.ndarray:
    """0 below zero and 1 above it, with a soft step."""
    return np.clip(field * sharpness + 0.5, 0, 1)


def _plain(x, y, grain: int, light: float):
    return np.float32(0.35 * (grain % 3))


def _gradient(x, y, grain: int, light: float):
    return 0.5 - 0.62 * ((x - 0.5) * sin(light) - (y - 0.5) * cos(light))


def _stripes(x, y, grain: int, light: float):
    along = (x, y, (x + y) * 0.7, (x - y) * 0.7)[grain % 4]
    return _edge(np.sin((along + grain % 16 / 96) * (2 * pi * 6)), 2.0) * 0.8


def _dots(x, y, grain: int, light: float):
    """Small and pale, in a lattice: no object looks like that."""
    count, phase = 9, grain % 16 / 16
    near = np.cos((x * count + phase) * 2 * pi) + np.cos((y * count + phase) * 2 * pi)
    return _edge(near - 1.4, 2.0) * 0.9


def _checks(x, y, grain: int, light: float):
    phase = grain % 16 / 16
    waves = np.sin((x * 3 + phase) * 2 * pi) * np.sin((y * 3 + phase) * 2 * pi)
    return _edge(waves, 8.0) * 0.65


def _horizon(x, y, grain: int, light: float):
    line = 0.50 + grain % 16 / 64
    return _edge(y - line, 60.0) * (1.25 - 0.6 * (y - line)) + 0.25 * (1 - y) + x * 0


BACKGROUNDS: dict[str, Callable] = {
    "plain": _plain,
    "paper": _plain,
    "gradient": _gradient,
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "horizon": _horizon,
}


def _background(scene: Scene, size: int) -> np.ndarray:
    """(size, size, 3) float32, 0..255."""
    axis = _axis(size)
    field = BACKGROUNDS[scene.background](axis[None, :], axis[:, None], scene.grain, radians(scene.light))
    field = np.broadcast_to(field, (size, size))[..., None]
    first, second = (np.array(tone, np.float32) for tone in TINTS[scene.tint])
    canvas = field.astype(np.float32) * (second - first) + first
    down, right = scene.grain % NOISE_SHIFTS, scene.grain // NOISE_SHIFTS % NOISE_SHIFTS
    part = (slice(down, down + size), slice(right, right + size))
    if scene.background == "paper":
        canvas += _noise(size)[part] * PAPER_GRAIN + _blotches(size)[part] * PAPER_GRAIN
    else:
        canvas += _noise(size)[part] * GRAIN
    return canvas


def draw(scene: Scene, size: int = 128) -> Image.Image:
    """The scene as an RGB picture of size x size pixels, always the same. ValueError for a size outside 16 to 2048."""
    if type(size) is not int or not MIN_PICTURE <= size <= MAX_PICTURE:
        raise ValueError(f"picture size {size!r} is not a whole number from {MIN_PICTURE} to {MAX_PICTURE}")
    canvas = _background(scene, size)
    light_x, light_y = sin(radians(scene.light)), -cos(radians(scene.light))
    for thing in scene.things:
        reach = REACH[thing.size] * size
        relief = _relief(thing.shape, reach)
        column, row = round(thing.x * size - 0.5), round(thing.y * size - 0.5)
        # 1. The shadow, away from the light.
        offset = SHADOW_OFFSET * reach
        where, part = _windows(column - round(light_x * offset), row - round(light_y * offset), relief.half, size)
        canvas[where] *= 1 - relief.shadow[part]
        # 2. The shape: its colour, lighter where the surface faces the light and darker where it faces away.
        where, part = _windows(column, row, relief.half, size)
        lit = relief.slope_x[part] * light_x + relief.slope_y[part] * light_y
        colour = np.array(COLOURS[thing.colour], np.float32)
        surface = np.maximum(lit, 0) * ((255 - colour) * LIGHTEN) + np.minimum(lit, 0) * (colour * DARKEN) + colour
        below = canvas[where]
        below += (surface - below) * relief.cover[part]
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
