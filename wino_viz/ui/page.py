"""The whole page: the tabs, and the endpoints for programs.

session = Session()
demo = build_page(session, pictures=Session("mmada-mini", task="caption"), plus=wino_plus(session))
demo.launch(**LAUNCH)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from wino_viz.model_menu import ModelMenu
from wino_viz.pictures import PictureError, open_picture
from wino_viz.plus import usual_spec
from wino_viz.problems import known_problem
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.ui.branch_endpoint import branch_endpoint
from wino_viz.ui.cases_tab import cases_tab
from wino_viz.ui.compare_tab import compare_tab
from wino_viz.ui.decode_tab import decode_tab
from wino_viz.ui.examples import Example, PictureExample, read_examples, read_picture_examples
from wino_viz.ui.explore_tab import RESULTS, explore_tab
from wino_viz.ui.forms import DECODING, MODEL_QUEUE
from wino_viz.ui.how_tab import how_tab
from wino_viz.ui.lessons_tab import lessons_tab
from wino_viz.ui.links import TABS
from wino_viz.ui.open_link import open_links
from wino_viz.ui.picture_form import file_bytes
from wino_viz.ui.picture_tab import picture_tab
from wino_viz.ui.widgets import send_scripts_once
from wino_viz.untrusted import described

TITLE = "Watch a diffusion model change its mind"
SUBTITLE = (
    "WINO drafts many tokens at once, checks each of them with everything it has written so far, "
    "and takes the doubtful ones back."
)
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Arial", "sans-serif")
WAITING = 64  # events that may wait for a free place; more are refused, and the page says so
THREADS = DECODING + 32  # so that a Stop finds one, too
# Pages, and programs' requests, that gradio remembers: each takes 0.7 MB and more, and is let go only for a newer one.
SESSIONS = 1000


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


LAUNCH: dict[str, Any] = {
    "footer_links": ["api"],
    "run_history": False,
    "ssr_mode": False,
    "share": False,
    "max_file_size": "20mb",
    "max_threads": THREADS,
    "state_session_capacity": SESSIONS,
}
FORGET = (600, 600)  # seconds: how often uploaded files are looked through, and how old one may become


def build_page(
    session: Any,
    examples: Sequence[Example] | None = None,
    pictures: Any = None,
    picture_examples: Sequence[PictureExample] | None = None,
    plus: Any = None,
    results: Path | None = None,
    menu: ModelMenu | None = None,
) -> gr.Blocks:
    """The app; `session` is a wino_viz.session.Session or anything like it. Loads no model.

    `pictures` is a second one whose model sees; without it there is no Multimodal tab. `plus` is one whose model is
    decoded as WINO+ (wino_viz.plus); without it there is no such choice. Examples not given are read. `results` is the
    folder of measured files that the Explore tab draws (assets/results). `menu` has further models to choose from; its
    embedded ones are `session` and `pictures`.
    """
    menu = menu or ModelMenu(session, pictures)
    examples = read_examples() if examples is None else list(examples)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=FORGET) as demo:
        gr.HTML(f"<header class='page-head'><h1>{TITLE}</h1><p>{SUBTITLE}</p></header>", elem_id="page-head")
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Decode", id="decode"):
                decode = decode_tab(menu, examples, plus)
            with gr.Tab("Compare", id="compare"):
                compare_tab(menu, examples, plus)
            if pictures is not None:
                with gr.Tab("Multimodal", id="pictures"):
                    picture_tab(menu, read_picture_examples() if picture_examples is None else picture_examples)
            with gr.Tab("Explore", id="explore") as explore:
                explore_tab(session, decode, tabs, explore, RESULTS if results is None else results, plus)
            with gr.Tab("Lessons", id="lessons"):
                lessons_tab()
            with gr.Tab("Cases", id="cases"):
                cases_tab()
            with gr.Tab("How it works", id="how"):
                how_tab(examples)
        there = {name: tab for name, tab in TABS.items() if pictures is not None or name != "multimodal"}
        open_links(demo, decode, there, examples)
        _decode_endpoint(menu, plus)
        branch_endpoint(menu, plus)
        if pictures is not None:
            _caption_endpoint(menu)
    send_scripts_once(demo)
    demo.queue(max_size=WAITING)
    demo.max_threads = THREADS  # where the page is mounted in another app; launch() sets both anew
    demo.state_session_capacity = SESSIONS
    return demo


def _decode_endpoint(menu: ModelMenu, plus: Any) -> None:
    by_model = {name: menu.session(name) for name in menu.names()}
    if plus is not None:
        by_model[plus.model] = plus

    def decode(
        prompt: str,
        decoder: str | None = None,
        gen_length: int | None = None,
        block_length: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        model: str | None = None,
        preset: str | None = None,
        fixed: str = "",
        end_of_text: str = "free",
        cfg_scale: float = 0.0,
        earlier: list[list[str]] | None = None,
    ) -> dict:
        """Decode an answer to `prompt` and return its whole trace (the trace file's format, version 1).

        decoder is a SPEC: standard, standard:tokens_per_step=4, threshold:tau=0.9, factor:f=1.0, prophet,
        wino:tau1=0.6:tau2=0.9; left out it is wino, for a WINO+ model threshold. model is one of those that the page
        offers, left out the first. preset names settings of a task as in the paper ("gsm8k"), where the model has any. Lengths
        left out are the model's own. A countdown ("30, 100, 93 -> 23") or a 4x4 sudoku
        (16 digits, 0 for an empty cell) is asked in the words that models learn. fixed are words that stand from the start,
        by position from 0 ("0:Once, 5:upon"); end_of_text is free, last or never; cfg_scale is guidance, 0 for none.
        earlier are the turns of a conversation that stand before the prompt, the oldest first: [["question", "answer"], ...].
        """
        lengths = {"gen_length": gen_length, "block_length": block_length}
        try:
            session = menu.home if model is None else by_model.get(model) if isinstance(model, str) else None
            if session is None:
                known = ", ".join(by_model)
                raise ValueError(f"there is no model {described(model)} here: choose one of {known}")
            task = known_problem(prompt, None).get("task") if isinstance(prompt, str) else None
            spec = usual_spec(session.model) if decoder is None else decoder
            if preset is not None:
                session.named_preset(preset)
            settings = session.parse(spec, preset or (task if task in session.tasks else None))
            more = {"temperature": temperature, "seed": seed, "preset": preset}
            more |= {"fixed": fixed, "end_of_text": end_of_text, "cfg_scale": cfg_scale}
            more |= {"earlier": [] if earlier is None else earlier}
            decoding = session.start(prompt, settings, **lengths, **more)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return _whole_trace(decoding)

    gr.api(decode, api_name="decode", **MODEL_QUEUE)


def _caption_endpoint(menu: ModelMenu) -> None:
    names = menu.names(pictures=True)

    def caption(
        image: str | dict,
        question: str = CAPTION_PROMPTS[0],
        decoder: str | None = None,
        gen_length: int | None = None,
        block_length: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        model: str | None = None,
        preset: str | None = None,
        fixed: str = "",
        end_of_text: str = "free",
        cfg_scale: float = 0.0,
        earlier: list[list[str]] | None = None,
    ) -> dict:
        """Decode what the model says of a picture and return its whole trace (the trace file's format, version 1).

        image is a file (gradio_client.handle_file), or its bytes as base64 or a data URL; it is not kept. question asks
        for a description unless it asks something else. decoder, model and preset are as in decode, of the models
        that see. Lengths left out are those that the model learned for descriptions, or for answers to questions. fixed,
        end_of_text and cfg_scale are as in decode; guidance masks the picture, too, in the pass without the prompt. earlier are
        questions about the picture and their answers, as in decode.
        """
        try:
            if model is not None and model not in names:
                raise ValueError(f"there is no model {described(model)} here: choose one of {', '.join(names)}")
            session = menu.session(names[0] if model is None else model)
            if preset is not None:
                session.named_preset(preset)
            usual = session.lengths(preset or ("caption" if question in CAPTION_PROMPTS else "vqa"))
            sizes = {
                "gen_length": usual[0] if gen_length is None else gen_length,
                "block_length": usual[1] if block_length is None else block_length,
            }
            picture = session.see(_picture_of(image))
            settings = session.parse(usual_spec(session.model) if decoder is None else decoder, preset)
            record = {"task": "vqa", "image": "picture", "question": question}
            more = {**sizes, "temperature": temperature, "seed": seed, "record": record, "preset": preset}
            more |= {"earlier": [] if earlier is None else earlier}
            more |= {"fixed": fixed, "end_of_text": end_of_text, "cfg_scale": cfg_scale}
            decoding = session.start(question, settings, picture=picture, **more)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return _whole_trace(decoding)

    gr.api(caption, api_name="caption", **MODEL_QUEUE)


def _picture_of(image: Any) -> Any:
    """The picture that a program sent: a file that gradio keeps for it, which goes as soon as it is open, or base64."""
    if not isinstance(image, dict):
        return open_picture(file_bytes(image))
    if "\0" in (name := str(image.get("path"))):
        raise PictureError("There is no such file.")
    try:
        path = Path(name).resolve()
        if not path.is_relative_to(Path(get_upload_folder()).resolve()):  # a path is anybody's to write
            raise PictureError("There is no such file.")
        try:
            return open_picture(path)
        finally:
            path.unlink(missing_ok=True)
    except OSError:
        raise PictureError("There is no such file.") from None


def _whole_trace(decoding: Any) -> dict:
    for _ in decoding:
        pass
    return decoding.trace().to_dict()
