"""Merge a LoRA adapter into its base model: a checkpoint in the published LLaDA layout, which loads without peft.

    python -m wino_viz.training.merge --model llada-mini --adapter runs/lora --out assets/models/llada-mini-wino-plus

Tokenizer, configuration and presets are copied from the base model; presets.json of the adapter's folder goes first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from wino_viz.arguments import Parser
from wino_viz.models.adapter import apply_adapter, is_adapter, read_adapter_config
from wino_viz.models.checkpoint import find_model, load_checkpoint
from wino_viz.models.denoiser import Speed
from wino_viz.models.files import PRESETS_FILE, read_json
from wino_viz.models.llada import save_model

COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", PRESETS_FILE)
EMBEDDED_BYTES = 100 * 2**20  # up to here a model is written in shards under 15 MB, above in larger ones
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def write_checkpoint(
    model: LlamaForCausalLM, base: Path, out: Path, dtype: torch.dtype = torch.bfloat16, presets: Path | None = None
) -> None:
    """Write changed weights of the model in folder `base` as a model of its own, beside copies of its other files.

    presets: a presets.json to take instead of the base model's. Raises ValueError where `out` is `base`.
    """
    check_out(base, out)
    config = read_json(base / "config.json")
    size = sum(weight.numel() for weight in model.parameters()) * dtype.itemsize
    save_model(
        model,
        out,
        mask_token_id=config["mask_token_id"],
        eos_token_id=config.get("eos_token_id"),
        dtype=dtype,
        shard_size="14MB" if size <= EMBEDDED_BYTES else "4GB",
    )
    for name in ("config.json", *COPIED):  # its config.json as it is: it may hold keys that we don't write
        if (base / name).exists():
            shutil.copyfile(base / name, out / name)
    if presets:
        shutil.copyfile(presets, out / PRESETS_FILE)


def check_out(base: Path, out: Path) -> None:
    """Raises ValueError where `out` would overwrite the model in `base`, or is no folder."""
    if out.exists() and (not out.is_dir() or out.samefile(base)):
        raise ValueError(f"--out {out} is the model that is to be changed, or no folder: name one of its own")


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge. Returns 0; bad arguments exit with 2 and one line."""
    parser = Parser(
        prog="python -m wino_viz.training.merge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--adapter", type=Path, required=True, metavar="A", help="folder with adapter_config.json")
    parser.add_argument("--model", metavar="M", help="its base (default: the model that the adapter names)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of the written weights")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, …")
    options = parser.parse_args(arguments)
    try:
        if not is_adapter(options.adapter):
            raise ValueError(f"--adapter {options.adapter} holds no adapter (adapter_config.json, without a model)")
        name = options.model or read_adapter_config(options.adapter).base
        base = find_model(name)
        check_out(base, options.out)
        checkpoint = load_checkpoint(name, options.device, speed=Speed())
        model = checkpoint.denoiser.model
        apply_adapter(model, options.adapter)
        presets = options.adapter / PRESETS_FILE
        write_checkpoint(model, base, options.out, DTYPES[options.dtype], presets if presets.exists() else None)
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    print(f"{options.adapter} on {name}, merged into {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
