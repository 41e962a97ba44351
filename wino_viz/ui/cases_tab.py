"""The Cases tab: a gallery of recorded decodings, each chosen for what it shows, and the player that one is opened in.

The gallery comes when the tab is opened, a case's traces when its card is pressed (assets/page/cases.js).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

import gradio as gr

from wino_viz.cases import Case, read_cases
from wino_viz.names import decoder_name
from wino_viz.tasks.registry import judge
from wino_viz.trace import Trace, dumps
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.lessons_tab import SCRIPTS
from wino_viz.ui.messages import lanes_message
from wino_viz.ui.minimap import minimap
from wino_viz.ui.player import Player
from wino_viz.ui.watching import mark
from wino_viz.ui.widgets import Widget

PLAYER, HEAD, GALLERY = "cases-player", "cases-head", "cases-gallery"
LANES = 2


class CaseHead(Widget):
    """The words of the case that is open, and its moments. Values are made by `case_head`."""

    kind = "case"
    more = SCRIPTS


class CaseGallery(Widget):
    """The cards of all cases; its `select` carries {"case": number from 0}. Values are made by `gallery`."""

    kind = "cases"
    more = SCRIPTS


def cases_tab(cases: Sequence[Case] | None = None) -> None:
    """Builds the tab inside the page that is being made; `cases` left out are those of assets/cases."""
    cases = shipped_cases() if cases is None else list(cases)
    with gr.Column(elem_classes="cases-tab"):
        head = CaseHead(label="Case", elem_id=HEAD)
        player = Player(lanes=LANES, fold_prompt=False, elem_id=PLAYER)
        begin = dumps({"follows": PLAYER, "head": HEAD, "count": len(cases)})
        cards = CaseGallery(begin, label="Cases", elem_id=GALLERY)

    def open_case(event: gr.EventData) -> tuple:
        asked = event._data if isinstance(event._data, dict) else {}
        number = asked.get("case")
        if type(number) is not int or not 0 <= number < len(cases):  # a browser may send anything
            return (gr.skip(),) * 3
        listed = dumps({"follows": PLAYER, "head": HEAD, "count": len(cases), "cards": gallery(cases)})
        return case_head(cases[number], number), case_message(cases[number]), listed if asked.get("all") else gr.skip()

    cards.select(open_case, None, [head, player, cards], queue=False, **HIDDEN)


@cache
def shipped_cases() -> tuple[Case, ...]:
    """Those of assets/cases, read once."""
    return tuple(read_cases())


def gallery(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """One card per case: its title, a sentence, what decoded it, whether that was right, and a miniature of it."""
    return [
        {
            "title": case.title,
            "text": case.text,
            "lanes": [_lane(trace) for trace in case.traces],
            "map": minimap(case.traces[-1], case.number, {point.position for point in case.points}),
        }
        for case in cases
    ]


def case_message(case: Case) -> str:
    """The player's message: the traces side by side, at the case's pass."""
    verdicts = [judge(trace.extra["record"], trace.text).to_dict() for trace in case.traces]
    return lanes_message(case.traces, verdicts=verdicts, at=case.number)


def case_head(case: Case, number: int) -> str:
    """What stands above the player."""
    moments = [
        {
            "pass": moment.number,
            "label": moment.label,
            "text": moment.text,
            "points": [point.position for point in moment.points],
        }
        for moment in case.moments
    ]
    return dumps(
        {
            "follows": PLAYER,
            "case": number,
            "title": case.title,
            "text": case.text,
            "pass": case.number,
            "lane": len(case.traces) - 1,
            "points": [point.position for point in case.points],
            "moments": moments,
            "picture": _picture(case),
            "command": str(case.traces[-1].extra.get("command", "")),
        }
    )


def _lane(trace: Trace) -> dict[str, Any]:
    record = trace.extra["record"]
    return {
        "name": decoder_name(trace.decoder["name"], trace.model),
        "correct": mark(judge(record, trace.text).to_dict()),
        "passes": trace.forward_passes,
        "revoked": trace.revocations,
    }


def _picture(case: Case) -> str | None:
    if case.picture is None or not case.picture.is_file():
        return None
    return f"data:image/png;base64,{b64encode(case.picture.read_bytes()).decode()}"
