"""“More controls”: words that are fixed, when the text may end, and guidance, below the canvas.

form = ControlsForm(session, "decode")      a CanvasForm with three more inputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from wino_viz.decoding.controls import END_OF_TEXT, FREE, MAX_GUIDANCE, Controls
from wino_viz.models.fixed_words import LONGEST, written_fixed
from wino_viz.ui.decoder_form import AnySlider, refuse_empty
from wino_viz.ui.forms import CanvasForm

ENDS = [("usual", "free"), ("last", "last"), ("never", "never")]
MOST_GUIDANCE = 3  # of the slider: the papers go up to 2
NAMES = ("fixed", "end_of_text", "cfg_scale")


class ControlsForm(CanvasForm):
    """A CanvasForm, and folded away below it, what a person may ask beside the decoder."""

    def __init__(
        self, session: Any, prefix: str, *, towards: str = "the prompt", words: str = "0:After, 5:then", **more: Any
    ) -> None:
        """`towards` says what guidance pushes the answer to, `words` is an example of fixed ones; `more` is for CanvasForm."""
        super().__init__(session, prefix, **more)
        with gr.Accordion("More controls", open=False, elem_id=f"{prefix}-controls"):
            self.fixed = gr.Textbox(
                "",
                label="Fixed words",
                info="They stand before the first pass, and stay. Positions count the answer’s tokens from 0, so 0 is token 1.",
                placeholder=words,
                max_length=LONGEST,
                lines=1,
                max_lines=4,
                elem_id=f"{prefix}-fixed",
            )
            self.end_of_text = gr.Radio(
                ENDS,
                value=FREE,
                label="End of the text",
                info="Last: such a token waits while its block proposes words. Never: it is left out, "
                "but the end of a turn may stand.",
                elem_classes="segments",
            )
            self.cfg_scale = AnySlider(
                0,
                MOST_GUIDANCE,
                0,
                step=0.1,
                label="Guidance",
                info=f"How far the answer is pushed towards {towards}. Above 0 each pass is made twice.",
            )
        self.inputs = [*self.inputs, self.fixed, self.end_of_text, self.cfg_scale]
        self.readers = {"fixed": str, "end_of_text": _end_of_text, "cfg_scale": _cfg_scale}

    def fill(self, task: str, said: Mapping[str, Any]) -> tuple:
        usual = {"fixed": "", "end_of_text": FREE, "cfg_scale": 0, **said}
        return *super().fill(task, said), *(usual[name] for name in NAMES)

    def fit(self, task: str, session: Any = None) -> tuple:
        return *super().fit(task, session), *(gr.skip() for _ in NAMES)

    def fit_model(self, task: str, session: Any, longest: int, learned: str) -> tuple:
        return *super().fit_model(task, session, longest, learned), *(gr.skip() for _ in NAMES)

    def read(self, *values: Any) -> dict[str, Any]:
        """The arguments of `Session.start` from the values of `inputs`; ValueError for one that is empty."""
        canvas, (fixed, end_of_text, cfg_scale) = values[: -len(NAMES)], values[-len(NAMES) :]
        refuse_empty({self.cfg_scale.label: cfg_scale})
        more = {"fixed": fixed or "", "end_of_text": end_of_text, "cfg_scale": cfg_scale}
        return super().read(*canvas) | more

    @staticmethod
    def show(trace: Any) -> tuple:
        end_of_text, cfg_scale = trace.decoder.get("end_of_text", FREE), trace.decoder.get("cfg_scale", 0)
        try:
            Controls(end_of_text=end_of_text, cfg_scale=cfg_scale)
        except ValueError:  # of a file from anywhere
            end_of_text, cfg_scale = FREE, 0
        fixed = written_fixed(trace.fixed, trace.pieces)
        return *CanvasForm.show(trace), fixed if len(fixed) <= LONGEST else "", end_of_text, cfg_scale


def _end_of_text(text: str) -> str:
    if text not in END_OF_TEXT:
        raise ValueError(f"end_of_text, which is {', '.join(END_OF_TEXT[:-1])} or {END_OF_TEXT[-1]}")
    return text


def _cfg_scale(text: str) -> float:
    try:
        return Controls(cfg_scale=float(text)).cfg_scale
    except ValueError:
        raise ValueError(f"cfg_scale, which is a number from 0 to {MAX_GUIDANCE}") from None
