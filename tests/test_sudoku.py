"""The sudoku task: what puzzles it makes, how its cells become tokens, and what the checker accepts."""

import json
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wino_viz.cli import main as cli
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.sudoku import Example, check, completions, generate, question, read_grid, record, split_of
from wino_viz.training.tokenizer import TURN_END, train_tokenizer

ROW = {"task": "sudoku", "puzzle": "3102200002100320", "solution": "3142243142131324"}
OPEN = {"task": "sudoku", "puzzle": "1200340021004300", "solution": "1234341221434321"}  # has several completions


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = Random(7)
    return [generate(rng) for _ in range(4000)]


def is_valid(grid: str) -> bool:
    """The rules, written another way than in the module."""
    table = [grid[start : start + 4] for start in (0, 4, 8, 12)]
    squares = [table[r][c : c + 2] + table[r + 1][c : c + 2] for r in (0, 2) for c in (0, 2)]
    return all(sorted(unit) == list("1234") for unit in [*table, *map("".join, zip(*table, strict=True)), *squares])


def solve(puzzle: str) -> list[str]:
    """Every completion, by trying values cell by cell: nothing is known here of the 288 grids."""
    if "0" not in puzzle:
        return [puzzle] if is_valid(puzzle) else []
    cell = puzzle.index("0")
    row, column = divmod(cell, 4)
    seen = {
        puzzle[other]
        for other in range(16)
        if other // 4 == row or other % 4 == column or (other // 8, other % 4 // 2) == (cell // 8, column // 2)
    }
    return [grid for value in "1234" if value not in seen for grid in solve(puzzle[:cell] + value + puzzle[cell + 1 :])]


# Puzzles


def test_there_are_288_grids():
    grids = completions("0" * 16)
    assert len(grids) == len(set(grids)) == 288 and all(map(is_valid, grids))


def test_a_puzzle_is_its_solution_without_4_to_12_cells(examples):
    for example in examples:
        assert is_valid(example.solution)
        assert all(given in ("0", cell) for given, cell in zip(example.puzzle, example.solution, strict=True))
    empty = Counter(example.puzzle.count("0") for example in examples)
    assert set(empty) == set(range(4, 13))
    assert all(360 < count < 530 for count in empty.values()), empty  # 4000 / 9 = 444, standard deviation 20
    assert len({example.solution for example in examples}) == 288


def test_cells_are_emptied_everywhere_alike(examples):
    emptied = [sum(example.puzzle[cell] == "0" for example in examples) for cell in range(16)]
    assert all(1850 < count < 2150 for count in emptied), emptied


@pytest.mark.parametrize("empty", [4, 8, 12])
def test_the_number_of_empty_cells_is_what_was_asked_for(empty):
    assert all(generate(Random(seed), empty=empty).puzzle.count("0") == empty for seed in range(30))


def test_completions_are_those_that_trying_finds(examples):
    several = 0
    for example in examples[:400]:
        found = completions(example.puzzle)
        assert found == solve(example.puzzle) and example.solution in found
        several += len(found) > 1
    assert several > 50
    assert completions("1100" + "0" * 12) == []


def test_of_8_empty_cells_about_a_quarter_of_the_puzzles_have_several_completions():
    """As in the paper's test file, where 124 of 500 have."""
    rng = Random(2)
    several = sum(len(completions(generate(rng, empty=8).puzzle)) > 1 for _ in range(1000))
    assert 160 < several < 290


def test_each_completion_of_a_puzzle_is_equally_likely_to_be_its_solution():
    """What the docstring promises of a model's confidence rests on it."""
    rng, places = Random(4), Counter()
    while sum(places.values()) < 1000:
        example = generate(rng, empty=8)
        found = completions(example.puzzle)
        if len(found) == 2:
            places[found.index(example.solution)] += 1
    assert 440 < places[0] < 560


def test_the_same_state_of_the_generator_gives_the_same_puzzle():
    first, second = Random(5), Random(5)
    assert [generate(first, "validation") for _ in range(3)] == [generate(second, "validation") for _ in range(3)]


@pytest.mark.parametrize("bad", [3, 13, 8.0, True, "8"])
def test_a_wrong_number_of_cells_is_named(bad):
    with pytest.raises(ValueError, match=r"empty .*4 to 12"):
        generate(Random(0), empty=bad)


def test_a_wrong_split_is_named():
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        generate(Random(0), "dev")


# Splits


def test_splits_share_no_puzzle():
    rng = Random(11)
    seen = {split: {generate(rng, split).puzzle for _ in range(300)} for split in sudoku.SPLITS}
    assert all(split_of(puzzle) == split for split, puzzles in seen.items() for puzzle in puzzles)
    assert not seen["train"] & seen["test"] and not seen["validation"] & (seen["train"] | seen["test"])


def test_puzzles_fall_98_1_1_and_do_not_move():
    """The hash must be stable: a puzzle that changes its split would leak a test puzzle into training."""
    rng = Random(13)
    splits = Counter(split_of(f"{rng.randrange(10**16):016}") for _ in range(20000))
    assert 0.97 < splits["train"] / 20000 < 0.99 and 0.007 < splits["test"] / 20000 < 0.013
    assert [n for n in range(200) if split_of(f"{n:016}") == "test"] == [55, 72]


# Words and tokens


def test_there_is_one_wording():
    assert question(ROW) == "Fill in the zeros of this 4x4 sudoku: 3102200002100320"
    example = Example(ROW["puzzle"], ROW["solution"])
    assert (example.question, example.worked, record(example)) == (question(ROW), ROW["solution"], ROW)
    assert question({"puzzle": ROW["puzzle"]}) == question(ROW)


def test_every_cell_is_one_token_at_a_fixed_place(examples):
    """With the project's tokenizer on a mixed corpus, where 16 digits are no rare sight."""
    rng = Random(3)
    made = [task.generate(rng) for task in (arithmetic, countdown, sudoku) for _ in range(300)]
    tokenizer = train_tokenizer([text for one in made for text in (one.question, one.worked)], 1536)
    starts = set()
    for example in examples[:500]:
        assert tokenizer.tokenize(example.worked + TURN_END) == [*example.solution, TURN_END]
        asked = tokenizer.tokenize(example.question)
        assert asked[-16:] == list(example.puzzle)
        starts.add(tuple(asked[:-16]))
    assert len(starts) == 1 and len(starts.pop()) <= 20


# The checker


def test_every_generated_solution_and_every_completion_is_right(examples):
    for example in examples[:500]:
        row, empty = record(example), example.puzzle.count("0")
        verdict = check(row, example.worked + "<|eot_id|>")
        assert (verdict.correct, verdict.grid, verdict.cells) == (True, example.solution, (empty, empty))
        assert verdict.faithful and verdict.foreign == ()
        for grid in solve(example.puzzle):
            verdict = check(row, grid)
            right = sum(a == b for a, b in zip(grid, example.solution, strict=True)) - 16 + empty
            assert verdict.correct and verdict.faithful and verdict.cells == (right, empty)


def test_a_changed_cell_makes_it_wrong(examples):
    rng = Random(9)
    for example in examples[:500]:
        cell = rng.randrange(16)
        value = rng.choice([value for value in "01234567" if value != example.solution[cell]])
        text = example.solution[:cell] + value + example.solution[cell + 1 :]
        verdict = check(record(example), text)
        is_given = example.puzzle[cell] != "0"
        assert not verdict.correct and verdict.text.startswith("Wrong: ")
        assert verdict.faithful == (not is_given) and len(verdict.foreign) == is_given
        assert verdict.cells[0] == verdict.cells[1] - (not is_given)


def test_a_valid_grid_that_does_not_keep_the_givens_is_wrong(examples):
    grids = completions("0" * 16)
    for example in examples[:100]:
        for grid in grids[::17]:
            assert check(record(example), grid).correct == (grid in solve(example.puzzle))


def test_the_sentences():
    assert check(ROW, ROW["solution"]).text == "Right: a valid grid that keeps the givens."
    other = next(grid for grid in completions(OPEN["puzzle"]) if grid != OPEN["solution"])
    words = check(OPEN, other).text
    assert words.startswith("Right: a valid grid that keeps the givens; the puzzle has more than one solution. ")
    assert re.search(r"\d of 8 empty cells are as in the solution noted with it\.$", words)
    assert check({"puzzle": OPEN["puzzle"]}, other).text == "Right: a valid grid that keeps the givens."
    assert check({"puzzle": OPEN["puzzle"]}, other).cells is None
    assert check(ROW, "no idea").text == "Wrong: it holds no grid of 16 cells."
    assert check(ROW, "no idea").cells == (0, 8)
    assert check(ROW, "3142243142131342").text == (
        "Wrong: 4 twice in column 3; 2 twice in column 4. Not as given: 4 in row 4, column 3 (given: 2). "
        "7 of 8 empty cells are as in the solution."
    )
    assert "Wrong: 1 4 times in row 1; 1 4 times in row 2; 1 4 times in row 3; 9 more." in check(ROW, "1" * 16).text
    assert "5 is not 1 to 4" in check(ROW, "5142243142131324").text
    changed = check(ROW, "4132231432411423")
    assert changed.text.startswith("Wrong: it changes what is given. Not as given: 4 in row 1, column 1 (given: 3)")


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("3142243142131324", ROW["solution"]),
        ("3142\n2431\n4213\n1324", ROW["solution"]),
        ("3142 2431 4213 1324", ROW["solution"]),
        ("3 1 4 2\r\n2 4 3 1\r\n4 2 1 3\r\n1 3 2 4\r\n", ROW["solution"]),
        ("| 3 | 1 | 4 | 2 |\n| 2 | 4 | 3 | 1 |\n| 4 | 2 | 1 | 3 |\n| 1 | 3 | 2 | 4 |", ROW["solution"]),
        ("The 4x4 grid with 16 cells: <answer>3142243142131324</answer>, found in 3 steps", ROW["solution"]),
        ("3102200002100320 is 3142243142131324.", ROW["solution"]),
        ("3102200002100320\n3142243142131324", ROW["solution"]),
        ("3102\n2000\n0210\n0320\n\n3142\n2431\n4213\n1324", ROW["solution"]),
        ("31422431421313244", None),
        ("3142 2431 4213 1324 4", None),
        ("4 3142 2431 4213 1324", None),
        ("3102200002100320" + ROW["solution"], None),
        ("314224314213132", None),
        ("3142a2431a4213a1324", None),
        ("٣١٤٢٢٤٣١٤٢١٣١٣٢٤", None),
        ("", None),
    ],
)
def test_the_grid_is_the_last_16_digits_that_stand_together(text, grid):
    assert read_grid(text) == grid


@given(st.text() | st.text(alphabet="01234 \n|,5²", max_size=200))
def test_the_checker_survives_any_text(text):
    verdict = check(ROW, text)
    assert verdict.correct == (verdict.grid == ROW["solution"])  # it has one completion
    assert verdict.faithful == (not verdict.foreign) and verdict.text.startswith(("Right", "Wrong"))


@pytest.mark.parametrize("piece", ["1", "1 ", " ", ",", "|", "1x", "3142243142131324 ", "1" + " " * 50, "\n"])
def test_the_checker_is_quick_on_hostile_text(piece):
    assert len(check(ROW, "1" + piece * 20000).text) < 1000


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([], "must be an object"),
        ({}, '"puzzle" must be text of 16 digits from 0 to 4, 0 for an empty cell, not nothing'),
        ({"puzzle": 3102200002100320}, "not 3102200002100320"),
        ({"puzzle": "310220000210032"}, "not '310220000210032'"),
        ({"puzzle": "3102200002100320\n"}, "not '3102200002100320\\n'"),
        ({"puzzle": "5102200002100320"}, "not '5102200002100320'"),
        ({"puzzle": "1" * 5000}, "…"),
        ({"puzzle": "3142243142131324"}, "has no empty cell"),
        ({"puzzle": "3302200002100320"}, "can't be solved: no valid grid keeps its givens"),
        ({**ROW, "solution": 3142243142131324}, '"solution" must be text of 16 digits from 1 to 4'),
        ({**ROW, "solution": "3142243142131320"}, '"solution" must be text of 16 digits from 1 to 4'),
        ({**ROW, "solution": "1342243142131324"}, "is no valid grid that keeps the givens of 3102200002100320"),
        ({**ROW, "solution": "1234341221434321"}, "is no valid grid that keeps the givens of 3102200002100320"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(row, says):
    for use in (lambda: check(row, ""), lambda: question(row)):
        with pytest.raises(ValueError, match=re.escape(says)):
            use()


# The commands


def run(*arguments: str):
    command = [sys.executable, "-m", "wino_viz.tasks.sudoku", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_records(tmp_path):
    out = tmp_path / "test.jsonl"
    options = ("--split", "test", "--count", "40", "--seed", "3")
    assert run(*options, "--out", str(out)).returncode == 0
    printed = run(*options)
    assert printed.returncode == 0 and printed.stderr == "" and printed.stdout == out.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert len({row["puzzle"] for row in rows}) == 40
    assert all(split_of(row["puzzle"]) == "test" and check(row, row["solution"]).correct for row in rows)


def test_a_file_has_no_puzzle_twice(monkeypatch, capsys):
    one, other = generate(Random(1)), generate(Random(2))
    repeated = [one, one, other]
    monkeypatch.setattr(sudoku, "generate", lambda *_: repeated.pop(0))
    assert sudoku.main(["--count", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [json.dumps(record(one)), json.dumps(record(other))]


@pytest.mark.parametrize("arguments", [("--split", "dev"), ("--count", "10001"), ("--out", "/nonexistent/x.jsonl")])
def test_bad_arguments_exit_2_with_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        sudoku.main(list(arguments))
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1 and arguments[1].split("/")[0] in error


def test_a_file_of_puzzles_is_evaluated_by_a_model_that_has_no_preset_for_them(tmp_path, capsys):
    data, out = tmp_path / "puzzles.jsonl", tmp_path / "result.json"
    data.write_text("\n".join(json.dumps(row) for row in (ROW, OPEN)))
    lengths = ("--gen-length", "32", "--block-length", "32")
    assert cli(["eval", "--decoders", "threshold", "--data", str(data), *lengths, "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["rows"][0]["n"] == result["rows"][0]["judged"] == 2
    assert "| threshold | 2 |" in capsys.readouterr().out


def test_a_bad_line_of_a_file_is_named(tmp_path, capsys):
    data = tmp_path / "puzzles.jsonl"
    data.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "puzzle": "0"}))
    assert cli(["eval", "--decoders", "wino", "--data", str(data)]) == 2
    error = capsys.readouterr().err
    assert f"{data}, line 2: " in error and '"puzzle" must be text of 16 digits' in error and error.count("\n") == 1
