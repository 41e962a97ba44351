"""Problems of three tasks on the page: chosen, typed, judged; offered only where the model's presets name them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from gradio_client import Client
from playwright.sync_api import Locator, Page, expect
from test_page import ready

from tests.sudoku_trace import PUZZLE, sudoku_trace
from wino_viz.models.checkpoint import EMBEDDED, Checkpoint
from wino_viz.session import Session
from wino_viz.ui.examples import read_examples
from wino_viz.ui.page import LAUNCH, build_page, theme

SUDOKU = {"gen_length": 32, "block_length": 32, "decoders": {"wino": {"tau1": 0.5, "tau2": 0.8}}}
COUNTDOWN = {"gen_length": 64, "block_length": 32}
ASKED = "Fill in the zeros of this 4x4 sudoku: "


@pytest.fixture(scope="module")
def session(mini: Checkpoint, tmp_path_factory) -> Session:
    """The embedded model as if it had learned three tasks: its presets name them."""
    folder = tmp_path_factory.mktemp("three-tasks")
    presets = json.loads((EMBEDDED / "llada-mini" / "presets.json").read_text())
    presets |= {"sudoku": SUDOKU, "countdown": COUNTDOWN}
    (folder / "presets.json").write_text(json.dumps(presets))
    return Session(str(folder), load=lambda name: mini)


@pytest.fixture(scope="module")
def url(session: Session, serve: Callable[..., str], tmp_path_factory) -> str:
    """The page with two recordings: a word problem's, and a sudoku's."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "2.json").write_text(sudoku_trace().to_json())
    examples = [*read_examples()[:1], *read_examples(folder)]
    return serve(build_page(session, examples), theme=theme(), **LAUNCH)


@pytest.fixture
def page(url: str, open_page: Callable[..., Page]) -> Page:
    return ready(open_page(url))


def kind(page: Page, name: str, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-task").get_by_role("radio", name=name, exact=True)


def take(page: Page, name: str, tab: str = "decode") -> None:
    kind(page, name, tab).evaluate("(radio) => radio.click()")


def prompt_of(page: Page, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-prompt textarea")


def said(page: Page, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-notice .notice")


def type_in(page: Page, text: str) -> None:
    prompt_of(page).fill(text)
    prompt_of(page).blur()


def lengths(page: Page) -> list[str]:
    page.locator("#decode-more button").first.evaluate(
        "(button) => button.classList.contains('open') || button.click()"
    )
    boxes = page.locator("#decode-more").get_by_role("spinbutton")
    return [boxes.nth(n).input_value() for n in range(2)]


def test_a_kind_of_problem_brings_a_new_one_with_its_lengths_and_settings(page):
    expect(kind(page, "Story")).to_be_checked()
    assert lengths(page) == ["128", "64"]
    take(page, "Sudoku")
    expect(prompt_of(page)).to_have_value(re.compile(f"{ASKED}[0-4]{{16}}$"))
    expect(said(page)).to_contain_text("press Run")
    expect(page.locator("#decode-new ~ *").first).to_be_hidden()  # the number of steps is a word problem's
    assert lengths(page) == ["32", "32"]
    tau1 = page.locator("#decode-decoder").get_by_role("spinbutton", name=re.compile("τ1"))
    expect(tau1).to_have_value("0.5")
    before = prompt_of(page).input_value()
    page.locator("#decode-new").click()
    expect(prompt_of(page)).not_to_have_value(before)
    expect(prompt_of(page)).to_have_value(re.compile(ASKED))
    take(page, "Countdown")
    expect(prompt_of(page)).to_have_value(re.compile(r"^Make \d+ from \d+, \d+ and \d+"))
    assert lengths(page) == ["64", "32"]
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text(re.compile("^. (Right|Wrong): "), timeout=60_000)


def test_a_sudoku_written_bare_is_reworded_run_and_judged(page):
    type_in(page, "31.2\n2...\n.21.\n.32.")
    expect(prompt_of(page)).to_have_value(ASKED + PUZZLE)
    expect(kind(page, "Sudoku")).to_be_checked()
    expect(said(page)).to_have_text("A sudoku with one solution. Press Run.")
    assert lengths(page) == ["32", "32"]
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text(re.compile("^. (Right|Wrong): "), timeout=60_000)
    type_in(page, "Ana has 3 pears. Ana buys 2 pears. How many pears are there?")
    expect(kind(page, "Story")).to_be_checked()
    assert lengths(page) == ["128", "64"]


def test_run_pressed_at_once_uses_what_suits_the_typed_problem(page):
    prompt_of(page).fill(PUZZLE)
    page.locator("#decode-run").click()
    expect(page.locator("#decode-player .wp-token[data-position]")).to_have_count(32, timeout=60_000)
    expect(said(page)).to_contain_text(re.compile("Right|Wrong"), timeout=60_000)


WRONG = [
    ("310220000210", "has 16 cells, written row by row"),
    ("3302200002100320", "contradicts itself: 3 twice in row 1"),
    ("1200003000000004", "has no solution"),
    ("30, 100 -> 23", "has three numbers and a target"),
    ("2, 2, 2 -> 100", "100 can’t be reached with 2, 2 and 2: no answer can be right. Press Run."),
]


def test_what_is_wrong_with_a_typed_problem_is_said_before_a_run(page):
    for text, sentence in WRONG:
        type_in(page, text)
        expect(said(page)).to_contain_text(sentence)


def test_a_complaint_goes_when_its_cause_is_gone(page):
    type_in(page, "310220000210")
    expect(said(page)).to_contain_text("this has 12")
    type_in(page, "Ana has 3 pears. Ana buys 2 pears. How many pears are there?")
    expect(said(page)).to_have_text("Press Run.")


def test_what_is_nearly_a_sudoku_or_a_countdown_is_said_to_be_read_as_a_story(page):
    for text in ("31a2200002100320", "-3, 4, 5 -> 12"):
        type_in(page, "3102200002100320")
        expect(kind(page, "Sudoku")).to_be_checked()
        type_in(page, text)
        expect(said(page)).to_contain_text("This is read as a story")
        expect(kind(page, "Story")).to_be_checked()


def test_an_emptied_box_keeps_the_kind_of_problem(page):
    type_in(page, "3102200002100320")
    expect(kind(page, "Sudoku")).to_be_checked()
    type_in(page, "")
    page.wait_for_timeout(600)
    expect(kind(page, "Sudoku")).to_be_checked()


def test_choosing_decoders_right_after_typing_sets_what_suits_the_typed_problem(page):
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-prompt textarea").fill("3000000002000000")
    page.locator("#compare-set-1").click()
    expect(page.locator("#compare-task").get_by_role("radio", name="Sudoku")).to_be_checked()
    tau1 = page.locator("#compare-third-decoder").get_by_role("spinbutton", name=re.compile("τ1"))
    expect(tau1).to_have_value("0.5")


def test_a_wrong_sudoku_is_refused_by_run_too(page, session):
    prompt_of(page).fill("3302200002100320")
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text("Can’t run: this sudoku contradicts itself")
    assert session.running == 0


def test_a_recorded_sudoku_shows_its_board_and_its_problem(page):
    page.locator("#decode-examples input").click()
    page.get_by_role("option", name=re.compile("sudoku")).click()
    expect(prompt_of(page)).to_have_value(ASKED + PUZZLE)
    expect(kind(page, "Sudoku")).to_be_checked()
    player = page.locator("#decode-player")
    expect(player.get_by_role("grid", name="Sudoku board")).to_be_visible()
    player.get_by_role("slider", name="Forward passes").press("End")
    expect(player.locator(".wp-verdict")).to_have_text("✓ Right: a valid grid that keeps the givens.")


def test_two_decoders_get_the_settings_of_the_task(page):
    page.get_by_role("tab", name="Compare").click()
    take(page, "Sudoku", "compare")
    expect(prompt_of(page, "compare")).to_have_value(re.compile(ASKED))
    page.locator("#compare-run").click()
    expect(page.locator("#compare-player .wp-lane").nth(1).locator(".wp-token")).to_have_count(32, timeout=60_000)
    expect(said(page, "compare")).to_contain_text("Done in", timeout=60_000)


def test_a_model_that_knows_word_problems_alone_offers_no_choice_but_still_judges(mini, serve, open_page, tmp_path):
    (tmp_path / "presets.json").write_text(json.dumps({"arithmetic": {"gen_length": 128, "block_length": 64}}))
    alone = Session(str(tmp_path), load=lambda name: mini)
    page = ready(open_page(serve(build_page(alone), theme=theme(), **LAUNCH)))
    expect(page.locator("#decode-task")).to_have_count(0)
    expect(page.get_by_text("Kind of problem")).to_have_count(0)
    type_in(page, PUZZLE)
    expect(said(page)).to_contain_text("never learned such problems: its answer will make no sense.")
    expect(prompt_of(page)).to_have_value(ASKED + PUZZLE)


def test_programs_get_a_sudoku_decoded_on_its_own_canvas(url):
    trace = Client(url, verbose=False).predict(PUZZLE, "threshold", api_name="/decode")
    assert (trace["gen_length"], trace["prompt"]) == (32, ASKED + PUZZLE)
    assert trace["record"] == {"task": "sudoku", "puzzle": PUZZLE}


def test_a_phone_needs_no_sideways_scrolling_with_the_choice(url, open_page):
    page = ready(open_page(url, width=390, height=844))
    page.get_by_role("button", name="Problem and decoder", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("Story", "Countdown", "Sudoku"):
        box = page.locator("#decode-task label", has_text=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
