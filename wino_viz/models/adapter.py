"""LoRA adapters in peft's format, applied to a model without peft: W + scale · B A.

    load_checkpoint("runs/adapter")      a folder with adapter_config.json and adapter_model.safetensors: the base model
                                         that adapter_config.json names, with the adapter merged into its weights

Tensors may have LLaDA's names (`base_model.model.model.transformer.blocks.N.q_proj.lora_A.weight`, as peft writes them for
the published LLaDA code, and as this project does) or those of transformers' Llama. Only plain LoRA: what would load and
silently compute something else is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from wino_viz.models.files import ADAPTER_FILE, CheckpointError, read_header, read_json
from wino_viz.models.llada import llada_name

CONFIG_FILE, WEIGHTS_FILE = ADAPTER_FILE, "adapter_model.safetensors"
PREFIX = "base_model.model."  # that peft puts before every name

# What an adapter's configuration may say where it says more than plain LoRA.
_PLAIN = {
    "bias": ("none",),
    "modules_to_save": (None, []),
    "fan_in_fan_out": (False,),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "use_dora": (False,),
    "lora_bias": (False,),
    "use_qalora": (False,),
    "layer_replication": (None, []),
    "target_parameters": (None, []),
    "trainable_token_indices": (None, []),
}
_NAME = re.compile(rf"(?:{re.escape(PREFIX)})?(.+)\.lora_([AB])(?:\.default)?\.weight")


@dataclass(frozen=True)
class AdapterConfig:
    """base: the name of the model that it was trained on; scale: of B A."""

    base: str
    rank: int
    scale: float


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no model of its own."""
    whole = any((folder / name).exists() for name in ("model.safetensors", "model.safetensors.index.json"))
    return (folder / CONFIG_FILE).exists() and not whole


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Raises CheckpointError naming the key that is missing, or the value that is not plain LoRA."""
    path = folder / CONFIG_FILE
    config = read_json(path)
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"{path}: peft_type must be LORA, not {config.get('peft_type')!r:.40}")
    for key, allowed in _PLAIN.items():
        if key in config and config[key] not in allowed:
            raise CheckpointError(f"{path}: {key} = {config[key]!r:.60} is not supported, only {allowed[0]!r}")
    base, rank, alpha = (config.get(key) for key in ("base_model_name_or_path", "r", "lora_alpha"))
    if not isinstance(base, str) or not base:
        raise CheckpointError(f"{path}: base_model_name_or_path must name a model, not {base!r:.40}")
    if type(rank) is not int or rank < 1:
        raise CheckpointError(f"{path}: r must be a whole number from 1, not {rank!r:.40}")
    if type(alpha) not in (int, float) or not math.isfinite(alpha):
        raise CheckpointError(f"{path}: lora_alpha must be a number, not {alpha!r:.40}")
    return AdapterConfig(base, rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))


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
