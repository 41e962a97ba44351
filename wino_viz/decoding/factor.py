"""Decoding by the factor rule: the more tokens a pass places at once, the surer each of them must be.

    decoder = FactorSettings(f=1.0).start(canvas)

The second rule of Fast-dLLM (arXiv 2505.22618), which puts a bar for every rank in the place of one threshold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from wino_viz.decoding.base import Canvas, Forward, Predictions, check_number
from wino_viz.decoding.blocks import BlockDecoder, most_confident
from wino_viz.trace import FORCED_DRAFT, Step

MAX_FACTOR = 100  # far above any use: from f = block_length + 1 on, a pass fills the block
BAR_DECIMALS = 9  # finer than a confidence's 6, so that 1 - 0.3/3 is 0.9 and not a float's width above


@dataclass(frozen=True)
class FactorSettings:
    """Settings of the factor rule; ValueError for one outside its range.

    f  0..100; the n most confident tokens are placed together when the k-th of them, for every k from 2 to n, has a
       confidence of at least 1 - f/(k+1); the most confident always
    """

    name: ClassVar[str] = "factor"

    f: float = 1.0

    def __post_init__(self) -> None:
        check_number("f", self.f, 0, MAX_FACTOR)

    def start(self, canvas: Canvas) -> FactorDecoder:
        """A decoder at the start of `canvas`."""
        return FactorDecoder(self, canvas)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


class FactorDecoder(BlockDecoder):
    """The factor rule at work on one prompt; made by `FactorSettings.start`."""

    def __init__(self, settings: FactorSettings, canvas: Canvas) -> None:
        self.settings = settings
        super().__init__(canvas)

    def _next_request(self) -> Forward:
        return self._forward(self._sequence.copy(), self.prompt_length + self._masked())

    def _apply(self, predictions: Predictions) -> Step:
        chosen = choose_ranks(self._ranked_by(predictions), self.settings.f)
        forced = len(chosen) == 1 and predictions.confidence[chosen[0]] < bars(1, self.settings.f)[0]
        draft = self._draft(self._masked(), chosen, predictions)
        return Step(self.block, **draft._asdict(), limits=(FORCED_DRAFT,) if forced else ())


def bars(ranks: int, f: float) -> np.ndarray:
    """(ranks,) the confidence that ranks 1, 2, … need: 1 - f/(rank+1)."""
    return (1 - f / np.arange(2, ranks + 2)).round(BAR_DECIMALS)


def choose_ranks(confidence: np.ndarray, f: float) -> np.ndarray:
    """Which masked positions to place: indices into `confidence`, the most confident first.

    confidence (n,) 0..1, n >= 1. Ranks are gone through from the second on until one is below its bar; the first is
    placed whatever its confidence. Where the rank that fails is the last of all, it is placed, too: so the published
    code does, and so the last two masks of a block always go together.
    """
    ranked = most_confident(confidence, len(confidence))
    failed = 1 + np.flatnonzero(confidence[ranked[1:]] < bars(len(ranked), f)[1:])
    count = failed[0] if len(failed) else len(ranked)
    return ranked if count == len(ranked) - 1 else ranked[:count]
