"""A trace file that a person brings: read, checked, and said what it is and what can't be done with it.

    trace = read_upload(text)                    raises ValueError with one sentence
    values = uploaded_values(tab, trace)         for the player, the notice, the problem and the forms

The browser reads the file and sends its text with the event, so that it is never written to a disk and nothing is kept.
It comes from anywhere: its size is bounded before it is parsed, `Trace.from_json` replays it, and what a page can't play
is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

import gradio as gr

from wino_viz.decoding import Canvas
from wino_viz.names import decoder_words
from wino_viz.trace import Trace
from wino_viz.ui.decoder_form import DecoderForm
from wino_viz.ui.examples import Example, record_of
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.messages import trace_message
from wino_viz.ui.watching import is_finished
from wino_viz.ui.widgets import Widget, say

if TYPE_CHECKING:
    from wino_viz.ui.decode_tab import DecodeTab

MOST_CHARACTERS = 12 * 10**6  # a thousand passes over a thousand tokens fit; assets/page/upload.js has the same
MOST_TOKENS, MOST_BLOCKS, MOST_PASSES = 4096, 512, 4096  # what a browser draws
MOST_WORDS = 100_000  # characters of the prompt, and of the text
MOST_TITLE, MOST_NOTE, MOST_NAME = 120, 400, 80  # characters that are shown
TURNS_WRITING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
QUEUE: dict[str, Any] = {"concurrency_id": "take", "concurrency_limit": 2}  # reading must not hold up a model
FAILED = "That file could not be opened, through a fault that is not yours; the server’s log says which."


class TraceInput(Widget):
    """A button that takes a trace file, which may be dropped on the tab, too. Its `upload` carries {"text"}: the file's."""

    kind = "upload"


def read_upload(text: Any) -> Trace:
    """The trace of a file's text; raises ValueError with one sentence for whatever is wrong with it."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the file is empty, or not text")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the file is too large: up to {MOST_CHARACTERS // 10**6} MB are taken")
    trace = Trace.from_json(text)
    for what, number, most in (
        ("tokens", trace.gen_length, MOST_TOKENS),
        ("blocks", trace.blocks, MOST_BLOCKS),
        ("passes", trace.forward_passes, MOST_PASSES),
    ):
        if number > most:
            raise ValueError(f"the trace has {number:,} {what}, and this page plays up to {most:,}")
    for name, words in (("prompt", trace.prompt), ("text", trace.text)):
        if len(words) > MOST_WORDS:
            raise ValueError(f"its {name} has {len(words):,} characters, and this page shows up to {MOST_WORDS:,}")
    return trace


def as_example(trace: Trace) -> Example:
    """The trace as the page shows a recorded one; title and note are the file's, cut where they are long."""
    title, note = (_line(trace.extra.get(key), most) for key, most in (("title", MOST_TITLE), ("note", MOST_NOTE)))
    return Example(title=title, note=note, record=record_of(trace), trace=trace)


def about_upload(example: Example, models: Collection[str], rules: Collection[str]) -> str:
    """What is said of a file: what it is, and what can't be done with it here."""
    trace = example.trace
    passes = f"{trace.forward_passes} {'pass' if trace.forward_passes == 1 else 'passes'}"
    words = _line(decoder_words(trace.decoder, trace.model), MOST_NAME)
    model = _line(trace.model, MOST_NAME) or "a model without a name"
    said = [f"Your file{f', “{example.title}”' if example.title else ''}: {passes} of {model} by {words}."]
    if example.note:
        said.append(example.note)
    if not is_finished(trace):
        said.append("It was stopped before its end.")
    if "picture" in trace.extra:
        said.append("It is about a picture, which is not in the file: only its words play here.")
    if trace.decoder["name"] not in rules:
        said.append("Its decoder is not one of those here, so the form keeps its own.")
    if trace.model not in models:
        said.append("Its model is not offered here, so Run would ask the one that is chosen.")
    return " ".join(said)


def decoder_values(form: DecoderForm, trace: Trace) -> tuple:
    """`DecoderForm.show`, but for settings that the decoder itself would not take: then the form stays as it is."""
    choice = form.choice_of(trace)
    if choice is None:
        return (gr.skip(),) * len(form.inputs)
    said = {name: trace.decoder[name] for key, name in form.keys if key == choice.key and name in trace.decoder}
    try:
        choice.session.settings(choice.rule, **said)
    except (ValueError, TypeError):
        return (gr.skip(),) * len(form.inputs)
    return form.show(trace)


def canvas_values(canvas: Any, trace: Trace) -> tuple:
    """`CanvasForm.show`, but for values that no canvas takes."""
    try:
        chance = {name: trace.decoder.get(name, 0) for name in ("temperature", "seed")}
        Canvas([0], 1, trace.gen_length, trace.block_length, **chance)
    except (ValueError, TypeError):
        return (gr.skip(),) * len(canvas.inputs)
    return canvas.show(trace)


def uploaded_values(tab: DecodeTab, trace: Trace) -> tuple:
    """Values of the player, the notice, the problem's parts and the forms' that show a file as a recorded run."""
    example = as_example(trace)
    verdict = tab.session.judge(example.record, trace.text)
    message = trace_message(trace, play=True, verdict=verdict, about={"file": True})
    rules = {choice.rule for choice in tab.decoder.choices.values()}
    models = {choice.session.model for choice in tab.decoder.choices.values()} | {*tab.forms.model.names}
    forms = tab.forms
    values = (*decoder_values(tab.decoder, trace), *canvas_values(forms.canvas, trace), *forms.model.show(trace))
    return message, say(about_upload(example, models, rules)), *tab.problem.show(example.record), *values


def on_upload(brought: TraceInput, tab: DecodeTab, nothing_chosen: Any) -> None:
    """A file that is brought plays like a recorded example; one that can't is said to, and all stays as it was."""
    player, notice, choice = tab.shown
    outputs = [brought, player, notice, choice, *tab.problem.parts, *tab.forms.parts]

    def take(current: Any, event: gr.EventData) -> tuple:
        sent = event._data if isinstance(event._data, Mapping) else {}
        try:
            values = uploaded_values(tab, read_upload(sent.get("text")))
        except ValueError as error:
            return ready(), gr.skip(), say(_refusal(error), "error"), *(gr.skip(),) * (len(outputs) - 3)
        current.end()
        return ready(), *values[:2], nothing_chosen, *values[2:]

    event = brought.upload(take, [tab.current], outputs, cancels=[tab.watching], trigger_mode="once", **QUEUE, **HIDDEN)
    event.failure(lambda: (ready(), say(FAILED, "error")), None, [brought, notice], queue=False, **HIDDEN)


def ready() -> str:
    """A value of the button: it may be pressed (again)."""
    return say("")


def _refusal(error: ValueError) -> str:
    sentence = " ".join(str(error).split()).rstrip(".")
    return f"That file can’t be played: {sentence[:300]}."


def _line(text: Any, most: int) -> str:
    """One line of what is text; without marks that turn the direction of writing, which would turn our own words, too."""
    plain = "".join(each for each in text if bidirectional(each) not in TURNS_WRITING) if isinstance(text, str) else ""
    words = " ".join(plain.split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
