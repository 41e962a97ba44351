"""WINO's rule: drafting, verifying, re-masking, the shadow block, and the whole rule against a slow oracle."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import wino_oracle
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, PROMPT, RandomDenoiser, a_canvas, proposal, run, script_of

from wino_viz.decoding import NO_TOKEN, Canvas, WinoSettings, shadow_attention, shadow_position_ids
from wino_viz.trace import DRAFT_CAP, FORCED_DRAFT, REMASK_LIMIT, SINGLE_DRAFT

WINO = WinoSettings()


def drafted(step):
    return [token.position for token in step.drafted]


def remasked(step):
    return [token.position for token in step.remasked]


def verified(step):
    return [row.position for row in step.verified]


# ---- drafting


def test_every_position_above_tau1_is_drafted_and_one_at_tau1_is_not():
    steps, _, _ = run(WINO, a_canvas(4), script_of({0: {0: 0.6, 1: 0.7, 3: 0.600001}}))
    assert steps[0].drafted == ((1, proposal(0, 1), 0.7), (3, proposal(0, 3), 0.600001))
    assert steps[0].considered == ((0, proposal(0, 0), 0.6), (2, proposal(0, 2), 0.0))
    assert steps[0].limits == ()


def test_with_nothing_above_tau1_the_most_confident_is_drafted_alone():
    steps, _, _ = run(WINO, a_canvas(4), script_of({0: {1: 0.2, 2: 0.5, 3: 0.5}}))
    assert drafted(steps[0]) == [2]  # the lower of two equals
    assert steps[0].limits == (FORCED_DRAFT,)


def test_a_pass_drafts_at_most_20_the_most_confident_first():
    confidence = dict.fromkeys(range(64), 0.7) | {40: 0.9, 63: 0.8}
    steps, _, _ = run(WINO, a_canvas(64), script_of({0: confidence}))
    assert drafted(steps[0]) == [*range(18), 40, 63]  # of equals, the lower positions
    assert steps[0].limits == (DRAFT_CAP,)


def test_exactly_as_many_as_allowed_is_no_limit():
    steps, _, _ = run(WINO, a_canvas(64), script_of({0: dict.fromkeys(range(20), 0.7)}))
    assert len(steps[0].drafted) == 20 and steps[0].limits == ()


@pytest.mark.parametrize(
    ("masked", "most"),
    [(1, 5), (6, 5), (7, 5), (8, 5), (9, 6), (10, 7), (20, 14), (28, 19), (29, 20), (30, 20), (90, 20), (1000, 20)],
)
def test_a_pass_may_draft_seven_tenths_of_the_masks_but_5_to_20(masked, most):
    assert WINO.most_drafts(masked) == most


def test_the_share_of_the_masks_limits_a_middling_block():
    steps, _, _ = run(WINO, a_canvas(10), script_of(draft=0.9))
    assert [len(step.drafted) for step in steps] == [7, 3]
    assert [step.limits for step in steps] == [(DRAFT_CAP,), ()]


def test_the_floor_lets_a_small_rest_be_drafted_at_once():
    steps, _, _ = run(WINO, a_canvas(6), script_of(draft=0.9))
    assert [len(step.drafted) for step in steps] == [5, 1]


def test_the_cap_wins_over_the_floor():
    steps, _, _ = run(WinoSettings(draft_floor=5, draft_cap=2), a_canvas(6), script_of(draft=0.9))
    assert [len(step.drafted) for step in steps] == [2, 2, 2]


# ---- verifying and re-masking


def test_a_token_is_first_verified_one_pass_after_it_was_drafted():
    steps, _, _ = run(WINO, a_canvas(4), script_of({0: {0: 0.9}, 1: {1: 0.9, 2: 0.9}, 2: {3: 0.9}}))
    assert [verified(step) for step in steps] == [[], [0], [0, 1, 2]]


def test_every_placed_token_is_verified_with_its_probability():
    steps, _, _ = run(WINO, a_canvas(3), script_of({0: {1: 0.9, 2: 0.9}}, {1: {1: 0.91, 2: 0.95}}))
    assert steps[1].verified == ((1, 0.91), (2, 0.95))


def test_a_token_below_tau2_is_masked_again_and_one_at_tau2_stays():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}}
    steps, _, canvas = run(WINO, a_canvas(5), script_of(drafts, {1: {0: 0.9, 1: 0.899999}}))
    assert steps[1].remasked == ((1, proposal(0, 1), 0.899999),)
    assert steps[1].limits == ()
    assert canvas[0] == proposal(0, 0) and canvas[1] == proposal(2, 1)


def test_alternatives_are_recorded_for_drafts_and_for_the_verdict_that_revokes():
    drafts = {0: {0: 0.9, 1: 0.9}, 1: {2: 0.8, 3: 0.7}}
    steps, _, _ = run(WINO, a_canvas(4), script_of(drafts, {1: {1: 0.25}}))
    assert steps[1].alternatives == {
        2: ((proposal(1, 2), 0.8),),
        3: ((proposal(1, 3), 0.7),),
        1: ((proposal(1, 1), 0.25),),
    }


def test_fewer_failures_than_the_last_pass_drafted_are_all_masked_again():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}}
    steps, _, _ = run(WINO, a_canvas(6), script_of(drafts, {1: {0: 0.3, 2: 0.2}}))
    assert remasked(steps[1]) == [0, 2] and steps[1].limits == ()


def test_as_many_failures_as_the_last_pass_drafted_are_cut_to_the_lowest():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}}
    steps, _, _ = run(WINO, a_canvas(6), script_of(drafts, {1: {0: 0.3, 1: 0.5, 2: 0.2}}))
    assert remasked(steps[1]) == [0, 2] and steps[1].limits == (REMASK_LIMIT,)


def test_of_equally_doubtful_tokens_the_lower_positions_are_masked_again():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}}
    steps, _, _ = run(WINO, a_canvas(6), script_of(drafts, {1: {0: 0.5, 1: 0.5, 2: 0.5}}))
    assert remasked(steps[1]) == [0, 1]


def test_the_limit_counts_the_last_passes_drafts_not_all_before():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}, 2: {5: 0.9, 6: 0.9}}
    steps, _, _ = run(WINO, a_canvas(8), script_of(drafts, {2: {0: 0.1, 1: 0.2, 2: 0.3}}))
    assert remasked(steps[2]) == [0] and steps[2].limits == (REMASK_LIMIT,)


def test_after_a_single_draft_nothing_is_masked_again():
    drafts = {0: {0: 0.9}, 1: {1: 0.9, 2: 0.9}}
    steps, _, _ = run(WINO, a_canvas(4), script_of(drafts, {1: {0: 0.1}}))
    assert remasked(steps[1]) == [] and steps[1].limits == (REMASK_LIMIT,)


def test_a_pass_that_drafts_a_single_token_masks_nothing_again():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9}}
    steps, _, _ = run(WINO, a_canvas(6), script_of(drafts, {1: {0: 0.1}}))
    assert remasked(steps[1]) == [] and steps[1].limits == (SINGLE_DRAFT,)


def test_a_forced_draft_masks_nothing_again():
    steps, _, _ = run(WINO, a_canvas(6), script_of({0: {0: 0.9, 1: 0.9, 2: 0.9}}, {1: {0: 0.1}}))
    assert remasked(steps[1]) == [] and steps[1].limits == (FORCED_DRAFT, SINGLE_DRAFT)


def test_a_single_draft_is_no_limit_when_nothing_failed():
    steps, _, _ = run(WINO, a_canvas(6), script_of({0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9}}))
    assert steps[1].limits == ()


def test_a_revoked_position_is_drafted_again_and_verified_again():
    drafts = {0: {0: 0.9, 1: 0.9}, 1: {2: 0.9, 3: 0.9}, 2: {0: 0.9, 4: 0.9}, 3: {5: 0.9}}
    steps, _, canvas = run(WINO, a_canvas(6), script_of(drafts, {1: {0: 0.1}}))
    assert remasked(steps[1]) == [0]
    assert drafted(steps[2]) == [0, 4] and verified(steps[2]) == [1, 2, 3]
    assert verified(steps[3]) == [0, 1, 2, 3, 4]
    assert canvas[0] == proposal(2, 0)


def test_the_pass_that_fills_the_last_mask_may_open_others():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}, 2: {0: 0.3}}
    steps, _, canvas = run(WINO, a_canvas(5), script_of(drafts, {1: {0: 0.1}}))
    assert [drafted(step) for step in steps] == [[0, 1, 2], [3, 4], [0]]
    assert canvas[0] == proposal(2, 0)


def test_a_block_ends_with_its_last_mask_whatever_the_verdicts():
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9}}
    steps, _, canvas = run(WINO, a_canvas(4), script_of(drafts, judge=0.0))
    assert len(steps) == 2 and MASK not in canvas


# ---- blocks


def test_a_new_block_starts_with_nothing_to_verify_and_never_returns():
    steps, _, _ = run(WINO, a_canvas(8, 4), script_of(draft=0.9, judge=0.0))
    assert [step.block for step in steps] == [0, 1]
    assert [verified(step) for step in steps] == [[], []]
    assert [drafted(step) for step in steps] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_last_pass_of_a_block_sets_no_limit_in_the_next():
    # Pass 1 ends block 0 with a single draft, after which pass 3, the second of block 1, still re-masks.
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9, 3: 0.9}, 1: {4: 0.9}, 2: {5: 0.9, 6: 0.9}, 3: {7: 0.9, 8: 0.9}}
    steps, _, _ = run(WINO, a_canvas(10, 5), script_of(drafts, {3: {5: 0.1}}))
    assert [step.block for step in steps[:4]] == [0, 0, 1, 1]
    assert remasked(steps[3]) == [5] and steps[3].limits == ()


def test_the_first_remask_limit_of_the_published_rule_never_acts():
    canvas = a_canvas(32, 16)
    few, many = (run_random(WinoSettings(first_remask_limit=limit), canvas) for limit in (1, 30))
    assert few == many


# ---- the request


def test_the_request_holds_the_block_its_shadow_and_the_rows_that_decide():
    canvas = Canvas(PROMPT, MASK, gen_length=6, block_length=3)
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 5: 0.9}}
    _, requests, _ = run(WINO, canvas, script_of(drafts))
    first = [proposal(0, 0), proposal(0, 1), proposal(0, 2)]
    assert requests[2].ids.tolist() == [*PROMPT, *first, proposal(1, 3), MASK, proposal(1, 5), MASK, MASK, MASK]
    assert requests[2].rows.tolist() == [3 + 4, 9 + 0, 9 + 2]
    assert requests[2].given.tolist() == [NO_TOKEN, proposal(1, 3), proposal(1, 5)]
    assert requests[2].position_ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8]
    assert {array.dtype for request in requests for array in (request.ids, request.rows, request.given)} == {
        np.dtype(np.int64)
    }


def test_mask_and_positions_are_the_same_read_only_objects_for_a_whole_block():
    drafts = {0: {0: 0.9}, 1: {1: 0.9, 2: 0.9}, 2: {3: 0.9}, 3: {4: 0.9, 5: 0.9}}
    _, requests, _ = run(WINO, a_canvas(6, 3), script_of(drafts))
    first, second, third, _ = requests
    assert first.attention is second.attention and first.position_ids is second.position_ids
    assert third.attention is not first.attention and third.position_ids is not first.position_ids
    assert not first.attention.flags.writeable and not first.position_ids.flags.writeable


def test_a_mask_token_in_the_prompt_is_no_candidate():
    canvas = Canvas((7, MASK, 7), MASK, gen_length=4, block_length=4)
    steps, requests, _ = run(WINO, canvas, script_of(draft=0.9))
    assert requests[0].rows.tolist() == [3, 4, 5, 6]
    assert drafted(steps[0]) == [0, 1, 2, 3]


# ---- the shadow's mask


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 5), st.data())
def test_nobody_sees_the_shadow_and_the_shadow_sees_all_but_its_twin(prompt_length, blocks, block_length, data):
    block = data.draw(st.integers(0, blocks - 1))
    gen_length = blocks * block_length
    attention = shadow_attention(prompt_length, gen_length, block_length, block).tolist()
    length = prompt_length + gen_length
    for row in range(length + block_length):
        for column in range(length + block_length):
            if row < length:
                sees = column < length
            else:
                twin = prompt_length + block * block_length + (row - length)
                sees = column != twin
            assert attention[row][column] == sees, (row, column)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 5), st.data())
def test_a_shadow_slot_stands_where_its_twin_stands(prompt_length, blocks, block_length, data):
    block = data.draw(st.integers(0, blocks - 1))
    gen_length = blocks * block_length
    places = shadow_position_ids(prompt_length, gen_length, block_length, block)
    twins = [prompt_length + block * block_length + slot for slot in range(block_length)]
    assert places.tolist() == [*range(prompt_length + gen_length), *twins]
    assert places.dtype == np.int64


# ---- settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tau1": 1.5}, "tau1 must be a number, 0 to 1, not 1.5"),
        ({"tau2": -0.1}, "tau2 must be a number, 0 to 1, not -0.1"),
        ({"tau1": float("nan")}, "tau1 must be a number, 0 to 1, not nan"),
        ({"tau1": True}, "tau1 must be a number, 0 to 1, not True"),
        ({"draft_floor": 0}, "draft_floor must be a whole number, at least 1, not 0"),
        ({"draft_cap": 2.5}, "draft_cap must be a whole number, at least 1, not 2.5"),
        ({"draft_share": 1.1}, "draft_share must be a number, 0 to 1, not 1.1"),
        ({"first_remask_limit": 0}, "first_remask_limit must be a whole number, at least 1, not 0"),
    ],
)
def test_a_setting_outside_its_range_is_named(wrong, message):
    with pytest.raises(ValueError) as error:
        WinoSettings(**wrong)
    assert str(error.value) == message


def test_the_trace_entry_holds_the_name_and_every_setting():
    assert WINO.to_dict() == {
        "name": "wino",
        "tau1": 0.6,
        "tau2": 0.9,
        "draft_floor": 5,
        "draft_cap": 20,
        "draft_share": 0.7,
        "first_remask_limit": 30,
    }


# ---- the whole rule


def run_random(settings, canvas):
    decoder, denoiser, steps = settings.start(canvas), RandomDenoiser(), []
    while (forward := decoder.request()) is not None:
        steps.append(decoder.update(denoiser.predict([forward])[0]))
    return steps, decoder.canvas


LEVELS = [0.0, 0.1, 0.3, 0.5, 0.500001, 0.7, 0.9, 1.0]
probabilities = st.sampled_from(LEVELS)


@st.composite
def scripts(draw):
    """Scripts whose answers take few different values, so that ties and thresholds met exactly are common."""
    seed = draw(st.integers(0, 2**16))
    drafts = draw(st.lists(probabilities, min_size=1, max_size=4))
    verdicts = draw(st.lists(probabilities, min_size=1, max_size=4))

    def script(number, position, shadow):
        at = zlib.crc32(f"{seed} {number} {position} {shadow}".encode())
        levels = verdicts if shadow else drafts
        return 1000 + at % 7, levels[at % len(levels)]

    return script


settings = st.builds(
    WinoSettings,
    tau1=probabilities,
    tau2=probabilities,
    draft_floor=st.integers(1, 6),
    draft_cap=st.integers(1, 9),
    draft_share=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    first_remask_limit=st.integers(1, 30),
) | st.builds(WinoSettings, tau1=probabilities, tau2=probabilities)


@given(scripts(), settings, st.integers(1, 4), st.integers(1, 32))
def test_the_decoder_does_what_the_oracle_does(script, settings, blocks, block_length):
    canvas = a_canvas(blocks * block_length, block_length)
    expected, final = wino_oracle.decode(
        script, canvas.gen_length, block_length, **{k: v for k, v in settings.to_dict().items() if k != "name"}
    )
    steps, _, tokens = run(settings, canvas, script)
    for step, told in zip(steps, expected, strict=True):
        assert [tuple(token) for token in step.drafted] == told["drafted"]
        assert [tuple(row) for row in step.verified] == told["verified"]
        assert [tuple(token) for token in step.remasked] == told["remasked"]
        assert sorted(step.limits) == sorted(told["limits"])
    assert list(tokens) == final


@given(scripts(), settings, st.integers(1, 3), st.integers(1, 24))
def test_every_decoding_ends_without_masks_in_at_most_one_pass_a_token(script, settings, blocks, block_length):
    canvas = a_canvas(blocks * block_length, block_length)
    steps, _, tokens = run(settings, canvas, script)
    assert MASK not in tokens
    placed: set[int] = set()
    for step in steps:
        before, now, back = placed, set(drafted(step)), set(remasked(step))
        inside = set(range(step.block * block_length, (step.block + 1) * block_length))
        assert now and now <= inside - before and back <= before & inside
        assert set(verified(step)) == before & inside
        assert {token.position for token in step.considered} == inside - before - now
        placed = (before | now) - back
    for block in range(blocks):
        assert sum(step.block == block for step in steps) <= block_length
