"""Drive decoders with a denoiser: one at a time, or many with their requests batched.

    steps = [timed.step for timed in decode(settings.start(canvas), denoiser)]

Only the model's share is timed, so drawing a step or writing it down never counts as decoding.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from wino_viz.decoding.base import Canvas, Decoder, Denoiser, Settings, check_whole
from wino_viz.trace import Branch, Step, Trace


class TimedStep(NamedTuple):
    """A step, and the seconds that the model took for it (its share of the batch's, where it ran in a batch)."""

    step: Step
    model_seconds: float


def decode(decoder: Decoder, denoiser: Denoiser) -> Iterator[TimedStep]:
    """Run `decoder` to its end, yielding each step as it is made."""
    for _, timed in decode_many([decoder], denoiser, in_flight=1):
        yield timed


def decode_many(decoders: Iterable[Decoder], denoiser: Denoiser, in_flight: int) -> Iterator[tuple[int, TimedStep]]:
    """Run every decoder to its end, `in_flight` of them (at least 1) at a time, one batch of requests per model call.

    Yields (index of the decoder, its next step) in the order in which they are made; the steps of one decoder come in
    their order. A decoder that ends makes room for the next at once, and the iterable is read no further ahead than
    that. What a decoder does never depends on its neighbours in the batch (a denoiser's rounding may).
    """
    check_whole("in_flight", in_flight, 1)
    return _decode_many(decoders, denoiser, in_flight)


def _decode_many(decoders: Iterable[Decoder], denoiser: Denoiser, in_flight: int) -> Iterator[tuple[int, TimedStep]]:
    if hasattr(denoiser, "answers"):  # it drives by itself, among other users or elsewhere: nothing to batch here
        for index, decoder in enumerate(decoders):
            for answer, seconds in denoiser.answers(decoder):
                decoder.request()  # which a copy of it was asked elsewhere
                yield index, TimedStep(decoder.update(answer), seconds)
        return
    waiting = enumerate(decoders)
    active: list[tuple[int, Decoder]] = []
    while True:
        while len(active) < in_flight and (entry := next(waiting, None)) is not None:
            if entry[1].request() is not None:
                active.append(entry)
        if not active:
            return
        requests = [decoder.request() for _, decoder in active]
        started = time.perf_counter()
        answers = denoiser.predict(requests)
        share = (time.perf_counter() - started) / len(active)
        for (index, decoder), answer in zip(active, answers, strict=True):
            yield index, TimedStep(decoder.update(answer), share)
        active = [entry for entry in active if entry[1].request() is not None]


def record(
    *,
    model: str,
    settings: Settings,
    canvas: Canvas,
    prompt: str,
    steps: Sequence[Step],
    pieces: Mapping[int, str],
    text: str,
    end_ids: Iterable[int] = (),
    timing: Mapping[str, Any] | None = None,
    branches: Sequence[Branch] = (),
) -> Trace:
    """The trace of a decoding that `settings` made on `canvas`, finished or not.

    prompt and text are the words as shown; pieces holds the text of every id in `shown_ids(steps)` and of every fixed one
    (more is allowed); branches say where the steps left another decoding. Raises TraceError where the steps could not have
    happened or a piece is missing.
    """
    trace = Trace(
        model=model,
        decoder={
            **settings.to_dict(),
            "temperature": canvas.temperature,
            "seed": canvas.seed,
            **canvas.controls.to_dict(),
        },
        gen_length=canvas.gen_length,
        block_length=canvas.block_length,
        mask_id=canvas.mask_id,
        prompt=prompt,
        prompt_ids=tuple(canvas.prompt_ids),
        pieces=dict(pieces),
        steps=tuple(steps),
        output_ids=(),
        text=text,
        end_ids=tuple(end_ids),
        branches=tuple(branches),
        timing=dict(timing or {}),
        fixed=tuple(canvas.controls.fixed),
    )
    *_, output_ids = trace.canvases()
    trace = replace(trace, output_ids=output_ids)
    trace.check()
    return trace
