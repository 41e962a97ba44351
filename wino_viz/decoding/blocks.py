"""What every rule here shares: a canvas filled block by block, one request at a time, and drafting into it.

See `standard.py` for the smallest rule built on it. numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Canvas, Forward, Predictions
from wino_viz.decoding.controls import LAST, hold_back
from wino_viz.step import Step, Token, tokens


class BlockDecoder:
    """What the rules have in common: a canvas that is filled block by block, left to right, one request at a time.

    A rule derives from this class and writes `_next_request` and `_apply`; one that keeps something per block also
    extends `_enter_block`. Positions are those of the generated part, 0..gen_length-1; the sequence that the model
    reads starts with the prompt, so a position's row is `prompt_length + position`.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.mask_id = canvas.mask_id
        self.gen_length, self.block_length = canvas.gen_length, canvas.block_length
        self.temperature, self.seed = canvas.temperature, canvas.seed
        self.prompt_length = len(canvas.prompt_ids)
        self.passes = 0  # answered requests so far
        self._sequence = np.full(self.prompt_length + self.gen_length, self.mask_id, dtype=np.int64)
        self._sequence[: self.prompt_length] = canvas.prompt_ids
        self._tokens = self._sequence[self.prompt_length :]  # (gen_length,), a view
        self.controls = canvas.controls
        self._is_fixed = np.zeros(self.gen_length, dtype=bool)
        for position, token in self.controls.fixed:
            self._tokens[position], self._is_fixed[position] = token, True
        self._pending: Forward | None = None
        self._enter_block(0)
        self._leave_filled_blocks()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy that went to another process: its tokens are part of its sequence, as they were, and may be written."""
        self.__dict__.update(state)
        self._sequence = self._sequence.copy()
        self._tokens = self._sequence[self.prompt_length :]

    def go_on(self, tokens: Sequence[int], passes: int, last: Step | None) -> None:
        """Continue from the middle of a decoding: after `passes` passes, of which `last` was the last (None: none was
        made), `tokens` (gen_length,) are the canvas. The first block with a mask is the one to work on.
        """
        self._tokens[:] = tokens
        self._pending = None
        self.passes = passes
        masked = np.flatnonzero(self._tokens == self.mask_id)
        self._enter_block(int(masked[0] if len(masked) else self.gen_length) // self.block_length)

    @property
    def canvas(self) -> tuple[int, ...]:
        return tuple(self._tokens.tolist())

    def request(self) -> Forward | None:
        if self._pending is None and self.block * self.block_length < self.gen_length:
            self._pending = self._next_request()
        return self._pending

    def update(self, predictions: Predictions) -> Step:
        """Apply the rule to the answer of the last request.

        Raises RuntimeError without a request to answer, and ValueError (leaving everything as it was) for an answer
        of another number of rows or one that would place the mask.
        """
        if self._pending is None:
            raise RuntimeError("update() answers a request: call request() first")
        rows = len(self._pending.rows)
        if len(predictions.ids) != rows:
            raise ValueError(f"predictions for {len(predictions.ids)} rows where {rows} were requested")
        step = self._apply(predictions)
        self.passes += 1
        self._pending = None
        self._leave_filled_blocks()
        return step

    def _leave_filled_blocks(self) -> None:
        while self.span.start < self.gen_length and not self._is_masked().any():
            self._enter_block(self.block + 1)  # more than once where a pass filled later blocks, or all of one is fixed

    def _next_request(self) -> Forward:
        raise NotImplementedError

    def _apply(self, predictions: Predictions) -> Step:
        raise NotImplementedError

    def _enter_block(self, block: int) -> None:
        self.block = block
        self.span = slice(block * self.block_length, (block + 1) * self.block_length)  # its positions

    def _masked(self) -> np.ndarray:
        """(n,) the positions of the current block that hold no token, in order."""
        return self._is_masked().nonzero()[0] + self.span.start

    def _is_masked(self) -> np.ndarray:
        """(block_length,) bool, of the current block."""
        return self._tokens[self.span] == self.mask_id

    def _forward(self, ids: np.ndarray, rows: np.ndarray, given: np.ndarray | None = None, **shadow: Any) -> Forward:
        """A request of this pass, with its temperature and noise."""
        given = np.full(len(rows), NO_TOKEN, dtype=np.int64) if given is None else given
        about = {**shadow, **self.controls.of_forward(self.prompt_length)}
        if self.temperature > 0:
            about |= {"temperature": self.temperature, "seed": self._pass_seed()}
        return Forward(ids, rows, given, **about)

    def _ranked_by(self, predictions: Predictions) -> np.ndarray:
        """(n,) the confidences by which to choose among the masks of the block, whose rows come first.

        The model's own, but that ends of the text may have to wait (`Controls.end_of_text`).
        """
        count = np.count_nonzero(self._is_masked())
        confidence = predictions.confidence[:count]
        if self.controls.end_of_text != LAST:
            return confidence
        return hold_back(predictions.ids[:count], confidence, self.controls.end_ids)

    def _pass_seed(self) -> int:
        """A seed for this pass alone, the same whenever the decoding is repeated."""
        return int(np.random.SeedSequence((self.seed, self.passes)).generate_state(1)[0])

    def _draft(self, masked: np.ndarray, chosen: np.ndarray, predictions: Predictions) -> Draft:
        """Place the predicted tokens of the rows in `chosen`; `masked` are the positions of the first rows.

        masked (n,) positions, chosen (m,) indices into it without repeats. Raises ValueError for the mask token.
        """
        chosen = np.sort(chosen)
        ids, confidence = predictions.ids[: len(masked)], predictions.confidence[: len(masked)]
        if (ids[chosen] == self.mask_id).any():
            raise ValueError(f"the model chose the mask token {self.mask_id}: a denoiser has to leave it out")
        self._tokens[masked[chosen]] = ids[chosen]
        others = np.ones(len(masked), dtype=bool)
        others[chosen] = False
        rows = [(column[chosen].tolist(), column[others].tolist()) for column in (masked, ids, confidence)]
        drafted, considered = (tokens(*columns) for columns in zip(*rows, strict=True))
        alternatives = map(predictions.alternatives, chosen.tolist())
        return Draft(drafted, considered, dict(zip(rows[0][0], alternatives, strict=True)))


class Draft(NamedTuple):
    """The drafting half of a Step."""

    drafted: tuple[Token, ...]
    considered: tuple[Token, ...]
    alternatives: dict[int, tuple[tuple[int, float], ...]]


def most_confident(confidence: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` highest of (n,) confidences, highest first; the lower index wins a tie."""
    return np.argsort(-confidence, kind="stable")[:count]
