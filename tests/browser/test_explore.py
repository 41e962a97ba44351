"""The Explore tab in a real browser, on the real embedded model: opened, measured, cancelled, picked from, downloaded."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from test_page import Paced

from tests.result_rows import SHADOW_ROW, write_result, write_shadow
from wino_viz.evaluation.result_files import GRID, SHADOW, TRADEOFF
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.ui.figures import DIFFICULTY, MODELS, shipped_weights
from wino_viz.ui.page import LAUNCH, build_page, theme

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
FIGURES = (TRADEOFF, DIFFICULTY, GRID, SHADOW)
PATIENCE = 30_000


@pytest.fixture(scope="module")
def paced(mini: Checkpoint) -> Paced:
    return Paced(mini.denoiser)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Measured files of two tasks and of a second model, whose name is hostile."""
    folder = tmp_path_factory.mktemp("files")
    weights = shipped_weights("llada-mini")
    write_result(folder, TRADEOFF, weights_sha256=weights)
    write_result(folder, TRADEOFF, model=HOSTILE, specs=["threshold:tau=0.5", "threshold:tau=0.9"])
    write_result(folder, TRADEOFF, task="sudoku", specs=["wino"], weights_sha256=weights)
    write_result(folder, GRID, weights_sha256=weights)
    write_shadow(folder, [SHADOW_ROW, {**SHADOW_ROW, "tokens": 352, "plain_ms": 90.0}])
    return folder


@pytest.fixture(scope="module")
def session(mini: Checkpoint, paced: Paced) -> Session:
    return Session(load=lambda name: replace(mini, denoiser=paced))


@pytest.fixture(scope="module")
def url(session: Session, files: Path, serve: Callable[..., str]) -> str:
    return serve(build_page(session, results=files), theme=theme(), **LAUNCH)


def opened(page: Page) -> Page:
    """The tab, when its figures are drawn."""
    expect(page.locator("#decode-run")).to_be_visible()
    page.get_by_role("tab", name="Explore").click()
    for name in FIGURES:
        expect(chart(page, name)).to_have_attribute("aria-busy", "false", timeout=PATIENCE)
    return page


@pytest.fixture
def page(url: str, open_page: Callable[..., Page]) -> Page:
    return opened(open_page(url))


def chart(page: Page, name: str) -> Locator:
    return page.locator(f"#explore-{name}-chart .chart")


def told(page: Page, name: str) -> Locator:
    return page.locator(f"#explore-{name}-progress [role=status]")


def points(page: Page, name: str, plot: int = 0) -> dict[str, list]:
    """The points of each trace as Plotly has them, those that were measured here under “NAME, here”."""
    return (
        page.locator(f"#explore-{name}-chart .chart-plot")
        .nth(plot)
        .evaluate(
            """(box) => Object.fromEntries(box.data.filter((t) => t.name && t.y?.[0] != null).map((t) =>
             [t.name + (String(t.marker?.symbol).includes("-open") ? ", here" : ""), t.y.map((y, n) => [t.x[n], y])]))"""
        )
    )


def choose(page: Page, name: str, group: str, *chosen: str) -> None:
    """Exactly these of a group of boxes."""
    boxes = page.locator(f"#explore-{name}-measure fieldset").filter(has=page.get_by_text(group, exact=True))
    expect(boxes).to_have_count(1)
    for box in boxes.get_by_role("checkbox").all():
        label = box.evaluate("(box) => box.closest('label').innerText.trim()")
        box.set_checked(label in chosen)


def problems(page: Page, name: str, count: int) -> None:
    radio = page.locator(f"#explore-{name}-measure").get_by_role("radio", name=str(count), exact=True)
    radio.evaluate("(radio) => radio.click()")


def test_shipped_points_are_drawn_before_there_is_a_model_and_nothing_before_the_tab(files, serve, open_page, requests):
    def load(name: str) -> Checkpoint:
        raise AssertionError("no figure needs the model")

    page = open_page(serve(build_page(Session(load=load), results=files), theme=theme(), **LAUNCH))
    expect(page.locator("#decode-player .wp-block").first).to_be_visible()
    assert not [url for url in requests if "plotly" in url]
    opened(page)
    assert len([url for url in requests if "plotly.min.js" in url]) == 1
    drawn = points(page, TRADEOFF)
    assert {"Standard", "Threshold", "Factor", "Prophet", "WINO"} < drawn.keys()
    assert drawn["Standard"][0] == [pytest.approx(128 / 11), pytest.approx(100 * 5 / 6)]
    expect(page.locator("#explore-shadow-chart .chart-plot .main-svg").first).to_be_visible()
    expect(page.get_by_text("as reported, arXiv 2507.18578")).to_be_visible()
    table = page.get_by_role("table").filter(has_text="HumanEval")
    expect(table.get_by_role("row").filter(has_text="GSM8K")).to_contain_text("75.82")
    assert page.title() != "owned"
    chart(page, TRADEOFF).get_by_text("The points as a table").click()
    expect(chart(page, TRADEOFF).get_by_role("cell", name=HOSTILE).first).to_be_visible()


def test_a_measurement_is_drawn_over_the_shipped_points_and_can_be_cancelled(page: Page, session, paced: Paced):
    paced.passes, shipped = 0, points(page, TRADEOFF)
    choose(page, TRADEOFF, "Decoders", "Threshold", "WINO")
    problems(page, TRADEOFF, 20)
    page.locator("#explore-tradeoff-run").click()
    expect(told(page, TRADEOFF)).to_contain_text("Threshold, τ 0.9: problem 1 of 20", timeout=PATIENCE)
    expect(page.locator("#explore-tradeoff-progress progress")).to_have_attribute("max", "40")
    page.wait_for_function(
        "() => document.querySelector('#explore-tradeoff-chart .chart-plot').data.some((t) => t.name === 'measured here')",
        timeout=PATIENCE,
    )
    page.locator("#explore-tradeoff-stop").click()
    expect(told(page, TRADEOFF)).to_contain_text(
        re.compile(r"Stopped after \d+ of 40 answers \(Story\); what was measured stays")
    )
    with session.only_one_measures():  # others may measure: it is over
        made = paced.passes
    assert made < 40 * 10  # fewer than so many answers take
    now = points(page, TRADEOFF)
    assert {key: now[key] for key in shipped} == shipped
    assert len(now["Threshold, here"]) == 1

    page.locator("#explore-tradeoff-clear").click()
    expect(told(page, TRADEOFF)).to_contain_text("gone from the figure")
    assert points(page, TRADEOFF) == shipped


def test_cells_can_be_measured_and_a_cell_opens_decode_by_mouse_and_by_keyboard(page: Page):
    choose(page, GRID, "τ1", "0.7")
    choose(page, GRID, "τ2", "0.5")
    problems(page, GRID, 1)
    page.locator("#explore-grid-run").click()
    expect(told(page, GRID)).to_contain_text("Done: 1 of 1 answer (Story) in", timeout=PATIENCE)
    texts = page.locator("#explore-grid-chart .chart-plot").nth(1).evaluate("(box) => box.data[0].text.flat()")
    assert len([text for text in texts if "◇" in text]) == 1

    plot = page.locator("#explore-grid-chart .chart-plot").first
    plot.scroll_into_view_if_needed()
    area = plot.locator(".nsewdrag").bounding_box()
    page.mouse.click(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.7)  # second column, second row
    expect(page.locator("#decode-notice .notice")).to_contain_text(
        "WINO, τ1 0.6, τ2 0.5, chosen in Explore: press Run."
    )
    expect(page.locator("#decode-run")).to_be_focused()
    values = [page.locator("#decode-decoder .for-wino input[type=number]").nth(n).input_value() for n in range(2)]
    assert values == ["0.6", "0.5"]
    assert page.locator("#decode-decoder").get_by_role("radio", name="WINO").is_checked()

    # back again, where the figure is as it was left; now by keyboard
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#explore-grid-chart .main-svg").first).to_be_visible()
    before = [page.locator(f"#explore-grid-tau{number} input").input_value() for number in (1, 2)]
    for number in (1, 2):
        page.locator(f"#explore-grid-tau{number} input").focus()
        expect(page.get_by_role("option").first).to_be_visible()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        expect(page.locator(f"#explore-grid-tau{number} input")).not_to_have_value(before[number - 1])
    tau1, tau2 = (page.locator(f"#explore-grid-tau{number} input").input_value() for number in (1, 2))
    page.locator("#explore-grid-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#decode-notice .notice")).to_contain_text(
        f"WINO, τ1 {tau1}, τ2 {tau2}, chosen in Explore: press Run."
    )
    expect(page.locator("#decode-run")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1280])
def test_after_open_in_decode_its_values_and_run_are_in_view(url: str, open_page, width):
    page = opened(open_page(url, width=width, height=844))
    page.locator("#explore-grid-open").click()
    expect(page.locator("#decode-run")).to_be_focused()
    values = page.locator("#decode-decoder .for-wino input[type=number]")
    for part in (values.nth(0), values.nth(1), page.locator("#decode-run"), page.locator("#decode-notice")):
        expect(part).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_table_and_its_source_stay_in_their_figure(url: str, open_page, width):
    page = opened(open_page(url, width=width, height=844))
    for name in (TRADEOFF, SHADOW):
        for words in ("The points as a table", "Where they come from"):
            chart(page, name).get_by_text(words).click()
        right = chart(page, name).evaluate("(figure) => figure.getBoundingClientRect().right")
        for part in chart(page, name).locator(".chart-scroll, .chart-button").all():
            box = part.bounding_box()
            assert box["x"] + box["width"] <= right + 1
        table = chart(page, name).get_by_role("region", name="The points as a table")
        assert table.evaluate("(box) => box.scrollWidth > box.clientWidth")  # so there is something to scroll


def test_the_title_of_a_downloaded_picture_stands_above_its_legend(page: Page):
    with page.expect_download(timeout=PATIENCE) as taken:
        chart(page, TRADEOFF).get_by_role("button", name="PNG", exact=True).click()
    picture = Image.open(taken.value.path()).convert("L")
    inked = [picture.crop((0, y, picture.width, y + 1)).getextrema()[0] < 250 for y in range(200)]
    title = inked.index(True)
    below = inked.index(False, title)
    assert 20 < below - title < 60  # one line of 20 px at two points a pixel, then a gap, then the legend
    assert True in inked[below:]
    assert page.locator(".chart-measured").count() == 0


def test_a_figure_downloads_as_picture_and_as_data(page: Page):
    def download(label: str) -> tuple[str, bytes]:
        with page.expect_download(timeout=PATIENCE) as taken:
            chart(page, GRID).get_by_role("button", name=label, exact=True).click()
        return taken.value.suggested_filename, Path(taken.value.path()).read_bytes()

    name, picture = download("PNG: accuracy")
    image = Image.open(io.BytesIO(picture))
    assert name == "grid-arithmetic-accuracy.png" and image.size == (2200, 1280)
    assert len(image.convert("RGB").getcolors(1 << 24)) > 20  # something is drawn
    name, data = download("CSV")
    assert name == "grid-arithmetic.csv"
    assert len(list(csv.DictReader(io.StringIO(data.decode())))) == 25
    name, data = download("JSON")
    assert json.loads(data)["shipped"][0]["file"] == "grid-arithmetic-llada-mini.json"


def test_a_dark_phone_and_a_change_of_theme(url: str, open_page):
    page = opened(open_page(f"{url}?__theme=dark", width=390, height=844, dark=True))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert (
        page.locator("#explore-tradeoff-chart .chart-plot").evaluate("(box) => box.layout.paper_bgcolor") == "#17191e"
    )
    for box in page.locator(".chart-plot").all():
        assert box.bounding_box()["width"] <= 390 - 2 * 20
    page.evaluate("document.body.classList.remove('dark')")
    page.wait_for_function("() => document.querySelector('.chart-plot').layout.paper_bgcolor === '#ffffff'")


def test_tasks_come_from_presets_and_files_and_broken_files_are_named(mini, files, serve, open_page, tmp_path):
    model, results = tmp_path / "two-tasks", tmp_path / "results"
    model.mkdir(), results.mkdir()
    presets = json.loads((MODELS / "llada-mini/presets.json").read_text())
    (model / "presets.json").write_text(json.dumps({**presets, "countdown": {"gen_length": 64, "block_length": 32}}))
    for path in files.glob("*sudoku*"):
        (results / path.name).write_bytes(path.read_bytes())
    (results / "grid-arithmetic-llada-mini.json").write_text('{"rows": [')
    session = Session(str(model), load=lambda name: mini)
    page = opened(open_page(serve(build_page(session, results=results), theme=theme(), **LAUNCH)))
    expect(chart(page, GRID).get_by_role("note")).to_contain_text("grid-arithmetic-llada-mini.json can’t be shown")
    expect(chart(page, TRADEOFF)).to_contain_text("Nothing is measured yet: “make results” measures")
    kinds = page.locator("#explore-task")
    expect(kinds.get_by_role("radio")).to_have_count(3)
    kinds.get_by_role("radio", name="Sudoku", exact=True).evaluate("(radio) => radio.click()")
    expect(chart(page, TRADEOFF)).not_to_contain_text("Nothing is measured yet")
    assert len(points(page, TRADEOFF)) == 1
