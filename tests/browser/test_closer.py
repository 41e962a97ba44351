"""“Look closer”, in a real browser: what the panels draw is what the trace holds and what the rules in Python say.

One small app has a player and the panels, and its traces are handed to the player by the tests: no model is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sample_trace import sample_trace

from wino_viz.branch import Branch
from wino_viz.decoding import shadow_attention
from wino_viz.decoding.standard import StandardSettings
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.decoding.wino import WinoSettings
from wino_viz.drawing import frames
from wino_viz.order import ar_ness
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.closer import look_closer
from wino_viz.ui.examples import read_examples
from wino_viz.ui.messages import new_run, start_message, step_message, trace_message
from wino_viz.ui.page import LAUNCH, build_page, theme
from wino_viz.ui.player import Player

PANELS = ("lives", "histogram", "order", "scope", "whatif")
STATES = ("masked", "placed", "verified", "drafted", "remasked", "fixed")  # in the order of the heat map's numbers
ROOT = "document.querySelector('#seen .wino-player')"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    with gr.Blocks() as app:
        Player(elem_id="seen")
        closer = look_closer("seen", branch=True)
        asked = gr.Textbox(label="asked", elem_id="asked")

        def told(event: gr.EventData) -> str:
            data = dict(event._data)
            return json.dumps({**data, "message": json.loads(data["message"])["type"] if data["message"] else ""})

        closer.select(told, None, asked)
    return serve(app)


@pytest.fixture(scope="module")
def asked_for() -> list[str]:
    """The URLs that the page asked for."""
    return []


@pytest.fixture(scope="module")
def page(url: str, browser: Browser, asked_for: list[str]) -> Iterator[Page]:
    """One page for all tests; it fails on an outside request or a script error."""
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(url)
    page.wait_for_function(f"{ROOT}?.player && document.querySelector('#seen-closer .closer-panel')")
    yield page
    page.close()
    assert errors == []
    assert [asked for asked in asked_for if not asked.startswith((url, "data:", "blob:"))] == []


def show(page: Page, trace: Trace, at: int = 0) -> None:
    play(page, trace_message(trace, at=at))


def play(page: Page, message: str) -> None:
    page.evaluate(f"(message) => {ROOT}.player.receive(message)", message)


def panel(page: Page, name: str) -> Locator:
    """The panel, open and in view."""
    found = page.locator(f".closer-panel-{name}")
    if found.get_attribute("open") is None:
        found.locator("summary").press("Enter")
    found.scroll_into_view_if_needed()
    expect(found.locator(".closer-body > *").first).to_be_attached()
    return found


def drawn(page: Page, box: str, ready: str) -> dict:
    """Plotly's data and layout of a picture, once `ready` (JavaScript about `box`) holds."""
    page.wait_for_function(f"() => {{ const box = document.querySelector({box!r}); return box?.data && ({ready}); }}")
    return page.evaluate(f"""() => {{
      const {{ data, layout }} = document.querySelector({box!r});
      return JSON.parse(JSON.stringify({{ data, layout }}));
    }}""")


def at_pass(page: Page, number: int) -> None:
    expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(number))


def test_lives_of_tokens_are_those_of_the_trace(page, asked_for):
    trace = sample_trace()
    expect(page.locator("#seen-closer .closer")).to_be_hidden()  # nothing is shown yet
    show(page, trace, at=3)
    lives = page.locator(".closer-panel-lives")
    expect(lives).to_have_attribute("open", "")
    for name in PANELS[1:]:
        expect(page.locator(f".closer-panel-{name}")).not_to_have_attribute("open", "")
        assert page.locator(f".closer-panel-{name} .closer-body > *").count() == 0  # closed: no work was done
    panel(page, "lives")
    box = "#seen-closer .closer-panel-lives .closer-plot"
    picture = drawn(page, box, "box.layout.shapes.length === 2")
    heat = picture["data"][0]
    states = list(frames(trace))[1:]
    assert [[STATES[n] for n in row] for row in heat["z"]] == [list(frame.states) for frame in states]
    assert (heat["x"][0], heat["x"][-1], heat["y"][-1]) == (1, trace.gen_length, trace.forward_passes)
    border, current = picture["layout"]["shapes"]
    assert border["x0"] == border["x1"] == trace.block_length + 0.5
    assert (current["y0"], current["y1"]) == (2.5, 3.5)
    crosses = picture["data"][-1]
    assert crosses["marker"]["symbol"] == "x-thin"
    taken = [(t.position + 1, n) for n, step in enumerate(trace.steps, start=1) for t in step.remasked]
    assert taken
    assert list(zip(crosses["x"], crosses["y"], strict=True)) == taken

    # the playhead moves the frame; a click moves the playhead and pins the token
    page.evaluate(f"{ROOT}.player.goTo(4)")
    drawn(page, box, "box.layout.shapes.at(-1).y0 === 3.5")
    position, number = taken[0]
    plot = lives.locator(".nsewdrag.drag").bounding_box()
    cell = plot["width"] / trace.gen_length, plot["height"] / trace.forward_passes
    page.mouse.move(plot["x"] + (position - 0.5) * cell[0], plot["y"] + (number - 0.5) * cell[1])
    expect(lives.locator(".closer-readout")).to_contain_text(f"Pass {number}, position {position}: ")
    expect(lives.locator(".closer-readout")).to_contain_text("taken back, at ")
    page.mouse.down()
    page.mouse.up()
    at_pass(page, number)
    expect(page.locator("#seen .wp-card-pinned .wp-card-where")).to_contain_text(f"token {position} of")

    # and so does the keyboard
    page.evaluate(f"{ROOT}.player.goTo(1)")
    at_pass(page, 1)
    drawn(page, box, "box.layout.shapes.at(-1).y0 === 0.5")
    grid = lives.get_by_role("application")
    grid.press("ArrowRight")
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(lives.locator(".closer-readout")).to_contain_text("Pass 2, position 2: ")
    page.keyboard.press("Enter")
    at_pass(page, 2)

    # by confidence: what the pass gave each position, and nothing where it gave nothing
    lives.get_by_role("button", name="By confidence").press("Enter")
    heat = drawn(page, box, "box.data[0].zmax === 1")["data"][0]
    for row, step in zip(heat["z"], trace.steps, strict=True):
        given = {t.position: t.probability for t in (*step.considered, *step.drafted, *step.verified)}
        known = {position: p for position, p in enumerate(row) if p is not None}
        assert known == pytest.approx(given)
    assert [url for url in asked_for if url.endswith("plotly.min.js")] != []


def test_a_fixed_word_has_a_colour_and_a_key_of_its_own(page):
    """It once had the colour of a token that is taken back."""
    trace = sample_trace()

    def without(rows):
        return tuple(row for row in rows if (row[0] if isinstance(row, tuple) else row.position) != 0)

    kinds = ("drafted", "verified", "remasked", "considered")
    steps = tuple(replace(step, **{kind: without(getattr(step, kind)) for kind in kinds}) for step in trace.steps)
    show(page, trace, at=1)
    lives = panel(page, "lives")
    lives.get_by_role("button", name="By state").press("Enter")
    expect(lives.locator(".closer-key-fixed")).to_be_hidden()
    show(page, replace(trace, steps=steps, fixed=((0, trace.output_ids[0]),)), at=1)
    box = "#seen-closer .closer-panel-lives .closer-plot"
    picture = drawn(page, box, "box.data[0].z.every((row) => row[0] === 5)")
    assert picture["data"][0]["zmax"] == len(STATES) - 0.5
    key = lives.locator(".closer-key-fixed")
    expect(key).to_have_text("fixed from the start")
    colours = lives.locator(".closer-key li .closer-swatch").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).backgroundColor)"
    )
    assert len(set(colours)) == len(STATES)
    grid = lives.get_by_role("application")
    for arrow in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
        grid.press(arrow)
    expect(lives.locator(".closer-readout")).to_contain_text("position 1: ")
    expect(lives.locator(".closer-readout")).to_contain_text("is fixed from the start.")


def test_confidences_are_counted_against_the_thresholds(page):
    trace = sample_trace()
    number = next(n for n, step in enumerate(trace.steps, start=1) if step.remasked and step.considered)
    step = trace.steps[number - 1]
    show(page, trace)
    found = panel(page, "histogram")
    expect(found).to_contain_text("Step to a pass to see its confidences")
    page.evaluate(f"{ROOT}.player.goTo({number})")
    boxes = [f"#seen-closer .closer-panel-histogram .closer-figure:nth-child({n}) .closer-plot" for n in (1, 2)]
    for box, name, groups in (
        (boxes[0], "τ1 0.60", {"drafted": step.drafted, "left masked": step.considered}),
        (boxes[1], "τ2 0.90", {"taken back": step.remasked}),
    ):
        picture = drawn(page, box, f"box.data.some(({{ name }}) => name === {list(groups)[-1]!r})")
        counts = {bars["name"]: bars["y"] for bars in picture["data"]}
        for group, rows in groups.items():
            assert counts[group] == np.histogram([row[-1] for row in rows], bins=20, range=(0, 1))[0].tolist()
        assert name in picture["layout"]["annotations"][0]["text"]
    passed = sum(v.probability >= 0.9 for v in step.verified)
    words = f"{len(step.verified)} placed tokens judged: {passed} passed, {len(step.remasked)} taken back"
    expect(found).to_contain_text(words)

    # only what a trace holds: here the drafts alone, of a decoder that never checks
    short = sample_trace(ThresholdSettings(tau=0.7), gen_length=64, block_length=64)
    short = replace(short, steps=tuple(replace(step, considered=()) for step in short.steps))
    show(page, short, at=1)
    expect(found).to_contain_text(f"The trace holds the confidences of {len(short.steps[0].drafted)} of the block’s 64")
    expect(found).to_contain_text("never checks a placed token again")
    expect(found.locator(".closer-figure:visible")).to_have_count(1)


def test_the_order_is_measured_as_in_python(page):
    traces = [sample_trace(), *(example.trace for example in read_examples()[2:6])]
    order = panel_of(page, traces[0], "order")
    for trace in traces:
        show(page, trace)
        seen = page.evaluate(f"winoPage.closer.rules.arNess({ROOT}.player.replay())")
        known = ar_ness(trace)
        assert seen["tokens"] == known.tokens
        for row in seen["rows"]:
            k = row["k"]
            assert (row["local"], row["global"]) == (known.local_score[k], known.global_score[k])
            assert row["localBackwards"] == known.local_score_backwards[k]
            assert row["globalBackwards"] == known.global_score_backwards[k]
    show(page, traces[0])
    known = ar_ness(traces[0])
    share = round(known.local_score[1] * known.tokens)
    expect(order).to_contain_text(f"{share} of 128 tokens")
    expect(order.locator("tbody tr").first).to_contain_text(f"{known.global_score[1]:.2f}")
    expect(order).to_contain_text("counts in the pass that placed it for good")
    assert page.evaluate("winoPage.closer.rules.arNess({ steps: [], tokens: 4 })") is None


def panel_of(page: Page, trace: Trace, name: str, at: int = 0) -> Locator:
    show(page, trace, at=at)
    return panel(page, name)


def test_the_microscope_shows_the_decoders_own_mask(page):
    trace = sample_trace()
    scope = panel_of(page, trace, "scope", at=trace.forward_passes)
    mask = page.evaluate(
        """(pass) => {
          const { axisOf, mayAttend } = winoPage.closer.rules;
          const replay = document.querySelector("#seen .wino-player").player.replay();
          const axis = axisOf(replay, pass, 1, true).flatMap((entry) => Array(entry.count ?? 1).fill(entry));
          return axis.map((row) => axis.map((column) => mayAttend(row, column)));
        }""",
        trace.forward_passes,
    )
    assert np.array_equal(mask, shadow_attention(len(trace.prompt_ids), trace.gen_length, trace.block_length, 1))

    # what one judge sees, in words: from the keyboard, with the tokens as they stood before the pass
    taken = [(t, n) for n, step in enumerate(trace.steps, start=1) for t in step.remasked]
    first, number = min(taken)
    page.evaluate(f"{ROOT}.player.goTo({number})")
    expect(scope).to_contain_text(f"What the model read in pass {number}, which works on block 1 of 2")
    grid = scope.get_by_role("application")
    grid.press("ArrowDown")  # from the first judge and the first token
    for key in ["ArrowDown"] * first.position + ["ArrowRight"] * first.position:
        page.keyboard.press(key)
    readout = scope.locator(".closer-readout")
    name = f"position {first.position + 1} (“{trace.pieces[first.id]}”)"
    expect(readout).to_contain_text(f"The shadow of {name} may see the prompt, every block and the whole shadow, ")
    expect(readout).to_contain_text(f"but not its twin. Here is that twin, {name}: hidden")
    expect(readout).to_contain_text(": taken back.")
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text(f"Here: position {first.position + 2} (")
    expect(readout).to_contain_text("which it may see")
    page.keyboard.press("Enter")
    expect(page.locator("#seen .wp-card-pinned .wp-card-where")).to_contain_text(f"token {first.position + 1} of")

    # one canvas, no larger than what is seen of it, however large the mask
    grid.press("+")
    assert scope.locator("canvas").evaluate("(canvas) => canvas.width") <= 1280
    assert scope.locator("*").count() < 60

    show(page, sample_trace(StandardSettings(tokens_per_step=8)), at=2)
    expect(scope).to_contain_text("no shadow block: attention is full, every position sees every other")
    assert page.evaluate(f"""(() => {{
      const axis = winoPage.closer.rules.axisOf({ROOT}.player.replay(), 2, 0, true);
      return axis.every((row) => axis.every((column) => winoPage.closer.rules.mayAttend(row, column)));
    }})()""")


def parting(recorded: Trace, other: Trace) -> int | None:
    """The first pass (from 1) of two decodings of the same model that was decided otherwise."""
    for number, (a, b) in enumerate(zip(recorded.steps, other.steps, strict=False), start=1):
        if (a.drafted, a.remasked) != (b.drafted, b.remasked):
            return number
    return None


def test_other_thresholds_part_where_a_new_decoding_parts(page):
    size = {"gen_length": 64, "block_length": 32}
    recorded = sample_trace(**size)
    panel_of(page, recorded, "whatif")
    partings = set()
    for tau1 in (0.0, 0.5, 0.6, 0.65, 0.8, 0.95, 1.0):
        for tau2 in (0.0, 0.5, 0.9, 0.97, 1.0):
            expected = parting(recorded, sample_trace(WinoSettings(tau1=tau1, tau2=tau2), **size))
            found = page.evaluate(f"winoPage.closer.rules.whatIf({ROOT}.player.replay(), {tau1}, {tau2})")
            assert found.get("pass") == expected, (tau1, tau2, found)
            assert found["kind"] == ("same" if expected is None else "differs")
            partings.add(expected)
    assert len(partings) > 3  # early, late, and not at all

    # what can't be decided is said, and so is a trace that breaks the rule itself
    cut = replace(recorded, steps=tuple(replace(step, considered=()) for step in recorded.steps))
    show(page, cut)
    found = page.evaluate(f"winoPage.closer.rules.whatIf({ROOT}.player.replay(), 0.5, 0.9)")
    assert found["kind"] == "unknown"
    assert "draft_cap" not in cut.steps[found["pass"] - 1].limits
    found = page.evaluate(f"winoPage.closer.rules.whatIf({ROOT}.player.replay(), 0.9, 0.9)")
    assert (found["kind"], found["pass"]) == (
        "differs",
        parting(recorded, sample_trace(WinoSettings(tau1=0.9), **size)),
    )
    show(page, replace(recorded, decoder={**recorded.decoder, "tau1": 0.99}))
    assert page.evaluate(f"winoPage.closer.rules.whatIf({ROOT}.player.replay(), 0.5, 0.9)")["kind"] == "departs"
    show(page, recorded)  # one that was decoded on by hand after its third pass
    found = page.evaluate(
        f"winoPage.closer.rules.whatIf(Object.assign({ROOT}.player.replay(), {{ branches: [{{ at: 3 }}] }}), 0.6, 0.9)"
    )
    assert found == {"kind": "departs", "pass": 4, "branch": True}


def test_moving_a_threshold_names_the_pass_and_hands_it_on(page):
    recorded = sample_trace()
    other = sample_trace(WinoSettings(tau1=0.6, tau2=0.95))
    number = parting(recorded, other)
    whatif = panel_of(page, recorded, "whatif")
    expect(whatif).to_contain_text("These are the recorded thresholds")
    tau2 = whatif.get_by_label("τ2")
    tau2.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(whatif.get_by_role("status")).to_contain_text(f"Pass {number} is the first that would decide otherwise")
    lost = {t.position for t in other.steps[number - 1].remasked} - {
        t.position for t in recorded.steps[number - 1].remasked
    }
    assert lost
    expect(whatif.locator("li").first).to_contain_text("τ2 = 0.95 would also have taken back ")
    expect(whatif.locator("li").first).to_contain_text(f" (token {min(lost) + 1}, ")
    panel(page, "lives")
    drawn(
        page,
        "#seen-closer .closer-panel-lives .closer-plot",
        f"box.layout.shapes.some((s) => s.line.dash === 'dash' && s.y0 === {number - 0.5})",
    )
    whatif.get_by_role("button", name=f"Show pass {number}").press("Enter")
    expect(page.locator("#seen .wp-lanes")).to_be_in_viewport()  # it is shown where it happens
    at_pass(page, number)
    panel(page, "whatif")
    whatif.get_by_role("button", name=f"Decode from pass {number} on").press("Enter")
    expect(page.locator("#seen .wp-lanes")).to_be_in_viewport()
    asked = page.locator("#asked textarea")
    expect(asked).not_to_have_value("")
    told = json.loads(asked.input_value())
    assert (told["pass"], told["tau1"], told["tau2"]) == (number, 0.6, 0.95)
    whatif.get_by_role("button", name="As recorded").press("Enter")
    expect(whatif).to_contain_text("These are the recorded thresholds")
    show(page, replace(other, branches=(Branch(number - 1, (), recorded.decoder),)))  # what the model made of it
    expect(whatif).to_contain_text(
        f"From pass {number} on this trace was decoded on, with τ1 = 0.60 and τ2 = 0.95, so nothing can be said of it."
    )
    expect(whatif.get_by_role("button", name="Decode from")).to_be_hidden()

    # not for another decoder, and not while a run goes on; the other panels follow it pass by pass
    show(page, sample_trace(StandardSettings(tokens_per_step=8)))
    expect(whatif).to_contain_text("Only WINO has the two thresholds")
    run = new_run()
    play(page, start_message(recorded, run))
    expect(whatif).to_contain_text("This works as soon as the run is over")
    for n, step in enumerate(recorded.steps[:3], start=1):
        play(page, step_message(step, run, n, pieces=recorded.pieces))
    panel(page, "lives")
    drawn(page, "#seen-closer .closer-panel-lives .closer-plot", "box.data[0].z.length === 3")
    stopped = replace(recorded, steps=recorded.steps[:3], output_ids=list(recorded.canvases())[3])
    play(page, trace_message(stopped, run, stopped="Stopped here."))
    panel(page, "whatif")
    expect(whatif).to_contain_text("These are the recorded thresholds")


def test_hostile_text_stays_text_and_long_traces_are_cut(page):
    recorded = sample_trace()
    first = recorded.steps[0].drafted[0]
    show(page, replace(recorded, pieces={**recorded.pieces, first.id: HOSTILE}), at=1)
    lives = panel(page, "lives")
    all_passes = f"box.data[0].z.length === {recorded.forward_passes} && box.layout.shapes.at(-1).y0 === 0.5"
    drawn(page, "#seen-closer .closer-panel-lives .closer-plot", all_passes)
    lives.get_by_role("application").press("ArrowRight")
    for _ in range(first.position):
        page.keyboard.press("ArrowRight")
    expect(lives.locator(".closer-readout")).to_contain_text("<img src=x")
    panel(page, "scope").get_by_role("application").press("ArrowDown")
    assert page.locator("#seen-closer img, #seen-closer .closer-readout b").count() == 0
    assert page.title() != "owned"

    # of a long decoding only the passes around the playhead are drawn
    passes = 90
    header = {**recorded.header(), "gen_length": 2048, "block_length": 2048, "prompt_ids": [2] * 8192}
    steps = [{"block": 0, "drafted": [[p, first.id, 0.9]], "alternatives": {}} for p in range(passes)]
    trace = {**header, "pieces": {}, "steps": steps, "output_ids": [], "text": "", "timing": {}}
    play(page, json.dumps({"type": "trace", "run": "long", "trace": trace, "at": 60}))
    panel(page, "lives")
    expect(lives).to_contain_text("Passes 49–90 of 90 are drawn: those around the playhead.")


def test_the_decode_tab_has_the_panels_and_a_phone_has_them_closed(serve, open_page):
    """On the page itself: no model is loaded for them, and nothing of Plotly before a panel is open and in view."""
    url = serve(build_page(Session(load=None)), theme=theme(), **LAUNCH)
    page = open_page(url, width=390, height=844, dark=True)
    for name in PANELS:
        expect(page.locator(f".closer-panel-{name}")).to_be_visible()
        expect(page.locator(f".closer-panel-{name}")).not_to_have_attribute("open", "")
    assert page.evaluate("window.Plotly") is None
    for name in PANELS:
        panel(page, name)
    page.wait_for_function("document.querySelector('#decode-player-closer .closer-panel-lives .closer-plot').data")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_role("button", name="Decode from")).to_have_count(0)  # nothing on this page would answer it
