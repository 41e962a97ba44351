"""Dream and DiffuCoder in transformers' own Qwen2 class: their configuration, their tokenizer, and no causal mask.

    model = load_model(Path("Dream-v0-Instruct-7B"), dtype=torch.float32)
    tokenizer = read_tokenizer(Path("Dream-v0-Instruct-7B"))

A Dream checkpoint is a Qwen2.5 that was trained on as a masked diffusion model (arXiv 2508.15487; DiffuCoder: arXiv
2506.20639). Its tensors have Qwen2's names and biases on q, k and v; its attention sees both ways; and as in the
autoregressive model that it was, the row of one position predicts the next (`next_position.py`). The published
folders bring Python files with a model and a tokenizer class. They are never run: Qwen2 has both.

What this is built on, and where it was read ([SRC] in the source itself, [HFX] in an excerpt of the model's own page,
[3P] in a third party's copy, [INF] inferred):

config.json     model_type "Dream", architectures ["DreamModel"]; hidden_size 3584, intermediate_size 18944, 28
                layers, 28 heads, 4 key-value heads, vocab_size 152064, rope_theta 1e6, rms_norm_eps 1e-6, untied,
                bfloat16; mask_token_id 151666, bos, eos and pad 151643; max_position_embeddings 131072 (Dream-Coder
                32768); no sliding window, no rope_scaling [HFX apple/DiffuCoder-7B-Instruct config.json, complete; 3P
                a copy of Dream-Coder's]. Dream-v0-Instruct-7B's own: the same ids [3P], the file itself was not seen.
                Keys left out mean: rope_theta 10000, rms_norm_eps 1e-6, untied [HFX configuration_dream.py of
                apple/DiffuCoder-7B-Base].
architecture    biases on q, k, v and none on o or the MLP, RMSNorm, rotate-half, no mask on attention, `lm_head`
                apart [SRC NVlabs/Fast-dLLM dream/model/modeling_dream.py]. 339 tensors in 4 shards [INF from the 346
                lines of Zigeng/dParallel_Dream_7B_Instruct's index; HFX the file list of apple/DiffuCoder-7B-cpGRPO].
shift           logits moved by one position to the right before anything is chosen [SRC NVlabs/Fast-dLLM
                dream/model/generation_utils_block.py; 3P every copy of Dream's generation_utils.py that was found].
tokenizer       vocab.json, merges.txt and added tokens, no tokenizer.json [HFX file lists]; Qwen2's pattern, NFC,
                byte-level [3P copy of tokenization_dream.py, compared with transformers' Qwen2Tokenizer]. Added:
                151643 <|endoftext|>, 151644 <|im_start|>, 151645 <|im_end|>, … 151665 <|beginoftext|>, 151666
                <|mask|> [HFX added_tokens.json of Zigeng/dParallel_Dream_7B_Instruct]; DiffuCoder pads with 151667
                <|dlm_pad|> [3P; its model card cuts the answer there, HFX].
chat            Qwen's: <|im_start|>role, line break, message, <|im_end|>, line break, "You are a helpful assistant."
                as the system's message [HFX card of apple/DiffuCoder-7B-cpGRPO]; asked with add_generation_prompt [3P
                copy of Dream's README]; a turn ends with <|im_end|> [HFX the same card; 3P copy of dllm's tokenizer
                code]. The checkpoint's own template is what is used: in tokenizer_config.json or, DiffuCoder, in
                chat_template.jinja.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from wino_viz.models.backbone import Told, load_backbone
from wino_viz.models.files import CheckpointError, read_json

MODEL_TYPE = "Dream"
TURN_END = "<|im_end|>"

_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
)

# What this backbone can compute. Any other value of these keys would load and silently give different logits.
_FIXED = {"hidden_act": "silu", "use_sliding_window": False, "use_mrope": False, "rope_scaling": None}


def is_dream(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of Dream or DiffuCoder (some copies write the name in small letters)."""
    return str(config.get("model_type")).casefold() == MODEL_TYPE.casefold()


def qwen2_config(dream: Mapping[str, Any]) -> Qwen2Config:
    """The Qwen2Config of a Dream config.json; raises CheckpointError naming a key that is missing or not supported."""
    for key in _SIZES:
        if type(dream.get(key)) is not int or dream[key] < 1:
            raise CheckpointError(f"config.json: {key} must be a positive whole number, not {dream.get(key)!r:.40}")
    for key, value in _FIXED.items():
        if dream.get(key, value) != value:
            raise CheckpointError(f"config.json: {key} = {dream[key]!r:.40} is not supported, only {value!r}")
    for whole, part in (("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads")):
        if dream[whole] % dream[part]:
            raise CheckpointError(f"config.json: {whole} {dream[whole]} is not a multiple of {part} {dream[part]}")
    tied = dream.get("tie_word_embeddings", False)
    if not isinstance(tied, bool):
        raise CheckpointError(f"config.json: tie_word_embeddings must be true or false, not {tied!r:.40}")
    config = Qwen2Config(
        **{key: dream[key] for key in _SIZES},
        rms_norm_eps=_number(dream, "rms_norm_eps", 1e-6),
        tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": _rope_theta(dream)},
        use_sliding_window=False,
        sliding_window=None,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    config.is_causal = False  # this is what makes it a Dream
    return config


def _rope_theta(dream: Mapping[str, Any]) -> float:
    """transformers 5 writes it into rope_parameters, earlier ones beside the other keys."""
    rope = dream.get("rope_parameters")
    if rope is None:
        return _number(dream, "rope_theta", 10000.0)
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
        raise CheckpointError(f"config.json: rope_parameters = {rope!r:.60} is not supported, only rope_type 'default'")
    return _number(rope, "rope_theta", 10000.0)


def _number(values: Mapping[str, Any], key: str, default: float) -> float:
    value = values.get(key, default)
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise CheckpointError(f"config.json: {key} must be a number above 0, not {value!r:.40}")
    return float(value)


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    dream: Mapping[str, Any] | None = None,
    told: Told = lambda done, of: None,
) -> Qwen2ForCausalLM:
    """Load a Dream folder (config.json and safetensors shards) for evaluation; `dream` stands in for config.json.

    Row p of its logits predicts position p + 1. `told` hears how many bytes of how many are loaded. Raises
    CheckpointError naming the first missing, extra or wrongly shaped tensor.
    """
    try:
        config = qwen2_config(read_json(folder / "config.json") if dream is None else dream)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from error
    return load_backbone(Qwen2ForCausalLM, config, folder, dtype, device, told=told)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Qwen2's fast tokenizer of vocab.json, merges.txt and the added tokens, or tokenizer.json where there is one.

    Raises CheckpointError naming the file that is missing, or the added token that would get another id than it says.
    """
    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        if not (folder / name).exists():
            raise CheckpointError(f"{folder / name} is missing")
    tokenizer = Qwen2Tokenizer.from_pretrained(folder, local_files_only=True)
    vocabulary = tokenizer.get_vocab()
    for token, expected in sorted(_added_tokens(folder).items(), key=itemgetter(1)):
        if vocabulary.get(token) != expected:
            raise CheckpointError(
                f"{folder}: the added token {token[:40]} must have id {expected}, but it gets {vocabulary.get(token)}: "
                "vocab.json and the tokens added before it must hold every id below"
            )
    return tokenizer


def _added_tokens(folder: Path) -> dict[str, int]:
    """Token -> id of tokenizer_config.json and, where there is one, added_tokens.json."""
    path = folder / "tokenizer_config.json"
    decoder = read_json(path).get("added_tokens_decoder", {})
    try:
        found = {entry["content"]: int(number) for number, entry in decoder.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CheckpointError(f"{path}: added_tokens_decoder must map ids to tokens") from None
    path = folder / "added_tokens.json"
    more = read_json(path) if path.exists() else {}
    if not all(type(number) is int for number in more.values()):
        raise CheckpointError(f"{path} must map tokens to ids")
    return more | found
