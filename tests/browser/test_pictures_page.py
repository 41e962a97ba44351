"""The Multimodal tab in a real browser, on the real embedded model: composed, brought, asked about, compared, misused."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Page, expect
from test_page import HOSTILE, Paced, choose, passes, run, say, set_number, wait_for_pass, wait_until

from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.session import Session
from wino_viz.tasks.scenes import compose
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS, SUGGESTIONS
from wino_viz.trace import Trace
from wino_viz.ui.examples import read_picture_examples
from wino_viz.ui.page import LAUNCH, build_page, theme
from wino_viz.ui.picture_form import brought, composed, file_bytes

LENGTHS = {"caption": (32, 16), "vqa": (16, 16)}  # tokens; by standard decoding as many passes
FULL = {"caption": (64, 64), "vqa": (32, 32)}
DONE = re.compile(r"Done in \d+ (and \d+ )?forward passes")


@pytest.fixture(scope="module")
def sees() -> Checkpoint:
    return load_checkpoint("mmada-mini", device="cpu")


@pytest.fixture(scope="module")
def paced(sees: Checkpoint) -> Paced:
    return Paced(sees.denoiser)


@pytest.fixture(scope="module")
def session(sees: Checkpoint, paced: Paced) -> Session:
    """The app's session for pictures, with short answers."""
    return seeing(replace(sees, denoiser=paced))


def seeing(checkpoint: Checkpoint, lengths: dict = LENGTHS) -> Session:
    session = Session("mmada-mini", load=lambda name: checkpoint, task="caption")
    session.lengths = lengths.__getitem__
    return session


def app(session: Session, examples: list | None = None):
    return build_page(Session(), [], session, examples or [])


@pytest.fixture(scope="module")
def url(session: Session, serve: Callable[..., str]) -> str:
    return serve(app(session), theme=theme(), **LAUNCH)


@pytest.fixture
def page(url: str, open_page: Callable[..., Page]) -> Page:
    return multimodal(open_page(url))


@pytest.fixture(autouse=True)
def nothing_left_running(session: Session) -> Iterator[None]:
    yield
    wait_until(lambda: session.running == 0)


def multimodal(page: Page) -> Page:
    page.get_by_role("tab", name="Multimodal").click()
    expect(page.locator("#picture-strip .picture-own img")).to_be_visible()
    return page


def watch(page: Page, what: str) -> None:
    choose(page.locator("#picture-what"), what)


def ask_for(page: Page, what: str) -> None:
    choose(page.locator("#picture-ask"), what)


def question(page: Page):
    return page.locator("#picture-prompt textarea")


def own(page: Page):
    return page.locator("#picture-strip .picture-own img")


def finish(page: Page) -> str:
    expect(say(page, "picture")).to_contain_text(DONE, timeout=60_000)
    return say(page, "picture").inner_text()


def encoded(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


PHOTO = encoded(Image.effect_mandelbrot((300, 200), (-2, -1.5, 1, 1.5), 40).convert("RGB"), "JPEG")


def bring(page: Page, data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> None:
    page.locator("#picture-bring input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def uploaded() -> list[Path]:
    """Every file that gradio keeps of what was uploaded to it."""
    return [path for path in Path(get_upload_folder()).rglob("*") if path.is_file()]


# ---- composed scenes


def test_a_scene_is_composed_described_and_checked(page):
    before = own(page).get_attribute("src")
    page.locator("#picture-new").click()
    expect(own(page)).not_to_have_attribute("src", before)
    expect(own(page)).to_have_attribute("alt", re.compile("A drawn scene: (small|medium|large) "))
    run(page, "picture")
    finish(page)
    expect(page.locator("#picture-player .wp-verdict")).to_contain_text(re.compile("objects? (is|are) right"))
    expect(page.locator("#picture-player .wp-block-head")).to_have_count(2)  # the lengths for descriptions
    expect(page.locator("#picture-strip .picture-seen img")).to_be_visible()


def test_seed_and_number_of_objects_make_the_scene(page):
    seed = page.get_by_role("spinbutton", name="Seed", exact=True).first
    seed.fill("412")
    expect(page.locator(".picture-own figcaption")).to_contain_text("scene 412")
    scene = compose(412, split="validation")
    expect(own(page)).to_have_attribute("alt", re.compile(f"{scene.things[0].colour} {scene.things[0].shape}"))
    page.get_by_label("Objects").click()
    page.get_by_role("option", name="5").click()
    expect(page.locator(".picture-own figcaption")).to_contain_text("scene 412, 5 objects")
    first = own(page).get_attribute("src")
    seed.fill("")
    seed.fill("413")
    expect(own(page)).not_to_have_attribute("src", first)
    seed.fill("412")
    expect(own(page)).to_have_attribute("src", first)
    for wrong in ("-3", "1.5", "99999999999"):
        seed.fill(wrong)
        expect(say(page, "picture")).to_contain_text("The seed must be a whole number, 0 to")


def test_the_picture_as_the_model_sees_it_can_be_shown_before_any_run(serve, open_page, sees):
    fresh = seeing(sees)
    page = multimodal(open_page(serve(app(fresh), theme=theme(), **LAUNCH)))
    assert not fresh.loaded
    page.get_by_role("button", name="Show them now").click()
    expect(page.locator("#picture-strip .picture-seen img")).to_be_visible(timeout=60_000)
    assert fresh.loaded
    page.locator("#picture-new").click()  # from now on at once
    expect(page.locator(".picture-own figcaption")).not_to_contain_text("scene 7,")
    expect(page.locator("#picture-strip .picture-seen img")).to_be_visible()


def test_a_question_of_the_scene_is_asked_with_its_own_lengths_and_judged(page):
    ask_for(page, "An answer")
    chips = page.locator("#picture-chips .chip")
    expect(chips.first).not_to_contain_text(CAPTION_PROMPTS[0])
    expect(question(page)).to_have_value(chips.first.inner_text())
    wanted = chips.nth(1).inner_text()
    chips.nth(1).click()
    expect(question(page)).to_have_value(wanted)
    choose(page.locator("#picture-decoder"), "Standard")
    run(page, "picture")
    assert re.search("right|wrong", finish(page))
    assert passes(page, "picture") == LENGTHS["vqa"][0]  # although the folded lengths were never opened
    question(page).fill("Is it a nice picture?")
    page.locator("#picture-new").click()
    expect(say(page, "picture")).to_contain_text("A new scene")
    expect(question(page)).to_have_value("Is it a nice picture?")
    run(page, "picture")
    assert "known" in finish(page)


# ---- pictures of one's own


def test_an_uploaded_picture_is_warned_of_in_advance_and_leaves_no_file(page, session):
    kept = uploaded()
    bring(page, PHOTO)
    warning = page.locator("#picture-strip .picture-warning")
    for words in ("has only ever seen drawn scenes", "MMaDA-8B-MixCoT", "showlab/magvitv2", "--image-tokenizer FOLDER"):
        expect(warning).to_contain_text(words)
    expect(page.locator(".picture-own figcaption")).to_contain_text("yours, 300 × 200")
    assert session.running == 0
    run(page, "picture")
    assert "known" in finish(page)
    assert uploaded() == kept
    ask_for(page, "An answer")
    expect(page.locator("#picture-chips .chip").first).to_have_text(SUGGESTIONS[0])
    page.locator("#picture-new").click()
    expect(warning).to_have_count(0)


GIVE = """([data, event]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "given.jpg", { type: "image/jpeg" }));
  const target = document.querySelector("#picture-strip");
  const init = { bubbles: true, cancelable: true };
  if (event === "paste") target.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: transfer }));
  else target.dispatchEvent(new DragEvent(event, { ...init, dataTransfer: transfer }));
}"""


def test_a_picture_can_be_pasted_and_dropped_but_not_into_another_tab(page):
    photo, about = base64.b64encode(PHOTO).decode(), page.locator(".picture-own figcaption")
    page.get_by_role("tab", name="Compare").click()
    page.evaluate(GIVE, [photo, "paste"])
    page.wait_for_timeout(500)
    page.get_by_role("tab", name="Multimodal").click()
    expect(about).to_contain_text("scene 7")
    for event in ("paste", "drop"):
        page.evaluate(GIVE, [photo, event])
        expect(about).to_contain_text("yours, 300 × 200")
        page.locator("#picture-new").click()
        expect(about).not_to_contain_text("yours")


def a_bomb() -> bytes:
    """A PNG that says it has 100 megapixels."""
    return encoded(Image.new("1", (10_000, 10_000)))


BAD = [
    (b"", "The file is empty"),
    (b"just some words", "This is a text"),
    (PHOTO[: len(PHOTO) // 2], "damaged or cut off"),
    (a_bomb(), "100.0 megapixels"),
    (encoded(Image.new("RGB", (1, 1))), "too small: 1 × 1"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='owned'</script></svg>", "an SVG drawing"),
]


def test_files_that_are_no_pictures_get_a_sentence_and_the_page_goes_on(page):
    before, kept = own(page).get_attribute("src"), uploaded()
    for data, sentence in BAD:
        bring(page, data)
        expect(say(page, "picture")).to_contain_text(sentence)
        expect(page.get_by_role("button", name="Upload a picture")).to_be_enabled()
        expect(own(page)).to_have_attribute("src", before)
    assert page.title() != "owned" and uploaded() == kept
    run(page, "picture")
    finish(page)


def test_a_file_that_is_too_large_is_not_even_sent(page, tmp_path, requests):
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    asked = len(requests)
    page.locator("#picture-bring input[type=file]").set_input_files(large)
    expect(say(page, "picture")).to_contain_text("The file has 20.0 MB; up to 20 MB are taken")
    assert len(requests) == asked
    with pytest.raises(ValueError, match="larger than 20 MB"):
        brought("A" * 27_000_000)


def frames() -> bytes:
    pictures = [Image.new("P", (40, 30), n) for n in range(3)]
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.new("RGB", (40, 30), "red"), "JPEG", exif=exif)


ODD = [
    (encoded(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG"), "40 × 30"),
    (encoded(Image.new("I;16", (40, 30), 40_000)), "40 × 30"),
    (encoded(Image.new("RGBA", (40, 30), (255, 0, 0, 90))), "40 × 30"),
    (encoded(Image.new("F", (40, 30), 0.5), "TIFF"), "40 × 30"),
    (frames(), "40 × 30"),
    (turned(), "30 × 40"),
]


def test_odd_pictures_are_shown_whatever_the_browser_thinks_of_them(page):
    about = page.locator(".picture-own figcaption")
    for data, size in ODD:
        before = about.inner_text()
        page.locator("#picture-new").click()
        expect(about).not_to_have_text(before, use_inner_text=True)
        bring(page, data, "odd", "application/octet-stream")
        expect(about).to_contain_text(f"yours, {size}")
        assert own(page).evaluate("(image) => image.complete && image.naturalWidth") > 0


def test_only_a_data_url_in_base64_is_taken_for_a_file():
    assert file_bytes("data:image/png;base64,AAAA") == file_bytes("AAAA") == b"\0\0\0"
    for wrong in ("https://example.org/a.png", "data:text/html,<p>", "file:///etc/passwd", "%%%", None, 3, ["AAAA"]):
        with pytest.raises(ValueError):
            brought(wrong)


# ---- two decoders, and a blank picture


def test_two_decoders_write_about_one_picture(page):
    watch(page, "Two decoders")
    choose(page.locator("#picture-second-decoder"), "Standard")
    run(page, "picture")
    finish(page)
    rows = page.locator("#picture-figures tbody tr")
    expect(rows).to_have_count(2)
    assert rows.nth(1).locator("td").first.inner_text() == str(LENGTHS["caption"][0])
    expect(page.locator("#picture-pair .wp-lane")).to_have_count(2)
    expect(page.locator("#picture-player")).to_be_hidden()
    expect(page.locator("#picture-words .words-ask")).to_have_count(1)


def test_against_a_blank_picture_the_words_that_came_from_the_picture_show(page):
    watch(page, "Picture or blank")
    run(page, "picture")
    finish(page)
    assert page.locator("#picture-pair .wp-lane-title").all_inner_texts() == [
        "With the picture",
        "With a blank picture",
    ]
    expect(page.locator("#picture-figures tbody tr").nth(1)).to_contain_text("With a blank picture")
    words = page.locator("#picture-words .words-line .words-token")
    expect(words.first).to_be_visible(timeout=60_000)
    falls = [float(word.evaluate("(word) => word.style.getPropertyValue('--fall')")) for word in words.all()]
    assert max(falls) > 0 and all(0 <= fall <= 1 for fall in falls)
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    readout = page.locator("#picture-words .words-readout")
    expect(readout).to_contain_text(re.compile(r"with the picture, .* with a blank one: "))
    expect(words.nth(1)).to_have_attribute("aria-label", readout.inner_text())
    page.get_by_text("The same as a table").click()
    expect(page.locator("#picture-words table tr")).to_have_count(len(falls) + 1)


def test_after_one_run_the_model_can_be_asked_which_words_came_from_the_picture(page):
    run(page, "picture")
    finish(page)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#picture-words .words-line .words-token").first).to_be_visible(timeout=60_000)
    page.locator("#picture-new").click()
    expect(page.locator("#picture-words .words")).to_be_empty()


def test_a_stopped_run_has_no_words_to_ask_about(page, session):
    choose(page.locator("#picture-decoder"), "Standard")
    run(page, "picture")
    wait_for_pass(page, 2, "picture")
    page.locator("#picture-stop").click()
    expect(say(page, "picture")).to_contain_text("Stopped after")
    wait_until(lambda: session.running == 0)
    expect(page.locator("#picture-words .words")).to_be_empty()


def test_another_picture_ends_what_runs(page, session):
    watch(page, "Two decoders")
    choose(page.locator("#picture-decoder"), "Standard")
    run(page, "picture")
    wait_until(lambda: session.running == 2)
    page.locator("#picture-new").click()
    wait_until(lambda: session.running == 0)
    expect(say(page, "picture")).to_contain_text("A new scene")
    expect(page.locator("#picture-pair")).to_contain_text("Nothing to play yet")


# ---- the token grid


def test_the_token_grid_is_walked_with_the_arrow_keys(page, session):
    run(page, "picture")
    finish(page)
    cells = page.locator("#picture-strip .token-cell")
    codes = composed(7).see(session).codes
    rows, columns = codes.shape
    expect(cells).to_have_count(rows * columns)
    expect(page.locator("#picture-strip [tabindex='0']")).to_have_count(1)
    cells.first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    here = page.locator(".token-cell:focus")
    expect(here).to_have_attribute("aria-label", f"Row 2, column 3: token {codes[1, 2]}")
    readout = page.locator("#picture-strip .picture-readout")
    expect(readout).to_contain_text(f"token {codes[1, 2]}")
    assert page.locator(".token-same, .token-here").count() == (codes == codes[1, 2]).sum()
    marks = page.locator("#picture-strip .picture-mark")
    expect(marks).to_have_count(2)
    assert marks.first.evaluate("(mark) => mark.style.left") == f"{200 / columns:g}%"
    page.keyboard.press("Control+End")
    expect(page.locator(".token-cell:focus")).to_have_attribute(
        "aria-label", re.compile(f"Row {rows}, column {columns}:")
    )
    page.keyboard.press("Tab")
    expect(marks.first).to_be_hidden()
    cells.nth(columns + 1).hover()
    expect(readout).to_contain_text("Row 2, column 2")


# ---- recorded examples


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path) -> Path:
    """A folder with one recorded example, to be spoilt at will."""
    return shutil.copytree(recorded_once, tmp_path / "recorded")


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory, sees: Checkpoint) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    session = seeing(sees, FULL)
    shown = composed(11, 2)
    picture = shown.see(session)
    decoding = session.start(
        CAPTION_PROMPTS[0],
        session.settings("wino"),
        picture=picture,
        gen_length=32,
        block_length=16,
        record=shown.caption,
    )
    for _ in decoding:
        pass
    picture.image.save(folder / "one.png")
    picture.seen.save(folder / "one-seen.png")
    about = {
        "title": "Two things",
        "note": "A note.",
        "record": shown.caption,
        "image": "one.png",
        "seen": "one-seen.png",
    }
    words = [list(word) for word in decoding.words_from_picture()]
    trace = decoding.trace().to_dict() | about | {"words": words}
    (folder / "1.json").write_text(json.dumps(trace))
    return folder


def test_a_recorded_example_opens_before_there_is_a_model(recorded, serve, open_page, sees):
    fresh = seeing(sees)
    examples = read_picture_examples(recorded)
    page = multimodal(open_page(serve(app(fresh, examples), theme=theme(), **LAUNCH)))
    expect(say(page, "picture")).to_have_text("Recorded. A note.")
    expect(page.locator("#picture-player .wp-block").first).to_be_visible()
    expect(page.locator("#picture-strip .picture-seen img")).to_be_visible()
    expect(page.locator("#picture-strip .token-cell")).to_have_count(examples[0].trace.extra["picture"]["rows"] ** 2)
    assert (page.locator(".words-line .words-token").count() > 0) == bool(examples[0].words)
    page.locator("#picture-new").click()
    expect(page.get_by_label("Recorded example").last).to_have_value("none: a picture of your own")
    page.get_by_label("Recorded example").last.click()
    page.get_by_role("option", name="Two things").click()
    expect(page.locator("#picture-player").get_by_role("button", name="Pause")).to_be_visible()
    expect(question(page)).to_have_value(CAPTION_PROMPTS[0])
    assert not fresh.loaded


SPOILT = [
    ({"image": None}, "image must be text"),
    ({"image": "../1.png"}, "the name of a PNG beside the trace"),
    ({"seen": "/etc/passwd"}, "the name of a PNG beside the trace"),
    ({"image": "none.png"}, "There is no such file"),
    ({"record": None}, "must be an object, not nothing"),
    ({"record": {"task": "arithmetic", "question": "1?", "answer": 1}}, "no task about pictures"),
    ({"record": {"task": "vqa", "image": "a", "question": "What?"}}, "not the prompt"),
    ({"picture": None}, "picture must be an object"),
    ({"picture": {"first": 2, "rows": 64, "columns": 64, "offset": 0}}, "not in the prompt"),
    ({"picture": {"first": 2, "rows": 0, "columns": 4, "offset": 0}}, "not in the prompt"),
    ({"picture": {"first": 2, "rows": 2, "columns": 2, "offset": 10**9}}, "below the offset"),
    ({"words": [[0, 1, "a", 2, 0]]}, "not a probability"),
    ({"words": [[999, 1, "a", 1, 0]]}, "no position 999"),
    ({"words": [["a"]]}, "rows of 5"),
]


@pytest.mark.parametrize(("change", "sentence"), SPOILT)
def test_a_recording_with_something_wrong_is_left_out_and_logged(recorded, caplog, change, sentence):
    trace = json.loads((recorded / "1.json").read_text())
    (recorded / "1.json").write_text(json.dumps(trace | change))
    assert read_picture_examples(recorded) == []
    assert "1.json is left out" in caplog.text and sentence in caplog.text


# ---- what is wrong, and what is hostile


def test_words_from_anywhere_are_never_markup(recorded, serve, open_page, sees):
    (example,) = read_picture_examples(recorded)
    trace = replace(example.trace, pieces=dict.fromkeys(example.trace.pieces, HOSTILE))
    hostile = replace(example, title=HOSTILE, note=HOSTILE, trace=trace, words=[[0, 1, HOSTILE, 0.9, 0.1]])
    page = multimodal(open_page(serve(app(seeing(sees), [hostile]), theme=theme(), **LAUNCH)))
    expect(say(page, "picture")).to_contain_text("<img src=x")
    expect(page.locator(".words-line .words-token")).to_have_text(HOSTILE)
    question(page).fill(HOSTILE)
    run(page, "picture")
    finish(page)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


def test_a_model_that_is_not_there_is_a_sentence(serve, open_page):
    session = Session("nowhere", task="caption")
    page = multimodal(open_page(serve(app(session), theme=theme(), **LAUNCH)))
    run(page, "picture")
    expect(say(page, "picture")).to_contain_text(
        "the model nowhere can't be loaded: no model 'nowhere'", timeout=60_000
    )
    page.get_by_role("button", name="Show them now").click()
    expect(page.get_by_role("button", name="Show them now")).to_be_enabled(timeout=60_000)


def test_wrong_values_get_a_sentence_beside_run(page):
    question(page).fill(" ")
    run(page, "picture")
    expect(say(page, "picture")).to_contain_text("the prompt is empty", timeout=60_000)
    page.locator("#picture-new").click()
    expect(question(page)).to_have_value(CAPTION_PROMPTS[0])
    page.locator("#picture-more button").first.click()
    page.wait_for_timeout(300)
    set_number(page, "Block length", "24")
    run(page, "picture")
    expect(say(page, "picture")).to_contain_text("gen_length 32 is not a multiple of block_length 24")


# ---- on a phone


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling_and_run_shows_the_player(url, open_page, dark):
    page = multimodal(open_page(url, width=390, height=800, dark=dark, touch=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    run(page, "picture")
    finish(page)
    expect(page.locator("#picture-player .wp-counters")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# ---- programs


def test_programs_send_a_picture_and_get_the_whole_trace(url, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    kept = uploaded()
    client = Client(url, verbose=False)
    caption = Trace.from_dict(client.predict(image=handle_file(str(photo)), api_name="/caption"))
    assert (caption.prompt, caption.gen_length) == (CAPTION_PROMPTS[0], LENGTHS["caption"][0])
    assert uploaded() == kept and photo.exists()
    same = client.predict(image=base64.b64encode(PHOTO).decode(), decoder="wino", api_name="/caption")
    assert Trace.from_dict(same) == caption
    on = Trace.from_dict(client.predict(same, 1, {}, "threshold:tau=0.5", api_name="/branch"))
    assert on.steps[0] == caption.steps[0] and on.decoder["name"] == "threshold" and on.prompt_ids == caption.prompt_ids
    assert on.extra["picture"] == caption.extra["picture"]
    answer = client.predict(image=base64.b64encode(PHOTO).decode(), question="What is it?", api_name="/caption")
    assert answer["gen_length"] == LENGTHS["vqa"][0]
    victim = tmp_path / "victim.png"
    victim.write_bytes(encoded(Image.new("RGB", (20, 20))))
    for image, sentence in (
        ("AAAA", "not a picture"),
        ("https://example.org/a.png", "data URL"),
        ({"path": str(victim)}, "no such file"),
        ({}, "no such file"),
    ):
        with pytest.raises(AppError, match=sentence):
            client.predict(image=image, api_name="/caption")
    assert victim.exists()
    with pytest.raises(AppError, match="there is no decoder 'magic'"):
        client.predict(image=base64.b64encode(PHOTO).decode(), decoder="magic", api_name="/caption")
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/decode", "/branch", "/caption"]


def test_a_typed_question_of_the_scene_is_judged_like_a_suggested_one():
    shown = composed(3)
    typed = "  how many objects are THERE  "
    record = shown.record("vqa", typed)
    assert record["question"] == typed
    assert record["answer"].lower().rstrip(".").split()[-1] in {
        ("two", "three", "four", "five")[len(shown.scene.things) - 2],
        "objects",
    }
    assert "answer" not in shown.record("vqa", "Do you like it?")


def test_a_scene_says_which_of_its_pairs_were_never_shown():
    assert "never shown" not in composed(5).about
    assert "never shown in training: " in composed(5, novel=True).about
