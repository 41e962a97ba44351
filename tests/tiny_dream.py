"""A Dream or DiffuCoder folder with random weights: published files, keys, ids, names, type and shards, small depth."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel

WORDS, ROWS = 151643, 152064  # published: entries of vocab.json, which the added tokens follow; rows of the embedding
FEW_WORDS, FEW_ROWS = 300, 340
ADDED = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|beginoftext|>", "<|mask|>", "<|dlm_pad|>"),
)
NOT_SPECIAL = ADDED[14:22]  # as in Qwen2.5
MERGES = ("Ġ t", "h e", "Ġt he", "o w", "Ġ h", "Ġh ow", "m an", "a n")
HIDDEN, LAYERS, HEADS, KV_HEADS, MLP = 16, 2, 4, 2, 24
TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
REMOTE_CODE = ("configuration_dream.py", "modeling_dream.py", "generation_utils.py", "tokenization_dream.py")


def write_dream(folder: Path, words: int = WORDS, rows: int = ROWS, *, diffucoder: bool = False) -> Path:
    """Write the folder, with published ids or with few. Running one of its Python files leaves a file `ran`, and fails."""
    folder.mkdir(parents=True)
    for name in REMOTE_CODE:
        trap = (
            f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\nraise SystemExit('remote code was run')\n"
        )
        (folder / name).write_text(trap)
    _write(folder / "config.json", _config(words, rows))
    _write(folder / "generation_config.json", _generation_config(words))
    _write_tokenizer(folder, words, diffucoder)
    _write_weights(folder, tensors(rows))
    return folder


def tensors(rows: int = ROWS) -> dict[str, torch.Tensor]:
    """The weights, strong enough for opinions: tokens are drafted and revoked."""
    torch.manual_seed(0)
    narrow = HIDDEN * KV_HEADS // HEADS
    made = {"model.embed_tokens.weight": torch.randn(rows, HIDDEN)}
    for n in range(LAYERS):
        layer = f"model.layers.{n}"
        for name, width in (("q", HIDDEN), ("k", narrow), ("v", narrow)):
            made[f"{layer}.self_attn.{name}_proj.weight"] = torch.randn(width, HIDDEN) * 0.5
            made[f"{layer}.self_attn.{name}_proj.bias"] = torch.randn(width)
        made[f"{layer}.self_attn.o_proj.weight"] = torch.randn(HIDDEN, HIDDEN) * 0.5
        made[f"{layer}.mlp.gate_proj.weight"] = torch.randn(MLP, HIDDEN) * 0.5
        made[f"{layer}.mlp.up_proj.weight"] = torch.randn(MLP, HIDDEN) * 0.5
        made[f"{layer}.mlp.down_proj.weight"] = torch.randn(HIDDEN, MLP) * 0.5
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[f"{layer}.{name}.weight"] = torch.ones(HIDDEN)
    made["model.norm.weight"] = torch.ones(HIDDEN)
    made["lm_head.weight"] = torch.randn(rows, HIDDEN) * 2
    return {name: tensor.to(torch.bfloat16) for name, tensor in made.items()}


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _config(words: int, rows: int) -> dict:
    return {
        "architectures": ["DreamModel"],
        "attention_dropout": 0.0,
        "auto_map": {"AutoConfig": "configuration_dream.DreamConfig", "AutoModel": "modeling_dream.DreamModel"},
        "bos_token_id": words,
        "eos_token_id": words,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": MLP,
        "mask_token_id": words + ADDED.index("<|mask|>"),
        "max_position_embeddings": 131072,
        "max_window_layers": 28,
        "model_type": "Dream",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
        "pad_token_id": words,
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
        "vocab_size": rows,
    }


def _generation_config(words: int) -> dict:
    given = {"_from_model_config": True, "alg": "origin", "alg_temp": None, "eps": 0.001, "mask_token_id": None}
    given |= {"bos_token_id": words, "eos_token_id": words, "pad_token_id": words, "output_history": False}
    return given | {"steps": 512, "temperature": 0.0, "top_k": None, "top_p": None, "transformers_version": "4.46.2"}


def _write_tokenizer(folder: Path, count: int, diffucoder: bool) -> None:
    merged = [merge.replace(" ", "") for merge in MERGES]
    words = [*sorted(ByteLevel.alphabet()), *merged]
    words += [f"Ġnever{n}" for n in range(count - len(words))]  # no merge leads there
    _write(folder / "vocab.json", {word: n for n, word in enumerate(words)})
    (folder / "merges.txt").write_text("\n".join(("#version: 0.2", *MERGES)) + "\n", encoding="utf-8")
    added = ADDED if diffucoder else ADDED[:-1]
    _write(
        folder / "added_tokens.json", {token: count + n for n, token in sorted(enumerate(added), key=lambda e: e[1])}
    )
    pad = added[-1] if diffucoder else added[0]
    named = {"bos_token": "<|beginoftext|>", "eos_token": added[0], "mask_token": "<|mask|>", "pad_token": pad}
    entry = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(count + n): {"content": token, **entry, "special": token not in NOT_SPECIAL}
            for n, token in enumerate(added)
        },
        "additional_special_tokens": ["<|beginoftext|>", "<|mask|>"],
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
        **named,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 131072,
        "split_special_tokens": False,
        "tokenizer_class": "DreamTokenizer",
        "unk_token": None,
    }
    if diffucoder:
        (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    else:
        config["chat_template"] = TEMPLATE
    _write(folder / "tokenizer_config.json", config)
    named_entries = {key: {"content": token, **entry} for key, token in named.items()}
    _write(folder / "special_tokens_map.json", {"additional_special_tokens": list(added[22:24]), **named_entries})


def _write_weights(folder: Path, made: dict[str, torch.Tensor]) -> None:
    """Four shards and their index, as published."""
    shards: list[dict[str, torch.Tensor]] = [{}, {}, {}, {}]
    for n, (name, tensor) in enumerate(made.items()):
        shards[n * len(shards) // len(made)][name] = tensor
    names = [f"model-{n + 1:05}-of-{len(shards):05}.safetensors" for n in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
    where = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
    size = sum(tensor.nbytes for tensor in made.values())
    _write(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": where})
