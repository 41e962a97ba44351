"""A conversation about a picture: a follow-up to its description, beside another picture, and started over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from test_page import run, say
from test_pictures_page import DONE, finish, multimodal, question, seeing
from test_turns_page import check_what_was_not_asked_is_waited_for_no_longer

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.ui.page import LAUNCH, build_page, theme
from wino_viz.ui.picture_form import composed


@pytest.fixture(scope="module")
def url(sees: Checkpoint, serve: Callable[..., str]) -> str:
    return serve(build_page(Session(), [], seeing(sees), []), theme=theme(), **LAUNCH)


def shown(page: Page) -> dict:
    return json.loads(page.evaluate("document.querySelector('#picture-player .wino-player').lastMessage()"))["trace"]


def test_a_follow_up_about_the_picture_is_asked_read_and_started_over(url, open_page):
    page = multimodal(open_page(url))
    opener = page.locator("#picture-turns .turns-open")
    expect(opener).to_be_hidden()  # there is no answer yet
    run(page, "picture")
    finish(page)
    described = shown(page)
    opener.press("Enter")
    panel = page.locator("#picture-turns")
    expect(panel.locator(".turns-text")).to_have_text([CAPTION_PROMPTS[0], described["text"]])
    expect(panel.locator(".turns-note")).to_contain_text("one question about a picture at a time")

    # a new question is one about this picture; its answer is decoded after the description, and judged
    panel.get_by_role("button", name="Take a new question").click()
    field = panel.get_by_label("Next question")
    expect(field).not_to_have_value("")
    asked = field.input_value()
    assert asked in composed(7).problems
    panel.get_by_role("button", name="Ask", exact=True).click()
    expect(opener).to_have_text("Ask a follow-up: 2 turns so far")
    expect(say(page, "picture")).to_contain_text(DONE)
    expect(say(page, "picture")).to_contain_text("The answer is")
    expect(question(page)).to_have_value(asked)
    expect(page.get_by_role("radio", name="An answer")).to_be_checked()
    answered = shown(page)
    assert answered["earlier"] == [[CAPTION_PROMPTS[0], described["text"]]]
    assert answered["gen_length"] == 16 and answered["picture"] == described["picture"] | {
        "first": answered["picture"]["first"]
    }

    # its words can be compared with a blank picture, within the conversation
    page.locator("#picture-words .words-ask").click()
    expect(page.locator(".words-line .words-token").first).to_be_visible()

    # an HTML file of it shows the picture, too
    page.get_by_role("button", name="Take it with you").last.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML file").last.click()
    assert '<img src="data:image/' in Path(download.value.path()).read_text()

    # about another picture nothing can be asked after it
    message = page.evaluate("document.querySelector('#picture-player .wino-player').lastMessage()")
    page.locator("#picture-new").click()
    expect(opener).to_be_hidden()
    page.evaluate(
        """message => [...document.querySelectorAll("#picture-turns *")].find(({ winoTurns }) => winoTurns)
            .winoTurns.trigger("click", { question: "And now?", left_out: 0, message })""",
        message,
    )
    expect(panel.locator(".turns-status")).to_contain_text("about another picture than the one that is shown")


def test_starting_over_fills_in_the_first_question(url, open_page):
    page = multimodal(open_page(url, width=390, height=844))
    run(page, "picture")
    finish(page)
    panel = page.locator("#picture-turns")
    panel.locator(".turns-open").click()
    panel.get_by_label("Next question").fill("How big is the triangle?")
    panel.get_by_label("Next question").press("Enter")
    expect(panel.locator(".turns-open")).to_have_text("Ask a follow-up: 2 turns so far")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    panel.get_by_role("button", name="Start over").click()
    expect(question(page)).to_have_value(CAPTION_PROMPTS[0])
    expect(page.get_by_role("radio", name="A description")).to_be_checked()
    expect(say(page, "picture")).to_contain_text("Started over")
    expect(page.locator("#picture-player .wp-block")).to_have_count(0)


def test_a_question_that_was_refused_or_stopped_is_waited_for_no_longer(url, open_page):
    page = multimodal(open_page(url))
    run(page, "picture")
    finish(page)
    check_what_was_not_asked_is_waited_for_no_longer(page, "picture", "How many objects are there?")
