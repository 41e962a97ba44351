"""How fast decoding is on this machine: model time per forward pass, time to the first step, time outside the model.

    python -m wino_viz bench [--model llada-mini] [--problems 5] [--out OUT.json]

Time outside the model is everything the app does for a pass besides the model: asking the decoder, applying its rule,
recording the step, looking up token texts and writing the message that goes to the browser. Goal on a CPU: at most 5 %.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from wino_viz.decoding import Settings
from wino_viz.session import Session
from wino_viz.ui.player import new_run, start_message, step_message, trace_message

SPECS = ("standard", "standard:tokens_per_step=8", "threshold", "wino")
OUTSIDE_LIMIT = 0.05  # share of a run's time that may be spent outside the model, on a CPU
WARM_UP = {"gen_length": 32, "block_length": 32}


def bench(model: str, problems: int, specs: Sequence[str] = SPECS) -> dict[str, Any]:
    """Decode `problems` test problems with each decoder as the app does, and take the times apart. Seconds throughout.

    Per decoder: median model time per forward pass; median time from the request to the first step (model loaded);
    the share of the whole time spent outside the model.
    """
    import torch

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
    machine = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {platform.machine()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return {"model": model, **machine, "load_seconds": load_seconds, "rows": rows}


def _decode(session: Session, settings: Settings, seed: int, **lengths: int) -> dict[str, Any]:
    """One decoding as the app does it, messages included."""
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
    return {"per_pass": per_pass, "first_step": first_step, "total": total, "characters": written}


def report(result: dict[str, Any]) -> str:
    """The figures as text, with the limit they are held against."""
    lines = [
        f"{result['model']} on {result['device']}, {result['threads']} threads, torch {result['torch']}; "
        f"loaded in {result['load_seconds']:.1f} s",
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
