"""Figure: what the shadow block costs, in time and memory, by the length of the sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import Scatter

from wino_viz.evaluation.result_files import ResultFile
from wino_viz.ui.charts import INK, Chart, Plot, Series, figure, key_to_measured, marks

SERIES = (
    ("plain", "without the shadow", INK, "circle", "solid"),
    ("shadow", "with the shadow", "#007f5c", "star", "solid"),
    ("full_attention", "without it, as long in all", "#a06a00", "hexagon", "dot"),
)


def shadow(files: Sequence[ResultFile], here: Sequence[Mapping[str, Any]], main: str) -> Chart:
    """The figure of the app's model, or of the first that there is a file of. Rows as `bench --shadow` makes them."""
    file = next((f for f in files if f.model == main), next(iter(files), None))
    rows = sorted(file.shadow_rows if file else (), key=lambda row: row["tokens"])
    here = sorted(here, key=lambda row: row["tokens"])
    if not rows and not here:
        return Chart((), ())
    plots = (
        Plot("time", _plot(rows, here, "ms", "ms", "milliseconds per forward pass")),
        Plot("memory", _plot(rows, here, "mb", "MB", "megabytes at the most")),
    )
    return Chart(plots, tuple(_sentences(rows)))


def _plot(rows: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]], key: str, unit: str, title: str) -> Any:
    traces = []
    for name, label, colour, symbol, dash in SERIES:
        for points, is_here in ((rows, False), (here, True)):
            points = [row for row in points if f"{name}_{key}" in row]
            if not points:
                continue
            look = Series("", name, label, colour, symbol, dash, ())
            traces.append(
                Scatter(
                    x=[row["tokens"] for row in points],
                    y=[row[f"{name}_{key}"] for row in points],
                    mode="markers" if is_here else "lines+markers",
                    marker=marks(look, is_here),
                    line={"color": colour, "width": 1.6, "dash": dash},
                    name=label,
                    legendgroup=label,
                    showlegend=not is_here or not rows,
                    hovertext=[_tip(row, label, f"{name}_{key}", unit, is_here) for row in points],
                    hoverinfo="text",
                )
            )
    if here:
        traces.append(key_to_measured())
    x = {"title": "tokens of prompt and answer", "rangemode": "tozero"}
    return figure(traces, x, {"title": title, "rangemode": "tozero"})


def _tip(row: Mapping[str, Any], label: str, key: str, unit: str, here: bool) -> str:
    where = "measured here" if here else "shipped"
    return (
        f"<b>{label}</b><br>{row['tokens']:g} tokens, a shadow of {row['shadow_tokens']:g}<br>{row[key]:.1f} {unit} "
        f"({where})"
    )


def _sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    said = [
        "With WINO every pass also works through a second copy of the block that is being decoded: the shadow block."
    ]
    if rows:
        last = rows[-1]
        time, memory = last["shadow_ms"] / last["plain_ms"], last["shadow_mb"] / last["plain_mb"]
        said.append(
            f"At {last['tokens']:g} tokens, with a shadow of {last['shadow_tokens']:g}, a pass takes {time:.2f} times as "
            f"long and {memory:.2f} times the memory. A pass over as many tokens without a shadow takes "
            f"{last['full_attention_ms'] / last['plain_ms']:.2f} times as long."
        )
    return said
