"""LLaDA in transformers' own Llama class: its configuration keys, its tensor names, and attention without a causal mask.

A LLaDA checkpoint is a Llama whose attention sees both ways. No model code of our own: this file maps the published
configuration keys (`d_model`, `n_layers`, …) and tensor names (`model.transformer.blocks.N.q_proj.weight`, …) to
`LlamaForCausalLM` and back, and checks every tensor before anything is loaded.

    model = load_model(Path("assets/models/llada-mini"), dtype=torch.float32)
    save_model(model, Path("runs/mini"), mask_token_id=2)

Source of the format: GSAI-ML/LLaDA-8B-Instruct (config.json and model.safetensors.index.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from huggingface_hub.errors import StrictDataclassError
from transformers import LlamaConfig, LlamaForCausalLM

from wino_viz.models.backbone import Told, bidirectional, load_backbone
from wino_viz.models.files import CheckpointError, read_json
from wino_viz.models.rotary import full_precision_rotary

# LLaDA's key -> the LlamaConfig field of the same meaning.
CONFIG_KEYS = {
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "mlp_hidden_size": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "rms_norm_eps": "rms_norm_eps",
    "weight_tying": "tie_word_embeddings",
}

# What this backbone can compute. Any other value of these keys would load and silently give different logits.
FIXED_KEYS = {
    "block_type": "llama",
    "rope": True,
    "alibi": False,
    "layer_norm_type": "rms",
    "layer_norm_with_affine": True,
    "bias_for_layer_norm": False,
    "attention_layer_norm": False,
    "activation_type": "silu",
    "include_bias": False,
    "include_qkv_bias": False,
    "input_emb_norm": False,
    "scale_logits": False,
}

# transformers' tensor name -> LLaDA's, as regular expressions. `ff_out` means two things in LLaDA: inside a block the
# MLP's down projection, at the top the untied language-model head. `ff_proj` is the MLP's gate.
_TENSOR_NAMES = (
    (r"^model\.embed_tokens\.", "model.transformer.wte."),
    (r"^model\.norm\.", "model.transformer.ln_f."),
    (r"^lm_head\.", "model.transformer.ff_out."),
    (r"^model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.", r"model.transformer.blocks.\1.\2_proj."),
    (r"^model\.layers\.(\d+)\.self_attn\.o_proj\.", r"model.transformer.blocks.\1.attn_out."),
    (r"^model\.layers\.(\d+)\.mlp\.gate_proj\.", r"model.transformer.blocks.\1.ff_proj."),
    (r"^model\.layers\.(\d+)\.mlp\.up_proj\.", r"model.transformer.blocks.\1.up_proj."),
    (r"^model\.layers\.(\d+)\.mlp\.down_proj\.", r"model.transformer.blocks.\1.ff_out."),
    (r"^model\.layers\.(\d+)\.input_layernorm\.", r"model.transformer.blocks.\1.attn_norm."),
    (r"^model\.layers\.(\d+)\.post_attention_layernorm\.", r"model.transformer.blocks.\1.ff_norm."),
)


def llada_name(llama_name: str) -> str:
    """LLaDA's name of a tensor of `LlamaForCausalLM`."""
    for pattern, replacement in _TENSOR_NAMES:
        renamed, count = re.subn(pattern, replacement, llama_name)
        if count:
            return renamed
    raise KeyError(f"{llama_name} has no LLaDA name")


def llama_config(llada: Mapping[str, Any]) -> LlamaConfig:
    """The LlamaConfig of a LLaDA config.json; raises CheckpointError naming a key that is missing or not supported."""
    for key in ("d_model", "n_layers", "n_heads", "mlp_hidden_size", "vocab_size", "max_sequence_length"):
        if not isinstance(llada.get(key), int) or llada[key] < 1:
            raise CheckpointError(f"config.json: {key} must be a positive whole number, not {llada.get(key)!r}")
    for key, value in FIXED_KEYS.items():
        if llada.get(key, value) != value:
            raise CheckpointError(f"config.json: {key} = {llada[key]!r} is not supported, only {value!r}")
    if llada["d_model"] % llada["n_heads"]:
        raise CheckpointError(
            f"config.json: d_model {llada['d_model']} is not a multiple of n_heads {llada['n_heads']}"
        )
    fields = {ours: llada[theirs] for theirs, ours in CONFIG_KEYS.items() if llada.get(theirs) is not None}
    config = LlamaConfig(
        **fields,
        # Published configurations round the embedding up (embedding_size); the tensors have that many rows.
        vocab_size=llada.get("embedding_size") or llada["vocab_size"],
        head_dim=llada["d_model"] // llada["n_heads"],
        rope_parameters={"rope_type": "default", "rope_theta": float(llada.get("rope_theta", 10000.0))},
        use_cache=False,
        bos_token_id=None,
        eos_token_id=llada.get("eos_token_id"),
        pad_token_id=None,
    )
    config.is_causal = False  # this is what makes it a LLaDA
    return config


def llada_config(config: LlamaConfig, *, mask_token_id: int, eos_token_id: int) -> dict[str, Any]:
    """The published config.json of this backbone, complete enough for any reader of LLaDA checkpoints."""
    return {
        "architectures": ["LLaDAModelLM"],
        "model_type": "llada",
        **FIXED_KEYS,
        **{theirs: getattr(config, ours) for theirs, ours in CONFIG_KEYS.items()},
        "vocab_size": config.vocab_size,
        "embedding_size": config.vocab_size,
        "mlp_ratio": 4,
        "rope_theta": config.rope_parameters["rope_theta"],
        "rope_full_precision": True,
        "attention_layer_norm_with_affine": True,
        "alibi_bias_max": 8.0,
        "block_group_size": 1,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
        "residual_dropout": 0.0,
        "flash_attention": False,
        "multi_query_attention": None,
        "init_device": "meta",
        "init_fn": "mitchell",
        "init_std": config.initializer_range,
        "mask_token_id": mask_token_id,
        "eos_token_id": eos_token_id,
        "pad_token_id": eos_token_id,
        "use_cache": False,
    }


def new_model(config: LlamaConfig) -> LlamaForCausalLM:
    """A bidirectional Llama with fresh weights (torch's global generator)."""
    return bidirectional(LlamaForCausalLM(config))


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    llada: Mapping[str, Any] | None = None,
    told: Told = lambda done, of: None,
) -> LlamaForCausalLM:
    """Load a LLaDA folder (config.json and safetensors shards) for evaluation; `llada` stands in for config.json.

    `told` hears how many bytes of how many are loaded. Raises
    CheckpointError naming the first missing, extra or wrongly shaped tensor, by its name in the checkpoint.
    """
    try:
        llada = read_json(folder / "config.json") if llada is None else llada
        config = llama_config(llada)
    except (TypeError, ValueError, ZeroDivisionError, StrictDataclassError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from error
    model = load_backbone(LlamaForCausalLM, config, folder, dtype, device, name_in_file=llada_name, told=told)
    return full_precision_rotary(model) if llada.get("rope_full_precision", True) else model


def save_model(
    model: LlamaForCausalLM,
    folder: Path,
    *,
    mask_token_id: int,
    eos_token_id: int,
    dtype: torch.dtype = torch.bfloat16,
    more: Mapping[str, Any] | None = None,
    shard_size: str = "14MB",
) -> None:
    """Write config.json (with the keys of `more`) and safetensors shards in the published LLaDA format.

    shard_size: of one file; the usual one keeps an embedded model's files under 15 MB. Raises ValueError for another
    backbone than LLaDA's.
    """
    if not isinstance(model.config, LlamaConfig):
        raise ValueError(f"only LLaDA's backbone can be written in LLaDA's format, not {type(model).__name__}")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {llada_name(name): t.detach().to("cpu", dtype).contiguous() for name, t in model.state_dict().items()}
    save_torch_state_dict(tensors, folder, max_shard_size=shard_size)
    config = llada_config(model.config, mask_token_id=mask_token_id, eos_token_id=eos_token_id)
    (folder / "config.json").write_text(json.dumps({**config, **(more or {})}, indent=2) + "\n")
