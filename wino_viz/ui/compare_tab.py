"""The Compare tab: one problem, two decoders side by side, and one playhead that counts forward passes for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from wino_viz.ui.decode_tab import BROKEN, on_stop, shown_parts
from wino_viz.ui.examples import Example, best_example, pair_to_compare
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE, CanvasForm, DecoderForm, ProblemForm
from wino_viz.ui.player import Player, clear_message, lanes_message
from wino_viz.ui.watching import Current, watch
from wino_viz.ui.widgets import Figures, Notice, figures, say

ON_RUN = "(...values) => { winoPage.onRun('compare'); return values; }"


def compare_tab(session: Any, examples: Sequence[Example]) -> None:
    """Builds the tab inside the page that is being made."""
    pair = pair_to_compare(examples)
    opening = pair[0] if pair else best_example(examples)
    with gr.Row(elem_classes="wv-panel compare-form"):
        with gr.Column(min_width=280):
            problem = ProblemForm(session, "compare", opening.record if opening else session.new_problem(4, 0))
        with gr.Column(min_width=240):
            left = DecoderForm(session, "compare-left", "First decoder", "standard")
        with gr.Column(min_width=240):
            right = DecoderForm(session, "compare-right", "Second decoder", "wino")
        with gr.Column(min_width=240):
            canvas = CanvasForm(session, "compare")
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run both", variant="primary", elem_id="compare-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="compare-stop", min_width=80, scale=1)
            notice = Notice(elem_id="compare-notice")
    player = Player(_recorded(session, pair), lanes=2, fold_prompt=True, elem_id="compare-player")
    table = Figures(_recorded_figures(session, pair), label="Figures of both", elem_id="compare-figures")

    current = gr.State(Current())
    forms = [left, right]
    inputs = [*left.inputs, *right.inputs, *canvas.inputs]
    count = len(left.inputs)

    def run_both(current: Current, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            chosen = [form.read(*values[n * count : (n + 1) * count]) for n, form in enumerate(forms)]
            size = canvas.read(*values[2 * count :])
            return [session.start(prompt, settings, **size, record=record) for settings in chosen]

        yield gr.skip(), gr.skip(), figures([])
        for update in watch(current, start, session.loaded):
            rows = [figures_row(done.trace(), done.verdict()) for done in update.done]
            yield *shown_parts(update), figures(rows) if rows else gr.skip()

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run both."), figures([])

    running = run.click(
        run_both,
        [current, problem.prompt, problem.record, *inputs],
        [player, notice, table],
        js=ON_RUN,
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    running.failure(lambda: say(BROKEN, "error"), None, notice, **HIDDEN)
    on_stop(stop_button, running, current, [player, notice])
    problem.on_new(make_room, [current], [player, notice, table])


def figures_row(trace: Any, verdict: dict[str, Any]) -> dict[str, Any]:
    """One row of the table for a finished decoding."""
    return {
        "title": decoder_words(trace.decoder),
        "passes": trace.forward_passes,
        "reduction": trace.step_reduction,
        "revoked": trace.revocations,
        "seconds": trace.timing.get("model_seconds"),
        "verdict": verdict["text"],
        "correct": verdict["correct"],
    }


def decoder_words(decoder: Any) -> str:
    """A decoder and its settings in words, as the player says them."""
    name = decoder["name"]
    if name == "wino":
        return f"WINO, τ1 {decoder.get('tau1')}, τ2 {decoder.get('tau2')}"
    if name == "threshold":
        return f"Threshold, τ {decoder.get('tau')}"
    tokens = decoder.get("tokens_per_step", 1)
    random = ", at random" if decoder.get("remasking") == "random" else ""
    return f"Standard, {tokens} {'token' if tokens == 1 else 'tokens'} a pass{random}"


def _recorded(session: Any, pair: tuple[Example, Example] | None) -> str | None:
    if pair is None:
        return None
    verdicts = [session.judge(example.record, example.trace.text) for example in pair]
    return lanes_message([example.trace for example in pair], verdicts=verdicts)


def _recorded_figures(session: Any, pair: tuple[Example, Example] | None) -> str:
    rows = pair or ()
    return figures([figures_row(e.trace, session.judge(e.record, e.trace.text)) for e in rows])
