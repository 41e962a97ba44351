"""What a text says of a recorded trace, and whether it is so: used by lessons and case studies.

    point = Point.read({"position": 7, "is": "taken back", "token": "of", "p": 0.31}, "step 2: points")
    point.check(trace, 4, "step 2")         ClaimError, in one sentence, unless pass 4 takes back " of" at position 7

Whoever writes about a recording names what he sees; a trace that is recorded again can't make the words wrong unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from wino_viz import untrusted
from wino_viz.drawing.replay import end_tail, frames
from wino_viz.tasks import registry
from wino_viz.trace import LIMITS, Step, Trace

DRAFTED, PASSED, TAKEN_BACK, KEPT, LEANING, STANDING, MASKED, PLANTED = STATES = (
    "drafted",  # placed by this pass
    "passed",  # verified by this pass, at or above τ2
    "taken back",  # by this pass
    "kept",  # below τ2 in this pass, and not taken back
    "leaning",  # predicted by this pass, and left masked
    "standing",  # there after this pass
    "masked",  # nothing there after this pass
    "planted",  # put there by hand after this pass
)
DECIMALS = 2  # of a probability in a text
MOST_POINTS = 40
_POINT = {"position", "is", "token", "p"}
_ELSEWHERE = _POINT | {"pass", "trace"}
_FACTS = {"drafted", "taken_back", "passed", "kept", "masks", "passes", "taken_back_so_far", "limits", "right"}


class ClaimError(ValueError):
    """A lesson or a case that is malformed, or says what its trace does not show."""


@dataclass(frozen=True)
class Point:
    """A token that a text speaks of: `position` from 0, what it `is` in a pass (one of STATES), its text without blanks
    (none of a mask), and perhaps its probability `p` in that pass, rounded to DECIMALS."""

    position: int
    state: str
    token: str = ""
    p: float | None = None

    @classmethod
    def read(cls, data: Any, where: str, known: set[str] = _POINT) -> Point:
        """From parsed JSON; ClaimError naming `where`."""
        data = mapping(data, where, known)
        state = text(data.get("is"), f"{where}: is", 20)
        if state not in STATES:
            raise ClaimError(f'{where}: "is" must be one of {", ".join(STATES)}, not {untrusted.described(state)}')
        token = data.get("token", "" if state == MASKED else None)
        if token != "":  # a mask's, or that of a space
            token = text(token, f"{where}: token", 40)
        p = data.get("p")
        if p is not None and (type(p) not in (int, float) or not 0 <= p <= 1):
            raise ClaimError(f"{where}: p must be a number from 0 to 1, not {untrusted.described(p)}")
        return cls(natural(data.get("position"), f"{where}: position"), state, token, p)

    def check(self, trace: Trace, number: int, where: str) -> None:
        """ClaimError unless it is so in pass `number` (0: before the first) of the trace."""
        if self.position >= trace.gen_length:
            raise ClaimError(f"{where}: there is no position {self.position} in {trace.gen_length} tokens")
        seen = seen_at(trace, number, self.position)
        about = f"{where}: position {self.position} in pass {number}"
        if self.state not in seen:
            known = " and ".join(seen) or "none of it"
            raise ClaimError(f"{about} is said to be {self.state}, and is {known}")
        shown, p = seen[self.state]
        if self.token.strip() != shown.strip():
            raise ClaimError(f"{about} is said to be {self.token.strip()!r}, and is {shown.strip()!r}")
        if self.p is not None and (p is None or abs(round(p, DECIMALS) - self.p) > 1e-9):
            raise ClaimError(
                f"{about} is said to have p {self.p}, and has {'none' if p is None else round(p, DECIMALS)}"
            )


def seen_at(trace: Trace, number: int, position: int) -> dict[str, tuple[str, float | None]]:
    """{state: (the token's text, its probability)} of a position in a pass: everything that may be said of it."""
    held = standing(trace, number)[position]
    step = trace.steps[number - 1] if number else Step(0)
    seen: dict[str, tuple[str, float | None]] = {}
    for state, tokens in ((DRAFTED, step.drafted), (TAKEN_BACK, step.remasked), (LEANING, step.considered)):
        for token in tokens:
            if token.position == position:
                seen[state] = (trace.pieces[token.id], token.probability)
    back = {token.position for token in step.remasked}
    for verified in step.verified:
        if verified.position == position and position not in back:
            state = PASSED if verified.probability >= trace.decoder.get("tau2", 0) else KEPT
            seen[state] = (trace.pieces[held], verified.probability)
    if held == trace.mask_id:
        seen[MASKED] = ("", None)
    else:
        seen[STANDING] = (trace.pieces[held], None)
        if any(edit.position == position for edit in trace.edits_after(number)):
            seen[PLANTED] = (trace.pieces[held], None)
    return seen


def standing(trace: Trace, number: int) -> tuple[int, ...]:
    """The ids after a pass, masks as the mask's id."""
    for n, canvas in enumerate(trace.canvases()):
        if n == number:
            return canvas
    raise ClaimError(f"there is no pass {number} among {trace.forward_passes}")


def folded(trace: Trace, number: int) -> set[int]:
    """The positions that a player folds away after a pass: the end of text at the end of each block."""
    frame = next(islice(frames(trace), number, None))
    tails = [(end_tail(trace, frame, block), (block + 1) * trace.block_length) for block in range(trace.blocks)]
    return {position for start, stop in tails if start is not None for position in range(start, stop)}


# ---- figures


def read_facts(data: Any, where: str) -> dict[str, Any]:
    """Figures of a pass that a text names: {"drafted": 13, "limits": ["draft_cap"], "right": true, …}."""
    facts = mapping({} if data is None else data, where, _FACTS)
    for name, value in facts.items():
        if name == "limits":
            if not isinstance(value, list) or any(one not in LIMITS for one in value):
                raise ClaimError(f"{where}: limits must be a list of {', '.join(LIMITS)}")
        elif name == "right":
            if not isinstance(value, bool):
                raise ClaimError(f"{where}: right must be true or false, not {untrusted.described(value)}")
        else:
            natural(value, f"{where}: {name}")
    return facts


def check_facts(facts: Mapping[str, Any], trace: Trace, number: int, where: str) -> None:
    """ClaimError unless every figure is that of pass `number` of the trace."""
    are = figures(trace, number)
    for name, said in facts.items():
        if said != are[name]:
            raise ClaimError(f"{where}: {name} of pass {number} is said to be {said}, and is {are[name]}")


def figures(trace: Trace, number: int) -> dict[str, Any]:
    """The figures that a text may name: of the pass, up to it (`taken_back_so_far`, `masks` left), and of all (`passes`,
    whether the answer is `right`; None where that is not known)."""
    masks = standing(trace, number).count(trace.mask_id)
    step = trace.steps[number - 1] if number else Step(0)
    tau2 = trace.decoder.get("tau2", 0)
    failed = sum(verified.probability < tau2 for verified in step.verified)
    record = trace.extra.get("record")
    return {
        "drafted": len(step.drafted),
        "taken_back": len(step.remasked),
        "passed": len(step.verified) - failed,
        "kept": failed - len(step.remasked),
        "masks": masks,
        "passes": trace.forward_passes,
        "taken_back_so_far": sum(len(each.remasked) for each in trace.steps[:number]),
        "limits": list(step.limits),
        "right": registry.judge(record, trace.text).correct if record else None,
    }


# ---- values of a file


def read_trace(name: Any, where: str, folders: Sequence[Path]) -> tuple[Trace, Path]:
    """The trace NAME.json of the first of `folders` that has it, and its path; ClaimError or TraceError."""
    name = text(name, f"{where}: trace", 80)
    for folder in folders:
        path = folder / f"{name}.json"
        if path.name == f"{name}.json" and path.is_file():
            return Trace.from_json(path.read_bytes()), path
    raise ClaimError(f"{where}: there is no trace {name!r}")


def read_points(data: Any, trace: Trace, number: int, where: str) -> tuple[Point, ...]:
    """A list of points (which may be missing), each in sight and as it says in pass `number`."""
    listed = rows([] if data is None else data, f"{where}: points", 0, MOST_POINTS)
    points = tuple(Point.read(point, f"{where}: point {n}") for n, point in enumerate(listed, start=1))
    hidden = folded(trace, number)
    for point in points:
        point.check(trace, number, where)
        if point.position in hidden:
            raise ClaimError(f"{where}: position {point.position} is folded away in pass {number}")
    return points


def check_claims(data: Any, trace: Trace, where: str, other: Callable[[Any], Trace]) -> tuple[tuple[int, Point], ...]:
    """What a text says of other passes, as (pass, point): points with a "pass" of their own, in sight or not, and perhaps with
    the name of another "trace", which `other` reads."""
    claims = []
    for n, claim in enumerate(rows([] if data is None else data, f"{where}: claims", 0, MOST_POINTS), start=1):
        point = Point.read(claim, f"{where}: claim {n}", _ELSEWHERE)
        number = natural(claim.get("pass"), f"{where}: claim {n}: pass")
        point.check(other(claim["trace"]) if "trace" in claim else trace, number, f"{where}: claim {n}")
        claims.append((number, point))
    return tuple(claims)


def mapping(data: Any, where: str, known: set[str]) -> dict[str, Any]:
    """A JSON object without any other key: a misspelled one must not be dropped in silence."""
    if not isinstance(data, dict):
        raise ClaimError(f"{where} must be an object, not {untrusted.described(data)}")
    if unknown := sorted(set(data) - known):
        raise ClaimError(f"{where}: {untrusted.described(unknown[0])} is none of {', '.join(sorted(known))}")
    return data


def rows(data: Any, where: str, fewest: int, most: int) -> list[Any]:
    """A list of `fewest` to `most` entries."""
    if not isinstance(data, list) or not fewest <= len(data) <= most:
        found = f"of {len(data)}" if isinstance(data, list) else untrusted.described(data)
        raise ClaimError(f"{where} must be a list of {fewest} to {most}, not {found}")
    return data


def text(data: Any, where: str, most: int) -> str:
    """Words, at most so many characters."""
    if not isinstance(data, str) or not data.strip():
        raise ClaimError(f"{where} must be text, not {untrusted.described(data)}")
    if len(data) > most:
        raise ClaimError(f"{where} must be at most {most} characters, not {len(data)}")
    return data


def natural(data: Any, where: str) -> int:
    """A whole number from 0."""
    if type(data) is not int or not 0 <= data <= untrusted.MAX_NATURAL:
        raise ClaimError(f"{where} must be a whole number from 0, not {untrusted.described(data)}")
    return data
