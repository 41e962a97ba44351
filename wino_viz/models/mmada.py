"""MMaDA: LLaDA's backbone with rows for picture codes beside the text tokens, and the layouts of its picture prompts.

    reader = load_reader(Path("assets/models/mmada-mini"), config, tokenizer, device="cpu")
    codes = reader.codes(open_picture("photo.jpg"))                       # (16, 16) codes of the picture
    ids = prompt_ids(reader, tokenizer, "What is in it?", codes)          # the prompt that the model reads

A picture is cut to a square, tokenized by MAGVIT-v2 (`magvit.py`) and written into the prompt as one token per code, row
by row. The id of a code is the code plus the *length of the text tokenizer*, not plus `llm_vocab_size`, which is larger.
The markers around it are reserved tokens of LLaDA's tokenizer.

Source of ids, layouts and sizes: Gen-Verse/MMaDA (prompting_utils.py, app.py, inference_mmu.py) and the evaluation of
WINO (arXiv 2507.18578).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from wino_viz.models.chat import HEADER_END, HEADER_START, ROLES, START_OF_TEXT, TURN_END, plain_ids, template_ids
from wino_viz.models.files import CheckpointError, read_json
from wino_viz.models.magvit import Magvit, load_magvit
from wino_viz.pictures import preprocess, to_image

MODEL_TYPE = "mmada"
TOKENIZER_FOLDER = "image_tokenizer"  # of a model folder that brings its own
PREPROCESSOR_FILE = "preprocessor_config.json"
DEFAULT_RESOLUTION = 512  # of the published demonstrations and evaluations
MAX_RESOLUTION = 2048

# Reserved tokens of LLaDA's tokenizer in the roles that MMaDA gives them.
START_OF_IMAGE, END_OF_IMAGE = "<|reserved_token_0|>", "<|reserved_token_1|>"
UNDERSTANDING = "<|reserved_token_5|>"  # the task: a picture in, text out


@dataclass(frozen=True)
class Layout:
    """How the words stand after the picture.

    starts     start-of-text tokens before the words
    template   the checkpoint's own chat template; otherwise the chat layout with one line break after each header
    turn_end   what ends the question; text that is no special token is read as ordinary characters
    about      where it is used
    """

    starts: int
    template: bool
    turn_end: str
    about: str


# The published evaluation writes <eot_id> without its bars, so it is read as eight characters; its figures need that.
LAYOUTS = {
    "demo": Layout(1, False, TURN_END, "MMaDA's demonstration (app.py), and the embedded model"),
    "template": Layout(0, True, TURN_END, "MMaDA's inference script (inference_mmu.py)"),
    "evaluation": Layout(1, False, "<eot_id>", "WINO's and MMaDA's evaluations"),
    "collection": Layout(1, True, TURN_END, "the collection of WINO+ trajectories on IconQA: two starts in a row"),
}
DEFAULT_LAYOUT = "demo"


def layout_named(name: str) -> Layout:
    """A layout by its name; raises CheckpointError listing them."""
    if name not in LAYOUTS:
        raise CheckpointError(f"there is no layout {name[:40]!r}: choose one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


@dataclass(frozen=True, eq=False)
class ImageReader:
    """How a model sees: the picture tokenizer, the square it looks at, and where the codes stand among the token ids."""

    magvit: Magvit
    resolution: int
    offset: int  # token id of code 0
    layout: str = DEFAULT_LAYOUT

    @property
    def side(self) -> int:
        """Codes along each side of a picture."""
        return self.resolution // self.magvit.config.factor

    def codes(self, image: Image.Image) -> np.ndarray:
        """(side, side) int64 codes of a picture: shorter side to the resolution, middle square, then the tokenizer."""
        pixels = torch.from_numpy(preprocess(image, self.resolution))[None]  # (1, 3, H, W)
        return self.magvit.encode(pixels)[0].cpu().numpy()

    def picture(self, codes: np.ndarray) -> Image.Image:
        """The picture that codes (h, w) stand for: what is left of it for the model."""
        pixels = self.magvit.decode(torch.from_numpy(np.asarray(codes, dtype=np.int64))[None])[0]
        return to_image((pixels * 2 - 1).cpu().numpy())

    def is_code(self, token_id: int) -> bool:
        return self.offset <= token_id < self.offset + self.magvit.config.codebook_size


def prompt_ids(
    reader: ImageReader,
    tokenizer: PreTrainedTokenizerFast,
    question: str,
    codes: np.ndarray,
    suffix: str = "",
    earlier: Sequence[tuple[str, str]] = (),
) -> list[int]:
    """Picture and question in the reader's layout, and `suffix` where the answer begins.

    `earlier` are (question, answer) of the turns before it; the picture stands before the first. Special tokens that are
    typed stay ordinary text.
    """
    layout = LAYOUTS[reader.layout]
    one = tokenizer.convert_tokens_to_ids
    words = (
        template_ids(tokenizer, question, suffix, earlier)
        if layout.template
        else _chat_ids(tokenizer, question, layout.turn_end, suffix, earlier)
    )
    return [
        one(UNDERSTANDING),
        one(START_OF_IMAGE),
        *(int(code) + reader.offset for code in np.asarray(codes).flatten()),
        one(END_OF_IMAGE),
        *[one(START_OF_TEXT)] * layout.starts,
        *words,
    ]


def _chat_ids(
    tokenizer: PreTrainedTokenizerFast, question: str, turn_end: str, suffix: str, earlier: Sequence[tuple[str, str]]
) -> list[int]:
    """MMaDA's own chat layout: one line break after a header, where LLaDA's template has two."""
    one = tokenizer.convert_tokens_to_ids
    ended = turn_end == TURN_END

    def headed(role: str, text: str) -> list[int]:
        return [one(HEADER_START), *plain_ids(tokenizer, role), one(HEADER_END), *plain_ids(tokenizer, f"\n{text}")]

    ids: list[int] = []
    for number, text in enumerate([*(text for turn in earlier for text in turn), question]):
        ids += headed(ROLES[number % 2], text.strip() + ("" if ended else turn_end))
        ids += [one(TURN_END)] if ended else []
    return ids + headed(ROLES[1], suffix)


def check_rows(config: Mapping[str, Any], rows: int, folder: Path) -> None:
    """Whether an embedding of `rows` rows is what config.json says; raises CheckpointError naming both figures.

    The tensor decides: published configurations name the rows two or three times, and one of them may be stale.
    """
    codes, text = config.get("codebook_size"), config.get("llm_vocab_size")
    for name, value in (("codebook_size", codes), ("llm_vocab_size", text)):
        if type(value) is not int or value < 1:
            raise CheckpointError(f"{folder / 'config.json'}: {name} must be a whole number above 0, not {value!r}")
    named = {name: config[name] for name in ("new_vocab_size", "embedding_size") if config.get(name) is not None}
    for name, value in {"llm_vocab_size + codebook_size": text + codes, **named}.items():
        if value != rows:
            raise CheckpointError(
                f"{folder}: the embedding has {rows} rows, but {name} in config.json makes it {value}"
            )


def load_reader(
    folder: Path,
    config: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerFast,
    *,
    image_tokenizer: Path | None = None,
    layout: str = DEFAULT_LAYOUT,
    device: str | torch.device = "cpu",
) -> ImageReader:
    """The eyes of an MMaDA folder; raises CheckpointError naming what is missing or does not fit together.

    image_tokenizer is a folder in the layout of showlab/magvitv2; a model folder may bring its own as image_tokenizer/.
    """
    _check_markers(tokenizer, folder)
    where = image_tokenizer or folder / TOKENIZER_FOLDER
    if not where.is_dir():
        raise CheckpointError(
            f"{where} is missing: the model sees pictures through MAGVIT-v2; give the folder of showlab/magvitv2 "
            "as the image tokenizer"
        )
    magvit = load_magvit(where, device)
    if magvit.config.codebook_size != config["codebook_size"]:
        raise CheckpointError(
            f"{where} has {magvit.config.codebook_size} codes, but the model in {folder} reads {config['codebook_size']}"
        )
    offset = len(tokenizer)
    if offset > config["llm_vocab_size"]:
        raise CheckpointError(
            f"{folder}: the tokenizer has {offset} tokens, llm_vocab_size is {config['llm_vocab_size']}"
        )
    return ImageReader(magvit, read_resolution(folder, magvit.config.factor), offset, layout)


def read_resolution(folder: Path, factor: int) -> int:
    """Pixels along each side of what the model sees: preprocessor_config.json's, else the published 512.

    config.json's num_vq_tokens is not asked: published ones say 256 tokens for models that are used with 1,024.
    Raises CheckpointError for a picture that `preprocess` would make otherwise than the file says.
    """
    path = folder / PREPROCESSOR_FILE
    if not path.exists():
        return DEFAULT_RESOLUTION
    data = read_json(path)
    size = data.get("size")
    side = size.get("shortest_edge") if isinstance(size, dict) else size
    if type(side) is not int or not factor <= side <= MAX_RESOLUTION or side % factor:
        raise CheckpointError(
            f"{path}: size must be a multiple of {factor} up to {MAX_RESOLUTION}, not {str(side)[:40]!r}"
        )
    for key, value in _preprocessor_keys(side).items():
        if key != "size" and data.get(key, value) != value:
            raise CheckpointError(f"{path}: {key} = {str(data[key])[:60]} is not supported, only {value}")
    return side


def save_preprocessor(folder: Path, resolution: int) -> None:
    """Write preprocessor_config.json, in the keys that image processors use."""
    (folder / PREPROCESSOR_FILE).write_text(json.dumps(_preprocessor_keys(resolution), indent=2) + "\n")


def _preprocessor_keys(resolution: int) -> dict[str, Any]:
    """What `wino_viz.pictures.preprocess` does, as image processors write it down."""
    return {
        "do_resize": True,
        "size": {"shortest_edge": resolution},
        "resample": 3,  # bicubic
        "do_center_crop": True,
        "crop_size": {"height": resolution, "width": resolution},
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def _check_markers(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The tokens that a picture prompt is made of. A Base tokenizer lacks the three of the headers: they are added."""
    vocabulary = tokenizer.get_vocab()
    missing = [
        token for token in (START_OF_IMAGE, END_OF_IMAGE, UNDERSTANDING, START_OF_TEXT) if token not in vocabulary
    ]
    if missing:
        raise CheckpointError(f"{folder}: the tokenizer has no {', '.join(missing)}, which picture prompts need")
    headers = [token for token in (HEADER_START, HEADER_END, TURN_END) if token not in vocabulary]
    if headers:
        tokenizer.add_tokens(headers, special_tokens=True)
