"""Decoding by the factor rule: the n surest tokens together, where each clears the bar of its rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, RandomDenoiser, a_canvas, proposal, run, script_of

from wino_viz.decoding import FactorSettings, decode
from wino_viz.trace import FORCED_DRAFT

QUESTION = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"


def drafted(step):
    return [token.position for token in step.drafted]


def first_pass(f, *confidences):
    steps, _, _ = run(FactorSettings(f), a_canvas(len(confidences)), script_of({0: dict(enumerate(confidences))}))
    return drafted(steps[0])


def test_the_bar_rises_with_the_rank():
    # by rank: 0.9 (forced), 0.8 >= 1 - 1/3, 0.76 >= 1 - 1/4, 0.79 would need 1 - 1/5 = 0.8
    assert first_pass(1.0, 0.76, 0.9, 0.5, 0.8, 0.3, 0.2) == [0, 1, 3]


def test_the_first_rank_that_fails_ends_the_scan():
    # rank 2 needs 0.667 and has 0.6; rank 3 is not asked
    assert first_pass(1.0, 0.95, 0.6, 0.6, 0.6) == [0]


@pytest.mark.parametrize(
    ("f", "confidences", "placed"),
    [
        (1.0, (0.9, 0.75, 0.75, 0.0, 0.0), [0, 1, 2]),  # rank 3 exactly at 1 - 1/4
        (1.0, (0.9, 0.75, 0.749999, 0.0, 0.0), [0, 1]),
        (1.0, (0.9, 0.8, 0.8, 0.8, 0.0, 0.0), [0, 1, 2, 3]),  # rank 4 exactly at 1 - 1/5
        (0.3, (1.0, 0.9, 0.0, 0.0), [0, 1]),  # 1 - 0.3/3 is 0.9, whatever floats make of it
        (0.0, (1.0, 1.0, 0.999999, 0.0, 0.0), [0, 1]),
        (2.0, (0.5, 0.34, 0.49, 0.0, 0.0), [0, 2]),  # ranks 2 and 3: 0.49 >= 1 - 2/3, 0.34 < 1 - 2/4
        (100.0, (0.0,) * 6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_confidence_at_its_bar_is_enough(f, confidences, placed):
    assert first_pass(f, *confidences) == placed


def test_equals_are_ranked_by_position():
    assert first_pass(1.0, 0.4, 0.6, 0.6, 0.6) == [1]


def test_with_none_sure_the_most_confident_is_placed_alone_and_said_to_be_forced():
    steps, _, _ = run(FactorSettings(), a_canvas(4), script_of({0: {1: 0.3, 2: 0.49, 3: 0.2}}))
    assert steps[0].drafted == ((2, proposal(0, 2), 0.49),)
    assert steps[0].considered == ((0, proposal(0, 0), 0.0), (1, proposal(0, 1), 0.3), (3, proposal(0, 3), 0.2))
    assert steps[0].alternatives[2][0] == (proposal(0, 2), 0.49)
    assert steps[0].limits == (FORCED_DRAFT,)


def test_a_first_token_that_clears_its_own_bar_is_not_forced():
    steps, _, _ = run(FactorSettings(), a_canvas(4), script_of({0: {1: 0.5}}))
    assert drafted(steps[0]) == [1] and steps[0].limits == ()


def test_the_last_rank_goes_with_the_others_however_unsure():
    """As in the published code: a scan that stops at the last index takes it, too."""
    assert first_pass(1.0, 0.9, 0.9, 0.0) == [0, 1, 2]
    assert first_pass(1.0, 0.1, 0.0) == [0, 1]
    assert first_pass(1.0, 0.9, 0.5, 0.0) == [0]  # stops before the last


def test_one_mask_left_is_placed():
    steps, _, _ = run(FactorSettings(), a_canvas(1), script_of({0: {0: 0.2}}))
    assert [drafted(step) for step in steps] == [[0]] and steps[0].limits == (FORCED_DRAFT,)
    steps, _, _ = run(FactorSettings(), a_canvas(1), script_of({0: {0: 0.9}}))
    assert steps[0].limits == ()


def test_a_sure_block_takes_one_pass():
    steps, _, _ = run(FactorSettings(), a_canvas(128), script_of(draft=0.999))
    assert len(steps) == 1 and len(steps[0].drafted) == 128


def test_blocks_are_filled_from_left_to_right():
    script = script_of({0: {1: 0.9}, 1: {0: 0.9, 2: 0.7}, 2: {3: 0.99, 4: 0.99, 5: 0.99}})
    steps, requests, canvas = run(FactorSettings(), a_canvas(6, 3), script)
    assert [(step.block, drafted(step)) for step in steps] == [(0, [1]), (0, [0, 2]), (1, [3, 4, 5])]
    assert requests[2].rows.tolist() == [6, 7, 8]
    assert requests[2].attention is None and requests[2].position_ids is None
    assert canvas == tuple(proposal(n, p) for n, p in ((1, 0), (0, 1), (1, 2), (2, 3), (2, 4), (2, 5)))


def clears(confidences, f):
    """How many of the confidences, surest first, one pass places: written from the rule, rank by rank."""
    placed = 1
    for rank, confidence in enumerate(confidences[1:], start=2):
        if confidence + 1e-9 < 1 - f / (rank + 1):
            if rank == len(confidences):
                placed += 1
            break
        placed += 1
    return placed


def assert_follows_the_rule(step, f):
    ranked = sorted((*step.drafted, *step.considered), key=lambda token: (-token.probability, token.position))
    placed = clears([token.probability for token in ranked], f)
    assert list(step.drafted) == sorted(ranked[:placed])
    forced = placed == 1 and ranked[0].probability + 1e-9 < 1 - f / 2
    assert step.limits == ((FORCED_DRAFT,) if forced else ())


@given(st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 5.0]), st.integers(1, 3), st.integers(1, 16))
def test_every_pass_follows_the_rule(f, blocks, block_length):
    decoder = FactorSettings(f).start(a_canvas(blocks * block_length, block_length))
    for step, _ in decode(decoder, RandomDenoiser()):
        assert_follows_the_rule(step, f)
    assert MASK not in decoder.canvas


@pytest.mark.parametrize("f", [0.5, 1.0])
def test_the_embedded_model_is_decoded_by_the_rule_in_few_passes(mini, f):
    canvas = mini.canvas(QUESTION, None, gen_length=64, block_length=32)
    steps = [timed.step for timed in decode(FactorSettings(f).start(canvas), mini.denoiser)]
    for step in steps:
        assert_follows_the_rule(step, f)
    assert len(steps) < 64 / 2
    assert sum(len(step.drafted) for step in steps) == 64


def test_a_larger_factor_places_no_fewer_in_a_pass():
    confidence = np.linspace(0.99, 0.2, 12)
    placed = [len(first_pass(f, *confidence)) for f in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 13.0)]
    assert placed == sorted(placed) and placed[0] == 1 and placed[-1] == 12


@pytest.mark.parametrize("f", [-0.1, 100.1, float("nan"), "1", None, True])
def test_a_factor_outside_its_range_is_named(f):
    with pytest.raises(ValueError) as error:
        FactorSettings(f)
    assert str(error.value) == f"f must be a number, 0 to 100, not {'nothing' if f is None else repr(f)}"


def test_the_trace_entry_holds_the_name_and_the_factor():
    assert FactorSettings(1.5).to_dict() == {"name": "factor", "f": 1.5}
