"""A trace in a notebook, shown by the same player as in the app.

import wino_viz
wino_viz.show("examples/traces/1-two-wordings-collide.json")
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wino_viz.export import read_trace, to_html, verdict_of
from wino_viz.trace import Trace

HEIGHTS = (200, 4000)  # px


@dataclass(frozen=True)
class Shown:
    """A player in a frame of its own, `height` px high, that opens at pass `at`. A notebook calls `_repr_html_`.

    The frame may run the player's script and nothing else: it has no access to the notebook around it.
    """

    trace: Trace
    at: int
    height: int

    def _repr_html_(self) -> str:
        page = html.escape(to_html(self.trace, self.at, verdict=verdict_of(self.trace)))
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe title="Decoding player" sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'

    def __repr__(self) -> str:
        return f"<a decoding in {self.trace.forward_passes} forward passes, to be shown in a notebook>"


def show(trace: Trace | Mapping[str, Any] | str | Path, *, at: int = 0, height: int = 860) -> Shown:
    """Shows a trace in a notebook: a Trace, its dictionary (as the app's endpoints return it) or the path of its file.

    at: the pass at which it opens. height: of the frame, 200 to 4000 px. Raises ValueError with one sentence where the
    trace is none (TraceError), or a number is outside.
    """
    if isinstance(trace, str | Path):
        trace = read_trace(Path(trace))
    elif not isinstance(trace, Trace):
        trace = Trace.from_dict(trace)
    if not 0 <= at <= trace.forward_passes:
        raise ValueError(f"at must be 0 to {trace.forward_passes}, not {at}")
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise ValueError(f"height must be {HEIGHTS[0]} to {HEIGHTS[1]} px, not {height}")
    return Shown(trace, at, height)
