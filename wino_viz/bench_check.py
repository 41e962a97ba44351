"""Do the fast ways choose the same tokens? And how often does prefix reuse, which is approximate, choose others?

    python -m wino_viz bench --check [--model llada-mini] [--problems 60] [--in-flight 8]

Each problem is decoded by the presets' WINO and by standard decoding (four tokens a pass), in float32: by
transformers' own modules, eager and one by one, and by every other way that this device has. Problems are of the test
split, of the kinds that the model has presets for. On a GPU also: every Triton kernel against the PyTorch function
beside it, in bfloat16 and float32.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from wino_viz.decoding import decode_many
from wino_viz.models import attention, kernels
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.models.denoiser import Denoiser, Speed
from wino_viz.models.reading import read
from wino_viz.provenance import commit, machine, versions
from wino_viz.session import Session
from wino_viz.tasks.registry import judge, prompt_of

PROBLEMS, SPECS = 60, ("wino", "standard:tokens_per_step=4")
REFERENCE = "transformers, one by one"
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-6}  # of a kernel, relative: a rounding or two of the type


def bench_check(model: str, problems: int = PROBLEMS, in_flight: int = 8) -> dict[str, Any]:
    """Answers of every way compared with the reference's. Raises ValueError where the model has no problem in words."""
    session = Session(model)
    checkpoint = load_checkpoint(model, speed=Speed(own_layers=False))
    network, mask_id, layout = checkpoint.denoiser.model, checkpoint.mask_id, checkpoint.denoiser.arrange
    on_gpu = checkpoint.denoiser.device.type == "cuda"
    asked = [
        session.new_problem(steps=2 + n % 5, seed=n, task=session.tasks[n % len(session.tasks)])
        for n in range(problems)
    ]
    ways: list[tuple[str, Speed, int]] = [
        (REFERENCE, Speed(own_layers=False), 1),
        ("own layers, one by one", Speed(), 1),
    ]
    ways.append((f"own layers, {in_flight} in a batch", Speed(), in_flight))
    if on_gpu:
        usual = Speed.for_device(checkpoint.denoiser.device)
        ways += [("captured, one by one", Speed(graphs=True), 1), ("merged, fused and captured, one by one", usual, 1)]
        ways.append((f"merged, fused and captured, {in_flight} in a batch", usual, in_flight))
    if layout is None:
        reuse = replace(ways[-1][1], reuse=True)
        ways.append(("prefix reuse (approximate)", reuse, 1))
    rows, reference = [], {}
    for way, speed, together in ways:
        denoiser = Denoiser(network, mask_id, layout, speed)
        for spec in SPECS:
            started = time.perf_counter()
            answers = _answers(session, replace(checkpoint, denoiser=denoiser), asked, spec, together)
            seconds = time.perf_counter() - started
            first = reference.setdefault(spec, answers)
            tokens = [sum(a != b for a, b in zip(x[0], y[0], strict=True)) for x, y in zip(answers, first, strict=True)]
            rows.append(
                {
                    "decoder": spec,
                    "way": way,
                    "approximate": speed.reuse,
                    "problems": len(asked),
                    "same_answers": sum(not n for n in tokens),
                    "same_passes": sum(x[1] == y[1] for x, y in zip(answers, first, strict=True)),
                    "other_tokens": sum(tokens) / sum(len(x[0]) for x in answers),
                    "correct": sum(x[2] for x in answers),
                    "mean_forward_passes": sum(x[1] for x in answers) / len(answers),
                    "seconds": seconds,
                }
            )
    found = {"model": model, "commit": commit(), **machine(network.device), "versions": versions(), "rows": rows}
    return {**found, "kernels": _kernels(network.device) if kernels.usable(network.device) else []}


def _answers(
    session: Session, checkpoint: Checkpoint, asked: list[dict[str, Any]], spec: str, in_flight: int
) -> list[tuple[tuple[int, ...], int, bool]]:
    """(tokens, forward passes, whether right) of each problem."""
    decoders, passes = [], [0] * len(asked)
    for problem in asked:
        gen_length, block_length = session.lengths(problem["task"])
        canvas = checkpoint.canvas(prompt_of(problem), gen_length=gen_length, block_length=block_length)
        decoders.append(session.parse(spec, problem["task"]).start(canvas))
    for index, _ in decode_many(decoders, checkpoint.denoiser, in_flight):
        passes[index] += 1
    texts = [checkpoint.text(decoder.canvas) for decoder in decoders]
    right = [bool(judge(problem, text).correct) for problem, text in zip(asked, texts, strict=True)]
    return [(decoder.canvas, count, ok) for decoder, count, ok in zip(decoders, passes, right, strict=True)]


def _kernels(device: torch.device) -> list[dict[str, Any]]:
    """The largest difference of each Triton kernel to the PyTorch function beside it, over the largest value."""
    rows = []
    for dtype, most in TOLERANCE.items():
        like = {"dtype": dtype, "device": device}
        size = attention.WIDE_SIZE if dtype == torch.float32 else 128
        stream, update = torch.randn(2, 77, 4096, **like), torch.randn(2, 77, 4096, **like)
        weight, pair = torch.randn(4096, **like), torch.randn(154, 2 * 3000, **like).chunk(2, dim=-1)
        wide, turn = torch.randn(154, 96, 128, **like), torch.rand(2, 154, 64, device=device)
        logits = 3 * torch.randn(33, 126400, **like)
        cases = {
            "norm": lambda fused, s=stream, w=weight: kernels.add_norm(s, None, w, 1e-5, fused=fused),
            "add and norm": lambda fused, s=stream, u=update, w=weight: kernels.add_norm(s, u, w, 1e-5, fused=fused),
            "rotate": lambda fused, h=wide, t=turn: (kernels.rotate(h.clone(), t[0], t[1], 64, fused=fused),),
            "gate": lambda fused, p=pair: (kernels.gate(*p, fused=fused),),
            "chunk maxima": lambda fused, x=logits: kernels.chunk_maxima(x, 7, fused=fused),
            "read": lambda fused, x=logits: _read(x, fused),
        }
        if attention.fusible(size, dtype, device):
            heads = torch.randn(1, 277, 12, size, **like)
            cases["attention, shadow"] = lambda fused, h=heads: _attention(h, fused, 200)
            cases["attention, some rows"] = lambda fused, h=heads: _attention(h, fused, 0, torch.arange(33, 110)[None])
            cases["attention, all see all"] = lambda fused, h=heads: _attention(h, fused, 277)
        for name, run in cases.items():
            plain, fused = run(False), run(True)
            off = max(
                ((a.double() - b.double()).abs().max() / a.double().abs().max()).item()
                for a, b in zip(plain, fused, strict=True)
            )
            rows.append({"kernel": name, "dtype": str(dtype).removeprefix("torch."), "off": off, "ok": off <= most})
    return rows


def _read(logits: torch.Tensor, fused: bool) -> tuple[torch.Tensor, ...]:
    """The logits of what `read` chose (which of two equal ones is left open), and its probabilities."""
    given = torch.arange(len(logits), device=logits.device) - 1
    packed = read(logits, given, 7, fused=fused)
    k = (packed.shape[1] - 3) // 2
    return logits.gather(1, packed[:, 3 : 3 + k].long()), packed[:, 1:3], packed[:, 3 + k :]


def _attention(
    heads: torch.Tensor, fused: bool, open_rows: int, rows: torch.Tensor | None = None
) -> tuple[torch.Tensor]:
    """Of queries, keys and values side by side (1, N, 3 H, size), under the mask of a shadow where not all rows are open."""
    q, k, v = heads.chunk(3, dim=2)
    count = heads.shape[1]
    bias = None
    if open_rows < count:
        bias = torch.zeros(1, 1, count, count, dtype=heads.dtype, device=heads.device)
        bias[:, :, :200, 200:] = -torch.inf
        shadow = torch.arange(count - 200, device=heads.device)
        bias[:, :, 200 + shadow, 50 + shadow] = -torch.inf
    if rows is not None:
        rows = rows.to(heads.device)
        q = q[:, rows[0]]
    seen = 200 if open_rows == 200 else count
    way = attention.FUSED if fused else attention.SPLIT
    return (attention.attend(q, k, v, bias, open_rows, seen, rows, way=way),)


def all_same(result: dict[str, Any]) -> bool:
    """Whether every exact way gave the reference's answers, and every kernel is right."""
    exact = (row for row in result["rows"] if not row["approximate"])
    return all(row["same_answers"] == row["problems"] for row in exact) and all(row["ok"] for row in result["kernels"])


def report(result: dict[str, Any]) -> str:
    """The comparison as a table."""
    lines = [
        f"{result['model']} on {result['device']}, torch {result['versions']['torch']}, float32",
        "",
        "| decoder | way | same answers | same passes | other tokens | right | passes | s for all |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        count = row["problems"]
        lines.append(
            f"| {row['decoder']} | {row['way']} | {row['same_answers']} of {count} | {row['same_passes']} of {count} "
            f"| {row['other_tokens']:.2%} | {row['correct']} | {row['mean_forward_passes']:.1f} | {row['seconds']:.1f} |"
        )
    for row in result["kernels"]:
        verdict = "" if row["ok"] else "  WRONG"
        lines.append(f"kernel {row['kernel']}, {row['dtype']}: off by at most {row['off']:.1e} of the largest{verdict}")
    same = (
        "The exact ways choose the same tokens." if all_same(result) else "DIFFERENT: an exact way is not exact here."
    )
    return "\n".join([*lines, "", same])
