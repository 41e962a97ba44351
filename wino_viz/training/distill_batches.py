"""What distilling reads: trajectories as training examples, and text for the ordinary loss that keeps a model's skill.

A trajectory gives one example for each pass that placed a final token: the canvas before it, and as targets what it
placed (arXiv 2605.16941). Batch number k depends on (trajectories, seed, k) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np
import torch

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.training import tokenizer as tokens
from wino_viz.training.trajectories import made_here
from wino_viz.training.trajectories_records import Trajectory

PAD_TO = 32  # sequences of a batch end at a multiple of this: few lengths, few kernels to tune or compile


class Batch(NamedTuple):
    """B examples of T positions, of which N (over all examples) are masked and lie in the block being decoded.

    ids        (B, T)  prompt, the canvas before the pass, padding
    real       (B, T)  bool, False for padding
    where      (2, N)  example and position of the masked positions of the current block
    labels     (N,)    their final tokens
    is_target  (N,)    bool, whether the pass placed them
    """

    ids: torch.Tensor
    real: torch.Tensor
    where: torch.Tensor
    labels: torch.Tensor
    is_target: torch.Tensor


def batch_of(pairs: Sequence[tuple[Trajectory, int]], mask_id: int, pad_id: int) -> Batch:
    """The examples of (trajectory, pass); a pass must be one of the trajectory's `steps`."""
    longest = max(len(t.prompt_ids) + len(t.generated_ids) for t, _ in pairs)
    length = -(-longest // PAD_TO) * PAD_TO
    ids = np.full((len(pairs), length), pad_id, dtype=np.int64)
    real = np.zeros((len(pairs), length), dtype=bool)
    where, labels, is_target = [], [], []
    for n, (trajectory, step) in enumerate(pairs):
        first = len(trajectory.prompt_ids)
        end = first + len(trajectory.generated_ids)
        ids[n, :first] = trajectory.prompt_ids
        ids[n, first:end] = trajectory.canvas_before(step, mask_id)
        real[n, :end] = True
        start = int(np.argmax(trajectory.accepted == step)) // trajectory.block_length * trajectory.block_length
        later = np.flatnonzero(trajectory.accepted[start : start + trajectory.block_length] >= step) + start
        where.append(np.stack((np.full_like(later, n), first + later)))
        labels.append(trajectory.generated_ids[later])
        is_target.append(trajectory.accepted[later] == step)
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(real),
        torch.from_numpy(np.concatenate(where, axis=1)),
        torch.from_numpy(np.concatenate(labels).astype(np.int64)),
        torch.from_numpy(np.concatenate(is_target)),
    )


class Examples:
    """Every (trajectory, pass) once in an epoch, in an order drawn anew for each.

    skip_ends leaves out the passes that placed pad_id (end-of-text) alone: a short answer on a long canvas has many, for
    WINO's draft cap spreads them, and a trained model has nothing to learn there.
    """

    def __init__(
        self, trajectories: Sequence[Trajectory], mask_id: int, pad_id: int, seed: int, skip_ends: bool = False
    ) -> None:
        self.trajectories, self.mask_id, self.pad_id, self.seed = trajectories, mask_id, pad_id, seed
        self._steps = [np.unique(t.accepted[t.generated_ids != pad_id]) if skip_ends else t.steps for t in trajectories]
        self._owner = np.repeat(np.arange(len(trajectories)), [len(steps) for steps in self._steps])  # (E,)
        self._step = np.concatenate(self._steps)  # (E,)
        self._order: tuple[int, np.ndarray] | None = None  # of one epoch
        if not len(self):
            raise ValueError("the trajectories hold end-of-text alone: without it nothing is left to learn")

    def __len__(self) -> int:
        return len(self._owner)

    def batch(self, k: int, size: int) -> Batch:
        """Batch number k of `size` examples; it may reach into the next epoch."""
        chosen = [self._at(k * size + n) for n in range(size)]
        return batch_of(
            [(self.trajectories[self._owner[e]], int(self._step[e])) for e in chosen], self.mask_id, self.pad_id
        )

    def _at(self, place: int) -> int:
        epoch, place = divmod(place, len(self))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self))
        return self._order[1][place]


class Texts:
    """Whole answers for the ordinary masked-diffusion loss: ids (B, T) and where each answer starts (B,).

    With `tasks` they are worked answers to fresh problems of the training split, a batch of one task (drawn; a task named
    twice comes twice as often), on canvases as long as that task's trajectories or presets. Without, they are the
    trajectories' own answers: the one text there is for a model whose data are not at hand.
    """

    def __init__(
        self, checkpoint: Checkpoint, trajectories: Sequence[Trajectory], tasks: Sequence[str], seed: int
    ) -> None:
        self.checkpoint, self.trajectories, self.seed = checkpoint, trajectories, seed
        self.modules = [(task, made_here(task)) for task in tasks]
        self.gen_lengths = {task: checkpoint.preset(task).gen_length for task in tasks}
        for one in trajectories:
            self.gen_lengths[one.source] = len(one.generated_ids)

    def batch(self, k: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = Random(f"keep {self.seed} {k}")
        return self._worked(rng, size) if self.modules else self._answers(rng, size)

    def _answers(self, rng: Random, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = [self.trajectories[rng.randrange(len(self.trajectories))] for _ in range(size)]
        return self._padded([t.prompt_ids for t in chosen], [t.generated_ids for t in chosen], 0)

    def _worked(self, rng: Random, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        task, module = rng.choice(self.modules)
        examples = [module.generate(rng, "train") for _ in range(size)]
        prompts = [self.checkpoint.prompt_ids(example.question) for example in examples]
        answers = self.checkpoint.tokenizer(
            [example.worked + tokens.TURN_END for example in examples], add_special_tokens=False
        )["input_ids"]
        return self._padded(prompts, answers, self.gen_lengths[task])

    def _padded(self, prompts: Sequence, answers: Sequence, answer_length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """End-of-text fills an answer up, as in training from scratch; it has room for answer_length tokens at least."""
        pairs = list(zip(prompts, answers, strict=True))
        longest = max(len(prompt) + max(len(answer), answer_length) for prompt, answer in pairs)
        length = min(-(-longest // PAD_TO) * PAD_TO, self.checkpoint.context)
        ids = np.full((len(pairs), length), self.checkpoint.tokenizer.eos_token_id, dtype=np.int64)
        for row, (prompt, answer) in zip(ids, pairs, strict=True):
            whole = np.concatenate((prompt, answer))[:length]
            row[: len(whole)] = whole
        return torch.from_numpy(ids), torch.tensor([len(prompt) for prompt in prompts])
