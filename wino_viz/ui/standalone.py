"""The player in one HTML file that asks nobody for anything, and the script that every player runs.

    standalone_page(trace_message(trace))

Without Gradio, so that `export` and a notebook need not wait for it. The JavaScript and the style are in assets/player.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "player"
SCRIPTS = (
    "replay.js",
    "words.js",
    "turns.js",
    "why.js",
    "plant.js",
    "sudoku.js",
    "canvas.js",
    "board.js",
    "timeline.js",
    "card.js",
    "player.js",
)

# What other scripts of the page may use: the words for tokens and numbers, so that they say the same.
EXPORTS = "createPlayer, tokenName, exactName, number, plural, draftThreshold, decoderWords"


@cache
def script() -> str:
    """The player's JavaScript with its style inside; defines `winoPlayer` (EXPORTS) on the page, once."""
    style = json.dumps((ASSETS / "player.css").read_text(encoding="utf-8"))
    files = [(ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS]
    body = "\n".join([f"const PLAYER_CSS = {style};", *files, f"window.winoPlayer ??= {{ {EXPORTS} }};"])
    return f'(() => {{\n"use strict";\n{body}\n}})();'


def standalone_page(message: str, *, title: str = "WINO, pass by pass", lanes: int = 1) -> str:
    """One HTML file, without any request, that plays `message` (of `trace_message` or `lanes_message`)."""
    data = json.dumps(message).replace("<", "\\u003c")  # nothing in a trace may end the script
    safe_title = title.replace("&", "&amp;").replace("<", "&lt;")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe_title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 1180px; padding: 16px; background: light-dark(#f6f5f1, #0f1114); }}
@media (max-width: 640px) {{ body {{ padding: 6px; }} }}
</style>
</head>
<body>
<div class="wino-player"></div>
<script>{script()}</script>
<script>
const root = document.querySelector(".wino-player");
root.player = winoPlayer.createPlayer(root, {{ lanes: {int(lanes)} }});
root.player.receive({data});
</script>
</body>
</html>
"""
