"""The denoiser: the only place that runs the model. Forwards in, Predictions out.

The backbone runs on the whole sequence, the language-model head on the requested rows only, and one small tensor is
copied to the host per call. Several Forwards go through in one batch: they are padded on the left and every row keeps
its own mask and positions, so each gives what it would give alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from wino_viz.decoding.base import NO_TOKEN, Forward, Predictions

ALTERNATIVES = 5  # the most probable tokens kept per row
# Decoders compare and record the same rounded probabilities. Below this, float32 differs with batch and machine, and
# saturated confidences would be ordered by noise.
DECIMALS = 6


class Denoiser:
    """Runs a bidirectional model on its own device.

    mask_id is never chosen and takes no part in the probabilities (it is never a target in training; only a model with
    random weights would notice). arrange lays a Forward out for a model whose rows don't predict their own positions
    (`next_position.py`); None where they do.
    """

    def __init__(
        self, model: PreTrainedModel, mask_id: int, arrange: Callable[[Forward], Forward] | None = None
    ) -> None:
        self.model = model
        self.mask_id = mask_id
        self.arrange = arrange
        self.device = model.device
        self._attention: tuple[np.ndarray, torch.Tensor] | None = None  # the last mask and its copy on the device

    @torch.inference_mode()
    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        """One batched forward pass; the answers come in the order of `forwards`."""
        if self.arrange is not None:
            forwards = [self.arrange(forward) for forward in forwards]
        longest = max(len(f.ids) for f in forwards)
        pads = [longest - len(f.ids) for f in forwards]
        ids = torch.full((len(forwards), longest), self.mask_id)  # (B, T)
        positions = torch.zeros((len(forwards), longest), dtype=torch.long)
        for n, (forward, pad) in enumerate(zip(forwards, pads, strict=True)):
            ids[n, pad:] = torch.tensor(forward.ids)
            own = np.arange(len(forward.ids)) if forward.position_ids is None else forward.position_ids
            positions[n, pad:] = torch.tensor(own)
        hidden = self.model.model(
            input_ids=ids.to(self.device),
            position_ids=positions.to(self.device),
            attention_mask=self._mask(forwards, pads, longest),
            use_cache=False,
        ).last_hidden_state  # (B, T, d)

        batch = np.repeat(np.arange(len(forwards)), [len(f.rows) for f in forwards])
        rows = np.concatenate([f.rows + pad for f, pad in zip(forwards, pads, strict=True)])
        given = np.concatenate([f.given for f in forwards])
        where = torch.from_numpy(np.stack([batch, rows, given])).to(
            hidden.device
        )  # of a model spread over GPUs: the last
        logits = self.model.lm_head(hidden[where[0], where[1]]).float()  # (R, V)
        packed = self._read(logits, where[2].to(logits.device), forwards).cpu().numpy()  # the one copy to the host

        answers, start = [], 0
        for forward in forwards:
            part = packed[start : start + len(forward.rows)]
            start += len(forward.rows)
            k = (part.shape[1] - 3) // 2
            answers.append(
                Predictions(
                    ids=part[:, 0].astype(np.int64),
                    confidence=part[:, 1].round(DECIMALS),
                    given_probability=part[:, 2].round(DECIMALS),
                    top_ids=part[:, 3 : 3 + k].astype(np.int64),
                    top_probabilities=part[:, 3 + k :].round(DECIMALS),
                )
            )
        return answers

    def _read(self, logits: torch.Tensor, given: torch.Tensor, forwards: Sequence[Forward]) -> torch.Tensor:
        """(R, 3 + 2k) float64: chosen id, its probability, the given token's probability, top ids, top probabilities.

        Probabilities by log-sum-exp in float32; ids are exact in float64.
        """
        logits[:, self.mask_id] = -torch.inf
        log_z = logits.logsumexp(-1, keepdim=True)
        top, top_ids = logits.topk(min(ALTERNATIVES, logits.shape[-1] - 1), dim=-1)
        chosen = logits.argmax(-1, keepdim=True)
        start = 0
        for forward in forwards:
            part = slice(start, start + len(forward.rows))
            start = part.stop
            if forward.temperature > 0:
                chosen[part] = sample(logits[part], forward.temperature, forward.seed)
        judged = given.clamp(min=0)[:, None]
        given_p = (logits.gather(-1, judged) - log_z).exp().masked_fill((given == NO_TOKEN)[:, None], 0.0)
        confidence = (logits.gather(-1, chosen) - log_z).exp()
        parts = (chosen, confidence, given_p, top_ids, (top - log_z).exp())
        return torch.cat([part.double() for part in parts], dim=-1)

    def _mask(self, forwards: Sequence[Forward], pads: list[int], longest: int) -> torch.Tensor | None:
        """(B, 1, T, T) bool, True where a row may attend; None when all see all. Pads see only each other."""
        if len(forwards) == 1:
            return self._single_mask(forwards[0].attention)
        if not any(pads) and all(f.attention is None for f in forwards):
            return None
        mask = torch.zeros((len(forwards), 1, longest, longest), dtype=torch.bool)
        for n, (forward, pad) in enumerate(zip(forwards, pads, strict=True)):
            mask[n, 0, :pad, :pad] = True  # a row that sees nothing would be NaN
            mask[n, 0, pad:, pad:] = True if forward.attention is None else torch.tensor(forward.attention)
        return mask.to(self.device)

    def _single_mask(self, attention: np.ndarray | None) -> torch.Tensor | None:
        """The mask of one Forward on the device, kept while the decoder passes the same object (a whole block)."""
        if attention is None:
            return None
        cached = self._attention  # read once: several threads may decode with this denoiser
        if cached is None or cached[0] is not attention:
            cached = self._attention = (attention, torch.tensor(attention, device=self.device)[None, None])
        return cached[1]


def sample(logits: torch.Tensor, temperature: float, seed: int) -> torch.Tensor:
    """(R, 1) ids drawn from softmax(logits / temperature) with Gumbel noise in float64, as LLaDA does.

    arg-max of logits + temperature · g with g = −log(−log u): the logarithm of exp(logits) / (−log u)^temperature.
    """
    generator = torch.Generator(logits.device).manual_seed(seed)
    noise = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=torch.float64)
    gumbel = -torch.log(-torch.log(noise.clamp(min=1e-300)))
    return (logits.double() + temperature * gumbel).argmax(-1, keepdim=True)
