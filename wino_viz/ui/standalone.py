"""The player in one HTML file that asks nobody for anything, and the script that every player runs.

    standalone_page(trace_message(trace))

Without Gradio, so that `export` and a notebook need not wait for it. The JavaScript and the style are in assets/player.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
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


def standalone_page(
    message: str,
    *,
    title: str = "WINO, pass by pass",
    lanes: int = 1,
    about: str = "",
    picture: tuple[str, str] | None = None,
) -> str:
    """One HTML file, without any request, that plays `message` (of `trace_message` or `lanes_message`).

    `about` is a line above the player; `picture` stands beside it, as (data URL of an image, what it shows in words).
    """
    data = json.dumps(message).replace("<", "\\u003c")  # nothing in a trace may end the script
    head = ""
    if picture is not None:
        url, shows = picture
        if not url.startswith("data:image/"):
            raise ValueError("a picture in a file must be a data URL: nothing is fetched")
        head += f'<img src="{escape(url)}" alt="{escape(shows)}">'
    if about:
        head += f"<p>{escape(about)}</p>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 1180px; padding: 16px; background: light-dark(#f6f5f1, #0f1114); }}
header {{ display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: end; margin-bottom: 12px; }}
header {{ font: 14px/1.4 system-ui, sans-serif; color: light-dark(#5b616b, #a9adb5); }}
header img {{ width: 200px; max-width: 100%; border-radius: 10px; }}
header p {{ margin: 0; overflow-wrap: anywhere; }}
@media (max-width: 640px) {{ body {{ padding: 6px; }} }}
</style>
</head>
<body>
{f"<header>{head}</header>" if head else ""}
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
