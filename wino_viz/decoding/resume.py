"""Go on from the middle of a trace: with other settings, another decoder, or tokens that were changed by hand.

    start = Start.of(trace, at_pass=5, edits={14: 1017, 20: trace.mask_id})
    decoder = resume(WinoSettings(tau1=0.8), start)
    steps = [*start.steps, *(timed.step for timed in decode(decoder, denoiser))]

Nothing is forgotten on the way: the decoder works on the first block that has a mask, counts its passes (and so its noise)
on, and WINO takes back no more than the last pass of that block lets it. So without an edit and with the trace's own
settings, what follows is what followed in the trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from wino_viz.decoding.base import Canvas, Decoder, Settings
from wino_viz.decoding.checks import check_whole
from wino_viz.decoding.controls import FREE, Controls
from wino_viz.decoding.spec import DECODERS
from wino_viz.trace import Branch, Edit, Step, Trace
from wino_viz.untrusted import described


@dataclass(frozen=True)
class Start:
    """Where a branch begins: the work as the trace tells it, the passes that were made, and the canvas after them.

    tokens    (gen_length,) ids after the last of `steps` and all that was changed by hand, the mask where nothing stands
    branches  those of the trace up to here, and this one
    """

    canvas: Canvas
    steps: tuple[Step, ...]
    tokens: tuple[int, ...]
    branches: tuple[Branch, ...]

    @classmethod
    def of(cls, trace: Trace, at_pass: int, edits: Mapping[int, int] | None = None) -> Start:
        """After pass `at_pass` of a trace (0: before the first), and after `edits`, {position: id}: the mask's id masks a
        position again.

        Raises ValueError with one sentence for a pass or a position that is not there, an edit that changes nothing, and
        a canvas without a mask, where nothing is left to decode.
        """
        tokens = list(canvas_after(trace, at_pass))
        steps = trace.steps[:at_pass]
        fixed = dict(trace.fixed)
        kept = tuple(branch for branch in trace.branches if branch.at_pass <= at_pass)
        for position, token in (edits or {}).items():
            check_whole("a position", position, 0, trace.gen_length - 1)
            check_whole("a token", token, 0)
            if position in fixed:
                raise ValueError(f"position {position} was fixed before the first pass: it can't be changed")
            if tokens[position] == token:
                raise ValueError(f"position {position} {_holds(token == trace.mask_id)}: nothing would change")
            tokens[position] = token
        if trace.mask_id not in tokens:
            raise ValueError(
                f"every token is placed after pass {at_pass}, so nothing is left to decode: "
                "choose an earlier pass, or mask a token again"
            )
        branch = Branch(
            at_pass, tuple(Edit(*edit) for edit in (edits or {}).items()), decoder=dict(trace.decoder_of(at_pass + 1))
        )
        return cls(canvas_of(trace), steps, tuple(tokens), (*kept, branch))


def resume(settings: Settings, start: Start) -> Decoder:
    """A decoder with these settings that goes on from `start`; ValueError where they don't suit the canvas."""
    decoder: Any = settings.start(start.canvas)
    decoder.go_on(start.tokens, len(start.steps), start.steps[-1] if start.steps else None)
    return decoder


def canvas_of(trace: Trace) -> Canvas:
    """The work that a trace did; ValueError with one sentence where none could have done it."""
    noise = {key: trace.decoder.get(key, 0) for key in ("temperature", "seed")}
    controls = Controls(
        fixed=trace.fixed,
        end_of_text=trace.decoder.get("end_of_text", FREE),
        cfg_scale=trace.decoder.get("cfg_scale", 0.0),
        end_ids=trace.end_ids,
        banned_ids=trace.end_ids,  # a checkpoint knows which of them end a turn only
    )
    return Canvas(trace.prompt_ids, trace.mask_id, trace.gen_length, trace.block_length, **noise, controls=controls)


def settings_of(decoder: Mapping[str, Any]) -> Settings:
    """The settings in a trace's "decoder" entry; ValueError with one sentence for a decoder or a value that is none."""
    name = decoder.get("name")
    if not isinstance(name, str) or name not in DECODERS:
        raise ValueError(f"there is no decoder {described(name)}: choose one of {', '.join(DECODERS)}")
    known = {entry.name for entry in fields(DECODERS[name])}
    return DECODERS[name](**{key: value for key, value in decoder.items() if key in known})


def canvas_after(trace: Trace, at_pass: int) -> tuple[int, ...]:
    """(gen_length,) the ids after a pass, and after what was changed by hand then; ValueError for a pass that is not there."""
    check_whole("at_pass", at_pass, 0, trace.forward_passes)
    return next(canvas for passes, canvas in enumerate(trace.canvases()) if passes == at_pass)


def _holds(masked: bool) -> str:
    return "is masked already" if masked else "holds that token already"
