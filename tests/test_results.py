"""How the Explore tab's files are made: which settings are measured, and that each file says how to measure it again."""

import json
import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from wino_viz import cli
from wino_viz.decoding import DECODERS, WinoSettings, parse_spec
from wino_viz.evaluation import results
from wino_viz.evaluation.result_files import TRADEOFF, Row, read_result, row_of
from wino_viz.evaluation.sweeps import SWEEP, TAU1, TAU2, grid_specs, spec_of, tradeoff_specs
from wino_viz.models.presets import read_presets


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder with a tiny model in it."""
    folder = tmp_path_factory.mktemp("results")
    write_tiny_model(folder / "tiny")
    return folder


@pytest.fixture
def measured(folder: Path, monkeypatch) -> Path:
    """The file of one small run of the command, in the working folder."""
    monkeypatch.chdir(folder)
    path = folder / "assets/results/tradeoff-arithmetic-tiny.json"
    if not path.exists():
        assert results.main(command()) == 0
    return path


def command(*more: str) -> list[str]:
    return ["--model", "tiny", "--figure", "tradeoff", "--decoders", "threshold", "--limit", "2", *more]


def counted(row: Row) -> tuple:
    groups = [(group.difficulty, group.n, group.correct, round(group.mean_forward_passes, 5)) for group in row.groups]
    return row.spec, row.settings, row.n, row.correct, round(row.mean_forward_passes, 5), groups


def test_the_trade_off_sweeps_every_decoder_and_its_preset_once():
    usual = {name: DECODERS[name]() for name in SWEEP}
    usual["wino"] = WinoSettings(tau1=0.65, tau2=0.85)
    specs = tradeoff_specs(usual)
    settings = [parse_spec(spec) for spec in specs]
    assert len(set(specs)) == len(specs)
    assert {one.name for one in settings} == set(DECODERS)
    assert set(usual.values()) <= set(settings)
    for name, swept in SWEEP.items():
        assert {replace(usual[name], **values) for values in swept} <= set(settings)


def test_the_grid_has_every_pair_and_the_preset():
    specs = grid_specs(WinoSettings(tau1=0.65, tau2=0.9))
    pairs = [(one.tau1, one.tau2) for one in map(parse_spec, specs)]
    assert pairs == sorted(product(sorted({*TAU1, 0.65}), TAU2))


def test_a_spec_says_its_swept_settings_whatever_a_preset_says():
    presets = {"wino": {"tau1": 0.5, "tau2": 0.5}}
    assert parse_spec(spec_of(WinoSettings()), presets) == WinoSettings()


def test_a_file_holds_what_the_figure_needs_and_no_answers(measured: Path):
    file = read_result(measured)
    preset = read_presets(measured.parents[2] / "tiny")["arithmetic"].decoders["threshold"]
    assert (file.figure, file.task, file.model, file.about["n"]) == (TRADEOFF, "arithmetic", "tiny", 2)
    assert preset["tau"] in {row.settings["tau"] for row in file.rows}
    assert all(row.n == 2 and row.unit == "steps" and row.groups for row in file.rows)
    assert "text" not in json.dumps(json.loads(measured.read_text())["rows"])
    assert measured.stat().st_size < 60_000
    for key in ("command", "commit", "weights_sha256", "data_command", "data_sha256", "device", "versions"):
        assert key in file.about


def test_the_commands_in_a_file_measure_the_same_again(measured: Path, monkeypatch, capsys):
    told = json.loads(measured.read_text())
    program = "python -m wino_viz "
    assert told["command"].startswith(program)
    assert cli.main(told["command"].removeprefix(program).split()) == 0
    again = json.loads((measured.parents[2] / "runs/results" / measured.name).read_text())
    assert [counted(row) for row in map(row_of, again["rows"])] == [counted(row) for row in read_result(measured).rows]


def test_what_is_made_is_left_alone_until_the_weights_are_others(measured: Path, capsys):
    def made() -> int:
        return measured.stat().st_mtime_ns

    first = made()
    assert results.main(command()) == 0
    assert made() == first and "is there already" in capsys.readouterr().err
    weights = measured.parents[2] / "tiny/model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-4] + b"\0\0\0\0")
    os.utime(weights)
    try:
        assert results.main(command()) == 0
        assert made() != first
    finally:
        weights.write_bytes(kept)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--figure", "pie"], "--figure: 'pie' is not one of tradeoff, grid"),
        (["--task", "chess"], "--task: 'chess' is not one of arithmetic"),
        (["--decoders", "wino,best"], "--decoders: 'best' is not one of"),
        (["--model", "no-such"], "no model 'no-such'"),
        (["--limit", "0"], "is not a whole number from 1 to 500"),
    ],
)
def test_a_wrong_option_is_one_line_that_says_what_is_allowed(folder: Path, monkeypatch, capsys, more, words):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        results.main([*command(), *more])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and words in said and said.count("\n") == 1
