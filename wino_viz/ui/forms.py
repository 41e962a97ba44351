"""The parts of a tab that a person fills in: the problem, the size of the canvas, and with `decoder_form.py` the decoders.

Each form holds its components and says how to read their values. Wrong values pass through to the session, whose
sentence is shown beside Run.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.problems import about, asked_problem, read_problem
from wino_viz.tasks.registry import prompt_of
from wino_viz.ui.decoder_form import NONE, PLUS, WINO, AnySlider, Chosen, DecoderForm, refuse_empty
from wino_viz.ui.model_form import ModelForm
from wino_viz.ui.watching import refusal
from wino_viz.ui.widgets import say

TASK_NAMES = {"arithmetic": "Story", "countdown": "Countdown", "sudoku": "Sudoku"}
LEARNED = "The small model knows only problems like this one: its own 60 names and 31 kinds of events."
MARKED = "It ends a story with #### and the result."
BARE = "Your own: “30, 100, 93 -> 23”, or 16 cells, “3102200002100320”."
READ_AS_STORY = f"This is read as a story, for it is none of the others. {BARE}"
_WORDS, FEWEST_WORDS = re.compile(r"[^\W\d_]{2,}"), 3  # with fewer no story is told
STEPS = [(f"{n} steps", n) for n in range(2, 7)]
LONGEST_GENERATION, LONGEST_BLOCK, LENGTH_STEP = 256, 256, 8
HOTTEST = 2.0

# Every event of the model shares these: so many decodings at once, whoever asks for them. They take turns pass by pass
# (wino_viz/serving.py), and each holds a thread.
DECODING = 64
MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": DECODING}
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class ProblemForm:
    """The prompt, and new problems for it. `record` is the problem record that the prompt came from.

    `task` is the kind of problem in the box, a choice where the model knows several. The decoders and the canvas are set
    for it (`on_new`, `Forms.fit`): each task has its own lengths and settings.
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
                info=self.about(),
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

    def about(self) -> str:
        """What stands below the problem of the embedded model."""
        one = len(self._session.tasks) == 1
        return f"{LEARNED} {MARKED}" if one else f"The small model knows only problems like these. {MARKED} {BARE}"

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
        return asked_problem(untrusted.text(prompt, "the prompt"), record)

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
        forms: Forms,
    ) -> None:
        """A new problem when its button is pressed or another kind is chosen; `also(*inputs)` gives the values of `outputs`.

        The forms get what suits another kind.
        """

        def take(task: str, steps: int, *values: Any) -> tuple:
            record = self._session.new_problem(steps, secrets.randbelow(2**32), task)
            return *self.show(record), *also(*values)

        def take_other(task: str, steps: int, *values: Any) -> tuple:
            count = len(forms.choices)
            return *take(task, steps, *values[count:]), *forms.fit(task, values[:count])

        outputs = [*self.parts, *outputs]
        self.new.click(take, [self.task, self.steps, *inputs], outputs, **HIDDEN)
        if isinstance(self.task, gr.Radio):
            chosen = [self.task, self.steps, *forms.choices, *inputs]
            self.task.input(take_other, chosen, [*outputs, *forms.parts], **HIDDEN)

    def on_typed(self, current: gr.State, notice: Any, forms: Forms) -> None:
        """A sudoku or a countdown that was typed is worded as the models learn it, and what is known of it is said."""

        def look(current: Any, looked_at: str, task: str, prompt: str, record: dict[str, Any], *chosen: str) -> tuple:
            nothing = gr.skip()
            if prompt == looked_at or not prompt.strip():
                return (nothing,) * len(outputs)
            try:
                found = self.read(prompt, record)
            except ValueError as error:
                return prompt, nothing, nothing, refusal(error), *(nothing,) * len(forms.parts)
            suits = self.known(found)
            words = prompt if found.get("task", "arithmetic") == "arithmetic" else prompt_of(found)
            said = f"{self._known_of(found)} Press Run.".strip()
            if found.get("task", "arithmetic") == "arithmetic" and len(self._session.tasks) > 1:
                if len(_WORDS.findall(prompt)) < FEWEST_WORDS:
                    said = READ_AS_STORY
                elif suits != task:
                    said = "A story. Press Run."
            silent = current.run or found == record or (said == "Press Run." and not self._refuses(looked_at))
            return (
                words,
                words if words != prompt else nothing,
                suits,
                nothing if silent else say(said),
                *(forms.fit(suits, chosen) if suits != task else (nothing,) * len(forms.parts)),
            )

        outputs = [self._looked_at, self.prompt, self.task, notice, *forms.parts]
        inputs = [current, self._looked_at, *self.inputs, *forms.choices]
        self.prompt.blur(look, inputs, outputs, queue=False, trigger_mode="always_last", **HIDDEN)


class Forms:
    """What a tab fills in beside the problem: its decoders, the canvas that they share, and the model that they run on.

    `choices` are what a task's usual values hang on: the decoders chosen, the model, and its named settings.
    `matched`: beside WINO, threshold usually has WINO's τ1 as its τ: the same lenient drafting, without the verification.
    """

    def __init__(
        self, decoders: Sequence[DecoderForm], canvas: CanvasForm, model: ModelForm, matched: bool = False
    ) -> None:
        self.decoders, self.canvas, self.model, self._matched = decoders, canvas, model, matched
        self.parts = [component for form in (*decoders, canvas, model) for component in form.inputs]
        self.choices = [*(form.name for form in decoders), *model.inputs]
        ends = list(accumulate(len(form.inputs) for form in decoders))
        self._slices = [slice(*pair) for pair in pairwise([0, *ends])]
        self._canvas = slice(ends[-1], -len(model.inputs))

    def fit(self, task: str, choices: Sequence[str]) -> tuple:
        """Values of `parts` that suit a task; what is chosen stays. `choices` are the values of `choices`."""
        names, (model, preset) = choices[:-2], choices[-2:]
        try:
            session, preset = self.model.session(model), self.model.known(model, preset)
        except ValueError:  # Run says what is wrong
            return (gr.skip(),) * len(self.parts)
        size = self.canvas.fit(preset or task, session)
        return self._fill(preset or task, names, [None] * len(names), size, session)

    def choose(self, task: str, names: Sequence[str], model: str, preset: str) -> tuple:
        """Values of `parts` that choose these decoders, with what suits a task; canvas and model stay."""
        session, preset = self.model.session(model), self.model.known(model, preset)
        return self._fill(preset or task, names, names, (gr.skip(),) * len(self.canvas.inputs), session)

    def fit_model(self, task: str, choices: Sequence[str]) -> tuple:
        """Values of `parts` after another model was chosen: what suits it. WINO+ belongs to the embedded model alone."""
        model = choices[-2]
        session = self.model.session(model)
        listed = self.model.menu.is_listed(model)
        names = [
            (WINO if not form.optional else NONE) if name == PLUS and listed else name
            for form, name in zip(self.decoders, choices[:-2], strict=True)
        ]
        learned = "" if listed else self.canvas.learned
        size = self.canvas.fit_model(task, session, self.model.longest(model), learned)
        return *self._fill(task, names, names, size, session)[:-2], gr.skip(), self.model.presets(model)

    def on_model(self, current: gr.State, problem: ProblemForm, notice: Any, cancels: Sequence[Any]) -> None:
        """A model is loaded when it is chosen, and what hangs on it follows; one that can't be leaves things as they were."""
        form = self.model

        def choose(current: Any, kept: str, task: str, *choices: str) -> Iterator[tuple]:
            nothing, model = (gr.skip(),) * len(self.parts), choices[-2]
            rest = (gr.skip(), *nothing)
            current.end()
            for update in form.load(model):
                if update.done is None:
                    yield update.notice or gr.skip(), update.progress, gr.skip(), *rest
                elif update.done:
                    about = gr.update(info=form.about(model, problem.about()))
                    yield update.notice, update.progress, model, about, *self.fit_model(task, choices)
                else:
                    back = (*nothing[:-2], kept, gr.skip())
                    yield update.notice, update.progress, gr.skip(), gr.skip(), *back

        def preset(task: str, *choices: str) -> tuple:
            return self.fit(task, choices)

        inputs = [current, form.kept, problem.task, *self.choices]
        outputs = [notice, form.told, form.kept, problem.prompt, *self.parts]
        form.name.input(choose, inputs, outputs, cancels=cancels, concurrency_limit=None, **HIDDEN)
        form.preset.input(preset, [problem.task, *self.choices], self.parts, queue=False, **HIDDEN)

    def loaded(self, values: Sequence[Any]) -> bool:
        """Whether the models of what is chosen are loaded, from the values of `parts`."""
        names = [values[part][0] for part in self._slices]
        try:
            session = self.model.session(values[-2])
        except ValueError:  # the run says what is wrong
            return True
        used = [
            form.choices[name].on(session)
            for form, name in zip(self.decoders, names, strict=True)
            if name in form.choices
        ]
        return all(session.loaded for session in used)

    def read(self, suits: str, task: str, values: Sequence[Any]) -> tuple[list[Chosen], dict[str, Any]]:
        """What is chosen, and the canvas arguments of `Session.start`, from the values of `parts`.

        Where the forms are set for `task` and another one suits the problem (Run was pressed before they could be set for
        it), that one's presets count. ValueError with one sentence.
        """
        parts, size = [values[part] for part in self._slices], self.canvas.read(*values[self._canvas])
        session = self.model.session(values[-2])
        preset = self.model.known(*values[-2:])
        names = [part[0] for part in parts]
        if PLUS in names and self.model.menu.is_listed(session.model):
            raise ValueError(f"WINO+ here is a small model of its own: choose another decoder for {session.model}")
        size |= {"preset": preset} if preset else {}
        if suits == task or preset:
            read = [form.read(*part, session=session) for form, part in zip(self.decoders, parts, strict=True)]
            return [chosen for chosen in read if chosen is not None], size
        filled = zip(self.decoders, names, self._usual(suits, names, session), strict=True)
        chosen = [Chosen(form.choices[name].on(session), usual[name]) for form, name, usual in filled if name in usual]
        return chosen, size | self.canvas.lengths(suits, session)

    def _usual(self, task: str, chosen: Sequence[str], session: Any) -> list[dict[str, Any]]:
        """Per form, the settings of every choice that suit a task."""
        usual = [form.usual(task, session) for form in self.decoders]
        if self._matched and WINO in chosen:
            for settings in usual:
                settings["threshold"] = replace(settings["threshold"], tau=settings[WINO].tau1)
        return usual

    def _fill(
        self, task: str, chosen: Sequence[str], names: Sequence[str | None], canvas: tuple, session: Any
    ) -> tuple:
        filled = zip(self.decoders, self._usual(task, chosen, session), names, strict=True)
        decoders = (value for form, usual, name in filled for value in form.fill(usual, name))
        return *decoders, *canvas, *(gr.skip() for _ in self.model.inputs)


class CanvasForm:
    """Lengths, temperature and seed, folded away. `lengths` are the session's own, or a task's."""

    def __init__(
        self, session: Any, prefix: str, lengths: tuple[int, int] | None = None, learned: str = "The model learned 128."
    ) -> None:
        self._session = session
        self.learned = learned
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
        self.readers: dict[str, Callable[[str], Any]] = {}  # of values beside these that a link may say

    def fill(self, task: str, said: Mapping[str, Any]) -> tuple:
        """Values of `inputs` that a link says, by name; the lengths of the task and no chance where it says none."""
        usual = {**self.lengths(task), "temperature": 0, "seed": 0, **said}
        return tuple(usual[name] for name in ("gen_length", "block_length", "temperature", "seed"))

    def fit(self, task: str, session: Any = None) -> tuple:
        """Values of `inputs` that suit a task: its lengths, the rest as it is."""
        return *(session or self._session).lengths(task), gr.skip(), gr.skip()

    def fit_model(self, task: str, session: Any, longest: int, learned: str) -> tuple:
        """The same after another model was chosen: how far the sliders go, and what is said of the length."""
        gen_length, block_length = session.lengths(task)
        about = f"Tokens of the answer. {learned}".strip()
        return (
            gr.update(value=gen_length, maximum=longest, info=about),
            gr.update(value=block_length, maximum=longest),
            gr.skip(),
            gr.skip(),
        )

    def lengths(self, task: str, session: Any = None) -> dict[str, int]:
        """The lengths that suit a task, as arguments of `Session.start`."""
        return dict(zip(("gen_length", "block_length"), (session or self._session).lengths(task), strict=True))

    def read(self, gen_length: Any, block_length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
        """The canvas arguments of `Session.start` from the values of `inputs`; ValueError for one that is empty."""
        values = {"gen_length": gen_length, "block_length": block_length, "temperature": temperature, "seed": seed}
        refuse_empty(dict(zip([part.label for part in self.inputs[: len(values)]], values.values(), strict=True)))
        return values

    @staticmethod
    def show(trace: Any) -> tuple:
        """Values of `inputs` that show how a trace was made."""
        return trace.gen_length, trace.block_length, trace.decoder.get("temperature", 0), trace.decoder.get("seed", 0)
