"""The recorded traces of examples/traces and examples/pictures, in the order of their file names.

A trace may carry "title", "note" (one sentence) and "record" (the problem with its answer) as extra keys. One about a
picture also carries "image" and "seen" (PNGs beside it: the picture, and what its tokens stand for), "picture" (where
the tokens stand in prompt_ids) and perhaps "words" (how each word hangs on the picture).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wino_viz import untrusted
from wino_viz.pictures import PictureError, open_picture
from wino_viz.plus import is_wino_plus
from wino_viz.problems import known_problem
from wino_viz.tasks.registry import TASKS, check_record
from wino_viz.trace import Trace, TraceError
from wino_viz.ui.messages import trace_message

if TYPE_CHECKING:
    from PIL.Image import Image

TRACES = Path(__file__).resolve().parents[2] / "examples" / "traces"
PICTURES = TRACES.parent / "pictures"
TITLE_LENGTH = 48
MOST_CODES = 64  # along each side of a picture

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One recorded trace with its title, a note (may be empty) and the problem record, where they are known.

    `name` stands for it in links: that of its file, without the number that orders it.
    """

    title: str
    note: str
    record: dict[str, Any]
    trace: Trace
    name: str = field(default="", kw_only=True)

    def message(
        self,
        *,
        play: bool = False,
        verdict: dict[str, Any] | None = None,
        at: int | None = None,
        token: int | None = None,
    ) -> str:
        """The player's message: from the start when it plays, else at pass `at`, or open at its most telling pass.

        `token` is a position whose card is shown.
        """
        if at is None:
            at = 0 if play else most_telling_pass(self.trace)
        about = {"example": self.name} if self.name else None
        return trace_message(self.trace, at=at, play=play, verdict=verdict, token=token, about=about)


@dataclass(frozen=True, eq=False)
class PictureExample(Example):
    """A recorded trace about a picture: the picture, what its codes (rows of whole numbers) stand for, and per word
    [position, id, piece, probability with the picture, probability with a blank one] where that was asked.
    """

    image: Image
    seen: Image
    codes: list[list[int]]
    words: list[list[Any]]


def read_examples(folder: Path = TRACES) -> list[Example]:
    """Every readable trace of the folder; one that is not is left out, and the log says why."""
    return [
        Example(
            **_about(trace),
            record=record_of(trace),
            trace=trace,
            name=plain_name(path.stem),
        )
        for path, trace in _read_traces(folder)
    ]


def plain_name(name: str) -> str:
    """The name of an example's file without the number that orders it: it stays when examples are ordered anew."""
    return re.sub("^[0-9]+-", "", name.strip().lower())


def read_picture_examples(folder: Path = PICTURES) -> list[PictureExample]:
    """Every readable trace about a picture; one that is not, or whose picture is not, is left out and logged."""
    examples = []
    for path, trace in _read_traces(folder):
        try:
            examples.append(_picture_example(path, trace))
        except ValueError as error:
            log.warning("%s is left out: %s", path, error)
    return examples


def _read_traces(folder: Path) -> Iterator[tuple[Path, Trace]]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield path, Trace.from_json(path.read_bytes())
        except (TraceError, OSError) as error:
            log.warning("%s is left out: %s", path, error)


def _about(trace: Trace) -> dict[str, str]:
    title, note = (trace.extra.get(key) for key in ("title", "note"))
    return {
        "title": title if isinstance(title, str) and title.strip() else _shortened(trace.prompt),
        "note": note if isinstance(note, str) else "",
    }


def most_telling_pass(trace: Trace) -> int:
    """The pass that takes back most tokens (the first of them); the last one where none does."""
    revoked = [len(step.remasked) for step in trace.steps]
    return revoked.index(max(revoked)) + 1 if any(revoked) else len(revoked)


def best_example(examples: Sequence[Example]) -> Example | None:
    """The first that takes tokens back, else the first."""
    return next((example for example in examples if example.trace.revocations), examples[0] if examples else None)


def recorded_together(examples: Sequence[Example], wanted: Sequence[tuple[str, bool]]) -> list[Example]:
    """Recordings of one prompt by the decoders of `wanted`, in their order: each a decoder's name, and whether by a
    WINO+ model. Empty when there are none of all, else those of the first prompt for which there are.
    """
    made: dict[tuple, dict[tuple[str, bool], Example]] = {}
    for example in examples:
        trace = example.trace
        same = made.setdefault((trace.prompt, trace.gen_length, trace.block_length), {})
        same.setdefault((trace.decoder["name"], is_wino_plus(trace.model)), example)
    return next(([same[kind] for kind in wanted] for same in made.values() if same.keys() >= {*wanted}), [])


def record_of(trace: Trace) -> dict[str, Any]:
    """The problem record of a trace, of whichever task in words; what the prompt says itself where none fits it."""
    try:
        record = check_record(trace.extra.get("record"))
    except ValueError:
        return known_problem(trace.prompt, None)
    return known_problem(trace.prompt, None if TASKS[record["task"]].has_image else record)


def _picture_example(path: Path, trace: Trace) -> PictureExample:
    """The whole of an example; raises ValueError (TraceError, PictureError) for whatever is missing or wrong."""
    extra = trace.extra
    image, seen = (_picture_beside(path, extra.get(key), key) for key in ("image", "seen"))
    record = check_record(extra.get("record"))
    if not TASKS[record["task"]].has_image:
        raise ValueError(f"record: {record['task']} is no task about pictures")
    if record["task"] == "vqa" and record["question"] != trace.prompt:
        raise ValueError("record: its question is not the prompt")
    return PictureExample(
        **_about(trace),
        record=record,
        trace=trace,
        image=image,
        seen=seen,
        codes=_codes(untrusted.mapping(extra.get("picture"), "picture"), trace.prompt_ids),
        words=_words(extra.get("words", []), trace.gen_length),
    )


def _picture_beside(path: Path, name: Any, key: str) -> Image:
    """A PNG in the folder of the trace, and nowhere else."""
    name = untrusted.text(name, key)
    if Path(name).name != name or not name.endswith(".png"):
        raise TraceError(f"{key} must be the name of a PNG beside the trace, not {untrusted.described(name)}")
    try:
        return open_picture(path.with_name(name))
    except PictureError as error:
        raise TraceError(f"{key}: {name}: {error}") from None


def _codes(where: dict[str, Any], prompt_ids: Sequence[int]) -> list[list[int]]:
    first, rows, columns, offset = (
        untrusted.natural(where.get(key), f"picture: {key}") for key in ("first", "rows", "columns", "offset")
    )
    if not (1 <= rows <= MOST_CODES and 1 <= columns <= MOST_CODES) or first + rows * columns > len(prompt_ids):
        raise TraceError(f"picture: {rows} × {columns} tokens from {first} on are not in the prompt")
    codes = [token - offset for token in prompt_ids[first : first + rows * columns]]
    if min(codes) < 0:
        raise TraceError(f"picture: a token of it lies below the offset {offset}")
    return [codes[row * columns : (row + 1) * columns] for row in range(rows)]


def _words(given: Any, gen_length: int) -> list[list[Any]]:
    for position, token, piece, *probabilities in untrusted.rows(given, 5, "words"):
        untrusted.natural(token, "words: an id")
        untrusted.text(piece, "words: a piece")
        for value in probabilities:
            untrusted.probability(value, "words")
        if untrusted.natural(position, "words: a position") >= gen_length:
            raise TraceError(f"words: there is no position {position}")
    return given


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"
