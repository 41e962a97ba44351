"""The whole page in a real browser, on the real embedded model: opened, run, stopped, compared, misused."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Locator, Page, expect

from wino_viz.decoding import shadow_attention
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import Example, best_example, read_examples, recorded_together
from wino_viz.ui.mask import mask_message, pack, unpack
from wino_viz.ui.page import LAUNCH, build_page, theme

ROOT = Path(__file__).parents[2]
HOSTILE = '<img src=x onerror="document.title=\'owned\'">${document.title="owned"}{{value}}'
LENGTH, BLOCK = 32, 16  # tokens: two blocks, and by standard decoding as many passes
SLOW_PASS = 0.05  # seconds at least, so that a run can be met half way
VERY_SLOW_PASS = 0.5  # of runs that a test stops: a busy browser meets them half way, too


class Paced:
    """The real denoiser, no faster than `seconds` a pass; counts its passes."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.passes, self.broken, self.seconds = denoiser, 0, False, SLOW_PASS
        self.device, self.model = denoiser.device, denoiser.model

    def predict(self, forwards):
        if self.broken:
            raise RuntimeError("the accelerator fell off")
        time.sleep(self.seconds)
        self.passes += 1
        return self.denoiser.predict(forwards)


@pytest.fixture(scope="module")
def paced(mini: Checkpoint) -> Paced:
    return Paced(mini.denoiser)


@pytest.fixture(scope="module")
def session(mini: Checkpoint, paced: Paced) -> Session:
    """The app's session with short answers."""
    session = Session(load=lambda name: replace(mini, denoiser=paced))
    session.gen_length, session.block_length = LENGTH, BLOCK
    return session


@pytest.fixture(scope="module")
def url(session: Session, serve: Callable[..., str]) -> str:
    return serve(build_page(session), theme=theme(), **LAUNCH)


@pytest.fixture
def page(url: str, open_page: Callable[..., Page]) -> Page:
    return ready(open_page(url))


@pytest.fixture
def slowly(paced: Paced) -> Iterator[Paced]:
    """The model of the page, so slow that a run is still under way when a busy browser gets to it."""
    paced.seconds = VERY_SLOW_PASS
    yield paced
    paced.seconds = SLOW_PASS


def ready(page: Page) -> Page:
    expect(page.locator("#decode-player .wp-block").first).to_be_visible()
    for button in ("run", "stop"):
        expect(page.locator(f"#decode-{button}")).to_be_visible()
    return page


def choose(form: Locator, decoder: str) -> None:
    form.get_by_role("radio", name=decoder, exact=True).evaluate("(radio) => radio.click()")  # also one that is covered


def prompt_of(page: Page) -> Locator:
    return page.locator("#decode-prompt textarea")


def say(page: Page, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-notice .notice")


def run(page: Page, tab: str = "decode") -> None:
    page.locator(f"#{tab}-run").click()


def playhead(page: Page, tab: str = "decode") -> Locator:
    return page.locator(f"#{tab}-player").get_by_role("slider", name="Forward passes")


def passes(page: Page, tab: str = "decode") -> int:
    return int(playhead(page, tab).get_attribute("aria-valuemax"))


def wait_for_pass(page: Page, number: int, tab: str = "decode") -> None:
    """Until a run under way has made so many passes."""
    counter = page.locator(f"#{tab}-player .wp-counter-passes dd").first
    wait_until(lambda: (found := re.search(r"of (\d+)…", counter.inner_text())) and int(found[1]) >= number)


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def nothing_left_running(session: Session) -> Iterator[None]:
    yield
    wait_until(lambda: session.running == 0)


# ---- the page opens


def test_the_page_opens_with_a_playable_recording_before_there_is_a_model(serve, open_page, mini):
    loads = []
    fresh = Session(load=lambda name: loads.append(name) or mini)
    page = ready(open_page(serve(build_page(fresh), theme=theme(), **LAUNCH)))
    shown = best_example(read_examples())
    assert passes(page) == shown.trace.forward_passes
    expect(say(page)).to_contain_text(shown.note)
    before = playhead(page).get_attribute("aria-valuenow")
    page.locator("#decode-player").get_by_role("button", name="Play").click()
    expect(playhead(page)).not_to_have_attribute("aria-valuenow", before)
    for tab, part in (("Compare", "#compare-player"), ("How it works", "#how-player")):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(f"{part} .wp-block").first).to_be_visible()
    assert loads == [] and not fresh.loaded


def test_the_first_run_says_that_it_loads_the_model(serve, open_page, mini):
    def load(name: str) -> Checkpoint:
        time.sleep(0.6)
        return mini

    page = ready(open_page(serve(build_page(Session(load=load)), theme=theme(), **LAUNCH)))
    run(page)
    expect(say(page)).to_contain_text("Loading the model")
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


def test_a_recorded_example_plays_with_its_problem_and_its_settings(page):
    examples = read_examples()
    wanted = next(n for n, e in enumerate(examples) if e.trace.decoder["name"] == "threshold")
    page.get_by_label("Recorded example", exact=True).click()
    page.get_by_role("option", name=examples[wanted].title).click()
    expect(prompt_of(page)).to_have_value(examples[wanted].trace.prompt)
    expect(page.locator("#decode-decoder").get_by_role("radio", name="Threshold")).to_be_checked()
    expect(page.locator("#decode-player").get_by_role("button", name="Pause")).to_be_visible()
    assert passes(page) == examples[wanted].trace.forward_passes


# ---- running


def test_a_typed_problem_survives_a_visit_to_the_examples(page):
    """The list once put its example back, and played it, whenever it lost the focus."""
    examples = page.get_by_label("Recorded example", exact=True)
    examples.focus()
    page.keyboard.press("Tab")
    prompt_of(page).fill("Rosa has 30 cards. How many cards does Rosa have?")
    expect(examples).to_have_value("none: a run of your own")
    examples.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="New problem").first.focus()
    page.wait_for_timeout(500)
    expect(prompt_of(page)).to_have_value("Rosa has 30 cards. How many cards does Rosa have?")


def test_a_run_streams_and_ends_with_the_verdict(page, session):
    run(page)
    expect(say(page)).to_contain_text(re.compile(r"(Right|Wrong).* Done in \d+ forward passes"), timeout=60_000)
    expect(page.locator("#decode-player .wp-verdict")).to_be_visible()
    assert session.loaded
    expect(page.get_by_label("Recorded example", exact=True)).to_have_value("none: a run of your own")


@pytest.mark.parametrize(
    ("decoder", "sliders", "value", "passes_made"),
    [("Factor", ["f · place rank n at or above 1 − f/(n+1)"], "0", range(2, LENGTH)),
     ("Prophet", ["Gap · first third", "Gap · second third", "Gap · last third"], "0", [1])],
)  # fmt: skip
def test_a_decoder_shows_its_own_settings_and_runs_by_them(page, decoder, sliders, value, passes_made):
    """f = 0 places only certainties together; a gap of 0 is reached at once, and the first pass fills both blocks."""
    form = page.locator("#decode-decoder")
    choose(form, decoder)
    shown = form.locator("input[type=number]:visible")
    expect(shown).to_have_count(len(sliders))
    for label in sliders:
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    shown.first.fill(value)
    shown.first.press("Tab")
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)
    assert passes(page) in passes_made
    blocks = page.locator("#decode-player .wp-block-head")
    assert [text.rsplit("\n", 1)[-1] for text in blocks.all_inner_texts()] == ["done"] * 2


def test_while_a_run_goes_on_the_past_can_be_read(page, slowly):
    choose(page.locator("#decode-decoder"), "Standard")
    run(page)
    wait_for_pass(page, 3)
    playhead(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    seen = passes(page)
    wait_until(lambda: passes(page) >= seen + 3)
    expect(playhead(page)).to_have_attribute("aria-valuenow", "1")
    token = page.locator("#decode-player .wp-canvas .wp-drafted").first
    token.click()
    expect(page.locator("#decode-player .wp-card")).to_contain_text("Drafted in pass 1")
    page.locator("#decode-stop").click()
    expect(say(page)).to_contain_text("Stopped after")
    expect(playhead(page)).to_have_attribute("aria-valuenow", "1")


def test_stop_stops_within_a_pass_and_the_next_run_works(page, session, slowly):
    choose(page.locator("#decode-decoder"), "Standard")
    run(page)
    wait_for_pass(page, 2)
    page.locator("#decode-stop").click()
    expect(say(page)).to_have_text(re.compile(r"Stopped after \d+ passes\."))
    wait_until(lambda: session.running == 0)
    stopped = int(re.search(r"\d+", say(page).inner_text())[0])
    made = slowly.passes
    time.sleep(3 * VERY_SLOW_PASS)
    assert slowly.passes <= made + 1  # the one that was under way
    slowly.seconds = SLOW_PASS
    assert passes(page) == stopped < LENGTH
    expect(page.locator("#decode-player .wp-summary")).to_contain_text("Stopped here.")
    choose(page.locator("#decode-decoder"), "WINO")
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


def test_stop_with_nothing_running_says_so(page):
    page.locator("#decode-stop").click()
    expect(say(page)).to_have_text("Nothing is running now.")


@pytest.mark.parametrize("gap", [0, 5, 40, 110])  # ms
def test_a_stop_right_after_run_has_the_last_word(page, session, gap):
    """Stop overtakes a run that has just been asked for; "Decoding …" once stood there until the next click."""
    choose(page.locator("#decode-decoder"), "Standard")
    press = f"""async () => {{
        document.querySelector("#decode-run").click();
        await new Promise((resolve) => setTimeout(resolve, {gap}));
        document.querySelector("#decode-stop").click();
    }}"""
    for _ in range(2):
        page.evaluate(press)
        page.wait_for_timeout(600)
        wait_until(lambda: session.running == 0)
        page.wait_for_timeout(300)
        expect(say(page)).to_have_text(
            re.compile(r"Stopped (before the first pass|after \d+ pass(es)?)\.|Nothing is running")
        )
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


def test_stops_and_runs_at_once_end_as_the_last_of_them_says(page, session):
    """Of eight pairs sent at once, one run used to reach the server after its stop, and went on."""
    choose(page.locator("#decode-decoder"), "Standard")
    press = """(last) => {
        for (let i = 0; i < 8; i += 1) for (const name of ["run", "stop"]) document.querySelector(`#decode-${name}`).click();
        if (last) document.querySelector("#decode-run").click();
    }"""
    page.evaluate(press, False)
    expect(say(page)).to_have_text(re.compile(r"Stopped (before the first pass|after \d+ pass(es)?)\."))
    wait_until(lambda: session.running == 0)
    page.wait_for_timeout(1500)  # all that was on its way has arrived
    expect(say(page)).to_have_text(re.compile(r"Stopped (before the first pass|after \d+ pass(es)?)\."))
    assert session.running == 0
    page.evaluate(press, True)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


def test_run_pressed_again_begins_anew(page, session, slowly):
    choose(page.locator("#decode-decoder"), "Standard")
    run(page)
    unverified = page.locator("#decode-player .wp-unverified")
    expect(unverified).to_have_count(1)
    choose(page.locator("#decode-decoder"), "WINO")
    run(page)
    expect(unverified).to_have_count(0)  # the second run is the one that is shown
    slowly.seconds = SLOW_PASS
    expect(say(page)).to_contain_text("Done in", timeout=60_000)
    wait_until(lambda: session.running == 0)
    assert passes(page) < LENGTH


def test_a_new_problem_has_the_steps_asked_for_and_can_be_judged(page):
    before = prompt_of(page).input_value()
    page.locator("#decode-new").click()
    expect(prompt_of(page)).not_to_have_value(before)
    expect(say(page)).to_contain_text("press Run")
    run(page)
    expect(say(page)).to_contain_text(re.compile("Right|Wrong"), timeout=60_000)


def test_an_edited_problem_has_no_answer_to_be_judged_by(page):
    prompt_of(page).fill("Ana has 12 pears. Ana buys 5 more pears, then loses 2. How many pears are left?")
    run(page)
    expect(say(page)).to_contain_text(re.compile("known"), timeout=60_000)
    expect(page.locator("#decode-player .wp-verdict-open")).to_be_visible()


def test_a_fault_in_the_model_is_said_and_does_not_last(page, paced):
    paced.broken = True
    try:
        run(page)
        expect(say(page)).to_contain_text("a fault that is not yours", timeout=60_000)
    finally:
        paced.broken = False
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


# ---- comparing


def test_both_lanes_reach_their_ends_and_the_table_is_filled(page):
    page.get_by_role("tab", name="Compare").click()
    pair = recorded_together(read_examples(), [("standard", False), ("wino", False)])
    table = page.locator("#compare-figures table")
    if pair:
        expect(table.locator("tbody tr").first).to_contain_text(str(pair[0].trace.forward_passes))
    run(page, "compare")
    expect(table.locator("tbody tr").first).to_contain_text("–", timeout=60_000)
    expect(say(page, "compare")).to_contain_text(f"Done in {LENGTH} and", timeout=60_000)
    cells = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    assert cells[0][0] == str(LENGTH) and int(cells[1][0]) < LENGTH / 2
    assert all(re.match("✓ Right|✗ Wrong", row[-1]) for row in cells)
    assert passes(page, "compare") == LENGTH
    blocks = page.locator("#compare-player .wp-lane .wp-block-head")
    assert [text.rsplit("\n", 1)[-1] for text in blocks.all_inner_texts()] == ["done"] * 4


def test_a_comparison_moves_pass_by_pass_and_can_be_stopped(page, session):
    page.get_by_role("tab", name="Compare").click()
    choose(page.locator("#compare-right-decoder"), "Standard")
    run(page, "compare")
    counted = page.locator("#compare-player .wp-lane:visible .wp-counter-passes dd")
    wait_for_pass(page, 4, "compare")
    made = [int(text.split()[0]) for text in counted.all_inner_texts()]
    assert abs(made[0] - made[1]) <= 2
    page.locator("#compare-stop").click()
    expect(say(page, "compare")).to_have_text(re.compile(r"Stopped after \d+ and \d+ passes\."))
    wait_until(lambda: session.running == 0)


def test_a_run_goes_on_while_another_tab_is_looked_at(page, session):
    run(page)
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#how-player .wp-block").first).to_be_visible()
    wait_until(lambda: session.running == 0)
    page.get_by_role("tab", name="Decode").click()
    expect(say(page)).to_contain_text("Done in")
    expect(page.locator("#decode-player .wp-block-head").last).to_contain_text("done")


# ---- how it works


def test_the_mask_that_is_drawn_is_the_real_one():
    for block in range(2):
        attention = shadow_attention(5, 8, 4, block)
        assert np.array_equal(unpack(pack(attention)), attention)
    trace = best_example(read_examples()).trace
    data = json.loads(mask_message(trace, "player"))
    for block, packed in enumerate(data["blocks"]):
        real = shadow_attention(len(trace.prompt_ids), trace.gen_length, trace.block_length, block)
        assert np.array_equal(unpack(packed["rows"]), real)


def test_the_mask_follows_the_player_and_says_who_sees_whom(page):
    page.get_by_role("tab", name="How it works").click()
    mask = page.locator("#how-mask")
    expect(mask.locator("svg").first).to_be_visible()
    player = page.locator("#how-player")
    player.get_by_role("button", name="Last pass").click()
    expect(mask).to_contain_text("While block 2 of 2 is decoded")
    player.get_by_role("button", name="First").click()
    expect(mask).to_contain_text("While block 1 of 2 is decoded")
    twin = mask.locator(".mask-current")
    twin.scroll_into_view_if_needed()
    box = twin.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    expect(mask.locator(".mask-readout")).to_have_text(
        re.compile(r"Token \d+ of the shadow of block 1 sees token \d+ of block 1\.")
    )
    page.mouse.move(box["x"] + box["width"] * 1.5, box["y"] - 40)
    expect(mask.locator(".mask-readout")).to_contain_text("sees token")
    player.get_by_role("button", name="Play").click()
    expect(playhead(page, "how")).to_have_attribute("aria-valuenow", "1")

    def drawn_at(width: str) -> list[float]:
        """The widths of what is drawn after the mask was so wide for two frames."""
        mask.evaluate("(mask, width) => { mask.style.width = width; }", width)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return mask.locator("svg rect").evaluate_all("(all) => all.map((rect) => Number(rect.getAttribute('width')))")

    assert min(drawn_at("60px")) >= 0  # as while the tab is being opened: no room for a picture
    wide = drawn_at("430px")
    assert min(wide) >= 0 and drawn_at("300px") != wide


# ---- without a mouse, on a phone, in the dark


def test_the_keyboard_alone_runs_and_scrubs(page):
    prompt_of(page).focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "decode-run":
            break
    expect(page.locator("#decode-run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(say(page)).to_contain_text("Done in", timeout=60_000)
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "slider":
            break
    last = passes(page)
    page.keyboard.press("ArrowLeft")
    expect(playhead(page)).to_have_attribute("aria-valuenow", str(last - 1))


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling(url, open_page, dark):
    page = ready(open_page(url, width=390, height=800, dark=dark, touch=True))
    for tab in ("Decode", "Compare", "How it works"):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(".wp-block:visible").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for fold in page.locator(".fold-button:visible").all():
            fold.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    paper = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper)[:3])) < 60) == dark


def test_on_a_phone_the_forms_are_folded_and_the_player_stands_near_the_top(url, open_page):
    page = ready(open_page(url, width=390, height=800, touch=True))
    expect(page.locator("#decode-player .wp-legend")).to_be_in_viewport()
    expect(page.locator("#decode-player .wp-prompt-text")).to_be_visible()  # for the form that shows it is folded
    expect(prompt_of(page)).to_be_hidden()
    fold = page.get_by_role("button", name="Problem and decoder", exact=True)
    fold.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(prompt_of(page)).to_be_visible()
    text = prompt_of(page).evaluate("(text) => [text.clientHeight, text.scrollHeight]")
    assert text[0] >= text[1]  # as high as its text
    expect(page.locator("#decode-player .wp-prompt-text")).to_be_hidden()
    fold.click()
    expect(page.locator("#decode-decoder")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#decode-decoder")).to_be_visible()
    expect(fold).to_be_hidden()


def test_a_long_title_ends_before_the_arrow_of_its_list(url, open_page):
    page = ready(open_page(url, width=330, height=800))
    title = page.locator("#decode-examples input")
    title.evaluate("(input) => (input.value = 'A very long title of a recorded example, that nobody can read')")
    free = "(input) => input.getBoundingClientRect().right - parseFloat(getComputedStyle(input).paddingRight)"
    arrow = page.locator("#decode-examples .icon-wrap").bounding_box()
    assert title.evaluate(free) <= arrow["x"]


def test_in_a_comparison_the_controls_stay_in_view_beside_the_text(url, open_page):
    page = ready(open_page(url))
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-player .wp-lanes").scroll_into_view_if_needed()
    expect(page.locator("#compare-player .wp-block").first).to_be_in_viewport()
    for name in ("Play", "Last pass"):
        expect(page.locator("#compare-player").get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    table, player = (page.locator(f"#compare-{part}").bounding_box() for part in ("figures", "player"))
    assert table["y"] > player["y"] + player["height"]


def test_on_a_phone_run_brings_the_player_into_view(url, open_page):
    page = ready(open_page(url, width=390, height=800, touch=True, reduced_motion=True))
    run(page)
    expect(page.locator("#decode-player .wp-counters")).to_be_in_viewport()
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


# ---- what is wrong gets a sentence, and stays text


def set_number(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=re.compile(label))
    if not field.is_visible():
        page.locator("#decode-more button").first.click()
        expect(field).to_be_visible()
        page.wait_for_timeout(300)  # the folded part is made now, with the values that it began with
    field.fill(value)
    field.blur()
    expect(field).to_have_value(value)


def test_wrong_values_get_a_sentence_beside_run(page, session):
    problem = prompt_of(page)
    right = problem.input_value()
    for prompt, sentence in (("   ", "the prompt is empty"), ("pear " * 700, "too long: .* room for 288 beside 32")):
        problem.fill(prompt)
        run(page)
        expect(say(page)).to_contain_text(re.compile(f"Can’t run: .*{sentence}"), timeout=60_000)
    problem.fill(right)
    for label, value, sentence in (
        ("Block length", "24", "gen_length 32 is not a multiple of block_length 24"),
        ("Seed", "-3", "seed must be a whole number, 0 to"),
        ("Seed", "", "“Seed” is empty: it needs a number"),
        ("Generation length", "", "“Generation length” is empty: it needs a number"),
    ):
        set_number(page, label, value)
        run(page)
        expect(say(page)).to_contain_text(sentence)
        if "length" in label:
            set_number(page, label, str(BLOCK if label == "Block length" else LENGTH))
    assert session.running == 0
    set_number(page, "Seed", "7")
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)


def test_what_a_person_or_a_model_writes_is_never_markup(page):
    prompt_of(page).fill(HOSTILE)
    run(page)
    expect(say(page)).to_contain_text("Done in", timeout=60_000)
    assert page.locator("#decode-player .wp-prompt-text").text_content() == HOSTILE
    assert page.locator("#decode-player img").count() == 0
    assert page.title() != "owned"


def test_a_recording_from_anywhere_is_never_markup(serve, open_page, session):
    trace = best_example(read_examples()).trace
    hostile = replace(trace, prompt=HOSTILE, pieces=dict.fromkeys(trace.pieces, HOSTILE), model=HOSTILE, text=HOSTILE)
    example = Example(title=HOSTILE, note=HOSTILE, record={"task": "arithmetic", "question": HOSTILE}, trace=hostile)
    page = ready(open_page(serve(build_page(session, [example]), theme=theme(), **LAUNCH)))
    expect(page.get_by_label("Recorded example", exact=True)).to_have_value(HOSTILE)
    expect(say(page)).to_contain_text("<img src=x")
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#how-mask svg").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


# ---- several people, and programs


def test_two_people_decode_at_once(url, open_page, session):
    pages = [ready(open_page(url)) for _ in range(2)]
    for page in pages:
        choose(page.locator("#decode-decoder"), "Standard")
        run(page)
    wait_until(lambda: session.running == 2)
    for page in pages:
        expect(say(page)).to_contain_text(f"Done in {LENGTH}", timeout=60_000)
    first, second = (page.locator("#decode-player .wp-text").all_inner_texts() for page in pages)
    assert first == second


def test_a_closed_page_frees_the_model(url, open_page, session, paced):
    page, before = ready(open_page(url)), paced.passes
    choose(page.locator("#decode-decoder"), "Standard")
    run(page)
    wait_until(lambda: paced.passes > before)
    page.close()
    wait_until(lambda: session.running == 0)
    assert paced.passes - before < LENGTH


def test_programs_get_the_whole_trace(url, session):
    client = Client(url, verbose=False)
    arguments = {"prompt": "Ana has 12 pears and buys 5.", "decoder": "wino:tau1=0.5", "temperature": 0.5, "seed": 3}
    trace = Trace.from_dict(client.predict(**arguments, api_name="/decode"))
    assert trace.decoder["tau1"] == 0.5 and trace.gen_length == LENGTH and trace.decoder["seed"] == 3
    assert trace == Trace.from_dict(client.predict(**arguments, api_name="/decode"))
    for wrong, sentence in (
        ({"decoder": "magic"}, "there is no decoder 'magic'"),
        ({"gen_length": 10**9}, "gen_length must be a whole number, 1 to 8192"),
        ({"gen_length": 40}, "gen_length 40 is not a multiple of block_length 16"),
        ({"prompt": ["x"]}, "the prompt must be text, not a list"),
        ({"seed": "x"}, "seed must be a whole number"),
    ):
        with pytest.raises(AppError, match=sentence):
            client.predict(**{**arguments, **wrong}, api_name="/decode")
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/decode", "/branch"]


# ---- the entry point

SERVER = """
import runpy, sys
log = open(sys.argv[1], "a", buffering=1)
def watch(event, arguments):
    if event == "socket.connect":
        print(repr(arguments[1]), file=log)
    if event == "socket.getaddrinfo":
        print(repr((arguments[0], arguments[1])), file=log)
sys.addaudithook(watch)
sys.argv = ["app.py"]
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_server_itself_talks_to_nobody(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "connections"
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "OMP_NUM_THREADS": "2"}
    removed = ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE")
    environment = {key: value for key, value in os.environ.items() if key not in removed} | settings
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(log)], cwd=ROOT, env=environment)
    try:
        wait_until(lambda: answers(port), 60)
        trace = Client(f"http://127.0.0.1:{port}", verbose=False).predict("Ana has 3 pears.", api_name="/decode")
        assert Trace.from_dict(trace).gen_length == trace["gen_length"]
        # a port that was asked for and is taken is said, instead of another one
        second = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, timeout=120)
        assert second.returncode == 1 and str(port) in second.stderr.decode().splitlines()[-1]
    finally:
        server.terminate()
        server.wait(20)
    hosts = {str(eval(line)[0]) for line in log.read_text().splitlines() if line.startswith("(")}
    assert hosts <= {"127.0.0.1", "localhost", "::1", "0.0.0.0", "None"}, hosts


@pytest.mark.parametrize("port", ["abc", "0x10", "-5", "0", "65536", "9" * 5000])
def test_what_is_no_port_is_one_sentence(port):
    environment = os.environ | {"GRADIO_SERVER_PORT": port}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, timeout=60)
    [said] = done.stderr.decode().splitlines()
    assert done.returncode == 1 and said.startswith(f"GRADIO_SERVER_PORT must be a port, 1 to 65535, not '{port[:40]}")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_who_comes_to_a_full_queue_reads_so_beside_run(mini: Checkpoint, serve, open_page: Callable[..., Page]):
    full = build_page(Session(load=lambda name: mini)).queue(max_size=0)
    page = ready(open_page(serve(full, theme=theme(), **LAUNCH)))
    run(page)
    expect(say(page)).to_contain_text("Too many people are decoding just now. Try again in a minute.")
    page.get_by_role("tab", name="Compare").click()
    run(page, "compare")
    expect(say(page, "compare")).to_contain_text("Too many people")
