"""The player in a real browser: what it shows, how it is driven, and what it does with messages that are wrong."""

from __future__ import annotations

import itertools
import json
import queue
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.sample_trace import END, MASK, sample_trace
from wino_viz.decoding.factor import FactorSettings
from wino_viz.decoding.prophet import ProphetSettings
from wino_viz.decoding.standard import StandardSettings
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.trace import Branch, Step, Token, Trace
from wino_viz.ui.messages import clear_message, lanes_message, new_run, start_message, step_message, trace_message
from wino_viz.ui.player import Player
from wino_viz.ui.standalone import standalone_page

EXAMPLES = Path(__file__).parents[2] / "examples" / "traces"
TRACE = sample_trace()
LAST = TRACE.forward_passes
STATES = ("masked", "drafted", "verified", "remasked", "placed")


def busiest(trace: Trace) -> int:
    """The pass with the most revocations."""
    return max(range(trace.forward_passes), key=lambda i: len(trace.steps[i].remasked)) + 1


def go_to(page: Page, k: int) -> None:
    page.locator(".wino-player").evaluate("(root, k) => root.player.goTo(k)", k)
    expect(playhead(page)).to_have_attribute("aria-valuenow", str(k))


def send(page: Page, *messages: str) -> None:
    for message in messages:
        page.locator(".wino-player").evaluate("(root, message) => root.player.receive(message)", message)


def playhead(page: Page):
    return page.get_by_role("slider", name="Forward passes")


def token(page: Page | Locator, position: int, lane: int = 0):
    return page.locator(".wp-lane").nth(lane).locator(f'.wp-token[data-position="{position}"]')


def summary(page: Page, lane: int = 0):
    return page.locator(".wp-summary").nth(lane)


def expect_pass(page: Page, k: int) -> None:
    expect(playhead(page)).to_have_attribute("aria-valuenow", str(k))


@pytest.fixture
def player(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """A page of its own with the player, at pass `at` of `trace`."""

    def player(trace: Trace = TRACE, at: int = 0, **settings: object) -> Page:
        return open_page(html=standalone_page(trace_message(trace, at=at)), **settings)

    return player


# ---- what is shown


def test_each_state_has_a_shape_and_a_name_of_its_own(player):
    k = busiest(TRACE)
    step, page = TRACE.steps[k - 1], player(at=k)
    expect_pass(page, k)
    taken = step.remasked[0].position
    drafted = step.drafted[0].position
    verified = next(v.position for v in step.verified if v.probability >= 0.9)
    masked = TRACE.gen_length - 1
    expect(token(page, taken)).to_have_accessible_name(f"Token {taken + 1}: “4” taken back in this pass, masked again")
    expect(token(page, taken).locator("s")).to_have_text("4")
    expect(token(page, taken).locator(".wp-hole")).to_be_visible()
    expect(token(page, drafted)).to_have_accessible_name(re.compile("drafted in this pass$"))
    expect(token(page, verified)).to_have_accessible_name(re.compile("passed verification in this pass$"))
    expect(token(page, masked)).to_have_accessible_name(f"Token {masked + 1}: masked")
    go_to(page, LAST)
    expect(token(page, 0)).to_have_accessible_name("Token 1: “Ava”, placed earlier")
    go_to(page, k)
    shapes = """(box) => { const s = getComputedStyle(box, "::before");
        return [s.content, s.borderTopStyle, s.borderTopWidth, s.borderBottomStyle].join() }"""
    boxes = [token(page, p).locator(".wp-box") for p in (taken, drafted, verified, masked)]
    looks = {box.evaluate(shapes) for box in boxes}
    assert len(looks) == 4


def test_the_legend_names_every_state_with_its_shape(player):
    page = player()
    legend = page.get_by_role("list", name="Legend")
    for words in ("masked", "drafted in this pass", "passed verification", "taken back in this pass", "placed earlier"):
        expect(legend.get_by_text(words).first).to_be_visible()
    for state in STATES:
        assert legend.locator(f".wp-{state}").count() == 1


def test_a_blank_that_is_taken_back_does_not_read_as_a_minus(player):
    trace = Trace.from_json((EXAMPLES / "1-two-wordings-collide.json").read_text(encoding="utf-8"))
    number, blank = next(
        (k, token.position)
        for k, step in enumerate(trace.steps, start=1)
        for token in step.remasked
        if trace.pieces[token.id] == " "
    )
    page = player(trace, at=number)
    expect(token(page, blank).locator("s")).to_have_text("␣")
    expect(token(page, blank)).to_have_accessible_name(re.compile("1 space taken back"))


def test_the_number_of_what_was_taken_back_stands_inside_the_playhead(player):
    page = player(at=busiest(TRACE))
    head = page.locator(".wp-playhead").bounding_box()
    numbers = page.locator(".wp-number-remasked").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().bottom)"
    )
    assert max(numbers) <= head["y"] + head["height"]


def test_text_keeps_its_spaces_line_breaks_and_joined_digits(player):
    page = player(at=LAST)
    expect_pass(page, LAST)
    text = page.locator(".wp-text").first.inner_text()
    assert TRACE.text.startswith(text.replace("↵", ""))
    assert "19 + 85 = 104." in text and text.count("\n") == 3
    boxes = [token(page, p).locator(".wp-box").bounding_box() for p in digits_of(TRACE, "104")]
    for left, right in itertools.pairwise(boxes):
        assert abs(left["x"] + left["width"] - right["x"]) < 0.6
        assert left["y"] == right["y"]


def digits_of(trace: Trace, number: str) -> list[int]:
    pieces = [trace.pieces[i].strip() for i in trace.output_ids]
    start = next(i for i in range(len(pieces)) if "".join(pieces[i : i + len(number)]) == number)
    return list(range(start, start + len(number)))


def test_words_that_stay_keep_their_place_when_states_change(player):
    page = player(at=LAST - 1)
    expect_pass(page, LAST - 1)
    before = token(page, 40).bounding_box()
    go_to(page, LAST)
    assert token(page, 40).bounding_box() == before


def test_blocks_say_how_far_they_are(player):
    k = busiest(TRACE)
    page = player(at=k)
    placed = 64 - list(TRACE.canvases())[k][:64].count(MASK)
    expect(page.locator(".wp-block-status").nth(0)).to_have_text(f"decoding · {placed} of 64 placed")
    expect(page.locator(".wp-block-status").nth(1)).to_have_text("waiting")
    go_to(page, LAST)
    expect(page.locator(".wp-block-status").nth(0)).to_have_text("done")


def test_end_of_text_folds_into_one_chip_that_says_what_changed(player):
    page = player(at=LAST)
    chip = page.get_by_role("button", name="end of text × ")
    ends = TRACE.output_ids.count(END)
    now = sum(t.id == END for t in TRACE.steps[-1].drafted)
    expect(chip).to_have_text(f"end of text × {ends} {now} drafted now {ends - now} passed")
    expect(chip).to_have_attribute("aria-expanded", "false")
    expect(token(page, 127)).to_be_hidden()
    chip.click()
    expect(chip).to_have_attribute("aria-expanded", "true")
    expect(token(page, 127)).to_be_visible()
    chip.click()
    expect(token(page, 127)).to_be_hidden()


def test_counters_follow_the_playhead(player):
    k = busiest(TRACE)
    page = player(at=k)
    placed = TRACE.gen_length - list(TRACE.canvases())[k].count(MASK)

    def counter(name: str):
        return page.locator(f".wp-counter-{name} dd")

    expect(counter("passes")).to_have_text(f"{k} of {LAST}")
    expect(counter("rate")).to_have_text(f"{placed / k + 0.001:.1f}")
    expect(counter("reduction")).to_have_text(f"{TRACE.step_reduction:.1f}×")
    expect(counter("revoked")).to_have_text(str(sum(len(s.remasked) for s in TRACE.steps[:k])))
    expect(counter("time")).to_have_text(f"{sum(TRACE.timing['per_pass'][:k]):.2f} s")
    expect(page.locator(".wp-counter-revoked dt")).to_have_text("taken back, 4 now")


def test_what_wino_took_back_before_standard_decoding_went_on_is_told_as_that(player):
    branch = Branch(LAST - 1, (), TRACE.decoder)
    label = player(replace(TRACE, decoder=StandardSettings().to_dict(), branches=(branch,)), at=LAST).locator(
        ".wp-counter-revoked dt"
    )
    expect(label).to_have_text("taken back before it went on")
    expect(player(at=LAST).locator(".wp-counter-revoked dt")).to_have_text("taken back")


@pytest.mark.parametrize(("text", "said"), [("<|endoftext|>", "end of text"), ("<|eot_id|>", "end of turn")])
def test_the_ends_of_a_turn_and_of_the_text_are_named_as_in_pictures(player, text, said):
    """tests/test_drawing.py has the same of pictures."""
    page = player(replace(TRACE, pieces={**TRACE.pieces, END: text}))
    name = page.evaluate(f"winoPlayer.tokenName(document.querySelector('.wino-player').player.replay(), {END})")
    assert name == said


def test_what_belongs_to_this_pass_is_told_from_what_belongs_to_the_whole_run(player):
    page = player(at=busiest(TRACE))
    for when, names in (("up to this pass", "passes rate revoked time"), ("whole run", "reduction")):
        group = page.get_by_role("group", name=when)
        expect(group).to_contain_text(when)
        found = group.locator(".wp-counter").evaluate_all("(all) => all.map((one) => one.className.split('-').at(-1))")
        assert found == names.split()


def test_the_summary_says_what_a_pass_did_and_is_announced(player):
    k = busiest(TRACE)
    page = player(at=k)
    expect(summary(page)).to_contain_text(
        "Pass 4: drafted 6 tokens, verified 55, took back 4: “4” (token 18), “7” (token 21)"
    )
    expect(summary(page)).to_contain_text("The draft cap of 6 held back 3 more.")
    expect(page.locator("[aria-live=polite]")).to_contain_text("Pass 4: drafted 6 tokens")


def test_the_prompt_can_be_folded_away(player):
    page = player()
    expect(page.get_by_text("There are 39 cards")).to_be_visible()
    page.get_by_text("Prompt", exact=True).click()
    expect(page.get_by_text("There are 39 cards")).to_be_hidden()


# ---- the playhead


def test_buttons_move_the_playhead(player):
    page = player()

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    press("One pass forward")
    expect_pass(page, 1)
    press("One pass forward")
    press("One pass back")
    expect_pass(page, 1)
    press("Last pass")
    expect_pass(page, LAST)
    press("First: everything masked")
    expect_pass(page, 0)
    expect(summary(page)).to_contain_text("all 128 tokens are masked")


def test_keys_move_the_playhead_only_inside_the_player(player):
    page = player(at=3)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input id=outside>')")
    page.locator("#outside").press("End")
    expect_pass(page, 3)
    playhead(page).press("ArrowRight")
    expect_pass(page, 4)
    playhead(page).press("ArrowLeft")
    playhead(page).press("End")
    expect_pass(page, LAST)
    playhead(page).press("Home")
    expect_pass(page, 0)
    page.get_by_label("Speed").press("End")
    expect_pass(page, 0)
    playhead(page).press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    playhead(page).press(" ")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_playing_runs_to_the_end_and_starts_over(player):
    page = player(at=LAST - 2)
    page.get_by_label("Speed").select_option("8×")
    page.get_by_role("button", name="Play", exact=True).click()
    expect_pass(page, LAST)
    page.get_by_label("Speed").select_option("0.5×")  # slow enough to be met half way on a busy machine
    page.get_by_role("button", name="Play", exact=True).click()
    expect(summary(page)).to_contain_text("Pass 2:")
    page.get_by_role("button", name="Pause").click()


def test_the_playhead_can_be_dragged(player):
    page = player()
    box = page.locator(".wp-plot").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 14 + 44 * 3 - 10, y, steps=4)
    expect_pass(page, 3)
    page.mouse.move(box["x"] + 5000, y, steps=2)
    page.mouse.up()
    expect_pass(page, LAST)


def test_arrow_keys_move_through_the_tokens_when_the_canvas_has_focus(player):
    page = player(at=LAST)
    expect_pass(page, LAST)
    token(page, 0).focus()
    page.keyboard.press("ArrowRight")
    expect(token(page, 1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.dataset.position")
    assert int(below) > 6
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(token(page, 0)).to_be_focused()
    expect_pass(page, LAST)  # the arrows did not move the playhead
    assert page.locator(".wp-token[tabindex='0'], .wp-fold[tabindex='0']").count() == 1


# ---- the card


def test_the_card_tells_the_story_of_a_token(player):
    page = player(at=busiest(TRACE))
    expect(page.locator(".wp-card")).to_contain_text("Point at a token")
    token(page, 17).hover()
    card = page.locator(".wp-card")
    expect(card.locator(".wp-card-title")).to_have_text("“4” taken back")
    expect(card).to_contain_text("token 18 of 128, block 1")
    event = next(t for t in TRACE.steps[3].remasked if t.position == 17)
    expect(card).to_contain_text(f"Its probability fell to {event.probability:.2f}, below τ2 0.90")
    expect(card).to_contain_text("above τ1 0.60")
    expect(card.get_by_role("img")).to_have_accessible_name(re.compile(f"pass 4 remasked {event.probability:.2f}"))
    assert card.locator(".wp-alternatives li").count() == 5
    expect(card.locator(".wp-card-past li").last).to_have_text(f"pass 4: took back “4” at {event.probability:.2f}")


def test_the_card_says_why_a_position_stays_masked(player):
    step, page = TRACE.steps[0], player(at=1)
    held = next(t for t in step.considered if t.probability > 0.6)
    low = next(t for t in step.considered if t.probability < 0.6)
    card = page.locator(".wp-card")
    token(page, held.position).locator(".wp-box").hover()
    expect(card).to_contain_text("the draft cap let only the 20 most confident through")
    token(page, low.position).locator(".wp-box").hover()
    expect(card).to_contain_text("Leans to")
    expect(card).to_contain_text(f"Stays masked: {low.probability:.2f} is not above τ1 0.60.")
    token(page, 100).locator(".wp-box").hover()
    expect(card).to_contain_text("Waiting: block 2 starts when block 1 is complete.")


def test_a_click_pins_the_card_and_escape_unpins_it(player):
    page = player(at=LAST)
    title = page.locator(".wp-card-title")
    token(page, 0).click()
    token(page, 2).hover()
    expect(title).to_have_text("“Ava”")
    expect(token(page, 0)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".wp-card")).to_contain_text("Point at a token")
    token(page, 3).focus()
    expect(title).to_have_text("“3”")
    page.keyboard.press("Enter")
    expect(token(page, 3)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Unpin").click()
    expect(token(page, 3)).not_to_have_attribute("aria-pressed", "true")


def test_decoders_without_verification_are_worded_as_they_are(player, open_page):
    page = player(sample_trace(StandardSettings(tokens_per_step=8)), at=1)
    drafted = page.locator(".wp-canvas .wp-drafted").first
    drafted.hover()
    expect(page.locator(".wp-card")).to_contain_text("among the 8 most confident of that pass")
    expect(page.locator(".wp-card")).to_contain_text("This decoder never checks a token again")
    expect(page.get_by_role("list", name="Legend").get_by_text("passed verification")).to_be_hidden()
    page = player(sample_trace(ThresholdSettings(tau=0.7)), at=1)
    page.locator(".wp-canvas .wp-drafted").first.hover()
    expect(page.locator(".wp-card")).to_contain_text("at least τ 0.70")


def test_the_factor_rule_is_told_by_rank(player):
    trace = sample_trace(FactorSettings(f=1.0))
    step = next(step for step in trace.steps if len(step.drafted) > 2 and step.considered)
    k, page = trace.steps.index(step) + 1, player(trace)
    go_to(page, k)
    card = page.locator(".wp-card")
    ranked = sorted(step.drafted, key=lambda t: (-t.probability, t.position))
    token(page, ranked[0].position).click()
    expect(card).to_contain_text("the most confident of that pass, which is always drafted")
    token(page, ranked[2].position).click()
    expect(card).to_contain_text("rank 3 of that pass, at least 1 − f/4 = 0.75")
    left = max(step.considered, key=lambda t: (t.probability, -t.position))
    token(page, left.position).click()
    expect(card).to_contain_text(f"Stays masked: rank {len(ranked) + 1} of this pass, and not at least 1 − f/")


def test_a_commit_of_prophet_fills_every_block_and_says_why(player):
    trace = sample_trace(ProphetSettings(answer_start=20))
    last, step = trace.forward_passes, trace.steps[-1]
    assert step.block == 0 and {t.position // 64 for t in step.drafted} == {0, 1}
    page = player(trace, at=last - 1)
    first, stop = trace.steps[-2].extra["answer"]
    expect(summary(page)).to_contain_text(
        re.compile(rf"The answer \(tokens\s{first + 1}–{stop}\) has a gap of \d\.\d+; from 7.50")
    )
    heads = page.locator(".wp-block-head")
    expect(heads.nth(1)).to_contain_text("waiting")
    waiting = next(t.position for t in step.drafted if t.position >= 64)
    token(page, waiting).click()
    expect(page.locator(".wp-card")).to_contain_text("starts when block 1 is complete, or is drafted at once")
    go_to(page, last)
    expect(heads.nth(0)).to_contain_text("done")
    expect(heads.nth(1)).to_contain_text("done")
    expect(summary(page)).to_contain_text(
        "at least 5.00: all that was left was drafted at once. Every token is placed."
    )
    expect(token(page, waiting)).to_have_class(re.compile("wp-drafted"))
    expect(page.locator(".wp-card")).to_contain_text("together with all that was left")


@pytest.mark.parametrize("answer", [None, "x", [3], [5, 2], [0, 1000], [0.5, 1], {}])
def test_a_gap_that_makes_no_sense_is_left_out(player, answer):
    trace = sample_trace(StandardSettings(tokens_per_step=64))
    steps = tuple(replace(s, extra={"gap": 3.0, "gap_needed": 2.0, "answer": answer}) for s in trace.steps)
    page = player(replace(trace, steps=steps), at=1)
    expect(summary(page)).to_contain_text("Pass 1: drafted 64 tokens")
    expect(summary(page)).not_to_contain_text("gap")


# ---- two lanes


def test_two_lanes_share_one_playhead_and_the_shorter_says_it_has_finished(open_page):
    slow = sample_trace(StandardSettings(tokens_per_step=8))
    verdicts = [{"correct": True, "text": "36"}, {"correct": False, "text": "37"}]
    message = lanes_message([TRACE, slow], titles=["WINO", "Standard"], verdicts=verdicts)
    page = open_page(html=standalone_page(message, lanes=2))
    expect(page.get_by_role("heading", name="Standard")).to_be_visible()
    playhead(page).press("ArrowRight")
    expect(summary(page, 0)).to_contain_text("Pass 1: drafted 20")
    expect(summary(page, 1)).to_contain_text("Pass 1: drafted 8")
    go_to(page, slow.forward_passes)
    expect(summary(page, 0)).to_contain_text(f"Finished after {LAST} passes.")
    expect(summary(page, 0)).to_contain_text("✓ 36")
    expect(summary(page, 1)).to_contain_text("✗ 37")
    expect(page.locator(".wp-counter-passes dd").first).to_have_text(f"{LAST} of {LAST}")


def test_two_lanes_stream_side_by_side(open_page):
    slow = sample_trace(StandardSettings(tokens_per_step=8))
    page = open_page(html=standalone_page(clear_message(), lanes=2))
    run = new_run()
    left, right = messages_of(TRACE, run, 0), messages_of(slow, run, 1)
    send(page, left[0], right[0], *itertools.chain(*zip(left[1:6], right[1:6], strict=True)))
    expect_pass(page, 5)
    send(page, *left[6:])
    expect_pass(page, LAST)
    expect(summary(page, 1)).to_contain_text("Pass 5:")
    send(page, *right[6:])
    expect_pass(page, slow.forward_passes)
    expect(summary(page, 0)).to_contain_text(f"Finished after {LAST} passes.")


def test_three_lanes_stand_side_by_side_and_each_is_named_told_and_drawn(open_page):
    """WINO+ is known by its model: its decoder is the threshold rule."""
    plain = sample_trace(ThresholdSettings(0.6))
    plus = replace(sample_trace(ThresholdSettings(0.7)), model="llada-mini-wino-plus")
    page = open_page(html=standalone_page(lanes_message([plain, TRACE, plus]), lanes=3))
    names = ["Threshold, τ 0.6", "WINO, τ1 0.6, τ2 0.9", "WINO+, τ 0.7"]
    expect(page.locator(".wp-lane-title")).to_have_text(names)
    boxes = [lane.bounding_box() for lane in page.locator(".wp-lane").all()]
    assert len({box["y"] for box in boxes}) == 1
    assert all(box["x"] + box["width"] <= after["x"] for box, after in itertools.pairwise(boxes))
    canvases = [canvas.bounding_box() for canvas in page.locator(".wp-canvas").all()]
    assert len({box["y"] for box in canvases}) == 1 and min(box["width"] for box in canvases) > 330
    playhead(page).press("ArrowRight")
    expect(summary(page, 2)).to_contain_text("Pass 1:")
    said = "".join(f"{name}: {summary(page, lane).inner_text()} " for lane, name in enumerate(names)).strip()
    expect(page.locator(".wp > .wp-hidden")).to_have_text(said)
    expect(playhead(page)).to_have_attribute("aria-valuetext", re.compile(re.escape(said)))
    expect(page.locator(".wp-bars-drafted")).to_have_count(3)
    written = page.locator(".wp-playhead ~ .wp-plot-words")  # drawn later than the playhead, which would cross them
    expect(written.locator("text").filter(has_text="τ")).to_have_text(names)
    go_to(page, plus.forward_passes)
    token(page, 0, lane=2).click()
    expect(page.locator(".wp-card")).to_contain_text("This decoder never checks a token again")
    page.set_viewport_size({"width": 820, "height": 900})
    expect(page.locator(".wp-narrow")).to_be_visible()
    assert len({lane.bounding_box()["x"] for lane in page.locator(".wp-lane").all()}) == 1


def test_a_single_lane_is_named_where_its_model_makes_it_another_decoder(open_page):
    plus = replace(sample_trace(ThresholdSettings(0.7)), model="runs/llada-mini-wino-plus")
    page = open_page(html=standalone_page(trace_message(plus)))
    expect(page.get_by_role("heading", name="WINO+, τ 0.7")).to_be_visible()
    send(page, trace_message(TRACE))
    expect(page.locator(".wp-lane-title")).to_be_hidden()


def test_a_run_of_two_leaves_no_room_for_a_third_and_a_lane_keeps_its_place(open_page):
    page = open_page(html=standalone_page(clear_message(), lanes=3))
    send(page, start_message(TRACE, "two", lane=0, lanes=2))
    expect(page.locator(".wp-lane:visible")).to_have_count(1)
    width = page.locator(".wp-lane").first.bounding_box()["width"]
    send(page, start_message(TRACE, "two", lane=1, lanes=2))
    expect(page.locator(".wp-lane:visible")).to_have_count(2)
    assert page.locator(".wp-lane").first.bounding_box()["width"] == width
    assert width * 2 < page.locator(".wp-lanes").bounding_box()["width"] < width * 2.2


def test_a_block_that_begins_while_playing_comes_into_view(open_page):
    page = open_page(html=standalone_page(trace_message(TRACE, at=6)), height=660)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(summary(page)).to_contain_text("Pass 7:")
    page.get_by_role("button", name="Pause").click()
    dock, block = page.locator(".wp-dock").bounding_box(), page.locator(".wp-block").nth(1).bounding_box()
    assert block["y"] < dock["y"] - 40


# ---- messages


def messages_of(trace: Trace, run: str, lane: int = 0) -> list[str]:
    steps = [
        step_message(step, run, n, pieces=trace.pieces if n == 1 else None, model_seconds=0.03, lane=lane)
        for n, step in enumerate(trace.steps, start=1)
    ]
    return [start_message(trace, run, lane=lane), *steps, trace_message(trace, run, lane=lane)]


def test_a_missed_message_is_said_and_made_good_by_the_whole_trace(player):
    page = player()
    run = new_run()
    start, *steps, whole = messages_of(TRACE, run)
    send(page, start, *steps[:3], *steps[4:6])
    expect(page.locator(".wp-notice")).to_contain_text("A pass was missed")
    expect_pass(page, 3)
    send(page, whole)
    expect(page.locator(".wp-notice")).to_be_hidden()
    expect_pass(page, LAST)


def test_messages_of_an_old_run_are_ignored(player):
    page = player()
    old, new = messages_of(TRACE, "old"), messages_of(TRACE, "new")
    send(page, *old[:3], *new[:2], *old[3:])
    expect_pass(page, 1)
    send(page, new[2], clear_message())
    expect(page.locator(".wp-notice")).to_contain_text("Nothing to play yet")


def test_a_stopped_run_says_so_and_keeps_what_there_is(player):
    page = player()
    run = new_run()
    send(page, *messages_of(TRACE, run)[:6])
    begun = replace(TRACE, steps=TRACE.steps[:5], text="")
    send(page, trace_message(begun, run, stopped="Stopped here."))
    expect(summary(page)).to_contain_text("Stopped here.")
    expect(page.locator(".wp-block-status").first).to_contain_text("stopped ·")


@pytest.mark.parametrize("late", [0, 1, 5])
def test_what_still_comes_of_a_stopped_run_changes_nothing(player, late):
    page = player()
    run = new_run()
    sent = messages_of(TRACE, run)[:6]
    send(page, *sent[:3])  # the rest was skipped
    send(page, trace_message(replace(TRACE, steps=TRACE.steps[:5], text=""), run, stopped="Stopped here."), sent[late])
    expect_pass(page, 5)
    expect(summary(page)).to_contain_text("Stopped here.")


def test_lanes_are_stopped_each_by_itself(serve, open_page):
    page = open_page(html=standalone_page(lanes_message([TRACE, replace(TRACE, steps=TRACE.steps[:2], text="")],
                                                        stopped=["", "Stopped here."], at=LAST), lanes=2))  # fmt: skip
    first, second = page.locator(".wp-lane .wp-summary").all()
    expect(second).to_contain_text("Stopped here.")
    expect(first).not_to_contain_text("Stopped here.")


@pytest.mark.parametrize(
    "message",
    [
        "{not json",
        "[]",
        '{"type":"surprise"}',
        '{"type":"trace"}',
        '{"type":"trace","trace":{"gen_length":1e9,"block_length":1}}',
        '{"type":"step","run":"x","lane":7,"seq":1}',
        '{"type":"lanes","traces":[{},{},{}]}',
    ],
)
def test_a_malformed_message_breaks_nothing(player, message):
    page = player(at=4)
    warnings: list[str] = []
    page.on("console", lambda entry: warnings.append(entry.type))
    send(page, message)
    expect(page.locator(".wp-notice")).to_contain_text("A message could not be shown")
    assert warnings == ["warning"]
    go_to(page, 5)
    expect(summary(page)).to_contain_text("Pass 5:")


HOSTILE = ["<img src=x onerror=alert(1)>", "${alert(1)}", "{{value}}", "</script><b>", "\u202eevil", "\x00", "`"]


def hostile_trace() -> Trace:
    drafted = tuple(Token(i, i + 2, 0.9) for i in range(len(HOSTILE)))
    return Trace(
        model="<b>",
        decoder={"name": "<i>x</i>"},
        gen_length=len(HOSTILE),
        block_length=len(HOSTILE),
        mask_id=MASK,
        prompt="<script>alert(1)</script>",
        prompt_ids=(1,),
        pieces={i + 2: text for i, text in enumerate(HOSTILE)},
        steps=(Step(0, drafted=drafted, alternatives={0: ((2, 0.9), (3, 0.1))}),),
        output_ids=tuple(t.id for t in drafted),
        text="".join(HOSTILE),
    )


def test_hostile_tokens_stay_text(player, app):
    page = player(hostile_trace(), at=1)
    check_hostile(page)
    page = app.open()
    app.feed.put(trace_message(hostile_trace(), at=1))
    check_hostile(page)
    app.feed.put(None)


def check_hostile(page: Page) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for position in range(4):
        expect(token(page, position)).to_have_text(HOSTILE[position])
    expect(token(page, 4)).to_have_text("\ufffdevil")
    expect(token(page, 5)).to_have_text("␀")
    token(page, 0).click()
    expect(page.locator(".wp-card-title")).to_have_text(f"“{HOSTILE[0]}”")
    assert page.locator(".wino-player img, .wino-player b, .wino-player script, .wino-player i").count() == 0
    assert dialogs == []


# ---- inside an app


class App:
    """A gradio app with a player that is fed by the test, and a second player in a tab that is not open."""

    def __init__(self, serve: Callable[..., str]) -> None:
        self.feed: queue.Queue[str | None] = queue.Queue()
        with gr.Blocks(title="test") as blocks:
            with gr.Tab("Live"):
                run = gr.Button("Run")
                player = Player()
            with gr.Tab("Recorded"):
                Player(trace_message(TRACE, at=4))
            run.click(self._messages, outputs=player, show_progress="hidden")
        self.url = serve(blocks)

    def _messages(self) -> Iterator[str]:
        while (message := self.feed.get(timeout=30)) is not None:
            yield message


@pytest.fixture(scope="module")
def served(serve: Callable[..., str]) -> App:
    return App(serve)


@pytest.fixture
def app(served: App, open_page: Callable[..., Page]) -> App:
    def open_app(**settings: object) -> Page:
        page = open_page(served.url, **settings)
        page.get_by_role("button", name="Run").click()
        return page

    served.open = open_app
    return served


def test_passes_stream_in_and_the_playhead_stays_where_the_person_left_it(app):
    page = app.open()
    *messages, whole = messages_of(TRACE, new_run())
    for message in messages[:5]:
        app.feed.put(message)
    expect_pass(page, 4)
    expect(page.get_by_role("button", name="Follow live")).to_be_hidden()
    page.get_by_role("button", name="One pass back").click()
    expect_pass(page, 3)
    for message in messages[5:8]:
        app.feed.put(message)
    expect(playhead(page)).to_have_attribute("aria-valuemax", "7")
    expect_pass(page, 3)
    page.get_by_role("button", name="Follow live").click()
    expect_pass(page, 7)
    app.feed.put(messages[8])
    expect_pass(page, 8)
    playhead(page).press("Home")
    for message in (*messages[9:], whole):
        app.feed.put(message)
    expect(playhead(page)).to_have_attribute("aria-valuemax", str(LAST))
    expect(page.locator(".wp-position")).to_have_text(f"pass 0 of {LAST}")
    app.feed.put(None)


def test_a_burst_of_messages_arrives_whole(app):
    page = app.open()
    for message in (*messages_of(TRACE, new_run()), None):
        app.feed.put(message)
    expect_pass(page, LAST)
    expect(page.locator(".wp-counter-passes dd")).to_have_text(f"{LAST} of {LAST}")


def test_a_player_in_a_tab_that_was_closed_renders_when_it_opens(app, open_page):
    page = open_page(app.url)
    page.get_by_role("tab", name="Recorded").click()
    expect(page.locator(".wp-summary:visible")).to_contain_text("Pass 4: drafted 6 tokens")
    page.wait_for_function("[...document.querySelectorAll('.wp-plot svg')].at(-1).clientWidth > 400")


def test_the_page_asks_for_nothing_outside(app, open_page, requests):
    page = open_page(app.url)
    page.get_by_role("tab", name="Recorded").click()
    page.wait_for_timeout(300)
    assert requests and all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in requests)


# ---- sizes, themes, motion


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_phone_needs_no_sideways_scrolling(open_page, lanes):
    message = lanes_message([TRACE] * lanes, at=busiest(TRACE))
    page = open_page(html=standalone_page(message, lanes=lanes), width=390, height=844, touch=True)
    expect_pass(page, busiest(TRACE))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    token(page, 17).tap()
    expect(page.locator(".wp-card-title")).to_be_visible()
    box = page.locator(".wp-card").bounding_box()
    assert box["y"] + box["height"] <= 845 and box["width"] <= 390
    page.get_by_role("button", name="Unpin").tap()
    expect(page.locator(".wp-card")).to_be_hidden()


def test_the_controls_stay_in_view_above_a_long_text(app, open_page):
    page = open_page(app.url, width=390, height=700)
    page.get_by_role("tab", name="Recorded").click()
    play = page.locator(".wp-button-play:visible")
    expect(play).to_be_in_viewport()
    token(page.locator(".wp:visible"), 60).focus()
    box = page.locator('.wp:visible .wp-token[data-position="60"]').bounding_box()
    assert box["y"] + box["height"] < page.locator(".wp-dock:visible").bounding_box()["y"]


def test_dark_mode_follows_the_page_and_the_system(player, app, open_page):
    paper = "(root) => getComputedStyle(root).backgroundColor"
    assert player().locator(".wp").evaluate(paper) == "rgb(255, 255, 255)"
    assert player(dark=True).locator(".wp").evaluate(paper) == "rgb(23, 25, 30)"
    page = open_page(app.url + "?__theme=dark")
    expect(page.locator(".wp").first).to_have_css("background-color", "rgb(23, 25, 30)")
    page = open_page(app.url + "?__theme=light", dark=True)
    expect(page.locator(".wp").first).to_have_css("background-color", "rgb(255, 255, 255)")


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_enough_contrast(player, dark):
    page = player(at=busiest(TRACE), dark=dark)
    token(page, 17).click()
    too_low = page.evaluate(CONTRAST)
    assert too_low == []


CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const bad = [];
  for (const element of document.querySelectorAll(".wp *")) {
    if (![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (element.closest(".wp-hidden, .wp-ghost, .wp-newline, [aria-disabled=true], option")) continue;
    let at = element, back = null;
    const before = getComputedStyle(element.closest(".wp-box") ?? element, "::before").backgroundColor;
    if (element.closest(".wp-box") && parse(before)[3] !== 0) back = parse(before);
    for (; at && !back; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === undefined) back = color;
    }
    const style = getComputedStyle(element);
    const front = parse(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push([element.className.baseVal ?? element.className, front, back]);
  }
  return bad;
}"""


def test_reduced_motion_steps_without_animations(player):
    page = player(reduced_motion=True)
    playhead(page).press("ArrowRight")
    expect_pass(page, 1)
    assert page.evaluate("document.getAnimations().length") == 0
    page.get_by_role("button", name="Play", exact=True).click()
    expect_pass(page, 2)


def test_one_pass_forward_animates_what_changed_and_a_jump_does_not(player):
    page = player()
    playhead(page).press("ArrowRight")
    expect(page.locator(".wp-enter").first).to_be_attached()
    assert page.locator(".wp-enter").count() == len(TRACE.steps[0].drafted)
    go_to(page, 6)
    assert page.locator(".wp-enter").count() == 0


def test_a_thousand_passes_stay_quick(open_page):
    words = " ".join(["word"] * 1000)
    trace = sample_trace(StandardSettings(tokens_per_step=1), answer=words, gen_length=1000, block_length=100)
    trace = replace(trace, steps=tuple(replace(s, considered=s.considered[:20]) for s in trace.steps))
    page = open_page(html=standalone_page(trace_message(trace, at=500)))
    expect_pass(page, 500)
    took = page.evaluate(
        """async () => {
          const { player } = document.querySelector(".wino-player");
          const start = performance.now();
          for (let k = 501; k <= 520; k += 1) { player.goTo(k); await new Promise(requestAnimationFrame); }
          return (performance.now() - start) / 20;
        }"""
    )
    assert took < 100, f"{took:.0f} ms a pass"
    playhead(page).press("End")
    expect_pass(page, 1000)


# ---- the Python side


def test_a_player_takes_messages_only():
    with pytest.raises(TypeError, match="a player's value is a message"):
        Player().postprocess({"type": "clear"})
    with pytest.raises(ValueError, match="lanes must be 1 to 3, not 4"):
        Player(lanes=4)


def test_the_template_never_holds_a_value():
    config = Player(trace_message(TRACE)).get_config()
    assert config["html_template"] == '<div class="wino-player" data-lanes="1"></div>'
    assert json.loads(config["value"])["type"] == "trace"
