"""The seam between decoding rules and the model: what a decoder asks for, and what it gets back.

A decoder is a small state machine without a model inside. `request()` says which forward pass it needs next,
`update(predictions)` applies its rule and says what changed:

    while (forward := decoder.request()) is not None:
        step = decoder.update(denoiser.predict([forward])[0])

So the same rules serve the app, the command line, evaluation, training and tests with scripted predictions, and a
driver may run the requests one by one or batched across users. numpy only; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from wino_viz.decoding.checks import check_number, check_whole
from wino_viz.decoding.controls import Controls
from wino_viz.trace import MAX_GEN_LENGTH, Step

NO_TOKEN = -1  # in Forward.given: this row judges no token

LOW_CONFIDENCE, RANDOM = "low_confidence", "random"

MAX_TEMPERATURE = 10  # far above any use; the choice is close to uniform long before
MAX_SEED = 2**32 - 1  # what every generator in use (numpy, torch, a browser) takes


@dataclass(frozen=True, eq=False)
class Forward:
    """One forward pass that a decoder needs. T is the sequence's length, R the number of requested rows.

    ids            (T,) int64   the whole input: prompt, generated part, and the shadow block where there is one
    rows           (R,) int64   indices into the sequence: which tokens are to be predicted. Which rows of the model
                                answer for them is the denoiser's business; the head runs on those only
    given          (R,) int64   a token to be judged at each row (its probability is wanted), or NO_TOKEN
    position_ids   (T,) int64   rotary positions, or None for 0..T-1
    attention      (T, T) bool  row may attend to column where True, or None when every row sees everything.
                                The same object is passed again while it does not change, so drivers may cache it.
    temperature    >= 0         0 chooses the arg-max; above 0 the choice is sampled with Gumbel noise
    seed           int          of this pass's noise; the same seed, device and input give the same choice
    guidance       >= 0         above 0 the pass is made a second time with the first `prompt_length` ids masked, and the
                                logits are without + (guidance + 1) * (with - without)
    banned         ids          that are left out of the choice and of the probabilities, as the mask is
    """

    ids: np.ndarray
    rows: np.ndarray
    given: np.ndarray
    position_ids: np.ndarray | None = None
    attention: np.ndarray | None = None
    temperature: float = 0.0
    seed: int = 0
    guidance: float = 0.0
    prompt_length: int = 0
    banned: tuple[int, ...] = ()

    @property
    def sequences(self) -> int:
        """How many sequences go through the model for it."""
        return 2 if self.guidance else 1


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the model says at the R requested rows, in their order. Probabilities are 0..1, rounded to 6 decimals.

    ids                (R,) int64      the chosen token: arg-max, or sampled when the temperature is above 0; never the
                                       mask, which a denoiser leaves out of the choice (a decoder refuses to place it)
    confidence         (R,) float64    the model's (noise-free) probability of the chosen token
    given_probability  (R,) float64    the probability of Forward.given; 0 where that is NO_TOKEN
    top_ids            (R, k) int64    the k most probable tokens, most probable first
    top_probabilities  (R, k) float64  and their probabilities
    """

    ids: np.ndarray
    confidence: np.ndarray
    given_probability: np.ndarray
    top_ids: np.ndarray
    top_probabilities: np.ndarray

    def alternatives(self, row: int) -> tuple[tuple[int, float], ...]:
        """The most probable tokens of one requested row as (id, probability), for the trace."""
        return tuple(zip(self.top_ids[row].tolist(), self.top_probabilities[row].tolist(), strict=True))


class Denoiser(Protocol):
    """Whatever answers requests: the model, or a script in a test."""

    def predict(self, forwards: list[Forward]) -> list[Predictions]:
        """One Predictions for each Forward, in their order."""


class Decoder(Protocol):
    """A decoding rule at work on one prompt."""

    def request(self) -> Forward | None:
        """The forward pass needed next, or None when every position holds a token. Asking twice changes nothing."""

    def update(self, predictions: Predictions) -> Step:
        """Apply the rule to the answer of the last request; returns what changed."""

    @property
    def canvas(self) -> tuple[int, ...]:
        """The generated part as it stands: gen_length token ids, the mask id where nothing is placed."""


@dataclass(frozen=True)
class Canvas:
    """What every decoder is told about its work: the prompt and the shape of the generated part.

    prompt_ids    token ids of the prompt (at least one)
    mask_id       the checkpoint's mask token
    gen_length    tokens to generate, 1 to 8,192 and a multiple of block_length
    block_length  tokens per block; blocks are finished from left to right
    temperature   >= 0; 0 is exact arg-max
    seed          0 or more; of the noise (temperature above 0) and of random remasking
    controls      words that are fixed, when the text may end, guidance: see controls.py
    """

    prompt_ids: Sequence[int] = field(repr=False)
    mask_id: int
    gen_length: int = 128
    block_length: int = 64
    temperature: float = 0.0
    seed: int = 0
    controls: Controls = Controls()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt_ids", tuple(map(int, self.prompt_ids)))
        if not self.prompt_ids:
            raise ValueError("the prompt is empty: it must have at least one token")
        check_whole("gen_length", self.gen_length, 1, MAX_GEN_LENGTH)
        check_whole("block_length", self.block_length, 1, self.gen_length)
        if self.gen_length % self.block_length:
            raise ValueError(
                f"gen_length {self.gen_length} is not a multiple of block_length {self.block_length}: "
                f"choose one of {_divisors(self.gen_length)}"
            )
        check_number("temperature", self.temperature, 0, MAX_TEMPERATURE)
        check_whole("seed", self.seed, 0, MAX_SEED)
        self.controls.check(self.gen_length, self.mask_id)


def _divisors(n: int) -> str:
    return ", ".join(str(d) for d in range(1, n + 1) if n % d == 0)


class Settings(Protocol):
    """A decoder's own settings: a frozen dataclass, checked when made. `name` is the decoder's name in a SPEC."""

    name: str

    def start(self, canvas: Canvas) -> Decoder:
        """A decoder with these settings at the start of its work on `canvas`."""

    def to_dict(self) -> dict[str, Any]:
        """The trace's "decoder" entry: {"name": ..., and every setting}."""
