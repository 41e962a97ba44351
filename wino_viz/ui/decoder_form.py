"""Which decoder, and its settings: what a person chooses, and what it stands for.

A choice is a rule and the model that it runs on, so that one rule may stand in the list twice:

    choices = decoder_choices(session, plus)
    form = DecoderForm(choices, "decode", "Decoder", "wino")
    chosen = form.read("wino-plus", …)          Chosen(session, settings)
    decoding = chosen.start(prompt, …)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gradio as gr

from wino_viz.models.files import is_wino_plus
from wino_viz.names import NAMES, decoder_name
from wino_viz.plus import RULE

WINO, PLUS, NONE = "wino", "wino-plus", "none"
REMASKING = [("most confident", "low_confidence"), ("at random", "random")]
MOST_TOKENS_PER_STEP = 32
LARGEST_FACTOR = 4
LARGEST_GAP = 15  # just above what a gap can be: never commit early


class AnySlider(gr.Slider):
    """A slider that lets every value through: gradio would answer one that is out of range with a toast alone."""

    is_template = True  # gradio draws it as the slider that it is

    def preprocess(self, payload: Any) -> Any:
        return payload


@dataclass(frozen=True, eq=False)
class DecoderChoice:
    """One entry of the list of decoders. `key` is its name in forms and styles, `rule` its decoder's name in a SPEC;
    `session` holds its model.
    """

    key: str
    label: str
    rule: str
    session: Any

    def usual(self, task: str | None = None, chosen: Any = None) -> Any:
        """The settings that suit a task: those of the model's preset. `chosen` is as in `on`."""
        return self.on(chosen).settings(self.rule, task)

    def on(self, chosen: Any = None) -> Any:
        """The session to decode with where that of another model is chosen; WINO+ stays on its own model."""
        return self.session if chosen is None or self.key == PLUS else chosen


@dataclass(frozen=True, eq=False)
class Chosen:
    """Settings, and the session whose model they are for."""

    session: Any
    settings: Any

    def start(self, prompt: str, **canvas: Any) -> Any:
        """`Session.start` of that model with these settings."""
        return self.session.start(prompt, self.settings, **canvas)


def decoder_choices(session: Any, plus: Any = None) -> list[DecoderChoice]:
    """Every rule on the model of `session`, and WINO+ where `plus` has its model."""
    choices = [DecoderChoice(rule, label, rule, session) for rule, label in NAMES.items()]
    return choices if plus is None else [*choices, DecoderChoice(PLUS, decoder_name(RULE, plus.model), RULE, plus)]


class DecoderForm:
    """A decoder and its settings; those of the others are hidden by the page's style.

    `inputs` are its components, the choice first; `keys` say of the others whose setting each is, as (choice, setting).
    `first` are settings that the chosen one begins with instead of its preset's; `optional`: it may be none.
    """

    def __init__(
        self,
        choices: Sequence[DecoderChoice],
        prefix: str,
        label: str,
        chosen: str,
        *,
        first: Mapping[str, Any] | None = None,
        optional: bool = False,
    ) -> None:
        self.choices, self.optional = {choice.key: choice for choice in choices}, optional
        names = [(choice.label, choice.key) for choice in choices]
        looks = ["segments", "which-decoder", f"decoders-{len(names)}"]
        if optional:
            names, looks = [*names, ("None", NONE)], [*looks, "or-none"]
        components: dict[str, dict[str, Any]] = {}
        with gr.Column(elem_classes="decoder-form", elem_id=f"{prefix}-decoder", min_width=200):
            self.name = gr.Radio(names, value=chosen, label=label, elem_classes=looks)
            for choice in choices:
                with gr.Column(elem_classes=f"for-{choice.key}", min_width=200):
                    begins = choice.usual().to_dict() | dict((first or {}) if choice.key == chosen else {})
                    components[choice.key] = _controls(choice.rule, SimpleNamespace(**begins))
        self._labels = {(key, name): part.label for key, own in components.items() for name, part in own.items()}
        self.keys = [(key, setting) for key, own in components.items() for setting in own]
        self.inputs = [self.name, *(component for own in components.values() for component in own.values())]

    def read(self, name: str, *values: Any, session: Any = None) -> Chosen | None:
        """What is chosen, from the values of `inputs`; None where that is none. ValueError with one sentence.

        `session` has the model to decode with, where it is not the choice's own.
        """
        if name == NONE:
            return None
        said = {setting: value for (owner, setting), value in zip(self.keys, values, strict=True) if owner == name}
        refuse_empty({self._labels[name, setting]: value for setting, value in said.items()})
        choice = self.choices[name]
        chosen = choice.on(session)
        return Chosen(chosen, chosen.settings(choice.rule, **said))

    def usual(self, task: str, session: Any = None) -> dict[str, Any]:
        """The settings of every choice that suit a task, on the model of `session` where one is given."""
        return {key: choice.usual(task, session) for key, choice in self.choices.items()}

    def fill(self, usual: Mapping[str, Any], name: Any = None) -> tuple:
        """Values of `inputs` for the settings of every choice; the choice among them stays unless it is named."""
        return name or gr.skip(), *(getattr(usual[owner], setting) for owner, setting in self.keys)

    def show(self, trace: Any) -> tuple:
        """Values of `inputs` that show how a trace was made; what it does not say stays."""
        choice = self.choice_of(trace)
        key = choice and choice.key
        said = {(key, setting): value for setting, value in trace.decoder.items()}
        return key or gr.skip(), *(said.get(owned, gr.skip()) for owned in self.keys)

    def choice_of(self, trace: Any) -> DecoderChoice | None:
        """The choice that makes such traces: its rule on its model, else the rule on any; None for a rule not known."""
        fits = [choice for choice in self.choices.values() if choice.rule == trace.decoder["name"]]
        kin = is_wino_plus(trace.model)
        return min(fits, key=lambda c: (c.session.model != trace.model, (c.key == PLUS) != kin), default=None)


def refuse_empty(values: Mapping[str, Any]) -> None:
    """Fields that were emptied are None: ValueError with one sentence for the first of them, by its label."""
    for label, value in values.items():
        if value is None:
            raise ValueError(f"“{label}” is empty: it needs a number")


def _controls(rule: str, usual: Any) -> dict[str, Any]:
    """The components of a rule's settings, by their names."""
    if rule == "wino":
        return {
            "tau1": _probability("τ1 · draft above", usual.tau1),
            "tau2": _probability("τ2 · take back below", usual.tau2),
        }
    if rule == "threshold":
        return {"tau": _probability("τ · place at or above", usual.tau)}
    if rule == "factor":
        label = "f · place rank n at or above 1 − f/(n+1)"
        return {"f": AnySlider(0, LARGEST_FACTOR, usual.f, step=0.05, label=label, buttons=[])}
    if rule == "prophet":
        return {
            "gap_early": _gap("Gap · first third", usual.gap_early),
            "gap_middle": _gap("Gap · second third", usual.gap_middle),
            "gap_late": _gap("Gap · last third", usual.gap_late),
        }
    return {
        "tokens_per_step": AnySlider(1, MOST_TOKENS_PER_STEP, usual.tokens_per_step, step=1, label="Tokens per pass"),
        "remasking": gr.Radio(REMASKING, value=usual.remasking, label="Which of them", elem_classes="segments"),
    }


def _gap(label: str, value: float) -> AnySlider:
    return AnySlider(0, LARGEST_GAP, value, step=0.1, label=label, buttons=[])


def _probability(label: str, value: float) -> AnySlider:
    return AnySlider(0, 1, value, step=0.01, label=label, buttons=[])
