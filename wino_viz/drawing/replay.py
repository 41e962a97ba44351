"""How things stand after each pass of a trace, and what a token's text looks like: assets/player/replay.js in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wino_viz.trace import Step, Trace

STATES = ("masked", "drafted", "verified", "remasked", "placed", "fixed")
MASKED, DRAFTED, VERIFIED, REMASKED, PLACED, FIXED = STATES
STATE_WORDS = {
    MASKED: "masked",
    DRAFTED: "drafted in this pass",
    VERIFIED: "passed verification",
    REMASKED: "taken back, masked again",
    PLACED: "placed earlier",
    FIXED: "fixed from the start",
}
BREAK = "↵"  # how a line break is written
FEWEST_ENDS = 3  # a shorter tail of end of text is not folded

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
_HIDDEN = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Frame:
    """The canvas after pass `number` (0: before the first), with the step that led there.

    `ids` and `states` have one entry per position (ids of masked positions are None); `revoked` holds the ids that this
    pass took back, by position; `marks` the positions that were changed by hand: "planted" while that token stands, "site"
    from then on. `placed` counts standing tokens but those that were fixed, `revocations` those taken back up to here.
    """

    number: int
    step: Step | None
    ids: tuple[int | None, ...]
    states: tuple[str, ...]
    revoked: Mapping[int, int]
    revocations: int
    marks: Mapping[int, str] = field(default_factory=dict)

    @property
    def current(self) -> int:
        """The block that this pass worked on."""
        return self.step.block if self.step else 0

    @property
    def placed(self) -> int:
        standing = zip(self.ids, self.states, strict=True)
        return sum(token is not None and state != FIXED for token, state in standing)


def frames(trace: Trace) -> Iterator[Frame]:
    """The canvas before the first pass and after each: one more than there are passes."""
    revocations = 0
    marks: dict[int, str] = {}
    for number, (step, canvas) in enumerate(zip([None, *trace.steps], trace.canvases(), strict=True)):
        ids = tuple(None if token == trace.mask_id else token for token in canvas)
        states = [MASKED if token is None else PLACED for token in ids]
        revoked: dict[int, int] = {}
        if step is not None:
            tau2 = trace.decoder_of(number).get("tau2")
            bar = tau2 if isinstance(tau2, int | float) else 0.0
            for position, probability in step.verified:
                if probability >= bar and ids[position] is not None:
                    states[position] = VERIFIED
            for position, _, _ in step.drafted:
                if ids[position] is not None:
                    states[position] = DRAFTED
            for position, token, _ in step.remasked:
                states[position], revoked[position] = REMASKED, token
            revocations += len(revoked)
            for token in (*step.drafted, *step.remasked) if marks else ():
                if token.position in marks:
                    marks[token.position] = "site"
        for position, token in trace.edits_after(number):
            states[position] = MASKED if token == trace.mask_id else PLACED
            marks[position] = "site" if token == trace.mask_id else "planted"
            revoked.pop(position, None)
        for position, _ in trace.fixed:
            states[position] = FIXED
        yield Frame(number, step, ids, tuple(states), revoked, revocations, dict(marks))


def verifies(trace: Trace) -> bool:
    """Whether this decoder judges placed tokens again."""
    return isinstance(trace.decoder.get("tau2"), int | float) or any(step.verified for step in trace.steps)


def block_range(trace: Trace, block: int) -> range:
    """The positions of a block."""
    return range(block * trace.block_length, (block + 1) * trace.block_length)


def end_tail(trace: Trace, frame: Frame, block: int) -> int | None:
    """Where the tail of a block starts that is end of text, with masks between at most; None for a short one."""
    start, ends = None, 0
    if not trace.end_ids:
        return None
    for position in reversed(block_range(trace, block)):
        if frame.revoked.get(position, frame.ids[position]) in trace.end_ids:
            start = position
            ends += 1
        elif frame.states[position] != MASKED:
            break
    return start if ends >= FEWEST_ENDS else None


@dataclass(frozen=True)
class Piece:
    """A token's text as it is drawn: the spaces before it, its core on one line (↵ for a line break), and after the last
    line break the spaces that indent the next line. `breaks`: a line ends with it. kind: text, space, end or special.
    """

    lead: str
    core: str
    kind: str = "text"
    breaks: bool = False
    indent: str = ""


def piece(trace: Trace, token: int) -> Piece:
    """The text of a token id; control characters and those that reorder text become visible."""
    if token in trace.end_ids:
        return Piece(" ", "end", "end")
    text = trace.pieces.get(token)
    if text is None:
        return Piece(" ", f"token {token}", "special")
    if text == "":
        return Piece("", "∅", "special")
    text = re.sub("\r\n?", "\n", text)
    text = _CONTROLS.sub(lambda found: chr(0x2400 + ord(found[0])), text)
    text = _HIDDEN.sub("\ufffd", text).replace("\t", "    ")
    kind = "space" if text.isspace() else "text"
    lead = re.match(" +(?=[^ ])", text)
    core = text[lead.end() :] if lead else text
    head, newline, rest = core.rpartition("\n")
    breaks = bool(newline) and not rest.strip(" ")
    shown = f"{head}\n" if breaks else core
    return Piece(lead[0] if lead else "", shown.replace("\n", BREAK), kind, breaks, rest if breaks else "")
