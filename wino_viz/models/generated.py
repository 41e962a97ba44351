"""A checkpoint in a published layout with random weights: what real weights need to load, without real weights.

    python -m wino_viz.models.generated --model GSAI-ML/LLaDA-8B-Instruct --layers 1 --out runs/llada
    python -m wino_viz.models.generated --model Gen-Verse/MMaDA-8B-MixCoT --out runs/mmada        full size, 16.2 GB
    python -m wino_viz bench --load --model runs/llada

Published configuration keys, tensor names, shapes and type (bfloat16), shards with an index, and a tokenizer with the traits
of the published one: as many tokens, the special ones at their ids, no mask_token key, LLaDA's chat template. Its words are
only bytes; the rest of its vocabulary is filled with names that no text leads to. MMaDA comes with MAGVIT-v2 of full size in
image_tokenizer/. Answers are nonsense.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel

from wino_viz.arguments import Parser, whole
from wino_viz.models import chat, find
from wino_viz.models.files import INDEX_FILE
from wino_viz.models.magvit import Magvit, save_magvit
from wino_viz.models.memory import check_room, free_disk

SHARD_BYTES = 3_000_000_000  # of a published shard, about
TEXT_ROWS, CODES = 126464, 8192
FIRST_SPECIAL = 126080  # id of <|startoftext|>
MASK, END = 126336, 126081
SPREAD = 0.02  # standard deviation of the weights

# Ids from FIRST_SPECIAL on. The last three are what LLaDA-8B-Base's tokenizer doesn't have.
SPECIAL = (
    *("<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]"),
    *(f"<|reserved_token_{n}|>" for n in range(252)),
    "<|mdm_mask|>",
    *(f"<|reserved_token_{n}|>" for n in range(253, 256)),
    *("<role>", "</role>", "<|arithmetic_start|>", "<|arithmetic_end|>", "<|number_start|>", "<|number_end|>"),
    *(chat.HEADER_START, chat.HEADER_END, chat.TURN_END),
)
TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = '<|startoftext|>' + content %}{% endif %}{{ content }}{% endfor %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
LLADA_CONFIG: dict[str, Any] = {
    "activation_type": "silu",
    "alibi": False,
    "alibi_bias_max": 8.0,
    "architectures": ["LLaDAModelLM"],
    "attention_dropout": 0.0,
    "attention_layer_norm": False,
    "attention_layer_norm_with_affine": True,
    "auto_map": {
        "AutoConfig": "configuration_llada.LLaDAConfig",
        "AutoModel": "modeling_llada.LLaDAModelLM",
        "AutoModelForCausalLM": "modeling_llada.LLaDAModelLM",
    },
    "bias_for_layer_norm": False,
    "block_group_size": 1,
    "block_type": "llama",
    "d_model": 4096,
    "embedding_dropout": 0.0,
    "embedding_size": TEXT_ROWS,
    "eos_token_id": END,
    "flash_attention": False,
    "include_bias": False,
    "include_qkv_bias": False,
    "init_cutoff_factor": None,
    "init_device": "meta",
    "init_fn": "mitchell",
    "init_std": 0.02,
    "input_emb_norm": False,
    "layer_norm_type": "rms",
    "layer_norm_with_affine": True,
    "mask_token_id": MASK,
    "max_sequence_length": 4096,
    "mlp_hidden_size": 12288,
    "mlp_ratio": 4,
    "model_type": "llada",
    "multi_query_attention": None,
    "n_heads": 32,
    "n_kv_heads": 32,
    "n_layers": 32,
    "pad_token_id": END,
    "precision": "amp_bf16",
    "residual_dropout": 0.0,
    "rms_norm_eps": 1e-05,
    "rope": True,
    "rope_full_precision": True,
    "rope_theta": 500000.0,
    "scale_logits": False,
    "transformers_version": "4.46.3",
    "use_cache": False,
    "vocab_size": TEXT_ROWS,
    "weight_tying": False,
}
MMADA_CONFIG = LLADA_CONFIG | {
    "architectures": ["MMadaModelLM"],
    "codebook_size": CODES,
    "embedding_size": TEXT_ROWS + CODES,
    "llm_vocab_size": TEXT_ROWS,
    "model_type": "mmada",
    "new_vocab_size": TEXT_ROWS + CODES,
    "num_new_special_tokens": 0,
    "num_vq_tokens": 256,
    "tie_word_embeddings": False,
    "vocab_size": TEXT_ROWS + CODES,
}
DREAM_CONFIG: dict[str, Any] = {
    "architectures": ["DreamModel"],
    "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_dream.DreamConfig", "AutoModel": "modeling_dream.DreamModel"},
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "mask_token_id": 151666,
    "max_position_embeddings": 131072,
    "max_window_layers": 28,
    "model_type": "Dream",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "pad_token_id": 151643,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.46.2",
    "use_cache": True,
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
}
DREAM_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|beginoftext|>", "<|mask|>"),
)
DREAM_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
GENERATED = tuple(name for name in find.PUBLISHED if "plus" not in name and "DiffuCoder" not in name)


def generate(model: str, folder: Path, layers: int | None = None, width: int | None = None, seed: int = 0) -> Path:
    """Write the checkpoint of a published name; returns the folder.

    layers: fewer than published. width: of the hidden states, a multiple of 128 (of Dream 896), for a quick look; None: as
    published. Raises ValueError for a model that is none of `GENERATED`, and where the disk is too small.
    """
    if model not in GENERATED:
        raise ValueError(f"{model!r:.60} can't be generated: choose one of {', '.join(GENERATED)}")
    config = _config(model, layers, width)
    shapes = tensor_shapes(config)
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(2 * torch.Size(shape).numel() for shape in shapes.values())
    check_room(total, free_disk(folder), "disk", str(folder))
    _write(folder / "config.json", config)
    if config["model_type"] == "Dream":
        _write_dream_tokenizer(folder)
    else:
        _write_llada_tokenizer(folder, SPECIAL[:-3] if model.endswith("Base") else SPECIAL)
    _write_weights(folder, shapes, total, seed)
    if config["model_type"] == "mmada":
        torch.manual_seed(seed)
        save_magvit(Magvit(), folder / "image_tokenizer")
        _write(folder / "image_tokenizer" / "config.json", {"_class_name": "MAGVITv2", "_diffusers_version": "0.30.1"})
    return folder


def _config(model: str, layers: int | None, width: int | None) -> dict[str, Any]:
    if "Dream" in model:
        config, depth = dict(DREAM_CONFIG), "num_hidden_layers"
        if width:
            config |= {"hidden_size": width, "intermediate_size": 2 * width}
    else:
        config, depth = dict(MMADA_CONFIG if "MMaDA" in model else LLADA_CONFIG), "n_layers"
        if width:
            config |= {
                "d_model": width,
                "n_heads": width // 128,
                "n_kv_heads": width // 128,
                "mlp_hidden_size": 3 * width,
            }
    return config | ({depth: layers} if layers else {})


def tensor_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a published checkpoint, in the order in which they are stored."""
    if config["model_type"] == "Dream":
        return _dream_shapes(config)
    d, mlp, rows = config["d_model"], config["mlp_hidden_size"], config["embedding_size"]
    narrow = d // config["n_heads"] * config["n_kv_heads"]
    block = {"q_proj": (d, d), "k_proj": (narrow, d), "v_proj": (narrow, d), "attn_out": (d, d), "ff_proj": (mlp, d)}
    block |= {"up_proj": (mlp, d), "ff_out": (d, mlp), "attn_norm": (d,), "ff_norm": (d,)}
    shapes: dict[str, tuple[int, ...]] = {"model.transformer.wte.weight": (rows, d)}
    for n in range(config["n_layers"]):
        shapes |= {f"model.transformer.blocks.{n}.{name}.weight": shape for name, shape in block.items()}
    return shapes | {"model.transformer.ln_f.weight": (d,), "model.transformer.ff_out.weight": (rows, d)}


def _dream_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    d, mlp, rows = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    narrow = d // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (rows, d)}
    for n in range(config["num_hidden_layers"]):
        layer = f"model.layers.{n}"
        for name, wide in (("q", d), ("k", narrow), ("v", narrow)):
            shapes |= {
                f"{layer}.self_attn.{name}_proj.weight": (wide, d),
                f"{layer}.self_attn.{name}_proj.bias": (wide,),
            }
        shapes |= {f"{layer}.self_attn.o_proj.weight": (d, d), f"{layer}.mlp.gate_proj.weight": (mlp, d)}
        shapes |= {f"{layer}.mlp.up_proj.weight": (mlp, d), f"{layer}.mlp.down_proj.weight": (d, mlp)}
        shapes |= {f"{layer}.{name}.weight": (d,) for name in ("input_layernorm", "post_attention_layernorm")}
    return shapes | {"model.norm.weight": (d,), "lm_head.weight": (rows, d)}


# ---- weights


def _write_weights(folder: Path, shapes: dict[str, tuple[int, ...]], total: int, seed: int) -> None:
    shards = list(_shards(shapes))
    names = [f"model-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)]
    generator = torch.Generator().manual_seed(seed)
    where: dict[str, str] = {}
    for file, shard in zip(names, shards, strict=True):
        save_file(
            {name: _tensor(name, shapes[name], generator) for name in shard}, folder / file, metadata={"format": "pt"}
        )
        where |= dict.fromkeys(shard, file)
    _write(folder / INDEX_FILE, {"metadata": {"total_size": total}, "weight_map": where})


def _shards(shapes: dict[str, tuple[int, ...]]) -> Iterator[list[str]]:
    shard, held = [], 0
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        if shard and held + size > SHARD_BYTES:
            yield shard
            shard, held = [], 0
        shard.append(name)
        held += size
    yield shard


def _tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Norms are ones, biases zeros; the rest is a stretch of random numbers again and again, which is quick to make."""
    if "norm" in name or name.endswith("ln_f.weight"):
        return torch.ones(shape, dtype=torch.bfloat16)
    if name.endswith("bias"):
        return torch.zeros(shape, dtype=torch.bfloat16)
    count = torch.Size(shape).numel()
    stretch = torch.randn(min(count, 1_000_003), generator=generator).mul_(SPREAD).to(torch.bfloat16)
    return stretch.repeat(-(-count // len(stretch)))[:count].reshape(shape).contiguous()


# ---- tokenizers


def _write_llada_tokenizer(folder: Path, special: Sequence[str]) -> None:
    words = _words(FIRST_SPECIAL)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": FIRST_SPECIAL + n, "content": token, **flags} for n, token in enumerate(special)]
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    bpe |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None}
    tokenizer |= {"pre_tokenizer": bytes_only, "post_processor": None, "decoder": bytes_only}
    _write(folder / "tokenizer.json", tokenizer | {"model": bpe | {"vocab": words, "merges": []}})
    entries = {str(entry["id"]): {key: value for key, value in entry.items() if key != "id"} for entry in added}
    config = {"add_bos_token": False, "add_eos_token": False, "added_tokens_decoder": entries}
    config |= {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    config |= {"clean_up_tokenization_spaces": False, "cls_token": "[CLS]", "gmask_token": "[gMASK]"}
    config |= {"model_max_length": 1000000000000000019884624838656, "tokenizer_class": "PreTrainedTokenizerFast"}
    _write(folder / "tokenizer_config.json", config | {"chat_template": TEMPLATE})


def _write_dream_tokenizer(folder: Path) -> None:
    count = DREAM_CONFIG["eos_token_id"]
    _write(folder / "vocab.json", _words(count))
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    _write(folder / "added_tokens.json", {token: count + n for n, token in enumerate(DREAM_SPECIAL)})
    config = {"add_bos_token": False, "add_prefix_space": False, "chat_template": DREAM_TEMPLATE}
    config |= {"added_tokens_decoder": {str(count + n): {"content": t, **flags} for n, t in enumerate(DREAM_SPECIAL)}}
    config |= {"bos_token": "<|beginoftext|>", "eos_token": "<|endoftext|>", "mask_token": "<|mask|>"}
    config |= {"pad_token": "<|endoftext|>", "model_max_length": 131072, "tokenizer_class": "DreamTokenizer"}
    _write(folder / "tokenizer_config.json", config | {"errors": "replace", "unk_token": None})


def _words(count: int) -> dict[str, int]:
    """Every byte, and names that no text leads to."""
    alphabet = sorted(ByteLevel.alphabet())
    return {word: n for n, word in enumerate([*alphabet, *(f"Ġnever{n}" for n in range(count - len(alphabet)))])}


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m wino_viz.models.generated", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default=GENERATED[0], choices=GENERATED, metavar="NAME", help=", ".join(GENERATED))
    parser.add_argument("--layers", type=whole(1, 128), help="fewer layers than published")
    parser.add_argument("--width", type=whole(128, 8192), help="narrower hidden states than published")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        print(generate(options.model, options.out, options.layers, options.width, options.seed))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
