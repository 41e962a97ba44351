"""Models by their name on the hub: a small server of ours stands in for it, and the hub's own library downloads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import Hub
from huggingface_hub import constants
from tiny_model import write_tiny_model

from wino_viz.cli import main
from wino_viz.model_menu import ModelMenu
from wino_viz.models import hub
from wino_viz.models.checkpoint import load_checkpoint
from wino_viz.models.files import CheckpointError
from wino_viz.models.find import base_name, find_model
from wino_viz.models.presets import presets_of
from wino_viz.session import Session

NAME = "author/tiny"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_model(tmp_path_factory.mktemp("hub") / "tiny")
    (folder / "modeling_llada.py").write_text("raise SystemExit('remote code was run')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "more").mkdir()
    (folder / "more" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def server(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub({NAME: tiny})
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    yield server
    server.close()


def test_a_model_is_downloaded_once_and_only_what_is_needed_of_it(server: Hub):
    told: list[tuple[int, int]] = []
    folder = hub.fetch(NAME, lambda done, of: told.append((done, of)))
    weights = (folder / "model.safetensors").stat().st_size
    assert told[0] == (0, weights) and told[-1] == (weights, weights)
    assert {file.name for file in folder.iterdir()} == {
        *("config.json", "model.safetensors", "presets.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    asked = len(server.asked)
    assert hub.fetch(NAME) == hub.cached(NAME) == find_model(NAME) == folder
    assert len(server.asked) == asked


def test_a_model_by_its_hub_name_decodes_and_brings_its_presets(server: Hub, capsys: pytest.CaptureFixture):
    assert main(["decode", "--model", NAME, "--gen-length", "8", "--block-length", "8", "--prompt", "Hi"]) == 0
    assert "downloading" in capsys.readouterr().err
    assert presets_of(NAME).keys() == {"arithmetic", "countdown", "sudoku"}


def test_a_download_that_broke_off_goes_on_where_it_was(server: Hub, tiny: Path):
    server.cut["model.safetensors"] = 1
    folder = hub.fetch(NAME)
    assert (folder / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_an_adapter_brings_its_base_from_the_hub(server: Hub, tiny: Path, tmp_path: Path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    keys = {"peft_type": "LORA", "base_model_name_or_path": NAME, "r": 1, "lora_alpha": 1}
    (adapter / "adapter_config.json").write_text(json.dumps(keys))
    (adapter / "adapter_model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    server.models["author/lora"] = adapter
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors: tensor .* is not known"):
        load_checkpoint("author/lora", device="cpu")  # the base came, and these are no halves of an adapter to it
    assert hub.cached(NAME) is not None


def test_a_base_that_is_a_folder_of_its_author_is_known_by_its_last_part():
    assert base_name("/data/models/LLaDA-8B-Instruct") == "GSAI-ML/LLaDA-8B-Instruct"
    assert base_name("/data/models/mine") == "/data/models/mine"


def test_each_failure_is_a_sentence_with_a_way_out(server: Hub, tiny: Path, tmp_path: Path, monkeypatch):
    def said(name: str) -> str:
        with pytest.raises(CheckpointError) as refused:
            hub.fetch(name)
        return str(refused.value)

    assert said("author/nothing").startswith("there is no model author/nothing on the hub, or it is private")
    server.gated.add("author/gated")
    assert "want their terms accepted: do so on https://huggingface.co/author/gated" in said("author/gated")
    server.sizes["model.safetensors"] = 10**18
    assert said(NAME).startswith(f"{NAME} needs 1,000,000,000.0 GB of disk in ") and " GB is free: " in said(NAME)
    server.sizes.clear()
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    server.models["author/broken"] = broken
    assert said("author/broken").startswith("author/broken has no weights as safetensors")
    index = {"weight_map": {"model.transformer.wte.weight": "model-00001-of-00002.safetensors"}}
    (broken / "model.safetensors.index.json").write_text(json.dumps(index))
    server.models["author/half"] = broken
    assert said("author/half").endswith("model-00001-of-00002.safetensors is missing there")
    (broken / "config.json").unlink()
    server.models["author/data"] = broken
    assert said("author/data") == "author/data on the hub is no model: config.json is missing there"
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    assert "the hub can't be reached: is there a network?" in said("author/elsewhere")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert said("author/elsewhere").endswith("HF_HUB_OFFLINE forbids to download it")


def test_a_typed_name_that_is_neither_here_nor_there_is_one_line(server: Hub, capsys: pytest.CaptureFixture):
    assert main(["decode", "--model", "runs/nowhere", "--prompt", "Hi"]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and "there is no model runs/nowhere on the hub" in said


def test_the_menu_tells_how_far_a_download_is(server: Hub):
    menu = ModelMenu(Session(), listed=[NAME], load=lambda name, told: load_checkpoint(name, device="cpu", told=told))
    assert not menu.session(NAME).loaded
    said = list(menu.choose(NAME))
    assert {loading.what for loading in said} <= {"waiting", "downloading", "loading"} and said
    assert menu.session(NAME).loaded
