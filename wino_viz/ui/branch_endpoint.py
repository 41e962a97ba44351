"""The endpoint /branch for programs: go on from the middle of a trace, as the page does below its player."""

from __future__ import annotations

from typing import Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.model_menu import ModelMenu
from wino_viz.planting import one_token
from wino_viz.trace import Trace
from wino_viz.ui.forms import MODEL_QUEUE
from wino_viz.ui.plant import session_of


def branch_endpoint(menu: ModelMenu, plus: Any) -> None:
    """Adds the endpoint to the page that is being made."""

    def branch(trace: dict, at_pass: int, edits: dict | None = None, decoder: str | None = None) -> dict:
        """Go on from the middle of a trace and return the whole of it: its passes up to at_pass, and those that follow.

        trace is one that a model offered here has made (of /decode, or a trace file). edits are made after pass at_pass (0:
        before the first): {"14": 1017} puts a token there, {"14": "17"} the one token that is this text, {"14": null}
        masks the position again; positions count from 0 at the start of the answer. decoder is a SPEC as in decode; left
        out, the trace's own goes on.
        """
        try:
            read = Trace.from_dict(trace)
            session = session_of(menu, plus, read.model)
            settings = None if decoder is None else session.parse(decoder)
            changes = {
                untrusted.digits(position, "edits"): _token(session, token)
                for position, token in untrusted.mapping({} if edits is None else edits, "edits").items()
            }
            decoding = session.branch(read, at_pass, changes, settings)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None
        for _ in decoding:
            pass
        return decoding.trace().to_dict()

    gr.api(branch, api_name="branch", **MODEL_QUEUE)


def _token(session: Any, token: Any) -> Any:
    return one_token(session.checkpoint(), token) if isinstance(token, str) else token
