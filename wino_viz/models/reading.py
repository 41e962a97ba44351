"""From logits to what a decoder is told: chosen token, its probability, that of a given token, the most probable tokens."""

from __future__ import annotations

import torch

from wino_viz.decoding.base import NO_TOKEN
from wino_viz.models.kernels import CHUNK, chunk_maxima, read_fused

ALTERNATIVES = 5  # the most probable tokens kept per row
MANY_TOKENS = 16 * CHUNK  # of a vocabulary: from here on the top is found in two stages


def read(
    logits: torch.Tensor, given: torch.Tensor, mask_id: int, chosen: torch.Tensor | None = None, *, fused: bool = False
) -> torch.Tensor:
    """(R, 3 + 2k) float64: chosen id, its probability, the given token's probability, top ids, top probabilities.

    logits (R, V), given (R,) a token or NO_TOKEN. chosen (R,) ids, the most probable where None. Probabilities by
    log-sum-exp in float32; ids are exact in float64. Column mask_id takes no part.
    """
    if fused and chosen is None and logits.shape[-1] >= MANY_TOKENS:
        return read_fused(logits, given, ALTERNATIVES, mask_id)
    log_z, top, top_ids = highest(logits, min(ALTERNATIVES, logits.shape[-1] - 1), mask_id)
    judged = given.clamp(min=0)[:, None]
    given_p = _probability(logits, judged, log_z).masked_fill(((given == NO_TOKEN) | (given == mask_id))[:, None], 0.0)
    top_p = (top - log_z).exp()
    if chosen is None:
        chosen, confidence = top_ids[:, :1], top_p[:, :1]
    else:
        chosen = chosen[:, None]
        confidence = _probability(logits, chosen, log_z)
    parts = (chosen, confidence, given_p, top_ids, top_p)
    return torch.cat([part.double() for part in parts], dim=-1)


def _probability(logits: torch.Tensor, ids: torch.Tensor, log_z: torch.Tensor) -> torch.Tensor:
    return (logits.gather(-1, ids).float() - log_z).exp()


def highest(logits: torch.Tensor, k: int, mask_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(log-sum-exp (R, 1), the k highest logits (R, k), their ids (R, k)) of (R, V), in float32, without column mask_id.

    Sorting a row of 126,464 logits costs more than a layer of the model. But the k highest lie in the k chunks of columns with
    the highest maxima: one pass finds those (and the sum), and only they are sorted.
    """
    if logits.shape[-1] < MANY_TOKENS:
        wide = logits.float().clone() if logits.dtype == torch.float32 else logits.float()
        wide[:, mask_id] = -torch.inf
        return wide.logsumexp(-1, keepdim=True), *wide.topk(k, dim=-1)
    maxima, sums = chunk_maxima(logits, mask_id)  # (R, C)
    best = maxima.amax(-1, keepdim=True)
    log_z = best + (sums * (maxima - best).exp()).sum(-1, keepdim=True).log()
    chunks = maxima.topk(k, dim=-1).indices  # (R, k)
    ids = (chunks[..., None] * CHUNK + torch.arange(CHUNK, device=logits.device)).flatten(1)  # (R, k * CHUNK)
    outside = (ids >= logits.shape[-1]) | (ids == mask_id)
    found = logits.gather(-1, ids.clamp(max=logits.shape[-1] - 1)).float().masked_fill(outside, -torch.inf)
    top, where = found.topk(k, dim=-1)
    return log_z, top, ids.gather(-1, where)


def sample(logits: torch.Tensor, temperature: float, seed: int, mask_id: int) -> torch.Tensor:
    """(R,) ids drawn from softmax(logits / temperature) with Gumbel noise in float64, as LLaDA does. Never mask_id.

    arg-max of logits + temperature · g with g = −log(−log u): the logarithm of exp(logits) / (−log u)^temperature.
    """
    generator = torch.Generator(logits.device).manual_seed(seed)
    noise = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=torch.float64)
    gumbel = -torch.log(-torch.log(noise.clamp(min=1e-300)))
    scores = logits.double() + temperature * gumbel
    scores[:, mask_id] = -torch.inf
    return scores.argmax(-1)
