"""Whether bfloat16 decodes the same tokens as float32: the same problems with the same weights in both.

    python -m wino_viz bench --parity [--model llada-mini] [--problems 500] [--decoders wino,threshold]

The tasks are those of the model's presets. A row counts the problems whose every token is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from wino_viz.decoding import Canvas, decode_many, parse_spec
from wino_viz.evaluation.intervals import wilson
from wino_viz.evaluation.run import usual_in_flight
from wino_viz.tasks.registry import TASKS, fresh_problems, prompt_of

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

SPECS = ("wino", "threshold", "standard:tokens_per_step=4")
GOAL = 0.99  # of the problems decoded


def measure_parity(
    load: Callable[[str], Checkpoint],
    count: int,
    specs: Sequence[str] = SPECS,
    in_flight: int | None = None,
    tasks: Sequence[str] = tuple(TASKS),
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """Rows of {"task", "decoder", "n", "same", "same_interval", "same_text"}; `load` takes the name of a type."""
    plain, half = load("float32"), load("bfloat16")
    in_flight = in_flight or usual_in_flight(plain.denoiser.device.type)
    rows = []
    for task in (name for name in plain.presets if name in tasks):
        canvases = list(_canvases(plain, task, count))
        for spec in specs:
            first, second = (_tokens(checkpoint, task, spec, canvases, in_flight) for checkpoint in (plain, half))
            same = sum(a == b for a, b in zip(first, second, strict=True))
            texts = sum(plain.text(a) == plain.text(b) for a, b in zip(first, second, strict=True))
            row = {"task": task, "decoder": spec, "n": len(canvases), "same": same}
            rows.append({**row, "same_interval": wilson(same, len(canvases)), "same_text": texts})
            on_row(rows[-1])
    return rows


def _canvases(checkpoint: Checkpoint, task: str, count: int) -> Iterator[Canvas]:
    preset = checkpoint.presets[task]
    lengths = {"gen_length": preset.gen_length, "block_length": preset.block_length}
    if not TASKS[task].has_image:
        for record in fresh_problems(task, count, 0):
            yield checkpoint.canvas(prompt_of(record), **lengths)
        return
    from wino_viz.tasks.scenes import compose, draw
    from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS, question

    for seed in range(count):
        scene, rng = compose(seed, None, "test"), Random(seed)
        prompt = CAPTION_PROMPTS[0] if task == "caption" else question(scene, rng, "colour").text
        yield checkpoint.canvas(prompt, checkpoint.reader.codes(draw(scene)), **lengths)


def _tokens(
    checkpoint: Checkpoint, task: str, spec: str, canvases: Sequence[Canvas], in_flight: int
) -> list[tuple[int, ...]]:
    settings = parse_spec(spec, checkpoint.presets[task].decoders)
    decoders = [settings.start(canvas) for canvas in canvases]
    for _ in decode_many(decoders, checkpoint.denoiser, in_flight):
        pass
    return [tuple(decoder.canvas) for decoder in decoders]


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table, and all of them together."""
    lines = [
        "| task | decoder | the same tokens | share | 95 % interval | the same text |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["same_interval"]
        lines.append(
            f"| {row['task']} | {row['decoder']} | {row['same']} of {row['n']} | {row['same'] / row['n']:.1%} "
            f"| {low:.1%} to {high:.1%} | {row['same_text']} |"
        )
    same, n = sum(row["same"] for row in rows), sum(row["n"] for row in rows)
    low, high = wilson(same, n)
    lines += ["", f"In all {same} of {n}, {same / n:.2%} ({low:.1%} to {high:.1%}). Goal: {GOAL:.0%}."]
    return "\n".join(lines)
