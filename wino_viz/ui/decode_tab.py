"""The Decode tab: one problem, one decoder, and the player that shows every pass as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from wino_viz.ui.examples import Example, best_example
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE, CanvasForm, DecoderForm, ProblemForm
from wino_viz.ui.player import Player, clear_message
from wino_viz.ui.watching import Current, Update, refusal, stop, watch
from wino_viz.ui.widgets import Notice, say

# What the browser does at once, before the server answers.
ON_RUN = "(...values) => { winoPage.onRun('decode'); return values; }"


def decode_tab(session: Any, examples: Sequence[Example]) -> None:
    """Builds the tab inside the page that is being made."""
    shown = best_example(examples)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=0, min_width=300, elem_classes="wv-panel"):
            problem = ProblemForm(session, "decode", shown.record if shown else session.new_problem(4, 0))
            decoder = DecoderForm(session, "decode", "Decoder", "wino")
            canvas = CanvasForm(session, "decode")
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run", variant="primary", elem_id="decode-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="decode-stop", min_width=80, scale=1)
            notice = Notice(elem_id="decode-notice")
        with gr.Column(scale=1, min_width=320, elem_classes="stage"):
            titles = [example.title for example in examples]
            choice = gr.Radio(
                [(title, index) for index, title in enumerate(titles)],
                value=examples.index(shown) if shown else None,
                label="Recorded examples",
                elem_id="decode-examples",
                elem_classes="chips",
                visible=bool(examples),
            )
            player = Player(
                shown.message(verdict=session.judge(shown.record, shown.trace.text)) if shown else None,
                fold_prompt=True,
                elem_id="decode-player",
            )

    current = gr.State(Current())
    form = [*decoder.inputs, *canvas.inputs]

    def run_one(current: Current, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            settings = decoder.read(*values[: len(decoder.inputs)])
            return [session.start(prompt, settings, **canvas.read(*values[len(decoder.inputs) :]), record=record)]

        for update in watch(current, start, session.loaded):
            yield *shown_parts(update), None

    def show_example(current: Current, index: int) -> tuple:
        current.end()
        example = examples[index]
        verdict = session.judge(example.record, example.trace.text)
        values = (*decoder.show(example.trace.decoder), *canvas.show(example.trace))
        about = say(example.note or "A recorded run.")
        return example.message(play=True, verdict=verdict), about, example.record["question"], example.record, *values

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run to decode it."), None

    watching = run.click(
        run_one,
        [current, problem.prompt, problem.record, *form],
        [player, notice, choice],
        js=ON_RUN,
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    watching.failure(lambda: say(BROKEN, "error"), None, notice, **HIDDEN)
    on_stop(stop_button, watching, current, [player, notice])
    problem.on_new(make_room, [current], [player, notice, choice])
    choice.input(
        show_example,
        [current, choice],
        [player, notice, problem.prompt, problem.record, *form],
        **HIDDEN,
    )


BROKEN = "The run broke off through a fault that is not yours; the server’s log says which. You can run again."


def shown_parts(update: Update) -> tuple:
    """The values of the player and the notice, where an update changes them."""
    return update.player or gr.skip(), update.notice or gr.skip()


def on_stop(button: gr.Button, watching: Any, current: gr.State, outputs: list[Any]) -> None:
    """`button` stops the run of `watching`: also one that still waits for its turn."""

    def stop_run(current: Current) -> Iterator[tuple]:
        for update in stop(current):
            yield shown_parts(update)

    button.click(stop_run, current, outputs, cancels=[watching], concurrency_limit=None, **HIDDEN)


__all__ = ["decode_tab", "on_stop", "refusal", "shown_parts"]
