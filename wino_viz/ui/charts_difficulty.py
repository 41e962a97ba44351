"""Figure: forward passes and accuracy by difficulty, every decoder at its preset (the WINO paper's figure 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from wino_viz.evaluation.result_files import Group, ResultFile, Row
from wino_viz.ui.charts import (
    Chart,
    Plot,
    Series,
    Usual,
    accuracy_axis,
    error_bars,
    figure,
    key_to_measured,
    marks,
    plain,
    right_words,
    row_words,
    series_of,
    usual_row,
)

APART = 0.07  # of one step of difficulty, between the error bars of neighbours
TICKS = (1, 2, 5, 10, 20, 50, 100, 200)


def difficulty(files: Sequence[ResultFile], here: Sequence[Row], usual: Usual, main: str) -> Chart:
    """The figure of one task; empty of points where its problems have no difficulty."""
    series = series_of(files, here, main)
    chosen: list[tuple[Series, Row, bool]] = []
    for one in series:
        preset = usual(one.model, one.decoder)
        for rows, is_here in ((one.shipped, False), (one.here, True)):
            row = usual_row(rows, preset)
            if row is not None and row.groups:
                chosen.append((one, row, is_here))
    unit = next((row.unit for _, row, _ in chosen), "difficulty")
    place = {one.label: n for n, one in enumerate(series)}
    levels = sorted({group.difficulty for _, row, _ in chosen for group in row.groups})

    def drawn(value: Callable[[Group], float], keep: Callable[[Group], bool], **more: Any) -> list[go.Scatter]:
        traces = []
        for one, row, is_here in chosen:
            groups = [group for group in row.groups if keep(group)]
            aside = (place[one.label] - (len(series) - 1) / 2) * APART
            bars = {"error_y": error_bars(groups, one.colour, 2 if is_here else 1)} if more.get("bars") else {}
            traces.append(
                go.Scatter(
                    x=[group.difficulty + aside for group in groups],
                    y=[value(group) for group in groups],
                    mode="markers" if is_here else "lines+markers",
                    marker=marks(one, is_here),
                    line={"color": one.colour, "width": 1.6, "dash": one.dash},
                    name=one.label,
                    legendgroup=one.label,
                    showlegend=not is_here or not one.shipped,
                    hovertext=[_tip(row_words(row, one.model), group, unit, is_here) for group in groups],
                    hoverinfo="text",
                    **bars,
                )
            )
        return traces + ([key_to_measured()] if here else [])

    x = {"title": f"difficulty: {plain(unit)}", "tickvals": levels, "ticktext": [str(level) for level in levels]}
    y = {"title": "forward passes, on average", "type": "log", "tickvals": TICKS, "ticktext": [str(t) for t in TICKS]}
    passes = figure(drawn(lambda group: group.mean_forward_passes, lambda group: True), x, y)
    groups = [group for _, row, _ in chosen for group in row.groups]
    right = figure(
        drawn(lambda group: 100 * group.accuracy, lambda group: group.accuracy is not None, bars=True),
        x,
        accuracy_axis(groups),
    )
    shipped = [(one, row) for one, row, is_here in chosen if not is_here]
    plots = (Plot("forward passes by difficulty", passes), Plot("accuracy by difficulty", right)) if chosen else ()
    own = [(one, row) for one, row, is_here in chosen if is_here and not shipped]
    return Chart(plots, tuple(_sentences(shipped or own, unit, measured=bool(own))))


def _tip(words: str, group: Group, unit: str, here: bool) -> str:
    where = "measured here" if here else "shipped"
    return (
        f"<b>{words}</b><br>{plain(unit)}: {group.difficulty}<br>{group.mean_forward_passes:.1f} forward passes"
        f"<br>{right_words(group)}<br>{where}, {group.n} {'problem' if group.n == 1 else 'problems'}"
    )


def _sentences(drawn: Sequence[tuple[Series, Row]], unit: str, measured: bool) -> list[str]:
    """About the shipped points; where there are none, about every decoder that was measured here."""
    if not drawn:
        return ["The problems measured have no difficulty that their records tell."]
    said = [
        "Every decoder is drawn at its preset. The scale of the passes is logarithmic: equal steps are equal factors."
    ]
    if measured:
        said.append("Measured here, so far nowhere else.")
    several = [(one, row) for one, row in drawn if len(row.groups) > 1]
    fixed = [(one, row) for one, row in several if len({round(g.mean_forward_passes, 6) for g in row.groups}) == 1]
    for one, row in drawn:
        first, last = row.groups[0], row.groups[-1]
        if measured and len(row.groups) == 1:
            said.append(f"{one.label} takes {first.mean_forward_passes:.1f} passes at {unit} {first.difficulty}.")
        elif (one.decoder == "wino" or measured) and (one, row) in several and (one, row) not in fixed:
            more = last.mean_forward_passes - first.mean_forward_passes
            how = "more" if more > 0 else "fewer"
            said.append(
                f"{one.label} takes {last.mean_forward_passes:.1f} passes at {unit} {last.difficulty} and "
                f"{first.mean_forward_passes:.1f} at {first.difficulty}: {abs(more):.1f} {how} for the hardest than for "
                "the easiest."
            )
    if fixed:
        takes = "takes" if len(fixed) == 1 else "take"
        names = " and ".join(f"{one.label} ({row.groups[0].mean_forward_passes:.0f})" for one, row in fixed)
        said.append(f"{names} always {takes} the same number, however hard the problem.")
    return said
