"""Figure: what the shadow block costs, in time and memory, by the length of the sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import Scatter

from wino_viz.evaluation.result_files import ResultFile
from wino_viz.ui.charts import INK, MORE_LOOKS, Chart, Plot, Series, figure, key_to_measured, marks

WITH = (("#007f5c", "star"), *MORE_LOOKS)  # with the shadow, by the number of blocks of an answer
Rows = Sequence[Mapping[str, Any]]


def shadow(files: Sequence[ResultFile], here: Rows, main: str) -> Chart:
    """The figure of the app's model, or of the first that there is a file of. Rows as `bench --shadow` makes them."""
    file = next((f for f in files if f.model == main), next(iter(files), None))
    rows = sorted(file.shadow_rows if file else (), key=lambda row: row["tokens"])
    here = sorted(here, key=lambda row: row["tokens"])
    if not rows and not here:
        return Chart((), ())
    blocks = sorted({_blocks(row) for row in (*rows, *here)}, reverse=True)
    plots = (
        Plot("time", _plot(rows, here, blocks, "ms", "ms", "milliseconds per forward pass")),
        Plot("memory", _plot(rows, here, blocks, "mb", "MB", "megabytes beside the weights")),
    )
    return Chart(
        plots, tuple(_sentences([row for row in rows or here if _blocks(row) == blocks[0]], measured=not rows))
    )


def _blocks(row: Mapping[str, Any]) -> int:
    """Blocks of an answer."""
    return round(row["gen_length"] / row["block_length"])


def _plot(rows: Rows, here: Rows, blocks: Sequence[int], key: str, unit: str, title: str) -> Any:
    """Without the shadow (the same for every number of blocks: those of the first), then with it for each."""
    lines = [(Series("", "", "without a shadow", INK, "circle", "solid", ()), f"plain_{key}", blocks[0])]
    for count, (colour, symbol) in zip(blocks, WITH, strict=False):
        of = "the whole answer one block" if count == 1 else f"{count} blocks"
        lines.append((Series("", "", f"with it, {of}", colour, symbol, "solid", ()), f"shadow_{key}", count))
        if key == "ms":
            plain = Series("", "", f"as long without, {of}", colour, "line-ns", "dot", ())
            lines.append((plain, f"full_attention_{key}", count))
    traces = []
    for look, column, count in lines:
        for points, is_here in ((rows, False), (here, True)):
            points = [row for row in points if _blocks(row) == count]
            if points and not (is_here and look.dash == "dot"):
                traces.append(_trace(look, points, column, unit, is_here, legend=not is_here or not rows))
    if here:
        traces.append(key_to_measured())
    x = {"title": "tokens of prompt and answer", "rangemode": "tozero"}
    return figure(traces, x, {"title": title, "rangemode": "tozero"})


def _trace(look: Series, points: Rows, column: str, unit: str, here: bool, legend: bool) -> Scatter:
    mode = "lines" if look.dash == "dot" else "markers" if here else "lines+markers"
    return Scatter(
        x=[row["tokens"] for row in points],
        y=[row[column] for row in points],
        mode=mode,
        marker=marks(look, here),
        line={"color": look.colour, "width": 1.6, "dash": look.dash},
        name=look.label,
        legendgroup=look.label,
        showlegend=legend,
        hovertext=[_tip(row, look.label, column, unit, here) for row in points],
        hoverinfo="text",
    )


def _tip(row: Mapping[str, Any], label: str, column: str, unit: str, here: bool) -> str:
    where = "measured here" if here else "shipped"
    return (
        f"<b>{label}</b><br>{row['tokens']:g} tokens, a shadow of {row['shadow_tokens']:g}<br>{row[column]:.1f} {unit} "
        f"({where})"
    )


def _sentences(rows: Rows, measured: bool) -> list[str]:
    said = [
        "With WINO every pass also works through a second copy of the block that is being decoded: the shadow block."
    ]
    if rows:
        last = rows[-1]
        where = "Measured here, so far nowhere else. " if measured else ""
        without = "" if measured else " (dotted)"
        said.append(
            f"{where}At {last['tokens']:g} tokens with a shadow of {last['shadow_tokens']:g}, a pass takes "
            f"{last['time_ratio']:.2f} times as long, and {last['memory_ratio']:.3f} times the memory, the model’s weights "
            f"included. As many tokens without a shadow{without} take {last['full_attention_ms'] / last['plain_ms']:.2f} "
            "times as long."
        )
    return said
