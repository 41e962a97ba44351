"""The Decode tab: one problem, one decoder, and the player that shows every pass as it is made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from wino_viz.model_menu import ModelMenu
from wino_viz.names import decoder_words
from wino_viz.tasks.registry import prompt_of
from wino_viz.ui.closer import look_closer
from wino_viz.ui.controls_form import ControlsForm
from wino_viz.ui.decoder_form import WINO, DecoderForm, decoder_choices
from wino_viz.ui.examples import Example, best_example
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE, Forms, ProblemForm
from wino_viz.ui.going_on import go_on
from wino_viz.ui.links import link_data
from wino_viz.ui.messages import clear_message
from wino_viz.ui.model_form import ModelForm
from wino_viz.ui.plant import plant_panel
from wino_viz.ui.player import Player
from wino_viz.ui.take import take_away
from wino_viz.ui.turns import Asking, on_turns
from wino_viz.ui.upload import TraceInput, on_upload, ready
from wino_viz.ui.watching import Current, Update, broken_off, stop, watch
from wino_viz.ui.widgets import Fold, Notice, say

OWN = -1  # in the list of examples: none of them

# What the browser does at once, before the server answers, and where the queue is full and no answer comes; the first value
# that it sends is the number of the press on Run.
ON_REFUSED = "() => { winoPage.onRefused('%s'); }"
ON_STOP = "(press, ...values) => [winoPage.onStop(), ...values]"


def on_run(press: str) -> str:
    """What the browser does when Run is pressed; `press` is a call that returns the number."""
    return f"(_, ...values) => [{press}, ...values]"


@dataclass(frozen=True, eq=False)
class DecodeTab:
    """What other parts of the page may set from elsewhere."""

    session: Any
    problem: ProblemForm
    decoder: DecoderForm
    forms: Forms
    shown: Sequence[Any]  # the player, the notice and the choice of an example
    current: gr.State
    watching: Any

    @property
    def inputs(self) -> list[Any]:
        """The components whose values `filled` needs."""
        return [self.current, *self.problem.inputs]

    @property
    def outputs(self) -> list[Any]:
        """The components that `filled` gives values for."""
        return [*self.shown, *self.problem.parts, *self.forms.parts]

    def filled(self, task: str, settings: Any, current: Current, kind: str, prompt: str, record: dict) -> tuple:
        """Values that show a decoder's settings and a problem of `task`: the one in the box, or a new one."""
        current.end()
        if kind != task or self.problem.known(record) != task:
            problem = self.problem.show(self.session.new_problem(4, secrets.randbelow(2**32), task))
        else:
            problem = (gr.skip(),) * len(self.problem.parts)
        words = say(f"{decoder_words(settings.to_dict())}, chosen in Explore: press Run.")
        usual = {**self.decoder.usual(task), settings.name: settings}
        form = (*self.decoder.fill(usual, settings.name), *self.forms.canvas.fit(task), *self.forms.model.home())
        return clear_message(), words, OWN, *problem, *form


def decode_tab(menu: ModelMenu, examples: Sequence[Example], plus: Any = None) -> DecodeTab:
    """Builds the tab inside the page that is being made; `plus` has the model of the choice WINO+."""
    session = menu.home
    shown = best_example(examples)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=0, min_width=300, elem_classes=["wv-panel", "foldable"]):
            choice = gr.Dropdown(
                [("none: a run of your own", OWN), *((example.title, n) for n, example in enumerate(examples))],
                value=examples.index(shown) if shown else OWN,
                label="Recorded example",
                filterable=False,
                visible=bool(examples),
                elem_id="decode-examples",
            )
            brought = TraceInput(ready(), label="A trace of your own", elem_id="decode-upload")
            Fold("Problem and decoder")
            model = ModelForm(menu, "decode")
            problem = ProblemForm(
                session, "decode", shown.record if shown else session.new_problem(4, 0, session.tasks[0])
            )
            decoder = DecoderForm(decoder_choices(session, plus), "decode", "Decoder", WINO)
            with gr.Row(elem_classes="together"):
                run = gr.Button("Run", variant="primary", elem_id="decode-run", min_width=120, scale=2)
                stop_button = gr.Button("Stop", elem_id="decode-stop", min_width=80, scale=1)
            notice = Notice(say(about(shown)) if shown else None, elem_id="decode-notice")
            canvas = ControlsForm(session, "decode")
        with gr.Column(scale=1, min_width=320, elem_classes="stage"):
            player = Player(
                shown.message(verdict=session.judge(shown.record, shown.trace.text)) if shown else None,
                fold_prompt=True,
                plant=True,
                elem_id="decode-player",
            )
            take_away("decode-player", link=link_data(decoder, session))
            asking = Asking("decode-player", menu, plus)
            follow_up = asking.panel("turns")
            plant_panel(menu, plus, "decode-player", problem.record, on_run, on_end, ON_REFUSED)
            closer = look_closer("decode-player", branch=True)

    press, current = gr.Number(visible=False), gr.State(Current())
    forms = Forms([decoder], canvas, model)

    def run_one(press: Any, current: Current, task: str, prompt: str, record: dict, *values: Any) -> Iterator[tuple]:
        def start() -> list[Any]:
            asked = problem.read(prompt, record)
            [chosen], size = forms.read(problem.known(asked), task, values)
            return [chosen.start(prompt, **size, record=asked)]

        for update in watch(current, start, forms.loaded(values), press=press):
            yield *shown_parts(update), OWN if update.player else gr.skip()

    def decode_on(current: Current, record: dict, event: gr.EventData) -> Iterator[tuple]:
        for update in watch(current, lambda: [go_on(menu, plus, event._data, record)], loaded=session.loaded):
            yield *shown_parts(update), OWN if update.player else gr.skip()

    def show_example(current: Current, index: int) -> tuple:
        if index == OWN:
            return (gr.skip(),) * (2 + len(problem.parts) + len(forms.parts))
        current.end()
        return example_values(tab, examples[index], play=True)

    def make_room(current: Current) -> tuple:
        current.end()
        return clear_message(), say("A new problem: press Run to decode it."), OWN

    def still_its_text(index: int, prompt: str) -> Any:
        """An edited text is no longer the example's."""
        kept = index == OWN or prompt_of(examples[index].record) == prompt
        return gr.skip() if kept else OWN

    watching = run.click(
        run_one,
        [press, current, *problem.inputs, *forms.parts],
        [player, notice, choice],
        js=on_run("winoPage.onRun('decode')"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    on_end(watching, stop_button, press, current, player, notice)
    watching.failure(None, js=ON_REFUSED % "decode", **HIDDEN)
    going_on = closer.select(
        decode_on, [current, problem.record], [player, notice, choice], trigger_mode="multiple", **MODEL_QUEUE, **HIDDEN
    )
    going_on.failure(lambda current: shown_parts(broken_off(current)), current, [player, notice], queue=False, **HIDDEN)
    going_on.failure(None, js=ON_REFUSED % "decode", **HIDDEN)
    problem.new.click(None, cancels=[watching], **HIDDEN)  # also a run that still waits for its turn
    if isinstance(problem.task, gr.Radio):
        problem.task.input(None, cancels=[watching], **HIDDEN)
    problem.on_new(make_room, [current], [player, notice, choice], forms)
    problem.on_typed(current, notice, forms)
    forms.on_model(current, problem, notice, [watching])
    problem.prompt.change(
        still_its_text, [choice, problem.prompt], choice, queue=False, trigger_mode="always_last", **HIDDEN
    )
    # Not `input`: that fires, too, when the list only loses the focus, and would put the example back over a typed text.
    choice.select(
        show_example,
        [current, choice],
        [player, notice, *problem.parts, *forms.parts],
        **HIDDEN,
    )
    tab = DecodeTab(session, problem, decoder, forms, (player, notice, choice), current, watching)
    on_upload(brought, tab, OWN)
    on_turns(follow_up, asking, tab, on_run, ON_REFUSED, OWN)
    return tab


def example_values(tab: DecodeTab, example: Example, **how: Any) -> tuple:
    """Values of the player, the notice, the problem's parts and the forms' that show an example; `how` as in its message."""
    record, trace = example.record, example.trace
    message = example.message(verdict=tab.session.judge(record, trace.text), **how)
    forms = tab.forms
    values = (*tab.decoder.show(trace), *forms.canvas.show(trace), *forms.model.show(trace))
    return message, say(about(example)), *tab.problem.show(record), *values


def about(example: Example) -> str:
    """What the page says of a recorded example."""
    return f"Recorded. {example.note}" if example.note else "A recorded run."


def shown_parts(update: Update) -> tuple:
    """The values of the player and the notice, where an update changes them."""
    return update.player or gr.skip(), update.notice or gr.skip()


def on_end(
    watching: Any, button: gr.Button, press: gr.Number, current: gr.State, player: Player, notice: Notice
) -> None:
    """`button` stops the run of `watching`, also one that still waits for its turn; a run that fails says so."""

    button.click(
        lambda press, current: shown_parts(stop(current, press)),
        [press, current],
        [player, notice],
        js=ON_STOP,
        trigger_mode="multiple",
        concurrency_limit=None,
        **HIDDEN,
    )

    def broken(current: Current) -> tuple:
        return shown_parts(broken_off(current))

    watching.failure(broken, current, [player, notice], queue=False, **HIDDEN)  # a full queue would refuse it, too
