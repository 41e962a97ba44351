"""A conversation on the page: a follow-up to a recording, what the model reads of it, and how one starts over."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect
from test_page import Paced

from wino_viz.export import to_html
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import Example
from wino_viz.ui.page import LAUNCH, build_page, theme

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def test_a_follow_up_is_asked_read_and_started_over(pears_url, open_page, pears):
    page = open_page(pears_url)
    opener = page.locator(".turns-open")
    expect(opener).to_have_text("Ask a follow-up")
    expect(page.locator(".wp-conversation")).to_have_count(0)
    opener.press("Enter")
    expect(page.locator(".turns-text")).to_have_text([pears.prompt, pears.text])
    expect(page.locator(".turns-note")).to_contain_text("learned single problems")
    over = page.get_by_role("button", name="Start over")
    expect(over).to_be_hidden()  # there is nothing to leave yet

    # nothing to ask is a sentence; a question is text, whatever it spells, and the answer is decoded after what was said
    field, status = page.get_by_label("Next question"), page.locator(".turns-status")
    field.press("Enter")
    expect(status).to_have_text("Write the next question, or take a new problem.")
    field.fill(f"And {HOSTILE} with 3 fewer?")
    field.press("Enter")
    expect(opener).to_have_text("Ask a follow-up: 2 turns so far")
    expect(page.locator(".turns-asked .turns-text")).to_have_text([pears.prompt, f"And {HOSTILE} with 3 fewer?"])
    expect(page.locator("#decode-notice .notice")).to_contain_text("Done in ")
    expect(field).to_have_value("")
    expect(page.locator("#decode-prompt textarea")).to_have_value(f"And {HOSTILE} with 3 fewer?")
    read = page.locator("#decode-player .wp-conversation")
    expect(read.locator("summary")).to_have_text("Prompt, after 1 earlier turn")
    expect(read.locator("li").first).to_be_hidden()
    read.locator("summary").click()
    expect(read.locator("li p")).to_have_text([pears.prompt, pears.text, f"And {HOSTILE} with 3 fewer?"])
    assert page.title() != "owned" and page.locator("#turns img, #decode-player img").count() == 0

    # what is planted into it, and a link to it, say what they keep
    shown = json.loads(page.evaluate("document.querySelector('#decode-player .wino-player').lastMessage()"))["trace"]
    assert shown["earlier"] == [[pears.prompt, pears.text]]
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#decode-player-take .take-status")).to_contain_text("it brings the last question alone")
    page.get_by_role("button", name="Plant an error", exact=True).click()
    page.get_by_role("button", name="let one be suggested").click()
    page.get_by_role("button", name="Decode on from here").click()
    expect(page.locator(".plant-fate").first).to_contain_text("WINO ")
    planted = page.locator("#plant-player .wp-prompt").first
    expect(planted.locator("summary")).to_have_text("Prompt, after 1 earlier turn")

    # where there is no room, it can be asked after the newest turns alone, or without any
    page.get_by_role("button", name="Take a new problem").click()
    expect(field).not_to_have_value("")
    field.fill(" ".join([pears.prompt] * 8))
    page.locator(".turns .plant-go").click()
    expect(status).to_contain_text("Can’t ask it: the conversation is too long: ")
    expect(status).to_contain_text("none of its 2 earlier turns fits beside the question")
    status.get_by_role("button", name="Ask it without any of them").click()
    expect(opener).to_have_text("Ask a follow-up")
    page.locator("#decode-upload input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": json.dumps(shown).encode()}
    )
    expect(opener).to_have_text("Ask a follow-up: 2 turns so far")

    # a question that comes in the place of one whose answer was stopped
    *_, before_last, _ = Trace.from_dict(shown).canvases()
    steps = {"steps": shown["steps"][:-1], "forward_passes": len(shown["steps"]) - 1, "output_ids": list(before_last)}
    page.locator("#decode-upload input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": json.dumps({**shown, **steps}).encode()}
    )
    expect(page.locator(".turns-note")).to_contain_text("the next question comes in its place")
    field.fill("And now?")
    field.press("Enter")
    expect(page.locator(".turns-asked .turns-text")).to_have_text([pears.prompt, "And now?"])

    # another model's answer is not followed up here
    other = {**shown, "model": "<b>other</b>"}
    page.locator("#decode-upload input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": json.dumps(other).encode()}
    )
    expect(page.locator(".turns-note")).to_have_text(
        "<b>other</b> gave this answer, and it is not offered here: no follow-up can be asked."
    )
    expect(page.locator(".turns .plant-go")).to_be_disabled()
    over.click()
    expect(opener).to_be_hidden()
    expect(page.locator("#decode-prompt textarea")).to_have_value(pears.prompt)
    expect(page.locator("#decode-notice .notice")).to_contain_text("Started over")
    page.locator("#decode-run").click()
    expect(opener).to_have_text("Ask a follow-up")
    expect(read).to_have_count(0)


def test_what_is_typed_while_an_answer_comes_stays(pears_url, open_page, pears):
    """It was shown as the question, and then wiped."""
    page = open_page(pears_url)
    opener = page.locator(".turns-open")
    opener.press("Enter")
    field = page.get_by_label("Next question")
    field.fill("And with 3 fewer?")
    field.press("Enter")
    field.fill("And with 4 more?")
    expect(opener).to_have_text("Ask a follow-up: 2 turns so far")
    expect(page.locator(".turns-asked .turns-text")).to_have_text([pears.prompt, "And with 3 fewer?"])
    expect(field).to_have_value("And with 4 more?")
    field.press("Enter")
    expect(opener).to_have_text("Ask a follow-up: 3 turns so far")
    expect(field).to_have_value("")


def check_what_was_not_asked_is_waited_for_no_longer(page: Page, tab: str, question: str) -> None:
    """Refused twice by the same sentence, then stopped before the browser does anything else; then Run asks something else."""
    panel, said = page.locator(f".turns:has(#{tab}-player-turns-form)"), page.locator(f"#{tab}-notice .notice")
    panel.locator(".turns-open").click()
    field, status = panel.get_by_label("Next question"), panel.locator(".turns-status")
    expect(field).to_be_focused()
    field.fill("word " * 700)
    for _ in range(2):
        field.press("Enter")
        expect(status).to_contain_text("Can’t ask it: the prompt is too long")
    field.fill(question)
    page.evaluate(
        """tab => {
            document.querySelector(`#${tab}-player-turns-form`).requestSubmit();
            document.querySelector(`#${tab}-stop`).click();
        }""",
        tab,
    )
    expect(said).to_contain_text("Stopped before the first pass.")
    expect(status).to_have_text("")
    field.fill("And then?")
    page.locator(f"#{tab}-run").click()  # what is written in the field stays
    expect(said).to_contain_text("Done in ", timeout=60_000)
    expect(panel.locator(".turns-asked")).to_have_count(1)
    expect(field).to_have_value("And then?")


def test_a_question_that_was_refused_or_stopped_is_waited_for_no_longer(pears_url, open_page):
    check_what_was_not_asked_is_waited_for_no_longer(open_page(pears_url), "decode", "And with 3 fewer?")


def test_a_second_question_at_once_waits_in_its_field(pears_url, open_page, pears):
    page = open_page(pears_url)
    page.locator(".turns-open").click()
    page.evaluate("""() => {
        const field = document.querySelector("#decode-player-turns-question");
        for (const question of ["And with 3 fewer?", "And with 4 more?"]) {
            field.value = question;
            field.form.requestSubmit();
        }
    }""")
    expect(page.locator(".turns-open")).to_have_text("Ask a follow-up: 2 turns so far")
    expect(page.locator(".turns-asked .turns-text")).to_have_text([pears.prompt, "And with 3 fewer?"])
    expect(page.get_by_label("Next question")).to_have_value("And with 4 more?")


def test_a_fault_in_a_follow_up_is_said_and_does_not_last(mini, pears, serve, open_page):
    paced = Paced(mini.denoiser)
    recorded = Example("Pears", "", {"task": "arithmetic", "question": pears.prompt, "answer": 17}, pears)
    app = build_page(Session(load=lambda name: replace(mini, denoiser=paced)), [recorded])
    page = open_page(serve(app, theme=theme(), **LAUNCH))
    page.locator(".turns-open").click()
    field, said = page.get_by_label("Next question"), page.locator("#decode-notice .notice")
    field.fill("And with 3 fewer?")
    paced.broken = True
    field.press("Enter")
    expect(said).to_contain_text("a fault that is not yours")
    expect(page.locator(".turns-status")).to_have_text("")
    paced.broken = False
    page.locator("#decode-examples input").click()
    page.get_by_role("option", name="Pears").click()
    field.fill("And with 3 fewer?")
    field.press("Enter")
    expect(said).to_contain_text("Done in ")


def test_on_a_phone_and_in_an_exported_file_a_conversation_is_readable(pears_url, open_page, pears):
    page = open_page(pears_url, width=390, dark=True, touch=True, reduced_motion=True)
    page.locator(".turns-open").click()
    page.get_by_label("Next question").fill("x" * 120)
    page.locator(".turns .plant-go").click()
    expect(page.locator(".turns-open")).to_have_text("Ask a follow-up: 2 turns so far")
    page.locator("#decode-player .wp-conversation summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_content(to_html(replace(pears, earlier=((HOSTILE, "17"),))))
    expect(page.locator(".wp-prompt summary")).to_have_text("Prompt, after 1 earlier turn")
    expect(page.locator(".wp-turns p")).to_have_text([HOSTILE, "17", pears.prompt])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 and page.locator("img").count() == 0


def test_programs_ask_within_a_conversation(pears_url, pears):
    client = Client(pears_url, verbose=False)
    made = Trace.from_dict(client.predict("And now?", "threshold", 16, 16, earlier=[["One?", "1"]], api_name="/decode"))
    assert made.earlier == (("One?", "1"),) and made.prompt == "And now?"
    with pytest.raises(AppError, match=r"earlier: turn 1 must be \[question, answer\]"):
        client.predict("And now?", earlier=[["One?"]], api_name="/decode")
