"""WINO+ beside the model that it comes from: found by its name, loaded by itself, decoded with its own presets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stand_in import BASE, PRESETS, TAU, write_adapter, write_whole
from wino_viz.cli import main
from wino_viz.decoding import ThresholdSettings
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.plus import RULE, is_wino_plus, wino_plus
from wino_viz.session import ModelUnavailable, Session
from wino_viz.trace import Trace

QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
SIZE = {"gen_length": 32, "block_length": 16}


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Session]:
    """A session of the embedded model under a name of its own, so that a model may lie beside it."""

    def beside(write: Callable[[Path], Path] | None = None, **settings) -> Session:
        base = tmp_path_factory.mktemp("models") / "llada-mini"
        base.symlink_to(BASE)
        if write is not None:
            write(base.with_name("llada-mini-wino-plus"))
        return Session(str(base), **settings)

    return beside


def finished(session: Session, settings, **more) -> Trace:
    decoding = session.start(QUESTION, settings, **SIZE, **more)
    for _ in decoding:
        pass
    return decoding.trace()


# ---- which models are meant


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llada-mini-wino-plus", True),
        ("runs/llada-mini-wino-plus/", True),
        ("QinFFF/WINO-plus-LLaDA-8B-Instruct", True),
        ("llada-mini", False),
        ("wino-plus-models/llada-mini", False),
        ("llada-mini-wino", False),
        ("", False),
    ],
)
def test_a_wino_plus_model_is_known_by_its_name(name, expected):
    assert is_wino_plus(name) is expected


# ---- where there is one, and where there is none


def test_without_its_folder_there_is_none(beside):
    assert wino_plus(beside()) is None


@pytest.mark.parametrize(
    ("presets", "said"),
    [("{not json", "can't be read"), ('{"arithmetic": {"decoders": {"threshold": {"tau": 7}}}}', "tau must be a number"),
     ('{"arithmetic": {"decoders": {"threshold": {"t": 0.5}}}}', "'t'")],
)  # fmt: skip
def test_one_with_wrong_presets_is_left_out_and_the_log_says_why(beside, caplog, presets, said):
    def write(folder: Path) -> Path:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "presets.json").write_text(presets)
        return folder

    assert wino_plus(beside(write)) is None
    assert "llada-mini-wino-plus is left out" in caplog.text and said in caplog.text


def test_a_folder_without_a_model_is_none(beside):
    assert wino_plus(beside(lambda folder: folder.mkdir() or folder)) is None


# ---- what it does


def test_each_model_is_loaded_once_and_has_its_own_presets_and_its_name_in_the_trace(beside, mini):
    loads: list[str] = []

    def load(name: str) -> Checkpoint:
        loads.append(Path(name).name)
        return mini if loads[-1] == "llada-mini" else load_checkpoint(name, device="cpu")

    session = beside(write_whole, load=load)
    plus = wino_plus(session, load)
    assert loads == [] and not plus.loaded
    assert session.settings("threshold") == ThresholdSettings(**mini.preset("arithmetic").decoders["threshold"])
    assert plus.settings(RULE) == ThresholdSettings(TAU)
    assert plus.settings(RULE, "sudoku").tau == PRESETS["sudoku"]["decoders"]["threshold"]["tau"]
    mine, theirs = finished(session, ThresholdSettings(TAU)), finished(plus, plus.settings(RULE))
    assert (mine.model, Path(theirs.model).name) == ("llada-mini", "llada-mini-wino-plus")
    assert theirs.decoder["tau"] == TAU and theirs.revocations == 0
    confidences = [[t.probability for t in trace.steps[0].drafted] for trace in (mine, theirs)]
    assert confidences[0] != confidences[1]  # other weights
    assert plus.start(QUESTION, plus.settings(RULE), **SIZE).header["model"] == theirs.model
    assert loads == ["llada-mini", "llada-mini-wino-plus"]


@pytest.mark.parametrize("presets", [None, PRESETS])
def test_an_adapter_to_the_base_will_do(beside, mini, presets):
    """Without presets of its own it has those of its base, before and after it is loaded."""
    plus = wino_plus(beside(lambda folder: write_adapter(folder, presets)))
    expected = mini.preset("arithmetic").decoders["threshold"]["tau"] if presets is None else TAU
    assert plus.settings(RULE).tau == expected
    assert is_wino_plus(finished(plus, plus.settings(RULE)).model)
    assert plus.checkpoint().preset("arithmetic").decoders["threshold"]["tau"] == expected


def test_one_that_cannot_be_loaded_says_so_and_leaves_the_base_alone(beside, mini):
    def write(folder: Path) -> Path:
        write_whole(folder)
        next(folder.glob("model-00003-*")).unlink()
        return folder

    session = beside(write, load=lambda name: mini)
    plus = wino_plus(session)
    with pytest.raises(ModelUnavailable, match=r"llada-mini-wino-plus can't be loaded: .*00003.safetensors is missing"):
        plus.start(QUESTION, plus.settings(RULE))
    assert finished(session, session.settings("wino")).forward_passes > 0


def test_the_command_line_decodes_it_by_threshold_unless_told_otherwise(beside, tmp_path, capsys):
    plus = wino_plus(beside(write_whole))
    command = ["decode", "--model", plus.model, "--prompt", QUESTION, "--gen-length", "32", "--block-length", "16"]
    for more, expected in (([], ("threshold", TAU)), (["--decoder", "threshold:tau=0.5"], ("threshold", 0.5))):
        assert main([*command, *more, "--trace", str(tmp_path / "t.json")]) == 0
        trace = Trace.from_json((tmp_path / "t.json").read_text())
        assert (trace.model, trace.decoder["name"], trace.decoder["tau"]) == (plus.model, *expected)
    assert "0 revocations" in capsys.readouterr().err
