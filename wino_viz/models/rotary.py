"""Rotary positions in float32 whatever the type of the weights, as LLaDA's published code computes them.

    full_precision_rotary(model)

transformers casts cosines and sines to the type of the weights and turns q and k in it. With LLaDA's `rope_full_precision`
q, k, cosines and sines are float32 and only the turned q and k are cast back. Here the cosines and sines stay float32, so
the products of transformers' own code are, and attention gets q and k in the type of v. In float32 both are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

ATTENTION = "sdpa_after_float32_rotary"


class Float32Rotary(LlamaRotaryEmbedding):
    """Cosines and sines (B, T, head_dim) in float32."""

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super().forward(torch.empty(0, dtype=torch.float32, device=x.device), position_ids)


def full_precision_rotary(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """Let a model turn q and k in float32; one of float32 weights does so already and stays as it is."""
    if model.dtype == torch.float32:
        return model
    device = model.model.rotary_emb.inv_freq.device
    model.model.rotary_emb = Float32Rotary(config=model.config).to(device)
    AttentionInterface.register(ATTENTION, _attention)
    model.config._attn_implementation = ATTENTION
    return model


def _attention(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **more: Any
) -> tuple[torch.Tensor, None]:
    return sdpa_attention_forward(module, query.to(value.dtype), key.to(value.dtype), value, *args, **more)
