"""What WINO's shadow block costs: time and memory of one forward pass with it and without it.

    python -m wino_viz bench --shadow [GENxBLOCK,…] [--repeats 15] [--out assets/results/shadow.json]

Three passes are compared, all half way through the first block, when half of its tokens are placed:

    plain   prompt and generated part, as standard decoding runs it
    shadow  the same and the shadow block behind it, under WINO's attention mask
    full    as long as with the shadow, but every row sees everything: what the length alone costs
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from wino_viz.decoding import NO_TOKEN, Canvas, Forward, shadow_attention, shadow_position_ids

if TYPE_CHECKING:
    from wino_viz.models.denoiser import Denoiser
    from wino_viz.session import Session

PROMPT = 64  # tokens, where the context has room for them
LEAST_PROMPT = 16
GEN_LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
BLOCKS = (2, 1)  # blocks of an answer: WINO's usual two, and the whole answer as one (the paper's "full diffusion")
REPEATS = 15
MB = 1e6  # bytes
QUIET = "99"  # else the profiler writes two lines to standard error each time


def usual_shapes(context: int) -> list[tuple[int, int]]:
    """(gen_length, block_length) of what is measured for a model with so long a context, in tokens."""
    fitting = [length for length in GEN_LENGTHS if length + LEAST_PROMPT <= context]
    if not fitting:
        raise ValueError(f"a context of {context} tokens has no room for {GEN_LENGTHS[0]} tokens behind a prompt")
    return [(length, length // blocks) for length in fitting for blocks in BLOCKS]


def passes_compared(
    prompt_ids: Sequence[int], gen_length: int, block_length: int, mask_id: int
) -> tuple[Forward, Forward, Forward]:
    """(plain, shadow, full): see above. Every second token of the first block is placed, an id of the prompt each."""
    prompt, count = np.asarray(prompt_ids, dtype=np.int64), len(prompt_ids)
    block = np.full(block_length, mask_id, dtype=np.int64)
    block[::2] = np.resize(prompt[prompt != mask_id], len(block[::2]))
    rest = np.full(gen_length - block_length, mask_id, dtype=np.int64)
    sequence = np.concatenate((prompt, block, rest))  # (T,)
    masked, placed = (count + np.flatnonzero(which) for which in (block == mask_id, block != mask_id))
    plain = Forward(ids=sequence, rows=masked, given=np.full_like(masked, NO_TOKEN))
    shape = count, gen_length, block_length, 0
    shadow = Forward(
        ids=np.concatenate((sequence, np.full(block_length, mask_id))),  # (T + block_length,)
        rows=np.concatenate((masked, gen_length + placed)),  # slot p of the shadow stands gen_length behind its twin
        given=np.concatenate((plain.given, sequence[placed])),
        position_ids=shadow_position_ids(*shape),
        attention=shadow_attention(*shape),
    )
    return plain, shadow, replace(shadow, attention=None)


def bench_shadow(
    session: Session, shapes: Sequence[tuple[int, int]] | None = None, *, repeats: int = REPEATS
) -> Iterator[dict[str, Any]]:
    """One row for each (gen_length, block_length), as it is measured; `shapes` not given are the usual ones.

    plain_ms, shadow_ms and full_attention_ms are medians of `repeats` passes each, taken in turn. plain_mb and shadow_mb
    are the most that a pass holds at once beside the weights (weights_mb). time_ratio and memory_ratio are those of
    shadow to plain; that of memory counts the weights in. Raises ValueError for a shape that can't be.
    """
    checkpoint = session.checkpoint()
    shapes = usual_shapes(checkpoint.context) if shapes is None else list(shapes)
    question = checkpoint.prompt_ids(session.new_problem(steps=4, seed=0)["question"])
    prompts = []
    for gen_length, block_length in shapes:
        Canvas(question, checkpoint.mask_id, gen_length, block_length)  # refuses what can't be
        room = checkpoint.context - gen_length
        if room < 1:
            raise ValueError(
                f"gen_length {gen_length} leaves no room for a prompt in a context of {checkpoint.context}"
            )
        prompts.append(np.resize(np.asarray(question), min(PROMPT, room)))
    denoiser = checkpoint.denoiser
    for (gen_length, block_length), prompt in zip(shapes, prompts, strict=True):
        forwards = passes_compared(prompt, gen_length, block_length, checkpoint.mask_id)
        plain, shadow, full = _seconds(denoiser, forwards, repeats)
        weights = sum(p.numel() * p.element_size() for p in denoiser.model.parameters()) / MB
        held = [_peak(denoiser, forward) / MB for forward in forwards[:2]]
        yield {
            "gen_length": gen_length,
            "block_length": block_length,
            "prompt_tokens": len(prompt),
            "tokens": len(forwards[0].ids),
            "shadow_tokens": block_length,
            "plain_ms": plain * 1e3,
            "shadow_ms": shadow * 1e3,
            "full_attention_ms": full * 1e3,
            "time_ratio": (shadow * 1e3) / (plain * 1e3),
            "weights_mb": weights,
            "plain_mb": held[0],
            "shadow_mb": held[1],
            "memory_ratio": (weights + held[1]) / (weights + held[0]),
        }


def _seconds(denoiser: Denoiser, forwards: Sequence[Forward], repeats: int) -> list[float]:
    """The median time of each, with the copy to the host; they take turns, so that a noisy machine is noisy for all."""
    for forward in forwards:
        denoiser.predict([forward])
    taken: list[list[float]] = [[] for _ in forwards]
    for _ in range(repeats):
        for forward, seconds in zip(forwards, taken, strict=True):
            started = time.perf_counter()
            denoiser.predict([forward])
            seconds.append(time.perf_counter() - started)
    return [median(seconds) for seconds in taken]


def _peak(denoiser: Denoiser, forward: Forward) -> float:
    """The most bytes that one pass holds at once on the model's device, beside the weights."""
    import torch

    if denoiser.device.type == "cuda":
        torch.cuda.synchronize(denoiser.device)
        torch.cuda.reset_peak_memory_stats(denoiser.device)
        before = torch.cuda.memory_allocated(denoiser.device)
        denoiser.predict([forward])
        return torch.cuda.max_memory_allocated(denoiser.device) - before
    return _peak_on_host(lambda: denoiser.predict([forward]))


def _peak_on_host(work: Callable[[], object]) -> float:
    """The same for tensors in the host's memory, from the allocations that PyTorch's profiler saw."""
    from torch.profiler import ProfilerActivity, profile

    os.environ.setdefault("KINETO_LOG_LEVEL", QUIET)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    held = most = 0
    changes = (event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]")
    for change in sorted(changes, key=lambda event: event.start_ns()):
        held += change.nbytes()
        most = max(most, held)
    return most


def report(result: Mapping[str, Any]) -> str:
    """The rows as a table."""
    lines = [
        "| answer × block | tokens + shadow | ms plain | ms shadow | ratio | ms as long, full attention | MB plain | MB shadow "
        "| ratio with the weights |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['gen_length']} × {row['block_length']} | {row['tokens']} + {row['shadow_tokens']} "
            f"| {row['plain_ms']:.1f} | {row['shadow_ms']:.1f} | {row['time_ratio']:.2f} | {row['full_attention_ms']:.1f} "
            f"| {row['plain_mb']:.1f} | {row['shadow_mb']:.1f} | {row['memory_ratio']:.3f} |"
        )
    return "\n".join(lines)
