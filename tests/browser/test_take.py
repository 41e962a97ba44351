"""Taking a trace along: the menu on the page, and the exported HTML file, opened from a disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sample_trace import sample_trace

from wino_viz.cli import main
from wino_viz.drawing import Look, frames
from wino_viz.drawing.replay import end_tail, piece
from wino_viz.export import to_png
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import best_example, most_telling_pass, read_examples
from wino_viz.ui.page import LAUNCH, build_page, theme


class Waiting:
    """The real denoiser, which waits at its second pass until it is let go."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.passes, self.free = denoiser, 0, False

    def predict(self, forwards):
        self.passes += 1
        while self.passes > 1 and not self.free:
            time.sleep(0.02)
        return self.denoiser.predict(forwards)


@pytest.fixture(scope="module")
def waiting(mini: Checkpoint) -> Waiting:
    return Waiting(mini.denoiser)


@pytest.fixture(scope="module")
def session(mini: Checkpoint, waiting: Waiting) -> Session:
    session = Session(load=lambda name: replace(mini, denoiser=waiting))
    session.gen_length, session.block_length = 32, 16
    return session


@pytest.fixture(scope="module")
def url(session: Session, serve: Callable[..., str]) -> str:
    return serve(build_page(session), theme=theme(), **LAUNCH)


def take(page: Page, kind: str) -> tuple[str, bytes]:
    """Press a button of the menu; the name and the content of the file that comes."""
    with page.expect_download() as download:
        page.get_by_role("button", name=kind).click()
    name = download.value.suggested_filename
    expect(page.locator(".take-status")).to_contain_text(f"Saved {name}, ")
    return name, Path(download.value.path()).read_bytes()


def test_what_the_player_shows_can_be_taken_along(url, open_page, session, waiting):
    example = best_example(read_examples())
    at = most_telling_pass(example.trace)
    page = open_page(url, dark=True)
    menu = page.get_by_role("button", name="Take it with you")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="PNG")).to_contain_text(f"a picture of pass {at}")

    # a recording, at the pass that is shown, with the page's colours
    name, data = take(page, "PNG")
    verdict = session.judge(example.record, example.trace.text)
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert name.endswith(f"-pass-{at}.png")
    assert data == to_png(example.trace, at, Look(dark=dark), verdict=verdict)
    name, data = take(page, "JSON")
    assert Trace.from_json(data) == example.trace

    # a run: nothing while it goes on, then all of it
    page.locator("#decode-run").click()
    page.wait_for_function("document.querySelector('#decode-player .wp-counter-passes dd').textContent.includes('…')")
    expect(page.get_by_role("button", name="HTML file")).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".take-status")).to_have_text("This works as soon as the run is over.")
    waiting.free = True
    expect(page.get_by_role("button", name="HTML file")).to_have_attribute("aria-disabled", "false")
    ran = Trace.from_json(take(page, "JSON")[1])
    assert (ran.gen_length, ran.model) == (32, "llada-mini")
    name, data = take(page, "Animated GIF")
    assert (name, data[:6]) == ("wino-trace.gif", b"GIF89a")

    # what can't be taken is said, and the menu goes on working
    root = "document.querySelector('#decode-player .wino-player')"
    page.evaluate(f"""() => {{ {root}.lastMessage = () => '{{"type":"trace","trace":{{"format":"<b>"}}}}'; }}""")
    page.get_by_role("button", name="PNG").click()
    expect(page.locator(".take-status")).to_have_text('Not a trace: "format" must be "wino-viz-trace".')
    page.keyboard.press("Escape")
    expect(menu).to_have_attribute("aria-expanded", "false")
    expect(menu).to_be_focused()


def test_an_exported_file_plays_from_a_disk_and_agrees_with_the_pictures(open_page, requests, tmp_path):
    trace = sample_trace()
    (tmp_path / "trace.json").write_text(trace.to_json(), encoding="utf-8")
    out = tmp_path / "trace.html"
    assert main(["export", str(tmp_path / "trace.json"), "--to", str(out), "--pass", "2"]) == 0
    page = open_page(out.as_uri())
    slider = page.get_by_role("slider", name="Forward passes")
    expect(slider).to_have_attribute("aria-valuenow", "2")

    # the rules that the pictures are drawn by are the player's own
    seen = page.evaluate(
        """async (passes) => {
          const root = document.querySelector(".wino-player");
          const told = [];
          for (let k = 0; k <= passes; k += 1) {
            root.player.goTo(k);
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            told.push([...root.querySelectorAll(".wp-canvas .wp-token")].map((token) => ({
              state: token.className.match(/wp-(masked|drafted|verified|remasked|placed)/)[1],
              hidden: token.hidden,
              text: (token.querySelector(".wp-struck") ?? token.querySelector(".wp-box:not(.wp-hole)"))?.textContent ?? "",
            })));
          }
          return told;
        }""",
        trace.forward_passes,
    )
    for frame, tokens in zip(frames(trace), seen, strict=True):
        assert tuple(token["state"] for token in tokens) == frame.states
        tails = [end_tail(trace, frame, block) for block in range(trace.blocks)]
        for position, token in enumerate(tokens):
            tail = tails[position // trace.block_length]
            assert token["hidden"] == (tail is not None and position >= tail)
            shown = frame.revoked.get(position, frame.ids[position])
            assert token["text"] == ("" if shown is None else piece(trace, shown).core)

    page.get_by_role("button", name="First").click()
    page.get_by_label("Speed").select_option("8")
    page.get_by_role("button", name="Play").click()
    expect(slider).to_have_attribute("aria-valuenow", str(trace.forward_passes))
    assert requests == [out.as_uri()]
