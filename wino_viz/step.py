"""One forward pass and what the decoder did with it. Imported through `wino_viz.trace`; standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

from wino_viz import untrusted

FORCED_DRAFT = "forced_draft"  # no confidence was above the threshold, so the most confident token was drafted alone
DRAFT_CAP = "draft_cap"  # more tokens were above the threshold than one pass may draft
REMASK_LIMIT = "remask_limit"  # more tokens failed verification than one pass may re-mask
SINGLE_DRAFT = "single_draft"  # tokens failed verification, but a pass that drafts one token re-masks none
LIMITS = (FORCED_DRAFT, DRAFT_CAP, REMASK_LIMIT, SINGLE_DRAFT)


class Token(NamedTuple):
    """A token at a position of the generated part, with the model's probability (0..1) for it."""

    position: int
    id: int
    probability: float


class Verified(NamedTuple):
    """The shadow block's probability (0..1) for the token already placed at `position`."""

    position: int
    probability: float


_token, _verified = partial(tuple.__new__, Token), partial(tuple.__new__, Verified)


def tokens(positions: Iterable[int], ids: Iterable[int], probabilities: Iterable[float]) -> tuple[Token, ...]:
    """The Tokens of three columns of equal length. A step has some hundred, so they are made as fast as Python can."""
    return tuple(map(_token, zip(positions, ids, probabilities, strict=True)))


def judgements(positions: Iterable[int], probabilities: Iterable[float]) -> tuple[Verified, ...]:
    """The same of Verified, from two columns."""
    return tuple(map(_verified, zip(positions, probabilities, strict=True)))


@dataclass(frozen=True)
class Step:
    """One forward pass and what the decoder did with it.

    Positions count from 0 at the start of the generated part. `drafted` tokens were placed by this pass; `verified`
    lists every placed token that this pass judged; `remasked` those of them that were taken back (`drafted` and
    `remasked` never share a position); `considered` the masked positions that were predicted but stay masked, with the
    token that would have been drafted. `alternatives` gives, for drafted and re-masked positions, the most probable
    tokens (most probable first) of the row that decided. `limits` names those of `LIMITS` that changed the outcome.
    """

    block: int
    drafted: tuple[Token, ...] = ()
    verified: tuple[Verified, ...] = ()
    remasked: tuple[Token, ...] = ()
    considered: tuple[Token, ...] = ()
    alternatives: Mapping[int, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def shown_ids(self) -> set[int]:
        """Every token id that a reader of this step may see, and so needs the text of."""
        tokens = {token.id for token in (*self.drafted, *self.remasked, *self.considered)}
        return tokens | {i for rows in self.alternatives.values() for i, _ in rows}

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON-ready lists; keys that this version does not know come back unchanged."""
        return {
            **self.extra,
            "block": self.block,
            "drafted": [list(t) for t in self.drafted],
            "verified": [list(v) for v in self.verified],
            "remasked": [list(t) for t in self.remasked],
            "considered": [list(t) for t in self.considered],
            "alternatives": {str(p): [list(a) for a in rows] for p, rows in self.alternatives.items()},
            "limits": list(self.limits),
        }

    @classmethod
    def from_dict(cls, data: Any, where: str = "step") -> Step:
        """Read one step; raises TraceError naming `where` and the field that is wrong."""
        data = untrusted.mapping(data, where)
        limits = untrusted.sequence(data.get("limits", []), f"{where}: limits")
        return cls(
            block=untrusted.natural(data.get("block"), f"{where}: block"),
            drafted=_read_tokens(data, "drafted", where),
            verified=_read_verified(data, where),
            remasked=_read_tokens(data, "remasked", where),
            considered=_read_tokens(data, "considered", where),
            alternatives=_read_alternatives(data, where),
            limits=tuple(untrusted.text(name, f"{where}: limits") for name in limits),
            extra=untrusted.unknown_keys(data, _KEYS, where),
        )


_KEYS = {entry.name for entry in fields(Step)} - {"extra"}


def shown_ids(steps: Iterable[Step]) -> set[int]:
    """Every token id that the steps show: the ids that a trace's pieces need the text of."""
    return {i for step in steps for i in step.shown_ids()}


def _read_tokens(data: Mapping[str, Any], name: str, where: str) -> tuple[Token, ...]:
    where = f"{where}: {name}"
    return tuple(
        Token(untrusted.natural(p, where), untrusted.natural(i, where), untrusted.probability(c, where))
        for p, i, c in untrusted.rows(data.get(name, []), 3, where)
    )


def _read_verified(data: Mapping[str, Any], where: str) -> tuple[Verified, ...]:
    where = f"{where}: verified"
    rows = untrusted.rows(data.get("verified", []), 2, where)
    return tuple(Verified(untrusted.natural(p, where), untrusted.probability(q, where)) for p, q in rows)


def _read_alternatives(data: Mapping[str, Any], where: str) -> dict[int, tuple[tuple[int, float], ...]]:
    where = f"{where}: alternatives"
    return {
        untrusted.digits(position, where): tuple(
            (untrusted.natural(i, where), untrusted.probability(p, where)) for i, p in untrusted.rows(rows, 2, where)
        )
        for position, rows in untrusted.mapping(data.get("alternatives", {}), where).items()
    }
