"""The Compare tab: one problem, two decoders side by side, and one playhead that counts forward passes for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from wino_viz.ui.decode_tab import on_end, shown_parts
from wino_viz.ui.examples import Example, best_example, pair_to_compare
from wino_viz.ui.forms import (
    HIDDEN,
    MODEL_QUEUE,
    CanvasForm,
    DecoderForm,
    ProblemForm,
    fitted_parts,
    read_forms,
)
from wino_viz.ui.player import Player, clear_message, lanes_message
from wino_viz.ui.watching import Current, figures_row, watch
from wino_viz.ui.widgets import Figures, Notice, figures, say

RECORDED = "Below: a recorded pair. Run both to decode anew."
ON_RUN = "(...values) => { winoPage.onRun('compare'); return values; }"


def compare_tab(session: Any, examples: Sequence[Example]) -> None:
    """Builds the tab inside the page that is being made."""
    pair = pair_to_compare(examples)
    opening = pair[0] if pair else best_example(examples)
    with gr.Row(elem_classes="wv-panel compare-form"):
        with gr.Column(min_width=280):
            problem = ProblemForm(
                session, "compare", opening.record if opening else session.new_problem(4, 0, session.tasks[0])
            )
        with gr.Column(min_width=240):
            left = DecoderForm(session, "compare-left", "First decoder", "standard")
        with gr.Column(min_width=240):
            right = DecoderForm(session, "compare-right", "Second decoder", "wino")
        with gr.Column(min_width=240):
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run both", variant="primary", elem_id="compare-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="compare-stop", min_width=80, scale=1)
            notice = Notice(say(RECORDED) if pair else None, elem_id="compare-notice")
            canvas = CanvasForm(session, "compare")
    table = Figures(_recorded_figures(session, pair), label="Figures of both", elem_id="compare-figures")
    player = Player(_recorded(session, pair), lanes=2, fold_prompt=True, elem_id="compare-player")

    current = gr.State(Current())
    forms = [left, right]

    def run_both(current: Current, task: str, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            asked = problem.read(prompt, record)
            chosen, size = read_forms(session, problem.known(asked), task, forms, canvas, values)
            return [session.start(prompt, settings, **size, record=asked) for settings in chosen]

        for update in watch(current, start, session.loaded):
            yield *shown_parts(update), gr.skip() if update.rows is None else figures(update.rows)

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run both."), figures([])

    running = run.click(
        run_both,
        [current, *problem.inputs, *fitted_parts(forms, canvas)],
        [player, notice, table],
        js=ON_RUN,
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    on_end(running, stop_button, current, player, notice)
    problem.on_new(make_room, [current], [player, notice, table], forms, canvas)
    problem.on_typed(current, notice, forms, canvas)


def _recorded(session: Any, pair: tuple[Example, Example] | None) -> str | None:
    if pair is None:
        return None
    verdicts = [session.judge(example.record, example.trace.text) for example in pair]
    return lanes_message([example.trace for example in pair], verdicts=verdicts)


def _recorded_figures(session: Any, pair: tuple[Example, Example] | None) -> str:
    rows = pair or ()
    return figures([figures_row(e.trace, session.judge(e.record, e.trace.text)) for e in rows])
