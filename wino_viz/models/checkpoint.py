"""A model by name: weights, tokenizer, special ids, context length and the presets that ship with it.

    checkpoint = load_checkpoint("llada-mini")
    canvas = checkpoint.canvas("Ana has 3 apples …")
    steps = list(decode(WinoSettings().start(canvas), checkpoint.denoiser))

    checkpoint = load_checkpoint("mmada-mini")
    codes = checkpoint.reader.codes(open_picture("scene.png"))
    canvas = checkpoint.canvas("Please describe this image in detail.", codes)

Embedded models live in assets/models; any other name is a local folder in the published layout of LLaDA, MMaDA, Dream
or DiffuCoder, or one with a LoRA adapter, which is put on the model that it names (`adapter.py`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from wino_viz.decoding.base import Canvas
from wino_viz.decoding.controls import FREE, Controls
from wino_viz.models import chat, dream, hub, mmada
from wino_viz.models.adapter import apply_adapter
from wino_viz.models.denoiser import Denoiser, Speed
from wino_viz.models.devices import AUTO
from wino_viz.models.files import EMBEDDED, CheckpointError, read_json, read_shapes
from wino_viz.models.find import IMAGE_TOKENIZER, embedded_models, fetch_model, find_base, find_model
from wino_viz.models.fixed_words import read_fixed
from wino_viz.models.llada import load_model
from wino_viz.models.memory import free_memory
from wino_viz.models.next_position import NextPosition
from wino_viz.models.presets import Preset, presets_of
from wino_viz.turns import ConversationTooLong

__all__ = ["EMBEDDED", "Checkpoint", "embedded_models", "find_base", "find_model", "load_checkpoint", "load_tokenizer"]

DEFAULT_MODEL = "llada-mini"
EMBEDDING = "model.transformer.wte.weight"
LLADA, MMADA, DREAM = "llada", "mmada", "dream"  # the families; DiffuCoder is a Dream
LARGE = (
    10**9
)  # parameters: from here on a model is loaded in bfloat16, as published ones are stored, unless told otherwise
DOWNLOADING, LOADING = "downloading", "loading"
Told = Callable[[str, int, int], None]  # DOWNLOADING or LOADING, bytes done, of how many


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A loaded model. `context` is the longest sequence in tokens (prompt and generated part, without the shadow).

    `reader` is how a multimodal model sees; None for one that reads text alone. `family` is LLADA, MMADA or DREAM.
    `turn_end` is the one of `end_ids` that ends a turn and not the text; None where there is no such token.
    """

    name: str
    denoiser: Denoiser
    tokenizer: PreTrainedTokenizerFast
    mask_id: int
    end_ids: tuple[int, ...]
    context: int
    presets: Mapping[str, Preset]
    reader: mmada.ImageReader | None = None
    family: str = LLADA
    turn_end: int | None = None
    _pieces: dict[int, str] = field(default_factory=dict, init=False, repr=False)  # those that were asked for

    def preset(self, task: str | None) -> Preset:
        """The preset of a task, or plain defaults where the model ships none for it."""
        return self.presets.get(task or "", Preset())

    def prompt_ids(
        self,
        prompt: str,
        codes: np.ndarray | None = None,
        suffix: str = "",
        *,
        earlier: Sequence[tuple[str, str]] = (),
    ) -> list[int]:
        """One user message in the model's chat layout, after the picture of `codes` (h, w) where there is one.

        `earlier` are (question, answer) of the turns before it, the oldest first, and `suffix` is what the answer is made to
        begin with. Special tokens that are typed stay ordinary text. Raises ValueError where model and picture don't go
        together, and where the model's template has no place for earlier turns.
        """
        if codes is None:
            if self.reader is not None:
                raise ValueError(f"{self.name} answers questions about a picture: bring one")
            return chat.template_ids(self.tokenizer, prompt, suffix, earlier)
        if self.reader is None:
            raise ValueError(f"{self.name} reads text alone and can't see a picture: take a model such as mmada-mini")
        return mmada.prompt_ids(self.reader, self.tokenizer, prompt, codes, suffix, earlier)

    def controls(self, fixed: Sequence[tuple[int, int]], end_of_text: str, cfg_scale: float) -> Controls:
        """Controls with this model's ends of the text and of a turn; ValueError for what is outside its range."""
        ends = tuple(token for token in self.end_ids if token != self.turn_end) or self.end_ids
        return Controls(fixed, end_of_text, cfg_scale, end_ids=self.end_ids, banned_ids=ends)

    def canvas(
        self,
        prompt: str,
        codes: np.ndarray | None = None,
        *,
        earlier: Sequence[tuple[str, str]] = (),
        gen_length: int = 128,
        block_length: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        suffix: str = "",
        fixed: str = "",
        end_of_text: str = FREE,
        cfg_scale: float = 0.0,
    ) -> Canvas:
        """The work of decoding an answer to `prompt` (about the picture of `codes`, for a model that sees).

        `earlier` are (question, answer) of the turns before it; a conversation that is too long raises ConversationTooLong.
        `suffix` is what the answer is made to begin with; it counts as part of the prompt. `fixed` are words at positions
        (`fixed_words.py`), `end_of_text` and `cfg_scale` as in `decoding/controls.py`.

        Raises ValueError with one sentence for what can't be decoded.
        """
        if not prompt.strip():
            question = "problem, or take a new one" if codes is None else "question, or take a suggestion"
            raise ValueError(f"the prompt is empty: write a {question}")
        ids = self.prompt_ids(prompt, codes, suffix, earlier=earlier)
        Canvas(ids, self.mask_id, gen_length, block_length, temperature, seed)  # its own sentences come first
        controls = self.controls(
            fixed=read_fixed(fixed, partial(chat.plain_ids, self.tokenizer), gen_length),
            end_of_text=end_of_text,
            cfg_scale=cfg_scale,
        )
        canvas = Canvas(
            prompt_ids=ids,
            mask_id=self.mask_id,
            gen_length=gen_length,
            block_length=block_length,
            temperature=temperature,
            seed=seed,
            controls=controls,
        )
        room = self.context - gen_length
        if room < 1:
            raise ValueError(
                f"gen_length must be less than {self.context}, the context of {self.name}, not {gen_length}"
            )
        if len(ids) > room:
            raise self._too_long(partial(self.prompt_ids, prompt, codes, suffix), earlier, room, gen_length)
        return canvas

    def _too_long(
        self, ids: Callable[..., list[int]], earlier: Sequence[tuple[str, str]], room: int, gen_length: int
    ) -> ValueError:
        """What is said of a prompt for which there is no room: `ids(earlier=…)` after some of its earlier turns."""
        beside = f"{self.name} has room for {room} beside {gen_length} generated ones"
        fewest = bisect_left(range(len(earlier) + 1), True, key=lambda n: len(ids(earlier=earlier[n:])) <= room)
        fits = len(earlier) - fewest
        if fits < 0:
            about = f"about {max(1, room * 3)} characters"
            return ValueError(f"the prompt is too long: {len(ids(earlier=()))} tokens, and {beside} ({about})")
        if len(earlier) == 1:
            dropped = "its earlier turn does not fit beside the question"
        elif fits:
            dropped = f"of its {len(earlier)} earlier turns the newest {fits if fits > 1 else 'one'} would fit"
        else:
            dropped = f"none of its {len(earlier)} earlier turns fits beside the question"
        whole = len(ids(earlier=earlier))
        return ConversationTooLong(f"the conversation is too long: {whole} tokens, and {beside}; {dropped}", fits)

    def pieces(self, ids: Iterable[int]) -> dict[int, str]:
        """The text of each id by itself, spaces and line breaks as they are (a part of a character shows as U+FFFD)."""
        known = self._pieces
        return {i: known[i] if i in known else known.setdefault(i, self._piece(i)) for i in ids}

    def _piece(self, token_id: int) -> str:
        if token_id < len(self.tokenizer):
            return self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False)
        if self.reader is not None and self.reader.is_code(token_id):
            return f"⟨image {token_id - self.reader.offset}⟩"  # a model may write one among its words
        return f"⟨unused {token_id}⟩"

    def text(self, ids: Iterable[int]) -> str:
        """The words of a canvas up to the first end of turn or of text, without masks, special tokens and picture codes."""
        said = takewhile(lambda i: i not in self.end_ids, ids)
        ids = [i for i in said if i != self.mask_id and i < len(self.tokenizer)]
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def load_checkpoint(
    name: str = DEFAULT_MODEL,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    *,
    image_tokenizer: str | Path | None = None,
    layout: str | None = None,
    speed: Speed | None = None,
    reuse: bool = False,
    told: Told = lambda what, done, of: None,
) -> Checkpoint:
    """Load a model, its tokenizer and presets; raises CheckpointError naming what is missing or wrong.

    A model that is on the hub only is downloaded. device: "cpu", "cuda", "cuda:1", …, or "auto" for all GPUs together
    (default: a GPU where there is one, and all where the first is too small); dtype: float32 by default, from a billion
    parameters on bfloat16. An MMaDA model also takes its image tokenizer, a folder or a name on the hub (default:
    image_tokenizer/ in its own folder, else showlab/magvitv2) and the layout of its picture prompts, one of
    `mmada.LAYOUTS` (default: demo). `told` hears how far it is. speed: how the model is run (default: the
    fastest exact way of its device; with `reuse` by prefix reuse, which is approximate: `prefix.py`).
    """
    download, load_told = partial(told, DOWNLOADING), partial(told, LOADING)
    folder, adapter = find_base(fetch_model(name, download), download)
    config = read_json(folder / "config.json")
    mask_id = config.get("mask_token_id")
    if not isinstance(mask_id, int):
        raise CheckpointError(f"{folder / 'config.json'}: mask_token_id must be a token id, not {mask_id!r}")
    family = family_of(config, folder)
    sees = family == MMADA
    for option, value in (("image tokenizer", image_tokenizer), ("layout of picture prompts", layout)):
        if value is not None and not sees:
            raise CheckpointError(f"{name} reads text alone: it takes no {option}")
    layout = mmada.DEFAULT_LAYOUT if layout is None else layout
    mmada.layout_named(layout)
    tokenizer = load_tokenizer(folder, family == DREAM, dream.read_tokenizer if family == DREAM else _read_tokenizer)
    shapes = read_shapes(folder)
    parameters = sum(math.prod(shape) for shape in shapes.values())
    dtype = dtype or (torch.bfloat16 if parameters >= LARGE else torch.float32)
    device = device or usual_device(parameters * dtype.itemsize)
    if sees:
        eyes = _image_tokenizer(name, folder, image_tokenizer, download)
        found = shapes.get(EMBEDDING)
        if not found:
            raise CheckpointError(f"{folder}: tensor {EMBEDDING} is missing")
        mmada.check_rows(config, found[0], folder)
        config = {**config, "embedding_size": found[0]}
    load = dream.load_model if family == DREAM else load_model
    model = load(folder, dtype, device, config, load_told)
    if adapter:
        apply_adapter(model, adapter)
    speed = speed or Speed.for_device(model.device, reuse=reuse)
    rows = model.config.vocab_size
    if not 0 <= mask_id < rows or isinstance(mask_id, bool):
        raise CheckpointError(
            f"{folder / 'config.json'}: mask_token_id {mask_id} is not a row of the embedding (0..{rows - 1})"
        )
    if tokenizer.mask_token_id not in (None, mask_id):
        raise CheckpointError(
            f"{folder / 'config.json'}: mask_token_id is {mask_id}, but the tokenizer's mask token has id "
            f"{tokenizer.mask_token_id}"
        )
    if len(tokenizer) > rows:
        raise CheckpointError(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the embedding only {rows} rows")
    reader = None
    if sees:
        near = model.device if device == AUTO else device
        reader = mmada.load_reader(folder, config, tokenizer, image_tokenizer=eyes, layout=layout, device=near)
    turn_end = tokenizer.get_vocab().get(dream.TURN_END if family == DREAM else chat.TURN_END)
    ends = {*_end_ids(config, folder), tokenizer.eos_token_id, turn_end} - {None}
    if family == DREAM and tokenizer.pad_token_id is not None:
        ends.add(tokenizer.pad_token_id)  # DiffuCoder fills what is left after the end with a token of its own
    if reader is not None and reader.is_code(mask_id):
        raise CheckpointError(f"{folder / 'config.json'}: mask_token_id {mask_id} is the code of a picture")
    return Checkpoint(
        name=name,
        denoiser=Denoiser(model, mask_id, NextPosition() if family == DREAM else None, speed),
        tokenizer=tokenizer,
        mask_id=mask_id,
        end_ids=tuple(sorted(ends)),
        context=model.config.max_position_embeddings,
        presets=presets_of(name),
        reader=reader,
        family=family,
        turn_end=turn_end,
    )


def usual_device(needed: int) -> str:
    """A GPU where there is one; all of them where the first has no room for so many bytes and the others may."""
    if not torch.cuda.is_available():
        return "cpu"
    return AUTO if torch.cuda.device_count() > 1 and needed > (free_memory("cuda") or needed) else "cuda"


def _image_tokenizer(
    name: str, folder: Path, given: str | Path | None, told: Callable[[int, int], None]
) -> Path | None:
    """The folder of the image tokenizer; None where it is the model folder's own, or nothing is known of one."""
    if given is not None:
        return hub.fetch(str(given), told) if hub.is_hub_id(str(given)) else Path(given)
    if (folder / mmada.TOKENIZER_FOLDER).is_dir():
        return None
    return hub.fetch(IMAGE_TOKENIZER, told) if hub.is_hub_id(name) else hub.cached(IMAGE_TOKENIZER)


def family_of(config: Mapping[str, Any], folder: Path) -> str:
    """LLADA, MMADA or DREAM by a config.json; raises CheckpointError for a model of another kind."""
    if config.get("model_type") == mmada.MODEL_TYPE:
        return MMADA
    if dream.is_dream(config):
        return DREAM
    if config.get("model_type", LLADA) == LLADA or "d_model" in config:
        return LLADA
    raise CheckpointError(
        f"{folder / 'config.json'}: model_type {config['model_type']!r:.40} is not known: it must be {LLADA}, "
        f"{mmada.MODEL_TYPE} or {dream.MODEL_TYPE}"
    )


def _end_ids(config: Mapping[str, Any], folder: Path) -> list[int | None]:
    """eos_token_id: one id, or a list of them."""
    given = config.get("eos_token_id")
    ids = given if isinstance(given, list) else [given]
    if not all(i is None or (isinstance(i, int) and not isinstance(i, bool)) for i in ids):
        raise CheckpointError(f"{folder / 'config.json'}: eos_token_id must be a token id or a list, not {given!r:.60}")
    return ids


def _read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    if not (folder / "tokenizer.json").exists():
        raise CheckpointError(f"{folder / 'tokenizer.json'} is missing")
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def load_tokenizer(
    folder: Path,
    needs_template: bool = False,
    read: Callable[[Path], PreTrainedTokenizerFast] = _read_tokenizer,
) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a folder, tried once on a message; raises CheckpointError for one that can't be used.

    Loaded directly by `read`: AutoTokenizer would ask to run the checkpoint's own code.
    """
    try:
        tokenizer = read(folder)
        whole = chat.chat_around_slot(tokenizer)
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception, a template anything
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{folder}: the tokenizer can't be used: {type(error).__name__}: {reason}") from error
    if needs_template and not tokenizer.chat_template:
        raise CheckpointError(f"{folder}: the tokenizer has no chat template")
    if whole.count(chat.SLOT) != 1:
        raise CheckpointError(
            f"{folder}: the chat template must write a message once, not {whole.count(chat.SLOT)} times"
        )
    return tokenizer
