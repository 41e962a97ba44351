"""The arithmetic task: what problems it makes, what their answers look like, and what the checker accepts."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wino_viz.tasks import arithmetic
from wino_viz.tasks.arithmetic import (
    FINAL,
    KINDS,
    MAX_ANSWER_UNITS,
    MAX_QUESTION_UNITS,
    NAMES,
    START,
    THINGS,
    check,
    count_units,
    generate,
    read_answer,
    record,
    skeleton,
    split_of,
)

EQUATION = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)")
THING_WORDS = {word for thing in THINGS for word in thing}


@pytest.fixture(scope="module")
def examples():
    rng = Random(7)
    return [generate(rng) for _ in range(4000)]


def shape(text, problem):
    """A sentence without its names, things and numbers: what is left tells the wordings apart."""
    people = {problem.name, *(event.person for event in problem.events if event.person)}
    words = re.findall(r"[A-Za-z]+|\d+|[^\w\s]", text)
    nouns = {problem.thing.singular, problem.thing.plural}
    return " ".join("N" if w in people else "T" if w in nouns else "0" if w.isdigit() else w for w in words)


# The words


def test_there_are_enough_kinds_names_things_and_wordings():
    assert len(KINDS) >= 25 and len(set(NAMES)) == 60 and len(set(THINGS)) >= 40
    for wordings in [START, FINAL, *(k.question for k in KINDS), *(k.worked for k in KINDS)]:
        assert len({w.text for w in wordings}) >= 4
        weights = [w.weight for w in wordings]
        assert min(weights) >= 1 and max(weights) >= 3 * min(weights), "a model needs a favourite wording"


def test_no_name_or_thing_hides_in_another():
    for words in (NAMES, [thing.singular for thing in THINGS]):
        lowered = [word.lower() for word in words]
        assert not [(a, b) for a in lowered for b in lowered if a != b and a in b]
    assert all(re.fullmatch(r"[A-Z][a-z]+", name) and not name.endswith("s") for name in NAMES)


def test_wordings_contain_no_name_and_no_thing():
    texts = [
        w.text for group in [START, FINAL, *(k.question for k in KINDS), *(k.worked for k in KINDS)] for w in group
    ]
    words = {word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", re.sub(r"{\w+}", "", text))}
    assert not words & {name.lower() for name in NAMES}
    assert not words & THING_WORDS


def test_wordings_of_one_event_and_of_two_events_are_different_sentences():
    worked = [w.text for kind in KINDS for w in kind.worked]
    assert len(set(worked)) == len(worked)
    for kind in KINDS:
        for group in (kind.question, kind.worked):
            assert len({re.match(r"\S+ \S+", w.text)[0] for w in group}) == len(group), kind.name


def test_worked_wordings_mostly_name_a_person_or_a_thing_and_seldom_start_with_a_name(examples):
    texts = [w.text for kind in KINDS for w in kind.worked]
    assert sum(any(field in text for field in ("{P}", "{O}", "{T}")) for text in texts) >= len(texts) / 2
    lines = [line for example in examples for line in example.worked.splitlines()]
    assert sum(line.split()[0] in NAMES for line in lines) < 0.1 * len(lines)


def test_only_worded_fields_of_a_kind_are_used():
    for kind in KINDS:
        for w in kind.question + kind.worked:
            assert kind.person or "{O}" not in w.text, w.text
            assert "{b}" not in w.text or "b" in kind.formula, w.text
            assert "{a}" not in w.text or "a" in kind.formula, w.text
        two = " " in kind.formula
        assert all(("{d}" in w.text) == two and w.text.count("{e}") == 1 for w in kind.worked), kind.name
        assert all("{" + number + "}" in w.text for w in kind.question for number in "ab" if number in kind.formula)


def test_every_kind_shows_at_least_four_shapes_in_question_and_work(examples):
    worked = {kind.name: set() for kind in KINDS}
    question = {kind.name: set() for kind in KINDS}
    for example in examples:
        sentences = re.split(r"(?<=[.?]) ", example.question)  # start, one per event, final question
        lines = example.worked.splitlines()
        assert len(sentences) == example.steps + 2
        for event, sentence, line in zip(example.problem.events, sentences[1:], lines, strict=False):
            question[event.kind].add(shape(sentence, example.problem))
            worked[event.kind].add(shape(line, example.problem))
    assert min(map(len, question.values())) >= 4 and min(map(len, worked.values())) >= 4


# The problems


def test_equations_are_true_and_chain_from_the_start_number_to_the_final_number(examples):
    for example in examples:
        total, lines = example.problem.start, example.worked.splitlines()
        assert len(lines) == example.steps + 1 == len(example.problem.events) + 1
        for line, event_total in zip(lines, example.problem.totals, strict=False):
            found = EQUATION.findall(line)
            assert 1 <= len(found) <= 2, line
            operators = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}
            for left, operator, right, result in found:
                left, right, result = int(left), int(right), int(result)
                assert result * right == left if operator == "/" else operators[operator](left, right) == result
            assert str(total) in re.findall(r"\d+", " ".join("".join(equation) for equation in found)), (total, line)
            total = int(found[-1][-1])
            assert total == event_total
        assert lines[-1] == f"#### {total}"
        assert total == example.answer == example.problem.answer


def test_numbers_stay_small(examples):
    totals = [total for example in examples for total in (example.problem.start, *example.problem.totals)]
    assert min(totals) >= 2 and max(totals) <= 999
    assert sum(total <= 200 for total in totals) > 0.9 * len(totals)
    numbers = [number for example in examples for event in example.problem.events for number in event.numbers]
    assert min(numbers) >= 2 and max(numbers) <= 99


def test_about_sixty_percent_of_the_steps_add_or_subtract(examples):
    formula = {kind.name: kind.formula for kind in KINDS}
    formulas = [formula[event.kind] for example in examples for event in example.problem.events]
    multiply = sum("*" in formula or formula == "n+n" for formula in formulas) / len(formulas)
    divide = sum("/" in formula for formula in formulas) / len(formulas)
    assert 0.17 < multiply < 0.23 and 0.17 < divide < 0.23
    counts = Counter(event.kind for example in examples for event in example.problem.events)
    assert min(counts[kind.name] for kind in KINDS) > len(formulas) / len(KINDS) / 3, counts


def test_no_event_undoes_the_one_before(examples):
    for example in examples:
        totals = (example.problem.start, *example.problem.totals)
        assert all(before != after for before, after in zip(totals, totals[2:], strict=False))


def test_a_problem_has_one_protagonist_and_one_to_three_others(examples):
    for example in examples:
        others = {event.person for event in example.problem.events if event.person}
        assert 1 <= len(others) <= 3 and example.problem.name not in others
        words = set(re.findall(r"[A-Za-z]+", example.question))
        assert words & set(NAMES) == others | {example.problem.name}
        assert example.problem.thing.plural in words


def test_texts_are_well_formed(examples):
    for example in examples:
        for text in (example.question, example.worked):
            assert "{" not in text and "None" not in text and text == text.strip() and "  " not in text
            assert text.isascii()
        assert "\n" not in example.question
        assert not re.search(r"\b1 ", example.question), "a lone 1 would need a singular noun"


def test_texts_fit_the_budget_of_units(examples):
    assert count_units("After giving 3 to Rosa, 39-3=36 cards are left.\n#### 36") == 4 + 1 + 1 + 7 + 4 + 1 + 4 + 2
    assert max(count_units(example.worked) for example in examples) <= MAX_ANSWER_UNITS == 116
    assert max(count_units(example.question) for example in examples) <= MAX_QUESTION_UNITS == 130


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 6])
def test_steps_are_what_was_asked_for(steps):
    assert all(generate(Random(seed), steps=steps).steps == steps for seed in range(30))


def test_all_numbers_of_steps_occur(examples):
    assert {example.steps for example in examples} == {2, 3, 4, 5, 6}


def test_the_same_state_of_the_generator_gives_the_same_problem():
    first, second = Random(5), Random(5)
    assert [generate(first, "validation") for _ in range(5)] == [generate(second, "validation") for _ in range(5)]
    assert first.getstate() == second.getstate()


@pytest.mark.parametrize("bad", [1, 7, 2.0, True, "3"])
def test_a_wrong_number_of_steps_is_named(bad):
    with pytest.raises(ValueError, match=r"steps .*2 to 6"):
        generate(Random(0), steps=bad)


def test_a_wrong_split_is_named():
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        generate(Random(0), "dev")


def test_an_impossible_problem_is_named(examples):
    with pytest.raises(ValueError, match="outside 1 to 999"):
        _ = replace(examples[0].problem, start=1, events=(arithmetic.Event("lose", (50,)),)).answer
    with pytest.raises(ValueError, match="not exact"):
        _ = replace(examples[0].problem, start=7, events=(arithmetic.Event("halve", (), "Mia"),)).answer
    with pytest.raises(ValueError, match="'explode'"):
        _ = replace(examples[0].problem, events=(arithmetic.Event("explode", (2,)),)).answer
    with pytest.raises(ValueError, match="takes 1 number"):
        _ = replace(examples[0].problem, events=(arithmetic.Event("lose", ()),)).answer


# The splits


def test_splits_share_no_skeleton():
    rng = Random(11)
    seen = {split: {skeleton(generate(rng, split).problem) for _ in range(150)} for split in arithmetic.SPLITS}
    assert not seen["train"] & seen["test"] and not seen["train"] & seen["validation"]
    assert not seen["test"] & seen["validation"]


def test_a_problem_is_of_the_split_it_was_made_for_and_keeps_it_under_other_names():
    rng = Random(12)
    for split in arithmetic.SPLITS:
        for _ in range(50):
            problem = generate(rng, split).problem
            assert split_of(problem) == split
            events = tuple(replace(event, person=event.person and "Otto") for event in problem.events)
            renamed = replace(problem, name="Mia", thing=THINGS[0], events=events)
            assert skeleton(renamed) == skeleton(problem) and split_of(renamed) == split


def test_the_split_never_moves():
    """Checkpoints in the repository were trained on it: a change would put test problems into training."""
    events = (arithmetic.Event("give", (3,), "Rosa"), arithmetic.Event("boxes", (3, 12)))
    problem = arithmetic.Problem(THINGS[0], "Mia", 39, events)
    assert skeleton(problem) == "39 give:3 boxes:3,12"
    assert [split_of(replace(problem, start=start)) for start in range(5, 305)].count("test") in range(1, 9)


def test_skeletons_fall_98_1_1():
    rng = Random(13)
    splits = [split_of(arithmetic.sample_problem(rng)) for _ in range(20000)]
    assert 0.97 < splits.count("train") / len(splits) < 0.99
    assert 0.007 < splits.count("test") / len(splits) < 0.013


# The checker


def test_the_checker_accepts_every_generated_answer(examples):
    for example in examples:
        verdict = check(record(example), example.worked + "<|eot_id|><|endoftext|>")
        assert verdict == arithmetic.Verdict(True, example.answer, True, (), ())


def test_the_checker_sees_a_changed_final_number(examples):
    for example in examples[:300]:
        text = example.worked.replace(f"#### {example.answer}", f"#### {example.answer + 1}")
        assert check(record(example), text).correct is False


def test_the_checker_names_foreign_names_and_things(examples):
    for example in examples[:300]:
        row = record(example)
        words = set(re.findall(r"[A-Za-z]+", example.question))
        name = next(name for name in reversed(NAMES) if name not in words)
        thing = next(thing for thing in THINGS if thing.plural not in words)
        assert check(row, f"{name}'s gift.\n" + example.worked).foreign == (name,)
        for word in thing:
            verdict = check(row, example.worked + f" {word.capitalize()}")
            assert (verdict.faithful, verdict.foreign, verdict.correct) == (False, (word.capitalize(),), True)
        assert check(row, f"one {example.problem.thing.singular}").faithful


def test_whole_words_only_are_names_and_things():
    row = {"question": "Mia has 5 cards.", "answer": 5}
    assert check(row, "Miami scarcity postcards bellow hatter, books").foreign == ("books",)
    assert check(row, "books BOOKS book Rosa Rosa").foreign == ("books", "BOOKS", "book", "Rosa")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("39-3=36.", ()),
        ("39-3=35.", ("39-3=35",)),
        ("2 + 3 * 4 = 14, 2+3*4=20", ("2+3*4=20",)),
        ("10-4-3=3 and 12/2/3=2", ()),
        ("7/2=3 or 7/2=3.5", ("7/2=3",)),
        ("5/0=0", ("5/0=0",)),
        ("3-5=-2", ()),
        ("3*12=36+41=77", ("3*12=36+41=77",)),
        ("3*12=36=30+6", ()),
        ("1,200+34=1,234", ()),
        ("- 2+2=5", ("2+2=5",)),
        ("(2+2=5)", ("2+2=5",)),
        ("(3+4)*2=14 and (3+4) * 2 = 14 and 14=2*(3+4)", ()),
        ("total = 5+3=9", ("5+3=9",)),
        ("6×7=41", ("6*7=41",)),
        ("x=5, 5=x, =7, 7=, 3+=3", ()),
        ("1" * 5000 + "+1=2", ("1" * 5000 + "+1=2",)),
    ],
)
def test_wrong_equations_are_found(text, wrong):
    assert check({"question": ""}, text).wrong_equations == wrong


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("#### 57", 57),
        ("####57<|eot_id|>", 57),
        ("36 left.\n####   57 \n", 57),
        ("#### 5\n#### 6 cards", 6),
        ("#### 1,234.", 1234),
        ("#### -3", -3),
        ("#### $57.00", 57),
        ("#### 57.5", None),
        ("#### cards", None),
        ("#### 5\n####", None),
        ("57", None),
        ("", None),
        ("#### ٣٤", None),
        ("#### " + "9" * 5000, None),
    ],
)
def test_the_answer_is_the_number_after_the_last_mark(text, answer):
    assert read_answer(text) == answer


def test_a_record_without_an_answer_is_checked_for_the_rest():
    verdict = check({"question": "Mia has 5 cards."}, "Rosa: 2+2=5\n#### 5")
    assert verdict == arithmetic.Verdict(None, 5, False, ("Rosa",), ("2+2=5",))


def test_a_record_that_cannot_be_checked_is_named():
    for row in ({}, {"question": 3}, []):
        with pytest.raises(ValueError, match="question"):
            check(row, "")
    for answer in ("57", 5.5, True):
        with pytest.raises(ValueError, match="answer"):
            check({"question": "", "answer": answer}, "")


@settings(deadline=None)  # a busy core is no fault of the checker
@given(st.text() | st.text(alphabet="0123456789+-*/=#.,() \n٣²×÷"), st.text())
def test_the_checker_survives_any_text(text, question):
    verdict = check({"question": question, "answer": 1}, text)
    assert verdict.correct == (verdict.answer_read == 1)
    assert verdict.faithful == (not verdict.foreign)


@pytest.mark.parametrize("piece", ["1", "1+", "1 + ", "1 ", "1=", "#", "####", "1,111", "1.", "-", "9*", " ", "=1-"])
def test_the_checker_is_quick_on_hostile_text(piece):
    check({"question": piece * 20000, "answer": 1}, piece * 20000)


@settings(deadline=None)  # a busy core is no fault of the checker
@given(st.integers(2, 999), st.integers(2, 99), st.sampled_from("+-*/"), st.integers(-5, 5))
def test_equations_are_judged_as_python_does(left, right, operator, error):
    exact = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[operator]
    true = error == 0 and (operator != "/" or left % right == 0)
    found = check({"question": ""}, f"so {left}{operator}{right}={exact + error}.").wrong_equations
    assert (found == ()) == true


# The command


def run(*arguments):
    command = [sys.executable, "-m", "wino_viz.tasks.arithmetic", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_records(tmp_path):
    out = tmp_path / "test.jsonl"
    options = ("--split", "test", "--count", "40", "--seed", "3", "--steps", "2")
    assert run(*options, "--out", str(out)).returncode == 0
    printed = run(*options)
    assert printed.returncode == 0 and printed.stderr == "" and printed.stdout == out.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert len(rows) == 40 and len({row["question"] for row in rows}) == 40
    for row in rows:
        assert row["task"] == "arithmetic" and row["steps"] == 2
        assert check(row, row["worked"]).correct


def test_a_file_has_no_skeleton_twice(monkeypatch, capsys):
    """Two rows with the same numbers would be one test problem counted twice."""
    repeated = [generate(Random(1)), generate(Random(1)), generate(Random(2))]
    monkeypatch.setattr(arithmetic, "generate", lambda *_: repeated.pop(0))
    assert arithmetic.main(["--count", "2"]) == 0
    assert len(set(capsys.readouterr().out.splitlines())) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--split", "dev"), "split"),
        (("--count", "0"), "count"),
        (("--count", "many"), "count"),
        (("--steps", "9"), "steps"),
        (("--seed", "x"), "seed"),
        (("--nonsense",), "nonsense"),
        (("--out", "/nonexistent/folder/x.jsonl"), "/nonexistent/folder/x.jsonl"),
    ],
)
def test_bad_arguments_exit_2_with_one_line(arguments, says, capsys):
    with pytest.raises(SystemExit) as caught:
        arithmetic.main(list(arguments))
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1 and says in error
