"""Which model, and where it has any, which of its named settings; with how far it is while it is loaded.

form = ModelForm(menu, "decode")
form.session(name)                           the session of what is chosen
for update in form.load(current, name): …    Update: what the notice says, how far it is, whether it is there
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from wino_viz.model_menu import Loading, ModelMenu
from wino_viz.models import hub
from wino_viz.models.memory import size
from wino_viz.ui.widgets import Progress, progress, say

NO_PRESET = ""
LONG_CONTEXT_GENERATION, SHORT_GENERATION = 1024, 256  # how far the sliders of lengths go
LOADED_ONCE = "It is loaded once, for everybody here; what was loaded before is let go of."
FREE = "as suits the kind of problem"
WORDS = {"waiting": "Getting ready", "downloading": "Downloading", "loading": "Loading"}


@dataclass(frozen=True)
class Update:
    """What changes while a model is loaded. done: it is there (True), failed (False), or on its way (None)."""

    notice: str | None
    progress: str | None
    done: bool | None = None


class ModelForm:
    """The list of models; hidden where there is one. `inputs` are the model and the name of its settings."""

    def __init__(self, menu: ModelMenu, prefix: str, pictures: bool = False) -> None:
        self.menu, self.pictures = menu, pictures
        self.names = menu.names(pictures)
        self.kept = gr.State(self.names[0])  # goes back there where another one can't be loaded
        several = len(self.names) > 1
        with gr.Column(elem_classes="model-form", visible=several, min_width=200):
            self.name = gr.Dropdown(
                [(shown(name), name) for name in self.names],
                value=self.names[0],
                label="Model",
                info=LOADED_ONCE if several else None,
                filterable=False,
                elem_id=f"{prefix}-model",
            )
            self.told = Progress(None, role="group", label="Loading", elem_id=f"{prefix}-model-progress")
            self.preset = gr.Dropdown(
                self._presets(self.names[0]),
                value=NO_PRESET,
                label="Settings",
                filterable=False,
                visible=False,
                elem_id=f"{prefix}-preset",
            )
        self.inputs = [self.name, self.preset]

    def session(self, name: Any) -> Any:
        """The session of a model that this list offers; raises ValueError with one sentence."""
        session = self.menu.session(name)
        if name not in self.names:
            other = "answers questions about pictures" if not self.pictures else "reads text alone"
            raise ValueError(f"{name} {other}: it has no place here")
        return session

    def known(self, name: Any, preset: Any) -> Any:
        """The preset's name where the model has it, else None."""
        return preset if preset and preset in self.session(name).named_presets else None

    def home(self) -> tuple:
        """Values of `inputs` that choose the embedded model."""
        return self.names[0], gr.update(value=NO_PRESET, visible=False)

    def show(self, trace: Any) -> tuple:
        """Values of `inputs` that show how a trace was made; a model that is not offered counts as the embedded one."""
        if trace.model not in self.names:
            return self.home()
        return trace.model, self.presets(trace.model)

    def presets(self, name: str) -> Any:
        """The list of named settings of a model: hidden where it has none."""
        choices = self._presets(name)
        return gr.update(choices=choices, value=NO_PRESET, visible=len(choices) > 1)

    def _presets(self, name: str) -> list[tuple[str, str]]:
        named = self.menu.session(name).named_presets
        return [(FREE, NO_PRESET), *((label, key) for key, label in named.items())]

    def about(self, name: str, otherwise: str) -> str:
        """What is said below the problem: of an embedded model `otherwise`."""
        return (
            f"Ask what you like: {shown(name)} is not one of the small models here."
            if self.menu.is_listed(name)
            else otherwise
        )

    def longest(self, name: str) -> int:
        """The longest answer that the sliders offer."""
        return LONG_CONTEXT_GENERATION if self.menu.is_listed(name) else SHORT_GENERATION

    def load(self, name: Any) -> Iterator[Update]:
        """Load the model that was chosen; the last update says whether it is there."""
        try:
            session = self.session(name)
            for loading in self.menu.choose(name):
                words = _words(loading)
                yield Update(None, progress(words, "busy", done=loading.done, of=loading.of))
        except ValueError as error:
            sentence = str(error).rstrip(".")
            yield Update(say(f"{sentence[:1].upper()}{sentence[1:]}.", "error"), progress(""), False)
            return
        ready = "is loaded" if session.loaded else "is chosen"
        yield Update(say(f"{shown(name)} {ready}: press Run."), progress(""), True)


def shown(name: str) -> str:
    """A model's name for people: of a folder only the last part."""
    return name if hub.is_hub_id(name) else Path(name).name


def _words(loading: Loading) -> str:
    """ "Downloading: 3.2 of 16.0 GB"."""
    if not loading.of:
        return f"{WORDS[loading.what]} …"
    return f"{WORDS[loading.what]}: {size(loading.done)} of {size(loading.of)}"
