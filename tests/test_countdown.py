"""The countdown task: what problems it makes, which of several answers it teaches, and what the checker accepts."""

import json
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wino_viz.cli import main as cli
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.countdown import Example, check, generate, key, question, record, split_of, work
from wino_viz.training.tokenizer import TURN_END, train_tokenizer

ROW = {"task": "countdown", "numbers": [30, 100, 93], "target": 23}
STEP = re.compile(r" *(\d+)([-+*/]) *(\d+)= *(\d+)")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = Random(7)
    return [generate(rng) for _ in range(5000)]


def values(left: Fraction, right: Fraction) -> list[Fraction]:
    quotients = [left / right] if right else []
    return [left + right, left - right, left * right, *quotients]


def reachable(numbers) -> set[int]:
    """Every positive whole target of any expression, by trying all of them with exact fractions."""
    found = set()
    for a, b, c in permutations(map(Fraction, numbers)):
        for first in values(a, b):
            found |= {*values(first, c), *values(c, first)}
    return {int(value) for value in found if value > 0 and value.denominator == 1}


# Problems


def test_every_worked_answer_is_two_true_steps_that_use_each_number_once_and_end_in_the_target(examples):
    for example in examples:
        first, second = (STEP.fullmatch(line) for line in example.worked.split("\n"))
        left = list(example.numbers)
        for step in (first, second):
            a, operator, b, result = int(step[1]), step[2], int(step[3]), int(step[4])
            left.remove(a)
            left.remove(b)
            left.append(result)
            exact = {"+": a + b, "-": a - b, "*": a * b, "/": Fraction(a, b)}[operator]
            assert exact == result >= 1
        assert left == [example.target] and 1 <= example.target <= 100


def test_every_generated_answer_checks_as_correct_and_faithful(examples):
    for example in examples:
        verdict = check(record(example), example.worked)
        assert (verdict.correct, verdict.faithful, verdict.foreign, verdict.wrong_equations) == (True, True, (), ())
        assert verdict.value == example.target and verdict.text.startswith("Right: ")
        assert check(record(example), example.worked.replace("\n", ", ") + "<|eot_id|>").correct


def test_a_number_changed_in_an_answer_makes_it_wrong(examples):
    rng = Random(8)
    for example in examples[:1000]:
        place = rng.choice([match.start() for match in re.finditer(r"\d", example.worked)])
        digit = str((int(example.worked[place]) + rng.randint(1, 9)) % 10)
        changed = example.worked[:place] + digit + example.worked[place + 1 :]
        if STEP.findall(changed) != STEP.findall(example.worked):
            assert not check(record(example), changed).correct, changed


@pytest.mark.parametrize("highest", [6, 30, 100])
def test_whole_numbers_on_the_way_reach_all_that_fractions_and_negative_numbers_reach(highest):
    rng = Random(highest)
    for _ in range(400):
        numbers = [rng.randint(1, highest) for _ in range(3)]
        solved = {target for target, _ in countdown.solutions(numbers)}
        assert solved == reachable(numbers), numbers
        target = rng.choice(sorted(solved))
        assert check({"numbers": numbers, "target": target}, work(numbers, target)).correct
        missing = next(target for target in range(1, 10**6) if target not in solved)
        assert work(numbers, missing) is None


def test_one_way_is_taught_where_there_are_several():
    assert written([30, 100, 93], 23) == "30+93=123 123-100=23"  # not 100-93=7, 30-7=23
    assert written([93, 100, 30], 23) == "93+30=123 123-100=23"  # places may change: as in the question
    assert written([30, 100, 47], 23) == "30+47=77 100-77=23"  # not 100-30=70, 70-47=23
    assert written([2, 3, 1], 6) == "2+3=5 5+1=6"  # not 2*3=6, 6*1=6
    assert written([90, 43, 90], 43) == "90+43=133 133-90=43"
    assert written([92, 1, 1], 46) == "1+1=2 92/2=46"
    assert written([50, 4, 5], 30) == "4*5=20 50-20=30"
    assert written([8, 4, 3], 6) == "8*3=24 24/4=6"


def written(numbers: list[int], target: int) -> str:
    return work(numbers, target).replace(" ", "").replace("\n", " ")


def test_every_number_and_sign_has_a_place_of_its_own(examples):
    assert work([30, 100, 93], 23) == " 30+ 93=123\n123-100= 23"
    assert work([5, 9, 1], 15) == "  5+  9= 14\n 14+  1= 15"
    assert work([85, 60, 51], 100) == " 85* 60=5100\n5100/ 51=100"  # four digits take what they need
    usual = [example.worked for example in examples if not re.search(r"\d{4}", example.worked)]
    assert len(usual) > 0.99 * len(examples)
    assert {re.sub(r"[ \d]", "n", text.translate(str.maketrans("-*/", "+++"))) for text in usual} == {
        "nnn+nnn=nnn\nnnn+nnn=nnn"
    }


def test_additions_and_subtractions_come_first(examples):
    """A multiplication or division stands only where nothing simpler reaches the target."""
    for example in examples:
        a, b, c = example.numbers
        simple = {abs(value) for value in (a + b + c, a + b - c, a - b + c, b + c - a)}
        assert (example.target in simple) == (not re.search(r"[*/]", example.worked)), example


def test_the_first_equation_is_a_sum_unless_a_multiplication_or_division_is_needed(examples):
    for example in examples:
        if not re.search(r"[*/]", example.worked):
            assert STEP.match(example.worked)[2] == "+"


def test_the_first_result_opens_the_second_equation_wherever_it_can(examples):
    for example in examples:
        first, second = (STEP.fullmatch(line) for line in example.worked.split("\n"))
        if first[4] != second[1]:
            assert (first[2], second[2]) in {("+", "-"), ("*", "-"), ("/", "-"), ("+", "/"), ("-", "/")}


def test_hard_problems_need_a_multiplication_or_division(examples):
    rng = Random(9)
    made = [generate(rng, hard=True) for _ in range(300)]
    assert all(re.search(r"[*/]", example.worked) for example in made)
    assert {split_of(example.numbers, example.target) for example in made} == {"train"}


def test_problems_are_of_all_kinds(examples):
    pairs = Counter("".join(re.findall(r"[-+*/]", example.worked)) for example in examples)
    assert set(pairs) >= {"++", "+-", "*+", "*-", "/+", "/-", "+*", "-*", "+/", "-/", "*/"}
    needing = sum(count for pair, count in pairs.items() if set(pair) & set("*/"))
    assert 0.29 < needing / len(examples) < 0.35
    assert 0.05 < sum(len(set(example.numbers)) < 3 for example in examples) / len(examples) < 0.12
    numbers = Counter(number for example in examples for number in example.numbers)
    assert set(numbers) == set(range(1, 101)) == {example.target for example in examples}


def test_the_same_state_of_the_generator_gives_the_same_problem():
    first, second = Random(5), Random(5)
    assert [generate(first, "validation") for _ in range(3)] == [generate(second, "validation") for _ in range(3)]


def test_a_wrong_split_is_named():
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        generate(Random(0), "dev")


def test_an_example_without_an_answer_says_so():
    with pytest.raises(ValueError, match="99 can't be reached with 1, 1, 1"):
        _ = Example((1, 1, 1), 99).worked


# Splits


def test_splits_share_no_problem_in_any_order_of_its_numbers():
    rng = Random(11)
    keys = {split: set() for split in countdown.SPLITS}
    for split, seen in keys.items():
        for _ in range(200):
            example = generate(rng, split)
            seen.add(key(example.numbers, example.target))
            for numbers in permutations(example.numbers):
                assert split_of(numbers, example.target) == split
    assert not keys["train"] & keys["test"] and not keys["validation"] & (keys["train"] | keys["test"])


def test_problems_fall_98_1_1_and_do_not_move():
    """The hash must be stable: a problem that changes its split would leak a test problem into training."""
    rng = Random(13)
    problems = [(sorted(rng.sample(range(1, 101), 3)), rng.randint(1, 100)) for _ in range(20000)]
    splits = Counter(split_of(*problem) for problem in problems)
    assert 0.97 < splits["train"] / 20000 < 0.99 and 0.007 < splits["test"] / 20000 < 0.013
    assert key((30, 100, 93), 23) == "countdown 30,93,100 23"
    assert [target for target in range(1, 101) if split_of((7, 50, 3), target) == "test"] == [42, 62]


# The words


def test_there_is_one_wording_for_any_numbers():
    assert question(ROW) == "Make 23 from 30, 100 and 93. Use each number once, with + - * /."
    assert question({"numbers": [1, 1, 999], "target": 999_999}).startswith("Make 999999 from 1, 1 and 999. ")
    assert Example((30, 100, 93), 23).question == question(ROW)
    assert record(Example((30, 100, 93), 23)) == ROW


def test_every_character_of_an_answer_is_a_token_and_prompt_and_answer_are_short(examples):
    """With the project's tokenizer on a mixed corpus: digits stand alone, so a model can copy and calculate them."""
    rng = Random(3)
    made = [task.generate(rng) for task in (arithmetic, countdown, sudoku) for _ in range(300)]
    tokenizer = train_tokenizer([text for one in made for text in (one.question, one.worked)], 1536)
    for example in examples[:1000]:
        pieces = tokenizer.tokenize(example.worked + TURN_END)
        assert len(pieces) == len(example.worked) + 1 <= 26
        assert len(tokenizer.tokenize(example.question)) <= 40


# The checker


@pytest.mark.parametrize(
    "text",
    [
        "30+93=123\n123-100=23",
        "100-93=7, 30-7=23",
        "100-93=7,30-7=23",
        "100-93=7 30-7=23",
        "  100 - 93 = 7.\n  30 - 7 = 23.",
        "1. 100-93=7\n2. 30-7=23",
        "- 100-93=7\n- 30-7=23",
        "First, 100 − 93 = 7; then 30 − 7 = 23, done.",
        "93-100=-7, -7+30=23",
        "30+93-100",
        "30+93-100=23",
        "23=30+93-100",
        "x = 30+93-100",
        "(30 + 93) - 100",
        "((30)) - (100-93) = 23",
        "(30+93-100=23)",
        "**30+93-100=23**",
        r"\boxed{30+93-100}",
        "<reasoning>hm</reasoning><answer>30-(100-93)</answer>",
        "30+100=130, too many. 30+93=123, 123-100=23",
        "100-93=7, 30-7=23. So 30-(100-93)=23 (as wanted).",
        "30+93=124? No. 30-(100-93)",
        "30.0+93-100=23.00",
        "30+93=123, 123-100",
    ],
)
def test_steps_and_expressions_are_accepted(text):
    assert check(ROW, text).correct, check(ROW, text).text


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "calculates nothing"),
        ("23", "calculates nothing"),
        ("The answer is 23 = 23.", "calculates nothing"),
        ("30+93=124, 124-100=24", "uses a number that is not there"),
        ("30+93=123, 123-100=24", "123-100=24 is not true"),
        ("30+93=123", "ends in 123, the target is 23"),
        ("20+3=23", "20+3=23 uses a number that is not there"),
        ("30+93=123, 123-100=23, 23+0=23", "23+0=23 uses a number that is not there"),
        ("30+93-100-100+100=23", "uses a number that is not there"),
        ("30+93-100=23, 23+1=24", "uses a number that is not there"),
        ("30+93\n123-100=23", "uses a number that is not there"),
        ("30+93=123-100=23", "is not true"),
        ("30+93-100=20+3", "is no step"),
        ("30+93-100^1", "is no step"),
        ("30+93-100 ** 1", "is no step"),
        ("30+93-100!", "is no step"),
        ("((30+93)-100", "is no step"),
        ("30+93-100=", "is no step"),
        ("30*(93-93)/(100-100)", "is no step"),
        ("30/(93-93)=23", "is not true"),
        ("30//93-100", "is no step"),
        ("30+93-1e2", "uses a number"),
        ("٣٠+93-100", "is no step"),
        ("30²+93-100", "is no step"),
    ],
)
def test_what_is_wrong_is_said(text, because):
    verdict = check(ROW, text)
    assert not verdict.correct and verdict.text.startswith("Wrong: ") and because in verdict.text, verdict.text


def test_a_number_may_be_used_as_often_as_it_is_given():
    twice = {"numbers": [5, 5, 2], "target": 20}
    assert check(twice, "5+5=10, 10*2=20").correct
    once = {"numbers": [5, 4, 2], "target": 20}
    assert not check(once, "5+5=10, 10*2=20").correct
    assert not check({"numbers": [5, 5, 2], "target": 10}, "5*2=10").correct
    assert "without using every number" in check({"numbers": [5, 5, 2], "target": 10}, "5*2=10").text
    assert check({"numbers": [4, 2, 2], "target": 8}, "4/2=2, 2+2=4, 4+4=8").correct  # the last two are an answer


def test_foreign_and_false_statements_are_told_apart_from_the_answer():
    verdict = check(ROW, "7+7=14\n30+93=122\n30+93=123\n123-100=23")
    assert (verdict.correct, verdict.faithful) == (True, False)
    assert verdict.foreign == ("7+7=14",) and verdict.wrong_equations == ("30+93=122",)
    assert "Wrong on the way: 30+93=122." in verdict.text and "Not with these numbers: 7+7=14." in verdict.text


def test_fractions_are_exact():
    assert check({"numbers": [1, 3, 6], "target": 2}, "6*(1/3)").correct
    assert check({"numbers": [7, 2, 4], "target": 14}, "7/2=3.5, 3.5*4=14").correct
    assert check({"numbers": [1, 3, 3], "target": 1}, "1/3=0.3333333333333333, 0.3333333333333333*3=1").correct is False


def full_expressions():
    """Expressions that use 30, 100 and 93 once each, in any order and with parentheses or without."""
    for numbers in permutations(("30", "100", "93")):
        for one in "+-*/":
            for two in "+-*/":
                a, b, c = numbers
                yield from (f"{a}{one}{b}{two}{c}", f"({a}{one}{b}){two}{c}", f"{a}{one}({b}{two}{c})")


def test_expressions_have_the_value_that_python_gives_them():
    for text in full_expressions():
        exact = eval(re.sub(r"\d+", r"Fraction(\g<0>)", text))
        verdict = check(ROW, text)
        assert verdict.value == exact and verdict.correct == (exact == 23)


@given(st.text() | st.text(alphabet="0123456789+-*/=().,^! \n×²√\\", max_size=200))
def test_the_checker_survives_any_text(text):
    verdict = check(ROW, text)
    assert verdict.faithful == (not verdict.foreign) and verdict.text.startswith(("Right", "Wrong"))


@pytest.mark.parametrize("start", [1, "(", "((30", "-", "**", "9" * 50])
@pytest.mark.parametrize(
    "piece", ["(", ")", "1+", "9*", "-", "=", "1 ", "30+93=123\n", "**", "1)", " ", "9" * 30 + "/", "\\"]
)
def test_the_checker_is_quick_on_hostile_text(start, piece):
    verdict = check(ROW, str(start) + piece * 20000)
    assert not verdict.correct and len(verdict.text) < 1000


def test_deep_parentheses_are_no_answer_and_no_crash():
    assert check(ROW, "(" * 5 + "30+93-100" + ")" * 5).correct
    assert not check(ROW, "(" * 20 + "30+93-100" + ")" * 20).correct


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([], "must be an object"),
        ({"target": 23}, '"numbers" must be a list of three whole numbers from 1 to 999, not nothing'),
        ({"numbers": "30,100,93", "target": 23}, "not '30,100,93'"),
        ({"numbers": [30, 100], "target": 23}, "not of 2"),
        ({"numbers": [30, 100, 93, 1], "target": 23}, "not of 4"),
        ({"numbers": [30, 100, "93"], "target": 23}, "and '93' is none"),
        ({"numbers": [30, 100, True], "target": 23}, "and True is none"),
        ({"numbers": [30, 100, 9.5], "target": 23}, "and 9.5 is none"),
        ({"numbers": [30, 0, 93], "target": 23}, "and 0 is none"),
        ({"numbers": [30, 10**5000, 93], "target": 23}, "and a huge number is none"),
        ({"numbers": [30, 100, 93]}, '"target" must be a whole number from 1 to 999,999, not nothing'),
        ({"numbers": [30, 100, 93], "target": "23"}, "not '23'"),
        ({"numbers": [30, 100, 93], "target": -1}, "not -1"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(row, says):
    for use in (lambda: check(row, ""), lambda: question(row)):
        with pytest.raises(ValueError, match=re.escape(says)):
            use()


# The commands


def run(*arguments: str):
    command = [sys.executable, "-m", "wino_viz.tasks.countdown", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_records(tmp_path):
    out = tmp_path / "test.jsonl"
    options = ("--split", "test", "--count", "40", "--seed", "3")
    assert run(*options, "--out", str(out)).returncode == 0
    printed = run(*options)
    assert printed.returncode == 0 and printed.stderr == "" and printed.stdout == out.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert len({key(row["numbers"], row["target"]) for row in rows}) == 40
    assert all(split_of(row["numbers"], row["target"]) == "test" and row["task"] == "countdown" for row in rows)


def test_a_file_has_no_problem_twice(monkeypatch, capsys):
    repeated = [Example((1, 2, 3), 6), Example((3, 2, 1), 6), Example((1, 2, 3), 5)]
    monkeypatch.setattr(countdown, "generate", lambda *_: repeated.pop(0))
    assert countdown.main(["--count", "2"]) == 0
    assert [json.loads(line)["target"] for line in capsys.readouterr().out.splitlines()] == [6, 5]


@pytest.mark.parametrize("arguments", [("--split", "dev"), ("--count", "3001"), ("--out", "/nonexistent/x.jsonl")])
def test_bad_arguments_exit_2_with_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        countdown.main(list(arguments))
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1 and arguments[1].split("/")[0] in error


def test_a_record_is_decoded_by_a_model_that_has_no_preset_for_it(tmp_path, capsys):
    out = tmp_path / "trace.json"
    lengths = ("--gen-length", "16", "--block-length", "16")
    assert cli(["decode", "--record", json.dumps(ROW), *lengths, "--trace", str(out)]) == 0
    trace = json.loads(out.read_text())
    assert trace["prompt"] == question(ROW) and trace["record"] == ROW
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(("Right: ", "Wrong: "))


def test_a_bad_record_ends_the_command_with_one_line(capsys):
    assert cli(["decode", "--record", '{"task": "countdown", "numbers": [1, 2], "target": 3}']) == 2
    assert capsys.readouterr().err == (
        'python -m wino_viz decode: --record: "numbers" must be a list of three whole numbers from 1 to 999, not of 2\n'
    )
