"""Prophet: decode one token a pass until the model knows its answer, then place all the rest at once.

    decoder = ProphetSettings(gap_early=7.5, gap_middle=5.0, gap_late=2.5).start(canvas)

Early commit (arXiv 2508.19982). Each pass first looks at the few positions where the answer stands. There, how far is
the most probable token ahead of the second? Where the gap of their logits, on average, is large enough (less is asked
the longer decoding has gone on), every mask of the whole canvas takes its most probable token, later blocks too, and
that is the end. Else the pass places the most confident token of the block, as standard decoding does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from wino_viz.decoding.base import Canvas, Forward, Predictions, check_number, check_whole
from wino_viz.decoding.blocks import BlockDecoder, most_confident
from wino_viz.trace import MAX_GEN_LENGTH, Step

MAX_GAP = 100  # above what a gap can be (see `gaps`), so that a decoder may be told never to commit early
EARLY_UNTIL, MIDDLE_UNTIL = 0.33, 0.67  # of the passes that one token a pass would take: where less begins to be asked
AT_THE_END = -1  # in answer_start: the answer ends where the text does
LEAST = 5e-7  # half the last of the 6 decimals of a probability: what a probability of 0 may be at most
GAP_DECIMALS = 6  # of the mean gap, which is compared and recorded alike


@dataclass(frozen=True)
class ProphetSettings:
    """Settings of Prophet; ValueError for one outside its range.

    The mean gap that commits, 0..100 (of natural logarithms; above 14.5 never, see `gaps`), and the share of decoding,
    passes made of gen_length, for which it holds:

    gap_early   below 0.33
    gap_middle  below 0.67
    gap_late    from then on

    answer_start   0..gen_length-1: the position where the answer starts. Published set-ups force words such as "The
                   answer is" onto fixed positions and so know it. Nothing is forced here; -1, the default, takes the
                   positions right before the end of the text as each pass would have it: before the run of one
                   repeated token (two or more) with which the canvas ends, where masks count as their most probable
                   token.
    answer_length  >= 1: how many positions are looked at; fewer where the canvas ends before
    """

    name: ClassVar[str] = "prophet"

    gap_early: float = 7.5
    gap_middle: float = 5.0
    gap_late: float = 2.5
    answer_start: int = AT_THE_END
    answer_length: int = 5

    def __post_init__(self) -> None:
        check_number("gap_early", self.gap_early, 0, MAX_GAP)
        check_number("gap_middle", self.gap_middle, 0, MAX_GAP)
        check_number("gap_late", self.gap_late, 0, MAX_GAP)
        check_whole("answer_start", self.answer_start, AT_THE_END, MAX_GEN_LENGTH - 1)
        check_whole("answer_length", self.answer_length, 1, MAX_GEN_LENGTH)

    def needed(self, progress: float) -> float:
        """The mean gap that commits at `progress`, the passes made so far over gen_length (0 in the first pass)."""
        if progress < EARLY_UNTIL:
            return self.gap_early
        return self.gap_middle if progress < MIDDLE_UNTIL else self.gap_late

    def start(self, canvas: Canvas) -> ProphetDecoder:
        """A decoder at the start of `canvas`; ValueError where answer_start is beyond its end."""
        check_whole("answer_start", self.answer_start, AT_THE_END, canvas.gen_length - 1)
        return ProphetDecoder(self, canvas)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


class ProphetDecoder(BlockDecoder):
    """Prophet at work on one prompt; made by `ProphetSettings.start`.

    Each step holds, as `extra`, what it went by: "gap" and "gap_needed" (committed where the gap is at least that) and
    "answer", [start, stop) of the positions looked at.
    """

    def __init__(self, settings: ProphetSettings, canvas: Canvas) -> None:
        self.settings = settings
        super().__init__(canvas)

    def _positions(self) -> np.ndarray:
        """(gen_length,) every position, the masked ones first (so those of the current block lead), each in order."""
        return np.argsort(self._tokens != self.mask_id, kind="stable")

    def _next_request(self) -> Forward:
        return self._forward(self._sequence.copy(), self.prompt_length + self._positions())

    def _apply(self, predictions: Predictions) -> Step:
        positions = self._positions()
        masked = positions[: np.count_nonzero(self._tokens == self.mask_id)]
        in_order = np.argsort(positions)  # row of each position
        likeliest = np.where(self._tokens == self.mask_id, predictions.top_ids[in_order, 0], self._tokens)
        answer = answer_span(likeliest, self.settings.answer_start, self.settings.answer_length)
        gap = round(float(gaps(predictions)[in_order][answer].mean()), GAP_DECIMALS)
        needed = self.settings.needed(self.passes / self.gen_length)

        if gap >= needed:
            # The most probable tokens, also at a temperature above 0.
            predictions = replace(
                predictions, ids=predictions.top_ids[:, 0], confidence=predictions.top_probabilities[:, 0]
            )
            chosen = np.arange(len(masked))
        else:
            chosen = most_confident(self._ranked_by(predictions), 1)
        draft = self._draft(masked, chosen, predictions)
        why = {"gap": gap, "gap_needed": needed, "answer": [answer.start, answer.stop]}
        return Step(self.block, **draft._asdict(), extra=why)


def answer_span(likeliest: np.ndarray, start: int, length: int) -> slice:
    """The positions of the answer, from `start` or (-1) right before the run of one token that ends `likeliest`.

    likeliest (gen_length,) the token that stands at each position or is most probable there. At the end of a canvas
    without such a run, the last `length` positions; in one that is nothing else, the first.
    """
    if start == AT_THE_END:
        others = np.flatnonzero(likeliest != likeliest[-1])
        stop = others[-1] + 1 if len(others) else 0
        if stop == len(likeliest) - 1:  # a single token is no run
            stop += 1
        start = max(0, int(stop) - length)
    return slice(start, min(start + length, len(likeliest)))


def gaps(predictions: Predictions) -> np.ndarray:
    """(R,) >= 0: the logit of each row's most probable token minus that of the second, noise-free.

    That is the difference of the logarithms of their probabilities. Those are rounded: one of 0 counts as 5e-7, so that
    no gap is above 14.5. Raises ValueError for predictions of a single token a row.
    """
    if predictions.top_probabilities.shape[1] < 2:
        raise ValueError("Prophet compares the two most probable tokens of each row, but the predictions hold one")
    first, second = np.log(np.maximum(predictions.top_probabilities[:, :2], LEAST)).T
    return first - second
