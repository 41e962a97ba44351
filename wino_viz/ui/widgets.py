"""Small parts of the page that show words from anywhere: written by assets/page/page.js with textContent, never as HTML.

    notice = Notice(elem_id="decode-notice")
    return say("Done in 12 forward passes.", "right")        one value for it

`gr.HTML` and `gr.Markdown` interpret their values; these have a fixed template and get their value as one JSON string.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr

from wino_viz.trace import dumps

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "page"
SCRIPTS = (
    "page.js",
    "mask.js",
    "picture.js",
    "words.js",
    "take.js",
    "link.js",
    "upload.js",
    "plant.js",
    "chart.js",
    "reported.js",
)
# Plotly's JavaScript as its Python package ships it: served by the app, and asked for when a figure is first drawn.
PLOTLY = Path(find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"
WAIT_MS = 15
STYLES = ("page.css", "explore.css", "plant.css")


@cache
def head(*mores: tuple[str, ...]) -> str:
    """The page's JavaScript with its style inside; it comes with the widgets, so `launch` needs neither.

    `mores` name scripts and styles that few widgets need. The last script of each defines installMore(css), which is called
    when the page is there.
    """
    style, files = _style(STYLES), _text(SCRIPTS)
    constants = f"const PAGE_CSS = {style};\nconst PLOTLY_PATH = {json.dumps(str(PLOTLY))};"
    blocks = "\n".join(map(_block, mores))
    return f'<script>(() => {{\n"use strict";\n{constants}\n{files}\ninstallPage();\n{blocks}\n}})();</script>'


def _block(more: tuple[str, ...]) -> str:
    style = _style(name for name in more if name.endswith(".css"))
    return f"{{\n{_text(name for name in more if name.endswith('.js'))}\ninstallMore({style});\n}}"


def begin_with(name: str, body: str) -> str:
    """A `js_on_load` of `body` that begins once `window.NAME` is there: one part of a page may bring the scripts of all."""
    return f"""
const begin = () => {{
{body}
}};
const wait = () => (window.{name} ? begin() : setTimeout(wait, {WAIT_MS}));
wait();
"""


def _text(names: Iterable[str]) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


def _style(names: Iterable[str]) -> str:
    return json.dumps(_text(names))


class Widget(gr.HTML):
    """A `<div class=KIND>` that `winoPage.KIND(element, data, trigger)` fills whenever a value comes.

    `trigger(event, data)` raises an event of the component; what it carries is the `_data` of its gr.EventData.
    """

    kind = ""
    more: tuple[str, ...] = ()  # scripts and styles of assets/page that come with it alone

    def __init__(self, value: str | None = None, *, role: str = "group", label: str = "", **kwargs: Any) -> None:
        super().__init__(
            value,
            html_template=f'<div class="{self.kind}" role="{role}" aria-label="{label}"></div>',
            js_on_load=begin_with(
                f"winoPage?.{self.kind}",
                f"""const part = element.querySelector(".{self.kind}");
const show = () => winoPage.{self.kind}(part, props.value ? JSON.parse(props.value) : null, trigger);
show();
watch("value", show);""",
            ),
            head=(head(self.more) if self.more else head()) + self.apart(),
            apply_default_css=False,
            **kwargs,
        )

    @classmethod
    def apart(cls) -> str:
        """Scripts of its own that share nothing with the page's."""
        return ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "JSON"}

    def example_payload(self) -> str:
        return "null"

    def example_value(self) -> str:
        return "null"


def send_scripts_once(page: gr.Blocks) -> None:
    """Let the first part of a page bring the scripts of all its parts, which each have a copy of their own until then."""
    parts = [block for block in page.blocks.values() if isinstance(block, gr.HTML)]
    widgets = [part for part in parts if isinstance(part, Widget)]
    scripts = [head(*dict.fromkeys(widget.more for widget in widgets if widget.more))]
    scripts += [widget.apart() for widget in widgets]
    scripts += [part.head for part in parts if part.head and not isinstance(part, Widget)]
    for part in parts:
        part.head = None
    parts[0].head = "".join(dict.fromkeys(scripts))


class Notice(Widget):
    """One line that says how a run stands or what is wrong; screen readers hear it. Values are made by `say`."""

    kind = "notice"

    def __init__(self, value: str | None = None, **kwargs: Any) -> None:
        super().__init__(value, role="status", label="Message", **kwargs)


class Figures(Widget):
    """A table of decodings, one row each. Values are made by `figures`."""

    kind = "figures"


class MaskPicture(Widget):
    """The attention mask of each block, drawn; it follows the player with the id `follows`. See ui/mask.py."""

    kind = "mask"


class PictureStrip(Widget):
    """A picture, the same as the model sees it, and its tokens. Its `click`: show what the model sees."""

    kind = "picture"


class PictureInput(Widget):
    """Upload, paste or drop a picture; its `upload` carries {"data": a data URL}, whatever the file is.

    The file's bytes come with the event and are never written to a disk.
    """

    kind = "bring"


class Chips(Widget):
    """A row of texts to choose from, of which each press is a `select` with {"text"}."""

    kind = "chips"


class WordsFromPicture(Widget):
    """A finished answer, each word shaded by how much it hangs on the picture. Its `click`: ask the model.

    Values are JSON: null, {"state": "offer"}, {"state": "busy"}, or {"words": [{"piece", "picture", "blank"}, …]}.
    """

    kind = "words"


class Fold(Widget):
    """On a phone a button that shows and hides the forms of the column of class "foldable" that it stands in."""

    kind = "fold"

    def __init__(self, words: str, **kwargs: Any) -> None:
        super().__init__(dumps({"words": words}), role="none", elem_classes="fold-block", **kwargs)


class PlantPanel(Widget):
    """“Plant an error” below a player; see ui/plant.py. Its `click` carries what is to be changed by hand, and where;
    its `select` which token's revocation is to be explained.
    """

    kind = "plant"


class ChartView(Widget):
    """A figure with its words, its data and its source; see ui/figures.py. Its `select` carries {"picked": customdata}."""

    kind = "chart"


class Progress(Widget):
    """How far a measurement is. Values are made by `progress`."""

    kind = "progress"


class Reported(Widget):
    """Tables of published figures, as assets/reported.json holds them."""

    kind = "reported"


def progress(text: str, look: str = "info", *, detail: str = "", done: int = 0, of: int = 0) -> str:
    """How a measurement stands: `text` is read out, `detail` is not, and a bar shows `done` of `of` (0: no bar)."""
    return dumps({"id": uuid.uuid4().hex, "text": text, "look": look, "detail": detail, "done": done, "of": of})


def say(text: str, look: str = "info") -> str:
    """A notice; `look` is info, busy, right, wrong or error."""
    # Each value is a new one: the browser tells nobody of a value that is the same as before.
    return dumps({"id": uuid.uuid4().hex, "text": text, "look": look})


def figures(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of {"title", "passes", "reduction", "revoked", "seconds", "verdict", "correct"}, values None where unknown."""
    return dumps({"rows": list(rows)})
