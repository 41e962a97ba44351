"""`bench --users` on the embedded model: what its figures say, and which are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wino_viz.cli import main


def test_users_are_counted_and_so_is_what_their_neighbours_get(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "users.json"
    assert (
        main(["bench", "--users", "1,3", "--seconds", "0.3", "--decoders", "threshold:tau=0.3", "--out", str(out)]) == 0
    )
    result = json.loads(out.read_text())
    assert result["command"].endswith(f"--out {out.name}") and result["limits"]["users"] == 1  # a CPU
    one, three = result["rows"]
    assert (one["users"], one["share"], one["speed_up"]) == (1, 1.0, 1.0) and three["users"] == 3
    for row in (one, three):
        assert row["tokens_per_second"] > row["passes_per_second"] > 0  # threshold places one at least
        assert 0 < row["seconds_to_first_step"] <= row["longest_to_first_step"]
        assert row["slowest_to_mean"] >= 1
    beside = {row["beside"]: row for row in result["neighbours"]}
    assert list(beside) == ["nobody", "one more", "slow reader", "stopped"]
    assert beside["stopped"]["passes_of_the_other"] == 2 and beside["stopped"]["seconds_until_freed"] >= 0
    assert beside["slow reader"]["passes_of_the_other"] == 1  # he reads longer than all of it takes
    told = capsys.readouterr().out
    assert "at most 1 users" in told and "after the stop" in told and "| 3 |" in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--users", "0"], "--users: '0' is not a whole number from 1 to 256"),
        (["--users", "--in-flight"], "choose one of --in-flight and --users"),
        (["--replicas", "2"], "--replicas goes with --users"),
        (["--users", "1", "--seconds", "0"], "--seconds must be 0.1 to 600, not 0"),
        (["--users", "1", "--decoders", "wino,standard"], "--users takes one decoder"),
    ],
)
def test_bad_options_are_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str):
    assert main(["bench", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said and len(said.strip().splitlines()) == 1
