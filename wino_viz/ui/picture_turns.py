"""“Ask a follow-up” below the player of the Multimodal tab: the next question about the picture that is shown.

    asking = Asking("picture-player", menu, pictures=True)
    panel = asking.panel("picture-turns")
    on_picture_turns(panel, asking, FollowUps(...), on_run, ON_REFUSED)

As on the Decode tab the conversation is what the player's trace holds, and comes from the browser; the picture is the server's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.trace import Trace
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE
from wino_viz.ui.take import played
from wino_viz.ui.turns import LONGEST_QUESTION, Asking, TurnsPanel, earlier_turns, sent


@dataclass(frozen=True, eq=False)
class FollowUps:
    """What a follow-up needs of the tab.

    desk: what lies on the page. player: where an answer is shown. ask: the choice of what is asked for. values: the components
    that `read` takes the values of; it gives the decoder that is chosen, and the size of the canvas. record_of(desk, trace):
    the problem of a trace about the picture that is shown, else None. run_alone(desk, start, press) decodes what `start` makes,
    and changes `outputs`.
    filled(desk, kind, question, is_asked): the forms with a question in them. cleared(desk): the page without an answer.
    broken(desk): what changes after a run that failed.
    """

    desk: gr.State
    player: Any
    ask: gr.Radio
    values: Sequence[Any]
    outputs: Sequence[Any]
    session_of: Callable[[Any], Any]
    read: Callable[[Any, Sequence[Any]], tuple[Any, dict[str, Any]]]
    record_of: Callable[[Any, Trace], Any]
    run_alone: Callable[..., Iterator[dict]]
    filled: Callable[..., dict]
    cleared: Callable[[Any], dict]
    broken: Callable[[Any], dict]


def kind_of(question: str) -> str:
    """What a question asks for: "caption", a description, or "vqa", an answer."""
    return "caption" if question.strip() in CAPTION_PROMPTS else "vqa"


def on_picture_turns(
    panel: TurnsPanel, asking: Asking, tab: FollowUps, on_run: Callable[[str], str], on_refused: str
) -> None:
    """What the panel's buttons do; `on_run` and `on_refused` are how a tab's run begins in the browser."""
    press = gr.Number(visible=False)

    def start(desk: Any, asked: Mapping[str, Any], ask: str, values: Sequence[Any]) -> Any:
        question = untrusted.text(asked.get("question"), "the question")[:LONGEST_QUESTION]
        if not question.strip():
            raise ValueError("write the next question")
        if tab.record_of(desk, played(asked.get("message"))[0]) is None:
            raise ValueError("that answer is about another picture than the one that is shown")
        session = tab.session_of(desk)
        earlier = earlier_turns(asked.get("message"), asked.get("left_out"), session.model)
        chosen, size = tab.read(desk, values)
        if (kind := kind_of(question)) != ask and "preset" not in size:
            size |= dict(zip(("gen_length", "block_length"), session.lengths(kind), strict=True))
        shown = desk.shown
        record = shown.record(kind, question)
        return chosen.start(question, picture=shown.see(session), record=record, earlier=earlier, **size)

    def ask(press: Any, desk: Any, event: gr.EventData, ask: str, *values: Any) -> Iterator[dict]:
        refused: list[ValueError] = []
        begun: list[dict] = []
        is_shown = False

        def starts() -> list[Any]:
            try:
                decoding = start(desk, sent(event), ask, values)
            except ValueError as error:
                refused.append(error)
                raise
            kind = kind_of(decoding.prompt)
            begun.append(tab.filled(desk, kind, decoding.prompt, kind == ask))
            return [decoding]

        for changes in tab.run_alone(desk, starts, press):
            is_shown = is_shown or tab.player in changes
            yield changes | (begun.pop() if begun else {})
        if refused or not is_shown:
            yield {panel: asking.refused(refused[0]) if refused else asking.unasked(sent(event).get("number"))}

    def choose(event: gr.EventData, desk: Any) -> dict:
        what, question = sent(event).get("what"), sent(event).get("question")
        if what == "new":
            return {panel: asking.told(question=secrets.choice(desk.shown.suggestions("vqa")))}
        if what == "over" and isinstance(question, str):
            kind = kind_of(question)
            return tab.cleared(desk) | tab.filled(desk, kind, question[:LONGEST_QUESTION], False)
        return {panel: gr.skip()}

    outputs = [*tab.outputs, panel]
    running = panel.click(
        ask,
        [press, tab.desk, tab.ask, *tab.values],
        outputs,
        js=on_run("winoPage.onPictureRun()"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    running.failure(
        lambda desk: tab.broken(desk) | {panel: asking.unasked()}, [tab.desk], outputs, queue=False, **HIDDEN
    )
    running.failure(None, js=on_refused % "picture", **HIDDEN)
    panel.select(choose, [tab.desk], outputs, queue=False, **HIDDEN)
