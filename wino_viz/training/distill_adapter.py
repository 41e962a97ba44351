"""LoRA adapters in training: put into a model by peft, written with LLaDA's names. `models/adapter.py` reads them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import LlamaForCausalLM

from wino_viz.evaluation import write_whole
from wino_viz.models.adapter import CONFIG_FILE, PREFIX, WEIGHTS_FILE
from wino_viz.models.llada import llada_name
from wino_viz.training.distill_recipe import ALL_TARGETS, Recipe


def add_lora(model: LlamaForCausalLM, recipe: Recipe) -> tuple[nn.Module, LoraConfig]:
    """Freeze the model and put an adapter into it (in place); returns peft's wrapper and its configuration."""
    config = LoraConfig(
        r=recipe.lora,
        lora_alpha=recipe.lora if recipe.lora_alpha is None else recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets),
        bias="none",
    )
    return get_peft_model(model, config), config


def save_adapter(wrapped: nn.Module, config: LoraConfig, base: str, folder: Path) -> None:
    """Write an adapter in peft's format with LLaDA's names, so that it also fits the published LLaDA code."""

    def renamed(module: str) -> str:
        return llada_name(f"{module}.").removesuffix(".")

    state = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    tensors = {
        PREFIX + llada_name(name.removeprefix(PREFIX)): tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in state.items()
    }
    parts = {name: "mlp" if name in ("gate_proj", "up_proj", "down_proj") else "self_attn" for name in ALL_TARGETS}
    targets = sorted(
        renamed(f"model.layers.0.{parts[name]}.{name}").rpartition(".")[2] for name in config.target_modules
    )
    told = config.to_dict() | {
        "base_model_name_or_path": base,
        "inference_mode": True,
        # A pattern, because LLaDA's head has the name of its down projections.
        "target_modules": rf"model\.transformer\.blocks\.\d+\.({'|'.join(targets)})",
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    plain = {key: value for key, value in told.items() if isinstance(value, str | int | float | list | dict | None)}
    write_whole(folder / CONFIG_FILE, json.dumps(plain, indent=2))
