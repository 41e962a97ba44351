"""Planting an error on the page: from a token's card to two decoders side by side, and branches that can be compared."""

from __future__ import annotations

import json
from functools import partial

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from wino_viz.trace import Trace
from wino_viz.ui.examples import read_examples
from wino_viz.ui.page import LAUNCH, build_page, theme


def card_of(page: Page, player: str, position: int, at_pass: int) -> None:
    """Pause at a pass and pin a token's card, as a person does."""
    expect(page.locator(f"#{player} .wp-block").first).to_be_visible()
    page.evaluate(f"document.querySelector('#{player} .wino-player').player.goTo({at_pass})")
    page.locator(f"#{player} .wp-token[data-position='{position}']").first.click()


def kept(page: Page) -> list[dict]:
    return json.loads(page.evaluate("sessionStorage.getItem('wino-branches') ?? '[]'"))


def test_an_error_is_planted_from_a_card_and_its_branches_are_compared(pears_url, open_page, pears):
    canvas = list(pears.canvases())[2]
    noun = next(p for p, token in enumerate(canvas) if pears.pieces.get(token) == " shop")
    page = open_page(pears_url)
    panel = page.get_by_role("button", name="Plant an error", exact=True)
    expect(panel).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#plant-player")).to_be_hidden()

    # from the card of a pinned token, of a recording, before any model is loaded
    card_of(page, "decode-player", noun, 2)
    page.get_by_role("button", name="Plant an error here").press("Enter")
    expect(panel).to_have_attribute("aria-expanded", "true")
    form = page.locator(".plant-form")
    expect(form.locator("legend")).to_have_text(f"After pass 2, in the place of “ shop” (token {noun + 1}), put")
    expect(form.get_by_role("radio").first).to_be_focused()

    # a text that is no token is a sentence, and nothing is kept of it but the recording
    text = form.get_by_label("Another token, as text")
    text.fill("seventeen pears")
    form.get_by_role("button", name="Decode on from here").click()
    notice = page.locator("#plant-notice .notice")
    expect(notice).to_contain_text("Can’t run: 'seventeen pears' is")
    expect(notice).to_contain_text("write a text that is one token.")

    # one that is: WINO takes it back, standard decoding keeps it, and the page says so
    text.fill("cards")
    text.press("Enter")
    fates = page.locator(".plant-fate")
    expect(fates.first).to_contain_text("WINO took “cards” back in pass ")
    expect(fates.nth(1)).to_have_text("Standard decoding never checks a token again: “cards” stays. ")
    expect(notice).to_have_text("Done: pass 2: shop → cards.")
    branch = page.get_by_label("Name of the branch").last
    expect(branch).to_have_value("pass 2: shop → cards")
    lanes = page.locator("#plant-player .wp-lane:visible")
    expect(lanes).to_have_count(2)
    expect(lanes.nth(1).locator(f".wp-token[data-position='{noun}']")).to_have_class("wp-token wp-placed wp-planted")
    expect(page.locator("#plant-player .wp-legend-planted")).to_be_visible()
    expect(page.locator("#decode-player .wp-legend-planted")).to_be_hidden()

    # the pass that took it back is a press away; the mark stays at its place
    number = fates.first.get_by_role("button").inner_text().removeprefix("Show pass ")
    fates.first.get_by_role("button").click()
    expect(page.locator("#plant-player [role=slider]")).to_have_attribute("aria-valuenow", number)
    revoked = lanes.first.locator(f".wp-token[data-position='{noun}']")
    expect(revoked).to_have_class("wp-token wp-remasked wp-plant-site wp-inspected")
    expect(page.locator("#plant-player .wp-card")).to_contain_text("Planted by hand after pass 2, in the place of")
    page.get_by_role("button", name="Show where it was planted, after pass 2").click()
    planted = lanes.first.locator(f".wp-token[data-position='{noun}']")
    expect(planted).to_have_attribute("aria-label", f"Token {noun + 1}: “cards”, placed earlier, planted by hand")
    expect(lanes.first).to_contain_text("Then, by hand, “ shop” was replaced by “ cards”")

    # a name of one's own is kept, and text only
    branch.fill("<b>wrong noun</b>")
    branch.press("Enter")
    assert [each["name"] for each in kept(page)] == ["Ana has 12 …: as it was", "<b>wrong noun</b>"]

    # why it was taken back is measured, on request, of what the model saw
    fates.first.get_by_role("button").click()
    page.get_by_role("button", name="Ask the model which of them counted").click()
    expect(page.locator("#plant-player .wp-card-told")).to_contain_text("The judge gave “cards” 0.0")
    page.get_by_role("button", name="Show where it was planted, after pass 2").click()

    # an error upon the branch, whose card is pinned: the mask again
    page.locator("#plant-player").get_by_role("button", name="Plant an error here").click()
    form.get_by_label("a mask again").check()
    form.get_by_role("button", name="Decode on from here").click()
    expect(fates.first).to_contain_text("WINO wrote")
    assert [len(each["traces"][0].get("branches", [])) for each in kept(page)] == [0, 1, 2]

    # three are compared under WINO, each by its name
    page.get_by_label("Show Ana has 12 …: as it was").check()
    page.get_by_label("Show <b>wrong noun</b>").check()
    expect(lanes).to_have_count(3)
    expect(page.locator("#plant-player .wp-lane-title:visible")).to_have_text(
        ["Ana has 12 …: as it was", "<b>wrong noun</b>", "pass 2: cards → mask"]  # as in the list, not as ticked
    )
    page.reload()
    page.get_by_role("button", name="Plant an error", exact=True).click()
    expect(page.get_by_label("Name of the branch")).to_have_count(3)
    page.get_by_role("button", name="Forget <b>wrong noun</b>").click()
    expect(page.get_by_label("Name of the branch")).to_have_count(2)
    assert len(kept(page)) == 2
    page.get_by_label("Show Ana has 12 …: as it was").check()
    expect(lanes).to_have_count(1)


def test_a_run_of_ones_own_can_be_planted_into_on_a_phone(pears_url, open_page):
    page = open_page(pears_url, width=390, touch=True, reduced_motion=True)
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#decode-run").click()
    expect(page.locator("#decode-notice .notice")).to_contain_text("forward pass")
    page.get_by_role("button", name="Plant an error", exact=True).click()
    page.get_by_role("button", name="let one be suggested").click()
    go = page.get_by_role("button", name="Decode on from here")
    expect(go).to_be_in_viewport()
    go.click()
    expect(page.locator(".plant-fate").first).to_contain_text("WINO ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # another problem is played now: the token that was chosen is gone with its trace
    page.locator(".fold-button:visible").first.click()
    page.locator("#decode-new").click()
    expect(page.locator(".plant-form legend")).to_have_count(0)
    page.get_by_role("button", name="let one be suggested").click()
    expect(page.locator(".plant-warning")).to_contain_text("There is no token yet")


def test_a_trace_that_only_another_model_could_go_on_with_is_refused(pears_url, open_page):
    page = open_page(pears_url)
    expect(page.locator("#decode-player .wp-token").first).to_be_visible()
    page.evaluate("""() => {
      const root = document.querySelector('#decode-player .wino-player');
      const message = JSON.parse(root.lastMessage());
      root.lastMessage = () => JSON.stringify({ ...message, trace: { ...message.trace, model: "<img src=x>" } });
    }""")
    page.get_by_role("button", name="Plant an error", exact=True).click()
    page.get_by_role("button", name="let one be suggested").click()
    page.get_by_role("button", name="Decode on from here").click()
    expect(page.locator("#plant-notice .notice")).to_have_text(
        "Can’t run: '<img src=x>' made this trace, and only it can go on: here there are llada-mini."
    )


def test_at_a_mask_what_the_model_would_write_anyway_is_named_and_not_the_first_choice(pears_session, serve, open_page):
    example = read_examples()[0]
    ends, steps = example.trace.end_ids, enumerate(example.trace.steps, start=1)
    after, masked = next((number, t.position) for number, step in steps for t in step.remasked if t.id not in ends)
    page = open_page(serve(build_page(pears_session, [example]), theme=theme(), **LAUNCH))
    card_of(page, "decode-player", masked, after)
    page.get_by_role("button", name="Plant a token here").click()
    form = page.locator(".plant-form")
    expect(form.locator("legend")).to_have_text(f"After pass {after}, put at the mask of token {masked + 1}")
    expect(form.locator(".plant-p").first).to_contain_text(", its first choice")
    expect(form.get_by_role("radio").nth(1)).to_be_checked()


def test_programs_go_on_from_the_middle_of_a_trace(pears_url, pears):
    client = Client(pears_url, verbose=False)
    ask = partial(client.predict, pears.to_dict(), api_name="/branch")
    position = next(p for p, token in enumerate(list(pears.canvases())[2]) if pears.pieces.get(token) == " shop")
    made = Trace.from_dict(ask(2, {str(position): "cards"}, "standard"))
    assert made.steps[:2] == pears.steps[:2] and made.decoder["name"] == "standard"
    assert made.pieces[made.output_ids[position]] == " cards"
    again = Trace.from_dict(ask(1))
    assert again.steps == pears.steps and again.branches[0].edits == ()
    wrong = [
        ((99,), "at_pass must be a whole number, 0 to"),
        ((2, {"x": 1}), "edits: the key 'x' is not a whole number"),
        ((2, {str(position): "two words"}), "write a text that is one token"),
        ((2, {}, "dream"), "there is no decoder 'dream'"),
    ]
    for arguments, sentence in wrong:
        with pytest.raises(AppError, match=sentence):
            ask(*arguments)


def test_other_thresholds_decode_on_from_the_pass_in_which_they_would_decide_otherwise(pears_url, open_page, pears):
    page = open_page(pears_url)
    page.locator(".closer-panel-whatif summary").click()
    page.locator(".closer-taus input").first.fill("0.95")
    button = page.get_by_role("button", name="Decode from pass")
    expect(button).to_be_visible()
    first = int(button.inner_text().split()[3])
    button.click()
    expect(page.locator("#decode-notice")).to_contain_text("Done in", timeout=60_000)
    told = json.loads(page.evaluate("document.querySelector('#decode-player .wino-player').lastMessage()"))
    expect(page.locator("#decode-notice")).to_contain_text(f" From pass {first} on it was WINO, τ1 0.95, τ2 0.9.")
    made = Trace.from_dict(told["trace"])
    assert made.decoder["tau1"] == 0.95 and made.branches[0].at_pass == first - 1
    assert made.steps[: first - 1] == pears.steps[: first - 1] and made.steps[first - 1] != pears.steps[first - 1]
