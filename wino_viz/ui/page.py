"""The whole page: three tabs, and the endpoint for programs.

demo = build_page(Session())
demo.launch(**LAUNCH)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from wino_viz.ui.compare_tab import compare_tab
from wino_viz.ui.decode_tab import decode_tab
from wino_viz.ui.examples import Example, read_examples
from wino_viz.ui.forms import MODEL_QUEUE
from wino_viz.ui.how_tab import how_tab

TITLE = "Watch a diffusion model change its mind"
SUBTITLE = (
    "WINO drafts many tokens at once, checks each of them with everything it has written so far, "
    "and takes the doubtful ones back."
)
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Arial", "sans-serif")
WAITING = 32  # runs that may wait for their turn; more are refused with gradio's own message


def theme() -> gr.themes.Base:
    """Calm paper and ink, with the system's own fonts: nothing is fetched."""
    return gr.themes.Base(
        primary_hue="zinc",
        neutral_hue="zinc",
        font=FONTS,
        font_mono=("ui-monospace", "Consolas", "monospace"),
        radius_size="lg",
    ).set(
        body_background_fill="#f6f5f1",
        body_background_fill_dark="#0f1114",
        body_text_color="#1c2027",
        body_text_color_dark="#ecebe7",
        body_text_color_subdued="#5b616b",
        body_text_color_subdued_dark="#a9adb5",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        block_title_text_size="14px",
        block_info_text_size="13px",
        block_info_text_color="#5b616b",
        block_info_text_color_dark="#a9adb5",
        input_background_fill="#fcfbfa",
        input_background_fill_dark="#1e2127",
        input_border_width="1px",
        input_border_color="#8b9099",
        input_border_color_dark="#7f8590",
        input_border_color_focus="#0072b2",
        input_border_color_focus_dark="#56b4e9",
        border_color_primary="#e3e1db",
        border_color_primary_dark="#33363d",
        slider_color="#1c2027",
        slider_color_dark="#ecebe7",
        button_primary_background_fill="#1c2027",
        button_primary_background_fill_hover="#3a404b",
        button_primary_background_fill_dark="#ecebe7",
        button_primary_background_fill_hover_dark="#c9c6be",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#17191e",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#f7f6f3",
        button_secondary_background_fill_dark="#17191e",
        button_secondary_background_fill_hover_dark="#1e2127",
        button_secondary_border_color="#8b9099",
        button_secondary_border_color_dark="#7f8590",
        button_border_width="1px",
    )


LAUNCH: dict[str, Any] = {"footer_links": ["api"], "run_history": False, "ssr_mode": False, "share": False}


def build_page(session: Any, examples: Sequence[Example] | None = None) -> gr.Blocks:
    """The app; `session` is a wino_viz.session.Session or anything like it. Loads no model."""
    examples = read_examples() if examples is None else list(examples)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as demo:
        gr.HTML(f"<header class='page-head'><h1>{TITLE}</h1><p>{SUBTITLE}</p></header>", elem_id="page-head")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Decode", id="decode"):
                decode_tab(session, examples)
            with gr.Tab("Compare", id="compare"):
                compare_tab(session, examples)
            with gr.Tab("How it works", id="how"):
                how_tab(examples)
        _endpoint(session)
    demo.queue(max_size=WAITING)
    return demo


def _endpoint(session: Any) -> None:
    def decode(
        prompt: str,
        decoder: str = "wino",
        gen_length: int | None = None,
        block_length: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> dict:
        """Decode an answer to `prompt` and return its whole trace (the trace file's format, version 1).

        decoder is a SPEC: standard, standard:tokens_per_step=4, threshold:tau=0.9, wino:tau1=0.6:tau2=0.9.
        Lengths left out are the model's own.
        """
        lengths = {"gen_length": gen_length, "block_length": block_length}
        try:
            decoding = session.start(prompt, session.parse(decoder), **lengths, temperature=temperature, seed=seed)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        for _ in decoding:
            pass
        return decoding.trace().to_dict()

    gr.api(decode, api_name="decode", **MODEL_QUEUE)
