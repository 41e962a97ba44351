"""A model by name: weights, tokenizer, special ids, context length and the presets that ship with it.

    checkpoint = load_checkpoint("llada-mini")
    canvas = checkpoint.canvas("Ana has 3 apples …")
    steps = list(decode(WinoSettings().start(canvas), checkpoint.denoiser))

Embedded models live in assets/models; any other name is a local folder in the published LLaDA layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from wino_viz.decoding.base import Canvas
from wino_viz.models.denoiser import Denoiser
from wino_viz.models.llada import CheckpointError, load_model, read_json

EMBEDDED = Path(__file__).parents[2] / "assets" / "models"
PRESETS_FILE = "presets.json"
DEFAULT_MODEL = "llada-mini"


@dataclass(frozen=True)
class Preset:
    """The settings that suit one task: canvas lengths, and per decoder what differs from its defaults."""

    gen_length: int = 128
    block_length: int = 64
    decoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A loaded model. `context` is the longest sequence in tokens (prompt and generated part, without the shadow)."""

    name: str
    denoiser: Denoiser
    tokenizer: PreTrainedTokenizerFast
    mask_id: int
    end_ids: tuple[int, ...]
    context: int
    presets: Mapping[str, Preset]

    def preset(self, task: str | None) -> Preset:
        """The preset of a task, or plain defaults where the model ships none for it."""
        return self.presets.get(task or "", Preset())

    def prompt_ids(self, prompt: str) -> list[int]:
        """One user message in the model's chat layout. Special tokens typed by the user stay ordinary text."""
        slot = "\x00"
        chat = self.tokenizer.apply_chat_template([{"role": "user", "content": slot}], tokenize=False)
        before, after = chat.split(slot)
        special = {"add_special_tokens": False}
        return [
            *self.tokenizer.encode(before, **special),
            *self.tokenizer.encode(prompt.strip(), split_special_tokens=True, **special),
            *self.tokenizer.encode(after, **special),
        ]

    def canvas(
        self, prompt: str, *, gen_length: int = 128, block_length: int = 64, temperature: float = 0.0, seed: int = 0
    ) -> Canvas:
        """The work of decoding an answer to `prompt`; raises ValueError with one sentence for what can't be decoded."""
        if not prompt.strip():
            raise ValueError("the prompt is empty: write a problem, or take a new one")
        ids = self.prompt_ids(prompt)
        canvas = Canvas(
            prompt_ids=ids,
            mask_id=self.mask_id,
            gen_length=gen_length,
            block_length=block_length,
            temperature=temperature,
            seed=seed,
        )
        room = self.context - gen_length
        if room < 1:
            raise ValueError(
                f"gen_length must be less than {self.context}, the context of {self.name}, not {gen_length}"
            )
        if len(ids) > room:
            raise ValueError(
                f"the prompt is too long: {len(ids)} tokens, and {self.name} has room for {room} "
                f"beside {gen_length} generated ones (about {max(1, room * 3)} characters)"
            )
        return canvas

    def pieces(self, ids: Iterable[int]) -> dict[int, str]:
        """The text of each id by itself, spaces and line breaks as they are (a part of a character shows as U+FFFD)."""
        return {i: self.tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in ids}

    def text(self, ids: Iterable[int]) -> str:
        """The words of a canvas, without masks, end-of-text and other special tokens."""
        ids = [i for i in ids if i != self.mask_id]
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def embedded_models() -> list[str]:
    """Names of the models that ship with the project."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))


def find_model(name: str) -> Path:
    """The folder of a model name; raises CheckpointError listing the embedded ones when there is none."""
    for folder in (EMBEDDED / name, Path(name)):
        if name and folder.is_dir():
            return folder
    embedded = ", ".join(embedded_models()) or "none"
    raise CheckpointError(f"no model {name!r}: it is neither a folder nor an embedded model ({embedded})")


def load_checkpoint(
    name: str = DEFAULT_MODEL, device: str | None = None, dtype: torch.dtype | None = None
) -> Checkpoint:
    """Load a model, its tokenizer and presets; raises CheckpointError naming what is missing or wrong.

    device: "cpu", "cuda", "cuda:1", … (default: a GPU where there is one); dtype: float32 by default.
    """
    folder = find_model(name)
    config = read_json(folder / "config.json")
    mask_id = config.get("mask_token_id")
    if not isinstance(mask_id, int):
        raise CheckpointError(f"{folder / 'config.json'}: mask_token_id must be a token id, not {mask_id!r}")
    if not (folder / "tokenizer.json").exists():
        raise CheckpointError(f"{folder / 'tokenizer.json'} is missing")
    tokenizer = load_tokenizer(folder)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(folder, dtype or torch.float32, device)
    rows = model.config.vocab_size
    if not 0 <= mask_id < rows or isinstance(mask_id, bool):
        raise CheckpointError(
            f"{folder / 'config.json'}: mask_token_id {mask_id} is not a row of the embedding (0..{rows - 1})"
        )
    if len(tokenizer) > rows:
        raise CheckpointError(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the embedding only {rows} rows")
    turn_end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    ends = {config.get("eos_token_id"), tokenizer.eos_token_id, turn_end} - {None, tokenizer.unk_token_id}
    return Checkpoint(
        name=name,
        denoiser=Denoiser(model, mask_id),
        tokenizer=tokenizer,
        mask_id=mask_id,
        end_ids=tuple(sorted(ends)),
        context=model.config.max_position_embeddings,
        presets=read_presets(folder),
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a folder, tried once on a message; raises CheckpointError for one that can't be used.

    Loaded directly: AutoTokenizer would ask to run the checkpoint's own code.
    """
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        if tokenizer.chat_template:
            tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    except Exception as error:  # the tokenizers library raises bare Exception, a template anything
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{folder}: the tokenizer can't be used: {type(error).__name__}: {reason}") from error
    if not tokenizer.chat_template:
        raise CheckpointError(f"{folder}: the tokenizer has no chat template")
    return tokenizer


def read_presets(folder: Path) -> dict[str, Preset]:
    """presets.json of a model folder: task -> {"gen_length", "block_length", "decoders": {name: settings}}."""
    path = folder / PRESETS_FILE
    if not path.exists():
        return {}
    try:
        presets = {task: Preset(**preset) for task, preset in read_json(path).items()}
        for preset in presets.values():
            for settings in preset.decoders.values():
                dict(**settings)
        return presets
    except (TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from None
