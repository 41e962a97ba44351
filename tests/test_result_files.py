"""Reading measured files: what is right is read, what is wrong is named, and a page never breaks over it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_rows import SHADOW_ROW, write, write_result, write_shadow

from wino_viz.evaluation.intervals import wilson
from wino_viz.evaluation.result_files import GRID, MAX_BYTES, SHADOW, TRADEOFF, ResultError, read_result, read_results


def broken(tmp_path: Path, change) -> str:
    """What is said of a file after change(data) was made to it."""
    path = write_result(tmp_path, TRADEOFF, specs=["standard", "wino"])
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ResultError) as error:
        read_result(path)
    return str(error.value)


def test_rows_are_read_as_they_were_counted(tmp_path: Path):
    file = read_result(write_result(tmp_path, TRADEOFF, specs=["standard:tokens_per_step=1", "wino"]))
    standard, wino = file.rows
    assert (wino.spec, wino.name, wino.n, wino.correct) == ("wino", "wino", 6, 5)
    assert wino.interval == wilson(5, 6)
    assert [group.difficulty for group in wino.groups] == [2, 3, 4]
    assert [group.mean_forward_passes for group in wino.groups] == [12, 14, 16]
    assert sum(group.n for group in wino.groups) == 6 and wino.unit == "steps"
    pair = file.compared(standard.spec, wino.spec)
    assert (pair["only_first"], pair["only_second"], pair["n"]) == (1, 1, 6)


def test_tasks_and_models_come_from_the_files(tmp_path: Path):
    write_result(tmp_path, TRADEOFF)
    write_result(tmp_path, TRADEOFF, model="other", specs=["threshold"])
    write_result(tmp_path, GRID, task="sudoku")
    write_shadow(tmp_path)
    write(tmp_path, "ablation-arithmetic.json", {"of": "another page"})
    results = read_results(tmp_path)
    assert results.faults == () and results.tasks == ("sudoku", "arithmetic")
    assert {file.model for file in results.of(TRADEOFF, "arithmetic")} == {"llada-mini", "other"}
    assert [row["plain_ms"] for file in results.of(SHADOW) for row in file.shadow_rows] == [60.0]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path):
    assert read_results(tmp_path / "none").files == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.pop("command"), '"command" must be text'),
        (lambda data: data.update(rows=[]), '"rows" is empty'),
        (lambda data: data.update(rows={}), '"rows" must be a list'),
        (lambda data: data.update(figure="grid"), "the file’s name says tradeoff"),
        (lambda data: data["rows"][1].update(correct=7), "row 2: 7 correct of 6 judged of 6 can’t be"),
        (lambda data: data["rows"][1].update(n=0, judged=0, correct=0), "row 2: 0 correct of 0"),
        (lambda data: data["rows"][0].update(correct=True), 'row 1: "correct" must be a whole number'),
        (lambda data: data["rows"][0].update(accuracy=0.99), 'row 1: "accuracy" is 0.99, and 5 of 6 are correct'),
        (lambda data: data["rows"][0].update(accuracy=None), 'row 1: "accuracy" is nothing'),
        (lambda data: data["rows"][0].update(step_reduction=-1), '"step_reduction" must be a number above 0, not -1'),
        (lambda data: data["rows"][0].update(mean_forward_passes="9"), '"mean_forward_passes" must be a number'),
        (lambda data: data["rows"][0].update(settings=[{}, {}]), "row 1: a file of one task has one entry"),
        (lambda data: data["rows"][0].update(settings=[{"tau": 1}]), '"name" must be text'),
        (lambda data: data["rows"][0]["by_difficulty"]["groups"][2].update(n="many"), "row 1, group 3"),
        (lambda data: data["comparisons"][0].update(p_value=2), "comparison 1"),
    ],
)
def test_a_broken_file_is_named_with_the_place_that_is_wrong(tmp_path: Path, change, words):
    said = broken(tmp_path, change)
    assert said.startswith("tradeoff-arithmetic-llada-mini.json can’t be shown: ")
    assert words in said and "\n" not in said


@pytest.mark.parametrize("key", ["plain_ms", "shadow_ms", "plain_mb", "shadow_mb", "full_attention_ms", "tokens"])
def test_a_row_of_the_shadow_block_needs_all_its_numbers(tmp_path: Path, key: str):
    path = write_shadow(tmp_path, [SHADOW_ROW, {**SHADOW_ROW, key: 0}])
    with pytest.raises(ResultError, match=f'row 2: "{key}" must be a number above 0'):
        read_result(path)


def test_one_broken_file_hides_no_other(tmp_path: Path):
    write_result(tmp_path, TRADEOFF)
    (tmp_path / "grid-arithmetic-llada-mini.json").write_text("{", encoding="utf-8")
    (tmp_path / "tradeoff-x.json").write_bytes(b"\xff\xfe")
    (tmp_path / "shadow.json").write_text(" " * (MAX_BYTES + 1))
    results = read_results(tmp_path)
    assert [file.name for file in results.files] == ["tradeoff-arithmetic-llada-mini.json"]
    assert [fault.split()[0] for fault in results.faults] == [
        "grid-arithmetic-llada-mini.json",
        "shadow.json",
        "tradeoff-x.json",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    value=JSON, key=st.sampled_from(["settings", "by_difficulty", "n", "accuracy", "decoder", "mean_forward_passes"])
)
def test_no_value_in_a_row_breaks_the_reading(tmp_path_factory, value, key):
    folder = tmp_path_factory.mktemp("any")
    path = write_result(folder, TRADEOFF, specs=["wino"])
    data = json.loads(path.read_text())
    data["rows"][0][key] = value
    path.write_text(json.dumps(data))
    results = read_results(folder)
    assert len(results.files) + len(results.faults) == 1


def test_the_files_that_ship_can_all_be_read():
    results = read_results()
    assert results.faults == ()
    assert all(file.about["commit"] and file.about["weights_sha256"] for file in results.files)
