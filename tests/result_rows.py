"""Result files as `wino_viz.evaluation.results` writes them, from answers that a test scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wino_viz.decoding import DECODERS, parse_spec
from wino_viz.evaluation.results import condensed
from wino_viz.evaluation.rows import comparisons_of, rows_of
from wino_viz.evaluation.sweeps import SWEEP, grid_specs, tradeoff_specs

USUAL = {name: DECODERS[name]() for name in SWEEP}
ABOUT = {"command": "python -m wino_viz eval …", "commit": "1" * 40, "device": "CPU, test", "threads": 1}
SHADOW_ROW = {
    "tokens": 224, "shadow_tokens": 64, "block_length": 64, "gen_length": 128, "prompt_tokens": 96, "plain_ms": 60.0,
    "shadow_ms": 75.0, "time_ratio": 1.25, "plain_mb": 200.0, "shadow_mb": 210.0, "memory_ratio": 1.05,
    "full_attention_ms": 78.0,
}  # fmt: skip


def scripted_items(specs: Sequence[str], problems: int = 6, task: str = "arithmetic") -> list[dict[str, Any]]:
    """The n-th SPEC errs on the problem n (counted round), and takes n + 1 passes more for each step of difficulty."""
    items = []
    for n, spec in enumerate(specs):
        for index in range(problems):
            difficulty = 2 + index % 3
            items.append(
                {
                    "decoder": spec,
                    "settings": parse_spec(spec).to_dict(),
                    "index": index,
                    "task": task,
                    "difficulty": difficulty,
                    "text": "an answer that no result file keeps",
                    "correct": index != n % problems,
                    "faithful": True,
                    "foreign": [],
                    "gen_length": 128,
                    "forward_passes": 8 + (n + 1) * difficulty,
                    "revocations": 1,
                    "model_seconds": 0.5,
                }
            )
    return items


def write_result(
    folder: Path,
    figure: str,
    task: str = "arithmetic",
    model: str = "llada-mini",
    specs: Iterable[str] | None = None,
    problems: int = 6,
    **about: Any,
) -> Path:
    """A file of the trade-off or of the grid; returns its path."""
    usual = grid_specs(USUAL["wino"]) if figure == "grid" else tradeoff_specs(USUAL)
    specs = list(usual if specs is None else specs)
    items = scripted_items(specs, problems, task)
    rows = rows_of(specs, items, [{"task": task}] * problems)
    result = {
        "model": model,
        "n": problems,
        **ABOUT,
        **about,
        "rows": rows,
        "comparisons": comparisons_of(specs, items),
    }
    made = condensed({**result, "items": items}, figure, task, "python -m wino_viz.tasks …")
    return write(folder, f"{figure}-{task}-{model}.json", made)


def write_shadow(folder: Path, rows: Sequence[Mapping[str, Any]] = (SHADOW_ROW,)) -> Path:
    """A file of the shadow block's cost."""
    return write(folder, "shadow.json", {"model": "llada-mini", **ABOUT, "rows": list(rows)})


def write(folder: Path, name: str, data: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name.replace("/", "_")
    path.write_text(json.dumps(data), encoding="utf-8")
    return path
