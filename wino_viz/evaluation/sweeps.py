"""Which settings of each decoder are measured: for the trade-off of accuracy and passes, and for WINO's two thresholds.

usual = {"wino": WinoSettings(tau1=0.6, tau2=0.9), …}     a task's preset of each decoder
tradeoff_specs(usual)      ["standard:tokens_per_step=1", …, "wino:tau1=0.9:tau2=0.9"]
grid_specs(usual["wino"])  ["wino:tau1=0.5:tau2=0.0", …]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wino_viz.decoding import Settings

# What each decoder is swept over, beside its preset for the task.
SWEEP: dict[str, list[dict[str, Any]]] = {
    "standard": [{"tokens_per_step": tokens} for tokens in (1, 2, 4, 8, 16)],
    "threshold": [{"tau": tau} for tau in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)],
    "factor": [{"f": f} for f in (0.25, 0.5, 1.0, 2.0)],
    "prophet": [
        {"gap_early": late + 5, "gap_middle": late + 2.5, "gap_late": late} for late in (1.25, 2.5, 5.0)
    ],  # the published gaps, and all of them lower and higher
    "wino": [{"tau1": tau1} for tau1 in (0.5, 0.6, 0.7, 0.8, 0.9)],
}
TAU1 = (0.5, 0.6, 0.7, 0.8, 0.9)
TAU2 = (0.0, 0.5, 0.7, 0.9, 0.95)  # at 0 nothing is taken back: drafting alone
SAID = {"wino": ("tau1", "tau2")}  # settings that a SPEC here always says; of the others, those that are swept


def tradeoff_specs(usual: Mapping[str, Settings]) -> list[str]:
    """Each decoder of `usual` over its settings, the rest as there, its own values among them."""
    specs = []
    for name, settings in usual.items():
        specs += _specs([settings, *(replace(settings, **values) for values in SWEEP[name])])
    return specs


def grid_specs(usual: Settings) -> list[str]:
    """WINO over τ1 × τ2, the values of `usual` among them."""
    rows, columns = sorted({*TAU1, usual.tau1}), sorted({*TAU2, usual.tau2})
    return _specs([replace(usual, tau1=tau1, tau2=tau2) for tau1 in rows for tau2 in columns])


def spec_of(settings: Settings) -> str:
    """The SPEC that says what is swept, also where it is the preset's value."""
    return ":".join((settings.name, *(f"{key}={getattr(settings, key)}" for key in _said(settings.name))))


def _said(name: str) -> tuple[str, ...]:
    return SAID.get(name, tuple(SWEEP[name][0]))


def _specs(settings: Sequence[Settings]) -> list[str]:
    """Each one's SPEC, once, sorted by its values."""
    by_value = sorted(settings, key=lambda one: [getattr(one, key) for key in _said(one.name)])
    return list(dict.fromkeys(map(spec_of, by_value)))
