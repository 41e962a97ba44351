"""The Lessons tab: short lessons about recorded traces, beside a player that goes where the words are.

A lesson is sent when it is opened, with its traces; from then on the browser turns the pages by itself
(assets/page/lessons.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import gradio as gr

from wino_viz.claims import standing
from wino_viz.lessons import Lesson, LessonStep, read_lessons
from wino_viz.tasks.registry import judge
from wino_viz.trace import Trace, dumps
from wino_viz.ui.forms import HIDDEN
from wino_viz.ui.messages import trace_message
from wino_viz.ui.player import Player
from wino_viz.ui.widgets import Widget

PLAYER = "lessons-player"
SCRIPTS = ("marks.js", "lessons.js", "cases.js", "lessons.css", "cases.css")  # of both tabs about recordings


class LessonPages(Widget):
    """The list of lessons, the page that is open, and its question. Its `select` carries {"lesson": number from 0}."""

    kind = "lesson"
    more = SCRIPTS


def lessons_tab(lessons: Sequence[Lesson] | None = None) -> None:
    """Builds the tab inside the page that is being made; `lessons` left out are those of assets/lessons."""
    lessons = shipped_lessons() if lessons is None else list(lessons)
    with gr.Row(elem_classes="lessons-tab"):
        with gr.Column(elem_classes=["wv-panel", "lessons-panel"], min_width=300):
            pages = LessonPages(dumps(_contents(lessons)), label="Lesson", elem_id="lessons-pages")
        with gr.Column(elem_classes="lessons-stage", min_width=320):
            Player(fold_prompt=False, elem_id=PLAYER)

    def show(event: gr.EventData) -> Any:
        asked = event._data.get("lesson") if isinstance(event._data, dict) else None
        if type(asked) is not int or not 0 <= asked < len(lessons):  # a browser may send anything
            return gr.skip()
        return dumps(_contents(lessons) | {"at": asked, "lesson": lesson_page(lessons[asked])})

    pages.select(show, None, pages, queue=False, **HIDDEN)


@cache
def shipped_lessons() -> tuple[Lesson, ...]:
    """Those of assets/lessons, read once."""
    return tuple(read_lessons())


def _contents(lessons: Sequence[Lesson]) -> dict[str, Any]:
    titles = [{"title": lesson.title, "summary": lesson.summary} for lesson in lessons]
    return {"follows": PLAYER, "lessons": titles}


def lesson_page(lesson: Lesson) -> dict[str, Any]:
    """A lesson as the browser gets it: {"steps": […], "traces": {name: a message to the player}}."""
    messages = {
        name: trace_message(trace, verdict=judge(trace.extra["record"], trace.text).to_dict())
        for name, trace in lesson.traces.items()
    }
    return {"steps": [_page(step, lesson.traces[step.trace]) for step in lesson.steps], "traces": messages}


def _page(step: LessonStep, trace: Trace) -> dict[str, Any]:
    asked = step.question
    question = asked and {
        "ask": asked.ask,
        "find": asked.find,
        "choices": list(asked.choices),
        "answer": list(asked.answer),
        "names": _names(trace, step.number + 1),
    }
    return {
        "heading": step.heading,
        "text": list(step.text),
        "trace": step.trace,
        "pass": step.number,
        "points": [point.position for point in step.points],
        "question": question,
    }


def _names(trace: Trace, number: int) -> dict[str, str]:
    """The texts of the tokens that stand before a pass, and of those that it drafts, by position."""
    ids = dict(enumerate(standing(trace, number - 1)))
    ids |= {token.position: token.id for token in trace.steps[number - 1].drafted}
    return {str(p): trace.pieces[i].strip() or "↵" for p, i in ids.items() if i != trace.mask_id}
