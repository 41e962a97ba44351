"""Letters: Inter from assets/fonts, and for a character that it lacks another font, or a box with the code point.

    letters = Letters(20)
    letters.draw(image, (left, baseline), "τ1 中", colour)       # 中 becomes a box with 4E2D

Characters stand side by side in the order of the text, without shaping: Pillow's basic layout, which is the same
everywhere, whatever libraries a machine has. So right-to-left scripts read backwards, and are for the HTML file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONTS = Path(__file__).resolve().parents[2] / "assets" / "fonts"
REGULAR, BOLD = FONTS / "Inter-Regular.otf", FONTS / "Inter-SemiBold.otf"
NOT_A_CHARACTER = "\U0010ffff"  # no font has it, so it looks like everything that a font lacks
JOINERS = {*range(0x200B, 0x2010), *range(0x2060, 0x2065), *range(0xFE00, 0xFE10), 0xFEFF, 0xAD}  # without any look


class Letters:
    """One size and weight of letters. `other` is a font file for what Inter lacks."""

    def __init__(self, size: int, *, bold: bool = False, other: Path | None = None) -> None:
        self.size = size
        self._font = _font(BOLD if bold else REGULAR, size)
        self._fonts = [self._font, *([_font(other, size)] if other else [])]
        self._code = _font(REGULAR, max(6, round(size * 0.42)))
        self._widths: dict[str, int] = {}

    def width(self, text: str) -> int:
        """How many px `text` takes in a line."""
        known = self._widths.get(text)
        if known is None:
            known = self._widths[text] = sum(width for *_, width in self._runs(text))
        return known

    def draw(self, image: Image.Image, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> int:
        """Write `text` from `at` (left, baseline) on; returns its width."""
        pen = ImageDraw.Draw(image)
        x, y = round(at[0]), round(at[1])
        start = x
        for font, run, width in self._runs(text):
            if font is None:
                self._box(pen, x, y, run, width, colour)
            else:
                mask, left, top = _written(font, run)
                image.paste(colour, (x + left, y + top), mask)
            x += width
        return x - start

    def fit(self, text: str, width: float) -> str:
        """`text`, or as much of its beginning as fits with … behind it."""
        text = text[:2000]
        if self.width(text) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(text[:middle].rstrip() + "…") <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…"

    def wrap(self, text: str, width: float, lines: int) -> list[str]:
        """`text` in at most so many lines; a longer one ends in …, a word that is wider than a line is cut."""
        made: list[str] = []
        space = self.width(" ")
        for paragraph in text[:4000].splitlines():
            line, taken = "", 0
            for word in paragraph.split():
                room = self.width(word)  # letters stand side by side: widths add up
                if line and taken + space + room > width:
                    made.append(line)
                    line = ""
                line, taken = (f"{line} {word}", taken + space + room) if line else (word, room)
            made.append(line)
        made = [line for line in made if line]
        if len(made) > lines:
            made = [*made[: lines - 1], f"{made[lines - 1]} …"]
            while self.width(made[-1]) > width and " " in made[-1][:-2]:
                made[-1] = made[-1][:-2].rpartition(" ")[0] + " …"
        return [self.fit(line, width) for line in made]

    def _runs(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont | None, str, int]]:
        """(font, characters that it has, their width), in order; font None for the box of one character."""
        held, run = None, ""
        for character in unicodedata.normalize("NFC", text):
            if ord(character) in JOINERS:
                continue
            font = next((font for font in self._fonts if _has(font, character)), None)
            if run and font is not None and font is held:
                run += character
                continue
            if run:
                yield held, run, round(held.getlength(run))
            held, run = font, character
            if font is None:
                yield None, character, round(self.size * 0.95)
                run = ""
        if run:
            yield held, run, round(held.getlength(run))

    def _box(self, pen: ImageDraw.ImageDraw, x: int, y: int, character: str, width: int, colour: tuple) -> None:
        code = f"{ord(character):04X}"
        code = code if len(code) in (4, 6) else f"0{code}"
        rows = (code[: len(code) // 2], code[len(code) // 2 :])
        top = y - round(self.size * 0.82)
        pen.rectangle((x + 1, top, x + width - 2, y + round(self.size * 0.16)), outline=colour)
        for row, digits in enumerate(rows):
            middle = top + round(self.size * (0.27 + 0.44 * row))
            pen.text((x + width / 2, middle), digits, font=self._code, fill=colour, anchor="mm")


def check_font(path: Path) -> None:
    """Raises ValueError with a sentence where `path` is not a font that can be used."""
    try:
        _font(path, 20).getlength("a")
    except OSError as error:
        reason = "there is no such file" if not path.is_file() else f"it is not a font that can be read ({error})"
        raise ValueError(f"font {path}: {reason}") from None


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _written(font: ImageFont.FreeTypeFont, text: str) -> tuple[Image.Image, int, int]:
    """A text as a mask, and where it lies from the start of its baseline; the same words come in frame after frame."""
    left, top, right, bottom = (round(value) for value in font.getbbox(text, anchor="ls"))
    mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, font=font, fill=255, anchor="ls")
    return mask, left, top


@lru_cache(maxsize=20_000)
def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    if character in (" ", "\u00a0"):
        return True
    if unicodedata.category(character) in ("Cn", "Cs"):  # not assigned, or half a character
        return False
    return _look(font, character) != _look(font, NOT_A_CHARACTER)


@lru_cache(maxsize=20_000)
def _look(font: ImageFont.FreeTypeFont, character: str) -> tuple:
    mask, offset = font.getmask2(character, mode="1")
    return mask.size, offset, bytes(mask)
