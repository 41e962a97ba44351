"""What llada-mini is trained on: arithmetic, countdown and sudoku, made while it trains.

    python -m wino_viz.training.pretrain --out assets/models/llada-mini --steps 10000

An answer ends with end-of-turn and is padded with end-of-text to the sequence's length. A countdown or a sudoku with its
answer fills 60 to 76 tokens, a word problem up to 320, so the two go into batches of their own: every second batch (or as
`--short-every` says) holds countdown and sudoku, the others word problems. Two processes then make one step of both, and
each compiles its own lengths only. Some countdowns and sudokus stand in the long sequences too: there they are answers
on a canvas much longer than they need, and every batch of word problems has all three tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from wino_viz.models.chat import SLOT
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import judge
from wino_viz.training import tokenizer as tokens
from wino_viz.training.probe import decode_texts

if TYPE_CHECKING:
    from wino_viz.training.pretrain import Recipe

Example = arithmetic.Example | countdown.Example | sudoku.Example

MAX_SEQUENCE_LENGTH = 320
TASKS = {"arithmetic": arithmetic, "countdown": countdown, "sudoku": sudoku}
# Gen length and block length of the probe, by task.
CANVASES = {"arithmetic": (128, 64), "countdown": (32, 32), "sudoku": (32, 32)}


@dataclass(frozen=True)
class Mix:
    """Sequences of one length: their share of the batches, each task's share of them, and word problems' steps.

    steps: weights of problems of 2 to 6 steps. The answer fills what the prompt leaves.
    """

    share: float
    tasks: Mapping[str, float]
    steps: Sequence[int] = ()


# Sudoku is learned in minutes, countdown takes longest. 80 tokens leave 32 or more after either prompt, 112 leave 64.
SHORT_TASKS = {"countdown": 0.9, "sudoku": 0.1}
SHORT = {80: Mix(0.8, SHORT_TASKS), 112: Mix(0.2, SHORT_TASKS)}
# Several lengths teach canvases from 70 to 260 tokens without padding the prompt. Short sequences hold only short
# problems; the long ones make up for it.
LONG_TASKS = {"arithmetic": 0.92, "countdown": 0.05, "sudoku": 0.03}
LONG = {
    160: Mix(0.20, LONG_TASKS, (3, 4, 1, 0, 0)),
    192: Mix(0.25, LONG_TASKS, (2, 3, 4, 1, 0)),
    224: Mix(0.25, LONG_TASKS, (1, 2, 3, 5, 2)),
    256: Mix(0.22, LONG_TASKS, (1, 1, 2, 4, 6)),
    320: Mix(0.08, LONG_TASKS, (1, 1, 2, 3, 4)),
}
SHORT_EVERY = 2  # of so many batches one is short
# Of the countdowns drawn for training, how many must need a multiplication or division; of the rest a third do, too.
HARD_SHARE = 0.3


class Batches(Dataset):
    """Batch number k of a run, made from (seed, k) alone: ids (B, T) and where each answer starts (B,), int64."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        batch_tokens: int,
        seed: int,
        split: str = "train",
        short_every: int = SHORT_EVERY,
    ) -> None:
        self.tokenizer, self.batch_tokens, self.seed, self.split = tokenizer, batch_tokens, seed, split
        self.short_every = short_every
        self.layout = ChatLayout(tokenizer)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = Random(f"{self.split} {self.seed} {k}")
        mixes = LONG if k % self.short_every else SHORT
        (length,) = rng.choices(list(mixes), [mix.share for mix in mixes.values()])
        mix = mixes[length]
        size = max(1, self.batch_tokens // length)
        ids, starts = np.full((size, length), self.tokenizer.eos_token_id, np.int64), np.zeros(size, np.int64)
        rows, wanted = range(size), rng.choices(list(mix.tasks), mix.tasks.values(), k=size)
        while rows:
            prompts, answers = self.layout.encode([self._draw(rng, wanted[row], mix) for row in rows])
            too_long = []  # another problem of the same task takes its place
            for row, prompt, answer in zip(rows, prompts, answers, strict=True):
                end = len(prompt) + len(answer)
                if end < length:
                    ids[row, :end] = prompt + answer
                    starts[row] = len(prompt)
                else:
                    too_long.append(row)
            rows = too_long
        return torch.from_numpy(ids), torch.from_numpy(starts)

    def _draw(self, rng: Random, task: str, mix: Mix) -> Example:
        if task == "arithmetic":
            return arithmetic.generate(rng, self.split, rng.choices(range(2, 7), mix.steps)[0])
        if task == "countdown":
            return countdown.generate(rng, self.split, hard=rng.random() < HARD_SHARE)
        return sudoku.generate(rng, self.split)

    def __len__(self) -> int:
        return 2**31


class ChatLayout:
    """Examples as token ids in the tokenizer's chat layout."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        chat = tokenizer.apply_chat_template([{"role": "user", "content": SLOT}], tokenize=False)
        self._before, self._after = chat.split(SLOT)

    def encode(self, examples: Sequence[Example]) -> tuple[list[list[int]], list[list[int]]]:
        """The prompts, and the answers with their end-of-turn."""
        prompts = [self._before + example.question + self._after for example in examples]
        answers = [example.worked + tokens.TURN_END for example in examples]
        quick = self.tokenizer.backend_tokenizer.encode_batch_fast  # half the time of the tokenizer's own call
        return tuple([made.ids for made in quick(part, add_special_tokens=False)] for part in (prompts, answers))


def check_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: object) -> None:
    """Raises ValueError where the tokenizer of `folder` was not made for these tasks.

    Every character of a countdown or sudoku answer must be a token, or its columns are none.
    """
    for example in (countdown.Example((5, 9, 1), 15), sudoku.generate(Random(0))):
        pieces = [tokenizer.decode([i]) for i in tokenizer.encode(example.worked, add_special_tokens=False)]
        if pieces != list(example.worked):
            raise ValueError(
                f"the tokenizer in {folder} was made for something else: it writes {example.worked!r} as {len(pieces)} "
                f"tokens, and this corpus needs one for each of the {len(example.worked)} characters (an --out without a "
                "tokenizer gets one; an --init must have one that suits)"
            )


class WordProblems:
    """The corpus of llada-mini; see `wino_viz.training.pretrain.Corpus`."""

    max_length = MAX_SEQUENCE_LENGTH

    def __init__(self, tokenizer: PreTrainedTokenizerFast, short_every: int = SHORT_EVERY) -> None:
        self.tokenizer, self.rows, self.short_every = tokenizer, len(tokenizer), short_every

    def batches(self, recipe: Recipe) -> Dataset:
        return Batches(self.tokenizer, recipe.batch_tokens, recipe.seed, short_every=self.short_every)

    def to_ids(self, batch: tuple[torch.Tensor, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        ids, starts = batch
        return ids.to(device, non_blocking=True), starts.to(device, non_blocking=True)

    def context(self, ids: torch.Tensor, starts: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return ids

    def given(self, ids: torch.Tensor) -> torch.Tensor | None:
        return None

    def start(self, model: LlamaForCausalLM) -> None:
        pass

    def probe(self, model: LlamaForCausalLM, count: int) -> dict[str, float]:
        """Of `count` problems of each task: right, faithful where that says more (arithmetic), and mean passes."""
        figures = {}
        for name, task in TASKS.items():
            rng = Random(f"probe {name}")
            examples = [task.generate(rng, "validation") for _ in range(count)]
            prompts, _ = ChatLayout(self.tokenizer).encode(examples)
            gen_length, block_length = CANVASES[name]
            lengths = {"gen_length": gen_length, "block_length": block_length}
            texts, passes = decode_texts(model, self.tokenizer, prompts, **lengths)
            found = [judge(task.record(example), text) for example, text in zip(examples, texts, strict=True)]
            figures[name] = sum(bool(one.correct) for one in found) / count
            if task is arithmetic:
                figures["faithful"] = sum(one.faithful for one in found) / count
            figures[f"{name} passes"] = passes
        return figures
