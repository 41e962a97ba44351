"""What the Decode tab has, in Compare and on pictures: controls for all lanes, an error planted in a description, files."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Locator, Page, expect
from test_page import choose, run, say

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import PICTURES, read_picture_examples
from wino_viz.ui.page import LAUNCH, build_page, theme

COLOUR, AFTER = 28, 4  # in the first recorded description, “ black”, the colour of a circle, stands after this pass


@pytest.fixture(scope="module")
def url(mini: Checkpoint, sees: Checkpoint, serve: Callable[..., str]) -> str:
    words = Session(load=lambda name: mini)
    words.gen_length = words.block_length = 32
    pictures = Session("mmada-mini", load=lambda name: sees, task="caption")
    pictures.checkpoint()
    return serve(build_page(words, [], pictures, read_picture_examples()[:1]), theme=theme(), **LAUNCH)


def traces(page: Page, player: str) -> list[Trace]:
    told = json.loads(page.evaluate(f"document.querySelector('#{player} .wino-player').lastMessage()"))
    return [Trace.from_dict(trace) for trace in told.get("traces") or [told["trace"]]]


def test_fixed_words_and_guidance_go_to_every_decoder_of_a_comparison(url, open_page):
    page = open_page(url)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-prompt textarea").fill("Ana has 12 pears. Ana buys 5 more pears. How many pears now?")
    choose(page.locator("#compare-left-decoder"), "Threshold")
    page.locator("#compare-controls button").first.click()
    page.locator("#compare-fixed textarea, #compare-fixed input").first.fill("0:After, 3:cards")
    page.locator("#compare-controls").get_by_role("spinbutton").fill("0.5")
    run(page, "compare")
    expect(say(page, "compare")).to_contain_text("Done in", timeout=60_000)
    made = traces(page, "compare-player")
    assert [trace.decoder["name"] for trace in made] == ["threshold", "wino"]
    for trace in made:
        assert [(at, trace.pieces[token]) for at, token in trace.fixed] == [(0, "After"), (3, " cards")]
        assert trace.decoder["cfg_scale"] == 0.5
    page.locator("#compare-fixed textarea, #compare-fixed input").first.fill("40:After")
    run(page, "compare")
    expect(say(page, "compare")).to_contain_text("Can’t run: “After” takes position 40, and the answer has 0 to 31.")


def test_a_wrong_colour_planted_in_a_description_is_taken_back_as_the_picture_is_seen(url, open_page):
    page = open_page(url)
    page.get_by_role("tab", name="Multimodal").click()
    expect(page.locator("#picture-player .wp-token").first).to_be_visible()
    recorded = traces(page, "picture-player")[0]
    assert recorded.pieces[list(recorded.canvases())[AFTER][COLOUR]] == " black"
    page.evaluate(f"document.querySelector('#picture-player .wino-player').player.goTo({AFTER})")
    page.locator(f"#picture-player .wp-token[data-position='{COLOUR}']").first.click()
    page.get_by_role("button", name="Plant an error here").press("Enter")
    panel = page.locator("#picture-plant")
    panel.get_by_label("Another token, as text").fill("red")
    panel.get_by_role("button", name="Decode on from here").click()
    fates = panel.locator(".plant-fate")
    expect(fates.first).to_contain_text("WINO took “red” back in pass 5", timeout=60_000)
    expect(fates.nth(1)).to_contain_text("Standard decoding never checks a token again: “red” stays.")
    lanes = page.locator("#picture-plant-player .wp-lane:visible")
    expect(lanes.first.locator(".wp-verdict")).to_contain_text("All 5 objects are right.")
    expect(lanes.nth(1).locator(".wp-verdict")).to_contain_text("4 of 5 objects are right: it says a red circle")
    expect(page.locator("#plant-player .wp-lane:visible")).to_have_count(0)  # that of the Decode tab

    # the branches are those of this tab, and what is below the player works for a picture, too
    page.reload()
    page.get_by_role("button", name="Plant an error", exact=True).click()
    expect(page.get_by_label("Name of the branch")).to_have_count(0)
    page.get_by_role("tab", name="Multimodal").click()
    page.locator("#picture-plant .plant-open").click()
    expect(panel.get_by_label("Name of the branch")).to_have_count(2)
    page.locator("#picture-player-take .take-open").click()
    with page.expect_download() as saved:
        page.locator("#picture-player-take .take-item", has_text="JSON").click()
    assert Trace.from_json(saved.value.path().read_bytes()) == recorded

    # other thresholds from the middle of it on
    closer = page.locator("#picture-player-closer")
    closer.locator(".closer-panel-whatif summary").click()
    closer.locator(".closer-taus input").first.fill("0.95")
    button = closer.get_by_role("button", name="Decode from pass")
    expect(button).to_be_visible()
    button.click()
    expect(say(page, "picture")).to_contain_text("Done in", timeout=60_000)
    [made] = traces(page, "picture-player")
    assert made.decoder["tau1"] == 0.95 and made.branches and made.prompt_ids == recorded.prompt_ids
    expect(page.locator("#picture-player .wp-verdict")).to_contain_text("objects are right")


def test_programs_control_a_description_as_they_control_an_answer(url):
    client = Client(url, verbose=False)
    image = handle_file(str(next(PICTURES.glob("1-*[!n].png"))))
    asked = {"image": image, "gen_length": 32, "block_length": 32, "api_name": "/caption"}
    trace = Trace.from_dict(client.predict(fixed="0:Two", end_of_text="never", cfg_scale=0.5, **asked))
    assert [(at, trace.pieces[token]) for at, token in trace.fixed] == [(0, "Two")]
    assert (trace.decoder["end_of_text"], trace.decoder["cfg_scale"]) == ("never", 0.5)
    assert not set(trace.output_ids) & {i for i, piece in trace.pieces.items() if piece == "<|endoftext|>"}
    with pytest.raises(AppError, match="cfg_scale"):
        client.predict(cfg_scale=-1, **asked)


def test_in_the_colours_of_the_system_one_sees_what_is_chosen_and_the_boxes_of_tokens(url, open_page):
    page = open_page(url)
    page.emulate_media(forced_colors="active")
    page.get_by_role("tab", name="Multimodal").click()
    chosen = page.locator("#picture-what label:has(input:checked)")
    other = page.locator("#picture-what label:has(input:not(:checked))").first
    assert ground(chosen) != ground(other)
    token = page.locator("#picture-player .wp-text .wp-drafted .wp-box").first
    expect(token).to_be_visible()
    # the system paints a ground behind letters: what lies below them is not seen
    assert token.evaluate("(box) => getComputedStyle(box, '::before').zIndex") == "1"


def ground(part: Locator) -> str:
    return part.evaluate("(part) => getComputedStyle(part).backgroundColor")
