"""Figure: accuracy against step reduction, every decoder over its settings (the WINO paper's figure 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

import plotly.graph_objects as go

from wino_viz.evaluation.result_files import ResultFile, Row
from wino_viz.ui.charts import (
    FRONT,
    Chart,
    Plot,
    Series,
    Usual,
    accuracy_axis,
    error_bars,
    figure,
    here_words,
    key_to_measured,
    marks,
    percent,
    row_words,
    series_of,
    tip,
    usual_row,
)

TICKS = (1, 2, 4, 8, 16, 32, 64, 128)
USUAL_SIZE, SIZE = 14, 9


def tradeoff(files: Sequence[ResultFile], here: Sequence[Row], usual: Usual, main: str) -> Chart:
    """The figure of one task. `main` is the app's model."""
    series = series_of(files, here, main)
    shipped = [row for one in series for row in one.shipped if row.accuracy is not None]
    front = pareto(shipped)
    traces = [_front(front)] if len(front) > 1 else []
    for one in series:
        traces += _traces(one, usual)
    if here:
        traces.append(key_to_measured())
    rows = [*shipped, *(row for row in here if row.accuracy is not None)]
    most = max((row.step_reduction for row in rows), default=16.0)
    x = {
        "title": "step reduction: tokens per forward pass",
        "type": "log",
        "tickvals": TICKS,
        "ticktext": [f"{tick}×" for tick in TICKS],
        "range": [-0.06, log10(most * 1.25)],
    }
    made = figure(traces, x, accuracy_axis(rows))
    words = _sentences(files, series, front, usual, main)
    if not shipped and (own := here_words(here, main)):
        words.append(own)
    return Chart((Plot("accuracy against step reduction", made),), tuple(words))


def pareto(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other one beats: none is at least as accurate in fewer passes. By step reduction, upwards."""
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (-row.step_reduction, -row.accuracy)):
        if not front or row.accuracy > front[-1].accuracy:
            front.append(row)
    return front[::-1]


def _front(front: Sequence[Row]) -> go.Scatter:
    return go.Scatter(
        x=[row.step_reduction for row in front],
        y=[100 * row.accuracy for row in front],
        mode="lines",
        line={"color": FRONT, "width": 13},
        name="not beaten (Pareto front)",
        hoverinfo="skip",
    )


def _traces(series: Series, usual: Usual) -> list[go.Scatter]:
    """The line over the settings, the preset's mark larger, and hollow marks for what was measured here."""
    preset = usual(series.model, series.decoder)
    made = []
    for rows, here in ((series.shipped, False), (series.here, True)):
        rows = [row for row in rows if row.accuracy is not None]
        if not rows:
            continue
        sizes = [USUAL_SIZE if dict(row.settings) == preset else SIZE for row in rows]
        made.append(
            go.Scatter(
                x=[row.step_reduction for row in rows],
                y=[100 * row.accuracy for row in rows],
                error_y=error_bars(rows, series.colour, 2 if here else 0.8),
                mode="markers" if here else "lines+markers",
                marker=marks(series, here, sizes),
                line={"color": series.colour, "width": 1.6, "dash": series.dash},
                name=series.label,
                legendgroup=series.label,
                showlegend=not here or not series.shipped,
                hovertext=[tip(row_words(row, series.model), row, here) for row in rows],
                hoverinfo="text",
            )
        )
    return made


def _sentences(
    files: Sequence[ResultFile], series: Sequence[Series], front: Sequence[Row], usual: Usual, main: str
) -> list[str]:
    said = [
        "Further up is more often right, further to the right is fewer forward passes. The larger mark is the preset."
    ]
    own = {one.decoder: usual_row(one.shipped, usual(main, one.decoder)) for one in series if one.model == main}
    wino, standard = own.get("wino"), own.get("standard")
    if wino is not None and standard is not None and wino.accuracy is not None and standard.accuracy is not None:
        said.append(
            f"{row_words(wino)}, is right on {percent(wino.accuracy)} of the problems in "
            f"{wino.mean_forward_passes:.1f} passes; {row_words(standard)}, on {percent(standard.accuracy)} in "
            f"{standard.mean_forward_passes:.0f}."
        )
        pair = next((p for f in files if f.model == main and (p := f.compared(standard.spec, wino.spec))), None)
        if pair is not None:
            said.append(_compared(pair))
    if front:
        words = ", ".join(dict.fromkeys(next(one.label for one in series if row in one.shipped) for row in front))
        said.append(f"The broad line joins the points that none beats in both (the Pareto front): {words}.")
    return said


def _compared(pair: Mapping[str, Any]) -> str:
    """Standard and WINO on the same problems, in a sentence."""
    standard, wino = pair["only_first"], pair["only_second"]
    same = f"On the same {pair['n']} problems"
    if not standard and not wino:
        return f"{same}, both were right on the same ones."
    sure = "hardly explains" if pair["p_value"] < 0.05 else "may well explain"
    return (
        f"{same}, WINO alone was right {_times(wino)} and Standard alone {_times(standard)}, a difference that chance {sure} "
        f"(McNemar’s p = {pair['p_value']:.2g})."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else "never" if not count else f"{count} times"
