"""What a LoRA adapter's folder says about itself, in peft's format. Nothing here imports torch; `adapter.py` applies it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from wino_viz.models.files import ADAPTER_FILE, INDEX_FILE, WEIGHTS_FILE, CheckpointError, read_json

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


@dataclass(frozen=True)
class AdapterConfig:
    """base: the name of the model that it was trained on; scale: of B A."""

    base: str
    rank: int
    scale: float


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no model of its own."""
    whole = any((folder / name).exists() for name in (WEIGHTS_FILE, INDEX_FILE))
    return (folder / ADAPTER_FILE).exists() and not whole


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Raises CheckpointError naming the key that is missing, or the value that is not plain LoRA."""
    path = folder / ADAPTER_FILE
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
