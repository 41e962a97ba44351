"""Problems as people type them: known by their wording or written bare, and refused with a sentence."""

from random import Random

import pytest

from wino_viz.problems import about, read_problem
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import prompt_of

COUNTDOWN = {"task": "countdown", "numbers": [30, 100, 93], "target": 23}
SUDOKU = {"task": "sudoku", "puzzle": "3102200002100320"}


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("30, 100, 93 -> 23", COUNTDOWN),
        (" 30 100 93 = 23\n", COUNTDOWN),
        ("30, 100 and 93 → 23", COUNTDOWN),
        ("Make 23 from 30, 100 and 93.", COUNTDOWN),
        ("make 23  from 30, 100 and 93", COUNTDOWN),
        ("3102200002100320", SUDOKU),
        ("31.2 2... .21. .32.", SUDOKU),
        ("31.2|2...\n.21.|.32.", SUDOKU),
        ("fill in the zeros of this 4x4 sudoku:\n3102\n2000\n0210\n0320", SUDOKU),
    ],
)
def test_a_countdown_or_a_sudoku_is_known_by_its_wording_or_bare(text, record):
    assert read_problem(text) == record


@pytest.mark.parametrize("task", [countdown, sudoku])
def test_every_question_of_a_task_is_read_as_its_record(task):
    rng = Random(3)
    for _ in range(200):
        record = task.record(task.generate(rng))
        assert prompt_of(read_problem(prompt_of(record))) == prompt_of(record)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "12+5=17",
        "Hello",
        "Make 23 from what is here.",
        "1 2 3",
        "9" * 5000,
        "1" * 300,
        "Add 30, 100 -> 23 now",
    ],
)
def test_other_texts_are_word_problems(text):
    assert read_problem(text) is None


def test_a_word_problem_is_never_taken_for_another_task():
    rng = Random(4)
    assert all(read_problem(arithmetic.generate(rng).question) is None for _ in range(300))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("31022000021003", "has 16 cells, written row by row with 0 or . for an empty one; this has 14"),
        ("Fill in the zeros of this 4x4 sudoku: 31", "this has 2"),
        ("3102200002100327", "is 1 to 4, or 0 or . where it is empty; 7 is neither"),
        ("3302200002100320", "contradicts itself: 3 twice in row 1"),
        ("3142243142131324", "has no empty cell"),
        ("1200003000000004", "has no solution: no grid keeps all that is given"),
        ("30, 100 -> 23", "has three numbers and a target, as in 30, 100, 93 -> 23; this has 2"),
        ("1, 2, 3, 4 = 5", "this has 4"),
        ("0, 100, 93 -> 23", "the numbers of a countdown are 1 to 999, and 0 is not"),
        ("Make 23 from 30, 1000 and 93.", "and 1000 is not"),
        ("30, 100, 93 -> 1000000", "the target of a countdown is 1 to 999,999, and 1000000 is not"),
    ],
)
def test_what_is_meant_as_one_and_is_none_gets_a_sentence(text, sentence):
    with pytest.raises(ValueError) as refused:
        read_problem(text)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30, 100, 93 -> 23", "A countdown."),
        ("2, 2, 2 -> 100", "100 can’t be reached with 2, 2 and 2: no answer can be right."),
        ("3102200002100320", "A sudoku with one solution."),
        ("1000000000000000", "A sudoku with 72 solutions; any of them is right."),
    ],
)
def test_what_is_known_before_a_run_is_said(text, words):
    assert about(read_problem(text)) == words


def test_nothing_is_said_of_a_word_problem():
    assert about({"task": "arithmetic", "question": "How many?"}) == ""
