"""What a decoding did, pass by pass: the one record that the player, charts, exports and evaluation read.

A `Step` is one forward pass and what the decoder changed after it; a `Trace` is the prompt, the settings and the
steps. Every canvas and every figure is derived from them. Standard library only, so that it loads anywhere.
Steps carry no wall-clock: two runs of the same decoding compare equal, and the timing sits beside the steps.

A trace file may come from anywhere. `Trace.from_json` replays it and refuses what could not have happened.

    trace = Trace.from_json(Path("examples/traces/boxes-of-cards.json").read_text())
    print(trace.forward_passes, trace.revocations, trace.step_reduction)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FORMAT = "wino-viz-trace"
VERSION = 1

# A trace is untrusted. These bounds are far above any real decoding (the models' context is 4,096 tokens).
MAX_GEN_LENGTH = 8192
MAX_STEPS = 65536

FORCED_DRAFT = "forced_draft"  # no confidence was above the threshold, so the most confident token was drafted alone
DRAFT_CAP = "draft_cap"  # more tokens were above the threshold than one pass may draft
REMASK_LIMIT = "remask_limit"  # more tokens failed verification than one pass may re-mask
SINGLE_DRAFT = "single_draft"  # tokens failed verification, but a pass that drafts one token re-masks none
LIMITS = (FORCED_DRAFT, DRAFT_CAP, REMASK_LIMIT, SINGLE_DRAFT)


class TraceError(ValueError):
    """A trace file that is malformed or describes a decoding that could not have happened."""


class Token(NamedTuple):
    """A token at a position of the generated part, with the model's probability (0..1) for it."""

    position: int
    id: int
    probability: float


class Verified(NamedTuple):
    """The shadow block's probability (0..1) for the token already placed at `position`."""

    position: int
    probability: float


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
        data = _object(data, where)
        known = {"block", "drafted", "verified", "remasked", "considered", "alternatives", "limits"}
        alternatives = {}
        for key, rows in _object(data.get("alternatives", {}), f"{where}: alternatives").items():
            position = _digits(key, f"{where}: alternatives")
            rows = _rows(rows, 2, f"{where}: alternatives at {key}")
            alternatives[position] = tuple((_natural(i, where), _probability(p, where)) for i, p in rows)
        limits = data.get("limits", [])
        if not isinstance(limits, list) or not all(isinstance(name, str) for name in limits):
            raise TraceError(f"{where}: limits must be a list of names")
        return cls(
            block=_natural(data.get("block"), f"{where}: block"),
            drafted=_tokens(data, "drafted", where),
            verified=tuple(
                Verified(_natural(p, f"{where}: verified"), _probability(q, f"{where}: verified"))
                for p, q in _rows(data.get("verified", []), 2, f"{where}: verified")
            ),
            remasked=_tokens(data, "remasked", where),
            considered=_tokens(data, "considered", where),
            alternatives=alternatives,
            limits=tuple(limits),
            extra={k: v for k, v in data.items() if k not in known},
        )


@dataclass(frozen=True)
class Trace:
    """A whole decoding: prompt, settings, steps and result.

    `decoder` is {"name": ..., and its settings}. `pieces` maps token ids to their text as shown. `end_ids` are the
    ids that end an answer (end of text, end of turn). `timing` holds seconds and does not take part in `==`.
    """

    model: str
    decoder: Mapping[str, Any]
    gen_length: int
    block_length: int
    mask_id: int
    prompt: str
    prompt_ids: tuple[int, ...]
    pieces: Mapping[int, str]
    steps: tuple[Step, ...]
    output_ids: tuple[int, ...]
    text: str
    end_ids: tuple[int, ...] = ()
    timing: Mapping[str, Any] = field(default_factory=dict, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    # ---- derived figures

    @property
    def forward_passes(self) -> int:
        return len(self.steps)

    @property
    def revocations(self) -> int:
        """How many times a placed token was masked again, over the whole decoding."""
        return sum(len(step.remasked) for step in self.steps)

    @property
    def tokens_per_pass(self) -> float:
        """Generated tokens (end of text included) per forward pass; 0.0 for a trace without steps."""
        return self.gen_length / len(self.steps) if self.steps else 0.0

    @property
    def step_reduction(self) -> float:
        """gen_length over forward passes: how many times fewer passes than one token a pass."""
        return self.tokens_per_pass

    @property
    def blocks(self) -> int:
        return self.gen_length // self.block_length

    def canvases(self) -> Iterator[tuple[int, ...]]:
        """The generated part's ids (gen_length of them) before the first pass and after each."""
        canvas = [self.mask_id] * self.gen_length
        yield tuple(canvas)
        for step in self.steps:
            for token in step.drafted:
                canvas[token.position] = token.id
            for token in step.remasked:
                canvas[token.position] = self.mask_id
            yield tuple(canvas)

    # ---- JSON

    def header(self) -> dict[str, Any]:
        """Everything that is known before the first pass, JSON-ready: what a player needs to draw an empty canvas."""
        return {
            **self.extra,
            "format": FORMAT,
            "version": VERSION,
            "model": self.model,
            "decoder": dict(self.decoder),
            "gen_length": self.gen_length,
            "block_length": self.block_length,
            "mask_id": self.mask_id,
            "end_ids": list(self.end_ids),
            "prompt": self.prompt,
            "prompt_ids": list(self.prompt_ids),
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.header(),
            "pieces": {str(i): piece for i, piece in self.pieces.items()},
            "steps": [step.to_dict() for step in self.steps],
            "output_ids": list(self.output_ids),
            "text": self.text,
            "forward_passes": self.forward_passes,
            "timing": dict(self.timing),
        }

    def to_json(self) -> str:
        return dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Trace:
        """Read and check a trace; raises TraceError with one sentence that says what is wrong."""
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise TraceError("the trace is nested too deeply") from None
        except (ValueError, UnicodeDecodeError) as error:
            raise TraceError(f"the trace is not valid JSON: {error}") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Trace:
        """Check and build a trace from parsed JSON; raises TraceError with one sentence that says what is wrong."""
        data = _object(data, "the trace")
        if data.get("format") != FORMAT:
            raise TraceError(f'not a trace: "format" must be "{FORMAT}"')
        if data.get("version") != VERSION or isinstance(data.get("version"), bool):
            raise TraceError(f"this reads version {VERSION} of the trace format, not {data.get('version')!r}")
        decoder = _object(data.get("decoder"), "decoder")
        _string(decoder.get("name"), "decoder: name")
        steps = data.get("steps")
        if not isinstance(steps, list) or len(steps) > MAX_STEPS:
            raise TraceError(f"steps must be a list of at most {MAX_STEPS} steps")
        pieces = _object(data.get("pieces"), "pieces")
        trace = cls(
            model=_string(data.get("model"), "model"),
            decoder=decoder,
            gen_length=_natural(data.get("gen_length"), "gen_length"),
            block_length=_natural(data.get("block_length"), "block_length"),
            mask_id=_natural(data.get("mask_id"), "mask_id"),
            end_ids=_ids(data.get("end_ids", []), "end_ids"),
            prompt=_string(data.get("prompt"), "prompt"),
            prompt_ids=_ids(data.get("prompt_ids"), "prompt_ids"),
            pieces={_digits(k, "pieces"): _string(v, f"pieces: {k}") for k, v in pieces.items()},
            steps=tuple(Step.from_dict(step, f"step {n}") for n, step in enumerate(steps, start=1)),
            output_ids=_ids(data.get("output_ids"), "output_ids"),
            text=_string(data.get("text"), "text"),
            timing=_object(data.get("timing", {}), "timing"),
            extra={k: v for k, v in data.items() if k not in _KNOWN},
        )
        if data.get("forward_passes", len(steps)) != len(steps):
            raise TraceError(f"forward_passes is {data['forward_passes']!r}, but there are {len(steps)} steps")
        trace.check()
        return trace

    def check(self) -> None:
        """Replay the steps; raises TraceError at the first one that could not have happened."""
        if not 1 <= self.gen_length <= MAX_GEN_LENGTH:
            raise TraceError(f"gen_length must be 1 to {MAX_GEN_LENGTH}, not {self.gen_length}")
        if self.block_length < 1 or self.gen_length % self.block_length:
            raise TraceError(f"block_length {self.block_length} does not divide gen_length {self.gen_length}")
        canvas = [self.mask_id] * self.gen_length
        for number, step in enumerate(self.steps, start=1):
            self._check_step(step, f"step {number}", canvas)
            for token in step.drafted:
                canvas[token.position] = token.id
            for token in step.remasked:
                canvas[token.position] = self.mask_id
        if tuple(canvas) != self.output_ids:
            raise TraceError("output_ids are not what the steps lead to")

    def _check_step(self, step: Step, where: str, canvas: list[int]) -> None:
        if step.block >= self.blocks:
            raise TraceError(f"{where}: block {step.block} of {self.blocks}")
        groups = {"drafted": step.drafted, "verified": step.verified, "remasked": step.remasked}
        for name, rows in {**groups, "considered": step.considered}.items():
            positions = [row.position for row in rows]
            if len(set(positions)) != len(positions):
                raise TraceError(f"{where}: a position is {name} twice")
            for position in positions:
                if position >= self.gen_length:
                    raise TraceError(f"{where}: position {position} is outside 0..{self.gen_length - 1}")
                masked = canvas[position] == self.mask_id
                if name in ("drafted", "considered") and not masked:
                    raise TraceError(f"{where}: position {position} is {name}, but a token stands there already")
                if name in ("verified", "remasked") and masked:
                    raise TraceError(f"{where}: position {position} is {name}, but nothing stands there")
        for token in step.drafted:
            if token.id == self.mask_id:
                raise TraceError(f"{where}: the mask itself is drafted at position {token.position}")
        for token in step.remasked:
            if canvas[token.position] != token.id:
                raise TraceError(f"{where}: position {token.position} does not hold the token that is re-masked")
        for position in step.alternatives:
            if position >= self.gen_length:
                raise TraceError(f"{where}: alternatives for position {position}, outside 0..{self.gen_length - 1}")
        for missing in sorted(step.shown_ids() - self.pieces.keys()):
            raise TraceError(f"{where}: token {missing} has no text in pieces")


_KNOWN = frozenset(
    (
        *("format", "version", "model", "decoder", "gen_length", "block_length", "mask_id", "end_ids", "prompt"),
        *("prompt_ids", "pieces", "steps", "output_ids", "text", "forward_passes", "timing"),
    )
)


def shown_ids(steps: Iterable[Step]) -> set[int]:
    """Every token id that the steps show: the ids that a trace's pieces need the text of."""
    return {i for step in steps for i in step.shown_ids()}


def dumps(data: Any) -> str:
    """Compact JSON, with NaN and infinities refused (browsers can't read them)."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


# ---- reading untrusted values


def _refuse_constant(name: str) -> None:
    raise TraceError(f"{name} is not a number that a trace may hold")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TraceError(f"{where} must be an object")
    return value


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise TraceError(f"{where} must be text")
    return value


def _natural(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise TraceError(f"{where} must be a whole number from 0, not {_short(value)}")
    return value


def _digits(value: str, where: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 11):
        raise TraceError(f"{where}: {_short(value)} is not a whole number")
    return _natural(int(value), where)


def _probability(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not (math.isfinite(value) and 0 <= value <= 1):
        raise TraceError(f"{where}: {_short(value)} is not a probability from 0 to 1")
    return float(value)


def _ids(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TraceError(f"{where} must be a list of token ids")
    return tuple(_natural(i, where) for i in value)


def _rows(value: Any, width: int, where: str) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(row, list) and len(row) == width for row in value):
        raise TraceError(f"{where} must be a list of rows of {width}")
    return value


def _tokens(data: Mapping[str, Any], name: str, where: str) -> tuple[Token, ...]:
    where = f"{where}: {name}"
    rows = _rows(data.get(name, []), 3, where)
    return tuple(Token(_natural(p, where), _natural(i, where), _probability(c, where)) for p, i, c in rows)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
