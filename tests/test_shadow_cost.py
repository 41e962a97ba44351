"""What the shadow block costs: the three passes that are compared, and the figures made of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wino_viz.cli import main
from wino_viz.decoding import NO_TOKEN, shadow_attention
from wino_viz.session import Session
from wino_viz.shadow_cost import bench_shadow, passes_compared, report, usual_shapes


@pytest.fixture(scope="module")
def session(mini) -> Session:
    return Session(load=lambda name: mini)


@pytest.fixture(scope="module")
def rows(session):
    return list(bench_shadow(session, [(32, 16), (32, 32)], repeats=2))


def test_the_passes_differ_in_nothing_but_the_shadow():
    plain, shadow, full = passes_compared(prompt_ids=[7] * 5, gen_length=8, block_length=4, mask_id=1)
    assert len(plain.ids) == 13 and plain.attention is None
    assert len(shadow.ids) == len(full.ids) == 17 and full.attention is None
    assert np.array_equal(shadow.attention, shadow_attention(5, 8, 4, 0))
    assert shadow.position_ids[-4:].tolist() == [5, 6, 7, 8]
    assert np.array_equal(shadow.ids[:13], plain.ids) and set(shadow.ids[13:]) == {1}
    masked = np.flatnonzero(plain.ids[5:9] == 1) + 5
    assert 0 < len(masked) < 4 and np.array_equal(plain.rows, masked)
    judged = shadow.rows[len(masked) :] - 13 + 5  # a shadow row for each token of the block that is placed
    assert np.array_equal(np.sort(np.concatenate((masked, judged))), np.arange(5, 9))
    assert np.array_equal(shadow.given[len(masked) :], plain.ids[judged])
    assert (plain.given == NO_TOKEN).all()
    assert len(full.rows) == len(shadow.rows)


def test_a_row_says_what_was_measured_and_its_ratios_follow(rows):
    assert [(row["gen_length"], row["block_length"]) for row in rows] == [(32, 16), (32, 32)]
    for row in rows:
        assert row["tokens"] == row["prompt_tokens"] + row["gen_length"] and row["shadow_tokens"] == row["block_length"]
        assert row["time_ratio"] == row["shadow_ms"] / row["plain_ms"] > 0
        whole = [row["weights_mb"] + row[f"{kind}_mb"] for kind in ("plain", "shadow")]
        assert row["memory_ratio"] == pytest.approx(whole[1] / whole[0])
        assert row["full_attention_ms"] > 0


def test_memory_grows_with_the_tokens_of_the_shadow(rows, mini):
    half, whole = rows
    assert half["plain_mb"] == pytest.approx(whole["plain_mb"], rel=0.2)  # the same sequence
    assert half["plain_mb"] < half["shadow_mb"] < whole["shadow_mb"]
    parameters = sum(p.numel() for p in mini.denoiser.model.parameters())
    assert rows[0]["weights_mb"] == pytest.approx(parameters * 4 / 1e6, rel=0.01)  # float32


def test_usual_shapes_fit_the_model(session):
    context = session.checkpoint().context
    shapes = usual_shapes(context)
    assert len(shapes) >= 4
    assert all(gen % block == 0 and gen < context for gen, block in shapes)
    assert usual_shapes(40) == [(16, 8), (16, 16)]
    with pytest.raises(ValueError, match="no room for 16 tokens"):
        usual_shapes(16)


def test_a_shape_that_can_not_be_is_refused(session):
    with pytest.raises(ValueError, match="gen_length 32 is not a multiple of block_length 24"):
        list(bench_shadow(session, [(32, 24)], repeats=1))


def test_the_command_writes_the_table_and_the_file(tmp_path, capsys):
    out = tmp_path / "shadow.json"
    assert main(["bench", "--shadow", "16x8", "--repeats", "1", "--out", str(out)]) == 0
    made = json.loads(out.read_text())
    assert made["command"].startswith("python -m wino_viz bench --shadow 16x8")
    assert {"commit", "model", "device", "threads", "torch", "weights_sha256", "versions"} <= made.keys()
    printed = capsys.readouterr().out
    assert report(made) in printed and "| 16 × 8 |" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shadow", "16"], "--shadow: '16' is not GENxBLOCK"),
        (["--shadow", "16x5"], "gen_length 16 is not a multiple of block_length 5"),
        (["--shadow", "9000x10"], "gen_length must be a whole number, 1 to 8192"),
        (["--shadow", "16x8", "--in-flight"], "choose one of --shadow and --in-flight"),
        (["--repeats", "0", "--shadow"], "--repeats must be 1 to 1000, not 0"),
    ],
)
def test_bad_input_gets_one_line(arguments, sentence, capsys):
    assert main(["bench", *arguments]) == 2
    assert sentence in capsys.readouterr().err
