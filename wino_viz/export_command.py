"""The command that writes a trace as a GIF, a PNG or one HTML file.

python -m wino_viz export trace.json --to trace.gif
python -m wino_viz export trace.json --to pass-7.png --pass 7 --width 640 --dark
python -m wino_viz export trace.json --to trace.html
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wino_viz import export
from wino_viz.drawing import Look
from wino_viz.drawing.frame import WIDTH, WIDTHS
from wino_viz.files import check_writable, write_bytes_whole

GOES_WITH = {  # option -> the files that it goes with
    "seconds": (".gif",),
    "pass": (".png", ".html"),
    "width": (".gif", ".png"),
    "dark": (".gif", ".png"),
    "font": (".gif", ".png"),
}


def add_export(commands: argparse._SubParsersAction) -> None:
    """Adds the command to those of the command line."""
    parser = commands.add_parser(
        "export",
        help="a trace as a GIF, a PNG of one pass, or one HTML file",
        description="Write a trace as an animated GIF, a PNG of one pass, or one HTML file that works offline.",
    )
    parser.set_defaults(run=run_export)
    parser.add_argument("trace", type=Path, metavar="TRACE.json", help="as written by decode --trace")
    parser.add_argument("--to", type=Path, required=True, metavar="OUT.gif|OUT.png|OUT.html", help="the file to write")
    parser.add_argument("--pass", type=int, metavar="N", help="the pass of a PNG (default: the last); HTML opens there")
    parser.add_argument(
        "--width", type=int, metavar="PX", help=f"{WIDTHS[0]} to {WIDTHS[1]} (default: {WIDTH}); 640 suits a phone"
    )
    parser.add_argument("--dark", action="store_true", help="light on dark (an HTML file follows its reader's system)")
    parser.add_argument("--seconds", type=float, metavar="S", help=f"per pass of a GIF (default: {export.SECONDS})")
    parser.add_argument("--font", type=Path, metavar="FILE", help="a font for characters that Inter lacks")


def run_export(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Reads, draws and writes; raises ValueError or OSError with one sentence."""
    out, given = options.to, vars(options)
    kind = out.suffix.lower()
    if kind not in export.KINDS:
        raise ValueError(f"--to {out} must end in {', '.join(export.KINDS[:-1])} or {export.KINDS[-1]}")
    for name, kinds in GOES_WITH.items():
        if given[name] not in (None, False) and kind not in kinds:
            raise ValueError(f"--{name} goes with {' and '.join(kinds)}, not with {kind}")
    check_writable(out)
    trace = export.read_trace(options.trace)
    if out.exists() and out.samefile(options.trace):
        raise ValueError(f"--to {out} would overwrite the trace")
    verdict = export.verdict_of(trace)
    if kind == ".html":
        data = export.to_html(trace, given["pass"], verdict=verdict).encode()
    else:
        look = Look(WIDTH if options.width is None else options.width, options.dark, options.font)
        if kind == ".gif":
            data = export.to_gif(trace, look, seconds=options.seconds, verdict=verdict)
        else:
            data = export.to_png(trace, given["pass"], look, verdict=verdict)
    try:
        write_bytes_whole(out, data)
    except OSError as error:
        raise ValueError(f"{out} can't be written: {error.strerror or error}") from None
    return 0
