"""Links that reopen the page, trace files that are brought, and the model's own controls."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.ui.examples import read_examples
from wino_viz.ui.page import LAUNCH, build_page, theme

STORY = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"
EXAMPLE = next(each for each in read_examples() if each.name == "a-sentence-is-rewritten")


@pytest.fixture(scope="module")
def url(mini: Checkpoint, serve: Callable[..., str]) -> str:
    return serve(build_page(Session(load=lambda name: mini)), theme=theme(), **LAUNCH)


def copied_link(page: Page) -> str:
    page.get_by_role("button", name="Copy link").click()
    shown = page.get_by_label("The link")
    expect(shown).to_be_visible()
    return shown.input_value()


def values(page: Page) -> list[str]:
    return page.locator("#decode-decoder, #decode-more, #decode-controls").evaluate_all(
        "parts => parts.flatMap((part) => [...part.querySelectorAll('input, textarea')]"
        ".map((field) => field.type === 'radio' ? String(field.checked) : field.value))"
    )


def bring(page: Page, name: str, text: str) -> None:
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#decode-upload input[type=file]").set_input_files(file)


def test_a_link_opens_an_example_at_its_pass_and_token_and_the_page_makes_the_same_link(url, open_page):
    asked = f"{url}?example=12-{EXAMPLE.name}&pass=3&token=31&__theme=dark&__sign=secret&utm_source=x"
    page = open_page(asked)
    notice, position = page.locator("#decode-notice"), page.locator("#decode-player .wp-position")
    expect(position).to_have_text(f"pass 3 of {EXAMPLE.trace.forward_passes}")
    expect(notice).to_contain_text(EXAMPLE.note)
    expect(page.locator("#decode-examples input")).to_have_value(EXAMPLE.title)
    expect(page.locator("#decode-player .wp-card-pinned .wp-card-where")).to_contain_text("token 31 of 128")
    link = copied_link(page)
    assert link == f"{url}?example={EXAMPLE.name}&pass=3&token=31&__theme=dark"  # and nothing of a private Space's key
    page.locator("#decode-player").get_by_role("button", name="Unpin").click()
    page.get_by_role("button", name="One pass forward").click()
    expect(position).to_have_text(f"pass 4 of {EXAMPLE.trace.forward_passes}")
    assert copied_link(page) == f"{url}?example={EXAMPLE.name}&pass=4&__theme=dark"

    # a clipboard that is refused, as in some frames, leaves the link to be copied by hand
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); document.execCommand = () => false; }"
    )
    copied_link(page)
    expect(page.locator(".take-status")).to_contain_text("Copy it from here: this example at pass 4.")
    assert page.evaluate("document.activeElement.selectionEnd") == len(
        f"{url}?example={EXAMPLE.name}&pass=4&__theme=dark"
    )

    # what is not there is left out, in one sentence, and another tab is drawn as if it had been chosen
    page.goto(f"{url}?example=<b>gone</b>&tab=explore")
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#explore-tradeoff-chart .js-plotly-plot, #explore-tradeoff-chart svg").first).to_be_visible()
    page.get_by_role("tab", name="Decode").click()
    said = "Left out of the link: there is no example '<b>gone</b>' here any more."
    expect(page.locator("#decode-notice .notice")).to_have_text(said)


def test_a_link_to_a_problem_fills_in_the_form_runs_nothing_and_comes_back_from_the_run(url, open_page):
    asked = (
        f"{url}?prompt={STORY.replace(' ', '+').replace('?', '%3F')}&answer=18&decoder=wino:tau1=0.5:tau2=0.8"
        "&gen_length=32&block_length=16&fixed=0:The,+20:x&end_of_text=last&cfg_scale=0.5&temperature=hot"
    )
    page = open_page(asked, width=390)
    notice = page.locator("#decode-notice .notice")
    expect(notice).to_have_text(
        "Filled in from a link: press Run to decode it. Left out of the link: the temperature 'hot', which is no number."
    )
    expect(page.locator("#decode-run")).to_be_focused()  # the form is open, also on a phone
    expect(page.locator("#decode-prompt textarea")).to_have_value(STORY)
    expect(page.locator("#decode-player").get_by_text("Nothing to play yet")).to_be_visible()
    page.get_by_role("button", name="More controls").click()
    expect(page.locator("#decode-fixed textarea, #decode-fixed input")).to_have_value("0:The, 20:x")
    before = values(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    # fixed words stand from the start, in a state of their own
    page.locator("#decode-run").click()
    expect(notice).to_contain_text("forward passes", timeout=60_000)
    player = page.locator("#decode-player")
    player.get_by_role("button", name="First").click()
    first = player.locator(".wp-canvas .wp-token").first
    expect(first).to_have_attribute("aria-label", "Token 1: “The”, fixed from the start")
    expect(player.locator(".wp-summary")).to_contain_text("tokens of 32 stand already, all others are masked.")
    expect(player.locator(".wp-summary")).to_contain_text("Guidance 0.50")
    expect(player.locator(".wp-legend-fixed")).to_be_visible()
    first.click()
    expect(player.locator(".wp-card")).to_contain_text("no pass drafts it or takes it back")
    page.keyboard.press("Escape")  # on a phone the card lies over what is below

    link = copied_link(page)
    expect(page.locator(".take-status")).to_contain_text("It fills in the form and runs nothing.")
    said = {name: text[0] for name, text in parse_qs(urlsplit(link).query).items()}
    assert said == {
        "prompt": STORY,
        "answer": "18",
        "decoder": "wino:tau1=0.5:tau2=0.8",
        "gen_length": "32",
        "block_length": "16",
        "fixed": "0:The, 20:x",
        "end_of_text": "last",
        "cfg_scale": "0.5",
    }
    page.goto(link)
    expect(notice).to_have_text("Filled in from a link: press Run to decode it.")
    page.get_by_role("button", name="More controls").click()
    assert values(page) == before


def test_a_trace_file_plays_like_a_recording_and_a_hostile_one_is_text(url, open_page):
    page = open_page(url)
    notice, player = page.locator("#decode-notice .notice"), page.locator("#decode-player")
    expect(page.get_by_role("button", name="Open a trace file …")).to_be_visible()
    bring(page, "broken.json", '{"format": "<script>"}')
    expect(notice).to_have_text('That file can’t be played: not a trace: "format" must be "wino-viz-trace".')
    expect(page.locator("#decode-examples input")).not_to_have_value("none: a run of your own")
    page.evaluate("""() => {
        const size = { value: 13e6 };
        const file = Object.defineProperty(new File(["x"], "huge.json"), "size", size);
        const dropped = new Event("drop", { bubbles: true, cancelable: true });
        dropped.dataTransfer = { types: ["Files"], files: [file] };
        document.querySelector("#decode-player").dispatchEvent(dropped);
    }""")
    expect(notice).to_have_text("The file has 13.0 MB; up to 12 MB are taken.")

    trace = EXAMPLE.trace.to_dict()
    hostile = "<img src=x onerror=document.body.remove()>"
    trace["pieces"] = dict.fromkeys(trace["pieces"], hostile)
    trace |= {"title": hostile, "model": hostile, "decoder": {"name": "wino", "tau1": hostile, "tau2": {}}}
    bring(page, "hostile.json", json.dumps(trace))
    expect(notice).to_contain_text(
        f"Your file, “{hostile}”: {EXAMPLE.trace.forward_passes} passes of {hostile} by WINO"
    )
    expect(notice).to_contain_text("Its model is not offered here, so Run would ask the one that is chosen.")
    player.get_by_role("button", name="Last pass").click()
    expect(player.locator(".wp-canvas .wp-box").first).to_contain_text(hostile)
    assert page.locator("img[src='x']").count() == 0

    bring(page, "mine.json", EXAMPLE.trace.to_json())
    expect(notice).to_contain_text(f"Your file, “{EXAMPLE.title}”")
    expect(page.locator("#decode-examples input")).to_have_value("none: a run of your own")
    expect(page.locator("#decode-prompt textarea")).to_have_value(EXAMPLE.trace.prompt)
    link = copied_link(page)
    expect(page.locator(".take-status")).to_contain_text(
        "the problem and settings of your file, not the recording itself"
    )
    assert "example=" not in link
