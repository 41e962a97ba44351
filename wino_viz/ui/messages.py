"""What a server tells the player: each message one compact JSON string.

    run = new_run()
    start_message(header, run)
    step_message(step, run, number, pieces=..., model_seconds=...)
    trace_message(trace, run)

See player.py for when to send which. Without Gradio, so that a benchmark can write them, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from wino_viz.trace import Step, Trace, dumps


def new_run() -> str:
    """An id for one run. A player ignores what still arrives of a run that is no longer the current one."""
    return uuid.uuid4().hex[:12]


def start_message(
    trace: Trace | Mapping[str, Any],
    run: str,
    *,
    lane: int = 0,
    title: str = "",
    lanes: int = 1,
    begun_with: Trace | None = None,
) -> str:
    """A run begins: draw its empty canvas. `trace` is a Trace or its header (`Trace.header()`, before any pass).

    `lanes` is how many the run will fill, so that each has its place from the start. `begun_with` is what a branch has of
    its trace already; its first step is numbered after those.
    """
    header = trace.header() if isinstance(trace, Trace) else dict(trace)
    header = {"pieces": {}, **header}
    if begun_with is not None and begun_with.branches:
        header = begun_with.to_dict()
    message = {"type": "start", "run": run, "seq": 0, "lane": lane, "lanes": lanes, "trace": header, "title": title}
    return dumps(message)


def step_message(
    step: Step,
    run: str,
    number: int,
    *,
    pieces: Mapping[int, str] | None = None,
    model_seconds: float | None = None,
    lane: int = 0,
) -> str:
    """One forward pass; `number` counts from 1 in its lane, `pieces` holds the texts of ids not sent before."""
    return dumps(
        {
            "type": "step",
            "run": run,
            "seq": number,
            "lane": lane,
            "step": step.to_dict(),
            "pieces": {str(i): text for i, text in (pieces or {}).items()},
            "model_seconds": model_seconds,
        }
    )


def trace_message(
    trace: Trace,
    run: str | None = None,
    *,
    lane: int = 0,
    title: str | None = None,
    verdict: Mapping[str, Any] | None = None,
    stopped: str = "",
    at: int = 0,
    play: bool = False,
    token: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> str:
    """A whole trace: the last message of `run` (the playhead stays where it is), or without `run` a recorded example.

    `verdict` is {"correct": True, False or None, "faithful": whether nothing else is wrong, "text": one line}. `stopped` says
    that the run ended early ("Stopped here."), and the trace is what there is. `at` is the pass at which an example opens,
    and `play` starts it there; `token` is a position whose card it opens with. These are for traces that were not streamed.
    `about` says where such a trace comes from, for links: {"example": its name}, or {"file": True}.
    """
    message = {"type": "trace", "run": run or new_run(), "lane": lane, "trace": trace.to_dict(), "at": at, "play": play}
    return dumps(_with(message, title=title, verdict=verdict, stopped=stopped or None, token=token, about=about))


def lanes_message(
    traces: Sequence[Trace],
    run: str | None = None,
    *,
    titles: Sequence[str] = (),
    verdicts: Sequence[Mapping[str, Any] | None] = (),
    stopped: Sequence[str] = (),
    at: int = 0,
    play: bool = False,
) -> str:
    """Whole traces side by side, as `trace_message`: the last message of a comparison, or a recorded one."""
    message = {"type": "lanes", "run": run or new_run(), "traces": [trace.to_dict() for trace in traces]}
    about = {"titles": list(titles), "verdicts": list(verdicts), "stopped": list(stopped)}
    return dumps({**message, **about, "at": at, "play": play})


def clear_message() -> str:
    """Show nothing."""
    return dumps({"type": "clear"})


def _with(message: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return message | {name: value for name, value in optional.items() if value is not None}
