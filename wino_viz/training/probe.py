"""What a training run decodes on the way, to see how far it is."""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from wino_viz.decoding.base import Canvas
from wino_viz.decoding.drive import decode_many
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.models.denoiser import Denoiser
from wino_viz.training import tokenizer as tokens

IN_FLIGHT = 256


@torch.no_grad()
def decode_texts(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[list[int]], **lengths: int
) -> tuple[list[str], float]:
    """Answers to prompts by threshold decoding at 0.9, and the mean number of passes.

    lengths: gen_length and block_length, in tokens. The model is left in training mode.
    """
    mask_id = tokenizer.convert_tokens_to_ids(tokens.MASK)
    canvases = [Canvas(prompt_ids=prompt, mask_id=mask_id, **lengths) for prompt in prompts]
    decoders = [ThresholdSettings(tau=0.9).start(canvas) for canvas in canvases]
    with torch.compiler.set_stance("force_eager"):
        passes = sum(1 for _ in decode_many(decoders, Denoiser(model.eval(), mask_id), in_flight=IN_FLIGHT))
    model.train()
    texts = [
        tokenizer.decode([i for i in decoder.canvas if i < len(tokenizer)], skip_special_tokens=True)
        for decoder in decoders
    ]
    return texts, passes / len(prompts)
