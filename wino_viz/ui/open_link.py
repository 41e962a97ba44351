"""The page opens as its address says: see links.py for what that may be.

open_links(demo, decode, tabs, examples)     inside the page that is being made
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from wino_viz.ui.decode_tab import OWN, DecodeTab, about, example_values
from wino_viz.ui.examples import Example
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.links import Link, read_link
from wino_viz.ui.messages import clear_message
from wino_viz.ui.watching import Current
from wino_viz.ui.widgets import say

ADDRESS = "(_, ...values) => [location.search, ...values]"
FILLED = "Filled in from a link: press Run to decode it."
STEPS = 4  # of a new story


def open_links(demo: gr.Blocks, decode: DecodeTab, tabs: Mapping[str, str], examples: Sequence[Example]) -> None:
    """Follows the address of the page when it is opened. `tabs`: what links call the tabs that there are, and their ids."""
    address = gr.Textbox(visible=False)

    def follow(search: Any, current: Current) -> tuple:
        nothing = (gr.skip(),) * len(decode.outputs)
        if not search:
            return nothing
        link = read_link(
            search,
            examples,
            decode.decoder,
            decode.session,
            [*tabs],
            more=decode.forms.canvas.readers,
            models=decode.forms.model.names,
        )
        if link.example is not None:
            return _example(decode, examples, link)
        if link.fills:
            current.end()
            return _problem(decode, link)
        if link.words:
            return gr.skip(), say(link.words), *nothing[2:]
        return nothing

    opened = demo.load(follow, [address, decode.current], decode.outputs, js=ADDRESS, queue=False, **HIDDEN)
    opened.then(None, js=f"() => winoPage.followLink({json.dumps(dict(tabs))})", **HIDDEN)


def _example(decode: DecodeTab, examples: Sequence[Example], link: Link) -> tuple:
    example = examples[link.example]
    message, _, *values = example_values(decode, example, at=link.at, token=link.token)
    return message, _told(about(example), link), link.example, *values


def _problem(decode: DecodeTab, link: Link) -> tuple:
    problem, forms = decode.problem, decode.forms
    record = link.problem
    if record is None:
        record = decode.session.new_problem(STEPS, secrets.randbelow(2**32), link.new or decode.session.tasks[0])
    task = problem.known(record)
    usual = decode.decoder.usual(task)
    key = None
    if link.decoder:
        key, settings = link.decoder
        usual[key] = settings
    values = (*decode.decoder.fill(usual, key), *forms.canvas.fill(task, link.canvas), *forms.model.home())
    return clear_message(), _told(FILLED, link), OWN, *problem.show(dict(record)), *values


def _told(words: str, link: Link) -> str:
    return say(f"{words} {link.words}".strip())
