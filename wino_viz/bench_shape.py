"""How close one decoding step comes to the limit of the chip, at the sizes of a large model with random weights.

    python -m wino_viz bench --shape llada-8b [--compile] [--profile] [--steps 40] [--out OUT.json]

No files are read: the model is made on the device. A **step** is all that happens between two steps of a decoding:
the decoder says what it needs, the pass, the copy to the host, the decoder's rule. Its time is the median by the wall
clock over `steps` steps of the real decoder. (Random weights are sure of nothing: WINO then drafts one token a pass.
Its passes cost what they always cost.)

The **yardstick** is the matrix products that the published layout of the same pass can't do without, and nothing
else: in every layer seven, q, k, v, output, gate, up and down, each by itself, for all rows of the sequence; and the
head for the rows that the decoder asks about. Attention's two products, norms, rotary embedding, gating, sums and the
reading of the logits are not in it. It runs in one captured CUDA graph, timed by device events, before and after the
steps; the median of all.
"""

from __future__ import annotations

import gc
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LlamaConfig, PreTrainedModel

from wino_viz.decoding import Canvas, Settings, StandardSettings, WinoSettings
from wino_viz.models.denoiser import Denoiser, Speed
from wino_viz.models.llada import new_model
from wino_viz.provenance import commit, machine, versions

STEPS, WARM_UP = 40, 4
WITH_COMPILE, WITHOUT_COMPILE, REUSE, TRACING, FIRST_STEP = 1.10, 1.20, 1.20, 0.03, 2.0  # the goals


@dataclass(frozen=True)
class Sizes:
    """Of a model, in LLaDA's words, and of what it decodes, in tokens."""

    d_model: int
    n_layers: int
    n_heads: int
    mlp_hidden_size: int
    vocab_size: int
    prompt: int
    gen_length: int
    block_length: int
    dtype: str = "bfloat16"


SHAPES = {
    "llada-8b": Sizes(4096, 32, 32, 12288, 126464, 128, 256, 128),
    "llada-mini": Sizes(384, 10, 6, 1024, 1536, 64, 128, 64, "float32"),
    "tiny": Sizes(64, 2, 2, 96, 9000, 8, 16, 8, "float32"),  # to try the command itself
}

# What is timed for each decoder: (name, how the model is run, its goal as a multiple of the yardstick or None).
# The last of those without compiling is what the app does by itself.
WAYS = (
    ("transformers, eager", Speed(own_layers=False), None),
    ("transformers, captured", Speed(own_layers=False, graphs=True), None),
    ("own layers, eager", Speed(), None),
    ("own layers, captured", Speed(graphs=True), None),
    ("merged and fused, eager", Speed(merge=True), None),
    ("merged and fused, captured", Speed(merge=True, graphs=True), WITHOUT_COMPILE),
    ("compiled, captured", Speed(merge=True, graphs=True, compile=True), WITH_COMPILE),
)
USUAL = "merged and fused, captured"


def bench_shape(
    name: str,
    *,
    device: str | None = None,
    steps: int = STEPS,
    compile: bool = False,
    profile: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """All figures of a shape of SHAPES; on a CPU without the captured ways. `say` is told what is at work."""
    sizes = SHAPES[name]
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    say(f"making a model of the sizes of {name} on {where}")
    model = random_model(sizes, where)
    window = 2 * sizes.block_length
    whole = sizes.prompt + sizes.gen_length
    passes = {"wino": whole + sizes.block_length, "standard": whole, "reuse": window}
    yardsticks = {of: [_products_ms(model, rows, sizes.block_length, steps)] for of, rows in passes.items()}
    ways = [way for way in WAYS if (compile or not way[1].compile) and (where.type == "cuda" or not way[1].graphs)]
    plain = [way for way in ways if not way[1].merge]  # first: merging makes the parameters views of others
    rows: list[dict[str, Any]] = []
    failed: list[str] = []  # what could not be compiled (the compiler may be missing, or too old)
    for way, speed, goal in plain + [way for way in ways if way[1].merge]:
        for settings in (WinoSettings(), StandardSettings()):
            say(f"{settings.name}: {way}")
            try:
                rows.append(_row(model, sizes, settings, way, speed, goal, steps, settings.name))
            except Exception as error:
                if not speed.compile:
                    raise
                failed.append(f"{settings.name}, {way}: {' '.join(str(error).split())[:300]}")
    if where.type == "cuda":
        usual = next(speed for way, speed, _ in WAYS if way == USUAL)
    else:
        usual = Speed()
    say("wino: prefix reuse")
    reuse = replace(usual, reuse=True)
    rows.append(_row(model, sizes, WinoSettings(), "prefix reuse (approximate)", reuse, REUSE, steps, "reuse"))
    for of, length in passes.items():
        yardsticks[of].append(_products_ms(model, length, sizes.block_length, steps))
    result = {
        "shape": name,
        "sizes": vars(sizes),
        "commit": commit(),
        **machine(where),
        "versions": versions(),
        "steps": steps,
        "yardstick_ms": {of: median(times) for of, times in yardsticks.items()},
        "yardstick_rows": passes,
        "head_rows": sizes.block_length,
        "rows": rows,
        "failed": failed,
        "first_step": _first_steps(model, sizes, usual),
    }
    for row in rows:
        row["ratio"] = row["step_ms"] / result["yardstick_ms"][row["yardstick"]]
    if profile:
        say("profiling")
        result["profile"] = _profile(model, sizes, usual)
        if any("compiled" in row["way"] for row in rows):
            result["profile"] += "\n\nCompiled:\n" + _profile(model, sizes, replace(usual, compile=True))
    return result


def random_model(sizes: Sizes, device: torch.device) -> PreTrainedModel:
    """A LLaDA with random weights, made on the device."""
    config = LlamaConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.d_model,
        num_hidden_layers=sizes.n_layers,
        num_attention_heads=sizes.n_heads,
        num_key_value_heads=sizes.n_heads,
        head_dim=sizes.d_model // sizes.n_heads,
        intermediate_size=sizes.mlp_hidden_size,
        max_position_embeddings=4 * (sizes.prompt + sizes.gen_length),
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        tie_word_embeddings=False,
        use_cache=False,
    )
    config.is_causal = False
    torch.manual_seed(0)
    with _default_dtype(getattr(torch, sizes.dtype)), device:
        return new_model(config).eval()


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(usual)


@torch.inference_mode()
def _products_ms(model: PreTrainedModel, rows: int, head_rows: int, repeats: int) -> float:
    """The yardstick: see the head of this file."""
    config, device = model.config, model.device
    like = {"dtype": model.dtype, "device": device}
    wide, inner = torch.randn(rows, config.hidden_size, **like), torch.randn(rows, config.intermediate_size, **like)

    def run() -> None:
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            for linear in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj):
                F.linear(wide, linear.weight)
            F.linear(wide, mlp.gate_proj.weight)
            F.linear(wide, mlp.up_proj.weight)
            F.linear(inner, mlp.down_proj.weight)
        F.linear(wide[:head_rows], model.lm_head.weight)

    return median_ms(run, device, repeats)


def median_ms(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time of run(): on a GPU in a captured graph and by device events, else by the clock."""
    for _ in range(2):
        run()
    if device.type != "cuda":
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            taken.append((time.perf_counter() - started) * 1e3)
        return median(taken)
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    graph.replay()
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for first, last in pairs:
        first.record()
        graph.replay()
        last.record()
    torch.cuda.synchronize(device)
    return median(first.elapsed_time(last) for first, last in pairs)


def _canvas(sizes: Sizes, prompt: int) -> Canvas:
    mask_id = sizes.vocab_size - 1
    return Canvas(range(1, prompt + 1), mask_id, sizes.gen_length, sizes.block_length)


def _row(
    model: PreTrainedModel,
    sizes: Sizes,
    settings: Settings,
    way: str,
    speed: Speed,
    goal: float | None,
    steps: int,
    yardstick: str,
) -> dict[str, Any]:
    gc.collect()  # of an earlier way: its graphs hold memory
    if model.device.type == "cuda":
        torch.cuda.empty_cache()
    denoiser = Denoiser(model, sizes.vocab_size - 1, speed=speed)
    started = time.perf_counter()
    times = _times(denoiser, settings, _canvas(sizes, sizes.prompt), WARM_UP + steps)
    first = times[0]["model"]
    counted = times[WARM_UP:]
    step_ms = median(t["step"] for t in counted) * 1e3
    return {
        "decoder": settings.name,
        "way": way if speed.graphs == denoiser.captures else f"{way} (could not be captured)",
        "yardstick": yardstick,
        "steps": len(counted),
        "step_ms": step_ms,
        "model_ms": median(t["model"] for t in counted) * 1e3,
        "rule_share": median((t["step"] - t["model"]) / t["step"] for t in counted),
        "tracing_share": median(t["json"] for t in counted) * 1e3 / step_ms,
        "waits": _waits(denoiser, settings, sizes) if model.device.type == "cuda" else 1.0,
        "first_pass_seconds": first,
        "seconds_in_all": time.perf_counter() - started,
        "goal": goal,
    }


def _times(denoiser: Denoiser, settings: Settings, canvas: Canvas, steps: int) -> list[dict[str, float]]:
    """Of each step: seconds for all of it, for the denoiser's share, and (besides) for writing it down as JSON."""
    decoder, made = settings.start(canvas), []
    while len(made) < steps:
        started = time.perf_counter()
        forward = decoder.request()
        if forward is None:
            decoder = settings.start(canvas)
            continue
        asked = time.perf_counter()
        answer = denoiser.predict([forward])[0]
        answered = time.perf_counter()
        step = decoder.update(answer)
        ended = time.perf_counter()
        json.dumps(step.to_dict(), separators=(",", ":"))
        written = time.perf_counter() - ended
        made.append({"step": ended - started, "model": answered - asked, "json": written})
    return made


def _waits(denoiser: Denoiser, settings: Settings, sizes: Sizes, steps: int = 5) -> float:
    """How often the host waits for the GPU in one step, as PyTorch reports it (copies that wait, and waiting for a stream)."""
    decoder = settings.start(_canvas(sizes, sizes.prompt))
    for _ in range(3):
        decoder.update(denoiser.predict([decoder.request()])[0])
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            for _ in range(steps):
                decoder.update(denoiser.predict([decoder.request()])[0])
        finally:
            torch.cuda.set_sync_debug_mode(before)
    reported = sum("synchroniz" in str(warning.message) for warning in seen)
    return reported / steps


def _first_steps(model: PreTrainedModel, sizes: Sizes, speed: Speed) -> list[dict[str, Any]]:
    """Seconds of the first pass of prompts of other lengths, each a shape that has not been seen."""
    denoiser = Denoiser(model, sizes.vocab_size - 1, speed=speed)
    rows = []
    for settings in (WinoSettings(), StandardSettings()):
        for prompt in (sizes.prompt - 1, sizes.prompt - 3):
            forward = settings.start(_canvas(sizes, prompt)).request()
            started = time.perf_counter()
            denoiser.predict([forward])
            rows.append({"decoder": settings.name, "prompt": prompt, "seconds": time.perf_counter() - started})
    return rows


def _profile(model: PreTrainedModel, sizes: Sizes, speed: Speed) -> str:
    """Where a step of WINO spends the device's time, by kernel."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    denoiser, settings = Denoiser(model, sizes.vocab_size - 1, speed=speed), WinoSettings()
    _times(denoiser, settings, _canvas(sizes, sizes.prompt), 3)
    on_gpu = model.device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_gpu else [])
    with profiled(activities=activities) as found:
        _times(denoiser, settings, _canvas(sizes, sizes.prompt), 5)
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    rows = found.key_averages()
    waits = ", ".join(f"{row.key} {row.count}" for row in rows if "Synchronize" in row.key or "cudaMemcpy" in row.key)
    return f"{rows.table(sort_by=order, row_limit=30, max_name_column_width=70)}\nCalls in 5 steps: {waits or 'none'}"


def report(result: dict[str, Any]) -> str:
    """The figures as tables, with the goals and what misses them."""
    sizes, yardstick = result["sizes"], result["yardstick_ms"]
    lines = [
        f"{result['shape']} (random weights, {sizes['dtype']}) on {result['device']}, torch {result['versions']['torch']}; "
        f"prompt {sizes['prompt']}, answer {sizes['gen_length']}, block {sizes['block_length']}; "
        f"medians of {result['steps']}",
        "",
        "| the matrix products alone, for a step of | rows | rows of the head | ms |",
        "|---|---|---|---|",
    ]
    for of, ms in yardstick.items():
        lines.append(f"| {of} | {result['yardstick_rows'][of]} | {result['head_rows']} | {ms:.2f} |")
    lines += [
        "",
        "| decoder | way | ms a step | × yardstick | goal | outside the model | as JSON | waits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['decoder']} | {row['way']} | {row['step_ms']:.2f} | {row['ratio']:.3f} | {_goal(row)} "
            f"| {row['rule_share']:.1%} | {row['tracing_share']:.1%} | {row['waits']:g} |"
        )
    lines += ["", "| first pass of a new shape | prompt | s |", "|---|---|---|"]
    lines += [f"| {row['decoder']} | {row['prompt']} | {row['seconds']:.2f} |" for row in result["first_step"]]
    lines += ["", *_missed(result)]
    if "profile" in result:
        lines += ["", result["profile"]]
    return "\n".join(lines)


def _goal(row: dict[str, Any]) -> str:
    return "" if row["goal"] is None else f"{row['goal']:.2f} {'met' if row['ratio'] <= row['goal'] else 'MISSED'}"


def _missed(result: dict[str, Any]) -> list[str]:
    missed = [
        f"{row['decoder']}, {row['way']}: {row['ratio']:.3f} × the yardstick, goal {row['goal']:.2f}"
        for row in result["rows"]
        if row["goal"] is not None and row["ratio"] > row["goal"]
    ]
    usual = [row for row in result["rows"] if row["goal"] is not None]
    if usual and (most := max(row["tracing_share"] for row in usual)) > TRACING:
        missed.append(f"writing a step as JSON takes up to {most:.1%} of it, goal {TRACING:.0%}")
    if (slowest := max(row["seconds"] for row in result["first_step"])) > FIRST_STEP:
        missed.append(f"the first pass of a new shape takes {slowest:.1f} s, goal {FIRST_STEP:g}")
    if usual and (waits := max(row["waits"] for row in usual)) > 1:
        missed.append(f"the host waits {waits:g} times a step, goal 1")
    missed += [f"failed: {line}" for line in result["failed"]]
    return ["Missed:", *(f"- {line}" for line in missed)] if missed else ["All goals that apply here are met."]
