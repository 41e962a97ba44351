"""The command that goes on from the middle of a trace: with other settings, another decoder, or tokens changed by hand.

    python -m wino_viz branch trace.json --after 3 --put "17=2" --decoder standard --trace planted.json
    python -m wino_viz branch trace.json --after 3 --mask 20,21

The page does the same below its player, and the endpoint /branch for programs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wino_viz import export
from wino_viz.decoding import DECODERS, canvas_after
from wino_viz.fates import fate_sentence, fates
from wino_viz.files import check_writable, write_bytes_whole
from wino_viz.loading import PROG, bar, loader, loading_options
from wino_viz.planting import one_token
from wino_viz.problems import known_problem
from wino_viz.session import Session
from wino_viz.tasks.registry import check_record
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint
    from wino_viz.trace import Trace

MOST_EDITS = 64


def add_branch(commands: argparse._SubParsersAction) -> None:
    """Adds the command to those of the command line."""
    parser = commands.add_parser(
        "branch",
        help="go on from the middle of a trace, also after an edit",
        description="Go on from the middle of a trace, and say of each edit what became of it.",
    )
    parser.set_defaults(run=run_branch)
    parser.add_argument("source", type=Path, metavar="TRACE.json", help="as written by decode --trace")
    parser.add_argument("--after", type=int, required=True, metavar="N", help="the last pass that stays; 0: none")
    parser.add_argument(
        "--put",
        action="append",
        default=[],
        metavar="POSITION=TEXT",
        help="put the one token that is this text there, before going on; positions count from 0 (more than once: more tokens)",
    )
    parser.add_argument("--mask", default="", metavar="POSITION,…", help="mask these positions again")
    parser.add_argument(
        "--decoder", metavar="SPEC", help=f"{', '.join(DECODERS)} (default: the trace's own, as it was set there)"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="the picture that the trace is about")
    parser.add_argument(
        "--trace", type=Path, metavar="OUT.json", help="write the whole trace: the passes before, and the new ones"
    )
    loading_options(parser)


def run_branch(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Reads, decodes on and prints; raises ValueError or OSError with one sentence."""
    from wino_viz.pictures import open_named

    out = options.trace
    check_writable(out)
    trace = export.read_trace(options.source)
    if out is not None and out.exists() and out.samefile(options.source):
        raise ValueError(f"--trace {out} would overwrite the trace that it goes on with")
    record = _record_of(trace)
    session = Session(trace.model, loader(options.dtype, options.device_map, bar()), _task_of(trace, record))
    settings = None if options.decoder is None else session.parse(options.decoder)
    if not 0 <= options.after <= trace.forward_passes:
        raise ValueError(f"--after must be 0 to {trace.forward_passes}, the passes of this trace, not {options.after}")
    canvas = canvas_after(trace, options.after)
    edits = read_edits(
        options.put, options.mask, [trace.pieces.get(token, "") for token in canvas], session.checkpoint()
    )
    picture = session.see(open_named(options.image)) if options.image else None
    decoding = session.branch(trace, options.after, edits, settings, picture=picture, record=record)
    for _ in decoding:
        pass
    made = decoding.trace()
    print(made.text)
    print(f"{made.forward_passes} forward passes, {made.forward_passes - options.after} of them new", file=sys.stderr)
    for fate in fates(made)[-len(edits) :] if edits else ():
        print(fate_sentence(made, fate), file=sys.stderr)
    if (verdict := decoding.verdict())["correct"] is not None:
        print(verdict["text"], file=sys.stderr)
    if out is not None:
        extra = {**made.extra, "command": f"{PROG} {shlex.join(arguments)}"}
        write_bytes_whole(out, (replace(made, extra=extra).to_json() + "\n").encode())
    return 0


def read_edits(put: Sequence[str], mask: str, stood: Sequence[str], checkpoint: Checkpoint) -> dict[int, int | None]:
    """{position: a token id, or None for the mask} of ["17=2"] and "20,21"; ValueError with one sentence.

    `stood` has the text at each position: one that is a token with a space before it and without is taken as that is.
    """
    edits: dict[int, int | None] = {}
    asked = [(entry, *entry.partition("=")[::2]) for entry in put]
    asked += [(part, part, None) for part in mask.split(",") if part.strip()]
    if len(asked) > MOST_EDITS:
        raise ValueError(f"up to {MOST_EDITS} tokens can be changed, not {len(asked)}")
    for entry, place, text in asked:
        if not (place.strip().isascii() and place.strip().isdigit()) or (text is not None and "=" not in entry):
            raise ValueError(
                f"{entry!r:.60} names no position: write --put POSITION=TEXT, and --mask POSITION,POSITION"
            )
        position = int(place)
        if position >= len(stood):
            raise ValueError(f"there is no position {position} in {len(stood)} tokens")
        if position in edits:
            raise ValueError(f"position {position} is changed twice")
        edits[position] = None if text is None else one_token(checkpoint, text, stood[position])
    return edits


def _record_of(trace: Trace) -> dict[str, Any] | None:
    try:
        return check_record(trace.extra.get("record"))
    except ValueError:  # a trace may come from anywhere
        return None


def _task_of(trace: Trace, record: Mapping[str, Any] | None) -> str:
    """Whose preset the settings come from that a SPEC leaves out."""
    if record is None and "picture" in trace.extra:
        return "caption" if trace.prompt in CAPTION_PROMPTS else "vqa"
    return known_problem(trace.prompt, record)["task"]
