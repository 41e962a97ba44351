"""The timeline below the text: a column per pass, drafts up and re-masks down, with a playhead."""

from __future__ import annotations

from PIL import Image, ImageDraw

from wino_viz.drawing.fonts import Letters
from wino_viz.drawing.marks import draw_flag
from wino_viz.drawing.shapes import bar, box
from wino_viz.drawing.theme import Theme
from wino_viz.trace import Trace

LEFT = 14  # px: the place of the playhead before the first pass
WIDEST = 76  # px of a column
FEWEST = 12  # columns that share the width at least


class Timeline:
    """Draws into a strip of `width` × `height` px; `scale` is 1 for a picture 960 px wide."""

    def __init__(self, trace: Trace, colours: Theme, letters: Letters, width: int, scale: float) -> None:
        self._trace, self._colours, self._letters, self._scale = trace, colours, letters, scale
        self.width = width
        size = letters.size
        self._flag = round(size * 1.5)  # for the playhead's number
        taken_back = any(step.remasked for step in trace.steps)
        self._up, self._down = round(46 * scale), round((22 if taken_back else 4) * scale)
        self._base = self._flag + round(size * 1.25) + self._up
        self._foot = self._base + self._down + round(size * (1.3 if taken_back else 0.4))  # below the last number
        self.height = self._foot + round(size * 1.5)
        self._column = min(WIDEST * scale, (width - LEFT - 2) / max(len(trace.steps), FEWEST))
        self._columns = self._draw_columns()

    def draw(self, number: int) -> Image.Image:
        """The strip with the playhead at pass `number`."""
        image, colours, size = self._columns.copy(), self._colours, self._letters.size
        width = max(self._column, 5)
        left = 2 if number == 0 else LEFT + (number - 1) * self._column + (self._column - width) / 2
        right = left + (9 if number == 0 else width)
        edge = (left, self._flag - 2, right, self._foot - 2)
        box(image, edge, edge=colours.ink, stroke=2 * max(1, self._scale), radius=5)
        text = str(number)
        room = self._letters.width(text) + size * 0.9
        middle = min(max((left + right) / 2, room / 2), self.width - room / 2)
        box(image, (middle - room / 2, 0, middle + room / 2, self._flag), fill=colours.ink, radius=5)
        baseline = self._flag - round(size * 0.42)
        self._letters.draw(image, (middle - self._letters.width(text) / 2, baseline), text, colours.paper)
        return image

    def _draw_columns(self) -> Image.Image:
        trace, colours, letters = self._trace, self._colours, self._letters
        image = Image.new("RGB", (self.width, self.height), colours.paper)
        pen = ImageDraw.Draw(image)
        base, column = self._base, self._column
        gap = 3 if column > 6 else 1 if column > 3 else 0
        most = max([1, *(max(len(step.drafted), len(step.remasked) / 2) for step in trace.steps)])
        numbered = column >= letters.width("00") + 2
        for index, step in enumerate(trace.steps):
            left = round(LEFT + index * column + gap / 2)
            right = max(left + 1, round(LEFT + (index + 1) * column - gap / 2))
            drafted, remasked = len(step.drafted), len(step.remasked)
            up = max(2, drafted / most * self._up) if drafted else 0
            down = max(3, min(self._down, remasked / most * self._up)) if remasked else 0
            bar(image, (left, base - up, right, base), colours.draft_bar)
            if up and column > 12:
                pen.rectangle((left, round(base - up), right - 1, base), outline=colours.draft_edge)
            bar(image, (left, base + 1, right, base + 1 + down), colours.back)
            if numbered and drafted:
                self._number(image, drafted, (left + right) / 2, base - up - letters.size * 0.3, colours.soft)
            if numbered and remasked:
                self._number(image, remasked, (left + right) / 2, base + down + letters.size * 1.1, colours.back_text)
        pen.line((LEFT, base, self.width, base), fill=colours.mask_edge)
        self._draw_blocks(image)
        for branch in trace.branches:
            left = round(LEFT + branch.at_pass * column)
            bar(image, (left - 1, base - self._up, left + 1, base + self._down), colours.plant)
            draw_flag(image, left, base - self._up, letters.size, colours)
        return image

    def _draw_blocks(self, image: Image.Image) -> None:
        """Where each block begins; a name only where there is room for it."""
        letters, colours, size = self._letters, self._colours, self._letters.size
        steps, free = self._trace.steps, 0
        foot = self._foot
        limit = self._draw_key(image, foot + size)
        for index, step in enumerate(steps):
            if index and steps[index - 1].block == step.block:
                continue
            left = round(LEFT + index * self._column)
            text = f"block {step.block + 1}"
            named = left >= free and left + 4 + letters.width(text) <= limit
            if named:
                letters.draw(image, (left + 5, foot + size), text, colours.soft)
                free = left + letters.width(text) + size
            if index:
                for y in range(self._base - self._up, foot + (size if named else 0), 6):
                    bar(image, (left, y, left + 1, y + 3), colours.mask_edge)

    def _draw_key(self, image: Image.Image, baseline: int) -> int:
        """What the two colours are, at the right end; returns where it begins."""
        letters, colours, size = self._letters, self._colours, self._letters.size
        words = [("drafted", colours.draft_bar)]
        if any(step.remasked for step in self._trace.steps):
            words.append(("taken back", colours.back))
        width = sum(letters.width(text) + round(size * 1.7) for text, _ in words)
        at = self.width - width
        for text, colour in words:
            at += round(size * 0.6)
            bar(image, (at, baseline - size * 0.72, at + size * 0.72, baseline), colour)
            at += round(size * 1.1)
            at += letters.draw(image, (at, baseline), text, colours.soft)
        return self.width - width

    def _number(self, image: Image.Image, value: int, middle: float, baseline: float, colour: tuple) -> None:
        text = str(value)
        self._letters.draw(image, (middle - self._letters.width(text) / 2, baseline), text, colour)
