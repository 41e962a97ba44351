"""What a person sees of an evaluation: how far it is, and the figures as Markdown tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0  # where nobody watches a bar: a log file, a pipe


class Progress:
    """How far each decoder is, on standard error: a bar on a terminal, elsewhere a line now and then.

    with Progress() as progress:
        evaluate(…, progress=progress)
    """

    def __init__(self, file: TextIO | None = None, seconds_between_lines: float = SECONDS_BETWEEN_LINES) -> None:
        self._file = file or sys.stderr
        self._between = seconds_between_lines
        self._spec, self._bar = "", None
        self._first, self._started, self._told = 0, 0.0, 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, spec: str, done: int, of: int) -> None:
        """Of `of` problems `done` are decoded with `spec`."""
        now = time.monotonic()
        if spec != self._spec:
            self.__exit__()
            self._spec, self._first, self._started, self._told = spec, done, now, now
            if self._file.isatty():
                self._bar = tqdm(total=of, initial=done, desc=spec, unit="problem", file=self._file, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif done == of or now - self._told >= self._between:
            self._told = now
            problems = f"{of} {'problem' if of == 1 else 'problems'}"  # said, or it is read as how many are right
            print(f"{spec}: {done} of {problems} decoded{self._left(done, of, now)}", file=self._file, flush=True)

    def _left(self, done: int, of: int, now: float) -> str:
        if done in (self._first, of):
            return ""
        return f", about {(now - self._started) / (done - self._first) * (of - done):.0f} s left"


def report(result: dict[str, Any]) -> str:
    """The rows of a result as a Markdown table, with one more for each task of a mixed file, and the comparisons."""
    rows, comparisons = result["rows"], result["comparisons"]
    tasks = list(rows[0].get("by_task", ()))
    parts = [_table(rows), *_compared(comparisons)]
    for task in tasks:
        own = [{"decoder": row["decoder"], **row["by_task"][task]} for row in rows]
        pairs = [{**pair, **pair["by_task"][task]} for pair in comparisons if task in pair.get("by_task", ())]
        parts += [f"{task}:", _table(own), *_compared(pairs)]
    return "\n\n".join(parts)


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures of each decoder, with CIDEr and cells where there are any."""
    cells = {"cider": ("CIDEr", lambda value: f"{value:.1f}"), "cell_accuracy": ("cells", _share)}
    extra = {key: told for key, told in cells.items() if any(key in row for row in rows)}
    names = ["decoder", "n", "accuracy", "95 % interval", "faithful", *(name for name, _ in extra.values())]
    names += ["forward passes", "step reduction", "revocations"]
    lines = [_line(names), "|" + "---|" * len(names)]
    for row in rows:
        made = [row["decoder"], str(row["n"]), _share(row["accuracy"]), _interval(row["accuracy_interval"])]
        made += [_share(row["faithful"])]
        made += [show(row[key]) if key in row else "–" for key, (_, show) in extra.items()]
        made += [
            f"{row['mean_forward_passes']:.2f}",
            f"{row['step_reduction']:.2f}×",
            f"{row['mean_revocations']:.2f}",
        ]
        lines.append(_line(made))
    return "\n".join(lines)


def _compared(comparisons: Sequence[dict[str, Any]]) -> list[str]:
    if not comparisons:
        return []
    lines = ["| compared on the same problems | only the first right | only the second | p (McNemar, exact) |"]
    lines.append("|---|---|---|---|")
    for pair in comparisons:
        names = " and ".join(pair["decoders"])
        lines.append(_line([names, str(pair["only_first"]), str(pair["only_second"]), f"{pair['p_value']:.2g}"]))
    return ["\n".join(lines)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _interval(interval: Sequence[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"
