"""What a recorded decoding shows: properties that the case studies claim, each found in the traces themselves.

    for moment in PROPERTIES["wrong_number"].find([trace]): ...     moment.number is the pass, moment.positions the tokens

Each takes the traces of a case (one, or two of the same problem side by side) with their problem under "record", and
returns the moments at which the property is to be seen, none where it does not hold. examples/find_cases.py looks for new
problems by them, and the tests hold every case that ships to its property. Without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wino_viz.fates import Fate, fates
from wino_viz.models.files import is_wino_plus
from wino_viz.tasks import registry
from wino_viz.trace import DRAFT_CAP, REMASK_LIMIT, SINGLE_DRAFT, Step, Token, Trace

MANY = 10  # tokens taken back, for a sentence that is rewritten
SIDE = 4  # cells along a sudoku


@dataclass(frozen=True)
class Moment:
    """A pass (from 1) and the positions (from 0) of the lane where the property is to be seen there."""

    number: int
    positions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Property:
    """decoders: of each lane, {"wino"} and the like ("wino+": threshold on a WINO+ model). find: the moments.

    The positions of a moment are those of the last lane.
    """

    words: str
    decoders: tuple[str, ...]
    find: Callable[[Sequence[Trace]], list[Moment]]
    tasks: tuple[str, ...] = ("arithmetic", "countdown", "sudoku")


def find(name: str, traces: Sequence[Trace]) -> list[Moment]:
    """The moments at which traces show a property; ValueError for a property that is not known."""
    if name not in PROPERTIES:
        raise ValueError(f"there is no property {name[:40]!r}: {', '.join(PROPERTIES)}")
    wanted = PROPERTIES[name]
    tasks = {_task(trace) for trace in traces}
    if tuple(map(lane_kind, traces)) != wanted.decoders or len({t.prompt for t in traces}) != 1:
        return []
    return wanted.find(traces) if tasks <= {*wanted.tasks} else []


def lane_kind(trace: Trace) -> str:
    """The decoder's name in a SPEC; "wino+" for a threshold on a WINO+ model."""
    name = trace.decoder["name"]
    return "wino+" if name == "threshold" and is_wino_plus(trace.model) else name


def is_right(trace: Trace) -> bool:
    """Whether the trace's answer is right and says nothing else that is wrong."""
    judged = registry.judge(trace.extra["record"], trace.text)
    return bool(judged.correct and judged.faithful)


def replaced(trace: Trace, token: Token) -> bool:
    """Whether another token stands at the end where `token` was taken back."""
    return trace.output_ids[token.position] != token.id


def is_number(trace: Trace, token_id: int) -> bool:
    return trace.pieces.get(token_id, "").strip().isdigit()


# ---- the properties


def _wrong_number(traces: Sequence[Trace]) -> list[Moment]:
    [trace] = traces
    if not is_right(trace):
        return []

    def wrong(token: Token) -> bool:
        digits = is_number(trace, token.id) and is_number(trace, trace.output_ids[token.position])
        return digits and replaced(trace, token)

    return _taken_back(trace, wrong)


def _sudoku_digit(traces: Sequence[Trace]) -> list[Moment]:
    """A digit is taken back that stood twice in a row, a column or a box; the grid ends right."""
    [trace] = traces
    if not is_right(trace):
        return []
    cells = [p for p, i in enumerate(trace.output_ids) if is_number(trace, i)]
    if len(cells) != SIDE * SIDE:
        return []
    before = list(trace.canvases())
    moments = []
    for number, step in enumerate(trace.steps, start=1):
        canvas = before[number - 1]
        clashing = tuple(
            token.position
            for token in step.remasked
            if token.position in cells and replaced(trace, token) and _clashes(canvas, cells, token)
        )
        moments += [Moment(number, clashing)] if clashing else []
    return moments


def _clashes(canvas: Sequence[int], cells: Sequence[int], token: Token) -> bool:
    row, column = divmod(cells.index(token.position), SIDE)
    for other, position in enumerate(cells):
        r, c = divmod(other, SIDE)
        peers = r == row or c == column or (r // 2, c // 2) == (row // 2, column // 2)
        if position != token.position and peers and canvas[position] == token.id:
            return True
    return False


def _draft_cap(traces: Sequence[Trace]) -> list[Moment]:
    """More tokens were above τ1 than a pass may draft: those left masked although they were sure enough."""
    [trace] = traces
    tau1 = trace.decoder["tau1"]

    def left(step: Step) -> tuple[int, ...]:
        return tuple(token.position for token in step.considered if token.probability > tau1)

    return [Moment(n, left(s)) for n, s in enumerate(trace.steps, start=1) if DRAFT_CAP in s.limits and left(s)]


def _remask_limit(traces: Sequence[Trace]) -> list[Moment]:
    """More tokens failed verification than a pass may take back: those that stay for now."""
    [trace] = traces
    return [Moment(n, spared(trace, s)) for n, s in enumerate(trace.steps, start=1) if REMASK_LIMIT in s.limits]


def _single_draft(traces: Sequence[Trace]) -> list[Moment]:
    [trace] = traces
    return [Moment(n, spared(trace, s)) for n, s in enumerate(trace.steps, start=1) if SINGLE_DRAFT in s.limits]


def spared(trace: Trace, step: Step) -> tuple[int, ...]:
    """The positions that failed verification in a pass and were not taken back."""
    back = {token.position for token in step.remasked}
    tau2 = trace.decoder.get("tau2", 0)
    return tuple(v.position for v in step.verified if v.probability < tau2 and v.position not in back)


def _wrong_answer(traces: Sequence[Trace]) -> list[Moment]:
    """WINO takes tokens back, and its answer is wrong all the same."""
    [trace] = traces
    wrong = registry.judge(trace.extra["record"], trace.text).correct is False
    return [Moment(trace.forward_passes)] if wrong and trace.revocations else []


def _heals(traces: Sequence[Trace]) -> list[Moment]:
    """Drafts alone end wrong, WINO right: what WINO takes back and replaces stands in the other answer to the end."""
    alone, wino = traces
    if registry.judge(alone.extra["record"], alone.text).correct is not False or not is_right(wino):
        return []
    return _taken_back(wino, lambda token: replaced(wino, token) and alone.output_ids[token.position] == token.id)


def _right_where_standard_is_wrong(traces: Sequence[Trace]) -> list[Moment]:
    standard, wino = traces
    if registry.judge(standard.extra["record"], standard.text).correct is not False or not is_right(wino):
        return []
    return _taken_back(wino, lambda token: replaced(wino, token))


def _planted(traces: Sequence[Trace]) -> list[Moment]:
    """One number was changed by hand to another, the same in both. Standard decoding keeps it and ends wrong; WINO takes it
    back, writes there what had stood, and ends right. The moments: where it is planted, and where it is taken back."""
    standard, wino = traces
    kept, back = planted_number(standard), planted_number(wino)
    if kept is None or back is None or (kept.at_pass, kept.edit) != (back.at_pass, back.edit):
        return []
    if standard.steps[: kept.at_pass] != wino.steps[: back.at_pass]:
        return []
    stays = kept.revoked is None and kept.final == kept.edit.id
    healed = back.revoked is not None and back.final == back.before
    wrong = registry.judge(standard.extra["record"], standard.text).correct is False
    if not (stays and healed and wrong and is_right(wino)):
        return []
    return [Moment(number, (back.edit.position,)) for number in (back.at_pass, back.revoked[0])]


def planted_number(trace: Trace) -> Fate | None:
    """What became of the number that was put in the place of another, where that is all that was ever changed by hand."""
    if len(trace.branches) != 1 or len(found := fates(trace)) != 1:
        return None
    [fate] = found
    both = fate.before is not None and is_number(trace, fate.before) and is_number(trace, fate.edit.id)
    return fate if both and fate.before != fate.edit.id else None


def _as_good_in_fewer(traces: Sequence[Trace]) -> list[Moment]:
    """Both right; WINO takes tokens back, and WINO+ needs fewer passes and takes none back."""
    wino, plus = traces
    fewer = plus.forward_passes < wino.forward_passes and wino.revocations and not plus.revocations
    return [Moment(plus.forward_passes)] if fewer and is_right(wino) and is_right(plus) else []


def _false_alarm(traces: Sequence[Trace]) -> list[Moment]:
    """A token is taken back, and the same one is drafted there again and stays."""
    [trace] = traces
    return _taken_back(trace, lambda token: not replaced(trace, token)) if is_right(trace) else []


def _rewritten(traces: Sequence[Trace]) -> list[Moment]:
    """Many tokens are taken back and replaced by others, and the answer ends right."""
    [trace] = traces
    moments = _taken_back(trace, lambda token: replaced(trace, token))
    many = sum(len(moment.positions) for moment in moments) >= MANY
    return moments if many and is_right(trace) else []


def _taken_back_and_right(traces: Sequence[Trace]) -> list[Moment]:
    [trace] = traces
    return _taken_back(trace, lambda token: True) if is_right(trace) else []


def _taken_back(trace: Trace, wanted: Callable[[Token], bool]) -> list[Moment]:
    """The passes that take back tokens of the kind that is wanted, with those tokens' positions."""
    found = [(n, tuple(t.position for t in s.remasked if wanted(t))) for n, s in enumerate(trace.steps, start=1)]
    return [Moment(number, positions) for number, positions in found if positions]


def _task(trace: Trace) -> str:
    return trace.extra["record"].get("task", "arithmetic")


WINO = ("wino",)
PROPERTIES: dict[str, Property] = {
    "wrong_number": Property(
        "a digit that is taken back and replaced; the answer is right", WINO, _wrong_number, ("arithmetic", "countdown")
    ),
    "sudoku_digit": Property(
        "a digit that stood twice is taken back; the grid is right", WINO, _sudoku_digit, ("sudoku",)
    ),
    "draft_cap": Property("tokens above τ1 stay masked, as a pass may draft so many only", WINO, _draft_cap),
    "remask_limit": Property(
        "tokens below τ2 stay, as a pass may take back fewer than the last drafted", WINO, _remask_limit
    ),
    "single_draft": Property(
        "tokens below τ2 stay, as a pass that drafts one token takes none back", WINO, _single_draft
    ),
    "wrong_answer": Property("WINO takes tokens back and ends wrong", WINO, _wrong_answer),
    "false_alarm": Property("a token is taken back, and the same one put back", WINO, _false_alarm),
    "rewritten": Property(f"{MANY} or more tokens are taken back and replaced", WINO, _rewritten),
    "heals": Property("a threshold alone ends wrong, WINO right", ("threshold", "wino"), _heals),
    "beats_standard": Property(
        "standard decoding ends wrong, WINO right", ("standard", "wino"), _right_where_standard_is_wrong
    ),
    "planted": Property(
        "a number changed by hand stays in standard decoding, which ends wrong; WINO takes it back and ends right",
        ("standard", "wino"),
        _planted,
        ("arithmetic", "countdown"),
    ),
    "wino_plus": Property("WINO+ needs fewer passes, and takes nothing back", ("wino", "wino+"), _as_good_in_fewer),
    "caption": Property(
        "a picture: words are taken back, and the answer is right", WINO, _taken_back_and_right, ("caption", "vqa")
    ),
}
