"""The Compare tab: one problem, two or three decoders side by side, and one playhead that counts forward passes for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gradio as gr

from wino_viz.model_menu import ModelMenu
from wino_viz.ui.controls_form import ControlsForm
from wino_viz.ui.decode_tab import ON_REFUSED, on_end, on_run, shown_parts
from wino_viz.ui.decoder_form import NONE, PLUS, WINO, DecoderForm, decoder_choices
from wino_viz.ui.examples import Example, best_example, most_telling_pass, recorded_together
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE, Forms, ProblemForm
from wino_viz.ui.messages import clear_message, lanes_message
from wino_viz.ui.model_form import ModelForm
from wino_viz.ui.player import MOST_LANES, Player
from wino_viz.ui.watching import Current, figures_row, watch
from wino_viz.ui.widgets import Figures, Fold, Notice, figures, say

LANES = (("compare-left", "First decoder"), ("compare-right", "Second decoder"), ("compare-third", "Third decoder"))
# What is worth seeing side by side, each filled in by one press; the last is how the tab opens.
WITHOUT_PLUS = (("standard", "threshold", WINO), ("standard", WINO, NONE))
WITH_PLUS = (("standard", WINO, NONE), ("threshold", WINO, PLUS))
RECORDED = "Below: recorded. Press Run to decode anew."
MATCHED = "Threshold gets WINO’s τ1: the same lenient drafting, never checked. Press Run."


def compare_tab(menu: ModelMenu, examples: Sequence[Example], plus: Any = None) -> None:
    """Builds the tab inside the page that is being made; `plus` has the model of the choice WINO+."""
    session = menu.home
    choices = {choice.key: choice for choice in decoder_choices(session, plus)}
    sets = WITHOUT_PLUS if plus is None else WITH_PLUS
    opening = sets[-1]
    lanes = [choices[key] for key in opening if key != NONE]
    recorded = recorded_together(examples, [(choice.rule, choice.key == PLUS) for choice in lanes])
    shown = recorded[0] if recorded else best_example(examples)
    first = [example.trace.decoder for example in recorded] or [_matched(key, choices) for key in opening]
    with gr.Row(elem_classes=["wv-panel", "compare-form", "foldable"]):
        Fold("Problem and decoders")
        with gr.Column(min_width=280, elem_classes="compare-problem"):
            model = ModelForm(menu, "compare")
            problem = ProblemForm(
                session, "compare", shown.record if shown else session.new_problem(4, 0, session.tasks[0])
            )
        with gr.Row(elem_classes="compare-sets"):
            gr.HTML("Choose at once", container=False)
            buttons = [
                gr.Button(_name(names, choices), size="sm", elem_id=f"compare-set-{number}", min_width=100)
                for number, names in enumerate(sets, start=1)
            ]
        decoders = []
        for (prefix, label), key, begins in zip(LANES, opening, [*first, {}], strict=False):
            with gr.Column(min_width=200, elem_classes=f"compare-lane {prefix}"):
                form = DecoderForm(choices.values(), prefix, label, key, first=begins, optional=prefix == LANES[-1][0])
                decoders.append(form)
        with gr.Column(min_width=240, elem_classes="compare-go"):
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run", variant="primary", elem_id="compare-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="compare-stop", min_width=80, scale=1)
            notice = Notice(say(RECORDED if recorded else "Press Run."), elem_id="compare-notice")
        with gr.Column(min_width=240, elem_classes="compare-canvas"):
            canvas = ControlsForm(session, "compare")
    player = Player(_recorded(session, recorded), lanes=MOST_LANES, fold_prompt=True, elem_id="compare-player")
    table = Figures(_recorded_figures(session, recorded), label="Figures side by side", elem_id="compare-figures")

    press, current = gr.Number(visible=False), gr.State(Current())
    forms = Forms(decoders, canvas, model, matched=True)

    def run_all(press: Any, current: Current, task: str, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            asked = problem.read(prompt, record)
            chosen, size = forms.read(problem.known(asked), task, values)
            return [each.start(prompt, **size, record=asked) for each in chosen]

        for update in watch(current, start, forms.loaded(values), press=press):
            yield *shown_parts(update), gr.skip() if update.rows is None else figures(update.rows)

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run."), figures([])

    def choose(
        names: Sequence[str], current: Current, task: str, prompt: str, record: dict, name: str, preset: str
    ) -> tuple:
        with suppress(ValueError):  # Run says what is wrong with the problem
            task = problem.known(problem.read(prompt, record))
        said = MATCHED if "threshold" in names else "Press Run."
        try:
            return gr.skip() if current.run else say(said), *forms.choose(task, names, name, preset)
        except ValueError as error:  # a browser may send anything
            return say(str(error), "error"), *(gr.skip() for _ in forms.parts)

    running = run.click(
        run_all,
        [press, current, *problem.inputs, *forms.parts],
        [player, notice, table],
        js=on_run("winoPage.onRun('compare')"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    on_end(running, stop_button, press, current, player, notice)
    running.failure(None, js=ON_REFUSED % "compare", **HIDDEN)
    problem.on_new(make_room, [current], [player, notice, table], forms)
    problem.on_typed(current, notice, forms)
    forms.on_model(current, problem, notice, [running])
    for button, names in zip(buttons, sets, strict=True):
        asked = [current, *problem.inputs, *model.inputs]
        button.click(partial(choose, names), asked, [notice, *forms.parts], **HIDDEN)


def _matched(key: str, choices: Mapping[str, Any]) -> dict[str, Any]:
    """What a decoder begins with beside WINO: threshold has WINO's τ1."""
    return {"tau": choices[WINO].usual().tau1} if key == "threshold" else {}


def _name(names: Sequence[str], choices: Mapping[str, Any]) -> str:
    return ", ".join(choices[name].label for name in names if name != NONE)


def _recorded(session: Any, recorded: Sequence[Example]) -> str | None:
    if not recorded:
        return None
    verdicts = [session.judge(example.record, example.trace.text) for example in recorded]
    at = max(
        (e.trace for e in recorded), key=lambda trace: trace.revocations
    )  # what WINO takes back, beside the others
    return lanes_message([example.trace for example in recorded], verdicts=verdicts, at=most_telling_pass(at))


def _recorded_figures(session: Any, recorded: Sequence[Example]) -> str:
    return figures([figures_row(e.trace, session.judge(e.record, e.trace.text)) for e in recorded])
