"""Denoisers without a model, for tests of rules: one that reads a script, one that makes its answers up."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Canvas, Forward, Predictions
from wino_viz.decoding.drive import decode

PROMPT = (7, 7, 7)
MASK = 99

# (pass number from 0, position in the generated part, whether its shadow slot is asked) -> (token, confidence).
# For a shadow slot the token is what it would say itself, and the confidence its probability of the token in place.
Script = Callable[[int, int, bool], tuple[int, float]]


def a_canvas(gen_length: int = 8, block_length: int | None = None, **settings) -> Canvas:
    return Canvas(PROMPT, MASK, gen_length, block_length or gen_length, **settings)


def script_of(
    drafts: Mapping[int, Mapping[int, float]] | None = None,
    judged: Mapping[int, Mapping[int, float]] | None = None,
    draft: float = 0.0,
    judge: float = 1.0,
) -> Script:
    """A script from {pass: {position: confidence}} of drafts and of verdicts; else `draft` and `judge`.

    The token that pass n proposes at position p is `proposal(n, p)`, so that a test sees which pass placed it.
    """

    def script(number: int, position: int, shadow: bool) -> tuple[int, float]:
        said = (judged if shadow else drafts) or {}
        usual = judge if shadow else draft
        return proposal(number, position), said.get(number, {}).get(position, usual)

    return script


def proposal(number: int, position: int) -> int:
    """The token that a script of `script_of` proposes; never the mask."""
    return 1000 * (number + 1) + position


class ScriptedDenoiser:
    """Answers the passes of one decoder from a script, and keeps the requests."""

    def __init__(self, script: Script, canvas: Canvas) -> None:
        self.script, self.canvas = script, canvas
        self.requests: list[Forward] = []

    def predict(self, forwards: list[Forward]) -> list[Predictions]:
        (forward,) = forwards
        number = len(self.requests)
        self.requests.append(forward)
        prompt_length = len(self.canvas.prompt_ids)
        answers = []
        for row, given in zip(forward.rows.tolist(), forward.given.tolist(), strict=True):
            shadow = row >= prompt_length + self.canvas.gen_length
            assert shadow == (given != NO_TOKEN)
            place = row if forward.position_ids is None else int(forward.position_ids[row])
            token, confidence = self.script(number, place - prompt_length, shadow)
            answers.append((token, confidence, confidence if shadow else 0.0))
        tokens, confidence, judged = (np.array(column) for column in zip(*answers, strict=True))
        return [Predictions(tokens, confidence, judged, tokens[:, None], confidence[:, None])]


class RandomDenoiser:
    """Makes up predictions that depend on the request alone, so that batches and repeats agree.

    The confidences lie on a coarse grid, so ties are many.
    """

    def __init__(self, vocabulary: int = 50, alternatives: int = 3, grid: int = 20) -> None:
        self.vocabulary, self.alternatives, self.grid = vocabulary, alternatives, grid
        self.batches: list[int] = []

    def predict(self, forwards: list[Forward]) -> list[Predictions]:
        self.batches.append(len(forwards))
        return [self._answer(forward) for forward in forwards]

    def _answer(self, forward: Forward) -> Predictions:
        rng = np.random.default_rng((zlib.crc32(forward.ids.tobytes()), forward.seed))
        rows, k = len(forward.rows), self.alternatives
        top_ids = np.argsort(rng.random((rows, self.vocabulary)), axis=1)[:, :k]
        top = -np.sort(-rng.integers(0, self.grid + 1, (rows, k)), axis=1) / self.grid
        judged = np.where(forward.given == NO_TOKEN, 0.0, rng.integers(0, self.grid + 1, rows) / self.grid)
        return Predictions(top_ids[:, 0], top[:, 0], judged, top_ids, top)


def run(settings, canvas: Canvas, script: Script):
    """(steps, requests, final canvas) of a decoding from a script."""
    denoiser = ScriptedDenoiser(script, canvas)
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, denoiser)]
    return steps, denoiser.requests, decoder.canvas
