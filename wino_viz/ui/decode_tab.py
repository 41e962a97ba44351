"""The Decode tab: one problem, one decoder, and the player that shows every pass as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from wino_viz.tasks.registry import prompt_of
from wino_viz.ui.examples import Example, best_example
from wino_viz.ui.forms import (
    HIDDEN,
    MODEL_QUEUE,
    CanvasForm,
    DecoderForm,
    ProblemForm,
    fitted_parts,
    read_forms,
)
from wino_viz.ui.player import Player, clear_message
from wino_viz.ui.take import take_away
from wino_viz.ui.watching import Current, Update, broken_off, stop, watch
from wino_viz.ui.widgets import Notice, say

OWN = -1  # in the list of examples: none of them

# What the browser does at once, before the server answers.
ON_RUN = "(...values) => { winoPage.onRun('decode'); return values; }"


def decode_tab(session: Any, examples: Sequence[Example]) -> None:
    """Builds the tab inside the page that is being made."""
    shown = best_example(examples)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=0, min_width=300, elem_classes="wv-panel"):
            choice = gr.Dropdown(
                [("none: a run of your own", OWN), *((example.title, n) for n, example in enumerate(examples))],
                value=examples.index(shown) if shown else OWN,
                label="Recorded example",
                filterable=False,
                visible=bool(examples),
                elem_id="decode-examples",
            )
            problem = ProblemForm(
                session, "decode", shown.record if shown else session.new_problem(4, 0, session.tasks[0])
            )
            decoder = DecoderForm(session, "decode", "Decoder", "wino")
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run", variant="primary", elem_id="decode-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="decode-stop", min_width=80, scale=1)
            notice = Notice(say(about(shown)) if shown else None, elem_id="decode-notice")
            canvas = CanvasForm(session, "decode")
        with gr.Column(scale=1, min_width=320, elem_classes="stage"):
            player = Player(
                shown.message(verdict=session.judge(shown.record, shown.trace.text)) if shown else None,
                fold_prompt=True,
                elem_id="decode-player",
            )
            take_away("decode-player")

    current = gr.State(Current())
    form = fitted_parts([decoder], canvas)

    def run_one(current: Current, task: str, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            asked = problem.read(prompt, record)
            [settings], size = read_forms(session, problem.known(asked), task, [decoder], canvas, values)
            return [session.start(prompt, settings, **size, record=asked)]

        for update in watch(current, start, session.loaded):
            yield *shown_parts(update), OWN if update.player else gr.skip()

    def show_example(current: Current, index: int) -> tuple:
        if index == OWN:
            return (gr.skip(),) * (2 + len(problem.parts) + len(form))
        current.end()
        example = examples[index]
        record, trace = example.record, example.trace
        message = example.message(play=True, verdict=session.judge(record, trace.text))
        values = (*decoder.show(trace.decoder), *canvas.show(trace))
        return message, say(about(example)), *problem.show(record), *values

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run to decode it."), OWN

    def still_its_text(index: int, prompt: str) -> Any:
        """An edited text is no longer the example's."""
        kept = index == OWN or prompt_of(examples[index].record) == prompt
        return gr.skip() if kept else OWN

    watching = run.click(
        run_one,
        [current, *problem.inputs, *form],
        [player, notice, choice],
        js=ON_RUN,
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    on_end(watching, stop_button, current, player, notice)
    problem.new.click(None, cancels=[watching], **HIDDEN)  # also a run that still waits for its turn
    if isinstance(problem.task, gr.Radio):
        problem.task.input(None, cancels=[watching], **HIDDEN)
    problem.on_new(make_room, [current], [player, notice, choice], [decoder], canvas)
    problem.on_typed(current, notice, [decoder], canvas)
    problem.prompt.change(
        still_its_text, [choice, problem.prompt], choice, queue=False, trigger_mode="always_last", **HIDDEN
    )
    # Not `input`: that fires, too, when the list only loses the focus, and would put the example back over a typed text.
    choice.select(
        show_example,
        [current, choice],
        [player, notice, *problem.parts, *form],
        **HIDDEN,
    )


def about(example: Example) -> str:
    """What the page says of a recorded example."""
    return f"Recorded. {example.note}" if example.note else "A recorded run."


def shown_parts(update: Update) -> tuple:
    """The values of the player and the notice, where an update changes them."""
    return update.player or gr.skip(), update.notice or gr.skip()


def on_end(watching: Any, button: gr.Button, current: gr.State, player: Player, notice: Notice) -> None:
    """`button` stops the run of `watching`, also one that still waits for its turn; a run that fails says so."""

    button.click(
        lambda current: shown_parts(stop(current)),
        current,
        [player, notice],
        cancels=[watching],
        concurrency_limit=None,
        **HIDDEN,
    )
    watching.failure(lambda current: shown_parts(broken_off(current)), current, [player, notice], **HIDDEN)
