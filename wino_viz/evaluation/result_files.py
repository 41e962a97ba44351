"""Reading the measured files in assets/results: what the Explore tab draws. A file that is wrong is named, never drawn.

    results = read_results()
    for file in results.of(TRADEOFF, "arithmetic"):
        print(file.model, [(row.spec, row.accuracy, row.interval) for row in file.rows])
    results.faults            one sentence for each file that can't be read

A file's name begins with its figure: tradeoff-TASK-MODEL.json, grid-TASK-MODEL.json (wino_viz.evaluation.results makes
them) and shadow.json or shadow-MODEL.json (`python -m wino_viz bench --shadow`). Other files are not for this page.
Standard library and the intervals only: a page reads them before there is a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from wino_viz.evaluation.intervals import wilson

FOLDER = Path(__file__).parents[2] / "assets" / "results"
TRADEOFF, GRID, SHADOW = "tradeoff", "grid", "shadow"
MAX_BYTES = 2_000_000  # far above any file that is made here
SHADOW_NUMBERS = (
    "tokens", "shadow_tokens", "plain_ms", "shadow_ms", "full_attention_ms", "plain_mb", "shadow_mb",
)  # fmt: skip


class ResultError(ValueError):
    """A file that can't be used; the message names it and what is wrong."""


@dataclass(frozen=True)
class Group:
    """Problems of one difficulty under one decoder. None of accuracy and interval where no answer is known."""

    difficulty: int
    n: int
    judged: int
    correct: int
    mean_forward_passes: float

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's, at 95 %."""
        return wilson(self.correct, self.judged) if self.judged else None


@dataclass(frozen=True)
class Row:
    """One decoder with its settings on n problems of one task.

    spec: as on a command line. settings: {"name", …}. accuracy 0..1 and its 95 % Wilson interval; None where no answer
    is known. step_reduction is generated tokens over forward passes. unit and groups: by difficulty ("" and none where
    the task has no such thing).
    """

    spec: str
    settings: Mapping[str, Any]
    n: int
    judged: int
    correct: int
    mean_forward_passes: float
    step_reduction: float
    unit: str = ""
    groups: tuple[Group, ...] = ()

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's, at 95 %."""
        return wilson(self.correct, self.judged) if self.judged else None

    @property
    def name(self) -> str:
        """The decoder's name without its settings."""
        return str(self.settings["name"])


@dataclass(frozen=True)
class ResultFile:
    """One file. `about`: everything in it but rows and comparisons (command, commit, weights_sha256, device, …)."""

    name: str
    figure: str
    task: str
    model: str
    about: Mapping[str, Any]
    rows: tuple[Row, ...] = ()
    shadow_rows: tuple[Mapping[str, float], ...] = ()
    comparisons: tuple[Mapping[str, Any], ...] = ()

    def compared(self, first: str, second: str) -> Mapping[str, Any] | None:
        """The comparison of two SPECs on the same problems, in the order in which it was made."""
        return next((pair for pair in self.comparisons if pair["decoders"] == [first, second]), None)


@dataclass(frozen=True)
class Results:
    """All files that can be read, and a sentence about each that can't."""

    files: tuple[ResultFile, ...] = ()
    faults: tuple[str, ...] = field(default=())

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that there are files of."""
        return tuple(dict.fromkeys(file.task for file in self.files if file.task))

    def of(self, figure: str, task: str = "") -> tuple[ResultFile, ...]:
        """The files of a figure and a task (shadow has none)."""
        return tuple(file for file in self.files if file.figure == figure and file.task == task)


def read_results(folder: Path = FOLDER) -> Results:
    """Every file of the folder; a folder that is not there holds none."""
    files, faults = [], []
    for path in sorted(folder.glob("*.json")):
        if figure_of(path) is None:
            continue
        try:
            files.append(read_result(path))
        except ResultError as error:
            faults.append(str(error))
    return Results(tuple(files), tuple(faults))


def figure_of(path: Path) -> str | None:
    """The figure that a file is for by its name; None for other files."""
    first = path.stem.split("-")[0]
    return first if first in (TRADEOFF, GRID, SHADOW) else None


def read_result(path: Path) -> ResultFile:
    """One file; raises ResultError naming it, the place in it, and what must stand there."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
        return _file(path, data)
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path.name} can’t be shown: {' '.join(str(error).split())}") from None


def row_of(data: Any, where: str = "row") -> Row:
    """A row as `eval` makes it; ValueError naming what is wrong in it."""
    data = _object(data, where)
    settings = _list(data, "settings", where)
    if len(settings) != 1 or not isinstance(settings[0], dict) or not isinstance(settings[0].get("name"), str):
        raise ValueError(f'{where}: "settings" must hold one object with a "name"')
    n, judged, correct = _counts(data, where)
    row = Row(
        spec=_text(data, "decoder", where),
        settings=settings[0],
        n=n,
        judged=judged,
        correct=correct,
        mean_forward_passes=_positive(data, "mean_forward_passes", where),
        step_reduction=_positive(data, "step_reduction", where),
    )
    said = data.get("accuracy")
    if (said is None) != (row.accuracy is None) or (said is not None and not _agree(said, row.accuracy)):
        raise ValueError(f'{where}: "accuracy" is {said!r}, which is not {correct} of {judged}')
    if "by_difficulty" not in data:
        return row
    by = _object(data["by_difficulty"], f"{where}, by_difficulty")
    groups = tuple(_group(g, f"{where}, group {i}") for i, g in enumerate(_list(by, "groups", where), start=1))
    return Row(**{**vars(row), "unit": _text(by, "unit", where), "groups": groups})


def _group(data: Any, where: str) -> Group:
    data = _object(data, where)
    difficulty = data.get("difficulty")
    if type(difficulty) is not int:
        raise ValueError(f'{where}: "difficulty" must be a whole number, not {str(difficulty)[:40]!r}')
    return Group(difficulty, *_counts(data, where), _positive(data, "mean_forward_passes", where))


def _file(path: Path, data: Any) -> ResultFile:
    data = _object(data, "the file")
    figure = figure_of(path)
    about = {key: value for key, value in data.items() if key not in ("rows", "comparisons")}
    for key in ("command", "model"):
        _text(data, key, "the file")
    rows = _list(data, "rows", "the file")
    if not rows:
        raise ValueError('"rows" is empty')
    head = {"name": path.name, "figure": figure, "model": data["model"], "about": about}
    if figure == SHADOW:
        return ResultFile(task="", shadow_rows=tuple(shadow_row_of(r, f"row {i}") for i, r in _numbered(rows)), **head)
    if data.get("figure") != figure:
        raise ValueError(f'"figure" must be {figure!r}, as the name says, not {str(data.get("figure"))[:40]!r}')
    compared = [_comparison(pair, f"comparison {i}") for i, pair in _numbered(data.get("comparisons", []))]
    return ResultFile(
        task=_text(data, "task", "the file"),
        rows=tuple(row_of(row, f"row {i}") for i, row in _numbered(rows)),
        comparisons=tuple(compared),
        **head,
    )


def shadow_row_of(data: Any, where: str = "row") -> Mapping[str, float]:
    """A row of the shadow block's cost; ValueError naming what is wrong in it. Milliseconds and megabytes a pass."""
    data = _object(data, where)
    return {**data, **{key: _positive(data, key, where) for key in SHADOW_NUMBERS}}


def _comparison(data: Any, where: str) -> Mapping[str, Any]:
    data = _object(data, where)
    for key in ("n", "only_first", "only_second"):
        if type(data.get(key)) is not int or data[key] < 0:
            raise ValueError(f'{where}: "{key}" must be a whole number')
    if not isinstance(data.get("decoders"), list) or not 0 <= _number(data, "p_value", where) <= 1:
        raise ValueError(f'{where}: "decoders" must be a list and "p_value" from 0 to 1')
    return data


# ---- checks


def _numbered(values: Any) -> Any:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"a list is needed, not {str(values)[:40]!r}")
    return enumerate(values, start=1)


def _object(data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be a JSON object")
    return data


def _list(data: Mapping[str, Any], key: str, where: str) -> list[Any]:
    if not isinstance(data.get(key), list):
        raise ValueError(f'{where}: "{key}" must be a list')
    return data[key]


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(data.get(key), str) or not data[key]:
        raise ValueError(f'{where}: "{key}" must be text, not {str(data.get(key))[:40]!r}')
    return data[key]


def _number(data: Mapping[str, Any], key: str, where: str) -> float:
    value = data.get(key)
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError(f'{where}: "{key}" must be a number, not {str(value)[:40]!r}')
    return value


def _positive(data: Mapping[str, Any], key: str, where: str) -> float:
    if (value := _number(data, key, where)) <= 0:
        raise ValueError(f'{where}: "{key}" must be above 0, not {value}')
    return value


def _counts(data: Mapping[str, Any], where: str) -> tuple[int, int, int]:
    counts = tuple(data.get(key) for key in ("n", "judged", "correct"))
    if any(type(count) is not int for count in counts) or not 0 <= counts[2] <= counts[1] <= counts[0] or not counts[0]:
        raise ValueError(f'{where}: "n", "judged" and "correct" must be whole numbers, each at most the one before')
    return counts


def _agree(said: Any, found: float | None) -> bool:
    return type(said) in (int, float) and found is not None and isclose(said, found, abs_tol=1e-5)
