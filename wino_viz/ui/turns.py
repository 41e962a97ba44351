"""“Ask a follow-up” below a player: the conversation so far, and a field for the next question.

    asking = Asking("decode-player", menu, plus)
    panel = asking.panel("turns")
    on_turns(panel, asking, tab, on_run, ON_REFUSED, OWN)          # of the Decode tab; picture_turns.py has that of pictures

The conversation is what the player's trace holds, be it of a run, a recording or a file: the browser shows it and sends that
trace with the question (assets/page/turns.js), and nothing is kept here. What comes from a browser is checked like any trace.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from wino_viz import untrusted
from wino_viz.model_menu import ModelMenu
from wino_viz.problems import known_problem
from wino_viz.tasks.registry import prompt_of
from wino_viz.trace import dumps
from wino_viz.turns import ConversationTooLong, Turns, goes_on
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE
from wino_viz.ui.messages import clear_message
from wino_viz.ui.take import played
from wino_viz.ui.watching import Current, broken_off, is_finished, watch
from wino_viz.ui.widgets import Widget, say

if TYPE_CHECKING:
    from wino_viz.ui.decode_tab import DecodeTab

LONGEST_QUESTION = 4_000  # characters of the field
FEW_STEPS = 2  # of a new problem: a small model has little room beside what was said
SINGLE = (
    "This small model learned single problems. A follow-up is beyond what it learned, and its answer will most likely be "
    "wrong; chat models such as LLaDA-8B-Instruct learned conversations."
)
SINGLE_PICTURE = (
    "This small model learned one question about a picture at a time. It answers most questions after a description, too, "
    "if less surely, and has room for one or two of them; a second description it gets wrong."
)


class TurnsPanel(Widget):
    """The conversation and the next question. Its `click` asks it: {"question", "message", "left_out", "number": of what was
    asked here}; its `select` is {"what": "new"}, a new problem for the field, or {"what": "over", "question": the first}, to
    start over.
    """

    kind = "turns"
    more = ("turns.js", "turns.css")


@dataclass(frozen=True, eq=False)
class Asking:
    """Whose conversation a panel shows: that of the player with the id `follows`; and who may be asked: the models of `menu`
    (those that see, if `pictures`), and that of `plus`.
    """

    follows: str
    menu: ModelMenu
    plus: Any = None
    pictures: bool = False

    def told(self, **told: Any) -> str:
        """What the panel gets: all this, and perhaps what is said of a question."""
        own = self.menu.pictures if self.pictures else self.menu.home
        small = [s.model for s in (own, self.plus) if s is not None and not self.menu.is_listed(s.model)]
        about = {
            "models": sorted({*self.menu.names(pictures=self.pictures), *small}),
            "single": small,
            "about_single": SINGLE_PICTURE if self.pictures else SINGLE,
            "longest": LONGEST_QUESTION,
            "new": "question" if self.pictures else "problem",
        }
        # Each value is a new one: the browser tells nobody of a value that is the same as before, such as a second refusal.
        return dumps({"id": uuid.uuid4().hex, "follows": self.follows, **about, **told})

    def panel(self, elem_id: str) -> TurnsPanel:
        """Builds the panel inside the page that is being made."""
        return TurnsPanel(self.told(), label="Ask a follow-up", elem_id=elem_id)

    def unasked(self, number: Any = None) -> str:
        """What the panel is told of the question that it sent with this number, and that a Stop or a later run overtook; of
        any, without a number.
        """
        return self.told(unasked=number if isinstance(number, int) else 0)

    def refused(self, error: ValueError) -> str:
        """What the panel is told of a question that can't be asked."""
        fits = error.fits if isinstance(error, ConversationTooLong) else None
        return self.told(error=f"Can’t ask it: {str(error).rstrip('.')}.", fits=fits)


def earlier_turns(message: Any, left_out: Any, model: str) -> Turns:
    """The turns before a question to `model`: those of the player's last message, without the `left_out` oldest.

    Of a conversation whose last answer was stopped, that turn is left out: the new question comes in its place. Raises
    ValueError with one sentence.
    """
    trace, _ = played(message)
    turns = goes_on(trace, model, instead=bool(trace.earlier) and not is_finished(trace))
    return turns[untrusted.natural(0 if left_out is None else left_out, "left_out") :]


def on_turns(
    panel: TurnsPanel,
    asking: Asking,
    tab: DecodeTab,
    on_run: Callable[[str], str],
    on_refused: str,
    own: Any,
) -> None:
    """What the panel's buttons do; `own` is the choice of no example, the rest how a tab's run begins in the browser."""
    problem, forms = tab.problem, tab.forms
    player, notice, choice = tab.shown
    press, offered, first = gr.Number(visible=False), gr.State(None), gr.State(None)
    parts = [*problem.parts, *forms.parts]
    untouched = (gr.skip(),) * len(parts)

    def ask(
        press: Any,
        current: Current,
        offered: Any,
        first: Any,
        event: gr.EventData,
        task: str,
        record: dict,
        *values: Any,
    ) -> Iterator[tuple]:
        names, values = values[: len(forms.choices)], values[len(forms.choices) :]
        refused: list[ValueError] = []
        begun: list[tuple] = []  # values of `first` and of the forms, for the first message of a run
        is_shown = False

        def start() -> Sequence[Any]:
            try:
                asked = sent(event)
                known = dict(problem.read(asked.get("question"), offered))
                suits = problem.known(known)
                [chosen], size = forms.read(suits, task, values)
                earlier = earlier_turns(asked.get("message"), asked.get("left_out"), chosen.session.model)
                decoding = chosen.start(prompt_of(known), **size, record=known, earlier=earlier)
            except ValueError as error:
                refused.append(error)
                raise
            settings = forms.fit(suits, names) if suits != task else untouched[len(problem.parts) :]
            is_first = bool(earlier) and known_problem(earlier[0][0], record) is record
            begun.append((record if is_first else gr.skip(), *problem.show(known), *settings))
            return [decoding]

        for update in watch(current, start, forms.loaded(values), press=press):
            began = update.player and begun
            is_shown = is_shown or bool(update.player)
            rest = begun.pop() if began else (gr.skip(), *untouched)
            yield update.player or gr.skip(), update.notice or gr.skip(), own if began else gr.skip(), gr.skip(), *rest
        if refused or not is_shown:
            told = asking.refused(refused[0]) if refused else asking.unasked(sent(event).get("number"))
            yield gr.skip(), gr.skip(), gr.skip(), told, gr.skip(), *untouched

    def broken(current: Current) -> tuple:
        update = broken_off(current)
        return update.player or gr.skip(), update.notice or gr.skip(), asking.unasked()

    def take_problem(event: gr.EventData, task: str) -> tuple:
        if sent(event).get("what") != "new":
            return gr.skip(), gr.skip()
        record = tab.session.new_problem(FEW_STEPS, secrets.randbelow(2**32), task)
        return asking.told(question=prompt_of(record)), record

    def start_over(event: gr.EventData, current: Current, first: Any) -> tuple:
        asked = sent(event)
        if asked.get("what") != "over":
            return (gr.skip(),) * (3 + len(problem.parts))
        current.end()
        question = asked.get("question")
        known = known_problem(question[:LONGEST_QUESTION] if isinstance(question, str) else "", first)
        words = "Started over: Run asks the first question again, or take a new problem."
        return clear_message(), say(words), own, *problem.show(dict(known))

    running = panel.click(
        ask,
        [press, tab.current, offered, first, problem.task, problem.record, *forms.choices, *forms.parts],
        [player, notice, choice, panel, first, *parts],
        js=on_run("winoPage.onRun('decode')"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    running.failure(broken, tab.current, [player, notice, panel], queue=False, **HIDDEN)
    running.failure(None, js=on_refused % "decode", **HIDDEN)
    panel.select(take_problem, [problem.task], [panel, offered], queue=False, **HIDDEN)
    panel.select(start_over, [tab.current, first], [player, notice, choice, *problem.parts], queue=False, **HIDDEN)


def sent(event: gr.EventData) -> Mapping[str, Any]:
    """What a browser sent with an event; it comes from anywhere."""
    return event._data if isinstance(event._data, Mapping) else {}
