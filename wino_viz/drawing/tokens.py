"""How a token is drawn: each state has a shape of its own, beside its colour. And the chip of a folded tail."""

from __future__ import annotations

from PIL import Image

from wino_viz.drawing.flow import Fold, Item, fold_width
from wino_viz.drawing.fonts import Letters
from wino_viz.drawing.replay import BREAK, DRAFTED, FIXED, MASKED, REMASKED, VERIFIED
from wino_viz.drawing.shapes import bar, box
from wino_viz.drawing.theme import Theme


class TokenPen:
    """Draws items with `letters`; `small` is for end of text, line breaks and chips."""

    def __init__(self, colours: Theme, letters: Letters, small: Letters) -> None:
        self.colours, self.letters, self.small = colours, letters, small

    def draw(self, image: Image.Image, items: list[tuple[Item, int]], baseline: int) -> None:
        """The (item, left) of one line. What lies under the letters comes first: boxes may touch the next word."""
        for item, left in items:
            self._draw_ground(image, item, left, baseline)
        for item, left in items:
            self._draw_letters(image, item, left, baseline)

    def _draw_ground(self, image: Image.Image, item: Item, left: int, baseline: int) -> None:
        """What lies under one token's letters: each state has a shape of its own, beside its colour."""
        colours, size = self.colours, self.letters.size
        (top, bottom), right = box_height(baseline, size), left + item.width
        if item.state == MASKED:
            self._draw_hole(image, left, item.width, baseline, size)
        elif item.state == DRAFTED:
            rect = (left - 1, top, right + 1, bottom)
            dash = (size * 0.24, size * 0.16)
            box(image, rect, fill=colours.draft_fill, edge=colours.draft_edge, stroke=1.5, radius=4, dash=dash)
        elif item.state == FIXED:
            rect = (left - 1, top, right + 1, bottom)
            box(image, rect, fill=colours.well, edge=colours.ink, stroke=1.5, radius=2)
        elif item.state == VERIFIED:
            thick = max(2, round(size / 9))
            bar(image, (left, bottom - thick, max(right, left + 4), bottom), colours.verified)
        elif item.state == REMASKED:
            box(image, (left, top, right, bottom), fill=colours.back_fill, edge=colours.back, stroke=1.5, radius=4)
            self._draw_hole(image, right - round(size * 0.25) - item.hole, item.hole, baseline, size)

    def _draw_letters(self, image: Image.Image, item: Item, left: int, baseline: int) -> None:
        colours, small = self.colours, self.small
        letters = small if item.kind in ("end", "special") else self.letters
        revoked = item.state == REMASKED
        ink = colours.soft if item.kind in ("end", "special") else colours.ink
        start = at = left + (round(letters.size * 0.22) if revoked else 0)
        for number, part in enumerate(item.core.split(BREAK)):
            if number:
                at += small.draw(image, (at, baseline), BREAK, colours.back_text if revoked else colours.faint)
            at += letters.draw(image, (at, baseline), part, colours.back_text if revoked else ink)
        if revoked:
            strike, thick = baseline - letters.size * 0.3, max(2, round(letters.size / 12))
            bar(image, (start - 1, strike, at + 1, strike + thick), colours.back_text)

    def _draw_hole(self, image: Image.Image, left: float, width: float, baseline: float, size: float) -> None:
        rect = (left + 1, baseline - size * 0.8, left + max(width - 1, 5), baseline + size * 0.17)
        box(image, rect, fill=self.colours.mask, edge=self.colours.mask_edge, stroke=1, radius=4, dash=(2, 2))

    def draw_fold(self, image: Image.Image, fold: Fold, left: int, baseline: int, room: int) -> None:
        """The chip of a folded tail: how many tokens, and what happened to them, each with its state's shape. At most
        `room` px wide.
        """
        colours, small = self.colours, self.small
        words = [*fold.words]
        while len(words) > 1 and fold_width(small, words) > room:
            words.pop()
        size, width = small.size, min(room, fold_width(small, words))
        rect = (left, baseline - size * 1.25, left + width, baseline + size * 0.6)
        box(image, rect, fill=colours.well, edge=colours.rule, stroke=1, radius=size * 0.9)
        at = left + size
        for text, state in words:
            text = small.fit(text, left + width - at - size * 0.5)
            end = at + small.width(text)
            mark = (at - 4, baseline - size * 0.95, end + 4, baseline + size * 0.32)
            if state == DRAFTED:
                box(image, mark, fill=colours.draft_fill, edge=colours.draft_edge, dash=(size * 0.3, size * 0.2))
            elif state == VERIFIED:
                bar(image, (at, mark[3] - 2, end, mark[3]), colours.verified)
            elif state == REMASKED:
                box(image, mark, fill=colours.back_fill, edge=colours.back)
            elif state == MASKED:
                box(image, mark, fill=colours.mask, edge=colours.mask_edge, stroke=1, dash=(2, 2))
            colour = {"": colours.soft, REMASKED: colours.back_text}.get(state, colours.ink)
            small.draw(image, (at, baseline), text, colour)
            at = end + size


def box_height(baseline: int, size: int) -> tuple[float, float]:
    """Top and bottom of the box of a token whose letters have that size."""
    return baseline - size * 0.98, baseline + size * 0.34
