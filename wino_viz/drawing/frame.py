"""The whole picture of one pass: head, prompt, counters, blocks of tokens, board, timeline, legend and foot.

    painter = FramePainter(trace, Look(width=640), verdict={"correct": True, "faithful": True, "text": "Right: 65."})
    picture = painter.frame(3)          an RGB image; every frame of a trace has the same size

A painter keeps the picture that it drew last and draws anew only what differs, so frames in order cost least.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from wino_viz.drawing.board import board_cells, cell_places, draw_board, faulty_cells, read_puzzle
from wino_viz.drawing.flow import BlockFlow, Item
from wino_viz.drawing.fonts import Letters, check_font
from wino_viz.drawing.marks import PLANTED, PLANTED_WORDS, draw_mark
from wino_viz.drawing.replay import FIXED, MASKED, REMASKED, STATE_WORDS, VERIFIED, Frame, block_range, frames, verifies
from wino_viz.drawing.shapes import bar, box
from wino_viz.drawing.theme import theme
from wino_viz.drawing.timeline import Timeline
from wino_viz.drawing.tokens import TokenPen, box_height
from wino_viz.drawing.words import pass_sentence, settings_words
from wino_viz.names import decoder_name
from wino_viz.trace import Trace

WIDTHS = (320, 1920)  # px
WIDTH = 960
PROMPT_LINES = 4
SENTENCE_LINES = 2
BESIDE = 620  # px from which on the board stands beside the text
PROJECT = "wino_viz"
LEGEND_WORDS = {**STATE_WORDS, PLANTED: PLANTED_WORDS}


@dataclass(frozen=True)
class Look:
    """How pictures look: `width` in px (320 to 1920), dark or light, `font` a file for characters that Inter lacks.

    Raises ValueError for a width outside and a font that can't be read.
    """

    width: int = WIDTH
    dark: bool = False
    font: Path | None = None

    def __post_init__(self) -> None:
        if not WIDTHS[0] <= self.width <= WIDTHS[1]:
            raise ValueError(f"width must be {WIDTHS[0]} to {WIDTHS[1]} px, not {self.width}")
        if self.font is not None:
            check_font(self.font)


class FramePainter:
    """Draws the frames of one trace; `size` is (width, height) of each, `frames` how things stand after each pass.

    verdict: {"correct": True, False or None, "faithful": bool, "text": one line}, said beside the last pass.
    """

    def __init__(self, trace: Trace, look: Look | None = None, verdict: Mapping[str, Any] | None = None) -> None:
        look = look or Look()
        self.trace, self.look, self.verdict = trace, look, verdict
        self.frames = list(frames(trace))
        self.colours = theme(look.dark)
        scale = max(1.0, look.width / WIDTH)
        self.scale = scale
        text = round(max(18, min(24, look.width / 40)) * scale)
        small = round(text * 0.7)
        self.text, self.small = self._letters(text), self._letters(small)
        self.strong = self._letters(small, bold=True)
        self.figure, self.title = (
            self._letters(round(text * 1.1), bold=True),
            self._letters(round(text * 1.1), bold=True),
        )
        self.margin = round(look.width / 34)
        self.inner = look.width - 2 * self.margin
        self.line = round(text * 1.8)
        self._pen = TokenPen(self.colours, self.text, self.small)
        self._legend_pen = TokenPen(self.colours, self.small, self.small)
        self._arrange()
        self._canvas: Image.Image | None = None
        self._drawn: dict[Any, Any] = {}

    def frame(self, number: int) -> Image.Image:
        """The picture after pass `number`, 0 (before the first) to the number of passes."""
        if not 0 <= number < len(self.frames):
            raise ValueError(f"pass must be 0 to {len(self.frames) - 1}, not {number}")
        if self._canvas is None:
            self._canvas = Image.new("RGB", self.size, self.colours.paper)
            self._draw_fixed(self._canvas)
        frame = self.frames[number]
        self._draw_counters(frame)
        for block, flow in enumerate(self._flows):
            self._draw_block(frame, block, flow)
        self._draw_board(frame)
        self._draw_sentence(frame)
        if self._changed("timeline", number):
            self._canvas.paste(self._timeline.draw(number), (self.margin, self._tops["timeline"]))
        return self._canvas.copy()

    def token_box(self, number: int, position: int) -> tuple[int, int, int, int] | None:
        """Where a token's box lies in the picture after pass `number`: left, top, right and bottom in px. None for a token
        of a folded tail.
        """
        block = position // self.trace.block_length
        items, _ = self._flows[block].place(self.frames[number])
        item = next((item for item in items if item.position == position), None)
        if item is None:
            return None
        left, baseline = self._text_left + self._pad + item.left, self._baseline(block, item.line)
        top, bottom = box_height(baseline, self.text.size)
        return left, round(top), left + item.width, round(bottom)

    # ---- the arrangement

    def _letters(self, size: int, bold: bool = False) -> Letters:
        return Letters(size, bold=bold, other=self.look.font)

    def _arrange(self) -> None:
        """Heights from top to bottom; all are the same in every frame."""
        trace, small, text = self.trace, self.small.size, self.text.size
        self._puzzle = read_puzzle(trace)
        self._places = cell_places(trace, self.frames[-1].ids) if self._puzzle else None
        board = round(264 * self.scale) if self._places else 0
        board = min(board, self.inner)
        beside = board and self.look.width >= BESIDE
        self._board_size = board
        self._text_left = self.margin + (board + self.margin if beside else 0)
        self._text_width = self.look.width - self.margin - self._text_left
        self._pad = round(text * 0.7)
        self._prompt = self.small.wrap(_prompt_words(trace), self.inner, PROMPT_LINES)
        tops = {"title": self.margin}
        at = self.margin + round(self.title.size * 1.35) + round(small * 1.5)
        if self._prompt:
            tops["prompt"] = at + round(small * 0.5)
            at = tops["prompt"] + round(small * 1.45 * len(self._prompt))
        tops["counters"] = at + round(small * 0.9)
        at = tops["counters"] + round(self.figure.size * 1.2 + small * 1.4) + round(small * 0.7)
        tops["stage"] = at
        block_width = self._text_width - 2 * self._pad
        self._flows = [
            BlockFlow(trace, self.frames, block, block_width, self.text, self.small) for block in range(trace.blocks)
        ]
        at += board + round(small * 0.8) if board and not beside else 0
        self._block_tops = []
        for flow in self._flows:
            self._block_tops.append(at)
            at += self._block_height(flow) + round(small * 0.7)
        at = max(at, tops["stage"] + board + round(small * 0.7) if board else 0)
        tops["sentence"] = at + round(small * 0.3)
        said = [len(self.small.wrap(pass_sentence(trace, frame), self.inner, SENTENCE_LINES)) for frame in self.frames]
        said[-1] += 1 if self.verdict else 0
        self._said = max(said)
        at = tops["sentence"] + round(small * 1.5 * self._said) + round(small * 0.6)
        self._timeline = Timeline(trace, self.colours, self.small, self.inner, self.scale)
        tops["timeline"] = at
        tops["legend"] = at + self._timeline.height + round(small * 0.4)
        self._legend = self._legend_rows()
        at = tops["legend"] + len(self._legend) * round(small * 2)
        tops["foot"] = at + round(small * 0.6)
        self._tops = tops
        self.size = (self.look.width, tops["foot"] + round(small * 1.9) + round(self.margin * 0.4))

    def _block_height(self, flow: BlockFlow) -> int:
        return round(self.small.size * 2.1) + flow.lines * self.line + round(self.text.size * 0.35)

    # ---- what never changes

    def _draw_fixed(self, image: Image.Image) -> None:
        trace, colours, small, margin = self.trace, self.colours, self.small, self.margin
        name = decoder_name(str(trace.decoder["name"]), trace.model)
        title = trace.extra.get("title")
        titled = isinstance(title, str) and title.strip() != ""
        words = f"{name} · {settings_words(trace)}" if titled else settings_words(trace)
        baseline = self._tops["title"] + self.title.size
        heading = " ".join(title.split()) if titled else name
        self.title.draw(image, (margin, baseline), self.title.fit(heading, self.inner), colours.ink)
        baseline += round(small.size * 1.65)
        small.draw(image, (margin, baseline), small.fit(words, self.inner), colours.soft)
        for number, line in enumerate(self._prompt):
            baseline = self._tops["prompt"] + round(small.size * (1 + 1.45 * number))
            small.draw(image, (margin, baseline), line, colours.ink)
        for number, row in enumerate(self._legend):
            self._draw_legend_row(image, row, self._tops["legend"] + number * round(small.size * 2))
        top = self._tops["foot"]
        bar(image, (margin, top, self.look.width - margin, top + 1), colours.rule)
        baseline = top + round(small.size * 1.5)
        room = self.inner - small.width(PROJECT) - small.size
        small.draw(image, (margin, baseline), small.fit(f"model: {trace.model}", room), colours.soft)
        small.draw(image, (self.look.width - margin - small.width(PROJECT), baseline), PROJECT, colours.soft)

    def _legend_rows(self) -> list[list[str]]:
        states = [s for s in STATE_WORDS if verifies(self.trace) or s not in (VERIFIED, REMASKED)]
        states = [s for s in states if self.trace.fixed or s != FIXED]
        states += [PLANTED] if self.frames[-1].marks else []
        rows: list[list[str]] = [[]]
        left = 0
        for state in states:
            width = self._legend_width(state)
            if rows[-1] and left + width > self.inner:
                rows.append([])
                left = 0
            rows[-1].append(state)
            left += width + self.small.size * 1.6
        return rows

    def _sample_width(self, state: str) -> int:
        small = self.small
        return small.size * 2 if state == MASKED else small.width("word") + (small.size * 2 if state == REMASKED else 0)

    def _legend_width(self, state: str) -> float:
        return self._sample_width(state) + self.small.size * 0.7 + self.small.width(LEGEND_WORDS[state])

    def _draw_legend_row(self, image: Image.Image, row: list[str], top: int) -> None:
        small = self.small
        left, baseline = self.margin + 2, top + round(small.size * 1.3)
        for state in row:
            width = self._sample_width(state)
            hole = round(small.size * 1.1) if state == REMASKED else width
            core = "" if state == MASKED else "word"
            item = Item(0, 0, left, width, state, core, "text", hole)
            self._legend_pen.draw(image, [(item, left)], baseline)
            words = left + width + round(small.size * 0.6)
            if state == PLANTED:
                upper, lower = box_height(baseline, small.size)
                draw_mark(image, (left, upper, left + width, lower), PLANTED, self.colours, small.size)
            small.draw(image, (words, baseline), LEGEND_WORDS[state], self.colours.soft)
            left += round(self._legend_width(state) + small.size * 1.6)

    # ---- what a pass changes

    def _changed(self, part: Any, key: Any) -> bool:
        """Whether a part has to be drawn anew."""
        if self._drawn.get(part) == key:
            return False
        self._drawn[part] = key
        return True

    def _clear(self, rect: tuple[float, float, float, float], colour: tuple | None = None) -> None:
        bar(self._canvas, rect, colour or self.colours.paper)

    def _draw_counters(self, frame: Frame) -> None:
        trace, small = self.trace, self.small
        passes = trace.forward_passes
        whole = passes and trace.mask_id not in trace.output_ids
        now = len(frame.revoked)
        counters = [
            (f"{frame.number} of {passes}", "forward passes", "passes"),
            (f"{frame.placed / frame.number:.1f}" if frame.number else "–", "tokens per pass", "per pass"),
            (str(frame.revocations), f"taken back, {now} now" if now else "taken back", "taken back"),
            (f"{trace.step_reduction:.1f}×" if whole else "–", "fewer passes, whole run", "fewer, whole run"),
        ]
        if not verifies(trace):
            del counters[2]
        step = self.inner / (len(counters) + 0.4)  # the last has the longest words
        for number, (value, words, short) in enumerate(counters):
            words = words if self.look.width >= BESIDE else short
            if not self._changed(("counter", number), (value, words)):
                continue
            left = self.margin + round(number * step)
            right = self.look.width if number == len(counters) - 1 else left + step - small.size * 0.6
            top = self._tops["counters"]
            self._clear((left, top, right, top + self.figure.size * 1.2 + small.size * 1.6))
            baseline = top + self.figure.size
            self.figure.draw(self._canvas, (left, baseline), value, self.colours.ink)
            words = small.fit(words, right - left)
            small.draw(self._canvas, (left, baseline + small.size * 1.45), words, self.colours.soft)

    def _draw_block(self, frame: Frame, block: int, flow: BlockFlow) -> None:
        trace, colours, small = self.trace, self.colours, self.small
        positions = block_range(trace, block)
        placed = sum(frame.ids[position] is not None for position in positions)
        ended = frame.number == trace.forward_passes
        if placed == len(positions):
            status, words = "done", "done"
        elif placed or (frame.number and block == frame.current):
            status = "decoding"
            words = f"{'stopped' if ended else 'decoding'} · {placed} of {len(positions)} placed"
        else:
            status = words = "waiting"
        left, top = self._text_left, self._block_tops[block]
        right = left + self._text_width
        ground = colours.well if status == "waiting" else colours.paper
        if self._changed(("block", block), status):
            edge, stroke = (colours.ink, 2) if status == "decoding" else (colours.rule, 1)
            rect = (left, top, right, top + self._block_height(flow))
            self._clear(rect)
            box(self._canvas, rect, fill=ground, edge=edge, stroke=stroke * self.scale, radius=round(11 * self.scale))
            self._drawn = {part: key for part, key in self._drawn.items() if part[:2] != ("line", block)}
            self._drawn.pop(("status", block), None)
        baseline = top + round(small.size * 1.55)
        if self._changed(("status", block), words):
            self._clear((left + self._pad, top + 4, right - self._pad, baseline + small.size * 0.4), ground)
            name = f"Block {block + 1} of {trace.blocks}" if trace.blocks > 1 else "Answer"
            self.strong.draw(self._canvas, (left + self._pad, baseline), name, colours.soft)
            words = small.fit(words, self._text_width * 0.6)
            small.draw(self._canvas, (right - self._pad - small.width(words), baseline), words, colours.soft)
        self._draw_lines(frame, block, flow, ground)

    def _draw_lines(self, frame: Frame, block: int, flow: BlockFlow, ground: tuple) -> None:
        items, fold = flow.place(frame)
        left = self._text_left + self._pad
        for line in range(flow.lines):
            inside = [item for item in items if item.line == line]
            chip = fold if fold is not None and fold.line == line else None
            marks = {item.position: frame.marks[item.position] for item in inside if item.position in frame.marks}
            if not self._changed(("line", block, line), (inside, chip, marks)):
                continue
            top = self._line_top(block, line)
            self._clear((left - 4, top, self._text_left + self._text_width - 5, top + self.line), ground)
            baseline = self._baseline(block, line)
            self._pen.draw(self._canvas, [(item, left + item.left) for item in inside], baseline)
            for item in inside:
                if item.position in marks:
                    top, bottom = box_height(baseline, self.text.size)
                    rect = (left + item.left, top, left + item.left + item.width, bottom)
                    draw_mark(self._canvas, rect, marks[item.position], self.colours, self.text.size)
            if chip is not None:
                room = self._text_width - 2 * self._pad - chip.left
                self._pen.draw_fold(self._canvas, chip, left + chip.left, baseline, room)

    def _line_top(self, block: int, line: int) -> int:
        return self._block_tops[block] + round(self.small.size * 2.1) + line * self.line

    def _baseline(self, block: int, line: int) -> int:
        return self._line_top(block, line) + round(self.line * 0.5 + self.text.size * 0.36)

    def _draw_board(self, frame: Frame) -> None:
        if not self._places:
            return
        cells = board_cells(self.trace, self._puzzle, frame, self._places)
        full = frame.number == self.trace.forward_passes and all(cell.value for cell in cells)
        faults = faulty_cells(cells) if full else set()
        if self._changed("board", (tuple(cells), tuple(faults))):
            digits = self._letters(round(self._board_size * 0.105), bold=True)
            note = self._letters(round(self._board_size * 0.045))
            picture = draw_board(cells, faults, self._board_size, self.colours, digits, note)
            beside = self._text_left > self.margin
            left = self.margin if beside else round((self.look.width - self._board_size) / 2)
            self._canvas.paste(picture, (left, self._tops["stage"]))

    def _draw_sentence(self, frame: Frame) -> None:
        small, left = self.small, self.margin
        said = pass_sentence(self.trace, frame)
        if not self._changed("sentence", said):
            return
        top = self._tops["sentence"]
        self._clear((left, top, self.look.width, top + small.size * 1.5 * self._said + 4))
        at = top + small.size
        if self.verdict and frame.number == self.trace.forward_passes:
            words, colour = self._verdict_words(self.verdict)
            self.strong.draw(self._canvas, (left, at), self.strong.fit(words, self.inner), colour)
            at += round(small.size * 1.45)
        for line in small.wrap(said, self.inner, SENTENCE_LINES):
            small.draw(self._canvas, (left, at), line, self.colours.ink)
            at += round(small.size * 1.45)

    def _verdict_words(self, verdict: Mapping[str, Any]) -> tuple[str, tuple[int, int, int]]:
        text = " ".join(str(verdict.get("text", "")).split())
        if verdict.get("correct") is False:
            return f"✗ {text}", self.colours.back_text
        if verdict.get("correct") is True and verdict.get("faithful") is not False:
            return f"✓ {text}", self.colours.verified
        return text, self.colours.ink


def _prompt_words(trace: Trace) -> str:
    """The prompt; after how many turns of a conversation it comes, for a picture has no room for them."""
    count = len(trace.earlier)
    return f"After {count} earlier turn{'' if count == 1 else 's'}: {trace.prompt}" if count else trace.prompt
