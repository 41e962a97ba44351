"""“Decode from pass N on”, which the panel “What if τ?” asks for: the trace up to there, then WINO with other thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wino_viz import untrusted
from wino_viz.decoding.resume import settings_of
from wino_viz.model_menu import ModelMenu
from wino_viz.ui.plant import session_of
from wino_viz.ui.take import played


def go_on(menu: ModelMenu, plus: Any, asked: Any, record: Any = None, picture: Any = None) -> Any:
    """The decoding that goes on, before its first pass; ValueError with one sentence. Loads the model of the trace.

    asked: {"pass": the first that is to be made anew, "tau1", "tau2", "message": the player's last one}, as the browser sends
    it. record: the problem that the trace may be of; picture: what it is about, as that model's session sees it.
    """
    asked = asked if isinstance(asked, Mapping) else {}
    trace, _ = played(asked.get("message"))
    first = untrusted.natural(asked.get("pass"), "pass")
    if not 1 <= first <= trace.forward_passes:
        raise ValueError(f"pass must be 1 to {trace.forward_passes}, not {first}")
    settings = settings_of(trace.decoder_of(first))
    if not hasattr(settings, "tau1"):
        raise ValueError("only WINO has the two thresholds, τ1 and τ2")
    chosen = replace(settings, tau1=asked.get("tau1"), tau2=asked.get("tau2"))
    record = record if isinstance(record, dict) else None
    session = session_of(menu, plus, trace.model)
    return session.branch(trace, first - 1, settings=chosen, record=record, picture=picture)
