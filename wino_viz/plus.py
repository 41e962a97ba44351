"""WINO+: a model trained on the order in which WINO placed its tokens, so that a plain threshold is enough (arXiv
2605.16941). It is a model like others, and its name says what it is:

    session = Session("llada-mini")
    plus = wino_plus(session)         the session of llada-mini-wino-plus, or None where there is no such model
    decoding = plus.start(prompt, plus.settings(RULE))
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from wino_viz.decoding import ThresholdSettings, WinoSettings
from wino_viz.models.files import ADAPTER_FILE, CONFIG_FILE, is_wino_plus, model_folder
from wino_viz.session import Session

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

SUFFIX = "-wino-plus"
RULE = ThresholdSettings.name  # how such a model is decoded

log = logging.getLogger(__name__)


def usual_spec(model: str) -> str:
    """The SPEC of the decoder that a model is usually run with: WINO, or for a WINO+ model threshold."""
    return RULE if is_wino_plus(model) else WinoSettings.name


def wino_plus(session: Session, load: Callable[[str], Checkpoint] | None = None) -> Session | None:
    """The WINO+ model that goes with the one of `session`: of the same name with "-wino-plus" behind it.

    None where there is no such folder, or its presets can't be used (the log says why): an app is complete without.
    Loads nothing. `load` is as in `Session`.
    """
    name = f"{session.model.rstrip('/')}{SUFFIX}"
    folder = model_folder(name)
    if folder is None or not any((folder / file).exists() for file in (CONFIG_FILE, ADAPTER_FILE)):
        return None
    try:
        plus = Session(name, load, session.task, session.service)
        for task in plus.tasks:
            plus.settings(RULE, task)
    except (ValueError, TypeError) as error:
        log.warning("the model %s is left out: %s", name, error)
        return None
    return plus
