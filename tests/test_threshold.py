"""Threshold decoding: every token at least tau sure, and always the surest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, RandomDenoiser, a_canvas, proposal, run, script_of

from wino_viz.decoding import ThresholdSettings, decode
from wino_viz.trace import FORCED_DRAFT


def drafted(step):
    return [token.position for token in step.drafted]


def test_every_token_at_tau_or_above_is_placed():
    steps, _, _ = run(ThresholdSettings(0.9), a_canvas(4), script_of({0: {0: 0.9, 1: 0.899999, 3: 0.95}}))
    assert steps[0].drafted == ((0, proposal(0, 0), 0.9), (3, proposal(0, 3), 0.95))
    assert steps[0].considered == ((1, proposal(0, 1), 0.899999), (2, proposal(0, 2), 0.0))
    assert steps[0].limits == ()


def test_with_none_the_most_confident_is_placed_alone():
    steps, _, _ = run(ThresholdSettings(0.9), a_canvas(4), script_of({0: {1: 0.5, 2: 0.8, 3: 0.8}}))
    assert drafted(steps[0]) == [2]  # the lower of two equals
    assert steps[0].limits == (FORCED_DRAFT,)


def test_there_is_no_cap():
    steps, _, _ = run(ThresholdSettings(0.9), a_canvas(128), script_of(draft=0.9))
    assert len(steps) == 1 and len(steps[0].drafted) == 128


def test_tau_0_fills_a_block_a_pass_and_tau_1_takes_only_certainties():
    steps, _, _ = run(ThresholdSettings(0.0), a_canvas(8, 4), script_of())
    assert [drafted(step) for step in steps] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    steps, _, _ = run(ThresholdSettings(1.0), a_canvas(3), script_of({0: {1: 1.0}}, draft=0.99))
    assert [drafted(step) for step in steps] == [[1], [0], [2]]


def test_blocks_are_filled_from_left_to_right():
    steps, requests, _ = run(ThresholdSettings(0.9), a_canvas(6, 3), script_of({0: {1: 1.0}, 1: {0: 1.0, 2: 1.0}}))
    assert [step.block for step in steps] == [0, 0, 1, 1, 1]
    assert requests[2].rows.tolist() == [6, 7, 8]
    assert requests[2].attention is None and requests[2].position_ids is None


@given(st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.95, 1.0]), st.integers(1, 3), st.integers(1, 16))
def test_every_pass_places_exactly_the_sure_ones_or_the_surest(tau, blocks, block_length):
    canvas = a_canvas(blocks * block_length, block_length)
    decoder = ThresholdSettings(tau).start(canvas)
    for step, _ in decode(decoder, RandomDenoiser(vocabulary=50)):
        sure = [token for token in (*step.drafted, *step.considered) if token.probability >= tau]
        if step.limits == (FORCED_DRAFT,):
            assert not sure and len(step.drafted) == 1
            assert all(token.probability <= step.drafted[0].probability for token in step.considered)
        else:
            assert list(step.drafted) == sure and sure
    assert MASK not in decoder.canvas


@pytest.mark.parametrize("tau", [-0.1, 1.1, float("nan"), "0.9", True])
def test_a_tau_outside_its_range_is_named(tau):
    with pytest.raises(ValueError) as error:
        ThresholdSettings(tau)
    assert str(error.value) == f"tau must be a number, 0 to 1, not {tau!r}"


def test_the_trace_entry_holds_the_name_and_tau():
    assert ThresholdSettings(0.8).to_dict() == {"name": "threshold", "tau": 0.8}
