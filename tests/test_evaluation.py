"""Evaluation on the real embedded model: rows, items, presets, batches, and records that are wrong."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from wino_viz.captions import cider
from wino_viz.evaluation import evaluate, read_records
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.tasks import arithmetic, scenes
from wino_viz.tasks.registry import read_record

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
    assert told == [("threshold", done, 2) for done in range(3)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be an object, not a list"),
        ('{"task": "poetry", "question": "?"}', "not 'poetry'"),
        ('{"task": "arithmetic"}', '"question" must be text'),
        ('{"task": "arithmetic", "question": " "}', '"question" must be text'),
        ('{"task": ["arithmetic"], "question": "?"}', '"task" must be one of'),
        ('{"task": "arithmetic", "question": "?", "answer": "57"}', '"answer" must be a whole number'),
        ('{"task": "caption", "caption": "A star."}', '"image" must be text'),
        ('{"task": "caption", "image": "a.png", "references": "A star."}', '"references" must be a list'),
        ('{"task": "vqa", "image": "a.png"}', '"question" must be text'),
        ('{"task": "vqa", "image": "a.png", "question": "?", "kind": ["count"]}', '"kind" must be text'),
        ('{"task": "caption", "image": "none.png"}', r"none\.png can't be taken: There is no such file\."),
        (
            '{"task": "vqa", "image": "problems.jsonl", "question": "?"}',
            r"problems\.jsonl can't be taken: This is a text",
        ),
        ('{"task": "caption", "image": "a\\u0000.png"}', "can't be taken: There is no such file"),
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
    says = {"empty.jsonl": "holds no problems", "none.jsonl": r"none\.jsonl can't be read: No such file or directory$"}
    for name, message in says.items():
        with pytest.raises(ValueError, match=message):
            read_records(tmp_path / name)


def test_a_record_reads_back():
    record = {"task": "arithmetic", "question": "How many?", "answer": 57}
    assert read_record(json.dumps(record)) == record


def test_a_byte_order_mark_and_line_separators_inside_strings_are_read(tmp_path: Path):
    path = tmp_path / "problems.jsonl"
    questions = ["How\u2028many?", "How\x85many?", "How\u2029many\x0c?"]
    lines = [json.dumps({"task": "arithmetic", "question": text}, ensure_ascii=False) for text in questions]
    path.write_bytes(("\ufeff" + "\r\n".join(lines)).encode())
    assert [record["question"] for record in read_records(path)] == questions


def test_problems_without_a_known_answer_count_for_speed_and_not_for_accuracy(mini: Checkpoint, records: list[dict]):
    unknown = {key: value for key, value in records[0].items() if key != "answer"}
    row = evaluate(mini, ["wino"], [unknown, records[1]], **SHORT)["rows"][0]
    assert (row["n"], row["judged"], row["accuracy"]) == (2, 1, row["correct"])
    row = evaluate(mini, ["wino"], [unknown], **SHORT)["rows"][0]
    assert (row["n"], row["judged"], row["accuracy"], row["faithful"]) == (1, 0, None, None)


# ---- pictures

QUICK = {"gen_length": 16, "block_length": 16}


class Counting:
    """A reader that counts the pictures it encodes."""

    def __init__(self, reader) -> None:
        self._reader, self.encoded = reader, 0

    def codes(self, image):
        self.encoded += 1
        return self._reader.codes(image)

    def __getattr__(self, name: str):
        return getattr(self._reader, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command for scenes writes."""
    folder = tmp_path_factory.mktemp("scenes")
    assert scenes.main(["--split", "test", "--count", "4", "--seed", "3", "--out", str(folder)]) == 0
    return folder


def test_the_captions_of_scenes_are_evaluated_as_they_are_written(sees: Checkpoint, folder: Path):
    records = read_records(folder / "captions.jsonl", limit=3)
    counting = Counting(sees.reader)
    specs = ["threshold:tau=0.1", "wino"]
    result = evaluate(replace(sees, reader=counting), specs, records, in_flight=3, **QUICK)
    assert counting.encoded == 3
    for row in result["rows"]:
        items = [item for item in result["items"] if item["decoder"] == row["decoder"]]
        assert [item["index"] for item in items] == [0, 1, 2]
        assert (row["n"], row["judged"]) == (3, 3)
        mean, each = cider([record["references"] for record in records], [item["text"] for item in items])
        assert row["cider"] == mean and [item["cider"] for item in items] == each
        assert "by_kind" not in row


def test_questions_are_counted_by_their_kind(sees: Checkpoint, folder: Path):
    records = read_records(folder / "questions.jsonl")
    result = evaluate(sees, ["wino"], records, in_flight=4, **QUICK)
    row = result["rows"][0]
    expected: dict[str, list[int]] = {}
    for item in result["items"]:
        counts = expected.setdefault(records[item["index"]]["kind"], [0, 0])
        counts[0], counts[1] = counts[0] + item["correct"], counts[1] + 1
    assert row["by_kind"] == expected and len(expected) > 1
    assert row["correct"] == sum(correct for correct, _ in expected.values())
    assert "cider" not in row


def test_each_task_of_a_file_has_its_own_preset(sees: Checkpoint, folder: Path):
    """One picture under two names: encoded once, asked for a caption and for an answer."""
    lines = [(folder / name).read_text().splitlines()[0] for name in ("captions.jsonl", "questions.jsonl")]
    (folder / "mixed.jsonl").write_text("\n".join(lines))
    counting = Counting(sees.reader)
    records = read_records(folder / "mixed.jsonl")
    items = evaluate(replace(sees, reader=counting), ["wino:tau1=0:tau2=0"], records)["items"]
    assert counting.encoded == 1
    assert [item["gen_length"] for item in items] == [sees.preset(task).gen_length for task in ("caption", "vqa")]
    assert all("cider" not in item for item in items)  # one caption has no score


def test_pictures_in_flight_together_give_the_same_answers(sees: Checkpoint, folder: Path):
    records = read_records(folder / "questions.jsonl")

    def told(in_flight: int) -> list:
        items = evaluate(sees, ["wino"], records, in_flight=in_flight, **QUICK)["items"]
        return [(item["text"], item["forward_passes"], item["revocations"]) for item in items]

    assert told(1) == told(3)


def test_problems_that_are_not_for_the_model_are_refused(
    mini: Checkpoint, sees: Checkpoint, records: list[dict], folder: Path
):
    mixed = [*records[:1], *read_records(folder / "captions.jsonl", limit=1)]
    with pytest.raises(ValueError, match=r"problem 2 is about a picture \(caption\), and llada-mini reads text alone"):
        evaluate(mini, ["wino"], mixed)
    with pytest.raises(
        ValueError, match=r"problem 1 is in words alone \(arithmetic\), and mmada-mini answers questions"
    ):
        evaluate(sees, ["wino"], mixed)


def test_captions_want_the_package_of_their_score_before_anything_is_decoded(
    sees: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pycocoevalcap.cider.cider", None)
    counting = Counting(sees.reader)
    with pytest.raises(ValueError, match="pip install pycocoevalcap"):
        evaluate(replace(sees, reader=counting), ["wino"], read_records(folder / "captions.jsonl"))
    assert counting.encoded == 0
