"""Figure: accuracy and forward passes of WINO over τ1 × τ2 (the WINO paper's figure 4). A cell can be picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from wino_viz.evaluation.result_files import ResultFile, Row
from wino_viz.ui.charts import BLUES, INK, OCHRES, PAPER, Chart, Plot, Usual, figure, percent, right_words

HERE = "◇"  # before a value that was measured here


def cell(row: Row) -> tuple[float, float]:
    """(τ1, τ2) of a row."""
    return float(row.settings["tau1"]), float(row.settings["tau2"])


def grid(files: Sequence[ResultFile], here: Sequence[Row], usual: Usual, main: str) -> Chart:
    """The figure of one task and of the app's model, or of the first model that there is a file of."""
    file = next((f for f in files if f.model == main), next(iter(files), None))
    shipped = {cell(row): row for row in (file.rows if file else ()) if _is_wino(row)}
    measured = {cell(row): row for row in here if _is_wino(row) and row.model in ("", main)}
    known = {*shipped, *measured}
    if not known:
        return Chart((), ())
    preset = usual(file.model if file else main, "wino") or {}
    axes = sorted({tau1 for tau1, _ in known}), sorted({tau2 for _, tau2 in known})
    marked = (preset.get("tau1"), preset.get("tau2"))

    def heat(value: Callable[[Row], float | None], write: Callable[[float], str], colours: Any, **scale: Any):
        return _heat(axes, shipped, measured, marked, value, write, colours, scale)

    right = heat(lambda row: row.accuracy, percent, BLUES)
    passes = heat(lambda row: row.mean_forward_passes, lambda value: f"{value:.1f}", OCHRES)
    plots = (Plot("accuracy", right, picks=True), Plot("forward passes", passes, picks=True))
    return Chart(plots, tuple(_sentences(shipped or measured, marked, "shipped" if shipped else "measured")))


def _is_wino(row: Row) -> bool:
    return all(type(row.settings.get(key)) in (int, float) for key in ("tau1", "tau2"))


def _heat(
    axes: tuple[list[float], list[float]],
    shipped: dict[tuple[float, float], Row],
    measured: dict[tuple[float, float], Row],
    marked: tuple[Any, Any],
    value: Callable[[Row], float | None],
    write: Callable[[float], str],
    colours: Any,
    scale: dict[str, Any],
) -> go.Figure:
    """Rows are τ1, columns τ2; every cell says its value, and under it what was measured here."""
    rows, columns = axes
    values, texts, tips, picks = [], [], [], []
    for tau1 in rows:
        line: tuple[list, ...] = ([], [], [], [])
        for tau2 in columns:
            there, new = shipped.get((tau1, tau2)), measured.get((tau1, tau2))
            shown = [value(row) for row in (there, new) if row is not None]
            known = [v for v in shown if v is not None]
            line[0].append(known[0] if known else None)
            line[1].append(_cell_text(there, new, value, write))
            line[2].append(_tip(tau1, tau2, there, new))
            line[3].append([tau1, tau2])
        for whole, part in zip((values, texts, tips, picks), line, strict=True):
            whole.append(part)
    trace = go.Heatmap(
        z=values,
        x=[f"{tau2:g}" for tau2 in columns],
        y=[f"{tau1:g}" for tau1 in rows],
        text=texts,
        texttemplate="%{text}",
        hovertext=tips,
        hoverinfo="text",
        customdata=picks,
        colorscale=[[0, colours[0]], [1, colours[1]]],
        textfont={"color": INK},
        showscale=False,
        xgap=3,
        ygap=3,
        **scale,
    )
    category = {"type": "category", "showgrid": False, "showline": False, "ticks": ""}
    made = figure(
        [trace],
        {**category, "title": "τ2: take back below"},
        {**category, "title": "τ1: draft above"},
        margin={"l": 52, "r": 8, "t": 8, "b": 48},
    )
    if marked[0] in rows and marked[1] in columns:
        x, y = columns.index(marked[1]), rows.index(marked[0])
        corners = {"x0": x - 0.47, "x1": x + 0.47, "y0": y - 0.46, "y1": y + 0.46}
        made.add_shape(type="rect", **corners, line={"color": PAPER, "width": 5})
        made.add_shape(type="rect", **corners, line={"color": INK, "width": 2.5})
    return made


def _cell_text(there: Row | None, new: Row | None, value: Any, write: Any) -> str:
    parts = []
    if there is not None and (v := value(there)) is not None:
        parts.append(write(v))
    if new is not None and (v := value(new)) is not None:
        parts.append(f"{HERE} {write(v)}")
    return "<br>".join(parts)


def _tip(tau1: float, tau2: float, there: Row | None, new: Row | None) -> str:
    said = [f"<b>τ1 {tau1:g}, τ2 {tau2:g}</b>"]
    for row, where in ((there, "shipped"), (new, "measured here")):
        if row is not None:
            said.append(f"{where}: {right_words(row)},<br>{row.mean_forward_passes:.1f} forward passes")
    return "<br>".join([*said, "Press to open it in Decode"])


def _named(key: tuple[float, float]) -> str:
    return f"τ1 {key[0]:g} with τ2 {key[1]:g}"


def _sentences(cells: dict[tuple[float, float], Row], marked: tuple[Any, Any], how: str) -> list[str]:
    """`cells` are the shipped ones, or where there are none those measured here; `how` says which."""
    said = [
        "τ1 is how sure a draft must be, τ2 how sure the check must be that it stays; at τ2 = 0 nothing is taken back."
    ]
    judged = {key: row for key, row in cells.items() if row.accuracy is not None}
    if judged:
        best = max(judged, key=lambda key: (judged[key].accuracy, -judged[key].mean_forward_passes))
        fewest = min(judged, key=lambda key: (judged[key].mean_forward_passes, -judged[key].accuracy))
        low, high = judged[best].interval
        ties = sum(row.accuracy == judged[best].accuracy for row in judged.values())
        shared = (
            "Most often right is" if ties == 1 else f"{ties} cells are right most often; of these the fewest passes has"
        )
        said.append(
            f"{shared} {_named(best)} ({percent(judged[best].accuracy)}, interval {100 * low:.0f} to {100 * high:.0f} %, in "
            f"{judged[best].mean_forward_passes:.1f} passes). Fewest passes of all has {_named(fewest)} "
            f"({judged[fewest].mean_forward_passes:.1f}, {percent(judged[fewest].accuracy)} right)."
        )
        within = sum(1 for row in judged.values() if row.accuracy >= low)
        if within > 1:
            said.append(
                f"{within} of the {len(judged)} cells lie within that interval: small differences may be chance."
            )
    if counts := sorted({row.n for row in cells.values()}):
        problems = "problem" if counts == [1] else "problems"
        here = "" if how == "shipped" else " here"
        said.append(f"Every {how} cell rests on {' or '.join(map(str, counts))} {problems}{here}.")
    if marked in cells:
        said.append("The framed cell is the preset.")
    return said
