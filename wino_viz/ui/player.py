"""The player: watch a decoding pass by pass, in a Gradio app or in a page of its own.

    python -m wino_viz.ui.player TRACE.json      a small app that plays one trace

In an app the player is one component, and each message to it is one value (a compact JSON string), so that a pass costs
the same to send at the end of a run as at its start; the browser keeps what it was told:

    player = Player()
    def decode(...):
        run = new_run()
        yield start_message(header, run)
        for number, step in enumerate(steps, start=1):
            yield step_message(step, run, number, pieces=..., model_seconds=...)
        yield trace_message(trace, run)
    button.click(decode, outputs=player, show_progress="hidden")

Always end with `trace_message`, also a run that was stopped: it brings a browser that missed a message up to date, and is all
that a player sees whose tab was opened later. A browser may skip any message that another one follows at once.

The JavaScript and the style are in assets/player. They travel with the component, so an app has nothing to pass to
`launch`. Model output is untrusted: the template is static, and the script writes tokens as text only.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from wino_viz.trace import Trace
from wino_viz.ui.messages import clear_message, trace_message

MOST_LANES = 3
ASSETS = Path(__file__).resolve().parents[2] / "assets" / "player"
SCRIPTS = ("replay.js", "words.js", "sudoku.js", "canvas.js", "board.js", "timeline.js", "card.js", "player.js")

# What other scripts of the page may use: the words for tokens and numbers, so that they say the same.
EXPORTS = "createPlayer, tokenName, exactName, number, plural, draftThreshold, decoderWords"

# Glue between gr.HTML and the player. Gradio calls the watcher for each value that the server sends.
_ON_LOAD = """
const root = element.querySelector(".wino-player");
const player = winoPlayer.createPlayer(root, {
  lanes: Number(root.dataset.lanes), theme: "page",
  foldPrompt: "foldPrompt" in root.dataset && window.innerWidth > 760, // a phone folds the form that shows it, see page.css
  // for other parts of the page that follow the playhead
  onState: (state) => root.dispatchEvent(new CustomEvent("wino-pass", { detail: state, bubbles: true })),
});
player.receive(props.value);
root.player = player; // for scripts on the page and for tests
root.lastMessage = () => props.value; // of a run that is over, and of a recording, it holds the whole trace
watch("value", () => player.receive(props.value));
"""


# ---- the component


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


class Player(gr.HTML):
    """The player as a Gradio component. Its value is one message; see the functions above.

    lanes        1, or as many decodings as may stand side by side under one playhead, up to MOST_LANES
    fold_prompt  start with the prompt folded away, for an app that shows it elsewhere
    """

    def __init__(self, value: str | None = None, *, lanes: int = 1, fold_prompt: bool = False, **kwargs: Any) -> None:
        if lanes not in range(1, MOST_LANES + 1):
            raise ValueError(f"lanes must be 1 to {MOST_LANES}, not {lanes!r}")
        self.lanes = lanes
        self.fold_prompt = fold_prompt
        attributes = f'data-lanes="{lanes}"' + (" data-fold-prompt" if fold_prompt else "")
        super().__init__(
            value,
            html_template=f'<div class="wino-player" {attributes}></div>',
            js_on_load=_ON_LOAD,
            head=f"<script>{script()}</script>",
            apply_default_css=False,
            **kwargs,
        )

    def postprocess(self, value: str | None) -> str | None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"a player's value is a message (a JSON string), not {type(value).__name__}")
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "one message to the player, as JSON"}

    def example_payload(self) -> str:
        return clear_message()

    def example_value(self) -> str:
        return clear_message()


def demo(trace: Trace) -> gr.Blocks:
    """An app that plays one trace."""
    with gr.Blocks(title="Player") as app:
        Player(trace_message(trace))
    return app


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m wino_viz.ui.player TRACE.json")
    demo(Trace.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))).launch()
