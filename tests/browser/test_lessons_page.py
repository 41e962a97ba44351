"""The Lessons tab: turning pages, what is pointed at, and guessing which tokens go; by keyboard, and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gradio as gr
import pytest
from playwright.sync_api import Locator, Page, expect

from wino_viz.lessons import read_lessons
from wino_viz.ui.lessons_tab import lessons_tab
from wino_viz.ui.page import LAUNCH, theme

HOSTILE = "<img src=x onerror='document.title=1'> and *<b>bold</b>* 4*20"


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    """The shipped lessons, and one more whose words are markup."""
    lessons = read_lessons()
    first = lessons[0].steps[0]
    odd = replace(
        lessons[0], title=HOSTILE, summary=HOSTILE, steps=(replace(first, heading=HOSTILE, text=(HOSTILE,)),) * 2
    )
    with gr.Blocks(fill_width=True) as app, gr.Tabs(), gr.Tab("Lessons"):
        lessons_tab([*lessons, odd])
    return serve(app, theme=theme(), **LAUNCH)


def ready(page: Page) -> Page:
    expect(heading(page)).to_have_text("An answer made of masks")
    expect(page.locator("#lessons-player .wp-token").first).to_be_visible()
    return page


def heading(page: Page) -> Locator:
    return page.locator(".lesson-heading")


def button(page: Page, name: str) -> Locator:
    return page.locator(".lesson").get_by_role("button", name=name, exact=True)


def token(page: Page, position: int) -> Locator:
    return page.locator(f"#lessons-player .wp-canvas .wp-token[data-position='{position}']")


def marked(page: Page, mark: str) -> list[int]:
    tokens = page.locator(f"#lessons-player .wp-canvas .wp-token[data-mark='{mark}']")
    return sorted(int(position) for position in tokens.evaluate_all("all => all.map((one) => one.dataset.position)"))


def at_pass(page: Page, number: int) -> None:
    expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(number))


def open_lesson(page: Page, number: int, first: str) -> None:
    page.locator(".lesson-choice").nth(number - 1).click()
    expect(heading(page)).to_have_text(first)


def turn_to(page: Page, words: str) -> None:
    for _ in range(12):
        if heading(page).text_content() == words:
            return
        button(page, "Next").click()
    raise AssertionError(f"there is no page {words!r}")


def test_a_lesson_is_read_by_keyboard_and_the_player_goes_where_the_words_are(url, open_page):
    page = ready(open_page(url))
    live = page.locator(".lesson-live")
    expect(page.locator(".lesson-count")).to_have_text("Step 1 of 7")
    expect(page.locator(".lesson-choice").first).to_have_attribute("aria-current", "true")
    expect(button(page, "Back")).to_have_attribute("aria-disabled", "true")
    expect(live).to_have_text("")  # nothing is read out that nobody asked for
    at_pass(page, 0)

    button(page, "Next").focus()
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("One pass, many guesses")
    expect(button(page, "Next")).to_be_focused()
    expect(live).to_contain_text("Step 2 of 7. One pass, many guesses. The model has run once")
    expect(live).to_contain_text("from 0 to 1. Point at any mask")  # paragraphs are read apart
    at_pass(page, 1)
    assert marked(page, "pointed") == [15, 16]
    expect(token(page, 15)).to_have_attribute("aria-description", "pointed at")
    expect(page.locator(".lesson-text em")).to_have_text("forward pass")

    page.keyboard.press("Shift+Tab")
    expect(button(page, "Back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".lesson-count")).to_have_text("Step 1 of 7")
    expect(button(page, "Back")).to_be_focused()  # though there is no page before
    assert marked(page, "pointed") == []
    page.keyboard.press("Enter")
    expect(page.locator(".lesson-count")).to_have_text("Step 1 of 7")

    # the player's own keys go on working, and the next page brings it back
    page.get_by_role("slider", name="Forward passes").focus()
    page.keyboard.press("End")
    at_pass(page, 32)
    button(page, "Next").press("Enter")
    at_pass(page, 1)

    # the last page leads to the next lesson, with a trace of its own
    turn_to(page, "32 tokens, 32 passes")
    expect(page.locator("#lessons-player .wp-verdict")).to_have_text("✓ Right: 18.")
    button(page, "Next lesson").press("Enter")
    expect(heading(page)).to_have_text("Keep every sure guess")
    expect(page.locator("#lessons-player .wp-prompt-text")).to_contain_text("Leila has 83 envelopes.")
    expect(page.locator(".lesson-choice").nth(1)).to_have_attribute("aria-current", "true")
    expect(button(page, "Next")).to_be_focused()


def test_guessing_what_is_taken_back_is_marked_and_scored_by_keyboard_and_by_pointer(url, open_page):
    page = ready(open_page(url))
    open_lesson(page, 4, "A sudoku of 4 by 4")
    turn_to(page, "Your turn")
    at_pass(page, 3)
    check = button(page, "Check")
    expect(check).to_have_attribute("aria-disabled", "true")
    check.press("Enter")
    expect(page.locator(".lesson-result")).to_have_text("")

    # by keyboard: the tokens are reached as always, and Enter picks
    token(page, 8).focus()
    page.keyboard.press("Enter")
    expect(token(page, 8)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".lesson-state")).to_have_text("1 picked")
    expect(page.locator("#lessons-player .wp-card-pinned")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert marked(page, "picked") == [8, 9]
    at_pass(page, 3)  # the space bar plays only elsewhere
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".lesson-live")).to_have_text("Only a token that stands there can be taken back.")
    assert marked(page, "picked") == [8, 9]
    # by pointer: in the text and on the board; a second press drops one
    token(page, 0).click()
    page.locator("#lessons-player .wp-cell[data-position='12']").click()
    token(page, 9).click()
    assert marked(page, "picked") == [0, 8, 12]

    check.press("Enter")
    at_pass(page, 4)
    result = page.locator(".lesson-result")
    expect(result).to_have_text(
        "You found 2 of 3. Missed: “4” (token 10). Not taken back: “2” (token 1). A wrong pick takes a hit away."
    )
    assert (marked(page, "hit"), marked(page, "missed"), marked(page, "wrong")) == ([8, 12], [9], [0])
    expect(page.locator(".lesson-score")).to_have_text("Your score in this lesson: 1 of 3")
    expect(page.locator(".lesson-live")).to_contain_text("You found 2 of 3.")
    expect(button(page, "Next")).to_be_focused()
    expect(token(page, 8)).not_to_have_attribute("aria-pressed", "false")
    token(page, 9).click()  # nothing is picked any more: its card is pinned
    expect(page.locator("#lessons-player .wp-card-pinned .wp-card-title")).to_be_visible()

    # the score is kept over the lesson, and a second question adds to it
    turn_to(page, "And once more")
    expect(page.locator(".lesson-score")).to_have_text("Your score in this lesson: 1 of 3")
    token(page, 10).click()
    check.click()
    expect(result).to_have_text("You found 1 of 1.")
    expect(page.locator(".lesson-score")).to_have_text("Your score in this lesson: 2 of 4")
    button(page, "Back").click()
    button(page, "Back").click()
    expect(result).to_contain_text("You found 2 of 3.")
    button(page, "Try again").click()
    at_pass(page, 3)
    expect(page.locator(".lesson-score")).to_have_text("Your score in this lesson: 1 of 1")
    for position in (8, 9, 12):
        token(page, position).click()
    button(page, "Clear").click()
    assert marked(page, "picked") == []
    for position in (8, 9, 12):
        token(page, position).click()
    check.click()
    expect(page.locator(".lesson-score")).to_have_text("Your score in this lesson: 4 of 4")

    # another lesson begins anew, also one that asks which masks are filled
    open_lesson(page, 3, "Wide in")
    turn_to(page, "The draft cap")
    expect(page.locator(".lesson-score")).to_have_text("")
    token(page, 0).click()
    expect(page.locator(".lesson-live")).to_have_text("Only a mask can be filled.")
    token(page, 6).click()
    check.click()
    expect(result).to_have_text(
        "You found 0 of 5. Missed: “giving”, “1” (token 4), “1” (token 13), “2” (token 14), “cards”. "
        "Not filled: token 7. A wrong pick takes a hit away."
    )


def test_stars_are_emphasis_around_greek_letters_too(url, open_page):
    page = ready(open_page(url))
    open_lesson(page, 3, "Wide in")
    turn_to(page, "15 drafts in one pass")
    expect(page.locator(".lesson-text em")).to_have_text("τ1")


def test_words_of_a_lesson_are_text_and_the_last_page_of_all_is_the_end(url, open_page):
    page = ready(open_page(url))
    page.locator(".lesson-choice").last.click()
    expect(heading(page)).to_have_text(HOSTILE)
    expect(page.locator(".lesson-text")).to_have_text("<img src=x onerror='document.title=1'> and *<b>bold</b>* 4*20")
    assert page.locator(".lesson img, .lesson-text b").count() == 0 and page.title() != "1"
    button(page, "Next").click()
    expect(button(page, "Next")).to_have_attribute("aria-disabled", "true")
    button(page, "Next").press("Enter")
    expect(page.locator(".lesson-count")).to_have_text("Step 2 of 2")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_lesson_fits_a_phone(url, open_page, dark):
    page = ready(open_page(url, width=390, height=844, dark=dark, touch=True, reduced_motion=True))
    open_lesson(page, 5, "The same collision")
    turn_to(page, "What does not fit now?")
    expect(page.locator(".lesson-title")).to_have_text("Narrowing, and WINO+")
    token(page, 20).tap()
    assert marked(page, "picked") == [20]
    expect(page.locator("#lessons-player .wp-card")).to_be_hidden()  # no sheet over the text while one picks
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    heights = page.locator(".lesson-choice, .lesson-button:visible").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 40
    button(page, "Check").click()
    expect(page.locator(".lesson-result")).to_have_text("You found 1 of 1.")
