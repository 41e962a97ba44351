"""Why was a token taken back? Ask the model: how probable would it have been without each of the tokens beside it?

    why = ask_why(session, trace, at_pass=4, position=22)
    print(why_sentence(trace, why))

    The judge gave “takes” 0.41. With “it” (token 25) masked again it would have been 1.00;
    with any other one masked, 0.62 at most.

The shadow block judges the token once more as it did in that pass, and once for each token that its draft had not seen with
that one masked again: all in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wino_viz.decoding import Forward, canvas_after, shadow_attention, shadow_position_ids
from wino_viz.decoding.base import check_whole
from wino_viz.decoding.controls import Controls
from wino_viz.drawing.words import name
from wino_viz.trace import Trace

if TYPE_CHECKING:
    from wino_viz.session import Session

MOST_ASKED = 16  # tokens that are masked in turn: the nearest of those that the draft had not seen
MOST_NAMED = 3
NOTABLE = 0.05  # by how much a probability must rise to be worth a sentence


class Cause(NamedTuple):
    """A token that stood when another one was judged, and how probable that would have been without it."""

    position: int
    id: int
    probability: float


@dataclass(frozen=True)
class Why:
    """The token `id` at `position` was taken back by pass `at_pass` with `probability`, as it is measured again here.

    `causes` are sorted, the one that counted most first; `without_all` is its probability without all of them at once.
    """

    at_pass: int
    position: int
    id: int
    probability: float
    causes: tuple[Cause, ...]
    without_all: float


def ask_why(session: Session, trace: Trace, at_pass: Any, position: Any) -> Why:
    """See the head of this file. Raises ValueError with one sentence; loads the model where that has not happened."""
    check_whole("at_pass", at_pass, 1, trace.forward_passes)
    check_whole("position", position, 0, trace.gen_length - 1)
    step = trace.steps[at_pass - 1]
    revoked = next((token.id for token in step.remasked if token.position == position), None)
    if revoked is None:
        raise ValueError(f"pass {at_pass} took no token back at position {position}")
    if trace.model != session.model:
        raise ValueError(f"only the model that made a trace can be asked, and this is {session.model}")
    checkpoint = session.checkpoint()
    controls = session.branch(trace, 0).canvas.controls  # refuses what is not this model's
    canvas = np.array(canvas_after(trace, at_pass - 1))
    asked = [*unseen(trace, at_pass, position)]
    variants = [
        canvas,
        *(_masked(canvas, [place], trace.mask_id) for place in asked),
        _masked(canvas, asked, trace.mask_id),
    ]
    forwards = [_judge(trace, controls, tokens, position, revoked, step.block) for tokens in variants]
    answers = session.service.user(checkpoint).predict(forwards)
    given = [float(answer.given_probability[0]) for answer in answers]
    causes = [Cause(place, int(canvas[place]), p) for place, p in zip(asked, given[1:-1], strict=True)]
    causes.sort(key=lambda cause: -cause.probability)
    return Why(at_pass, position, revoked, given[0], tuple(causes), given[-1])


def unseen(trace: Trace, at_pass: int, position: int) -> list[int]:
    """The positions whose tokens the draft at `position` had not seen when pass `at_pass` judged it, the nearest first; at
    most MOST_ASKED of them, without ends of text. Of a planted token they are those that came after it.
    """
    drafted = [n for n in range(1, at_pass) if any(token.position == position for token in trace.steps[n - 1].drafted)]
    edited = [b.at_pass for b in trace.branches for e in b.edits if e.position == position and b.at_pass < at_pass]
    first = max([*drafted, *(at + 1 for at in edited)], default=1)
    canvas = canvas_after(trace, at_pass - 1)
    found = {
        token.position
        for step in trace.steps[first - 1 : at_pass - 1]
        for token in step.drafted
        if token.position != position and canvas[token.position] == token.id and token.id not in trace.end_ids
    }
    return sorted(found, key=lambda place: (abs(place - position), place))[:MOST_ASKED]


def why_sentence(trace: Trace, why: Why) -> str:
    """What was measured, in words."""
    start = f"The judge gave {name(trace, why.id)} {why.probability:.2f}."
    if not why.causes:
        return f"{start} Nothing stood there that its draft had not seen."
    first, *others = why.causes
    if first.probability - why.probability < NOTABLE:
        together = f"; without all {len(why.causes)} of them, {why.without_all:.2f}" if others else ""
        return f"{start} No single token beside it mattered: at most {first.probability:.2f} without one{together}."
    alike = [cause for cause in why.causes if first.probability - cause.probability < NOTABLE]
    named = " or ".join(f"{name(trace, cause.id)} (token {cause.position + 1})" for cause in alike[:MOST_NAMED])
    more = f" or one of {len(alike) - MOST_NAMED} more" if len(alike) > MOST_NAMED else ""
    rest = why.causes[len(alike) :]
    less = f"; with any other one masked, {rest[0].probability:.2f} at most" if rest else ""
    about = "about " if len(alike) > 1 else ""
    return f"{start} With {named}{more} masked again it would have been {about}{first.probability:.2f}{less}."


def _masked(canvas: np.ndarray, places: list[int], mask_id: int) -> np.ndarray:
    changed = canvas.copy()
    changed[places] = mask_id
    return changed


def _judge(trace: Trace, controls: Controls, tokens: np.ndarray, position: int, token: int, block: int) -> Forward:
    """The pass in which the shadow of a block judges one token of it, under the guidance and without the ids of the trace's."""
    shape = len(trace.prompt_ids), trace.gen_length, trace.block_length, block
    slot = len(trace.prompt_ids) + trace.gen_length + position - block * trace.block_length
    shadow = np.full(trace.block_length, trace.mask_id)
    return Forward(
        ids=np.concatenate((trace.prompt_ids, tokens, shadow)).astype(np.int64),
        rows=np.array([slot]),
        given=np.array([token]),
        position_ids=shadow_position_ids(*shape),
        attention=shadow_attention(*shape),
        **controls.of_forward(len(trace.prompt_ids)),
    )
