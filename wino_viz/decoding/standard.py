"""Standard decoding: the same number of tokens every pass, and what is placed stays.

    decoder = StandardSettings(tokens_per_step=4).start(canvas)

Semi-autoregressive as in LLaDA (arXiv 2502.09992, section 2.4): a pass predicts every masked position of the current
block and places the most confident, or random ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from wino_viz.decoding.base import LOW_CONFIDENCE, RANDOM, Canvas, Forward, Predictions
from wino_viz.decoding.blocks import BlockDecoder, most_confident
from wino_viz.decoding.checks import check_choice, check_whole
from wino_viz.trace import Step

REMASKING = (LOW_CONFIDENCE, RANDOM)  # LLaDA's name for the choice of what stays masked


@dataclass(frozen=True)
class StandardSettings:
    """Settings of standard decoding; ValueError for one outside its range.

    tokens_per_step  1..gen_length; the last pass of a block places what is left when this does not divide the block
    remasking        "low_confidence" places the most confident tokens, "random" those at random positions
    """

    name: ClassVar[str] = "standard"

    tokens_per_step: int = 1
    remasking: str = LOW_CONFIDENCE

    def __post_init__(self) -> None:
        check_whole("tokens_per_step", self.tokens_per_step, 1)
        check_choice("remasking", self.remasking, REMASKING)

    def start(self, canvas: Canvas) -> StandardDecoder:
        """A decoder at the start of `canvas`; ValueError where tokens_per_step is above its gen_length."""
        check_whole("tokens_per_step", self.tokens_per_step, 1, canvas.gen_length)
        return StandardDecoder(self, canvas)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


class StandardDecoder(BlockDecoder):
    """Standard decoding at work on one prompt; made by `StandardSettings.start`."""

    def __init__(self, settings: StandardSettings, canvas: Canvas) -> None:
        self.settings = settings
        super().__init__(canvas)

    def _next_request(self) -> Forward:
        return self._forward(self._sequence.copy(), self.prompt_length + self._masked())

    def _apply(self, predictions: Predictions) -> Step:
        masked = self._masked()
        count = min(self.settings.tokens_per_step, len(masked))
        if self.settings.remasking == RANDOM:
            # A generator of this pass alone: what is drawn does not depend on what was drawn before.
            chosen = np.random.default_rng((self.seed, self.passes)).permutation(len(masked))[:count]
        else:
            chosen = most_confident(self._ranked_by(predictions), count)
        return Step(self.block, **self._draft(masked, chosen, predictions)._asdict())
