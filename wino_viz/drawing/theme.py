"""The player's colours, read from its own style sheet, and the one palette that all frames of a GIF share."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

PLAYER_CSS = Path(__file__).resolve().parents[2] / "assets" / "player" / "player.css"
RAMP = 12  # steps from a background to what is drawn on it: the soft edges of letters and boxes
APART = 6  # of 255: a colour as near as this to another would only be taken for it
TRANSPARENT = 255  # of the palette: "as in the frame before"

Colour = tuple[int, int, int]

_PROPERTY = r"--{name}:\s*(?:light-dark\(\s*(#[0-9a-f]{{6}})\s*,\s*(#[0-9a-f]{{6}})\s*\)|(#[0-9a-f]{{6}}))\s*;"


@dataclass(frozen=True)
class Theme:
    """Colours by their names in player.css (its --draft-fill is draft_fill here)."""

    ink: Colour
    soft: Colour
    faint: Colour
    rule: Colour
    paper: Colour
    well: Colour
    mask: Colour
    mask_edge: Colour
    draft_fill: Colour
    draft_edge: Colour
    draft_bar: Colour
    back: Colour
    back_text: Colour
    back_fill: Colour
    plant: Colour
    # `pass` is a word of Python
    verified: Colour

    def pairs(self) -> list[tuple[Colour, Colour]]:
        """(what is drawn, on which ground), the frequent ones first."""
        on_paper = (
            "ink soft faint rule mask mask_edge draft_edge draft_fill draft_bar verified back back_text back_fill plant"
        )
        on = {
            "paper": on_paper,
            "well": "ink soft mask mask_edge rule paper",
            "mask": "mask_edge",
            "draft_fill": "ink soft draft_edge",
            "back_fill": "back_text back mask mask_edge",
            "ink": "paper",
            "draft_bar": "ink draft_edge",
        }
        return [(getattr(self, top), getattr(self, ground)) for ground, tops in on.items() for top in tops.split()]

    def palette(self) -> list[int]:
        """256 colours as one flat list: each colour itself, then the ramps of `pairs`. The last is TRANSPARENT."""
        colours = list(dict.fromkeys(getattr(self, entry.name) for entry in fields(self)))
        for top, ground in self.pairs():
            for step in range(1, RAMP):
                mixed = tuple(round(g + (t - g) * step / RAMP) for t, g in zip(top, ground, strict=True))
                if all(max(abs(a - b) for a, b in zip(mixed, known, strict=True)) >= APART for known in colours):
                    colours.append(mixed)
        flat = [value for colour in colours[:TRANSPARENT] for value in colour]
        return flat + list(self.paper) * (256 - len(flat) // 3)


@cache
def theme(dark: bool = False) -> Theme:
    """The player's light or dark colours."""
    style = PLAYER_CSS.read_text(encoding="utf-8")
    return Theme(**{entry.name: _colour(style, entry.name, dark) for entry in fields(Theme)})


def _colour(style: str, name: str, dark: bool) -> Colour:
    name = {"verified": "pass"}.get(name, name.replace("_", "-"))
    found = re.search(_PROPERTY.format(name=name), style)
    if found is None:
        raise RuntimeError(f"{PLAYER_CSS} has no colour --{name}")
    code = found[3] or found[2 if dark else 1]
    return tuple(int(code[at : at + 2], 16) for at in (1, 3, 5))
