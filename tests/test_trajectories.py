"""Trajectories: they replay, tell the passes that the decoding took, and their files are filtered, whole and resumable."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from wino_viz.decoding import WinoSettings, decode
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.tasks import arithmetic
from wino_viz.tasks.registry import judge
from wino_viz.training.trajectories import Collection, Watched, made_problems, main, unique_id
from wino_viz.training.trajectories_part import Part
from wino_viz.training.trajectories_records import (
    Trajectory,
    opened,
    rank,
    read_trajectories,
    replay,
    selected,
    trajectory_of,
)

PUBLISHED_FIELDS = {
    *("unique_id", "source", "prompt_ids", "generated_ids", "trajectory_accepted", "trajectory_proposed", "correct"),
    *("prompt_length", "generated_text", "decoding_steps", "used_temperature", "metadata"),
}


def problems(count: int) -> list[dict]:
    rng = Random(3)
    return [arithmetic.record(arithmetic.generate(rng, "train", steps=2)) for _ in range(count)]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """A file that the command wrote, of four problems, one of them twice and one with a wrong answer on record."""
    folder = tmp_path_factory.mktemp("trajectories")
    records = problems(4)
    records[1] = records[1] | {"answer": -1}
    data = folder / "problems.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in [*records, records[0]]))
    out = folder / "out.jsonl.gz"
    command = ["--model", "llada-mini", "--data", str(data), "--gen-length", "64", "--block-length", "32"]
    assert main([*command, "--decoder", "wino", "--in-flight", "2", "--out", str(out)]) == 0
    with opened(out) as file:
        return out, [json.loads(line) for line in file]


def test_a_file_holds_the_published_fields_of_right_answers_once_each(collected: tuple[Path, list[dict]]):
    path, records = collected
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".part"] == []
    assert 1 <= len(records) <= 3
    assert len({record["unique_id"] for record in records}) == len(records)
    for record in records:
        assert record.keys() >= PUBLISHED_FIELDS
        assert judge(record, record["generated_text"]).correct
        assert record["correct"] is True
        assert record["answer"] != -1
        assert record["source"] == "arithmetic"
        assert record["prompt_length"] == len(record["prompt_ids"])
        assert record["metadata"]["block_length"] == 32
        assert max(record["trajectory_accepted"]) < record["decoding_steps"]
        assert max(record["trajectory_proposed"]) < record["decoding_steps"]


def test_every_trajectory_replays_to_its_text(collected: tuple[Path, list[dict]], mini: Checkpoint):
    path, records = collected
    for record, trajectory in zip(records, read_trajectories([path], len(mini.tokenizer)), strict=True):
        canvases = list(replay(trajectory, mini.mask_id))
        assert (canvases[0] == mini.mask_id).all()
        for before, after in pairwise(canvases):
            placed = before != mini.mask_id
            assert (after[placed] == before[placed]).all()
            assert (after != mini.mask_id).sum() > placed.sum()
        assert canvases[-1].tolist() == record["generated_ids"]
        assert mini.text(canvases[-1].tolist()) == record["generated_text"]


def changed(step) -> tuple[list, list]:
    """What a step placed and took back."""
    return [token[:2] for token in step.drafted], [token[:2] for token in step.remasked]


def test_watching_changes_no_step_and_notes_the_last_placement(mini: Checkpoint):
    (record,) = problems(1)
    collection = Collection(mini, [record], "wino", 64, 32)
    canvas = collection.canvas(0, 0.0)
    alone = [timed.step for timed in decode(WinoSettings().start(canvas), mini.denoiser)]
    watched = Watched(WinoSettings().start(canvas), canvas)
    steps, proposals = [], []
    while (request := watched.request()) is not None:
        (answer,) = mini.denoiser.predict([request])
        said = dict(zip(request.rows.tolist(), answer.top_ids[:, 0].tolist(), strict=True))
        first = len(canvas.prompt_ids) + 64
        block = watched._decoder.block * 32
        proposals.append({block + slot: said[first + slot] for slot in range(32)})
        steps.append(watched.update(answer))
    # The last layer runs on the rows asked for, and more of them round otherwise: probabilities agree to five decimals.
    assert [changed(step) for step in steps] == [changed(step) for step in alone]
    sure = [token.probability for step in steps for token in step.drafted]
    assert sure == pytest.approx([token.probability for step in alone for token in step.drafted], abs=1e-5)
    final = watched.canvas
    for position in range(64):
        placements = [n for n, step in enumerate(alone) if any(t.position == position for t in step.drafted)]
        assert watched.accepted[position] == placements[-1]
        agreed = [n for n, said in enumerate(proposals) if said.get(position) == final[position]]
        assert watched.proposed[position] == (agreed[0] if agreed else -1)


def test_without_a_shadow_nothing_is_proposed(mini: Checkpoint):
    collection = Collection(mini, problems(1), "threshold:tau=0.9", 64, 32)
    for _, record in collection.decode([0], 0.0, 1):
        assert record is not None
        assert set(record["trajectory_proposed"]) == {-1}


def a_record(name: str = "a", **changes) -> dict:
    record = {"unique_id": name, "source": "arithmetic", "prompt_ids": [7, 8], "generated_ids": [1, 2, 3, 4]}
    record |= {"trajectory_accepted": [1, 0, 2, 2], "correct": True, "metadata": {"block_length": 2}}
    record |= {"prompt_length": 2, "generated_text": "1+2=3", "decoding_steps": 3, "used_temperature": 0.0}
    return record | changes


def test_of_two_trajectories_of_a_problem_the_colder_then_shorter_then_more_worked_stays():
    found = [
        a_record(used_temperature=0.1, decoding_steps=1),
        a_record(decoding_steps=5),
        a_record(decoding_steps=4),
        a_record(decoding_steps=4, generated_text="1+2=3, 3+4=7"),
        a_record("b", decoding_steps=9),
    ]
    entries = [(record["unique_id"], record["source"], rank(record)) for record in found]
    assert selected(entries) == [3, 4]
    assert selected(entries, keep_step_ratio=0.5) == [3]


def test_the_share_that_is_kept_is_of_every_source():
    entries = [(f"{source}{n}", source, (0.0, n, 0)) for source in "xy" for n in (3, 1, 2, 4)]
    assert sorted(entries[n][0] for n in selected(entries, 0.5)) == ["x1", "x2", "y1", "y2"]


def test_random_order_permutes_within_blocks():
    accepted = np.concatenate((np.repeat(np.arange(4), 8), np.repeat(np.arange(4, 8), 8))).astype(np.int32)
    one = Trajectory("a", "arithmetic", np.array([7]), np.arange(64), accepted, 32)
    drawn = one.in_random_order(0)
    assert (drawn.accepted != accepted).any()
    for block in (slice(0, 32), slice(32, 64)):
        assert sorted(drawn.accepted[block]) == sorted(accepted[block])
    assert (drawn.accepted == one.in_random_order(0).accepted).all()
    assert (drawn.accepted != one.in_random_order(1).accepted).any()
    assert list(replay(drawn, 99))[-1].tolist() == list(range(64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectory_accepted": [1, 0, 2]}, "has 3 entries for 4"),
        ({"trajectory_accepted": [1, 0, 2, -1]}, "trajectory_accepted must be a list of whole numbers from 0"),
        ({"trajectory_accepted": [1, 2, 2, 3]}, "the block from position 2 begins before"),
        ({"generated_ids": [1, 2, 3, 400]}, "generated_ids holds 400, the model knows ids below 99"),
        ({"prompt_ids": []}, "must hold tokens"),
        ({"metadata": {"block_length": 0}}, "block_length must be a whole number from 1"),
    ],
)
def test_a_record_that_can_not_be_is_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        trajectory_of(a_record(**changes), "here", 99)


def test_older_and_longer_files_are_read(tmp_path: Path):
    record = a_record(correct=True)
    record["wino_trajectory"] = record.pop("trajectory_accepted")
    del record["metadata"]
    wrong = a_record(correct=False)
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(record) + "\n\n" + json.dumps(wrong) + "\n")
    (read,) = read_trajectories([path])
    assert read.block_length == 128
    assert read.steps.tolist() == [0, 1, 2]
    del record["wino_trajectory"]
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match='"trajectory_accepted" is missing'):
        read_trajectories([path])
    with pytest.raises(ValueError, match=r"none\.jsonl can't be read: No such file or directory$"):
        read_trajectories([tmp_path / "none.jsonl"])


def test_a_stopped_run_goes_on_and_its_torn_line_is_dropped(tmp_path: Path):
    out = tmp_path / "t.jsonl"
    first = Part(out, {"seed": 0})
    assert first.resume() == 0
    for _ in first.add_from(iter([(0, a_record("a")), (1, None)]), 0.0):
        pass
    with open(first.path, "a") as file:
        file.write('{"index": 2, "temp')
    again = Part(out, {"seed": 0})
    assert again.resume() == 2
    assert again.solved == {0}
    assert again.tried == {0: {0.0}, 1: {0.0}}
    for _ in again.add_from(
        iter([(1, a_record("b", decoding_steps=2)), (2, a_record("a", used_temperature=0.1))]), 0.1
    ):
        pass
    with pytest.raises(ValueError, match="holds another run"):
        Part(out, {"seed": 1}).resume()
    counts = again.finish(out, keep_step_ratio=1.0, max_prompt_length=None, random_order=0)
    assert counts == {"arithmetic": 2}
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(record["unique_id"], record["used_temperature"]) for record in kept] == [("b", 0.0), ("a", 0.0)]
    assert {record["metadata"]["order"] for record in kept} == {"random"}
    assert [file.name for file in tmp_path.iterdir()] == ["t.jsonl"]


def test_made_problems_differ_and_one_problem_has_one_id():
    made = made_problems(["arithmetic", "countdown", "sudoku"], "train", 20, seed=0)
    assert len({unique_id(record) for record in made}) == 60
    assert made == made_problems(["arithmetic", "countdown", "sudoku"], "train", 20, seed=0)
    assert unique_id(made[0]) == unique_id(made[0] | {"answer": 5})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "chess"], "task 'chess' is not one of arithmetic, countdown, sudoku"),
        (["--task", "sudoku", "--decoder", "wine"], "there is no decoder"),
        (["--task", "sudoku", "--temperatures", "0,0"], "no list of different numbers"),
        (["--task", "sudoku", "--keep-step-ratio", "0"], "not a number above 0"),
        (["--task", "sudoku", "--gen-length", "10", "--block-length", "4"], "is not a multiple of block_length"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments: list[str], message: str, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--model", "llada-mini", "--count", "2", "--out", str(tmp_path / "t.jsonl"), *arguments])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
