"""What is to be measured for a figure of the Explore tab: which decoders, which cells, how many problems.

Each form is placed by `place` (what stands under the picture) and `build` (what stands in “Measure it now”). `inputs` are
the components that `measure` gets the values of, `fitted` those that `fit` gives values for when the task is another.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

import gradio as gr

from wino_viz.evaluation.result_files import GRID, TRADEOFF
from wino_viz.evaluation.sweeps import grid_specs, spec_of, tradeoff_specs
from wino_viz.names import decoder_words
from wino_viz.provenance import commit, machine, versions
from wino_viz.shadow_cost import bench_shadow, usual_shapes
from wino_viz.ui import measuring
from wino_viz.ui.decoder_form import WINO, DecoderChoice
from wino_viz.ui.figures import Run
from wino_viz.ui.measuring import Measuring, Part, Sample, Update
from wino_viz.ui.widgets import progress

COUNTS = [1, 5, 10, 20, 50]
USUAL_COUNT = 5
FEW_REPEATS = 5  # passes of each kind
PRESET, EVERY = "preset", "every"


class DecodersForm:
    """Which decoders, with their presets alone or with every setting of the figure, on how many problems."""

    def __init__(self, choices: Sequence[DecoderChoice], settings: bool) -> None:
        self._choices = {choice.key: choice for choice in choices}
        self._with_settings = settings
        self.fitted: Sequence[Any] = ()

    def place(self, name: str) -> None:
        """Nothing stands outside the folded form."""

    def build(self) -> None:
        names = [(choice.label, choice.key) for choice in self._choices.values()]
        self.decoders = gr.CheckboxGroup(names, value=[WINO], label="Decoders", elem_classes="explore-choices")
        self.settings = gr.Radio(
            [("the preset alone", PRESET), ("every setting of the figure", EVERY)],
            value=PRESET,
            label="Settings",
            elem_classes=["segments", "explore-settings"],
            visible=self._with_settings,
        )
        self.count = _count()
        self.inputs = [self.decoders, self.settings, self.count]

    def fit(self, task: str, results: Any) -> tuple:
        return ()

    def measure(
        self, session: Any, state: Measuring, task: str, results: Any, decoders: list[str], settings: str, count: int
    ) -> Iterator[Update]:
        chosen = [choice for key, choice in self._choices.items() if key in decoders]
        if not chosen:
            return iter([Update(progress("Choose a decoder first.", "error"))])
        asked: dict[str, tuple[Any, list[str]]] = {}
        for choice in chosen:
            specs = asked.setdefault(choice.session.model, (choice.session, []))[1]
            specs += self._specs(choice, task, results, settings)
        return _measured(session, state, task, results, TRADEOFF, list(asked.values()), count)

    def _specs(self, choice: DecoderChoice, task: str, results: Any, settings: str) -> list[str]:
        usual = choice.usual(task)
        if settings != EVERY:
            return [spec_of(usual)]
        files = [file for file in results.of(TRADEOFF, task) if file.model == choice.session.model]
        shipped = [row.spec for file in files for row in file.rows if row.name == choice.rule]
        return shipped or tradeoff_specs({choice.rule: usual})


class CellsForm:
    """Which τ1 and which τ2, on how many problems; beside it, one cell to be opened in Decode."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def place(self, name: str) -> None:
        with gr.Row(elem_classes="explore-open"):
            self.tau1 = gr.Dropdown([], label="τ1", elem_id=f"explore-{name}-tau1", min_width=90, filterable=False)
            self.tau2 = gr.Dropdown([], label="τ2", elem_id=f"explore-{name}-tau2", min_width=90, filterable=False)
            self.open = gr.Button("Open in Decode", elem_id=f"explore-{name}-open", min_width=140)

    def build(self) -> None:
        self.rows = gr.CheckboxGroup([], label="τ1", elem_classes="explore-choices")
        self.columns = gr.CheckboxGroup([], label="τ2", elem_classes="explore-choices")
        self.count = _count()
        self.inputs = [self.rows, self.columns, self.count]
        self.fitted = [self.tau1, self.tau2, self.rows, self.columns]

    def fit(self, task: str, results: Any) -> tuple:
        usual = self._session.settings("wino", task)
        rows, columns = self._axes(task, results)
        return (
            gr.Dropdown(rows, value=usual.tau1),
            gr.Dropdown(columns, value=usual.tau2),
            gr.CheckboxGroup(rows, value=[usual.tau1]),
            gr.CheckboxGroup(columns, value=columns),
        )

    def _axes(self, task: str, results: Any) -> tuple[list, list]:
        """The values of the figure's cells, as choices."""
        session = self._session
        specs = [row.spec for file in results.of(GRID, task) if file.model == session.model for row in file.rows]
        chosen = [session.parse(spec, task) for spec in specs or grid_specs(session.settings("wino", task))]
        return sorted({one.tau1 for one in chosen}), sorted({one.tau2 for one in chosen})

    def measure(
        self, session: Any, state: Measuring, task: str, results: Any, rows: list, columns: list, count: int
    ) -> Iterator[Update]:
        if not rows or not columns:
            return iter([Update(progress("Choose a τ1 and a τ2 first.", "error"))])
        usual = session.settings("wino", task).to_dict()
        cells = [session.settings(**{**usual, "tau1": a, "tau2": b}) for a in sorted(rows) for b in sorted(columns)]
        return _measured(session, state, task, results, GRID, [(session, [spec_of(cell) for cell in cells])], count)


class ShadowForm:
    """Nothing to choose: the lengths are the benchmark's own, with fewer passes of each."""

    inputs: Sequence[Any] = ()
    fitted: Sequence[Any] = ()

    def place(self, name: str) -> None:
        """Nothing stands outside the folded form."""

    def build(self) -> None:
        """Nothing to choose."""

    def fit(self, task: str, results: Any) -> tuple:
        return ()

    def measure(self, session: Any, state: Measuring, task: str, results: Any) -> Iterator[Update]:
        def samples() -> Iterator[Sample]:
            made: list[Mapping[str, Any]] = []
            shapes = usual_shapes(session.checkpoint().context)
            yield Sample(_shape_words(shapes, 0), 0, len(shapes))
            about = _about_shadow(session)
            for row in bench_shadow(session, shapes, repeats=FEW_REPEATS):
                made.append(row)
                runs = [Run(tuple(made), about)]
                yield Sample(_shape_words(shapes, len(made)), len(made), len(shapes), runs=runs)

        return measuring.measure(state, "", session, samples, counted="row")


def _about_shadow(session: Any) -> dict[str, Any]:
    command = f"python -m wino_viz bench --shadow --repeats {FEW_REPEATS} --model {session.model}"
    where = machine(session.checkpoint().denoiser.device)
    return {"model": session.model, "command": command, "commit": commit(), **where, "versions": versions()}


def _shape_words(shapes: Sequence[tuple[int, int]], done: int) -> str:
    gen_length, block_length = shapes[min(done, len(shapes) - 1)]
    return f"an answer of {gen_length} tokens in {'one block' if gen_length == block_length else f'blocks of {block_length}'}"


def _count() -> gr.Radio:
    return gr.Radio(COUNTS, value=USUAL_COUNT, label="Problems", elem_classes=["segments", "explore-count"])


def _measured(
    session: Any,
    state: Measuring,
    task: str,
    results: Any,
    figure: str,
    asked: Sequence[tuple[Any, list[str]]],
    count: Any,
) -> Iterator[Update]:
    """Decode the same fresh problems with the SPECs of each (session, SPECs); shipped rows tell how long it may take."""
    if count not in COUNTS:
        return iter([Update(progress("Choose how many problems first.", "error"))])
    seed = secrets.randbelow(2**31)

    def part(own: Any, specs: list[str]) -> Part:
        files = [file for file in results.of(figure, task) if file.model == own.model]
        expected = {row.spec: row.mean_forward_passes for file in files for row in file.rows}
        specs = sorted(specs, key=lambda spec: expected.get(spec, inf))  # what takes few passes shows first
        words = {spec: decoder_words(own.parse(spec, task).to_dict(), own.model) for spec in specs}
        return Part(own.measure(task, specs, count, seed), own.model, words.__getitem__, expected)

    return measuring.measure(
        state, task, session, lambda: measuring.answers([part(own, specs) for own, specs in asked])
    )
