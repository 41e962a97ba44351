"""“Look closer”: panels below a player that read its trace in the browser, without a model and without a request.

    player = Player(..., elem_id="decode-player")
    closer = look_closer("decode-player")

They work on whatever the player shows: a run under way, a run that was stopped, a recording. The JavaScript and the
style are in assets/closer; they travel with this component alone, as the player's do with the player.

**A hook for decoding on.** With `branch=True` the panel “What if τ?” has a button, and a press on it is a `select` event
whose gr.EventData._data is

    {"pass": the first pass that would decide otherwise (the pass - 1 before it stay), "tau1", "tau2": 0..1,
     "message": the player's last message, a JSON string; from outside, so read it as ui/take.py does}
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import gradio as gr

from wino_viz.trace import dumps
from wino_viz.ui.widgets import PLOTLY, Widget

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "closer"
SCRIPTS = ("rules.js", "closer.js", "lives.js", "histogram.js", "order.js", "paint.js", "scope.js", "whatif.js")


@cache
def closer_head() -> str:
    """The JavaScript of the panels with their style inside."""
    style = json.dumps((ASSETS / "closer.css").read_text(encoding="utf-8"))
    files = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return f'<script>(() => {{\n"use strict";\nconst CLOSER_CSS = {style};\n{files}\ninstallCloser();\n}})();</script>'


class Closer(Widget):
    """The panels. Its `select` asks to decode on from a pass, see above."""

    kind = "closer"

    @classmethod
    def apart(cls) -> str:
        return closer_head()


def look_closer(follows: str, *, branch: bool = False) -> Closer:
    """Builds the panels for the player with the id `follows`; `branch`: whether something answers their `select`."""
    gr.set_static_paths(PLOTLY)
    value = dumps({"follows": follows, "branch": branch})
    return Closer(value, label="Look closer", role="region", elem_id=f"{follows}-closer")
