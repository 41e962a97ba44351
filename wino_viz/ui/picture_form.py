"""What the Multimodal tab asks for: a picture (composed, brought or recorded) and a question about it.

shown = composed(seed=7, count=3)       a drawn scene, with its questions
shown = brought("data:image/jpeg;…")    a picture of one's own; PictureError with one sentence
shown.see(session).codes                what the model reads; loads it where that has not happened
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

import gradio as gr

from wino_viz.pictures import MAX_BYTES, PictureError, data_url, open_picture
from wino_viz.tasks.scenes import (
    HELD_OUT,
    MAX_THINGS,
    MIN_THINGS,
    caption_record,
    compose,
    draw,
    question_record,
)
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS, SUGGESTIONS, question
from wino_viz.trace import dumps
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.widgets import Chips, PictureInput

if TYPE_CHECKING:
    from PIL.Image import Image

    from wino_viz.tasks.scenes import Scene

MAX_SEED = 2**32 - 1
SEEDS = 10_000  # a new scene takes one of these: short enough to be read out
ANY = 0  # in the list of numbers of objects
COUNTS = [("any", ANY), *((str(n), n) for n in range(MIN_THINGS, MAX_THINGS + 1))]
ASKS = [("A description", "caption"), ("An answer", "vqa")]
WHATS = [("One run", "one"), ("Two decoders", "two"), ("Picture or blank", "blank")]

CLEAR_SIDE = 320  # pixels of a scene on the page; the model gets it as it was trained on scenes, at draw's own size
KEPT_SIDE = 1024  # pixels along each side of the square that is kept while it is shown: more than a model here looks at
OFFERED = 3  # suggestions at a time
KINDS = ("colour", "count", "relation", "shape", "size")  # of questions, in the order in which they are offered
ASKED_OF_A_SCENE = 1500  # questions that are worded to find a typed one among them: almost all that there are

HINT = "Or paste or drop one. mmada-mini knows drawn scenes only."
NEITHER = "The picture must come as base64 or a data URL; from gradio_client as handle_file(path)."
WARNING = {
    "text": "The small model here has only ever seen drawn scenes like the composed ones: it will name coloured shapes "
    "whatever your picture shows.",
    "more": "For photographs load Gen-Verse/MMaDA-8B-MixCoT, with showlab/magvitv2 as its image tokenizer:",
    "code": "python -m wino_viz decode --model FOLDER --image-tokenizer FOLDER --image photo.jpg",
}


@dataclass
class Shown:
    """A picture on the page.

    image       what the model is given            url, alt, about   what the page shows of it, and says
    name        of its file, in records            scene, problems   what it shows and its questions, where that is known
    seen, codes what the model makes of it, as soon as that is known; `picture` is the session's own form of it
    """

    image: Image
    url: str
    alt: str
    about: str
    name: str = "picture.png"
    scene: Scene | None = None
    problems: dict[str, dict[str, Any]] = field(default_factory=dict)  # by question
    caption: dict[str, Any] | None = None
    foreign: bool = False  # from outside the scenes that the small model knows
    codes: list[list[int]] | None = None
    seen: str | None = None
    picture: Any = None

    def see(self, session: Any) -> Any:
        """The session's Picture of it, made once; ValueError with one sentence. Loads the model."""
        if self.picture is None:
            self.picture = session.see(self.image)
            self.codes = self.picture.codes.tolist()
            self.seen = data_url(self.picture.seen, CLEAR_SIDE)
        return self.picture

    def unseen(self) -> Shown:
        """The same picture as another model finds it: not looked at yet."""
        return replace(self, codes=None, seen=None, picture=None)

    def message(self, warn: bool) -> str:
        """The value of the PictureStrip; `warn` of a picture that the model does not know."""
        about = {"image": self.url, "alt": self.alt, "about": self.about, "codes": self.codes, "seen": self.seen}
        return dumps({"id": uuid.uuid4().hex, **about, "warning": WARNING if warn and self.foreign else None})

    def record(self, ask: str, prompt: str) -> dict[str, Any]:
        """The problem record that an answer is judged by; one without an answer where none is known."""
        scene = {"scene": self.scene.to_dict()} if self.scene else {}
        if ask == "caption":
            return self.caption or {"task": "caption", "image": self.name, **scene}
        known = self.problems.get(prompt.strip()) or self._known(prompt)
        return known or {"task": "vqa", "image": self.name, "question": prompt, **scene}

    def _known(self, prompt: str) -> dict[str, Any] | None:
        """The problem of a typed question that could have been worded here, too."""
        if self.scene is None:
            return None
        rng, asked = Random(0), _plain(prompt)
        for number in range(ASKED_OF_A_SCENE):
            one = question(self.scene, rng, KINDS[number % len(KINDS)])
            if _plain(one.text) == asked:
                return question_record(self.scene, self.name, one) | {"question": prompt}
        return None

    def suggestions(self, ask: str) -> list[str]:
        """What may be asked, the best first."""
        return list(CAPTION_PROMPTS if ask == "caption" else self.problems or SUGGESTIONS)[:OFFERED]

    def is_suggested(self, prompt: str) -> bool:
        """Whether a question came from here, rather than from a person."""
        return prompt.strip() in {"", *CAPTION_PROMPTS, *SUGGESTIONS, *self.problems}


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip("?. ")


def composed(seed: Any, count: Any = ANY, novel: bool = False) -> Shown:
    """The scene of a seed, with its questions; `novel`: with a pair of shape and colour that training never showed.

    ValueError with one sentence for a seed or a count that is none.
    """
    if isinstance(seed, float) and seed.is_integer():
        seed = int(seed)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"The seed must be a whole number, 0 to {MAX_SEED}.")
    scene = compose(seed, count or None, "test" if novel else "validation")
    name = f"scene-{seed}-{count or 'any'}{'-novel' if novel else ''}.png"
    rng = Random(seed)
    asked = {(one := question(scene, rng, kind)).text: question_record(scene, name, one) for kind in KINDS}
    things = [f"{thing.size} {thing.colour} {thing.shape}" for thing in scene.things]
    return Shown(
        image=draw(scene),
        url=data_url(draw(scene, CLEAR_SIDE), CLEAR_SIDE),
        alt=f"A drawn scene: {', '.join(things)}.",
        about=f"scene {seed}, {len(things)} objects{_never_shown(scene)}",
        name=name,
        scene=scene,
        problems=asked,
        caption=caption_record(scene, name, rng),
    )


def _never_shown(scene: Scene) -> str:
    pairs = [f"{colour} {shape}" for shape, colour in sorted(HELD_OUT)]
    found = [pair for pair in pairs if any(f"{thing.colour} {thing.shape}" == pair for thing in scene.things)]
    return f"; never shown in training: {', '.join(found)}" if found else ""


def brought(url: Any) -> Shown:
    """A picture of one's own from the data URL that a browser makes of a file; PictureError with one sentence."""
    picture = open_picture(file_bytes(url))
    width, height = picture.size
    cut = "" if width == height else ", its middle square"
    picture = middle_square(picture)
    picture.thumbnail((KEPT_SIDE, KEPT_SIDE))
    return Shown(
        image=picture,
        url=data_url(picture),
        alt="The picture that you brought.",
        about=f"yours, {width} × {height}{cut}",
        foreign=True,
    )


def middle_square(picture: Image) -> Image:
    """What a model looks at."""
    width, height = picture.size
    side = min(width, height)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return picture.crop((left, top, left + side, top + side))


def file_bytes(url: Any) -> bytes:
    """What a data URL, or base64 alone, holds; PictureError for anything else."""
    if not isinstance(url, str):
        raise PictureError("There is no picture.")
    url = "".join(url.split())  # base64 is often broken into lines
    if len(url) > MAX_BYTES * 4 // 3 + 200:
        raise PictureError(f"The file is larger than {MAX_BYTES // 10**6} MB.")
    head, _, data = url.rpartition(",")
    if head and not (head.startswith("data:") and head.endswith(";base64")):
        raise PictureError(NEITHER)
    try:
        return base64.b64decode("" if data == "data:" else data, validate=True)
    except (binascii.Error, ValueError):
        raise PictureError(NEITHER) from None


class PictureForm:
    """The picture: a new scene by seed and number of objects, or one brought along."""

    def __init__(self, seed: int) -> None:
        gr.HTML("<h2>Picture</h2>")
        with gr.Row(elem_classes="picture-scene"):
            self.new = gr.Button("New scene", size="md", elem_id="picture-new")
            self.count = gr.Dropdown(COUNTS, value=ANY, label="Objects", filterable=False, elem_id="picture-count")
            self.seed = gr.Number(seed, label="Seed", precision=None, elem_id="picture-seed")
        self.novel = gr.Checkbox(
            False, label="with a pair it never saw in training", elem_id="picture-novel", container=False
        )
        self.bring = PictureInput(bring_message(), label="A picture of your own", elem_id="picture-bring")


class QuestionForm:
    """What to ask for, the words of it, and suggestions."""

    def __init__(self, shown: Shown, ask: str, prompt: str) -> None:
        with gr.Column(elem_classes="picture-question", min_width=200):
            self.ask = gr.Radio(ASKS, value=ask, label="Ask for", elem_classes="segments", elem_id="picture-ask")
            self.prompt = gr.Textbox(
                prompt,
                label="Question",
                show_label=False,
                container=False,
                lines=2,
                max_lines=6,
                elem_id="picture-prompt",
            )
            self.chips = Chips(chips_message(shown, ask), label="Suggestions", elem_id="picture-chips")

        def take(event: gr.EventData) -> str:
            return chosen_text(event)

        self.chips.select(take, None, self.prompt, queue=False, **HIDDEN)


def chosen_text(event: gr.EventData) -> str:
    """The text of a suggestion that was pressed; it comes from a browser, so from anywhere."""
    data = event._data
    text = data.get("text") if isinstance(data, Mapping) else None
    return text if isinstance(text, str) else ""


def bring_message() -> str:
    """A new value for the PictureInput, which is ready again with it."""
    return dumps({"id": uuid.uuid4().hex, "hint": HINT})


def chips_message(shown: Shown, ask: str) -> str:
    """The value of the Chips: what may be asked about a picture."""
    return dumps({"id": uuid.uuid4().hex, "texts": shown.suggestions(ask)})
