"""What the figures of the Explore tab share: who is drawn how, the look of axes, and what a figure consists of.

Figures are Plotly's; assets/page/chart.js draws them. Colours are written for a light page; PALETTE says what each
becomes on a dark one. Every series has a colour and a shape of its own. Imported when the tab is opened, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from wino_viz.decoding import DECODERS
from wino_viz.evaluation.result_files import Counted, ResultFile, Row
from wino_viz.names import decoder_name, decoder_words
from wino_viz.plus import SUFFIX

INK, SOFT, LINE, PAPER, FRONT = "#1c2027", "#5b616b", "#e3e1db", "#ffffff", "#f0e4c3"
DARK_INK, DARK_PAPER = "#ecebe7", "#17191e"

# Okabe and Ito's colours, darkened for thin lines on white as the player's are: on a light page -> on a dark one.
PALETTE = {
    INK: DARK_INK,
    SOFT: "#a9adb5",
    LINE: "#33363d",
    PAPER: DARK_PAPER,
    FRONT: "#4b4022",
    "#007f5c": "#25b98b",
    "#0072b2": "#56b4e9",
    "#b0568a": "#e39bc6",
    "#d55e00": "#ff8a3d",
    "#a06a00": "#e69f00",
    "#3f8fbf": "#8fd0f5",
    "#eef5f9": "#1b2730",
    "#79b8dc": "#14608f",
    "#fdf4e3": "#2a2417",
    "#e9ad52": "#80540f",
}
BLUES, OCHRES = ("#eef5f9", "#79b8dc"), ("#fdf4e3", "#e9ad52")  # of heat maps; ink is read on all of both

LOOKS = {
    "standard": (INK, "circle"),
    "threshold": ("#0072b2", "square"),
    "factor": ("#b0568a", "triangle-up"),
    "prophet": ("#d55e00", "diamond"),
    "wino": ("#007f5c", "star"),
}
MORE_LOOKS = (("#a06a00", "hexagon"), ("#3f8fbf", "pentagon"), (SOFT, "triangle-down"))  # of further models
FONT = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'  # the page's own
)

MOST_NAMED = 4  # points in a sentence

Usual = Callable[[str, str], Mapping[str, Any] | None]  # (model, decoder's name) -> its preset's settings


@dataclass(frozen=True)
class Plot:
    """One picture. A click on a point of one that `picks` is told to the server with the point's customdata."""

    name: str
    figure: go.Figure
    picks: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure: its pictures, and what is to be seen in them."""

    plots: tuple[Plot, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """What is drawn as one line: a decoder of a model, shipped rows and those measured here."""

    model: str
    decoder: str
    label: str
    colour: str
    symbol: str
    dash: str
    shipped: tuple[Row, ...]
    here: tuple[Row, ...] = ()


def series_of(files: Sequence[ResultFile], here: Sequence[Row], main: str) -> list[Series]:
    """One series per decoder of the app's own model (`main`), then those of further models."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for file in sorted(files, key=lambda file: file.model != main):
        for row in file.rows:
            rows.setdefault((file.model, row.name), []).append(row)
    measured: dict[tuple[str, str], list[Row]] = {}
    for row in here:
        key = row.model or main, row.name
        measured.setdefault(key, []).append(row)
        rows.setdefault(key, [])
    order = list(DECODERS)
    keys = sorted(
        rows, key=lambda key: (key[0] != main, key[0], order.index(key[1]) if key[1] in order else len(order))
    )
    more = iter([*MORE_LOOKS, *[MORE_LOOKS[-1]] * len(keys)])
    made = []
    for model, name in keys:
        own = model == main and name in LOOKS
        colour, symbol = LOOKS[name] if own else next(more)
        dash = "solid" if model == main else "dash"
        key = (model, name)
        own_rows = tuple(rows[key]), tuple(measured.get(key, ()))
        made.append(Series(model, name, _label(model, name, main), colour, symbol, dash, *own_rows))
    return made


def _label(model: str, name: str, main: str) -> str:
    """What a series is called: its decoder, and whose it is where it is not the app's own model's."""
    if model in (main, main + SUFFIX):
        return plain(decoder_name(name, model))
    return plain(f"{decoder_name(name)} · {model}")


def usual_row(rows: Sequence[Row], settings: Mapping[str, Any] | None) -> Row | None:
    """The row of a decoder's preset; the first one where the preset is not known or was not measured."""
    return next((row for row in rows if settings is not None and dict(row.settings) == dict(settings)), None) or (
        rows[0] if rows else None
    )


# ---- words


def plain(text: str) -> str:
    """Text for a label: Plotly reads some HTML in labels, and a name in a file may hold any."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def row_words(row: Row, model: str = "") -> str:
    """A decoder and its settings, for a label; `model` is the name of what it decodes with."""
    return plain(decoder_words(row.settings, model)) if row.name in DECODERS else plain(row.spec)


def percent(share: float | None, decimals: int = 0) -> str:
    """“99 %”; “100 %” only where nothing is wrong, so that 499 of 500 are “99.8 %”."""
    if share is None:
        return "–"
    while share < 1 and round(100 * share, decimals) == 100:
        decimals += 1
    return f"{100 * share:.{decimals}f} %"


def right_words(row: Counted) -> str:
    """“86 % right (43 of 50; 95 % interval 74 to 93 %)”."""
    if row.interval is None:
        return "no known answers"
    low, high = row.interval
    return (
        f"{percent(row.accuracy, 1)} right ({row.correct} of {row.judged}; 95 % interval {100 * low:.0f} to "
        f"{100 * high:.0f} %)"
    )


def here_words(rows: Sequence[Row], main: str) -> str:
    """What was measured here, in a sentence: for a figure whose other words are about shipped points."""
    judged = [row for row in rows if row.accuracy is not None]
    said = [
        f"{row_words(row, row.model or main)}: {right_words(row)}, in {row.mean_forward_passes:.1f} passes"
        for row in judged[:MOST_NAMED]
    ]
    if more := len(judged) - len(said):
        said.append(f"{more} more in the table below")
    return f"Measured here, so far nowhere else. {'; '.join(said)}." if said else ""


def tip(words: str, row: Row, here: bool) -> str:
    """What a point says when it is pointed at."""
    where = "measured here" if here else "shipped"
    return (
        f"<b>{words}</b><br>{right_words(row)}<br>{row.mean_forward_passes:.1f} forward passes, "
        f"{row.step_reduction:.1f}× fewer<br>{where}, {row.n} {'problem' if row.n == 1 else 'problems'}"
    )


# ---- the look


def figure(traces: Sequence[Any], x: Mapping[str, Any], y: Mapping[str, Any], **layout: Any) -> go.Figure:
    """A picture in the page's look. Nothing can be zoomed: on a phone the page must scroll."""
    axis = {
        "fixedrange": True,
        "showline": True,
        "linecolor": SOFT,
        "gridcolor": LINE,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": LINE,
        "title": {"standoff": 8, "font": {"size": 13, "color": SOFT}},
    }
    made = go.Figure(
        list(traces),
        {
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "margin": {"l": 58, "r": 14, "t": 12, "b": 48},
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": PAPER, "bordercolor": SOFT, "font": {"color": INK}, "align": "left"},
            "hovermode": "closest",
            "dragmode": False,
            "template": None,
            "xaxis": {**axis, **x, "title": {**axis["title"], "text": x["title"]}},
            "yaxis": {**axis, **y, "title": {**axis["title"], "text": y["title"]}},
            **layout,
        },
    )
    return made


def accuracy_axis(rows: Sequence[Counted]) -> dict[str, Any]:
    """From a little below the lowest interval to 100 %."""
    lows = [row.interval[0] for row in rows if row.interval is not None]
    low = int(10 * min(lows, default=0.0)) * 10
    step = 10 if low > 30 else 20
    ticks = [tick for tick in range(0, 101, step) if tick >= low]
    return {
        "title": "accuracy",
        "range": [low - 2, 104],
        "tickvals": ticks,
        "ticktext": [f"{tick} %" for tick in ticks],
    }


def error_bars(rows: Sequence[Counted], colour: str, thickness: float = 1.2) -> dict[str, Any]:
    """Wilson intervals of accuracies in %, as Plotly takes them."""
    ends = [(row.accuracy, *(row.interval or (0, 0))) for row in rows]
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (high - share) for share, _, high in ends],
        "arrayminus": [100 * (share - low) for share, low, _ in ends],
        "color": colour,
        "thickness": thickness,
        "width": 3,
    }


def marks(series: Series, here: bool, sizes: int | Sequence[int] = 9) -> dict[str, Any]:
    """Filled marks for what is shipped, larger hollow ones for what was measured here."""
    if here:
        return {"color": series.colour, "symbol": f"{series.symbol}-open", "size": 16, "line": {"width": 2.5}}
    return {
        "color": series.colour,
        "symbol": series.symbol,
        "size": sizes,
        "opacity": 1,
        "line": {"width": 1, "color": PAPER},
    }


def key_to_measured(colour: str = INK) -> go.Scatter:
    """The legend's entry for points that were measured here."""
    mark = {"color": colour, "symbol": "circle-open", "size": 13, "line": {"width": 2.5}}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=mark, name="measured here")
