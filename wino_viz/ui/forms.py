"""The parts of a tab that a person fills in: the problem, a decoder with its settings, and the size of the canvas.

Each form holds its components and says how to read their values. Wrong values pass through to the session, whose
sentence is shown beside Run.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import gradio as gr

DECODERS = [
    ("Standard", "standard"),
    ("Threshold", "threshold"),
    ("Factor", "factor"),
    ("Prophet", "prophet"),
    ("WINO", "wino"),
]
REMASKING = [("most confident", "low_confidence"), ("at random", "random")]
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
    """The prompt, and new problems for it. `record` is the problem record that the prompt came from."""

    def __init__(self, session: Any, prefix: str, record: dict[str, Any]) -> None:
        self._session = session
        self.record = gr.State(record)
        self.prompt = gr.Textbox(
            record.get("question", ""),
            label="Problem",
            info="The small model knows only problems like this one: its own 60 names and 31 kinds of events.",
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
            )

    def on_new(self, also: Callable[..., tuple], inputs: list[Any], outputs: list[Any]) -> None:
        """A new problem when its button is pressed; `also(*inputs)` gives the values of `outputs`."""

        def take(steps: int, *values: Any) -> tuple:
            record = self._session.new_problem(steps, secrets.randbelow(2**32))
            return record["question"], record, *also(*values)

        self.new.click(take, [self.steps, *inputs], [self.prompt, self.record, *outputs], **HIDDEN)


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

    def show(self, decoder: dict[str, Any]) -> tuple:
        """Values of `inputs` that show the decoder of a trace; what it does not say stays."""
        keys = ["name", *(key for _, key in self._keys)]
        return tuple(decoder.get(key, gr.skip()) for key in keys)


class CanvasForm:
    """Lengths, temperature and seed, folded away. `lengths` are the session's own, or a task's."""

    def __init__(
        self, session: Any, prefix: str, lengths: tuple[int, int] | None = None, learned: str = "The model learned 128."
    ) -> None:
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
