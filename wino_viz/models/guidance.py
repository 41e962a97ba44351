"""Passes that change the logits before anything is read from them: classifier-free guidance, and ids that are left out.

    sequences = with_guidance(forwards, mask_id)       what goes through the model
    logits = changed(forward, with_prompt, without)    (R, V) of one pass

Guidance as published for LLaDA (arXiv 2502.09992): the same sequence once more with its prompt masked (a picture, too), and

    logits = without + (scale + 1) * (with - without)

A shadow block goes along in both: what it judges is judged by the guided logits, as drafts are chosen by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from wino_viz.decoding.base import Forward


def changes_logits(forward: Forward) -> bool:
    """Whether a pass has to go this way."""
    return bool(forward.guidance or forward.banned)


def with_guidance(forwards: Sequence[Forward], mask_id: int) -> list[Forward]:
    """Each pass, and behind one with guidance the same without its prompt."""
    sequences = []
    for forward in forwards:
        sequences.append(forward)
        if forward.guidance:
            ids = forward.ids.copy()
            ids[: forward.prompt_length] = mask_id
            sequences.append(replace(forward, ids=ids))
    return sequences


def changed(forward: Forward, conditional: torch.Tensor, unconditional: torch.Tensor | None) -> torch.Tensor:
    """(R, V) float32 logits of a pass from those of its sequence and, with guidance, of that without the prompt."""
    logits = conditional.float()
    if unconditional is not None:
        without = unconditional.float()
        logits = without + (forward.guidance + 1) * (logits - without)
    if forward.banned:
        logits = logits.clone()
        logits[:, list(forward.banned)] = -torch.inf
    return logits
