"""A model folder in the published layout, small enough to train in a test: the shipped tokenizer, two layers, 32 wide."""

from pathlib import Path

import torch
from transformers import LlamaConfig

from wino_viz.models.checkpoint import EMBEDDED, load_tokenizer
from wino_viz.models.llada import new_model, save_model

COPIED = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "presets.json")


def write_tiny_model(folder: Path) -> Path:
    """Write it, in float32; returns the folder."""
    folder.mkdir(parents=True)
    for name in COPIED:
        (folder / name).write_bytes((EMBEDDED / "llada-mini" / name).read_bytes())
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=320,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        use_cache=False,
    )
    config.is_causal = False
    save_model(
        new_model(config),
        folder,
        mask_token_id=tokenizer.convert_tokens_to_ids("<|mdm_mask|>"),
        eos_token_id=tokenizer.eos_token_id,
        dtype=torch.float32,
    )
    return folder
