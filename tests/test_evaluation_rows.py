"""Figures of items that are made up: intervals, comparisons, and what differs between tasks."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wino_viz.evaluation.intervals import mcnemar, wilson
from wino_viz.evaluation.rows import comparisons_of, difficulty_of, rows_of

ARITHMETIC = [{"task": "arithmetic", "question": "?", "answer": 3, "steps": steps} for steps in (2, 2, 3)]
SUDOKU = [
    {"task": "sudoku", "puzzle": "3102200002100320", "solution": "3142243142131324"},
    {"task": "sudoku", "puzzle": "3142243142131320", "solution": "3142243142131324"},
]
COUNTDOWN = {"task": "countdown", "numbers": [30, 100, 93], "target": 23}


def item(decoder: str, index: int, record: dict, correct: bool | None, passes: int = 4, **more) -> dict:
    difficulty = difficulty_of(record)
    return {
        "decoder": decoder,
        "settings": {"name": decoder},
        "index": index,
        "task": record["task"],
        **({} if difficulty is None else {"difficulty": difficulty}),
        "text": "…",
        "correct": correct,
        "faithful": True,
        "foreign": [],
        "gen_length": 32,
        "forward_passes": passes,
        "revocations": 1,
        "model_seconds": 0.5,
        **more,
    }


@given(st.integers(1, 2000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_ends_where_the_share_would_be_1_96_deviations_away(counts):
    right, of = counts
    low, high = wilson(right, of)
    assert 0 <= low <= right / of <= high <= 1
    for p in (low, high):
        if 0 < p < 1:
            assert abs(right / of - p) == pytest.approx(1.959964 * sqrt(p * (1 - p) / of), rel=1e-5)
    assert (low == 0, high == 1) == (right == 0, right == of)
    assert wilson(of - right, of) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(  # scipy.stats.binomtest(first, first + second).pvalue
    ("first", "second", "p"),
    [(0, 0, 1), (1, 0, 1), (3, 3, 1), (12, 4, 0.076812744140625), (1, 9, 0.021484375), (250, 200, 0.020791800)],
)
def test_mcnemars_p_is_that_of_so_many_coins(first, second, p):
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(p, abs=1e-6)


def test_a_row_has_an_interval_and_none_without_known_answers():
    items = [item("wino", n, record, n != 1) for n, record in enumerate(ARITHMETIC)]
    row = rows_of(["wino"], items, ARITHMETIC)[0]
    assert (row["n"], row["correct"], row["accuracy_interval"]) == (3, 2, list(wilson(2, 3)))
    items = [item("wino", n, record, None) for n, record in enumerate(ARITHMETIC)]
    row = rows_of(["wino"], items, ARITHMETIC)[0]
    assert (row["judged"], row["accuracy"], row["accuracy_interval"]) == (0, None, None)


def test_every_pair_is_compared_on_the_problems_it_shares():
    right = {"a": [True, True, False], "b": [False, True, True], "c": [False, None, True]}
    items = [item(name, n, ARITHMETIC[n], right[name][n]) for name in right for n in range(3)]
    ab, ac, bc = comparisons_of(["a", "b", "c"], items)
    assert ab == {"decoders": ["a", "b"], "n": 3, "only_first": 1, "only_second": 1, "p_value": 1.0}
    assert (ac["n"], ac["only_first"], ac["only_second"]) == (2, 1, 1)
    assert (bc["decoders"], bc["n"], bc["only_first"], bc["only_second"], bc["p_value"]) == (["b", "c"], 2, 0, 0, 1)


def test_nothing_is_compared_where_no_answer_is_known():
    items = [item(name, 0, ARITHMETIC[0], None) for name in ("a", "b")]
    assert comparisons_of(["a", "b"], items) == []


def test_problems_are_grouped_by_their_difficulty():
    items = [item("wino", n, ARITHMETIC[n], n > 0, passes=2 + n) for n in range(3)]
    found = rows_of(["wino"], items, ARITHMETIC)[0]["by_difficulty"]
    assert found["unit"] == "steps"
    two, three = found["groups"]
    assert (two["difficulty"], two["n"], two["correct"], two["accuracy"]) == (2, 2, 1, 0.5)
    assert two["accuracy_interval"] == list(wilson(1, 2))
    assert (two["mean_forward_passes"], two["step_reduction"]) == (2.5, 32 / 2.5)
    assert (three["difficulty"], three["n"], three["mean_forward_passes"]) == (3, 1, 4)


@pytest.mark.parametrize(
    ("record", "difficulty"),
    [
        (ARITHMETIC[2], 3),
        ({"task": "arithmetic", "question": "?"}, None),
        ({"task": "arithmetic", "question": "?", "steps": "many"}, None),
        (COUNTDOWN, 2),
        (SUDOKU[0], 8),
        ({"task": "caption", "image": "a.png"}, None),
    ],
)
def test_a_record_tells_how_hard_it_is(record, difficulty):
    assert difficulty_of(record) == difficulty


def test_cells_are_counted_over_all_puzzles_and_puzzles_as_a_whole():
    items = [item("wino", 0, SUDOKU[0], False, cells=[5, 8]), item("wino", 1, SUDOKU[1], True, cells=[1, 1])]
    row = rows_of(["wino"], items, SUDOKU)[0]
    assert (row["accuracy"], row["cells"], row["cell_accuracy"]) == (0.5, [6, 9], 6 / 9)
    assert row["by_difficulty"]["unit"] == "empty cells"
    assert "by_task" not in row


def test_a_mixed_file_has_figures_over_all_and_per_task():
    records = [*ARITHMETIC, *SUDOKU]
    items = [item(name, n, records[n], n % 2 == 0) for name in ("a", "b") for n in range(5)]
    items[4]["cells"] = [8, 8]
    row, other = rows_of(["a", "b"], items, records)
    assert (row["n"], row["correct"]) == (5, 3)
    assert "by_difficulty" not in row  # steps and cells don't add up
    assert list(row["by_task"]) == ["arithmetic", "sudoku"]
    assert (row["by_task"]["arithmetic"]["n"], row["by_task"]["arithmetic"]["correct"]) == (3, 2)
    assert (row["by_task"]["sudoku"]["n"], row["by_task"]["sudoku"]["cell_accuracy"]) == (2, 1)
    assert row["by_task"]["sudoku"]["by_difficulty"]["unit"] == "empty cells"
    assert "cell_accuracy" not in other
    (pair,) = comparisons_of(["a", "b"], items)
    assert {task: entry["n"] for task, entry in pair["by_task"].items()} == {"arithmetic": 3, "sudoku": 2}


def test_problems_that_say_their_kind_are_counted_by_it():
    records = [{**record, "kind": kind} for record, kind in zip(ARITHMETIC, ("old", "new", "old"), strict=True)]
    row = rows_of(["a"], [item("a", n, records[n], n == 0) for n in range(3)], records)[0]
    assert row["by_kind"] == {"new": [0, 1], "old": [1, 2]}
