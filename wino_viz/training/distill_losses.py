"""The three loss terms of WINO+ (arXiv 2605.16941): learn the trajectory's tokens, surely, and doubt one's own mistakes.

    L_tok    mean cross-entropy on the target positions (the tokens that the trajectory's next pass placed)
    L_sharp  mean entropy on targets that are predicted rightly with confidence below 0.9: be surer there
    L_defer  minus the mean entropy on masked positions of the block that are no targets and predicted wrongly with
             confidence above 0.6: be less sure there, so that a threshold leaves them for later

Entropies are over the whole vocabulary, in nats. A mean is over the positions of one example, and then over examples:
a batch of 8 gives what the published batches of 1, accumulated 8 times, give. A term without a position is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F

from wino_viz.decoding.base import check_number

SHARP_BELOW, DEFER_ABOVE = 0.9, 0.6  # published confidences
MAX_WEIGHT = 1000


@dataclass(frozen=True)
class Weights:
    """What each term counts; the defaults are the published ones. ValueError outside 0..1000, thresholds 0..1."""

    tok: float = 1.0
    sharp: float = 0.1
    defer: float = 1.0
    sharp_below: float = SHARP_BELOW
    defer_above: float = DEFER_ABOVE

    def __post_init__(self) -> None:
        for name in ("tok", "sharp", "defer"):
            check_number(f"the weight of L_{name}", getattr(self, name), 0, MAX_WEIGHT)
        for name in ("sharp_below", "defer_above"):
            check_number(name, getattr(self, name), 0, 1)


class Terms(NamedTuple):
    """The terms, unweighted, and what they rest on (means over the examples), all scalars.

    right   share of targets whose arg-max is the token
    sharp_positions, defer_positions   how many positions of an example a term acts on
    """

    tok: torch.Tensor
    sharp: torch.Tensor
    defer: torch.Tensor
    right: torch.Tensor
    sharp_positions: torch.Tensor
    defer_positions: torch.Tensor

    def loss(self, weights: Weights) -> torch.Tensor:
        return weights.tok * self.tok + weights.sharp * self.sharp + weights.defer * self.defer


def loss_terms(
    logits: torch.Tensor,
    labels: torch.Tensor,
    is_target: torch.Tensor,
    example: torch.Tensor,
    examples: int,
    weights: Weights,
) -> Terms:
    """The terms of a batch, from the masked positions of the current blocks: N of them, of all examples together.

    logits (N, V) float; labels (N,) the final tokens; is_target (N,) bool; example (N,) 0..examples-1, to which each
    belongs. Only `weights`' two thresholds are read here.
    """
    log_p = F.log_softmax(logits.float(), dim=-1)  # (N, V)
    entropy = -(log_p.exp() * log_p).sum(-1)  # (N,)
    confidence, said = log_p.detach().max(-1)
    confidence, right = confidence.exp(), said == labels
    sharp = is_target & right & (confidence < weights.sharp_below)
    defer = ~is_target & ~right & (confidence > weights.defer_above)

    def count(chosen: torch.Tensor) -> torch.Tensor:
        return log_p.new_zeros(examples).index_add_(0, example, chosen.to(log_p.dtype))

    def mean(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        sums = log_p.new_zeros(examples).index_add(0, example, values * chosen)
        return (sums / count(chosen).clamp(min=1)).mean()

    losses = -log_p.gather(-1, labels[:, None])[:, 0]
    return Terms(
        tok=mean(losses, is_target),
        sharp=mean(entropy, sharp),
        defer=-mean(entropy, defer),
        right=mean(right.to(log_p.dtype), is_target),
        sharp_positions=count(sharp).mean(),
        defer_positions=count(defer).mean(),
    )
