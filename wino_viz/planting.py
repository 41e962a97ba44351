"""One token changed by hand in a trace, by a person: what was asked for, checked and put into words.

plant = read_plant(session, trace, at_pass=5, position=14, text="17")
decodings = [session.branch(trace, plant.at_pass, plant.edits, settings) for settings in lanes(session, trace, plant)]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wino_viz import untrusted
from wino_viz.decoding import Settings, StandardSettings, Start, WinoSettings, canvas_after, settings_of
from wino_viz.decoding.base import check_whole
from wino_viz.drawing.replay import piece
from wino_viz.drawing.words import name
from wino_viz.problems import known_problem
from wino_viz.trace import Trace
from wino_viz.untrusted import described

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint
    from wino_viz.session import Session

RULES = (WinoSettings.name, StandardSettings.name)  # the one that can take a planted token back, and the one that can't
LONGEST_TEXT = 60  # characters; no token is as long
MOST_SHOWN = 5  # tokens of a text that is more than one
NAME_LENGTH = 24  # characters of a token in the name of a branch


@dataclass(frozen=True)
class Plant:
    """After pass `at_pass` of a trace, `position` gets the token `id`, or None: it is masked again. `name` tells of it."""

    at_pass: int
    position: int
    id: int | None
    name: str

    @property
    def edits(self) -> dict[int, int | None]:
        """As `Session.branch` takes them."""
        return {self.position: self.id}


def read_plant(
    session: Session, trace: Trace, at_pass: Any, position: Any, *, id: Any = None, text: Any = None
) -> Plant:
    """What a person asks for: a token by its `id`, or by a `text` that is one token; with neither, the mask.

    Raises ValueError with one sentence for what can't be done. Loads the model.
    """
    canvas = canvas_after(trace, at_pass)
    check_whole("position", position, 0, trace.gen_length - 1)
    before = None if canvas[position] == trace.mask_id else canvas[position]
    checkpoint = session.checkpoint()
    if text is not None:
        id = one_token(checkpoint, text, trace.pieces.get(before, ""))
    if id is not None:
        check_whole("a token", id, 0, checkpoint.denoiser.model.config.vocab_size - 1)
    Start.of(trace, at_pass, {position: checkpoint.mask_id if id is None else id})
    known = replace(trace, pieces={**trace.pieces, **checkpoint.pieces({before, id} - {None})})
    return Plant(at_pass, position, id, f"pass {at_pass}: {_short(known, before)} → {_short(known, id)}")


def one_token(checkpoint: Checkpoint, text: Any, instead: str = "") -> int:
    """The token that a typed text is, with a space before it or without: as `instead` has it, where both are tokens.

    Raises ValueError with one sentence for a text that is none, or more than one.
    """
    from wino_viz.models.chat import plain_ids  # brings transformers, which takes its time

    if not isinstance(text, str) or text == "":
        raise ValueError("nothing was typed: write the text of one token")
    untrusted.text(text, "the text")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{described(text)} is too long for one token")
    bare = text.lstrip(" ")
    ways = list(dict.fromkeys([text, f" {bare}", bare]))
    if instead.startswith(" ") and text == bare:
        ways.sort(key=lambda way: not way.startswith(" "))  # the spaced one first
    found = [plain_ids(checkpoint.tokenizer, way) for way in ways]
    for ids in found:
        if len(ids) == 1 and ids[0] != checkpoint.mask_id:
            return ids[0]
    parts = [f"“{checkpoint.pieces([i])[i]}”" for i in found[-1][:MOST_SHOWN]]
    more = ", …" if len(found[-1]) > MOST_SHOWN else ""
    raise ValueError(
        f"{described(text)} is {len(found[-1])} tokens of {checkpoint.name} ({', '.join(parts)}{more}): "
        "write a text that is one token"
    )


def lanes(session: Session, trace: Trace, plant: Plant) -> list[Settings]:
    """WINO and standard decoding, with the settings that the trace had there, else those that suit its problem."""
    had = trace.decoder_of(plant.at_pass + 1)
    task = known_problem(trace.prompt, None).get("task")
    task = task if task in session.tasks else None
    return [settings_of(had) if had.get("name") == rule else session.settings(rule, task) for rule in RULES]


def _short(trace: Trace, token: int | None) -> str:
    """A token in the name of a branch."""
    if token is None:
        return "mask"
    shown = piece(trace, token)
    text = shown.core if shown.kind not in ("end", "space") else name(trace, token)
    text = text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
    return text if shown.kind != "text" or any(map(str.isalnum, text)) else f"“{text}”"
