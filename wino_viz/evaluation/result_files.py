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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from wino_viz import untrusted
from wino_viz.evaluation.intervals import wilson

FOLDER = Path(__file__).parents[2] / "assets" / "results"
TRADEOFF, GRID, SHADOW = "tradeoff", "grid", "shadow"
MAX_BYTES = 2_000_000  # far above any file that is made here
SHADOW_NUMBERS = (
    *("tokens", "shadow_tokens", "gen_length", "block_length", "plain_ms", "shadow_ms", "full_attention_ms"),
    *("plain_mb", "shadow_mb", "time_ratio", "memory_ratio"),
)


class ResultError(ValueError):
    """A file that can't be used; the message names it and what is wrong."""


@dataclass(frozen=True)
class Counted:
    """n problems, of which the answers of `judged` are known and `correct` were right; forward passes on average."""

    n: int
    judged: int
    correct: int
    mean_forward_passes: float

    @property
    def accuracy(self) -> float | None:
        """0..1, or None where no answer is known."""
        return self.correct / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.correct, self.judged) if self.judged else None


@dataclass(frozen=True)
class Group(Counted):
    """Problems of one difficulty under one decoder."""

    difficulty: int


@dataclass(frozen=True)
class Row(Counted):
    """One decoder with its settings on problems of one task.

    spec: as on a command line. settings: {"name", …}. step_reduction: generated tokens over forward passes. unit and
    groups: by difficulty ("" and none where the task has no such thing). model: "" for that of the file.
    """

    spec: str
    settings: Mapping[str, Any]
    step_reduction: float
    unit: str = ""
    groups: tuple[Group, ...] = ()
    model: str = ""

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
    faults: tuple[str, ...] = ()

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
    data = untrusted.mapping(data, where)
    settings = untrusted.sequence(data.get("settings"), f'{where}: "settings"')
    if len(settings) != 1:
        raise ValueError(f"{where}: a file of one task has one entry in settings, not {len(settings)}")
    _text(untrusted.mapping(settings[0], f"{where}: settings"), "name", f"{where}: settings")
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
    if not _agree(data.get("accuracy"), row.accuracy):
        said = untrusted.described(data.get("accuracy"))
        raise ValueError(f'{where}: "accuracy" is {said}, and {correct} of {judged} are correct')
    if "by_difficulty" not in data:
        return row
    by = untrusted.mapping(data["by_difficulty"], f"{where}: by_difficulty")
    groups = tuple(_group(group, f"{where}, group {i}") for i, group in _numbered(by.get("groups"), f"{where}: groups"))
    return replace(row, unit=_text(by, "unit", f"{where}: by_difficulty"), groups=groups)


def shadow_row_of(data: Any, where: str = "row") -> Mapping[str, Any]:
    """A row of the shadow block's cost; ValueError naming what is wrong in it. Milliseconds and megabytes a pass."""
    data = untrusted.mapping(data, where)
    return {**data, **{key: _positive(data, key, where) for key in SHADOW_NUMBERS}}


def _group(data: Any, where: str) -> Group:
    data = untrusted.mapping(data, where)
    difficulty = untrusted.natural(data.get("difficulty"), f"{where}: difficulty")
    return Group(*_counts(data, where), _positive(data, "mean_forward_passes", where), difficulty)


def _file(path: Path, data: Any) -> ResultFile:
    data = untrusted.mapping(data, "the file")
    figure = figure_of(path)
    _text(data, "command", "the file")
    head = {
        "name": path.name,
        "figure": figure,
        "model": _text(data, "model", "the file"),
        "about": {key: value for key, value in data.items() if key not in ("rows", "comparisons")},
    }
    rows = list(_numbered(data.get("rows"), '"rows"'))
    if not rows:
        raise ValueError('"rows" is empty')
    if figure == SHADOW:
        return ResultFile(task="", shadow_rows=tuple(shadow_row_of(row, f"row {i}") for i, row in rows), **head)
    if data.get("figure") != figure:
        raise ValueError(f'"figure" is {untrusted.described(data.get("figure"))}, and the file’s name says {figure}')
    compared = _numbered(data.get("comparisons", []), '"comparisons"')
    return ResultFile(
        task=_text(data, "task", "the file"),
        rows=tuple(row_of(row, f"row {i}") for i, row in rows),
        comparisons=tuple(_comparison(pair, f"comparison {i}") for i, pair in compared),
        **head,
    )


def _comparison(data: Any, where: str) -> Mapping[str, Any]:
    data = untrusted.mapping(data, where)
    for key in ("n", "only_first", "only_second"):
        untrusted.natural(data.get(key), f'{where}: "{key}"')
    untrusted.probability(data.get("p_value"), f'{where}: "p_value"')
    untrusted.sequence(data.get("decoders"), f'{where}: "decoders"')
    return data


# ---- checks


def _numbered(values: Any, where: str) -> Iterable[tuple[int, Any]]:
    return enumerate(untrusted.sequence(values, where), start=1)


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    if not untrusted.text(data.get(key), f'{where}: "{key}"'):
        raise ValueError(f'{where}: "{key}" is empty')
    return data[key]


def _positive(data: Mapping[str, Any], key: str, where: str) -> float:
    value = data.get(key)
    if type(value) not in (int, float) or not isfinite(value) or value <= 0:
        raise ValueError(f'{where}: "{key}" must be a number above 0, not {untrusted.described(value)}')
    return value


def _counts(data: Mapping[str, Any], where: str) -> tuple[int, int, int]:
    n, judged, correct = (untrusted.natural(data.get(k), f'{where}: "{k}"') for k in ("n", "judged", "correct"))
    if not correct <= judged <= n or not n:
        raise ValueError(f"{where}: {correct} correct of {judged} judged of {n} can’t be")
    return n, judged, correct


def _agree(said: Any, found: float | None) -> bool:
    if said is None or found is None:
        return said is found
    return type(said) in (int, float) and isclose(said, found, abs_tol=1e-5)
