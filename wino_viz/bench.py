"""How fast decoding is on this machine: model time per forward pass, time to the first step, time outside the model.

    python -m wino_viz bench [--model llada-mini] [--problems 5] [--out OUT.json]
    python -m wino_viz bench --in-flight [1,8,64] [--decoders wino]
    python -m wino_viz bench --shadow [GENxBLOCK,…]                   see shadow_cost.py
    python -m wino_viz bench --shape llada-8b                         how close to the chip's limit: see bench_shape.py
    python -m wino_viz bench --check                                  the same tokens, however it is run: see bench_check.py
    python -m wino_viz bench --naive                                  beside recomputing everything: see naive.py
    python -m wino_viz bench --load --model MODEL
    python -m wino_viz bench --parity [--model MODEL] [--problems 500]
    python -m wino_viz bench --users [1,4,16,64]

Time outside the model is everything the app does for a pass besides the model: asking the decoder, applying its rule,
recording the step, looking up token texts and writing the message that goes to the browser. Goal on a CPU: at most 5 %.

With --in-flight the same problems are decoded with so many in one batch each, as `eval --in-flight` does.
--shadow measures what the shadow block costs: see shadow_cost.py; --users how many people one model serves at once: see
bench_users.py. --load measures what loading a model costs: load_cost.py. --parity compares bfloat16 with float32: parity.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from statistics import fmean, median
from typing import Any

from wino_viz import bench_users, load_cost, naive, parity, shadow_cost
from wino_viz.decoding import Canvas, Denoiser, Settings, decode_many
from wino_viz.provenance import commit, machine, versions, weights_checksum
from wino_viz.session import Session
from wino_viz.tasks import arithmetic

PROBLEMS, SPECS = 5, ("standard", "standard:tokens_per_step=8", "threshold", "wino")
OUTSIDE_LIMIT = 0.05  # share of a run's time that may be spent outside the model, on a CPU
IN_FLIGHT = (1, 8, 64)
IN_FLIGHT_SPECS = ("wino",)
MAX_IN_FLIGHT = 1024
WARM_UP = {"gen_length": 32, "block_length": 32}


def bench(model: str, problems: int, specs: Sequence[str] = SPECS) -> dict[str, Any]:
    """Decode `problems` test problems with each decoder as the app does, and take the times apart. Seconds throughout.

    Per decoder: median model time per forward pass; median time from the request to the first step (model loaded);
    the share of the whole time spent outside the model.
    """
    session = Session(model)
    settings = {spec: session.parse(spec) for spec in specs}
    started = time.perf_counter()
    device = session.checkpoint().denoiser.device
    load_seconds = time.perf_counter() - started
    _decode(session, next(iter(settings.values())), 0, **WARM_UP)
    rows = []
    for spec, chosen in settings.items():
        runs = [_decode(session, chosen, seed) for seed in range(problems)]
        passes = [seconds for run in runs for seconds in run["per_pass"]]
        model_seconds, total = sum(passes), sum(run["total"] for run in runs)
        rows.append(
            {
                "decoder": spec,
                "problems": problems,
                "mean_forward_passes": len(passes) / problems,
                "model_seconds_per_pass": median(passes),
                "seconds_to_first_step": median(run["first_step"] for run in runs),
                "seconds_per_answer": fmean(run["total"] for run in runs),
                "outside_model_share": (total - model_seconds) / total,
            }
        )
    return {**_head(model, device), "load_seconds": load_seconds, "rows": rows}


def bench_in_flight(model: str, counts: Sequence[int], specs: Sequence[str] = IN_FLIGHT_SPECS) -> dict[str, Any]:
    """Decode the same test problems with each count of them in one batch; seconds of the whole, decoders included.

    As many problems as the highest count; so the last batches of a run are smaller than its count, as in any evaluation.
    `speed_up` is over the first count. `same` are the answers that have the first count's tokens in the same passes.
    """
    session = Session(model)
    checkpoint = session.checkpoint()
    rng = Random(0)
    questions = [arithmetic.generate(rng, "test").question for _ in range(max(counts))]
    lengths = {"gen_length": session.gen_length, "block_length": session.block_length}
    canvases = [checkpoint.canvas(question, **lengths) for question in questions]
    canvases.sort(key=lambda canvas: -len(canvas.prompt_ids))  # as an evaluation does
    rows = []
    for spec in specs:
        settings, first = session.parse(spec), None
        for count in counts:
            for _ in islice(decode_many(_start(settings, canvases), checkpoint.denoiser, count), 2 * count):
                pass  # a GPU's first passes of a shape are slower
            seconds, answers = _decode_in_flight(settings, canvases, checkpoint.denoiser, count)
            first = first or (seconds, answers)
            rows.append(
                {
                    "decoder": spec,
                    "in_flight": count,
                    "problems": len(canvases),
                    "mean_forward_passes": fmean(passes for passes, _ in answers),
                    "seconds": seconds,
                    "tokens_per_second": len(canvases) * session.gen_length / seconds,
                    "speed_up": first[0] / seconds,
                    "same": sum(a == b for a, b in zip(answers, first[1], strict=True)),
                }
            )
    return {**_head(model, checkpoint.denoiser.device), "rows": rows}


def _start(settings: Settings, canvases: Sequence[Canvas]) -> list[Any]:
    return [settings.start(canvas) for canvas in canvases]


def _decode_in_flight(
    settings: Settings, canvases: Sequence[Canvas], denoiser: Denoiser, in_flight: int
) -> tuple[float, list[tuple[int, tuple[int, ...]]]]:
    """Seconds for all, and (forward passes, tokens) of each."""
    decoders, passes = _start(settings, canvases), [0] * len(canvases)
    started = time.perf_counter()
    for index, _ in decode_many(decoders, denoiser, in_flight):
        passes[index] += 1
    seconds = time.perf_counter() - started
    return seconds, [(count, decoder.canvas) for count, decoder in zip(passes, decoders, strict=True)]


def bench_shadow_block(model: str, shapes: Sequence[tuple[int, int]] | None, repeats: int) -> dict[str, Any]:
    """What the shadow block costs; see `wino_viz.shadow_cost`."""
    session = Session(model)
    rows = list(shadow_cost.bench_shadow(session, shapes, repeats=repeats))
    return {**_head(model, session.checkpoint().denoiser.device), "repeats": repeats, "rows": rows}


def bench_load(model: str, load: Callable[[str], Any]) -> dict[str, Any]:
    """What loading costs; see `wino_viz.load_cost`. The first thing that a process does, or its memory is not the model's."""
    kept: list[Any] = []

    def load_once() -> Any:
        kept.append(load(model))
        return kept[0]

    figures = load_cost.measure_load(load_once)
    return {**_head(model, kept[0].denoiser.device), **figures}


def bench_naive(model: str, problems: int) -> dict[str, Any]:
    """WINO as the app runs it beside the naive way; see `wino_viz.naive`."""

    def decode(session: Session, seed: int) -> dict[str, Any]:
        return _decode(session, session.settings("wino"), seed)

    usual = Session(model)
    figures = naive.measure_naive(decode, usual, problems)
    return {**_head(model, usual.checkpoint().denoiser.device), **figures}


def bench_parity(model: str, load: Callable[[str], Any], count: int, specs: Sequence[str]) -> dict[str, Any]:
    """bfloat16 beside float32; see `wino_viz.parity`."""
    loaded = {name: load(name) for name in ("float32", "bfloat16")}

    def on_row(row: dict[str, Any]) -> None:
        print(f"{row['task']}, {row['decoder']}: {row['same']} of {row['n']} the same", file=sys.stderr, flush=True)

    rows = parity.measure_parity(loaded.__getitem__, count, specs or parity.SPECS, on_row=on_row)
    return {**_head(model, loaded["float32"].denoiser.device), "rows": rows}


def bench_many_users(
    model: str, counts: Sequence[int], spec: str, seconds: float, replicas: int | None = None
) -> dict[str, Any]:
    """Many users at once; see `wino_viz.bench_users`. With `replicas`, of so many, each with a GPU where there are GPUs."""
    session, about = Session(model), {}
    if replicas:
        import torch

        from wino_viz.replicas import start_models, stop

        about = {"replicas": replicas, "gpus_per_replica": float(torch.cuda.is_available())}
        service = start_models(replicas, about["gpus_per_replica"])
        session = Session(model, service.load, service=service)
    try:
        result = bench_users.bench_users(session, counts, spec, seconds)
        return {**_head(model, session.checkpoint().denoiser.device), **about, **result}
    finally:
        if replicas:
            stop()


def _head(model: str, device: Any) -> dict[str, Any]:
    import torch

    from wino_viz.models.checkpoint import find_model

    about = {"model": model, "commit": commit(), "weights_sha256": weights_checksum(find_model(model))}
    return {**about, **machine(device), "torch": torch.__version__, "versions": versions()}


def _decode(session: Session, settings: Settings, seed: int, **lengths: int) -> dict[str, Any]:
    """One decoding as the app does it, messages included."""
    from wino_viz.ui.messages import new_run, start_message, step_message, trace_message

    question = session.new_problem(steps=4, seed=seed)["question"]
    started = time.perf_counter()
    decoding, run, first_step, written = session.start(question, settings, **lengths), new_run(), 0.0, 0
    written += len(start_message(decoding.header, run))
    per_pass = []
    for made in decoding:
        written += len(step_message(made.step, run, made.number, pieces=made.pieces, model_seconds=made.seconds))
        first_step = first_step or time.perf_counter() - started
        per_pass.append(made.seconds)
    written += len(trace_message(decoding.trace(), run, verdict=decoding.verdict()))
    total = time.perf_counter() - started
    return {
        "per_pass": per_pass,
        "first_step": first_step,
        "total": total,
        "characters": written,
        "tokens": decoding.trace().output_ids,
    }


def report(result: dict[str, Any]) -> str:
    """The figures as text, with the limit they are held against."""
    lines = [
        f"{_where(result)}; loaded in {result['load_seconds']:.1f} s",
        "",
        "| decoder | forward passes | model ms per pass | request to first step, ms | s per answer | outside the model |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['decoder']} | {row['mean_forward_passes']:.1f} | {row['model_seconds_per_pass'] * 1e3:.1f} "
            f"| {row['seconds_to_first_step'] * 1e3:.0f} | {row['seconds_per_answer']:.2f} "
            f"| {row['outside_model_share']:.1%} |"
        )
    lines += ["", f"Goal on a CPU: at most {OUTSIDE_LIMIT:.0%} outside the model."]
    return "\n".join(lines)


def report_in_flight(result: dict[str, Any]) -> str:
    """The same for `bench_in_flight`."""
    lines = [
        _where(result),
        "",
        "| decoder | in flight | s for all | tokens per s | speed-up | the same tokens |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['decoder']} | {row['in_flight']} | {row['seconds']:.2f} | {row['tokens_per_second']:.0f} "
            f"| {row['speed_up']:.2f}× | {row['same']} of {row['problems']} |"
        )
    return "\n".join(lines)


def report_shadow_block(result: dict[str, Any]) -> str:
    """The same for `bench_shadow_block`."""
    return f"{_where(result)}\n\n{shadow_cost.report(result)}"


def report_load(result: dict[str, Any]) -> str:
    """The same for `bench_load`."""
    return f"{_where(result)}\n\n{load_cost.report(result)}"


def report_naive(result: dict[str, Any]) -> str:
    """The same for `bench_naive`."""
    return f"{_where(result)}\n\n{naive.report(result)}"


def report_parity(result: dict[str, Any]) -> str:
    """The same for `bench_parity`."""
    return f"{_where(result)}\n\n{parity.report(result['rows'])}"


def report_many_users(result: dict[str, Any]) -> str:
    """The same for `bench_many_users`."""
    return f"{_where(result)}\n\n{bench_users.report(result)}"


def _where(result: dict[str, Any]) -> str:
    return f"{result['model']} on {result['device']}, {result['threads']} threads, torch {result['torch']}"
