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
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from wino_viz import untrusted
from wino_viz.branch import MAX_BRANCHES, Branch, Edit
from wino_viz.step import (
    DRAFT_CAP,
    FORCED_DRAFT,
    LIMITS,
    REMASK_LIMIT,
    SINGLE_DRAFT,
    Step,
    Token,
    Verified,
    shown_ids,
)
from wino_viz.turns import Turns, read_turns
from wino_viz.untrusted import TraceError

__all__ = [
    "DRAFT_CAP",
    "FORCED_DRAFT",
    "FORMAT",
    "LIMITS",
    "MAX_GEN_LENGTH",
    "MAX_STEPS",
    "REMASK_LIMIT",
    "SINGLE_DRAFT",
    "VERSION",
    "Branch",
    "Edit",
    "Step",
    "Token",
    "Trace",
    "TraceError",
    "Verified",
    "dumps",
    "shown_ids",
]

FORMAT = "wino-viz-trace"
VERSION = 1

# A trace is untrusted. These bounds are far above any real decoding (the models' context is 4,096 tokens).
MAX_GEN_LENGTH = 8192
MAX_STEPS = 65536
MAX_PIECE = 1024  # characters of one token: a hostile one would be drawn thousands of times


@dataclass(frozen=True)
class Trace:
    """A whole decoding: prompt, settings, steps and result.

    `decoder` is {"name": ..., and its settings}. `pieces` maps token ids to their text as shown. `end_ids` are the
    ids that end an answer (end of text, end of turn). `timing` holds seconds and does not take part in `==`.
    `branches` say where it left another decoding, in the order of their passes: `decoder` made the passes after the last.
    `fixed` are (position, id) that stood before the first pass: no pass drafts them or takes them back.
    `earlier` are (question, answer) of the turns that stand before the prompt; `prompt_ids` has all of them.
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
    branches: tuple[Branch, ...] = ()
    timing: Mapping[str, Any] = field(default_factory=dict, compare=False)
    fixed: tuple[tuple[int, int], ...] = ()
    earlier: Turns = ()
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
        """Generated tokens (end of text included, fixed ones not) per forward pass; 0.0 for a trace without steps."""
        return (self.gen_length - len(self.fixed)) / len(self.steps) if self.steps else 0.0

    @property
    def step_reduction(self) -> float:
        """Generated tokens over forward passes: how many times fewer passes than one token a pass."""
        return self.tokens_per_pass

    @property
    def blocks(self) -> int:
        return self.gen_length // self.block_length

    def canvases(self) -> Iterator[tuple[int, ...]]:
        """The generated part's ids (gen_length of them) before the first pass and after each, with what was changed by
        hand after it.
        """
        canvas = self._before()
        for number, step in enumerate([None, *self.steps]):
            if step is not None:
                self._apply(step, canvas)
            for edit in self.edits_after(number):
                canvas[edit.position] = edit.id
            yield tuple(canvas)

    def edits_after(self, number: int) -> tuple[Edit, ...]:
        """What was changed by hand after pass `number` (0: before the first)."""
        return tuple(edit for branch in self.branches if branch.at_pass == number for edit in branch.edits)

    def decoder_of(self, number: int) -> Mapping[str, Any]:
        """The decoder that made pass `number`, from 1, with its settings."""
        return next((branch.decoder for branch in self.branches if number <= branch.at_pass), self.decoder)

    def _before(self) -> list[int]:
        """The canvas before the first pass."""
        canvas = [self.mask_id] * self.gen_length
        for position, token in self.fixed:
            canvas[position] = token
        return canvas

    # ---- JSON

    def header(self) -> dict[str, Any]:
        """Everything that is known before the first pass, JSON-ready: what a player needs to draw an empty canvas."""
        fixed: dict[str, Any] = {}
        if self.fixed:
            fixed["fixed"] = [list(pair) for pair in self.fixed]
            fixed["pieces"] = {str(token): self.pieces[token] for _, token in self.fixed}
        return {
            **self.extra,
            **({"branches": [branch.to_dict() for branch in self.branches]} if self.branches else {}),
            **({"earlier": [list(turn) for turn in self.earlier]} if self.earlier else {}),
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
            **fixed,
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
        except TraceError:
            raise
        except UnicodeDecodeError:
            raise TraceError("the trace is no text in UTF-8") from None
        except ValueError as error:
            raise TraceError(f"the trace is not valid JSON: {error}") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Trace:
        """Check and build a trace from parsed JSON; raises TraceError with one sentence that says what is wrong."""
        data = untrusted.mapping(data, "the trace")
        if data.get("format") != FORMAT:
            raise TraceError(f'not a trace: "format" must be "{FORMAT}"')
        if (version := untrusted.natural(data.get("version"), "version")) != VERSION:
            raise TraceError(f"this reads version {VERSION} of the trace format, not {version}")
        decoder = untrusted.anything(untrusted.mapping(data.get("decoder"), "decoder"), "decoder")
        untrusted.text(decoder.get("name"), "decoder: name")
        steps = untrusted.sequence(data.get("steps"), "steps")
        if len(steps) > MAX_STEPS:
            raise TraceError(f"steps must be at most {MAX_STEPS}, not {len(steps)}")
        passes = untrusted.natural(data.get("forward_passes", len(steps)), "forward_passes")
        if passes != len(steps):
            raise TraceError(f"forward_passes is {passes}, but steps holds {len(steps)}")
        pieces = untrusted.mapping(data.get("pieces"), "pieces")
        branches = untrusted.sequence(data.get("branches", []), "branches")
        if len(branches) > MAX_BRANCHES:
            raise TraceError(f"branches must be at most {MAX_BRANCHES}, not {len(branches)}")
        for key, piece in pieces.items():
            if isinstance(piece, str) and len(piece) > MAX_PIECE:
                raise TraceError(f"pieces: the text of token {untrusted.described(key)} is longer than {MAX_PIECE}")
        trace = cls(
            model=untrusted.text(data.get("model"), "model"),
            decoder=decoder,
            gen_length=untrusted.natural(data.get("gen_length"), "gen_length"),
            block_length=untrusted.natural(data.get("block_length"), "block_length"),
            mask_id=untrusted.natural(data.get("mask_id"), "mask_id"),
            end_ids=untrusted.token_ids(data.get("end_ids", []), "end_ids"),
            prompt=untrusted.text(data.get("prompt"), "prompt"),
            prompt_ids=untrusted.token_ids(data.get("prompt_ids"), "prompt_ids"),
            pieces={untrusted.digits(k, "pieces"): untrusted.text(v, f"pieces: {k}") for k, v in pieces.items()},
            steps=tuple(Step.from_dict(step, f"step {n}") for n, step in enumerate(steps, start=1)),
            output_ids=untrusted.token_ids(data.get("output_ids"), "output_ids"),
            text=untrusted.text(data.get("text"), "text"),
            branches=tuple(Branch.from_dict(branch, f"branch {n}") for n, branch in enumerate(branches, start=1)),
            timing=untrusted.anything(untrusted.mapping(data.get("timing", {}), "timing"), "timing"),
            fixed=tuple(
                (untrusted.natural(position, "fixed"), untrusted.natural(token, "fixed"))
                for position, token in untrusted.rows(data.get("fixed", []), 2, "fixed")
            ),
            earlier=read_turns(data.get("earlier", [])),
            extra=untrusted.unknown_keys(data, _KEYS, "the trace"),
        )
        trace.check()
        return trace

    def check(self) -> None:
        """Replay the steps; raises TraceError at the first one that could not have happened."""
        if not 1 <= self.gen_length <= MAX_GEN_LENGTH:
            raise TraceError(f"gen_length must be 1 to {MAX_GEN_LENGTH}, not {self.gen_length}")
        if self.block_length < 1 or self.gen_length % self.block_length:
            raise TraceError(f"block_length {self.block_length} does not divide gen_length {self.gen_length}")
        if len(self.prompt_ids) > MAX_GEN_LENGTH:
            raise TraceError(f"prompt_ids holds {len(self.prompt_ids)} tokens, more than {MAX_GEN_LENGTH}")
        self._check_fixed()
        self._check_branches()
        canvas, fixed = self._before(), {position for position, _ in self.fixed}
        for number, step in enumerate([None, *self.steps]):
            if step is not None:
                self._check_step(step, f"step {number}", canvas, fixed)
                self._apply(step, canvas)
            for edit in self.edits_after(number):
                canvas[edit.position] = edit.id
        if tuple(canvas) != self.output_ids:
            raise TraceError("output_ids are not what the steps lead to")

    def _check_fixed(self) -> None:
        seen: set[int] = set()
        for position, token in self.fixed:
            self._check_position(position, "fixed")
            if position in seen:
                raise TraceError(f"fixed: position {position} is named twice")
            seen.add(position)
            if token == self.mask_id:
                raise TraceError(f"fixed: the mask itself stands at position {position}")
            if token not in self.pieces:
                raise TraceError(f"fixed: token {token} has no text in pieces")

    def _apply(self, step: Step, canvas: list[int]) -> None:
        for token in step.drafted:
            canvas[token.position] = token.id
        for token in step.remasked:
            canvas[token.position] = self.mask_id

    def _check_branches(self) -> None:
        """Whether each branch comes after the one before it, from a pass that there is, and changes what can be."""
        fixed = {position for position, _ in self.fixed}
        before = 0
        for number, branch in enumerate(self.branches, start=1):
            where = f"branch {number}"
            if not before <= branch.at_pass <= len(self.steps):
                raise TraceError(f"{where}: at_pass must be {before} to {len(self.steps)}, not {branch.at_pass}")
            before = branch.at_pass
            seen: set[int] = set()
            for edit in branch.edits:
                self._check_position(edit.position, f"{where}: edits")
                if edit.position in fixed:
                    raise TraceError(f"{where}: position {edit.position} is fixed, but edited")
                if edit.position in seen:
                    raise TraceError(f"{where}: position {edit.position} is edited twice")
                seen.add(edit.position)
                if edit.id != self.mask_id and edit.id not in self.pieces:
                    raise TraceError(f"{where}: token {edit.id} has no text in pieces")

    def _check_step(self, step: Step, where: str, canvas: list[int], fixed: Container[int]) -> None:
        """Whether `step` can happen on `canvas`, the ids before it, without the positions that are `fixed`."""
        if step.block >= self.blocks:
            raise TraceError(f"{where}: block {step.block} is outside 0..{self.blocks - 1}")
        self._check_rows(step.drafted, "drafted", where, canvas, masked=True)
        self._check_rows(step.considered, "considered", where, canvas, masked=True)
        self._check_rows(step.verified, "verified", where, canvas, masked=False)
        self._check_rows(step.remasked, "remasked", where, canvas, masked=False)
        for both in sorted({t.position for t in step.drafted} & {t.position for t in step.considered}):
            raise TraceError(f"{where}: position {both} is drafted, but also considered and left masked")
        for token in step.drafted:
            if token.id == self.mask_id:
                raise TraceError(f"{where}: the mask itself is drafted at position {token.position}")
        for token in step.remasked:
            if token.position in fixed:
                raise TraceError(f"{where}: position {token.position} is fixed, but remasked")
            if canvas[token.position] != token.id:
                raise TraceError(f"{where}: position {token.position} does not hold the token that is remasked")
        for position in step.alternatives:
            self._check_position(position, f"{where}: alternatives")
        for missing in sorted(step.shown_ids() - self.pieces.keys()):
            raise TraceError(f"{where}: token {missing} has no text in pieces")

    def _check_rows(
        self, rows: Iterable[Token | Verified], name: str, where: str, canvas: list[int], masked: bool
    ) -> None:
        """Whether each position is named once, is there, and is masked or not as `name` needs it."""
        seen: set[int] = set()
        for position in (row.position for row in rows):
            self._check_position(position, f"{where}: {name}")
            if position in seen:
                raise TraceError(f"{where}: position {position} is {name} twice")
            seen.add(position)
            if (canvas[position] == self.mask_id) != masked:
                found = "a token stands there already" if masked else "nothing stands there"
                raise TraceError(f"{where}: position {position} is {name}, but {found}")

    def _check_position(self, position: int, where: str) -> None:
        if position >= self.gen_length:
            raise TraceError(f"{where}: position {position} is outside 0..{self.gen_length - 1}")


_KEYS = {entry.name for entry in fields(Trace)} - {"extra"} | {"format", "version", "forward_passes"}


def dumps(data: Any) -> str:
    """Compact JSON, with NaN and infinities refused (browsers can't read them)."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse_constant(name: str) -> None:
    raise TraceError(f"{name} is not a number that a trace may hold")
