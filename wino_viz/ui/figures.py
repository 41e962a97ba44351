"""From result files to what the browser gets: a figure with its words, its source, its data as CSV and JSON.

message = figure_message(KINDS["tradeoff"], "arithmetic", read_results(), session)
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from wino_viz.decoding import DECODERS
from wino_viz.evaluation.result_files import GRID, SHADOW, TRADEOFF, Counted, ResultFile, Results, Row, row_of
from wino_viz.models.presets import read_presets
from wino_viz.provenance import weights_checksum
from wino_viz.trace import dumps

MODELS = Path(__file__).parents[2] / "assets" / "models"
REPORTED = Path(__file__).parents[2] / "assets" / "reported.json"
DECIMALS = 4
MAKE, MAKE_SHADOW = "make results", "python -m wino_viz bench --shadow --out assets/results/shadow.json"

Data = list[dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """One of the tab's figures: its question, the files that it is made of, and its columns as data."""

    name: str
    title: str
    source: str
    data: Callable[[Sequence[Row], Mapping[str, Any]], Data] | None = None


@dataclass(frozen=True)
class Run:
    """What one press on “Measure” measured: rows as `eval` (or `bench --shadow`) makes them, and how."""

    rows: tuple[Mapping[str, Any], ...]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Here:
    """All that was measured on this machine for one figure of one task. A newer row takes the place of an older one."""

    runs: tuple[Run, ...] = ()

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        return [row for run in self.runs for row in run.rows]

    def and_run(self, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> Here:
        """These and the rows of a further run."""
        model = about.get("model")
        new = {_measured_as(row) for row in rows}
        kept = [
            replace(run, rows=tuple(row for row in run.rows if _measured_as(row) not in new))
            if run.about.get("model") == model
            else run
            for run in self.runs
        ]
        return Here((*(run for run in kept if run.rows), Run(tuple(rows), about)))


def _measured_as(row: Mapping[str, Any]) -> Any:
    """What two rows of the same thing have in common."""
    return row.get("decoder") or (row.get("tokens"), row.get("shadow_tokens"))


def _by_setting(rows: Sequence[Row], head: Mapping[str, Any]) -> Data:
    return [{**head, "decoder": row.spec, **_counted(row), "step_reduction": row.step_reduction} for row in rows]


def _by_difficulty(rows: Sequence[Row], head: Mapping[str, Any]) -> Data:
    return [
        {**head, "decoder": row.spec, "unit": row.unit, "difficulty": group.difficulty, **_counted(group)}
        for row in rows
        for group in row.groups
    ]


def _by_cell(rows: Sequence[Row], head: Mapping[str, Any]) -> Data:
    return [
        {**head, "tau1": row.settings.get("tau1"), "tau2": row.settings.get("tau2"), **_counted(row)} for row in rows
    ]


def _counted(row: Counted) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    return {
        "n": row.n,
        "judged": row.judged,
        "correct": row.correct,
        "accuracy": row.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "mean_forward_passes": row.mean_forward_passes,
    }


DIFFICULTY = "difficulty"
KINDS = {
    kind.name: kind
    for kind in (
        Kind(TRADEOFF, "How many passes can be saved before answers go wrong?", TRADEOFF, _by_setting),
        Kind(DIFFICULTY, "Do harder problems take more passes?", TRADEOFF, _by_difficulty),
        Kind(GRID, "How sure should a draft be, and how sure the check?", GRID, _by_cell),
        Kind(SHADOW, "What does checking cost?", SHADOW),
    )
}


def figure_message(kind: Kind, task: str, results: Results, session: Any, here: Here | None = None) -> str:
    """All that the browser needs of one figure, as JSON."""
    here = here or Here()
    files = results.of(kind.source, "" if kind.name == SHADOW else task)
    chart = _chart(kind, files, here, session)
    data = _data(kind, files, here, session.model)
    name = f"{kind.name}-{task}" if kind.name != SHADOW else kind.name
    faults = [fault for fault in results.faults if fault.startswith(f"{kind.source}")]
    message = {
        "id": uuid.uuid4().hex,
        "title": kind.title,
        "file": name,
        "plots": [
            {"name": plot.name, "picks": plot.picks, **plot.figure.to_plotly_json()}
            for plot in (chart.plots if data else ())
        ],
        "palette": _palette(),
        "sentences": list(chart.sentences) if data else [],
        "beside": read_reported()["beside"].get(kind.name, ""),
        "notes": [*faults, *_weights_notes(files)],
        "empty": "" if data else _empty(kind, bool(faults)),
        "credit": _credit(kind, files, here, task),
        "sources": [*map(_source, files), *map(_source_here, here.runs)],
        "table": data,
        "csv": as_csv(data),
        "json": as_json(kind, task, files, here),
    }
    return dumps(message)


def as_csv(data: Data) -> str:
    """One line per point; columns of all of them. Numbers keep at most 4 decimals, what is unknown is empty."""
    columns = list(dict.fromkeys(key for row in data for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(data)
    return out.getvalue()


def as_json(kind: Kind, task: str, files: Sequence[ResultFile], here: Here) -> dict[str, Any]:
    """The files as they are (their rows without what the figure does not show), and what was measured here."""
    shown = {"figure": kind.name, **({"task": task} if kind.name != SHADOW else {})}
    shipped = []
    for file in files:
        rows = [dict(row) for row in file.shadow_rows] or [_row_dict(row, kind.name == DIFFICULTY) for row in file.rows]
        shipped.append({"file": file.name, **file.about, "rows": rows})
    own = {"measured_here": [{**run.about, "rows": list(run.rows)} for run in here.runs]} if here.rows else {}
    return {**shown, "shipped": shipped, **own}


def _row_dict(row: Row, by_difficulty: bool) -> dict[str, Any]:
    groups = [{"difficulty": group.difficulty, **_counted(group)} for group in row.groups]
    more = {"by_difficulty": {"unit": row.unit, "groups": groups}} if by_difficulty else {}
    settings = dict(row.settings)
    return {"decoder": row.spec, "settings": settings, **_counted(row), "step_reduction": row.step_reduction, **more}


def _data(kind: Kind, files: Sequence[ResultFile], here: Here, main: str) -> Data:
    """The points as rows of one table, shipped ones first."""
    made: Data = []
    for file in files:
        head = {"model": file.model, "measured": "shipped"}
        made += kind.data(file.rows, head) if kind.data else [{**head, **row} for row in file.shadow_rows]
    for run in here.runs:
        head = {"model": run.about.get("model", main), "measured": "here"}
        rows = [row_of(row) for row in run.rows] if kind.data else []
        made += kind.data(rows, head) if kind.data else [{**head, **row} for row in run.rows]
    return [{key: round(v, DECIMALS) if isinstance(v, float) else v for key, v in row.items()} for row in made]


def rows_of(here: Here) -> list[Row]:
    """What was measured here, as rows of files."""
    return [replace(row_of(row), model=run.about.get("model", "")) for run in here.runs for row in run.rows]


def _chart(kind: Kind, files: Sequence[ResultFile], here: Here, session: Any) -> Any:
    from wino_viz.ui.charts_difficulty import difficulty
    from wino_viz.ui.charts_grid import grid
    from wino_viz.ui.charts_shadow import shadow
    from wino_viz.ui.charts_tradeoff import tradeoff

    if kind.name == SHADOW:
        return shadow(files, list(here.rows), session.model)
    make = {TRADEOFF: tradeoff, DIFFICULTY: difficulty, GRID: grid}[kind.name]
    task = next((file.task for file in files), None)

    def usual(model: str, decoder: str) -> dict[str, Any] | None:
        return usual_settings(session, model, task, decoder)

    return make(files, rows_of(here), usual, session.model)


def usual_settings(session: Any, model: str, task: str | None, decoder: str) -> dict[str, Any] | None:
    """A decoder's settings as the model's preset has them for a task; None for what this app does not know."""
    if decoder not in DECODERS:
        return None
    if model == session.model:
        return session.settings(decoder, task).to_dict()
    try:
        preset = read_presets(MODELS / Path(model).name).get(task or "")
        return DECODERS[decoder](**preset.decoders.get(decoder, {})).to_dict() if preset else None
    except (ValueError, TypeError):
        return None


def _palette() -> dict[str, str]:
    from wino_viz.ui.charts import PALETTE

    return PALETTE


def read_reported() -> dict[str, Any]:
    """Published figures: {"papers": tables, "beside": {figure: one sentence that stands under it}, …}."""
    return json.loads(REPORTED.read_text(encoding="utf-8"))


# ---- words


def _empty(kind: Kind, broken: bool) -> str:
    start = "Nothing that can be shown" if broken else "Nothing is measured yet"
    if kind.name == SHADOW:
        return f"{start}: “{MAKE_SHADOW}” measures what stands here."
    return f"{start}: “{MAKE}” measures what stands here, or measure a few problems now."


def _weights_notes(files: Sequence[ResultFile]) -> list[str]:
    """A sentence for each file that belongs to other weights than this app ships."""
    notes = []
    for file in files:
        said = file.about.get("weights_sha256")
        if not (MODELS / Path(file.model).name).is_dir():
            notes.append(f"{file.name}: measured with {file.model}, which is not a model of this app.")
        elif isinstance(said, str) and said != shipped_weights(Path(file.model).name):
            notes.append(
                f"{file.name}: measured with other weights of {file.model} than the app ships now, so what you measure "
                "may lie elsewhere."
            )
    return notes


@cache
def shipped_weights(model: str) -> str:
    """The checksum of an embedded model's weights."""
    return weights_checksum(MODELS / model)


def _credit(kind: Kind, files: Sequence[ResultFile], here: Here, task: str) -> str:
    """One line under a picture that is taken elsewhere."""
    counts = sorted({row.n for file in files for row in file.rows})
    parts = [", ".join(dict.fromkeys(file.model for file in files))]
    if counts:
        of = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        parts.append(f"{of} problems ({task})" + ("" if kind.name == GRID else ", bars are 95 % Wilson intervals"))
    if here.rows:
        parts.append("hollow: measured anew")
    return " · ".join(part for part in [*parts, "wino_viz"] if part)


def _source(file: ResultFile) -> list[list[str]]:
    about = file.about
    rows = [["file", file.name], ["model", file.model], ["command", str(about["command"])]]
    if about.get("data_command"):
        rows.append(["problems", str(about["data_command"])])
    for key, label in (("commit", "commit"), ("weights_sha256", "weights (SHA-256)"), ("n", "problems per decoder")):
        if about.get(key) is not None:
            rows.append([label, str(about[key])])
    return [*rows, *_machine_rows(about)]


def _source_here(run: Run) -> list[list[str]]:
    rows = [["measured", "here, just now"]]
    for key, label in (("data_command", "problems"), ("command", "the same as a command"), ("n", "problems begun")):
        if run.about.get(key) is not None:
            rows.append([label, str(run.about[key])])
    return [*rows, *_machine_rows(run.about)]


def _machine_rows(about: Mapping[str, Any]) -> Iterable[list[str]]:
    if about.get("device"):
        threads = (
            f", {about['threads']} {'thread' if about['threads'] == 1 else 'threads'}" if about.get("threads") else ""
        )
        yield ["device", f"{about['device']}{threads}"]
    versions = about.get("versions")
    if isinstance(versions, Mapping):
        yield ["versions", ", ".join(f"{name} {version}" for name, version in versions.items())]
