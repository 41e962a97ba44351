"""The naive way to decode, as a yardstick: every pass by transformers' own modules over the whole sequence, head on all rows.

    python -m wino_viz bench --naive [--model llada-mini] [--problems 5]

Each problem is decoded by WINO both ways, one after the other, so that a busy machine slows both. The tokens are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Forward, Predictions
from wino_viz.models.checkpoint import load_checkpoint
from wino_viz.models.denoiser import Denoiser, Speed
from wino_viz.session import Session

GOAL = 2.0  # times faster, on a CPU


class NaiveDenoiser(Denoiser):
    """Answers as any Denoiser does, but reads the logits of every row of every sequence."""

    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        answers = super().predict([_every_row(forward) for forward in forwards])
        return [_only(answer, forward.rows) for answer, forward in zip(answers, forwards, strict=True)]


def _every_row(forward: Forward) -> Forward:
    given = np.full(len(forward.ids), NO_TOKEN, dtype=np.int64)
    given[forward.rows] = forward.given
    return replace(forward, rows=np.arange(len(forward.ids)), given=given)


def _only(answer: Predictions, rows: np.ndarray) -> Predictions:
    return Predictions(**{name: values[rows] for name, values in vars(answer).items()})


def naive_session(model: str) -> Session:
    """A Session whose model is run the naive way."""

    def load(name: str) -> Any:
        checkpoint = load_checkpoint(name, speed=Speed(own_layers=False))
        usual = checkpoint.denoiser
        return replace(checkpoint, denoiser=NaiveDenoiser(usual.model, usual.mask_id, usual.arrange, usual.speed))

    return Session(model, load)


def measure_naive(decode: Callable[[Session, int], dict[str, Any]], usual: Session, problems: int) -> dict[str, Any]:
    """{"usual", "naive": {"seconds_per_answer", "model_seconds_per_pass"}, "speed_up", "same"}.

    decode(session, seed) decodes one problem: {"total" seconds, "per_pass" model seconds, "tokens"}.
    """
    sessions = {"usual": usual, "naive": naive_session(usual.model)}
    for session in sessions.values():
        decode(session, problems)  # the first passes of a process are slower
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sessions}
    for seed in range(problems):
        for name, session in sessions.items():
            runs[name].append(decode(session, seed))
    found: dict[str, Any] = {
        name: {
            "seconds_per_answer": fmean(run["total"] for run in own),
            "model_seconds_per_pass": fmean(seconds for run in own for seconds in run["per_pass"]),
            "forward_passes": fmean(len(run["per_pass"]) for run in own),
        }
        for name, own in runs.items()
    }
    pairs = zip(runs["usual"], runs["naive"], strict=True)
    found["same"] = sum(a["tokens"] == b["tokens"] for a, b in pairs)
    found["problems"] = problems
    found["speed_up"] = found["naive"]["seconds_per_answer"] / found["usual"]["seconds_per_answer"]
    return found


def report(result: dict[str, Any]) -> str:
    """The figures as a table, with the goal."""
    lines = ["| WINO, run | forward passes | model ms per pass | s per answer |", "|---|---|---|---|"]
    for name, words in (("usual", "as the app does"), ("naive", "naively")):
        row = result[name]
        lines.append(
            f"| {words} | {row['forward_passes']:.1f} | {row['model_seconds_per_pass'] * 1e3:.1f} "
            f"| {row['seconds_per_answer']:.2f} |"
        )
    met = "met" if result["speed_up"] >= GOAL else "MISSED"
    same = f"the same tokens in {result['same']} of {result['problems']} answers"
    return "\n".join([*lines, "", f"{result['speed_up']:.2f} times faster ({same}). Goal on a CPU: {GOAL:g}, {met}."])
