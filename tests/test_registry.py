"""The tasks by name: a record of each is read, asked and judged, and a bad one is refused with a sentence."""

import json
from random import Random

import pytest

from wino_viz.models.presets import Preset
from wino_viz.problems import asked_problem, known_problem
from wino_viz.session import Session
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import TASKS, check_record, judge, prompt_of, read_record

IN_WORDS = (arithmetic, countdown, sudoku)


@pytest.mark.parametrize("task", IN_WORDS)
def test_a_generated_record_is_read_asked_and_judged(task):
    rng = Random(1)
    for _ in range(20):
        example = task.generate(rng, "test")
        record = read_record(json.dumps(task.record(example)))
        assert record == task.record(example)
        assert prompt_of(record) == example.question
        judged = judge(record, example.worked)
        assert judged.correct is True and judged.faithful and judged.foreign == ()
        assert judged.text.startswith("Right: ") and judged.to_dict() == {
            "correct": True,
            "faithful": True,
            "text": judged.text,
        }
        assert judge(record, "").correct is False


@pytest.mark.parametrize("task", ["countdown", "sudoku"])
def test_a_prompt_is_judged_by_the_record_that_asks_it_and_an_edited_one_is_not(task):
    module = {"countdown": countdown, "sudoku": sudoku}[task]
    example = module.generate(Random(2), "test")
    record = module.record(example)
    assert known_problem(f" {example.question}\n", record) == record
    edited = f"{example.question} Please!"
    assert known_problem(edited, record) == {"task": "arithmetic", "question": edited}


def test_what_a_text_says_against_the_problem_is_foreign():
    row = {"task": "countdown", "numbers": [30, 100, 93], "target": 23}
    judged = judge(row, "7+16=23")
    assert (judged.correct, judged.faithful, judged.foreign) == (False, False, ("7+16=23",))
    row = {"task": "sudoku", "puzzle": "3102200002100320", "solution": "3142243142131324"}
    judged = judge(row, "4142243142131324")
    assert (judged.correct, judged.faithful) == (False, False)
    assert judged.foreign == ("4 in row 1, column 1 (given: 3)",)


def test_cells_are_counted_for_sudokus_with_a_solution_alone():
    row = {"task": "sudoku", "puzzle": "3102200002100320", "solution": "3142243142131324"}
    assert judge(row, "3142243142131321").cells == (7, 8)
    assert judge({**row, "solution": None}, row["solution"]).cells is None
    assert judge({"task": "countdown", "numbers": [1, 2, 3], "target": 6}, "1+2+3=6").cells is None


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"task": "chess"}, r'line 3: "task" must be one of arithmetic, countdown, sudoku, caption, vqa, not .chess.'),
        ({"task": "countdown", "target": 23}, 'line 3: "numbers" must be a list of three whole numbers'),
        ({"task": "countdown", "numbers": [1, 2, 3], "target": None}, 'line 3: "target" must be a whole number'),
        ({"task": "sudoku"}, 'line 3: "puzzle" must be text of 16 digits'),
        ({"task": "sudoku", "puzzle": "3102200002100320", "solution": 1}, 'line 3: "solution" must be text of 16'),
    ],
)
def test_a_bad_record_is_refused_with_a_sentence(record, says):
    with pytest.raises(ValueError, match=says):
        check_record(record, "line 3")


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_model_without_a_preset_for_a_task_takes_the_plain_lengths(task, tmp_path):
    session = Session(str(tmp_path), task=task)
    assert (session.gen_length, session.block_length) == (Preset().gen_length, Preset().block_length)
    assert session.parse("wino").tau1 == 0.6 and session.settings("threshold").tau == 0.9


def test_a_question_about_a_picture_is_never_taken_for_a_sudoku():
    record = {"task": "vqa", "image": "p.png", "question": "3302200002100320"}
    assert asked_problem("3302200002100320", record)["task"] == "vqa"
    with pytest.raises(ValueError, match="this sudoku contradicts itself"):
        asked_problem("3302200002100320", None)
