"""The messages of a run that is stopped sooner than it can begin: gradio delivers them in an order of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.tasks.registry import prompt_of
from wino_viz.ui import watching
from wino_viz.ui.watching import BROKEN, Current, Update, broken_off, mark, stop, watch

NOTHING_RUNS = "Nothing is running now."


def text(notice: str | None) -> str | None:
    return notice and json.loads(notice)["text"]


def lanes(update: Update) -> list[dict]:
    """What an update says of each lane to the player: its trace, and the words that a stop leaves there."""
    message = json.loads(update.player)
    if message["type"] == "trace":
        return [{"trace": message["trace"], "stopped": message.get("stopped", "")}]
    rows = zip(message["traces"], message["stopped"], strict=True)
    return [{"trace": trace, "stopped": stopped} for trace, stopped in rows]


def notices(updates) -> list[str]:
    return [text(update.notice) for update in updates if update.notice]


@pytest.fixture
def current() -> Current:
    return Current()


@pytest.fixture
def start(mini: Checkpoint):
    session = Session(load=lambda name: mini)
    return lambda: [session.start("Ana has 3 pears.", session.settings("standard"), gen_length=16, block_length=16)]


def test_a_run_ends_with_its_verdict_and_nothing_is_left_to_say(current, start):
    assert "Done in" in notices(watch(current, start, True))[-1]
    assert broken_off(current) == Update()
    assert text(stop(current).notice) == NOTHING_RUNS
    assert broken_off(current) == Update()


@pytest.mark.parametrize(
    ("messages", "words"), [(1, "before the first pass"), (2, "before the first pass"), (3, "after 1 pass")]
)
def test_a_run_that_its_stop_overtook_says_that_it_was_stopped(current, start, messages, words):
    """Its stop found nothing to stop, and then it was closed with "Decoding …" as its last word."""
    assert text(stop(current).notice) == NOTHING_RUNS
    updates = watch(current, start, True)
    for _ in range(messages):
        next(updates)
    updates.close()
    said = broken_off(current)
    assert text(said.notice) == f"Stopped {words}."
    assert said.player is None or [lane["stopped"] for lane in lanes(said)] == ["Stopped here."]
    assert current.run == "" and broken_off(current) == said  # one stop may end several runs, each with such words


@pytest.mark.parametrize(
    ("messages", "words"), [(2, "before the first pass"), (3, "after 1 pass"), (4, "after 2 passes")]
)
def test_the_words_of_a_stop_are_said_again(current, start, messages, words):
    """The "Decoding …" that was on its way may have landed on them, or a pass on the player."""
    updates = watch(current, start, True)
    for _ in range(messages):
        next(updates)
    said = stop(current)
    assert text(said.notice) == f"Stopped {words}."
    [lane] = lanes(said)
    assert lane["stopped"] == "Stopped here." and len(lane["trace"]["steps"]) == messages - 2
    updates.close()
    assert broken_off(current) == broken_off(current) == said  # of each run that the stop ended


@pytest.mark.parametrize("messages", [1, 2, 3])
def test_a_stopped_run_says_the_words_of_its_stop_again_and_then_nothing(current, start, messages):
    """Its "Decoding …" may have landed on them; and gradio repeats a run's last message when the run is over."""
    updates = watch(current, start, True)
    for _ in range(messages):
        next(updates)
    said = stop(current)
    assert text(stop(current).notice) == NOTHING_RUNS  # pressed twice
    assert list(updates) == [said, Update()]


def test_a_stopped_run_says_nothing_after_a_later_one_or_a_new_problem(current, start):
    first, second = watch(current, start, True), watch(current, start, True)
    next(first)
    stop(current)
    next(second)
    assert list(first) == [Update()]
    stop(current)
    current.end()  # as a new problem does
    assert list(second) == [Update()]


def test_a_run_that_arrives_after_its_stop_or_after_a_later_run_does_not_begin(current, start):
    """Presses are numbered by the browser: what it sends may arrive in another order."""
    assert text(stop(current, press=2).notice) == "Stopped before the first pass."
    for press in (1, 2):
        assert list(watch(current, start, True, press=press)) == [Update()] and not current.run
    later = watch(current, start, True, press=4)
    next(later)
    assert list(watch(current, start, True, press=3)) == [Update()]
    assert stop(current, press=3) == Update() and current.run
    assert "Done in" in notices(later)[-1]
    assert text(stop(current, press=4).notice) == NOTHING_RUNS


@pytest.mark.parametrize("press", [None, "7", [], float("nan"), float("inf"), -1, True, 10**400])
def test_a_press_without_a_number_is_one_all_the_same(current, start, press):
    assert text(stop(current, press=press).notice) == NOTHING_RUNS
    assert "Done in" in notices(watch(current, start, True, press=press))[-1]


def test_a_new_run_or_a_new_problem_has_the_last_word(current, start):
    first = watch(current, start, True)
    next(first)
    second = watch(current, start, True)
    next(second)
    first.close()
    assert broken_off(current) == Update() and current.run  # the second still goes on
    stop(current)
    current.end()  # as a new problem does
    second.close()
    assert broken_off(current) == Update()


def test_a_lane_that_had_come_to_its_end_was_not_stopped(mini, current):
    session = Session(load=lambda name: mini)
    settings = [session.settings("standard", tokens_per_step=8), session.settings("standard")]
    size = {"gen_length": 16, "block_length": 16}
    updates = watch(current, lambda: [session.start("Ana has 3 pears.", s, **size) for s in settings], True, ["a", "b"])
    for _ in range(9):
        next(updates)
    said = stop(current)
    assert [lane["stopped"] for lane in lanes(said)] == ["", "Stopped here."]
    assert json.loads(said.player)["titles"] == ["a", "b"]


def test_a_fault_is_said_whatever_else_there_is_to_say(current):
    def fail():
        raise RuntimeError("the accelerator fell off")

    with pytest.raises(RuntimeError):
        list(watch(current, fail, True))
    assert text(broken_off(current).notice) == BROKEN


@pytest.mark.parametrize(
    ("passes", "words"), [([1], "1 pass"), ([2, 1], "2 and 1 passes"), ([3, 0, 2], "3, 0 and 2 passes")]
)
def test_several_decodings_count_their_passes_apart(passes, words):
    made = [SimpleNamespace(trace=lambda n=n: SimpleNamespace(forward_passes=n)) for n in passes]
    assert watching._stopped_after(made) == f"Stopped after {words}."


def test_three_decodings_take_turns_each_in_its_own_model(mini, current):
    """Threshold, WINO and WINO+, as a comparison has them: a row of figures each, under the name of what decoded it."""
    sessions = [Session(load=lambda name: mini), Session("mini-wino-plus", load=lambda name: replace(mini, name=name))]
    base, plus = sessions
    pairs = [(base, base.settings("threshold", tau=0.6)), (base, base.settings("wino"))]
    pairs.append((plus, plus.settings("threshold", tau=0.7)))
    size = {"gen_length": 32, "block_length": 16}
    updates = list(watch(current, lambda: [s.start("Ana has 3 pears.", o, **size) for s, o in pairs], False))
    told = [json.loads(update.player) for update in updates if update.player]
    assert [m["lanes"] for m in told if m["type"] == "start"] == [3, 3, 3]
    order = [m["lane"] for m in told if m["type"] == "step"]
    counts = [order.count(lane) for lane in range(3)]
    turns = [lane for turn in range(max(counts)) for lane in range(3) if turn < counts[lane]]
    assert order == turns
    assert [trace["model"] for trace in told[-1]["traces"]] == ["llada-mini", "llada-mini", "mini-wino-plus"]
    rows = updates[-1].rows
    assert [row["title"] for row in rows] == ["Threshold, τ 0.6", "WINO, τ1 0.6, τ2 0.9", "WINO+, τ 0.7"]
    assert [row["passes"] for row in rows] == counts and rows[2]["revoked"] == 0
    assert "Done in {}, {} and {} forward passes".format(*counts) in text(updates[-1].notice)


@pytest.mark.parametrize(
    ("correct", "faithful", "expected"),
    [(True, True, True), (True, False, None), (False, False, False), (False, True, False), (None, True, None)],
)
def test_a_right_answer_with_something_wrong_beside_it_gets_no_tick(correct, faithful, expected):
    assert mark({"correct": correct, "faithful": faithful, "text": ""}) is expected


def test_where_nothing_is_taken_back_the_page_says_why_wino_took_more_passes(current, mini):
    session = Session(load=lambda name: mini)
    prompt = prompt_of({"task": "countdown", "numbers": [11, 28, 3], "target": 51})
    size = {"gen_length": 32, "block_length": 32}

    def notice(*names: str) -> str:
        begun = [(session.settings(name, task="countdown")) for name in names]
        return notices(watch(current, lambda: [session.start(prompt, each, **size) for each in begun], True))[-1]

    assert "it drafts at most 70% of the masks in one" in notice("threshold", "wino")
    assert "at most" not in notice("standard", "wino")
