"""The menu of models: what the operator listed, one at a time, and nothing gone before its successor can be there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from wino_viz import model_menu
from wino_viz.loading import loader
from wino_viz.model_menu import ModelMenu, needs_hub, read_names, sees
from wino_viz.models.files import EMBEDDED
from wino_viz.session import ModelUnavailable, Session

ROOT = Path(__file__).parents[1]
SIZE = {"gen_length": 16, "block_length": 16}


@pytest.fixture
def first(tmp_path: Path) -> str:
    return str(write_tiny_model(tmp_path / "first"))


@pytest.fixture
def second(tmp_path: Path) -> str:
    return str(write_tiny_model(tmp_path / "second"))


@pytest.fixture
def menu(first: str, second: str) -> ModelMenu:
    return ModelMenu(Session(), listed=[first, second], load=loader(device_map="cpu"))


def chosen(menu: ModelMenu, name: str) -> Session:
    for _ in menu.choose(name):
        pass
    return menu.session(name)


def decoding(session: Session):
    return session.start("Hi", session.settings("standard"), **SIZE)


def test_only_what_the_operator_listed_is_offered(menu: ModelMenu, first: str, second: str, tmp_path: Path):
    assert menu.names() == ["llada-mini", first, second] and menu.names(pictures=True) == []
    for name in (str(write_tiny_model(tmp_path / "third")), "GSAI-ML/LLaDA-8B-Instruct", None, ["x"]):
        with pytest.raises(ValueError, match=r"there is no model .* here: choose one of llada-mini, "):
            menu.session(name)


def test_one_listed_model_is_loaded_at_a_time_and_embedded_ones_stay(menu: ModelMenu, first: str, second: str):
    menu.home.checkpoint()
    assert chosen(menu, first).loaded
    assert chosen(menu, second).loaded
    assert not menu.session(first).loaded and menu.home.loaded
    next(iter(decoding(menu.session(first))))  # who still has the first one chosen gets it again
    assert menu.session(first).loaded and not menu.session(second).loaded


def test_a_model_stays_while_somebody_decodes_with_it(menu: ModelMenu, first: str, second: str, monkeypatch):
    monkeypatch.setattr(model_menu, "PATIENCE", 0.0)
    passes = iter(decoding(chosen(menu, first)))
    next(passes)
    with pytest.raises(ModelUnavailable, match="first is decoding just now, for somebody else: try again in a moment"):
        chosen(menu, second)
    assert menu.session(first).loaded
    passes.close()
    assert chosen(menu, second).loaded


def test_a_model_that_is_broken_is_a_sentence_and_the_one_before_stays(menu: ModelMenu, first: str, second: str):
    chosen(menu, first)
    shard = Path(second) / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:50])
    with pytest.raises(ModelUnavailable, match=r"second can't be loaded: .*model\.safetensors can't be read"):
        chosen(menu, second)
    assert menu.session(first).loaded and not menu.session(second).loaded


def test_while_one_is_loaded_for_somebody_another_is_refused(first: str, second: str):
    def load(name: str, told):
        with pytest.raises(ValueError, match="is being loaded just now, for somebody else"):
            menu.session(second).checkpoint()
        return loader(device_map="cpu")(name, told=told)

    menu = ModelMenu(Session(), listed=[first, second], load=load)
    assert chosen(menu, first).loaded


def test_what_a_model_reads_is_known_before_it_is_loaded():
    assert sees("mmada-mini") and sees("Gen-Verse/MMaDA-8B-MixCoT")
    assert (
        not sees("llada-mini") and not sees("GSAI-ML/LLaDA-8B-Instruct") and not sees("Dream-org/Dream-v0-Instruct-7B")
    )
    menu = ModelMenu(Session(), Session("mmada-mini", task="caption"), ["Gen-Verse/MMaDA-8B-MixCoT", "a/b"])
    assert menu.names() == ["llada-mini", "a/b"]
    assert menu.names(pictures=True) == ["mmada-mini", "Gen-Verse/MMaDA-8B-MixCoT"]
    assert menu.session("Gen-Verse/MMaDA-8B-MixCoT").named_presets["ai2d"] == "AI2D as in the paper"


def test_a_list_of_models_is_read_and_what_can_be_none_is_named(first: str, tmp_path: Path):
    assert read_names(f" GSAI-ML/LLaDA-8B-Base, {first},") == ["GSAI-ML/LLaDA-8B-Base", first]
    assert read_names("") == [] and needs_hub(["a/b"]) and not needs_hub([first, "llada-mini"])
    with pytest.raises(ValueError, match="no model 'nowhere': name a folder"):
        read_names("nowhere")
    with pytest.raises(ValueError, match="no model in the folder"):
        read_names(str(tmp_path))


def test_the_app_refuses_a_list_that_makes_no_sense():
    done = subprocess.run(
        [sys.executable, "app.py", "--models", "nowhere"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "preset", "lengths", "decoder", "setting"),
    [
        ("GSAI-ML/LLaDA-8B-Instruct", "gsm8k", (256, 128), "wino", ("tau1", 0.6)),
        ("GSAI-ML/LLaDA-1.5", "mbpp", (256, 128), "wino", ("tau1", 0.8)),
        ("QinFFF/WINO-plus-LLaDA-8B-Instruct", "math500", (256, 128), "threshold", ("tau", 0.8)),
        ("Gen-Verse/MMaDA-8B-MixCoT", "mmmu", (256, 128), "wino", ("tau1", 0.5)),
        ("QinFFF/WINO-plus-MMaDA-8B-MixCoT", "mmmu", (256, 128), "threshold", ("tau", 0.55)),
    ],
)
def test_published_models_have_the_settings_of_the_papers(model, preset, lengths, decoder, setting):
    session = Session(model)
    settings = session.settings(decoder, preset)
    assert session.lengths(preset) == lengths and getattr(settings, setting[0]) == setting[1]
    if decoder == "wino":
        assert settings.tau2 == 0.9


def test_small_models_and_dream_have_none():
    assert Session("llada-mini").named_presets == {} and Session("Dream-org/Dream-v0-Instruct-7B").named_presets == {}


def test_every_preset_of_the_papers_can_be_used():
    groups = json.loads((ROOT / "assets" / "presets.json").read_text())
    for model in ("a/llada", "a/llada-wino-plus", "a/mmada", "a/mmada-wino-plus"):
        session = Session(model)
        assert session.named_presets.keys() == {
            name for name, preset in groups[model[2:]]["presets"].items() if "label" in preset
        }
        for name in session.named_presets:
            for decoder in groups[model[2:]]["presets"][name]["decoders"]:
                session.settings(decoder, name)


def test_presets_of_a_model_folder_come_first(first: str, tmp_path: Path):
    copy = Path(shutil.copytree(EMBEDDED / "llada-mini", tmp_path / "copy"))
    keys = {"arithmetic": {"gen_length": 64, "suffix": 3}}
    (copy / "presets.json").write_text(json.dumps(keys))
    with pytest.raises(ValueError, match="suffix must be text, not 3"):
        Session(str(copy))
    assert partial(Session, first)().lengths("sudoku") == (32, 32)
