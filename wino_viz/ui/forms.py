"""The parts of a tab that a person fills in: the problem, a decoder with its settings, and the size of the canvas.

Each form holds its components and says how to read their values. Wrong values pass through to the session, whose
sentence is shown beside Run.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.problems import about, known_problem, read_problem
from wino_viz.tasks.registry import prompt_of
from wino_viz.ui.watching import refusal
from wino_viz.ui.widgets import say

DECODERS = [
    ("Standard", "standard"),
    ("Threshold", "threshold"),
    ("Factor", "factor"),
    ("Prophet", "prophet"),
    ("WINO", "wino"),
]
REMASKING = [("most confident", "low_confidence"), ("at random", "random")]
TASK_NAMES = {"arithmetic": "Story", "countdown": "Countdown", "sudoku": "Sudoku"}
LEARNED = "The small model knows only problems like this one: its own 60 names and 31 kinds of events."
BARE = "Your own: “30, 100, 93 -> 23”, or 16 cells, “3102200002100320”."
STEPS = [(f"{n} steps", n) for n in range(2, 7)]
LONGEST_GENERATION, LONGEST_BLOCK, LENGTH_STEP = 256, 256, 8
MOST_TOKENS_PER_STEP = 32
LARGEST_FACTOR = 4
LARGEST_GAP = 15  # just above what a gap can be: never commit early
HOTTEST = 2.0

# Every event of the model shares these: so many decodings at once, whoever asks for them.
MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 4}
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class AnySlider(gr.Slider):
    """A slider that lets every value through: gradio would answer one that is out of range with a toast alone."""

    is_template = True  # gradio draws it as the slider that it is

    def preprocess(self, payload: Any) -> Any:
        return payload


class ProblemForm:
    """The prompt, and new problems for it. `record` is the problem record that the prompt came from.

    `task` is the kind of problem in the box, a choice where the model knows several. The decoders and the canvas are set
    for it (`on_new`, `fitted`): each task has its own lengths and settings.
    """

    def __init__(self, session: Any, prefix: str, record: dict[str, Any]) -> None:
        self._session = session
        prompt, tasks = prompt_of(record), session.tasks
        self.record = gr.State(record)
        self._looked_at = gr.State(prompt)  # the text that `_look` saw last: it speaks once of each
        with gr.Column(elem_classes="problem-form", min_width=200):
            if len(tasks) > 1:
                kinds = [(TASK_NAMES[task], task) for task in tasks]
                chosen = self.known(record)
                self.task = gr.Radio(
                    kinds, value=chosen, label="Kind of problem", elem_classes="segments", elem_id=f"{prefix}-task"
                )
            else:
                self.task = gr.State(tasks[0])
            self.prompt = gr.Textbox(
                prompt,
                label="Problem",
                info=LEARNED if len(tasks) == 1 else f"The small model knows only problems like these. {BARE}",
                lines=4,
                max_lines=10,
                elem_id=f"{prefix}-prompt",
            )
            with gr.Row(elem_classes="together"):
                self.new = gr.Button("New problem", size="md", elem_id=f"{prefix}-new", min_width=120, scale=2)
                self.steps = gr.Dropdown(
                    STEPS,
                    value=4,
                    show_label=False,
                    label="Steps of the new problem",
                    container=False,
                    min_width=116,
                    scale=1,
                    elem_classes="for-arithmetic",
                )

        self.inputs = [self.task, self.prompt, self.record]
        self.parts = [*self.inputs, self._looked_at]

    def show(self, record: dict[str, Any]) -> tuple:
        """Values of `parts` that show a record."""
        prompt = prompt_of(record)
        return self.known(record), prompt, record, prompt

    def known(self, record: Mapping[str, Any]) -> str:
        """The task whose settings suit a record: its own, or the first that the model knows."""
        task, tasks = record.get("task", "arithmetic"), self._session.tasks
        return task if task in tasks else tasks[0]

    def read(self, prompt: str, record: dict[str, Any]) -> Mapping[str, Any]:
        """The problem that is asked; ValueError with one sentence for a sudoku or a countdown that is none."""
        if prompt != prompt_of(record):
            read_problem(untrusted.text(prompt, "the prompt"))
        return known_problem(prompt, record)

    def _refuses(self, prompt: str) -> bool:
        try:
            read_problem(prompt)
        except ValueError:
            return True
        return False

    def _known_of(self, record: Mapping[str, Any]) -> str:
        """What can be said of a typed problem before a run; empty for a word problem."""
        words = about(record)
        if words and record["task"] not in self._session.tasks:
            words += f" {self._session.model} never learned such problems: its answer will make no sense."
        return words

    def on_new(
        self,
        also: Callable[..., tuple],
        inputs: list[Any],
        outputs: list[Any],
        decoders: Sequence[DecoderForm],
        canvas: CanvasForm,
    ) -> None:
        """A new problem when its button is pressed or another kind is chosen; `also(*inputs)` gives the values of `outputs`.

        The forms get what suits another kind.
        """

        def take(task: str, steps: int, *values: Any) -> tuple:
            record = self._session.new_problem(steps, secrets.randbelow(2**32), task)
            return *self.show(record), *also(*values)

        def take_other(task: str, *values: Any) -> tuple:
            return *take(task, *values), *fitted(task, decoders, canvas)

        inputs = [self.task, self.steps, *inputs]
        outputs = [*self.parts, *outputs]
        self.new.click(take, inputs, outputs, **HIDDEN)
        if isinstance(self.task, gr.Radio):
            self.task.input(take_other, inputs, [*outputs, *fitted_parts(decoders, canvas)], **HIDDEN)

    def on_typed(self, current: gr.State, notice: Any, decoders: Sequence[DecoderForm], canvas: CanvasForm) -> None:
        """A sudoku or a countdown that was typed is worded as the models learn it, and what is known of it is said."""

        def look(current: Any, looked_at: str, task: str, prompt: str, record: dict[str, Any]) -> tuple:
            nothing = gr.skip()
            if prompt == looked_at:
                return (nothing,) * len(outputs)
            try:
                found = self.read(prompt, record)
            except ValueError as error:
                return prompt, nothing, nothing, refusal(error), *(nothing,) * len(parts)
            suits = self.known(found)
            words = prompt if found.get("task", "arithmetic") == "arithmetic" else prompt_of(found)
            said = f"{self._known_of(found)} Press Run.".strip()
            silent = current.run or found == record or (said == "Press Run." and not self._refuses(looked_at))
            return (
                words,
                words if words != prompt else nothing,
                suits,
                nothing if silent else say(said),
                *(fitted(suits, decoders, canvas) if suits != task else (nothing,) * len(parts)),
            )

        parts = fitted_parts(decoders, canvas)
        outputs = [self._looked_at, self.prompt, self.task, notice, *parts]
        inputs = [current, self._looked_at, *self.inputs]
        self.prompt.blur(look, inputs, outputs, queue=False, trigger_mode="always_last", **HIDDEN)


def fitted_parts(decoders: Sequence[DecoderForm], canvas: CanvasForm) -> list[Any]:
    """The components that `fitted` gives values for."""
    return [component for form in (*decoders, canvas) for component in form.inputs]


def fitted(task: str, decoders: Sequence[DecoderForm], canvas: CanvasForm) -> tuple:
    """Values of decoder forms and of a canvas form that suit a task."""
    return tuple(value for form in (*decoders, canvas) for value in form.fit(task))


def read_forms(
    session: Any, suits: str, task: str, decoders: Sequence[DecoderForm], canvas: CanvasForm, values: Sequence[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The settings of each decoder and the canvas arguments of `Session.start`, from the values of `fitted_parts`.

    Where the forms are set for `task` and another one suits the problem (Run was pressed before they could be set for
    it), that one's presets count. ValueError with one sentence.
    """
    cuts = [0]
    for form in decoders:
        cuts.append(cuts[-1] + len(form.inputs))
    size = canvas.read(*values[cuts[-1] :])
    parts = [values[start:end] for start, end in pairwise(cuts)]
    if suits == task:
        return [form.read(*part) for form, part in zip(decoders, parts, strict=True)], size
    lengths = dict(zip(("gen_length", "block_length"), session.lengths(suits), strict=True))
    return [session.settings(part[0], suits) for part in parts], size | lengths


class DecoderForm:
    """Which decoder, and its settings; those of the others are hidden by the page's style."""

    def __init__(self, session: Any, prefix: str, label: str, chosen: str) -> None:
        self._session = session
        usual = {name: session.settings(name) for _, name in DECODERS}
        with gr.Column(elem_classes="decoder-form", elem_id=f"{prefix}-decoder", min_width=200):
            self.name = gr.Radio(DECODERS, value=chosen, label=label, elem_classes=["segments", "which-decoder"])
            with gr.Column(elem_classes="for-wino", min_width=200):
                self.tau1 = _probability("τ1 · draft above", usual["wino"].tau1)
                self.tau2 = _probability("τ2 · take back below", usual["wino"].tau2)
            with gr.Column(elem_classes="for-threshold", min_width=200):
                self.tau = _probability("τ · place at or above", usual["threshold"].tau)
            with gr.Column(elem_classes="for-factor", min_width=200):
                self.f = AnySlider(
                    0,
                    LARGEST_FACTOR,
                    usual["factor"].f,
                    step=0.05,
                    label="f · place rank n at or above 1 − f/(n+1)",
                    buttons=[],
                )
            with gr.Column(elem_classes="for-prophet", min_width=200):
                self.gap_early = _gap("Gap · first third", usual["prophet"].gap_early)
                self.gap_middle = _gap("Gap · second third", usual["prophet"].gap_middle)
                self.gap_late = _gap("Gap · last third", usual["prophet"].gap_late)
            with gr.Column(elem_classes="for-standard", min_width=200):
                self.tokens = AnySlider(
                    1, MOST_TOKENS_PER_STEP, usual["standard"].tokens_per_step, step=1, label="Tokens per pass"
                )
                self.remasking = gr.Radio(
                    REMASKING, value=usual["standard"].remasking, label="Which of them", elem_classes="segments"
                )
        components = {
            "wino": {"tau1": self.tau1, "tau2": self.tau2},
            "threshold": {"tau": self.tau},
            "factor": {"f": self.f},
            "prophet": {"gap_early": self.gap_early, "gap_middle": self.gap_middle, "gap_late": self.gap_late},
            "standard": {"tokens_per_step": self.tokens, "remasking": self.remasking},
        }
        self._keys = [(name, key) for name, own in components.items() for key in own]
        self.inputs = [self.name, *(component for own in components.values() for component in own.values())]

    def read(self, name: str, *values: Any) -> Any:
        """The settings of the chosen decoder from the values of `inputs`; ValueError with one sentence."""
        said = zip(self._keys, values, strict=True)
        return self._session.settings(name, **{key: value for (owner, key), value in said if owner == name})

    def fit(self, task: str) -> tuple:
        """Values of `inputs` that suit a task: every decoder's preset, the choice among them as it is."""
        settings = {name: self._session.settings(name, task) for _, name in DECODERS}
        return gr.skip(), *(getattr(settings[owner], key) for owner, key in self._keys)

    def show(self, decoder: dict[str, Any]) -> tuple:
        """Values of `inputs` that show the decoder of a trace; what it does not say stays."""
        keys = ["name", *(key for _, key in self._keys)]
        return tuple(decoder.get(key, gr.skip()) for key in keys)


class CanvasForm:
    """Lengths, temperature and seed, folded away. `lengths` are the session's own, or a task's."""

    def __init__(
        self, session: Any, prefix: str, lengths: tuple[int, int] | None = None, learned: str = "The model learned 128."
    ) -> None:
        self._session = session
        gen_length, block_length = lengths or (session.gen_length, session.block_length)
        with gr.Accordion("Lengths and chance", open=False, elem_id=f"{prefix}-more"):
            self.gen_length = AnySlider(
                LENGTH_STEP,
                LONGEST_GENERATION,
                gen_length,
                step=LENGTH_STEP,
                label="Generation length",
                info=f"Tokens of the answer. {learned}",
            )
            self.block_length = AnySlider(
                LENGTH_STEP,
                LONGEST_BLOCK,
                block_length,
                step=LENGTH_STEP,
                label="Block length",
                info="Blocks are finished from left to right; it must divide the length.",
            )
            self.temperature = AnySlider(
                0, HOTTEST, 0, step=0.05, label="Temperature", info="0 always takes the likeliest token."
            )
            self.seed = gr.Number(0, label="Seed", precision=None, info="Of what is left to chance.")
        self.inputs = [self.gen_length, self.block_length, self.temperature, self.seed]

    def fit(self, task: str) -> tuple:
        """Values of `inputs` that suit a task: its lengths, the rest as it is."""
        return *self._session.lengths(task), gr.skip(), gr.skip()

    @staticmethod
    def read(gen_length: Any, block_length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
        """The canvas arguments of `Session.start` from the values of `inputs`; ValueError for one that is empty."""
        values = {"gen_length": gen_length, "block_length": block_length, "temperature": temperature, "seed": seed}
        for name, value in values.items():
            if value is None:
                raise ValueError(f"{name} is empty: it needs a number")
        return values

    @staticmethod
    def show(trace: Any) -> tuple:
        """Values of `inputs` that show how a trace was made."""
        return trace.gen_length, trace.block_length, trace.decoder.get("temperature", 0), trace.decoder.get("seed", 0)


def _gap(label: str, value: float) -> AnySlider:
    return AnySlider(0, LARGEST_GAP, value, step=0.1, label=label, buttons=[])


def _probability(label: str, value: float) -> AnySlider:
    return AnySlider(0, 1, value, step=0.01, label=label, buttons=[])
