"""LoRA adapters in peft's format, applied to a model without peft: W + scale · B A.

    load_checkpoint("runs/adapter")      a folder with adapter_config.json and adapter_model.safetensors: the base model
                                         that adapter_config.json names, with the adapter merged into its weights

Tensors may have LLaDA's names (`base_model.model.model.transformer.blocks.N.q_proj.lora_A.weight`, as peft writes them for
the published LLaDA code, and as this project does) or those of transformers' Llama. Only plain LoRA: what would load and
silently compute something else is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from wino_viz.models.adapter_files import is_adapter, read_adapter_config
from wino_viz.models.files import ADAPTER_FILE, ADAPTER_WEIGHTS_FILE, CheckpointError, read_header
from wino_viz.models.llada import llada_name

CONFIG_FILE, WEIGHTS_FILE = ADAPTER_FILE, ADAPTER_WEIGHTS_FILE
PREFIX = "base_model.model."  # that peft puts before every name

__all__ = ["CONFIG_FILE", "PREFIX", "WEIGHTS_FILE", "apply_adapter", "is_adapter", "read_adapter_config"]

_NAME = re.compile(rf"(?:{re.escape(PREFIX)})?(.+)\.lora_([AB])(?:\.default)?\.weight")


@torch.no_grad()
def apply_adapter(model: LlamaForCausalLM, folder: Path) -> None:
    """Add an adapter to the weights of its base model, in float32 whatever their type.

    Raises CheckpointError for a tensor that does not belong to the model, has another shape, or lacks its other half.
    """
    config, path = read_adapter_config(folder), folder / WEIGHTS_FILE
    if not path.exists():
        raise CheckpointError(f"{path} is missing (an adapter stored as adapter_model.bin is not read)")
    read_header(path)
    weights = {name: weight for name, weight in model.named_parameters() if weight.ndim == 2}
    known = weights | {llada_name(name): weight for name, weight in weights.items()}
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(path).items():
        found = _NAME.fullmatch(key)
        if not found or f"{found[1]}.weight" not in known:
            raise CheckpointError(f"{path}: tensor {key} is not known")
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path}: tensor {key} holds values that are no numbers")
        halves.setdefault(found[1], {})[found[2]] = tensor
    if not halves:
        raise CheckpointError(f"{path} holds no tensors")
    for name, pair in halves.items():
        weight = known[f"{name}.weight"]
        for half, shape in (("A", (config.rank, weight.shape[1])), ("B", (weight.shape[0], config.rank))):
            if half not in pair:
                raise CheckpointError(f"{path}: tensor {name}.lora_{half}.weight is missing")
            if pair[half].shape != shape:
                raise CheckpointError(
                    f"{path}: tensor {name}.lora_{half}.weight has shape {tuple(pair[half].shape)}, expected {shape}"
                )
        down, up = (pair[half].to(weight.device, torch.float32) for half in "AB")
        weight.copy_(weight.float() + config.scale * (up @ down))
