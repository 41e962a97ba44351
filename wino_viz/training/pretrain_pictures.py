"""Pretrain the embedded multimodal model: masked diffusion on captions and answers about scenes drawn while it trains.

    python -m wino_viz.training.pretrain_pictures --out assets/models/mmada-mini --steps 16000 --pretraining-share 0
    python -m wino_viz.training.pretrain_pictures --out runs/toy --steps 4 --batch-tokens 4096 --d-model 64 --layers 2 \\
        --heads 2 --pretraining-share 0                                                                    # a laptop

`--out` must hold the picture tokenizer (image_tokenizer/, made by `wino_viz.training.image_tokenizer`), which stays as it
is. A sequence is a picture's codes, a question, and the answer, in the layout of MMaDA's demonstration; the answer alone
is masked, and padded with end-of-text to the sequence's length. Each picture serves several sequences. Some of the
words of an answer that are not masked are wrong ones, up to `--errors` of them: so the picture is believed, not the words
around a gap. (Planted errors may put the two words of a held-out pair side by side; no picture shows such a pair, and no
target names one.)
`--blobs 0.4` puts into so many pictures some blobs, smooth outlines of all kinds: so a colour is told on any shape. Their
name is a token that is read but never masked, since a model that writes it calls a pair never seen a blob. `--hidden 0.5`
hides up to `--most-hidden` of the codes of so many pictures: what a few codes show of a thing tells its colour, but seldom
its shape, so the one is not judged by the other.
Everything else is as in `pretrain.py`, whose options these are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from wino_viz.models import mmada
from wino_viz.models.llada import save_model
from wino_viz.models.magvit import load_magvit
from wino_viz.tasks.scenes import HELD_OUT, Scene, draw, generate, question_record
from wino_viz.tasks.scenes_check import check_answer, check_caption
from wino_viz.tasks.scenes_drawing import COLOURS, SHAPES
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS, PLURAL, caption, question
from wino_viz.training import tokenizer as tokens
from wino_viz.training.image_tokenizer import RESOLUTION, as_pixels, with_blobs
from wino_viz.training.pretrain import Recipe, decode_texts, first_process, parser, recipe_of, train

VOCABULARY, TEXT_ROWS = (
    1000,
    1024,
)  # tokens, and rows kept for them: LLaDA's embedding, too, is larger than its tokenizer
RESERVED = tuple(f"<|reserved_token_{n}|>" for n in range(11))  # as many as MMaDA gives a role
BLOB = RESERVED[10]  # stands for the word; of no use for a model that only describes pictures
MAX_LENGTH = 384
TEXTS_PER_PICTURE = 4
# Most pictures are drawn at the size that the model sees; some larger ones are scaled down, as those of users are.
DRAWN_SIZES, SIZE_WEIGHTS = (128, 256, 512), (80, 15, 5)
# Sequence length -> (share of the batches, share of captions in them; the rest are questions). Codes and layout take
# about 280 tokens. Several lengths teach canvases from 24 to about 100 tokens.
LENGTHS = {312: (0.22, 0.0), 328: (0.08, 0.1), 352: (0.50, 0.85), 384: (0.20, 0.85)}
# Relations take longest to learn. Their share here is larger than where people meet them (scenes_wording.question).
KIND_WEIGHTS = {"count": 3, "colour": 3, "relation": 7, "shape": 1, "size": 1}
MOST_ERRORS = 0.3  # of the words of ERROR_GROUPS in an answer, unless told; the share is uniform from 0 for each answer
MOST_HIDDEN = (
    0.5  # of the codes of a picture that is not whole, unless told; the share is uniform from 0 for each sequence
)
ERROR_GROUPS = (tuple(COLOURS), SHAPES, tuple(PLURAL[shape] for shape in SHAPES), ("small", "medium", "large"))
CAPTION_CANVAS = {"gen_length": 64, "block_length": 32}
ANSWER_CANVAS = {"gen_length": 32, "block_length": 32}


class Scenes:
    """The corpus of mmada-mini; `folder` holds the text tokenizer and the picture tokenizer."""

    max_length = MAX_LENGTH

    def __init__(
        self,
        folder: Path,
        blobs: float = 0.0,
        hidden: float = 0.0,
        most_hidden: float = MOST_HIDDEN,
        errors: float = MOST_ERRORS,
    ) -> None:
        self.blobs, self.hidden, self.most_hidden, self.errors = blobs, hidden, most_hidden, errors
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
        magvit = load_magvit(folder / mmada.TOKENIZER_FOLDER, device)
        self.reader = mmada.ImageReader(magvit, RESOLUTION, len(self.tokenizer))
        self.codebook_size = magvit.config.codebook_size
        self.rows = TEXT_ROWS + self.codebook_size
        self.blob_id, self.mask_id = self.tokenizer.convert_tokens_to_ids([BLOB, tokens.MASK])
        self._group_of, self._members, self._sizes = self._errors(device)
        self._kept: dict[tuple[str, int], tuple[list, list, list]] = {}

    def batches(self, recipe: Recipe) -> Dataset:
        return SceneBatches(self.tokenizer, self.reader.side**2, recipe.batch_tokens, recipe.seed, blobs=self.blobs)

    def to_ids(self, batch: tuple[torch.Tensor, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        pictures, which, ids, starts = batch
        codes = self.reader.magvit.encode(as_pixels(pictures, device)).flatten(1) + self.reader.offset  # (P, h·w)
        ids, starts = ids.to(device, non_blocking=True), starts.to(device, non_blocking=True)
        ids[:, 2 : 2 + codes.shape[1]] = codes.clone()[which.to(device)]
        return ids, starts

    def _errors(self, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For each token its group of words that can stand for each other (-1: none), the groups, and their sizes."""
        one = self.tokenizer.convert_tokens_to_ids
        ids = [[one(self.tokenizer.tokenize(f" {word}")[0]) for word in group] for group in ERROR_GROUPS]
        if any(len(self.tokenizer.tokenize(f" {word}")) > 1 for group in ERROR_GROUPS for word in group):
            raise ValueError("the tokenizer splits a word of ERROR_GROUPS: train it on this corpus")
        group_of = torch.full((self.rows,), -1)
        members = torch.zeros((len(ids), max(map(len, ids))), dtype=torch.long)
        for number, group in enumerate(ids):
            group_of[group] = number
            members[number, : len(group)] = torch.tensor(group)
        return group_of.to(device), members.to(device), torch.tensor([len(group) for group in ids], device=device)

    def context(self, ids: torch.Tensor, starts: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The answers with some words replaced by others of their kind, and pictures with hidden parts."""
        group = self._group_of[ids]  # (B, T)
        share = self.errors * torch.rand((len(ids), 1), generator=generator, device=ids.device)
        chance, which = (torch.rand(ids.shape, generator=generator, device=ids.device) for _ in range(2))
        answer = torch.arange(ids.shape[1], device=ids.device) >= starts[:, None]
        wrong = answer & (group >= 0) & (chance < share)
        other = self._members[group.clamp(min=0), (which * self._sizes[group.clamp(min=0)]).long()]
        read = torch.where(wrong, other, ids)
        if not self.hidden:
            return read
        some, share = (torch.rand((len(ids), 1), generator=generator, device=ids.device) for _ in range(2))
        chance = torch.rand(ids.shape, generator=generator, device=ids.device)
        hidden = (some < self.hidden) & (chance < self.most_hidden * share) & (ids >= self.reader.offset)
        return torch.where(hidden, self.mask_id, read)

    def given(self, ids: torch.Tensor) -> torch.Tensor | None:
        return ids == self.blob_id if self.blobs else None

    def start(self, model: LlamaForCausalLM) -> None:
        """Give codes that share bits embeddings that are alike: a random direction for each bit, added up by sign."""
        signs = self.reader.magvit.quantize.embedding.cpu()  # (codes, bits)
        embedding = model.model.embed_tokens.weight
        with torch.no_grad():
            directions = torch.randn(signs.shape[1], embedding.shape[1]) * 0.02 / signs.shape[1] ** 0.5
            rows = slice(self.reader.offset, self.reader.offset + self.codebook_size)
            embedding[rows] = signs @ directions + 0.5 * embedding[rows]

    def probe(self, model: LlamaForCausalLM, count: int) -> dict[str, float]:
        """Captions and answers right, by threshold decoding at 0.9: of validation scenes, and of held-out pairs."""
        figures = {}
        for split, short in (("validation", "val"), ("test", "held-out")):
            scenes, codes, asked = self._probed(split, count)
            captions, passes = self._decode(model, [CAPTION_PROMPTS[0]] * count, codes, CAPTION_CANVAS)
            answers, _ = self._decode(model, [q.text for q in asked], codes, ANSWER_CANVAS)
            told = [check_caption({"scene": s.to_dict()}, text) for s, text in zip(scenes, captions, strict=True)]
            said = [check_answer(question_record(s, "", q), t) for s, q, t in zip(scenes, asked, answers, strict=True)]
            figures |= {
                f"{short} captions": sum(bool(v.correct) for v in told) / count,
                f"{short} faithful": sum(v.faithful for v in told) / count,
                f"{short} answers": sum(bool(v.correct) for v in said) / count,
                f"{short} passes": passes,
            }
        return figures

    def _probed(self, split: str, count: int) -> tuple[list, list, list]:
        if (split, count) not in self._kept:
            rng = Random(f"probe {split}")
            scenes = [generate(rng, split) for _ in range(count)]
            codes = [self.reader.codes(draw(scene, RESOLUTION)) for scene in scenes]
            self._kept[split, count] = scenes, codes, [question(scene, rng) for scene in scenes]
        return self._kept[split, count]

    def _decode(self, model, prompts: list[str], codes: list[np.ndarray], canvas: dict) -> tuple[list[str], float]:
        ids = [mmada.prompt_ids(self.reader, self.tokenizer, p, c) for p, c in zip(prompts, codes, strict=True)]
        return decode_texts(model, self.tokenizer, ids, **canvas)


class SceneBatches(Dataset):
    """Batch number k, made from (seed, k) alone: pictures (P, H, W, 3) uint8, which of them each sequence shows (B,),

    ids (B, T) with room for the codes from index 2 on, and where each answer starts (B,).
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        codes: int,
        batch_tokens: int,
        seed: int,
        split: str = "train",
        blobs: float = 0.0,
    ) -> None:
        self.tokenizer, self.batch_tokens, self.seed = tokenizer, batch_tokens, seed
        self.split, self.blobs = split, blobs
        one = tokenizer.convert_tokens_to_ids
        self.head = [one(mmada.UNDERSTANDING), one(mmada.START_OF_IMAGE), *[0] * codes, one(mmada.END_OF_IMAGE)]

    def __getitem__(self, k: int) -> tuple[torch.Tensor, ...]:
        rng = Random(f"scenes {self.split} {self.seed} {k}")
        length = rng.choices(list(LENGTHS), [share for share, _ in LENGTHS.values()])[0]
        captions = LENGTHS[length][1]
        size = max(1, self.batch_tokens // length)
        ids = np.full((size, length), self.tokenizer.eos_token_id, np.int64)
        starts, which, pictures = np.zeros(size, np.int64), np.zeros(size, np.int64), []
        filled = 0
        while filled < size:
            scene, shown = with_blobs(generate(rng, self.split), rng, self.blobs)
            count = min(TEXTS_PER_PICTURE, size - filled)
            texts = [pair(scene, rng, captions) for _ in range(count)]
            for prompt, answer in zip(*self._encode(texts), strict=True):
                row = [*self.head, *prompt, *answer]
                if len(row) > length:
                    continue
                ids[filled, : len(row)] = row
                starts[filled], which[filled] = len(self.head) + len(prompt), len(pictures)
                filled += 1
            pictures.append(np.asarray(drawn(shown, rng)))
        return tuple(torch.from_numpy(part) for part in (np.stack(pictures), which, ids, starts))

    def _encode(self, texts: list[tuple[str, str]]) -> tuple[list, list]:
        texts = [tuple(re.sub(" blobs?", BLOB, text) for text in both) for both in texts]
        chats = [tokens.START + chat_text(prompt) for prompt, _ in texts]
        answers = [answer + tokens.TURN_END for _, answer in texts]
        return tuple(self.tokenizer(part, add_special_tokens=False)["input_ids"] for part in (chats, answers))

    def __len__(self) -> int:
        return 2**31


def drawn(scene: Scene, rng: Random) -> Image.Image:
    """The picture of a scene, RESOLUTION pixels along each side."""
    (size,) = rng.choices(DRAWN_SIZES, SIZE_WEIGHTS)
    picture = draw(scene, size)
    return picture if size == RESOLUTION else picture.resize((RESOLUTION, RESOLUTION), Image.Resampling.BICUBIC)


def pair(scene: Scene, rng: Random, captions: float) -> tuple[str, str]:
    """A prompt and its answer: a caption as often as `captions` says, else a question."""
    if rng.random() < captions:
        return rng.choice(CAPTION_PROMPTS), caption(scene, rng)
    while True:
        (kind,) = rng.choices(list(KIND_WEIGHTS), KIND_WEIGHTS.values())
        asked = question(scene, rng, kind)
        if not any(f"{colour} {shape}" in asked.text for shape, colour in HELD_OUT):  # or it would learn: there is none
            return asked.text, asked.answer


def chat_text(prompt: str) -> str:
    """What follows the picture in MMaDA's demonstration: one line break after each header."""
    start, end = tokens.HEADER_START, tokens.HEADER_END
    return f"{start}user{end}\n{prompt}{tokens.TURN_END}{start}assistant{end}\n"


def corpus(examples: int, seed: int) -> Iterable[str]:
    """Prompts and answers of the training split."""
    rng = Random(seed)
    for _ in range(examples):
        yield from pair(generate(rng, "train"), rng, 0.6)


def main(arguments: Sequence[str] | None = None) -> None:
    command = parser(__doc__)
    command.add_argument("--blobs", type=float, default=0.0, help="share of the pictures with blobs (default: 0)")
    command.add_argument(
        "--hidden", type=float, default=0.0, help="share of the pictures with hidden parts (default: 0)"
    )
    usual = f"(default: {MOST_HIDDEN})"
    command.add_argument(
        "--most-hidden", type=float, default=MOST_HIDDEN, help=f"share of the codes hidden there {usual}"
    )
    usual = f"(default: {MOST_ERRORS})"
    command.add_argument("--errors", type=float, default=MOST_ERRORS, help=f"most wrong words in an answer {usual}")
    options = command.parse_args(arguments)
    recipe = recipe_of(options)
    if options.init and not (options.out / "tokenizer.json").exists():
        tokens.save_tokenizer(PreTrainedTokenizerFast.from_pretrained(options.init), options.out)
    elif not (options.out / "tokenizer.json").exists():
        made = tokens.train_tokenizer(corpus(60_000, recipe.seed), VOCABULARY, RESERVED)
        tokens.save_tokenizer(made, options.out)
    scenes = Scenes(options.out, options.blobs, options.hidden, options.most_hidden, options.errors)
    model = train(recipe, scenes, options)
    if not first_process():
        return
    mask_id = scenes.tokenizer.convert_tokens_to_ids(tokens.MASK)
    more = {
        "architectures": ["MMadaModelLM"],
        "model_type": mmada.MODEL_TYPE,
        "llm_vocab_size": TEXT_ROWS,
        "codebook_size": scenes.codebook_size,
        "new_vocab_size": scenes.rows,
        "num_new_special_tokens": 0,
        "num_vq_tokens": scenes.reader.side**2,
    }
    save_model(model, options.out, mask_token_id=mask_id, eos_token_id=scenes.tokenizer.eos_token_id, more=more)
    mmada.save_preprocessor(options.out, RESOLUTION)


if __name__ == "__main__":
    main()
