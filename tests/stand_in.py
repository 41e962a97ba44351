"""Stand-ins for a WINO+ model: the embedded one under another name, with other weights and presets of its own."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from wino_viz.models.checkpoint import EMBEDDED, load_checkpoint
from wino_viz.training.distill_adapter import add_lora, save_adapter
from wino_viz.training.distill_recipe import Recipe

BASE = EMBEDDED / "llada-mini"
CHANGED = "model.transformer.ln_f.weight"
TAU = 0.7
PRESETS = {
    "arithmetic": {"gen_length": 128, "block_length": 64, "decoders": {"threshold": {"tau": TAU}}},
    "sudoku": {"gen_length": 32, "block_length": 32, "decoders": {"threshold": {"tau": 0.55}}},
}


def write_whole(folder: Path, scale: float = 1.1) -> Path:
    """A whole model: the embedded one, of whose tensors one is scaled. Most of its files are links."""
    folder.mkdir(parents=True)
    for file in BASE.iterdir():
        if file.name != "presets.json" and not file.name.endswith(".md"):
            (folder / file.name).symlink_to(file)
    shard = json.loads((BASE / "model.safetensors.index.json").read_text())["weight_map"][CHANGED]
    (folder / shard).unlink()
    tensors = load_file(BASE / shard)
    save_file(tensors | {CHANGED: tensors[CHANGED] * scale}, folder / shard)
    (folder / "presets.json").write_text(json.dumps(PRESETS))
    return folder


def write_adapter(folder: Path, presets: dict | None = None) -> Path:
    """A small LoRA adapter to the embedded model; without presets it has that one's."""
    wrapped, config = add_lora(load_checkpoint("llada-mini", device="cpu").denoiser.model, Recipe(steps=1, lora=2))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    save_adapter(wrapped, config, "llada-mini", folder)
    if presets is not None:
        (folder / "presets.json").write_text(json.dumps(presets))
    return folder
