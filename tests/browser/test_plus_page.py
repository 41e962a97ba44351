"""WINO+ on the page: a choice where its model is there, in three lanes beside its teacher, and not a word where it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Locator, Page, expect
from test_page import ready

from tests.stand_in import PRESETS, TAU, write_whole
from wino_viz.models.checkpoint import EMBEDDED, Checkpoint, load_checkpoint
from wino_viz.plus import is_wino_plus, wino_plus
from wino_viz.session import Session
from wino_viz.ui.examples import Example, read_examples
from wino_viz.ui.page import LAUNCH, build_page, theme

LENGTH, BLOCK = 32, 16
SUDOKU = {"gen_length": 32, "block_length": 32, "decoders": {"wino": {"tau1": 0.5, "tau2": 0.8}}}
PLUS_SUDOKU = PRESETS["sudoku"]["decoders"]["threshold"]["tau"]


@pytest.fixture(scope="module")
def session(mini: Checkpoint, tmp_path_factory) -> Session:
    """The embedded model as if it had learned two tasks, with short answers; a stand-in for WINO+ lies beside it."""
    base = tmp_path_factory.mktemp("models") / "base"
    base.mkdir()
    presets = json.loads((EMBEDDED / "llada-mini" / "presets.json").read_text()) | {"sudoku": SUDOKU}
    (base / "presets.json").write_text(json.dumps(presets))
    write_whole(base.with_name("base-wino-plus"))
    session = Session(str(base), load=lambda name: replace(mini, name=name))
    session.gen_length, session.block_length = LENGTH, BLOCK
    return session


@pytest.fixture(scope="module")
def plus(session: Session) -> Session:
    return wino_plus(session, lambda name: load_checkpoint(name, device="cpu"))


@pytest.fixture(scope="module")
def examples(plus: Session) -> list[Example]:
    """The shipped ones of the base model, and the first problem by the stand-in."""
    shipped = [example for example in read_examples() if not is_wino_plus(example.trace.model)]
    drafts = next(e for e in shipped if e.trace.decoder["name"] == "threshold")
    trace = replace(drafts.trace, model=plus.model, decoder={"name": "threshold", "tau": 0.85})
    return [*shipped, replace(drafts, title="By WINO+", trace=trace)]


@pytest.fixture(scope="module")
def url(session: Session, plus: Session, examples: list[Example], serve: Callable[..., str]) -> str:
    return serve(build_page(session, examples, plus=plus), theme=theme(), **LAUNCH)


@pytest.fixture
def page(url: str, open_page: Callable[..., Page]) -> Page:
    return ready(open_page(url))


def compare(page: Page) -> Page:
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-run")).to_be_visible()
    return page


def decoder(page: Page, form: str, name: str) -> Locator:
    return page.locator(f"#{form}-decoder").get_by_role("radio", name=name, exact=True)


def take(radio: Locator) -> None:
    radio.evaluate("(radio) => radio.click()")


def sliders(page: Page, form: str) -> Locator:
    return page.locator(f"#{form}-decoder input[type=number]:visible")


def expect_values(page: Page, form: str, *values: float) -> None:
    expect(sliders(page, form)).to_have_count(len(values))
    for n, value in enumerate(values):
        expect(sliders(page, form).nth(n)).to_have_value(str(value))


def said(page: Page, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-notice .notice")


def test_wino_plus_is_chosen_run_and_named(page, plus):
    take(decoder(page, "decode", "WINO+"))
    expect_values(page, "decode", TAU)
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text(
        re.compile(r"(Right|Wrong).* WINO\+, τ 0.7: done in \d+ forward"), timeout=60_000
    )
    expect(page.locator("#decode-player").get_by_role("heading", name="WINO+, τ 0.7")).to_be_visible()
    expect(page.locator("#decode-player .wp-legend-verified")).to_be_hidden()
    assert plus.loaded


def test_a_sudoku_by_wino_plus_has_its_own_settings(page):
    take(decoder(page, "decode", "WINO+"))
    take(page.locator("#decode-task").get_by_role("radio", name="Sudoku"))
    expect_values(page, "decode", PLUS_SUDOKU)
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text(
        re.compile(rf"^. (Right|Wrong): .* WINO\+, τ {PLUS_SUDOKU}.*: done in"), timeout=60_000
    )


def test_a_run_of_wino_plus_can_be_stopped(page, session, plus):
    take(decoder(page, "decode", "WINO+"))
    sliders(page, "decode").fill("1")  # one token a pass, or nearly
    sliders(page, "decode").press("Tab")
    page.locator("#decode-run").click()
    counter = page.locator("#decode-player .wp-counter-passes dd")
    expect(counter).to_have_text(re.compile(r"of ([2-9]|\d\d)…"), timeout=60_000)
    page.locator("#decode-stop").click()
    expect(said(page)).to_contain_text(re.compile(r"Stopped after \d+ pass|done in"))
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text(re.compile(r"^. (Right|Wrong).* WINO\+, τ 1.*: done in"), timeout=60_000)
    assert session.running == plus.running == 0


def test_a_recording_by_wino_plus_sets_the_form(page):
    page.locator("#decode-examples input").click()
    page.get_by_role("option", name="By WINO+").click()
    expect(decoder(page, "decode", "WINO+")).to_be_checked()
    expect_values(page, "decode", 0.85)


def test_comparing_opens_with_three_lanes_and_runs_all_of_them(page, examples):
    compare(page)
    titles = page.locator("#compare-player .wp-lane-title")
    rows = page.locator("#compare-figures tbody tr")
    expect(titles).to_have_text(["Threshold, τ 0.6", "WINO, τ1 0.6, τ2 0.9", "WINO+, τ 0.85"])  # recorded
    expect(rows).to_have_count(3)
    expect_values(page, "compare-left", 0.6)  # WINO's τ1, not threshold's preset
    expect_values(page, "compare-right", 0.6, 0.9)
    page.locator("#compare-set-2").click()
    expect_values(page, "compare-third", TAU)
    page.locator("#compare-run").click()
    expect(said(page, "compare")).to_contain_text(
        re.compile(r"Done in \d+, \d+ and \d+ forward passes"), timeout=90_000
    )
    expect(titles).to_have_text(["Threshold, τ 0.6", "WINO, τ1 0.6, τ2 0.9", "WINO+, τ 0.7"])
    expect(rows.last).to_contain_text(re.compile(r"WINO\+, τ 0\.7.*(Right|Wrong)", re.DOTALL))
    lanes = page.locator("#compare-player .wp-lane .wp-block-head")
    expect(lanes).to_have_text([re.compile("done$")] * 6)


def test_another_kind_keeps_threshold_at_winos_draft_and_a_press_leaves_two(page):
    compare(page)
    take(page.locator("#compare-task").get_by_role("radio", name="Sudoku"))
    expect_values(page, "compare-right", 0.5, 0.8)
    expect_values(page, "compare-left", 0.5)
    expect_values(page, "compare-third", PLUS_SUDOKU)
    page.locator("#compare-set-1").click()
    expect(decoder(page, "compare-third", "None")).to_be_checked()
    expect(decoder(page, "compare-left", "Standard")).to_be_checked()
    expect_values(page, "compare-third")
    take(decoder(page, "compare-left", "Threshold"))
    page.locator("#compare-run").click()
    expect(said(page, "compare")).to_contain_text(re.compile(r"Done in \d+ and \d+ forward passes"), timeout=90_000)
    expect(page.locator("#compare-player .wp-lane:visible")).to_have_count(2)
    expect(page.locator("#compare-figures tbody tr")).to_have_count(2)


def test_a_phone_shows_three_lanes_one_above_the_other(url, open_page):
    page = compare(ready(open_page(url, width=390, height=844)))
    lanes = page.locator("#compare-player .wp-lane")
    expect(lanes).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len({lane.bounding_box()["x"] for lane in lanes.all()}) == 1
    page.get_by_role("button", name="Problem and decoders").click()
    for option in page.locator("#compare-third-decoder .which-decoder label").all():
        box = option.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_programs_choose_a_model_by_its_name(url, session, plus):
    client = Client(url, verbose=False)
    trace = client.predict("Ana has 3 pears.", model=plus.model, gen_length=16, block_length=16, api_name="/decode")
    assert (trace["model"], trace["decoder"]["name"], trace["decoder"]["tau"]) == (plus.model, "threshold", TAU)
    trace = client.predict("Ana has 3 pears.", gen_length=16, block_length=16, api_name="/decode")
    assert (trace["model"], trace["decoder"]["name"]) == (session.model, "wino")
    with pytest.raises(AppError, match=rf"there is no model 'gpt' here: choose one of {session.model}, {plus.model}"):
        client.predict("Ana has 3 pears.", model="gpt", api_name="/decode")


def test_without_the_model_there_is_no_word_of_the_choice_and_a_third_lane_all_the_same(session, serve, open_page):
    page = ready(open_page(serve(build_page(session), theme=theme(), **LAUNCH)))
    assert page.locator("label", has_text="WINO+").count() == 0
    compare(page)
    expect(decoder(page, "compare-third", "None")).to_be_checked()
    assert page.get_by_role("button", name="WINO+").count() == 0
    page.locator("#compare-set-1").click()
    expect(decoder(page, "compare-third", "WINO")).to_be_checked()
    expect_values(page, "compare-right", 0.6)
    page.locator("#compare-run").click()
    expect(said(page, "compare")).to_contain_text(re.compile(rf"Done in {LENGTH}, \d+ and \d+ forward"), timeout=90_000)


def test_a_model_that_cannot_be_loaded_says_so_and_the_others_go_on(session, plus, serve, open_page):
    def load(name: str) -> Checkpoint:
        raise OSError("the disk is gone")

    broken = Session(plus.model, load)
    page = ready(open_page(serve(build_page(session, plus=broken), theme=theme(), **LAUNCH)))
    take(decoder(page, "decode", "WINO+"))
    page.locator("#decode-run").click()
    expect(said(page)).to_have_text(f"Can’t run: the model {Path(plus.model)} can't be loaded: the disk is gone.")
    take(decoder(page, "decode", "WINO"))
    page.locator("#decode-run").click()
    expect(said(page)).to_contain_text("Done in", timeout=60_000)
