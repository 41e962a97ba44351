"""Threshold decoding: every token the model is sure enough of, at once, and what is placed stays.

    decoder = ThresholdSettings(tau=0.9).start(canvas)

The rule of Fast-dLLM (arXiv 2505.22618), which is also how WINO+ models are run (arXiv 2605.16941).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from wino_viz.decoding.base import Canvas, Forward, Predictions, check_number
from wino_viz.decoding.blocks import BlockDecoder, most_confident
from wino_viz.trace import FORCED_DRAFT, Step


@dataclass(frozen=True)
class ThresholdSettings:
    """Settings of threshold decoding; ValueError for one outside its range.

    tau  0..1; a token is placed when its confidence is at least this, and the most confident always
    """

    name: ClassVar[str] = "threshold"

    tau: float = 0.9

    def __post_init__(self) -> None:
        check_number("tau", self.tau, 0, 1)

    def start(self, canvas: Canvas) -> ThresholdDecoder:
        """A decoder at the start of `canvas`."""
        return ThresholdDecoder(self, canvas)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


class ThresholdDecoder(BlockDecoder):
    """Threshold decoding at work on one prompt; made by `ThresholdSettings.start`."""

    def __init__(self, settings: ThresholdSettings, canvas: Canvas) -> None:
        self.settings = settings
        super().__init__(canvas)

    def _next_request(self) -> Forward:
        return self._forward(self._sequence.copy(), self.prompt_length + self._masked())

    def _apply(self, predictions: Predictions) -> Step:
        confidence = self._ranked_by(predictions)
        chosen = np.flatnonzero(confidence >= self.settings.tau)
        forced = not len(chosen)
        if forced:
            chosen = most_confident(confidence, 1)
        draft = self._draft(self._masked(), chosen, predictions)
        return Step(self.block, **draft._asdict(), limits=(FORCED_DRAFT,) if forced else ())
