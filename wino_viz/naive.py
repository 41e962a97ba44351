"""The naive way to decode, as a yardstick: every pass by transformers' own modules over the whole sequence, head on all rows.

    python -m wino_viz bench --naive [--model llada-mini] [--problems 5]

Each problem is decoded by WINO in all ways, one after the other, so that a busy machine slows all: as the app does, with prefix
reuse (approximate, `models/prefix.py`), and naively. The first and the last choose the same tokens.

How much faster an exact way could be at most is counted, too: every position outside the block depends on every token in it, so
an exact pass leaves out only what nobody asks about, the head and most of the last layer of the other rows.
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
NAIVE = "naive"
WAYS = {"usual": "as the app does", "reuse": "with prefix reuse (approximate)", NAIVE: "naively"}


class NaiveDenoiser(Denoiser):
    """Answers as any Denoiser does, but reads the logits of every row of every sequence.

    It counts multiply-adds with weights as it goes: `done`, and `needed`, those that an exact pass can't do without.
    """

    done = needed = 0

    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        for forward in forwards:
            done, needed = products(self.model.config, len(forward.ids), len(forward.rows))
            self.done, self.needed = self.done + done, self.needed + needed
        answers = super().predict([_every_row(forward) for forward in forwards])
        return [_only(answer, forward.rows) for answer, forward in zip(answers, forwards, strict=True)]


def products(config: Any, length: int, rows: int) -> tuple[int, int]:
    """Multiply-adds with weights in a pass over `length` tokens of which `rows` are asked about: (of all, of those needed).

    Attention's own products are not in it; they are the same for both, but for the last layer.
    """
    wide, heads = config.hidden_size, config.num_attention_heads
    size = getattr(config, "head_dim", None) or wide // heads
    keys_values = 2 * wide * config.num_key_value_heads * size
    rest = 2 * wide * heads * size + 3 * wide * config.intermediate_size
    head, layers = wide * config.vocab_size, config.num_hidden_layers
    done = length * (layers * (keys_values + rest) + head)
    return done, done - (length - rows) * (rest + head)


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
    """Of each of the ways of WAYS: {"seconds_per_answer", "model_seconds_per_pass", "forward_passes", "same", "speed_up"}.

    `same`: in how many answers the tokens are the naive ones. `speed_up` over naively. And "most": what an exact way could
    reach where the products with weights are all that takes time. decode(session, seed) decodes one problem: {"total"
    seconds, "per_pass" model seconds, "tokens"}.
    """
    reuse = Session(usual.model, lambda name: load_checkpoint(name, reuse=True))
    sessions = dict(zip(WAYS, (usual, reuse, naive_session(usual.model)), strict=True))
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
            "same": sum(run["tokens"] == other["tokens"] for run, other in zip(own, runs[NAIVE], strict=True)),
        }
        for name, own in runs.items()
    }
    for row in found.values():
        row["speed_up"] = found[NAIVE]["seconds_per_answer"] / row["seconds_per_answer"]
    counted = sessions[NAIVE].checkpoint().denoiser
    return {**found, "problems": problems, "most": counted.done / counted.needed}


def report(result: dict[str, Any]) -> str:
    """The figures as a table, with the goal."""
    lines = [
        "| WINO, run | forward passes | model ms per pass | s per answer | times faster | the same tokens |",
        "|---|---|---|---|---|---|",
    ]
    for name, words in WAYS.items():
        row = result[name]
        lines.append(
            f"| {words} | {row['forward_passes']:.1f} | {row['model_seconds_per_pass'] * 1e3:.1f} "
            f"| {row['seconds_per_answer']:.2f} | {row['speed_up']:.2f}× | {row['same']} of {result['problems']} |"
        )
    said = [
        f"{words} {'met' if result[name]['speed_up'] >= GOAL else 'MISSED'}" for name, words in list(WAYS.items())[:2]
    ]
    most = f"By the products that it needs an exact pass could be {result['most']:.2f} times faster at most."
    return "\n".join([*lines, "", f"Goal on a CPU, {GOAL:g} times: {', '.join(said)}. {most}"])
