"""The lessons: readable, and true of the traces that they speak of."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from wino_viz.claims import STATES, ClaimError, Point, figures, folded, seen_at
from wino_viz.cli import main
from wino_viz.lessons import EXAMPLES, LESSONS, Lesson, LessonStep, read_lesson, read_lessons
from wino_viz.trace import Trace, dumps
from wino_viz.ui.lessons_tab import lesson_page, lessons_tab

FILES = sorted(LESSONS.glob("*.json"))
COLLIDES = EXAMPLES / "1-two-wordings-collide.json"


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def lesson(request) -> Lesson:
    return read_lesson(request.param)


@pytest.fixture(scope="module")
def collides() -> Trace:
    return Trace.from_json(COLLIDES.read_bytes())


def test_there_are_five_lessons_in_their_order_and_all_of_them_are_shown():
    assert [lesson.title for lesson in read_lessons()] == [
        "What a masked model predicts",
        "Why many at once collide",
        "Drafting wide",
        "Verification",
        "Narrowing, and WINO+",
    ]


def test_what_a_lesson_points_at_is_there_in_sight_and_as_it_says(lesson: Lesson):
    for step in lesson.steps:
        trace = lesson.traces[step.trace]
        for point in step.points:
            assert point.state in seen_at(trace, step.number, point.position)
            assert point.position not in folded(trace, step.number)
    assert sum(len(step.points) for step in lesson.steps) >= 5


def allowed_numbers(lesson: Lesson, step: LessonStep) -> set[str]:
    """Every number that is to be seen while the step is shown, or that the step's own claims have checked."""
    trace = lesson.traces[step.trace]
    claimed = [*step.points, *(point for _, point in step.claims)]
    numbers = {str(number) for number, _ in step.claims} | {f"{p.p:.2f}" for p in claimed if p.p is not None}
    for number in (step.number, step.number - 1, step.number + 1):
        if 0 <= number <= trace.forward_passes:
            numbers |= {str(number)} | {str(v) for v in figures(trace, number).values() if type(v) is int}
    numbers |= {f"{v:g}" for v in trace.decoder.values() if isinstance(v, int | float) and not isinstance(v, bool)}
    numbers |= {f"{v:.0%}".rstrip("%") for v in trace.decoder.values() if isinstance(v, float)}
    numbers |= {str(v) for v in (trace.gen_length, trace.block_length, trace.blocks)}
    numbers |= set(re.findall(r"\d+", f"{trace.prompt} {trace.text} {' '.join(p.token for p in claimed)}"))
    return numbers | {str(len(step.points)), str(trace.gen_length // trace.blocks)}


def test_every_number_in_a_lesson_is_one_that_its_trace_has(lesson: Lesson):
    rules = {"0", "1"}  # from 0 to 1; one token, the surest one
    for step in lesson.steps:
        words = " ".join([step.heading, *step.text, step.question.ask if step.question else ""])
        words = re.sub(r"\b[Ll]esson \d", "", words)
        found = set(re.findall(r"\d+(?:\.\d+)?", words))
        assert found - rules <= allowed_numbers(lesson, step), step.heading


def test_lessons_ask_and_what_they_ask_can_be_found(lesson: Lesson):
    asked = [step for step in lesson.steps if step.question]
    for step in asked:
        assert set(step.question.answer) < set(step.question.choices)
        next_pass = lesson.traces[step.trace].steps[step.number]
        happened = next_pass.remasked if step.question.find == "taken back" else next_pass.drafted
        assert set(step.question.answer) <= {token.position for token in happened}
    assert asked or lesson.title == "Why many at once collide"  # threshold takes nothing back to guess at


def test_threshold_and_wino_begin_alike_as_the_last_lesson_says():
    wino = Trace.from_json(COLLIDES.read_bytes())
    alone = Trace.from_json((EXAMPLES / "5-drafting-without-verification.json").read_bytes())
    for number in (0, 1):
        assert [t[:2] for t in wino.steps[number].drafted] == [t[:2] for t in alone.steps[number].drafted]


def test_a_lesson_is_light_and_nothing_of_it_comes_before_it_is_opened(lesson: Lesson):
    page = lesson_page(lesson)
    assert len(dumps(page)) < 60_000
    assert set(page["traces"]) == {step["trace"] for step in page["steps"]}


@pytest.mark.parametrize("name", ["lessons/traces/rosa-wino", "cases/traces/countdown-a-false-alarm"])
def test_the_command_in_a_recording_still_makes_it(name: str, tmp_path: Path):
    recorded = Trace.from_json((LESSONS.parent / f"{name}.json").read_bytes())
    arguments = shlex.split(recorded.extra["command"])[3:]
    arguments[arguments.index("--trace") + 1] = str(tmp_path / "again.json")
    assert main(arguments) == 0
    again = Trace.from_json((tmp_path / "again.json").read_bytes())
    for one, other in zip(again.steps, recorded.steps, strict=True):
        assert [t[:2] for t in one.drafted] == [t[:2] for t in other.drafted]
        assert [t[:2] for t in one.remasked] == [t[:2] for t in other.remasked]


# ---- a lesson that is wrong is refused, with a sentence


@pytest.fixture
def copy(tmp_path: Path):
    """Write a changed copy of the lesson on verification; its path."""
    shutil.copytree(LESSONS / "traces", tmp_path / "traces")

    def copy(change) -> Path:
        data = json.loads((LESSONS / "4-verification.json").read_text())
        change(data)
        path = tmp_path / "lesson.json"
        path.write_text(json.dumps(data))
        return path

    return copy


def third(data: dict) -> dict:
    return data["steps"][2]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: third(d)["points"][0].update(position=9), "said to be taken back, and is drafted and standing"),
        (lambda d: third(d)["points"][0].update(token="2"), "said to be '2', and is '1'"),
        (lambda d: third(d)["points"][0].update(p=0.75), "said to have p 0.75, and has 0.6"),
        (lambda d: third(d)["points"][0].update(position=99), "there is no position 99 in 32 tokens"),
        (
            lambda d: third(d)["points"][0].update(position=20, p=1.0, **{"is": "passed", "token": "<|endoftext|>"}),
            "folded away",
        ),
        (lambda d: third(d)["points"][0].update(colour="red"), "'colour' is none of is, p, position, token"),
        (lambda d: third(d)["points"][0].update({"is": "eaten"}), '"is" must be one of drafted, passed, taken back'),
        (lambda d: third(d).update(facts={"taken_back": 3}), "taken_back of pass 3 is said to be 3, and is 2"),
        (lambda d: third(d).update(facts={"limits": ["speed"]}), "limits must be a list of"),
        (lambda d: third(d).update({"pass": 7}), "there is no pass 7 among 6"),
        (lambda d: third(d).update({"pass": True}), "pass must be a whole number from 0, not True"),
        (lambda d: third(d).update(trace="../../traces/x"), "there is no trace '../../traces/x'"),
        (lambda d: third(d).update(trace="nothing"), "there is no trace 'nothing'"),
        (lambda d: third(d).update(text=[]), "text must be a list of 1 to 4, not of 0"),
        (lambda d: third(d).update(text=["a" * 601]), "text must be at most 600 characters, not 601"),
        (lambda d: third(d).update(heading=" "), "heading must be text, not ' '"),
        (
            lambda d: third(d).update(question={"ask": "Which?", "find": "lost"}),
            '"find" must be "taken back" or "drafted"',
        ),
        (
            lambda d: d["steps"][0].update(question={"ask": "Which?", "find": "taken back"}),
            "pass 2 has no token in sight",
        ),
        (lambda d: d["steps"][-1].update(question={"ask": "?", "find": "drafted"}), "there is no pass after pass 6"),
        (lambda d: d["steps"][0]["claims"][0].update(token="4"), "claim 1: position 1 in pass 1 is said to be '4'"),
        (lambda d: d.update(steps=[]), "steps must be a list of 2 to 12, not of 0"),
        (lambda d: d.update(author="me"), "'author' is none of steps, summary, title"),
        (lambda d: d.pop("title"), "title must be text, not nothing"),
    ],
)
def test_a_claim_that_the_trace_does_not_bear_out_is_refused_with_one_sentence(copy, change, sentence, caplog):
    path = copy(change)
    with pytest.raises(ClaimError) as refused:
        read_lesson(path)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value) and str(refused.value).startswith("lesson.json")
    assert read_lessons(path.parent) == [] and "is left out" in caplog.text


def test_a_file_that_is_no_json_and_a_trace_that_is_none_are_refused(copy, tmp_path: Path):
    path = copy(lambda data: [step.update(trace="broken") for step in data["steps"]])
    (tmp_path / "traces" / "broken.json").write_text("{}")
    with pytest.raises(ValueError, match="not a trace"):
        read_lesson(path)
    path.write_text("{")
    with pytest.raises(ClaimError, match=r"lesson\.json is not valid JSON"):
        read_lesson(path)


def test_a_trace_that_is_recorded_anew_and_differs_makes_the_words_be_refused(copy, tmp_path: Path):
    """The shadow passes a token that the lesson says was taken back: as a retrained model might."""
    path = copy(lambda data: None)
    trace = Trace.from_json((EXAMPLES / "8-two-of-a-digit.json").read_bytes())
    assert read_lesson(path).title == "Verification"
    step = trace.steps[2]
    other = replace(step, remasked=step.remasked[:1])
    trace = replace(trace, steps=(*trace.steps[:2], other, *trace.steps[3:5]))
    trace = replace(trace, steps=trace.steps[:3], output_ids=list(replace(trace, steps=trace.steps[:3]).canvases())[-1])
    (tmp_path / "traces" / "8-two-of-a-digit.json").write_text(trace.to_json())  # found before examples/traces
    with pytest.raises(ClaimError, match="position 14 in pass 3 is said to be taken back, and is"):
        read_lesson(path)


# ---- what may be said of a token


def test_every_state_is_told_apart(collides: Trace):
    seen = {state for number in range(13) for p in range(64) for state in seen_at(collides, number, p)}
    assert seen == {*STATES} - {"kept", "planted"}  # no token that failed is spared in this one, and none is planted
    spared = Trace.from_json((EXAMPLES / "6-wino-gets-one-wrong.json").read_bytes())
    assert seen_at(spared, 7, 56)["kept"] == ("0", pytest.approx(0.35, abs=0.01))
    assert seen_at(collides, 0, 0) == {"masked": ("", None)}


def test_a_mask_needs_no_token_and_a_space_is_an_empty_one(collides: Trace):
    Point.read({"position": 0, "is": "masked"}, "here").check(collides, 0, "here")
    Point.read({"position": 19, "is": "taken back", "token": ""}, "here").check(collides, 4, "here")
    with pytest.raises(ClaimError, match="token must be text, not nothing"):
        Point.read({"position": 0, "is": "drafted"}, "here")


def test_the_page_holds_titles_alone_before_a_lesson_is_opened():
    with gr.Blocks() as app:
        lessons_tab()
    values = [part["props"].get("value") for part in app.get_config_file()["components"]]
    sent = [value for value in values if isinstance(value, str)]
    assert any("What a masked model predicts" in value for value in sent)
    assert all(len(value) < 2_000 and "forward pass*" not in value for value in sent)
