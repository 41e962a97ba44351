"""“Take it with you”: a menu below a player that makes files of what it shows, as a GIF, a PNG of the pass, HTML or JSON.

    player = Player(..., elem_id="decode-player")
    take_away("decode-player")

The browser sends the trace that its player holds, so that the file is what the person sees, whatever it was that was
played: a run, a recording, a run that was stopped. So a trace comes from outside, and is checked like any other. Nothing is
kept: a file goes to the browser as it is made.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gradio as gr

from wino_viz import export, untrusted
from wino_viz.drawing import Look
from wino_viz.drawing.frame import WIDTH
from wino_viz.names import decoder_name
from wino_viz.trace import Trace, dumps
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.widgets import Widget

MAX_MESSAGE = 16 * 2**20  # characters: the page's own traces have a hundredth of it
NARROW = 640  # px, for a phone
QUEUE: dict[str, Any] = {"concurrency_id": "take", "concurrency_limit": 2}  # drawing must not hold up a model
FAILED = "That did not work, through a fault that is not yours; the server’s log says which."
TYPES = {"gif": "image/gif", "png": "image/png", "html": "text/html", "json": "application/json"}


class TakeAway(Widget):
    """The menu. Its `click` carries {"id", "kind", "pass", "dark", "narrow", "message"}; values are made by `take_value`."""

    kind = "take"


def take_value(follows: str, **file: Any) -> str:
    """What the menu gets: the id of the player that it follows, and perhaps a file or an error for one request."""
    return dumps({"follows": follows, **file})


def take_away(
    follows: str,
    link: Mapping[str, Any] | None = None,
    held: gr.State | None = None,
    picture_of: Callable[[Any, Trace], tuple[str, str] | None] | None = None,
) -> None:
    """Builds the menu for the player with the id `follows` inside the page that is being made.

    `link` is what a link to what is played needs (links.link_data); without it there is no “Copy link”. `picture_of(value of
    held, trace)` is the picture that a trace is about, for its HTML file, as (data URL, what it shows).
    """
    first = take_value(follows) if link is None else take_value(follows, link=dict(link))
    menu = TakeAway(first, label="Take it with you", elem_id=f"{follows}-take")

    def make(event: gr.EventData, held: Any = None) -> str:
        asked = event._data if isinstance(event._data, Mapping) else {}
        answer = {"id": str(asked.get("id"))[:64]}
        try:
            name, data = make_file(asked, None if picture_of is None else partial(picture_of, held))
        except ValueError as error:
            return take_value(follows, **answer, error=_sentence(error))
        encoded = base64.b64encode(data).decode()
        return take_value(follows, **answer, name=name, type=TYPES[name.rpartition(".")[2]], data=encoded)

    made = menu.click(make, held, menu, trigger_mode="multiple", **QUEUE, **HIDDEN)
    made.failure(lambda: take_value(follows, error=FAILED), None, menu, queue=False, **HIDDEN)


def make_file(
    asked: Mapping[str, Any], picture_of: Callable[[Trace], tuple[str, str] | None] | None = None
) -> tuple[str, bytes]:
    """(name, content) of the file that the browser asks for; raises ValueError with one sentence.

    asked: {"kind": "gif", "png", "html" or "json", "pass": shown now, "dark", "narrow": bool, "message": the player's last}.
    """
    kind, message = asked.get("kind"), asked.get("message")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"there is no file of kind {untrusted.described(kind)}")
    trace, told = played(message)
    verdict = _verdict(told.get("verdict"))
    look = Look(NARROW if asked.get("narrow") is True else WIDTH, dark=asked.get("dark") is True)
    name = file_name(trace)
    if kind == "json":
        return f"{name}.json", f"{trace.to_json()}\n".encode()
    if kind == "gif":
        return f"{name}.gif", export.to_gif(trace, look, verdict=verdict)
    number = untrusted.natural(asked.get("pass"), "pass")
    if kind == "html":
        picture = None if picture_of is None else picture_of(trace)
        return f"{name}.html", export.to_html(trace, number, verdict=verdict, picture=picture).encode()
    return f"{name}-pass-{number}.png", export.to_png(trace, number, look, verdict=verdict)


def played(message: Any) -> tuple[Trace, dict[str, Any]]:
    """The trace in a player's last message, as the browser sends it, and all of the message; ValueError with one sentence."""
    if not isinstance(message, str) or len(message) > MAX_MESSAGE:
        raise ValueError("the trace is missing, or too large")
    try:
        told = untrusted.mapping(json.loads(message), "the message")
    except RecursionError:
        raise ValueError("the trace is nested too deeply") from None
    except json.JSONDecodeError:
        raise ValueError("the trace is not valid JSON") from None
    return Trace.from_dict(told.get("trace")), dict(told)


def file_name(trace: Trace) -> str:
    """A name for the trace's files: of its title, else of its decoder; letters, digits and hyphens."""
    title = trace.extra.get("title")
    for text in (
        title if isinstance(title, str) else "",
        f"{decoder_name(str(trace.decoder['name']), trace.model)} trace",
    ):
        if name := re.sub("[^a-z0-9]+", "-", text.lower().replace("wino+", "wino-plus")).strip("-")[:60].strip("-"):
            return name
    return "trace"


def _verdict(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    words = given.get("text")
    known = {key: given.get(key) for key in ("correct", "faithful") if isinstance(given.get(key), bool)}
    return {**known, "text": untrusted.text(words, "verdict")[:500]} if isinstance(words, str) else None


def _sentence(error: ValueError) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
