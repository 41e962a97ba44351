"""The Cases tab: the figure, the gallery, and a card that opens in the player."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gradio as gr
import pytest
from playwright.sync_api import Locator, Page, expect

from wino_viz.cases import read_cases
from wino_viz.ui.cases_tab import cases_tab
from wino_viz.ui.page import LAUNCH, theme

CASES = read_cases()
HOSTILE = "<img src=x onerror='document.title=1'>"


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    """The shipped cases, and one more whose words are markup."""
    odd = replace(CASES[-1], title=HOSTILE, text=HOSTILE)
    with gr.Blocks(fill_width=True) as app, gr.Tabs(), gr.Tab("Cases"):
        cases_tab([*CASES, odd])
    return serve(app, theme=theme(), **LAUNCH)


def ready(page: Page) -> Page:
    expect(page.locator(".case-heading")).to_have_text(CASES[0].title)
    expect(page.locator(".case-card")).to_have_count(len(CASES) + 1)
    expect(page.locator("#cases-player .wp-token").first).to_be_visible()
    return page


def card(page: Page, name: str) -> Locator:
    number = next(n for n, case in enumerate(CASES) if case.property == name)
    return page.locator(".case-card").nth(number)


def at_pass(page: Page, number: int) -> None:
    expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(number))


def marked(page: Page, lane: int) -> list[int]:
    tokens = page.locator("#cases-player .wp-lane").nth(lane).locator(".wp-canvas .wp-token[data-mark='pointed']")
    return sorted(int(position) for position in tokens.evaluate_all("all => all.map((one) => one.dataset.position)"))


def test_the_figure_and_the_cards_lead_to_what_they_speak_of(url, open_page):
    page = ready(open_page(url))
    figure = CASES[0]
    lanes = page.locator("#cases-player .wp-lane:visible")
    expect(lanes).to_have_count(2)
    at_pass(page, figure.number)
    assert (marked(page, 0), marked(page, 1)) == ([], [point.position for point in figure.points])

    # its moments move the one playhead of both
    for moment in figure.moments[1:]:
        look = page.get_by_role("button", name=moment.label)
        look.press("Enter")
        at_pass(page, moment.number)
        expect(page.locator(".case-look")).to_have_text(moment.text)
        expect(look).to_have_attribute("aria-current", "true")
        assert marked(page, 1) == [point.position for point in moment.points]
    expect(lanes.first.locator(".wp-verdict")).to_contain_text("Wrong: it says 3, the answer is 11.")
    expect(lanes.last.locator(".wp-verdict")).to_have_text("✓ Right: 11.")

    # a card says what it shows, who was right, and opens at the pass, with the focus on its words
    sudoku = next(case for case in CASES if case.property == "sudoku_digit")
    opened = card(page, "sudoku_digit")
    expect(opened).to_contain_text("WINO, 6 passes: ✓ right")
    assert opened.locator("svg .map-remasked").count() == 3
    flags = [page.locator(".case-card").nth(n).locator("svg .map-flag").count() for n in range(len(CASES))]
    assert flags == [int(case.property == "planted") for case in CASES]  # what was changed by hand has a flag
    opened.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".case-heading")).to_have_text(sudoku.title)
    expect(page.locator(".case-heading")).to_be_focused()
    expect(page.locator(".case-heading")).to_be_in_viewport()
    expect(lanes).to_have_count(1)
    at_pass(page, 4)
    assert marked(page, 0) == [8, 9, 12]
    expect(opened).to_have_attribute("aria-current", "true")
    expect(page.locator(".case-card[aria-current]")).to_have_count(1)

    # one after the other, and a picture where there is one
    button = page.get_by_role("button", name="Next case")
    button.press("Enter")
    expect(page.locator(".case-heading")).to_have_text("A countdown, and a false alarm")
    expect(button).to_be_focused()
    expect(page.locator(".case-picture")).to_be_hidden()
    card(page, "caption").click()
    expect(page.locator(".case-picture")).to_have_js_property("naturalWidth", 128)
    expect(page.get_by_role("img", name="The picture that the answer is about")).to_be_visible()

    # words are text
    button.click()
    expect(page.locator(".case-heading")).to_have_text(HOSTILE)
    expect(button).to_have_attribute("aria-disabled", "true")
    assert page.locator(".case-said img, .cases img").count() == 0 and page.title() != "1"


def test_the_cases_fit_a_phone(url, open_page):
    page = ready(open_page(url, width=390, height=844, dark=True, touch=True, reduced_motion=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    card(page, "wrong_number").tap()
    expect(page.locator(".case-heading")).to_be_in_viewport()
    page.get_by_role("button", name="Drafted", exact=True).tap()
    at_pass(page, 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
