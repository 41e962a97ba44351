"""Earlier turns of a conversation: the questions and answers that stand before a new question.

    earlier = goes_on(Trace.from_json(text), "llada-mini")       what that trace holds, with its own question and answer
    decoding = session.start("And if she loses 3?", settings, earlier=earlier)

Turns may come from anywhere (a trace file, a program, a browser): `read_turns` bounds their number and their length.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wino_viz import untrusted

if TYPE_CHECKING:
    from wino_viz.trace import Trace

Turns = tuple[tuple[str, str], ...]  # (question, answer), the oldest first

MAX_TURNS = 64
MAX_CHARACTERS = 100_000  # of all turns together: several times what the largest context here can hold


class ConversationTooLong(ValueError):
    """A conversation for which the model has no room; `fits` of its newest earlier turns would have (None: not known)."""

    def __init__(self, sentence: str, fits: int | None = None) -> None:
        super().__init__(sentence)
        self.fits = fits


def read_turns(value: Any, where: str = "earlier") -> Turns:
    """Turns as they come: a list of [question, answer]. An answer may be empty, for models do say nothing; a question not.

    Raises TraceError (a ValueError) with one sentence; ConversationTooLong where they are too many, or too long.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise untrusted.TraceError(f"{where} must be a list of [question, answer], not {untrusted.described(value)}")
    if len(value) > MAX_TURNS:
        raise ConversationTooLong(f"{where}: {len(value)} turns are too many, {MAX_TURNS} are the most", MAX_TURNS)
    turns = []
    for number, turn in enumerate(value, start=1):
        if isinstance(turn, str) or not isinstance(turn, Sequence) or len(turn) != 2:
            raise untrusted.TraceError(f"{where}: turn {number} must be [question, answer]")
        question, answer = (
            untrusted.text(text, f"{where}: the {name} of turn {number}")
            for text, name in zip(turn, ("question", "answer"), strict=True)
        )
        if not question.strip():
            raise untrusted.TraceError(f"{where}: the question of turn {number} is empty")
        turns.append((question, answer))
    if (count := sum(len(question) + len(answer) for question, answer in turns)) > MAX_CHARACTERS:
        raise ConversationTooLong(f"{where}: {count:,} characters are too many, {MAX_CHARACTERS:,} are the most")
    return tuple(turns)


def goes_on(trace: Trace, model: str, instead: bool = False) -> Turns:
    """The conversation that a trace holds, as the earlier turns of a question to `model`: its own, then what it asks and says.

    `instead`: the question takes the place of the trace's own, which is left out, whether it was answered or not. Raises
    ValueError with one sentence for a trace that another model made, or that was stopped before its end.
    """
    if trace.model != model:
        made, this = untrusted.described(trace.model), untrusted.described(model)
        raise ValueError(
            f"only the model that gave an answer is asked a follow-up: that was {made}, and this is {this}"
        )
    if instead:
        return trace.earlier
    if trace.mask_id in trace.output_ids:
        raise ValueError("a follow-up comes after a whole answer, and this one was stopped before its end")
    return read_turns([*trace.earlier, (trace.prompt, trace.text)])
