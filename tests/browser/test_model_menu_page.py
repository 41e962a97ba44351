"""The menu of models in a real browser, with generated checkpoints in the published layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from wino_viz.loading import loader
from wino_viz.model_menu import ModelMenu
from wino_viz.models.generated import generate
from wino_viz.plus import wino_plus
from wino_viz.session import Session
from wino_viz.ui.page import LAUNCH, build_page, theme

LOADS = 60_000  # ms


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint that loads, and one with a shard that is cut off."""
    at = tmp_path_factory.mktemp("menu")
    whole = generate("GSAI-ML/LLaDA-8B-Instruct", at / "LLaDA-8B-Instruct", layers=1, width=128)
    broken = at / "broken"
    broken.mkdir()
    for file in whole.iterdir():
        (broken / file.name).symlink_to(file)
    shard = next(broken.glob("*.safetensors"))
    shard.unlink()
    shard.write_bytes(b"cut off")
    return whole, broken


@pytest.fixture(scope="module")
def url(serve: Callable[..., str], folders: tuple[Path, Path]) -> str:
    session = Session()
    menu = ModelMenu(session, listed=[str(folder) for folder in folders], load=loader(device_map="cpu"))
    return serve(build_page(session, plus=wino_plus(session), menu=menu), theme=theme(), **LAUNCH)


def choose(page: Page, name: str, tab: str = "decode", part: str = "model") -> None:
    page.locator(f"#{tab}-{part} input").click()
    page.get_by_role("option", name=name).click()


def test_a_listed_model_is_chosen_loaded_and_decoded_with_settings_of_the_paper(open_page, url: str):
    page = open_page(url)
    expect(page.locator("#decode-player .wp-block").first).to_be_visible()
    expect(page.locator("#decode-preset")).to_be_hidden()
    choose(page, "LLaDA-8B-Instruct")
    notice = page.locator("#decode-notice .notice")
    expect(notice).to_contain_text("LLaDA-8B-Instruct is loaded: press Run.", timeout=LOADS)
    expect(page.locator("#decode-prompt")).to_contain_text("LLaDA-8B-Instruct is not one of the small models")
    choose(page, "MBPP as in the paper", part="preset")
    expect(page.locator("#decode-decoder input[type=number]:visible").first).to_have_value("0.8")
    page.locator("#decode-more button").first.click()
    length = page.get_by_label("number input for Generation length").first
    expect(length).to_have_value("256")
    length.fill("16")
    page.get_by_label("number input for Block length").first.fill("16")
    page.locator("#decode-run").click()
    expect(notice).to_contain_text("Done in 16 forward passes", timeout=LOADS)


def test_a_model_that_is_broken_is_said_and_the_one_before_stays_chosen(open_page, url: str):
    page = open_page(url)
    expect(page.locator("#decode-player .wp-block").first).to_be_visible()
    choose(page, "broken")
    expect(page.locator("#decode-notice .notice")).to_contain_text("can't be read", timeout=LOADS)
    expect(page.locator("#decode-model input")).to_have_value("llada-mini")


def test_programs_reach_the_listed_models_and_no_others(url: str, folders: tuple[Path, Path]):
    client = Client(url, verbose=False)
    more = {"gen_length": 8, "block_length": 8, "api_name": "/decode"}
    trace = client.predict("def f():", model=str(folders[0]), preset="humaneval", **more)
    assert trace["model"] == str(folders[0]) and trace["decoder"]["tau1"] == 0.7
    for model in ("GSAI-ML/LLaDA-8B-Base", "assets/models/llada-mini", str(folders[0] / "..")):
        with pytest.raises(AppError, match=r"there is no model .* here: choose one of llada-mini, "):
            client.predict("Hi", model=model, **more)
    with pytest.raises(AppError, match="there is no preset 'x' for "):
        client.predict("Hi", model=str(folders[0]), preset="x", **more)
