"""The player: watch a decoding pass by pass, in a Gradio app; standalone.py puts it in a page of its own.

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

import sys
from pathlib import Path
from typing import Any

import gradio as gr

from wino_viz.trace import Trace
from wino_viz.ui.messages import clear_message, trace_message
from wino_viz.ui.standalone import script
from wino_viz.ui.widgets import begin_with

MOST_LANES = 3

# Glue between gr.HTML and the player. Gradio calls the watcher for each value that the server sends.
_ON_LOAD = begin_with(
    "winoPlayer",
    """const root = element.querySelector(".wino-player");
const raise = (name) => (detail) => root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
const player = winoPlayer.createPlayer(root, {
  lanes: Number(root.dataset.lanes), theme: "page",
  foldPrompt: "foldPrompt" in root.dataset && window.innerWidth > 760, // a phone folds the form that shows it, see page.css
  ...("plant" in root.dataset ? { onPlant: raise("wino-plant"), onWhy: raise("wino-why") } : {}),
  // for other parts of the page that follow the playhead
  onState: (state) => root.dispatchEvent(new CustomEvent("wino-pass", { detail: state, bubbles: true })),
});
player.receive(props.value);
root.player = player; // for scripts on the page and for tests
root.lastMessage = () => props.value; // of a run that is over, and of a recording, it holds the whole trace
watch("value", () => player.receive(props.value));""",
)


# ---- the component


class Player(gr.HTML):
    """The player as a Gradio component. Its value is one message; see the functions above.

    lanes        1, or as many decodings as may stand side by side under one playhead, up to MOST_LANES
    fold_prompt  start with the prompt folded away, for an app that shows it elsewhere
    plant        a pinned token's card has a button that raises the DOM event "wino-plant", and one "wino-why", for ui/plant.py
    """

    def __init__(
        self,
        value: str | None = None,
        *,
        lanes: int = 1,
        fold_prompt: bool = False,
        plant: bool = False,
        **kwargs: Any,
    ) -> None:
        if lanes not in range(1, MOST_LANES + 1):
            raise ValueError(f"lanes must be 1 to {MOST_LANES}, not {lanes!r}")
        self.lanes = lanes
        self.fold_prompt = fold_prompt
        self.plant = plant  # Gradio sends what the constructor takes, and copies it for every visitor
        attributes = (
            f'data-lanes="{lanes}"' + (" data-fold-prompt" if fold_prompt else "") + (" data-plant" if plant else "")
        )
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
