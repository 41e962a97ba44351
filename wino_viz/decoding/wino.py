"""WINO decoding: draft boldly, verify every placed token, take back what no longer convinces.

    decoder = WinoSettings(tau1=0.6, tau2=0.9).start(canvas)

Wide-In, Narrow-Out (arXiv 2507.18578, section 3). Each pass does both halves in one forward pass of the model:

    draft   every masked position of the block whose confidence is above a lenient tau1 gets its token
    verify  every token placed earlier in the block is judged by its shadow slot, and masked again below a strict tau2

The judge is a **shadow block**: a second copy of the current block, appended to the sequence, at the same rotary
positions, and masked for ever. A shadow slot sees everything except its own twin, so it predicts the twin's token from
its whole context and can't just copy it; nothing outside the shadow sees the shadow, so drafting is undisturbed.

This is the layout for models whose rows predict their own position, as published. For one whose rows predict the next,
`wino_viz/models/next_position.py` turns the request into a layout of this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Canvas, Forward, Predictions, check_number, check_whole
from wino_viz.decoding.blocks import BlockDecoder, most_confident
from wino_viz.step import DRAFT_CAP, FORCED_DRAFT, REMASK_LIMIT, SINGLE_DRAFT, Step, Token, judgements


@dataclass(frozen=True)
class WinoSettings:
    """Settings of WINO; the defaults are the published ones. ValueError for one outside its range.

    tau1  0..1  a masked position is drafted when its confidence is above this
    tau2  0..1  a placed token is masked again when its shadow slot gives it a probability below this

    One pass drafts at most min(max(draft_share * masked positions, draft_floor), draft_cap) tokens:

    draft_floor  >= 1  what one pass may draft however few positions are left
    draft_cap    >= 1  what one pass may draft however many are left; wins over the floor
    draft_share  0..1  the share of the masked positions between the two (rounded down)

    first_remask_limit  >= 1  a pass masks again fewer tokens than the pass before it drafted, so that every block ends;
                              this stands in for "the pass before" in the first pass of a block. Part of the published
                              rule, without effect: that pass has no token to verify yet.
    """

    name: ClassVar[str] = "wino"

    tau1: float = 0.6
    tau2: float = 0.9
    draft_floor: int = 5
    draft_cap: int = 20
    draft_share: float = 0.7
    first_remask_limit: int = 30

    def __post_init__(self) -> None:
        check_number("tau1", self.tau1, 0, 1)
        check_number("tau2", self.tau2, 0, 1)
        check_whole("draft_floor", self.draft_floor, 1)
        check_whole("draft_cap", self.draft_cap, 1)
        check_number("draft_share", self.draft_share, 0, 1)
        check_whole("first_remask_limit", self.first_remask_limit, 1)

    def most_drafts(self, masked: int) -> int:
        """How many tokens one pass may draft while `masked` positions of the block are masked."""
        return min(max(int(self.draft_share * masked), self.draft_floor), self.draft_cap)

    def start(self, canvas: Canvas) -> WinoDecoder:
        """A decoder at the start of `canvas`."""
        return WinoDecoder(self, canvas)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}


class WinoDecoder(BlockDecoder):
    """WINO at work on one prompt; made by `WinoSettings.start`."""

    def __init__(self, settings: WinoSettings, canvas: Canvas) -> None:
        self.settings = settings
        super().__init__(canvas)

    def _enter_block(self, block: int) -> None:
        super()._enter_block(block)
        self._last_drafts = self.settings.first_remask_limit
        if self.span.start < self.gen_length:
            shape = self.prompt_length, self.gen_length, self.block_length, block
            self._attention, self._position_ids = shadow_attention(*shape), shadow_position_ids(*shape)
            self._attention.flags.writeable = self._position_ids.flags.writeable = False

    def go_on(self, tokens: Sequence[int], passes: int, last: Step | None) -> None:
        """As in BlockDecoder; within a block the last pass limits what the next may take back, whatever decoder made it."""
        super().go_on(tokens, passes, last)
        if last is not None and last.block == self.block:
            self._last_drafts = len(last.drafted)

    def _placed(self) -> np.ndarray:
        """(n,) the positions of the current block whose token a pass drafted: those that the shadow judges."""
        return (~(self._is_masked() | self._is_fixed[self.span])).nonzero()[0] + self.span.start

    def _next_request(self) -> Forward:
        masked, placed = self._masked(), self._placed()
        shadow = np.full(self.block_length, self.mask_id, dtype=np.int64)
        slots = len(self._sequence) + placed - self.span.start
        return self._forward(
            ids=np.concatenate((self._sequence, shadow)),  # (T,)
            rows=np.concatenate((self.prompt_length + masked, slots)),  # (R,)
            given=np.concatenate((np.full_like(masked, NO_TOKEN), self._tokens[placed])),  # (R,)
            position_ids=self._position_ids,
            attention=self._attention,
        )

    def _apply(self, predictions: Predictions) -> Step:
        masked, placed = self._masked(), self._placed()
        judged = predictions.given_probability[len(masked) :]
        placed_ids = self._tokens[placed].tolist()
        chosen, draft_limits = choose_drafts(self._ranked_by(predictions), self.settings)
        revoked, remask_limits = choose_remasks(judged, self.settings.tau2, len(chosen), self._last_drafts)

        draft = self._draft(masked, chosen, predictions)
        self._tokens[placed[revoked]] = self.mask_id
        self._last_drafts = len(chosen)

        verified = judgements(placed.tolist(), judged.tolist())
        slots = np.sort(revoked).tolist()
        remasked = tuple(Token(verified[i].position, placed_ids[i], verified[i].probability) for i in slots)
        alternatives = {verified[i].position: predictions.alternatives(len(masked) + i) for i in slots}
        return Step(
            block=self.block,
            drafted=draft.drafted,
            verified=verified,
            remasked=remasked,
            considered=draft.considered,
            alternatives=draft.alternatives | alternatives,
            limits=draft_limits + remask_limits,
        )


def choose_drafts(confidence: np.ndarray, settings: WinoSettings) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which masked positions to draft: (indices into `confidence`, names of the limits that changed the outcome).

    confidence (n,) 0..1 of the masked positions in order, n >= 1. Those above tau1, the most confident first where
    there are more than one pass may draft; the single most confident where there is none.
    """
    chosen = np.flatnonzero(confidence > settings.tau1)
    most = settings.most_drafts(len(confidence))
    if not len(chosen):
        return most_confident(confidence, 1), (FORCED_DRAFT,)
    if len(chosen) > most:
        return most_confident(confidence, most), (DRAFT_CAP,)
    return chosen, ()


def choose_remasks(
    judged: np.ndarray, tau2: float, drafts: int, last_drafts: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which placed tokens to mask again: (indices into `judged`, names of the limits that changed the outcome).

    judged (n,) 0..1, the shadow's probability of each placed token. Those below tau2, but fewer than the `last_drafts`
    tokens that the previous pass drafted (the lowest first), and none in a pass that drafts a single token: so every
    pass leaves fewer masks than drafts could refill, and every block ends.
    """
    failed = np.flatnonzero(judged < tau2)
    if not len(failed):
        return failed, ()
    if drafts == 1:
        return failed[:0], (SINGLE_DRAFT,)
    if len(failed) >= last_drafts:
        return np.argsort(judged, kind="stable")[: last_drafts - 1], (REMASK_LIMIT,)
    return failed, ()


def shadow_attention(prompt_length: int, gen_length: int, block_length: int, block: int) -> np.ndarray:
    """The attention mask of WINO while it decodes `block` (0 is the first): (T, T) bool, True where row sees column.

    T = prompt_length + gen_length + block_length; the last block_length rows and columns are the shadow. Prompt and
    generated part see each other and no shadow slot; a shadow slot sees everything, except its own twin in `block`.
    """
    length = prompt_length + gen_length
    attention = np.ones((length + block_length, length + block_length), dtype=bool)
    attention[:length, length:] = False
    slots = np.arange(block_length)
    attention[length + slots, prompt_length + block * block_length + slots] = False
    return attention


def judge_tokens(prompt_ids: Sequence[int], tokens: Sequence[int], mask_id: int) -> Forward:
    """The forward pass in which a shadow judges a whole answer, as WINO judges the tokens of one block.

    Row n of the predictions gives, as `given_probability`, that of tokens[n] with all other tokens in sight.
    """
    shape = len(prompt_ids), len(tokens), len(tokens), 0
    return Forward(
        ids=np.concatenate((prompt_ids, tokens, np.full(len(tokens), mask_id))).astype(np.int64),
        rows=len(prompt_ids) + len(tokens) + np.arange(len(tokens)),
        given=np.asarray(tokens, dtype=np.int64),
        position_ids=shadow_position_ids(*shape),
        attention=shadow_attention(*shape),
    )


def shadow_position_ids(prompt_length: int, gen_length: int, block_length: int, block: int) -> np.ndarray:
    """(T,) int64 rotary positions: 0..prompt_length+gen_length-1, then those of `block` once more for its shadow."""
    start = prompt_length + block * block_length
    return np.concatenate((np.arange(prompt_length + gen_length), np.arange(start, start + block_length)))
