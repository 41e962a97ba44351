"""What was changed by hand, as pictures mark it: a double frame round a planted token, and a flag over its place."""

from __future__ import annotations

from PIL import Image, ImageDraw

from wino_viz.drawing.shapes import box
from wino_viz.drawing.theme import Theme

PLANTED, SITE = "planted", "site"  # while the token stands, and from then on
PLANTED_WORDS = "planted by hand"


def draw_mark(
    image: Image.Image, rect: tuple[float, float, float, float], mark: str, colours: Theme, size: int
) -> None:
    """The mark of a token whose box is `rect`; `size` is that of its letters."""
    left, top, right, bottom = rect
    if mark == PLANTED:
        box(image, (left - 2, top - 1, right + 2, bottom + 1), edge=colours.plant, stroke=1, radius=4)
        box(image, (left - 4, top - 3, right + 4, bottom + 3), edge=colours.plant, stroke=1, radius=6)
    draw_flag(image, (left + right) / 2, top - 2, size, colours, filled=mark == PLANTED)


def draw_flag(image: Image.Image, middle: float, bottom: float, size: int, colours: Theme, filled: bool = True) -> None:
    """A triangle that points down to (middle, bottom)."""
    half = max(3, round(size * 0.24))
    corners = [(middle - half, bottom - half * 1.4), (middle + half, bottom - half * 1.4), (middle, bottom)]
    ImageDraw.Draw(image).polygon(corners, fill=colours.plant if filled else colours.paper, outline=colours.plant)
