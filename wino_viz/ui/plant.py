"""“Plant an error” below a player: change a token by hand, and see which decoder notices.

    player = Player(..., plant=True, elem_id="decode-player")
    plant_panel(menu, plus, "decode-player", problem.record, on_run, on_end, ON_REFUSED)

The browser sends the trace that its player holds, be it of a run or a recording, and what is to be changed; WINO and standard
decoding go on from there side by side. What comes from a browser is checked like any trace. Branches stay with the browser
(assets/page/plant.js): nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.fates import fate_sentence, fates
from wino_viz.model_menu import ModelMenu
from wino_viz.planting import Plant, lanes, read_plant
from wino_viz.trace import Trace, dumps
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE
from wino_viz.ui.player import MOST_LANES, Player
from wino_viz.ui.take import MAX_MESSAGE
from wino_viz.ui.watching import Current, is_finished, mark, watch
from wino_viz.ui.widgets import Notice, PlantPanel, say
from wino_viz.why import ask_why, why_sentence


def record_as_it_is(record: Any, trace: Trace) -> Any:
    """The problem of a trace where the page holds its record."""
    return record


def plant_panel(
    menu: ModelMenu,
    plus: Any,
    follows: str,
    record: gr.State,
    on_run: Callable[[str], str],
    on_end: Callable[..., None],
    on_refused: str,
    prefix: str = "plant",
    record_of: Callable[[Any, Trace], Any] = record_as_it_is,
) -> None:
    """Builds the panel for the player with the id `follows`. `record_of(value of record, trace)` is the problem record that the
    trace's prompt may come from, or None.

    `on_run`, `on_end` and `on_refused` are how a tab's run begins and ends in the browser (decode_tab.py); `prefix` begins
    the ids of the panel's parts.
    """
    shows = f"{prefix}-player"

    def plant_value(**told: Any) -> str:
        """What the panel gets: the ids of its players, and perhaps a branch that is complete."""
        return dumps({"follows": follows, "shows": shows, **told})

    with gr.Column(elem_classes="plant-column", elem_id=prefix, min_width=200):
        panel = PlantPanel(plant_value(), label="Plant an error")
        with gr.Row(elem_classes="plant-run"):
            notice = Notice(None, elem_id=f"{prefix}-notice")
            stop_button = gr.Button("Stop", elem_id=f"{prefix}-stop", elem_classes="plant-stop", min_width=80, scale=0)
        player = Player(lanes=MOST_LANES, fold_prompt=True, plant=True, elem_id=shows, elem_classes="plant-player")

    press, current = gr.Number(visible=False), gr.State(Current())

    def run(press: Any, current: Current, held: Any, event: gr.EventData) -> Iterator[tuple]:
        asked = event._data if isinstance(event._data, Mapping) else {}
        plants: list[Plant] = []
        decodings: Sequence[Any] = ()
        run_id = ""

        def start() -> Sequence[Any]:
            nonlocal decodings
            plant, decodings = begin(menu, plus, asked, lambda trace: record_of(held, trace))
            plants.append(plant)
            return decodings

        for update in watch(current, start, loaded(menu, plus, asked), press=press):
            run_id = current.run or run_id
            yield update.player or gr.skip(), update.notice or gr.skip(), gr.skip()
        if plants and current.run == "" and all(is_finished(decoding.trace()) for decoding in decodings):
            told = branch(plants[0], decodings)
            yield gr.skip(), say(f"Done: {plants[0].name}."), plant_value(run=run_id, branch=told)

    def why(event: gr.EventData) -> str:
        return plant_value(why=answer(menu, plus, event._data if isinstance(event._data, Mapping) else {}))

    panel.select(why, None, panel, trigger_mode="multiple", **MODEL_QUEUE, **HIDDEN)
    running = panel.click(
        run,
        [press, current, record],
        [player, notice, panel],
        js=on_run(f"winoPage.onRun('{prefix}')"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    on_end(running, stop_button, press, current, player, notice)
    running.failure(None, js=on_refused % prefix, **HIDDEN)


def answer(menu: ModelMenu, plus: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Why a token was taken back, measured, for the player that asked; or the sentence that says why that can't be."""
    told = {key: asked.get(key) for key in ("source", "run", "lane", "position", "pass")}
    told = {key: value for key, value in told.items() if isinstance(value, str | int)}
    try:
        trace = _read(asked)
        session = session_of(menu, plus, trace.model)
        text = why_sentence(trace, ask_why(session, trace, asked.get("pass"), asked.get("position")))
    except ValueError as error:
        text = f"This can’t be asked: {str(error).rstrip('.')}."
    return {**told, "text": text}


def _read(asked: Mapping[str, Any]) -> Trace:
    text = asked.get("trace")
    if not isinstance(text, str) or len(text) > MAX_MESSAGE:
        raise ValueError("the trace is missing, or too large")
    return Trace.from_json(text)


def begin(
    menu: ModelMenu, plus: Any, asked: Mapping[str, Any], record_of: Callable[[Trace], Any]
) -> tuple[Plant, list[Any]]:
    """What was asked for, and its decodings at their start; ValueError with one sentence.

    asked: {"trace": as JSON, "at_pass", "position", and "token": an id, or "text"; neither masks the position}.
    """
    trace = _read(asked)
    session = session_of(menu, plus, trace.model)
    where = {"at_pass": asked.get("at_pass"), "position": asked.get("position")}
    plant = read_plant(session, trace, **where, id=asked.get("token"), text=asked.get("text"))
    record = record_of(trace)
    record = record if isinstance(record, dict) else None
    decodings = [
        session.branch(trace, plant.at_pass, plant.edits, settings, record=record)
        for settings in lanes(session, trace, plant)
    ]
    return plant, decodings


def session_of(menu: ModelMenu, plus: Any, model: str) -> Any:
    """The session of the model that made a trace; raises ValueError with one sentence where it is not offered here."""
    if plus is not None and model == plus.model:
        return plus
    names = [*menu.names(), *menu.names(pictures=True)]
    if model not in names:
        known = ", ".join([*names, *([plus.model] if plus is not None else [])])
        raise ValueError(f"{untrusted.described(model)} made this trace, and only it can go on: here there are {known}")
    return menu.session(model)


def loaded(menu: ModelMenu, plus: Any, asked: Mapping[str, Any]) -> bool:
    """Whether the model that is needed is there already; what the browser says of it decides about a word only."""
    try:
        return session_of(menu, plus, str(asked.get("model"))).loaded
    except ValueError:
        return True


def branch(plant: Plant, decodings: Sequence[Any]) -> dict[str, Any]:
    """A branch that is complete, for the browser: its name, its place, and of each lane what became of the planted token."""
    outcomes = []
    for decoding in decodings:
        trace, verdict = decoding.trace(), decoding.verdict()
        fate = fates(trace)[-1]
        known = {
            "pass": fate.revoked[0] if fate.revoked else None,
            "verdict": verdict["text"],
            "correct": mark(verdict),
        }
        outcomes.append({"text": fate_sentence(trace, fate), **known})
    return {"name": plant.name, "at_pass": plant.at_pass, "position": plant.position, "outcomes": outcomes}
