"""What llada-mini is trained on: three tasks in batches by length, from the training split alone, with right answers."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch

from wino_viz.models.chat import template_ids
from wino_viz.models.checkpoint import load_tokenizer
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import judge
from wino_viz.training.word_problems import (
    LONG,
    MAX_SEQUENCE_LENGTH,
    SHORT,
    TASKS,
    Batches,
    check_tokenizer,
)

BATCHES = 12


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path):
    return load_tokenizer(tokenizer_folder)


@pytest.fixture(scope="module")
def made(tokenizer) -> list[tuple[list, torch.Tensor, torch.Tensor]]:
    """Some batches of a run: (the examples drawn for them, ids, starts), more than a thousand rows in all."""
    batches = Batches(tokenizer, 12_000, seed=0)
    drawn: list = []
    encode = batches.layout.encode
    batches.layout.encode = lambda examples: (drawn.extend(examples), encode(examples))[1]
    found = []
    for k in range(BATCHES):
        ids, starts = batches[k]
        found.append((drawn[:], ids, starts))
        drawn.clear()
    assert sum(len(ids) for _, ids, _ in found) > 1000
    return found


def task_of(example) -> str:
    return next(name for name, task in TASKS.items() if isinstance(example, task.Example))


def test_a_batch_depends_on_seed_and_number_alone(tokenizer):
    for k in (2, 3):
        one, again, other = (Batches(tokenizer, 2048, seed)[k] for seed in (0, 0, 1))
        assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
        assert one[0].shape != other[0].shape or not torch.equal(one[0], other[0])


def test_even_batches_are_short_and_odd_ones_long(made):
    for k, (_, ids, starts) in enumerate(made):
        assert ids.shape[1] in (LONG if k % 2 else SHORT)
        assert ids.shape == (12_000 // ids.shape[1], ids.shape[1]) and starts.shape == ids.shape[:1]
    assert max(LONG) == MAX_SEQUENCE_LENGTH


def test_fewer_batches_are_short_on_demand(tokenizer):
    batches = Batches(tokenizer, 2048, seed=0, short_every=3)
    assert [batches[k][0].shape[1] in SHORT for k in range(6)] == [True, False, False, True, False, False]


def test_a_row_is_a_prompt_in_the_chat_layout_an_answer_that_ends_its_turn_and_padding(made, tokenizer):
    for examples, ids, starts in made:
        by_prompt = {tuple(template_ids(tokenizer, example.question)): example for example in examples}
        for row, start in zip(ids.tolist(), starts.tolist(), strict=True):
            answer, _, rest = tokenizer.decode(row[start:]).partition("<|eot_id|>")
            assert answer == by_prompt[tuple(row[:start])].worked
            assert rest and rest.replace("<|endoftext|>", "") == ""


def test_the_answers_in_a_batch_are_right_by_their_tasks_own_checkers(made, tokenizer):
    for examples, ids, starts in made:
        by_prompt = {tuple(template_ids(tokenizer, example.question)): example for example in examples}
        for row, start in zip(ids.tolist(), starts.tolist(), strict=True):
            example = by_prompt[tuple(row[:start])]
            record = TASKS[task_of(example)].record(example)
            found = judge(record, tokenizer.decode(row[start:], skip_special_tokens=True))
            assert found.correct and found.faithful, found.text


def test_no_validation_or_test_problem_is_in_a_thousand_training_rows(made):
    for examples, _, _ in made:
        for example in examples:
            if isinstance(example, arithmetic.Example):
                assert arithmetic.split_of(example.problem) == "train"
            elif isinstance(example, countdown.Example):
                assert countdown.split_of(example.numbers, example.target) == "train"
            else:
                assert sudoku.split_of(example.puzzle) == "train"


def shares(tokenizer, ks) -> tuple[Counter, int]:
    """Rows of each task, told by their first words."""
    found: Counter = Counter()
    for k in ks:
        for row in Batches(tokenizer, 20_000, seed=5)[k][0].tolist():
            prompt = tokenizer.decode(row).split("<|end_header_id|>")[1]
            found["countdown" if "Make " in prompt else "sudoku" if "sudoku" in prompt else "arithmetic"] += 1
    return found, sum(found.values())


def test_tasks_have_their_shares(tokenizer):
    found, rows = shares(tokenizer, range(0, 16, 2))
    assert found["arithmetic"] == 0
    assert found["countdown"] / rows == pytest.approx(0.9, abs=0.03)
    found, rows = shares(tokenizer, range(1, 16, 2))
    for name, share in LONG[320].tasks.items():
        assert found[name] / rows == pytest.approx(share, abs=0.03)
        assert found[name] > 0


def test_shares_add_up():
    for mixes in (SHORT, LONG):
        assert sum(mix.share for mix in mixes.values()) == pytest.approx(1)
        assert all(sum(mix.tasks.values()) == pytest.approx(1) for mix in mixes.values())


def test_hard_countdowns_are_more_than_a_third(made):
    worked = [e.worked for examples, _, _ in made for e in examples if isinstance(e, countdown.Example)]
    assert 0.48 < sum(bool(re.search(r"[*/]", text)) for text in worked) / len(worked) < 0.6


def test_a_short_canvas_fits_beside_every_prompt(made):
    """32 tokens, the canvas that suits these tasks, are in reach of the shortest sequences."""
    for _, ids, starts in made[::2]:
        assert ids.shape[1] - int(starts.max()) >= 32


def test_a_tokenizer_that_joins_characters_is_named(tokenizer, joining_tokenizer_folder: Path):
    check_tokenizer(tokenizer, "here")
    with pytest.raises(ValueError, match=r"the tokenizer in there was made .* it writes '  5\+  9= 14"):
        check_tokenizer(load_tokenizer(joining_tokenizer_folder), "there")
