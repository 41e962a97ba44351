"""The Explore tab: what was measured, drawn; each figure can be measured again here, on a few problems, while one watches.

Nothing is read, drawn or imported for it before the tab is opened, and it needs no model until something is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from wino_viz.evaluation.result_files import FOLDER, GRID, SHADOW, TRADEOFF, read_results
from wino_viz.ui import measuring
from wino_viz.ui.decode_tab import DecodeTab
from wino_viz.ui.decoder_form import decoder_choices
from wino_viz.ui.explore_forms import CellsForm, DecodersForm, ShadowForm
from wino_viz.ui.figures import DIFFICULTY, KINDS, Here, Kind, figure_message, read_reported
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE, TASK_NAMES
from wino_viz.ui.measuring import Measuring, Update
from wino_viz.ui.widgets import PLOTLY, ChartView, Progress, Reported, progress

RESULTS = FOLDER
INTRO = (
    "Every point is measured on problems that the model was never trained on, and every figure can be measured again here. "
    "With few problems the bars are long: that is how much a small sample leaves open."
)
# After a cell was picked: its values are seen, and the keyboard goes on where Run is.
TO_RUN = "() => winoPage.showRun('decode')"


def explore_tab(
    session: Any,
    decode: DecodeTab,
    tabs: gr.Tabs,
    tab: gr.Tab,
    folder: Path,
    plus: Any = None,
) -> None:
    """Builds the tab inside the page that is being made; `plus` has the model of the choice WINO+.

    `folder` holds the measured files.
    """
    gr.set_static_paths(PLOTLY)
    tasks = session.tasks
    gr.HTML(f"<p class='explore-intro'>{INTRO}</p>")
    task = gr.Radio(
        [(TASK_NAMES.get(name, name), name) for name in tasks],
        value=tasks[0],
        label="Kind of problem",
        elem_classes=["segments", "explore-task"],
        elem_id="explore-task",
        visible=len(tasks) > 1,
    )
    decoders = decoder_choices(session, plus)
    panels = [
        Panel(session, folder, KINDS[TRADEOFF], DecodersForm(decoders, settings=True)),
        Panel(session, folder, KINDS[DIFFICULTY], DecodersForm(decoders, settings=False)),
        Panel(session, folder, KINDS[GRID], CellsForm(session)),
        Panel(session, folder, KINDS[SHADOW], ShadowForm()),
    ]
    for panel in panels:
        panel.build(task)
    reported = Reported(None, label="Published figures", elem_id="explore-reported")
    opened = gr.State(False)

    def show(task: str, *states: Measuring) -> tuple:
        results = read_results(folder)
        shown = [panel.message(task, state, results) for panel, state in zip(panels, states, strict=True)]
        known = list(dict.fromkeys((*session.tasks, *results.tasks)))
        choice = gr.Radio([(TASK_NAMES.get(name, name), name) for name in known], visible=len(known) > 1)
        return *shown, *(value for panel in panels for value in panel.fit(task)), choice

    def open_tab(opened: bool, task: str, *states: Measuring) -> tuple:
        if opened:  # what is shown is not drawn again
            return (gr.skip(),) * (len(outputs) + 2)
        return *show(task, *states), json.dumps(read_reported()), True

    states = [panel.state for panel in panels]
    charts = [panel.chart for panel in panels]
    outputs = [*charts, *(part for panel in panels for part in panel.fitted), task]
    tab.select(open_tab, [opened, task, *states], [*outputs, reported, opened], queue=False, **HIDDEN)
    task.input(show, [task, *states], outputs, queue=False, **HIDDEN)
    _open_in_decode(session, decode, tabs, task, next(panel for panel in panels if panel.kind.name == GRID))


def _open_in_decode(session: Any, decode: DecodeTab, tabs: gr.Tabs, task: gr.Radio, panel: Panel) -> None:
    """A cell of the grid opens Decode with its values: by a click, or by two choices and a button."""
    nothing = (gr.skip(),) * (1 + len(decode.outputs))

    def fill(task: str, tau1: Any, tau2: Any, *values: Any) -> tuple:
        try:
            chosen = session.settings("wino", task, tau1=float(tau1), tau2=float(tau2))
            return gr.Tabs(selected="decode"), *decode.filled(task, chosen, *values)
        except (ValueError, TypeError):  # a browser may send anything
            return nothing

    def pick(task: str, *values: Any, event: gr.EventData) -> tuple:
        picked = event._data.get("picked") if isinstance(event._data, Mapping) else None
        return fill(task, *picked, *values) if isinstance(picked, list) and len(picked) == 2 else nothing

    # gradio finds an event's data by the annotation of an argument, which may not stand behind `*values`
    def on_pick(event: gr.EventData, task: str, *values: Any) -> tuple:
        return pick(task, *values, event=event)

    outputs = [tabs, *decode.outputs]
    choice = panel.choice
    events = (
        panel.chart.select(on_pick, [task, *decode.inputs], outputs, cancels=[decode.watching], **HIDDEN),
        choice.open.click(
            fill, [task, choice.tau1, choice.tau2, *decode.inputs], outputs, cancels=[decode.watching], **HIDDEN
        ),
    )
    for event in events:
        event.then(None, js=TO_RUN, **HIDDEN)


class Panel:
    """One figure: the picture, and under it the form that measures it again. `build` places it on the page."""

    def __init__(self, session: Any, folder: Path, kind: Kind, choice: Any) -> None:
        self.session, self.folder, self.kind, self.choice = session, folder, kind, choice
        self.fitted: Sequence[Any] = ()

    def build(self, task: gr.Radio) -> None:
        name = self.kind.name
        with gr.Row(elem_classes=["wv-panel", "explore-figure"], elem_id=f"explore-{name}"):
            with gr.Column(elem_classes="explore-shown", min_width=280):
                self.chart = ChartView(None, label=self.kind.title, elem_id=f"explore-{name}-chart")
                self.state = gr.State(Measuring())
                self.choice.place(name)
            with (
                gr.Column(elem_classes="explore-form", scale=0, min_width=264),
                gr.Accordion("Measure it now", elem_id=f"explore-{name}-measure"),
            ):
                self.choice.build()
                with gr.Row(elem_classes="together"):
                    run = gr.Button("Measure", variant="primary", elem_id=f"explore-{name}-run", min_width=110)
                    stop = gr.Button("Cancel", elem_id=f"explore-{name}-stop", min_width=80)
                told = Progress(None, role="group", label="Progress", elem_id=f"explore-{name}-progress")
                clear = gr.Button("Remove what was measured here", size="sm", elem_id=f"explore-{name}-clear")
            self.fitted = self.choice.fitted
            self._wire(task, run, stop, clear, told)

    def _wire(self, task: gr.Radio, run: gr.Button, stop: gr.Button, clear: gr.Button, told: Progress) -> None:
        outputs = [self.chart, told]

        def measure(state: Measuring, task: str, *values: Any) -> Iterator[tuple]:
            for update in self.choice.measure(self.session, state, task, read_results(self.folder), *values):
                yield self._shown(state, task, update)
            yield gr.skip(), gr.skip()  # gradio repeats the last message when a run is over

        def cancel(state: Measuring, task: str) -> tuple:
            return self._shown(state, task, measuring.stop(state))

        def remove(state: Measuring, task: str) -> tuple:
            state.run = ""
            state.here.pop(task, None)
            return self._shown(state, task, Update(progress("What was measured here is gone from the figure."), True))

        running = run.click(
            measure, [self.state, task, *self.choice.inputs], outputs, trigger_mode="once", **MODEL_QUEUE, **HIDDEN
        )
        both = [self.state, task]
        stop.click(cancel, both, outputs, cancels=[running], concurrency_limit=None, **HIDDEN)
        clear.click(remove, both, outputs, cancels=[running], concurrency_limit=None, **HIDDEN)
        running.failure(
            lambda state, task: self._shown(state, task, measuring.broken_off(state)), both, outputs, **HIDDEN
        )

    def _shown(self, state: Measuring, task: str, update: Update) -> tuple:
        figure = self.message(task, state, read_results(self.folder)) if update.moved else gr.skip()
        return figure, update.progress or gr.skip()

    def message(self, task: str, state: Measuring, results: Any) -> str:
        here = state.here.get(_of(self.kind, task), Here())
        return figure_message(self.kind, task, results, self.session, here)

    def fit(self, task: str) -> tuple:
        """Values of `fitted` for a task."""
        return self.choice.fit(task, read_results(self.folder))


def _of(kind: Kind, task: str) -> str:
    return "" if kind.name == SHADOW else task
