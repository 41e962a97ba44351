"""A trace to take with you: an animated GIF, a PNG of one pass, or one HTML file with the player that works offline.

    python -m wino_viz export trace.json --to trace.gif

    trace = Trace.from_json(Path("trace.json").read_text())
    Path("pass.png").write_bytes(to_png(trace, 7, Look(width=640, dark=True)))

What is too much for a picture raises ValueError with a sentence. The HTML file holds any trace that there is.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wino_viz.drawing import FramePainter, Look, theme
from wino_viz.drawing.gif import encode_gif
from wino_viz.names import decoder_name, decoder_words
from wino_viz.trace import Trace, TraceError

KINDS = (".gif", ".png", ".html")
MAX_FILE = 256 * 2**20  # bytes of a trace file: what a trace of the largest lengths comes to, several times
MAX_TOKENS = 2048  # in a picture: more are too small to read, or too high for a screen
MAX_BLOCKS = 64  # in a picture
MAX_PASSES = 1024  # in a GIF
MAX_PIXELS = 600_000_000  # of all frames of a GIF: half a minute of drawing, about
MAX_HEIGHT = 8000  # px
SECONDS = 0.9  # a pass
SECONDS_ALLOWED = (0.05, 10.0)
WHOLE_SECONDS = 60.0  # what a GIF lasts at most, about, unless told otherwise
FIRST, LAST = 2.0, 4.0  # times as long as a pass: there is something to read
FIRST_SECONDS, LAST_SECONDS = 1.5, 4.0  # at least

Verdict = Mapping[str, Any]


def read_trace(path: Path) -> Trace:
    """The trace in a file; raises ValueError with one sentence that names the file."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise ValueError(f"{path} is larger than {MAX_FILE // 2**20} MB, which no trace is")
        return Trace.from_json(path.read_bytes())
    except TraceError as error:
        raise ValueError(f"{path}: {error}") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a trace") from None
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None


def to_gif(
    trace: Trace, look: Look | None = None, *, seconds: float | None = None, verdict: Verdict | None = None
) -> bytes:
    """An animated GIF with one frame before the first pass and one after each.

    seconds: how long a pass is shown, 0.05 to 10; left out 0.9, or less where the whole would last over a minute. The
    first frame and the last are shown longer. verdict: {"correct", "faithful", "text"}, said at the end.
    """
    _check_lengths(trace)
    if trace.forward_passes > MAX_PASSES:
        raise ValueError(
            f"a GIF holds at most {MAX_PASSES} passes, and this trace has {trace.forward_passes}: "
            "write an HTML file, or a PNG of one pass"
        )
    shown = durations(trace, seconds)
    look = look or Look()
    painter = _painter(trace, look, verdict)
    pixels = painter.size[0] * painter.size[1] * len(shown)
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"{len(shown)} frames of {painter.size[0]} × {painter.size[1]} px are too much for a GIF: "
            "take a smaller width, or write an HTML file"
        )
    pictures = ((painter.frame(number), time) for number, time in enumerate(shown))
    return encode_gif(pictures, theme(look.dark).palette())


def durations(trace: Trace, seconds: float | None = None) -> list[float]:
    """How many seconds each frame of the GIF is shown; one frame more than there are passes."""
    passes = trace.forward_passes
    if seconds is None:
        seconds = min(SECONDS, max(SECONDS_ALLOWED[0], WHOLE_SECONDS / max(passes, 1)))
    if not SECONDS_ALLOWED[0] <= seconds <= SECONDS_ALLOWED[1]:
        raise ValueError(f"seconds must be {SECONDS_ALLOWED[0]} to {SECONDS_ALLOWED[1]:g}, not {seconds}")
    first, last = max(FIRST_SECONDS, FIRST * seconds), max(LAST_SECONDS, LAST * seconds)
    return [first, *[seconds] * (passes - 1), last] if passes else [last]


def to_png(
    trace: Trace, number: int | None = None, look: Look | None = None, *, verdict: Verdict | None = None
) -> bytes:
    """A picture of one pass: 0 (before the first) to the number of passes, which it is when left out."""
    _check_lengths(trace)
    number = _checked_pass(trace, number, trace.forward_passes)
    file = io.BytesIO()
    _painter(trace, look or Look(), verdict).frame(number).save(file, "PNG", optimize=True)
    return file.getvalue()


def to_html(
    trace: Trace, number: int | None = None, *, verdict: Verdict | None = None, picture: tuple[str, str] | None = None
) -> str:
    """One HTML file with the player, which opens at a pass (0 when left out) and asks nobody for anything.

    picture: what the trace is about, as (data URL, what it shows in words). ValueError with one sentence.
    """
    from wino_viz.ui.messages import trace_message
    from wino_viz.ui.standalone import standalone_page

    number = _checked_pass(trace, number, 0)
    about = f"{decoder_words(trace.decoder, trace.model)}; {trace.model}"[:200]
    return standalone_page(
        trace_message(trace, at=number, verdict=verdict), title=title_of(trace), about=about, picture=picture
    )


def title_of(trace: Trace) -> str:
    """What a file about this trace is called."""
    title = trace.extra.get("title")
    words = " ".join(title.split()) if isinstance(title, str) else ""
    what = f"{decoder_name(str(trace.decoder['name']), trace.model)[:60]}, pass by pass"
    return f"{words[:120]} · {what}" if words else what


def verdict_of(trace: Trace) -> dict[str, Any] | None:
    """What a finished answer is worth, where the trace carries the problem that its prompt asks; None where it is not
    known.
    """
    from wino_viz.tasks.registry import check_record, judge, prompt_of

    if trace.mask_id in trace.output_ids or "record" not in trace.extra:
        return None
    try:
        record = check_record(trace.extra["record"])
    except ValueError:
        return None
    return judge(record, trace.text).to_dict() if prompt_of(record) == trace.prompt else None


def _checked_pass(trace: Trace, number: int | None, usual: int) -> int:
    if number is None:
        return usual
    if not 0 <= number <= trace.forward_passes:
        raise ValueError(f"pass must be 0 to {trace.forward_passes}, not {number}")
    return number


def _check_lengths(trace: Trace) -> None:
    if trace.gen_length > MAX_TOKENS:
        raise ValueError(
            f"a picture holds at most {MAX_TOKENS} tokens, and this trace has {trace.gen_length}: write an HTML file"
        )
    if trace.blocks > MAX_BLOCKS:
        raise ValueError(
            f"a picture holds at most {MAX_BLOCKS} blocks, and this trace has {trace.blocks}: write an HTML file"
        )


def _painter(trace: Trace, look: Look, verdict: Verdict | None) -> FramePainter:
    painter = FramePainter(trace, look, verdict)
    if painter.size[1] > MAX_HEIGHT:
        raise ValueError(
            f"the picture would be {painter.size[1]} px high, more than {MAX_HEIGHT}: "
            "take a larger width, or write an HTML file"
        )
    return painter
