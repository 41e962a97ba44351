"""Synthetic sudoku traces: WINO's real rules on scripted predictions, in the embedded model's own tokens.

    python -m tests.sudoku_trace OUT.html [--wrong]      a page of its own, to look at

In the script two cells draft a wrong digit while little is known: row 2, column 2 a 3 (row 4 has one in that column), and
row 4, column 1 a 4 (row 3 has one). Both are taken back a pass later, unless the script is told to end wrong.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from wino_viz.decoding import Canvas, Settings, WinoSettings, decode, record
from wino_viz.decoding.base import NO_TOKEN, Forward, Predictions
from wino_viz.tasks.sudoku import question
from wino_viz.trace import Trace, shown_ids

PUZZLE, SOLUTION = "3102200002100320", "3142243142131324"
RECORD = {"task": "sudoku", "puzzle": PUZZLE, "solution": SOLUTION}
END, MASK = 1, 5
LENGTH = 32
FIRST_WRONG, SECOND_WRONG = 5, 12  # the cells that draft a wrong digit first
WRONG = {FIRST_WRONG: "3", SECOND_WRONG: "4"}
# cell: the pass that drafts it (from 1), and how sure it is; all others are given and drafted at once
DRAFTS = {
    2: (1, 0.97),
    5: (1, 0.66),
    8: (1, 0.72),
    7: (2, 0.81),
    11: (2, 0.88),
    12: (2, 0.64),
    15: (2, 0.7),
    6: (3, 0.93),
}
AGAIN = {5: (3, 0.95), 12: (4, 0.99)}


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(Path(__file__).parents[1] / "assets" / "models" / "llada-mini" / "tokenizer.json"))


def token_id(text: str) -> int:
    (found,) = tokenizer().encode(text, add_special_tokens=False).ids
    return found


class SudokuModel:
    """Fills the cells by the script; `ends_wrong`: it never doubts what it wrote."""

    def __init__(self, prompt_length: int, ends_wrong: bool = False) -> None:
        self.start, self.ends_wrong, self.passes = prompt_length, ends_wrong, 0

    def predict(self, forwards: list[Forward]) -> list[Predictions]:
        (forward,) = forwards
        self.passes += 1
        rows = []
        for row, given in zip(forward.rows.tolist(), forward.given.tolist(), strict=True):
            place = row if forward.position_ids is None else int(forward.position_ids[row])
            rows.append(self._row(place - self.start, given))
        ids, confidence, judged, top_ids, top = (np.array(column) for column in zip(*rows, strict=True))
        return [Predictions(ids, confidence, judged, top_ids, top)]

    def _row(self, position: int, given: int) -> tuple:
        digit, sure = self._guess(position)
        chosen = END if digit is None else token_id(digit)
        others = [token_id(other) for other in "1234" if token_id(other) != chosen][:3]
        right = END if position >= len(SOLUTION) else token_id(SOLUTION[position])
        if right in others:
            others = [right, *(other for other in others if other != right)]
        rest = 1 - sure
        top = [(chosen, sure), *zip(others, (round(rest * share, 6) for share in (0.7, 0.2, 0.05)), strict=True)]
        judged = 0.0 if given == NO_TOKEN else 0.98 if given == right or self.ends_wrong else 0.14
        return chosen, sure, judged, [i for i, _ in top], [p for _, p in top]

    def _guess(self, position: int) -> tuple[str | None, float]:
        if position >= len(SOLUTION):
            return None, 0.62 if self.passes > 1 else 0.5
        if PUZZLE[position] != "0":
            return SOLUTION[position], 0.99
        number, sure = DRAFTS[position]
        if position in WRONG and (self.ends_wrong or self.passes <= number):
            return WRONG[position], sure if self.passes >= number else 0.4
        number, sure = AGAIN.get(position, (number, sure))
        return SOLUTION[position], sure if self.passes >= number else 0.45


def sudoku_trace(settings: Settings | None = None, *, ends_wrong: bool = False, problem: dict | None = RECORD) -> Trace:
    """A whole trace that carries the record `problem` (None: no record)."""
    settings = settings or WinoSettings()
    prompt = question(RECORD)
    prompt_ids = tuple(tokenizer().encode(prompt, add_special_tokens=False).ids)
    canvas = Canvas(prompt_ids, MASK, LENGTH, LENGTH)
    decoder = settings.start(canvas)
    steps = [made.step for made in decode(decoder, SudokuModel(len(prompt_ids), ends_wrong))]
    trace = record(
        model="scripted",
        settings=settings,
        canvas=canvas,
        prompt=prompt,
        steps=steps,
        pieces={i: tokenizer().decode([i], skip_special_tokens=False) for i in shown_ids(steps)},
        text=tokenizer().decode([int(i) for i in decoder.canvas]),
        end_ids=(END,),
        timing={"model_seconds": 0.02 * len(steps), "per_pass": [0.02] * len(steps)},
    )
    return replace(trace, extra={"record": problem} if problem else {})


if __name__ == "__main__":
    from wino_viz.ui.messages import trace_message
    from wino_viz.ui.standalone import standalone_page

    message = trace_message(sudoku_trace(ends_wrong="--wrong" in sys.argv))
    Path(sys.argv[1]).write_text(standalone_page(message), encoding="utf-8")
