"""Evaluation on the real embedded model: rows, items, presets, batches, and records that are wrong."""

import json
from pathlib import Path
from random import Random

import pytest

from wino_viz.evaluation import evaluate, read_record, read_records
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.tasks import arithmetic

SHORT = {"gen_length": 64, "block_length": 64}


@pytest.fixture(scope="module")
def records() -> list[dict]:
    rng = Random(3)
    return [arithmetic.record(arithmetic.generate(rng, "test", steps=2)) for _ in range(4)]


def test_rows_are_what_their_items_say(mini: Checkpoint, records: list[dict]):
    result = evaluate(mini, ["wino", "standard:tokens_per_step=8"], records, **SHORT)
    assert [row["decoder"] for row in result["rows"]] == ["wino", "standard:tokens_per_step=8"]
    for row in result["rows"]:
        items = [item for item in result["items"] if item["decoder"] == row["decoder"]]
        assert [item["index"] for item in items] == [0, 1, 2, 3]
        assert row["n"] == 4
        assert row["correct"] == sum(item["correct"] for item in items)
        assert row["accuracy"] == row["correct"] / 4
        assert row["mean_forward_passes"] == sum(item["forward_passes"] for item in items) / 4
        assert row["step_reduction"] == pytest.approx(64 / row["mean_forward_passes"])
        assert row["tokens_per_second"] > 0
    standard = result["rows"][1]
    assert (standard["mean_forward_passes"], standard["mean_revocations"]) == (8, 0)


def test_the_embedded_model_solves_short_problems_faithfully(mini: Checkpoint, records: list[dict]):
    """Far below the model card's figure, so that only a broken model or decoder fails it."""
    row = evaluate(mini, ["wino"], records, **SHORT)["rows"][0]
    assert row["correct"] >= 3
    assert row["faithful"] == 1
    assert row["step_reduction"] > 4


def test_a_spec_without_settings_takes_the_models_preset(mini: Checkpoint, records: list[dict]):
    item = evaluate(mini, ["wino"], records[:1])["items"][0]
    preset = mini.preset("arithmetic")
    assert {key: item["settings"][key] for key in ("tau1", "tau2")} == preset.decoders["wino"]
    assert item["gen_length"] == preset.gen_length


def test_problems_in_flight_together_give_the_same_answers(mini: Checkpoint, records: list[dict]):
    def told(in_flight: int) -> list:
        items = evaluate(mini, ["wino"], records, in_flight=in_flight, **SHORT)["items"]
        return [(item["index"], item["text"], item["forward_passes"], item["revocations"]) for item in items]

    assert told(1) == told(3)


def test_progress_counts_up_to_the_number_of_problems(mini: Checkpoint, records: list[dict]):
    told = []
    evaluate(mini, ["threshold"], records[:2], progress=lambda *args: told.append(args), **SHORT)
    assert told == [("threshold", 1, 2), ("threshold", 2, 2)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", '"task" must be one of arithmetic'),
        ('{"task": "poetry", "question": "?"}', "not 'poetry'"),
        ('{"task": "arithmetic"}', '"question" must be text'),
        ('{"task": "arithmetic", "question": " "}', '"question" must be text'),
        ('{"task": ["arithmetic"], "question": "?"}', '"task" must be one of'),
        ('{"task": "arithmetic", "question": "?", "answer": "57"}', '"answer" must be a whole number'),
    ],
)
def test_a_wrong_record_is_named_by_its_line(tmp_path: Path, line: str, message: str):
    path = tmp_path / "problems.jsonl"
    path.write_text('{"task": "arithmetic", "question": "How many?", "answer": 3}\n' + line + "\n")
    with pytest.raises(ValueError, match="line 2: .*" + message.replace("[", r"\[")):
        read_records(path)
    assert len(read_records(path, limit=1)) == 1


def test_an_empty_or_missing_file_is_named(tmp_path: Path):
    (tmp_path / "empty.jsonl").write_text("\n")
    for name, message in (("empty.jsonl", "holds no problems"), ("none.jsonl", "can't be read")):
        with pytest.raises(ValueError, match=message):
            read_records(tmp_path / name)


def test_a_record_reads_back():
    record = {"task": "arithmetic", "question": "How many?", "answer": 57}
    assert read_record(json.dumps(record)) == record
