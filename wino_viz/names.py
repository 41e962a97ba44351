"""What decoders are called wherever a person reads of them: in lists, figures, pictures and messages.

    decoder_name("threshold")                          "Threshold"
    decoder_name("threshold", "llada-mini-wino-plus")  "WINO+"
    decoder_words({"name": "wino", "tau1": 0.6, …})    "WINO, τ1 0.6, τ2 0.9"

assets/player/words.js says the same of a trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wino_viz.decoding import ThresholdSettings
from wino_viz.models.files import is_wino_plus

NAMES = {"standard": "Standard", "threshold": "Threshold", "factor": "Factor", "prophet": "Prophet", "wino": "WINO"}
WINO_PLUS = "WINO+"


def decoder_name(rule: str, model: str = "") -> str:
    """A decoder's name; `rule` is its name in a SPEC. A WINO+ model makes it another decoder, and so another name."""
    name = NAMES.get(rule, rule[:1].upper() + rule[1:])
    if not is_wino_plus(model):
        return name
    return WINO_PLUS if rule == ThresholdSettings.name else f"{WINO_PLUS} model, {name}"


def decoder_words(decoder: Mapping[str, Any], model: str = "") -> str:
    """A decoder with its settings, from {"name": its name in a SPEC, setting: value, …}; what it lacks is a "?"."""
    rule = str(decoder["name"])
    settings = _settings(rule, decoder)
    return ", ".join([decoder_name(rule, model), *([settings] if settings else [])])


def _settings(rule: str, decoder: Mapping[str, Any]) -> str:
    def value(key: str) -> str:
        said = decoder.get(key, "?")
        sane = isinstance(said, int | float) and abs(said) < 1_000_000  # a trace may come from anywhere
        return f"{said:g}" if sane else "?"

    if rule == "wino":
        return f"τ1 {value('tau1')}, τ2 {value('tau2')}"
    if rule == "threshold":
        return f"τ {value('tau')}"
    if rule == "factor":
        return f"f {value('f')}"
    if rule == "prophet":
        return f"gaps {value('gap_early')}, {value('gap_middle')}, {value('gap_late')}"
    if rule != "standard":
        return ""
    tokens = decoder.get("tokens_per_step", 1)
    random = ", at random" if decoder.get("remasking") == "random" else ""
    return f"{tokens} {'token' if tokens == 1 else 'tokens'} a pass{random}"
