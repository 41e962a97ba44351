"""What lies on one open page of the Multimodal tab: the picture, what runs about it, and its last answer.

desk = Desk(of_example(example))
desk.put(composed(seed=7))            another picture; what runs ends
asked_about(desk, trace)              the problem of a trace, where it is about this picture
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wino_viz.pictures import data_url
from wino_viz.trace import Trace, dumps
from wino_viz.ui.examples import PictureExample
from wino_viz.ui.picture_form import CLEAR_SIDE, Shown
from wino_viz.ui.picture_turns import kind_of
from wino_viz.ui.watching import Current


@dataclass
class Desk:
    """What lies on one open page (a gr.State): the picture, what runs, and the last finished answer about it."""

    shown: Shown
    current: Current = field(default_factory=Current)
    runs: int = 0
    two_lanes: bool = False  # whether the last run went to the player for two
    decoding: Any = None
    model: str = ""  # that was chosen; "": the embedded one

    def put(self, shown: Shown) -> None:
        """Another picture; what runs ends."""
        self.current.end()
        self.shown, self.decoding = shown, None

    def begin(self, two_lanes: bool) -> int:
        """A new run; its number."""
        self.runs, self.two_lanes, self.decoding = self.runs + 1, two_lanes, None
        return self.runs


def asked_about(desk: Desk, trace: Trace) -> dict[str, Any] | None:
    """The problem record of a trace, where it is about the picture that is shown."""
    shown = desk.shown
    if shown.codes is None or codes_of(trace) != [code for row in shown.codes for code in row]:
        return None
    return shown.record(kind_of(trace.prompt), trace.prompt)


def picture_about(desk: Desk, trace: Trace) -> tuple[str, str] | None:
    """The picture that is shown, as (data URL, what it shows), where a trace is about it."""
    return None if asked_about(desk, trace) is None else (desk.shown.url, desk.shown.alt)


def codes_of(trace: Trace) -> list[int] | None:
    """The codes of the picture in a trace's prompt, row after row; None where it names none. It may come from anywhere."""
    where = trace.extra.get("picture")
    told = [where.get(key) for key in ("first", "rows", "columns", "offset")] if isinstance(where, dict) else []
    if not told or any(type(number) is not int or number < 0 for number in told):
        return None
    first, rows, columns, offset = told
    return [token - offset for token in trace.prompt_ids[first : first + rows * columns]]


def of_example(example: PictureExample) -> Shown:
    """The picture of a recorded example, with what the model made of it then."""
    task = example.record["task"]
    width, height = example.image.size
    return Shown(
        image=example.image,
        url=data_url(example.image, CLEAR_SIDE),
        alt="The picture of the recorded example.",
        about="recorded" if width == height else "recorded, its middle square",
        name=example.record["image"],
        problems={example.trace.prompt: example.record} if task == "vqa" else {},
        caption=example.record if task == "caption" else None,
        codes=example.codes,
        seen=data_url(example.seen, CLEAR_SIDE),
    )


def words_message(words: Iterable[Sequence[Any]] | None = None, state: str | None = None) -> str:
    """The value of WordsFromPicture; of words as (position, id, piece, with the picture, with a blank one)."""
    if words is None and state is None:
        return dumps(None)
    rows = [dict(zip(("piece", "picture", "blank"), word[2:], strict=True)) for word in words or ()]
    return dumps({"id": uuid.uuid4().hex, "state": state, "words": None if words is None else rows})
