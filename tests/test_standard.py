"""Standard decoding: a fixed number of tokens a pass, by confidence or at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, PROMPT, RandomDenoiser, a_canvas, proposal, run, script_of

from wino_viz.decoding import NO_TOKEN, StandardSettings, decode


def drafted(steps):
    return [[token.position for token in step.drafted] for step in steps]


def test_each_pass_places_the_most_confident_token():
    script = script_of({0: {2: 0.5, 3: 0.9}, 1: {0: 0.1, 1: 0.4, 2: 0.3}}, draft=0.2)
    steps, _, canvas = run(StandardSettings(), a_canvas(4), script)
    assert drafted(steps) == [[3], [1], [0], [2]]  # of equals, the lower position
    assert canvas == (proposal(2, 0), proposal(1, 1), proposal(3, 2), proposal(0, 3))


def test_a_step_tells_what_was_placed_and_what_was_left():
    steps, _, _ = run(StandardSettings(tokens_per_step=2), a_canvas(3), script_of({0: {0: 0.5, 1: 0.4, 2: 0.9}}))
    assert steps[0].drafted == ((0, proposal(0, 0), 0.5), (2, proposal(0, 2), 0.9))
    assert steps[0].considered == ((1, proposal(0, 1), 0.4),)
    assert steps[0].alternatives == {0: ((proposal(0, 0), 0.5),), 2: ((proposal(0, 2), 0.9),)}
    assert steps[0].verified == () and steps[0].remasked == () and steps[0].limits == ()


def test_the_last_pass_of_a_block_places_what_is_left():
    steps, _, _ = run(StandardSettings(tokens_per_step=3), a_canvas(10, 5), script_of())
    assert drafted(steps) == [[0, 1, 2], [3, 4], [5, 6, 7], [8, 9]]
    assert [step.block for step in steps] == [0, 0, 1, 1]


def test_more_tokens_per_step_than_a_block_holds_fill_one_block_a_pass():
    steps, _, _ = run(StandardSettings(tokens_per_step=8), a_canvas(8, 4), script_of())
    assert drafted(steps) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_request_is_the_whole_sequence_and_the_masked_rows_of_the_block():
    _, requests, _ = run(StandardSettings(), a_canvas(4, 2), script_of({0: {1: 0.9}}))
    assert requests[1].ids.tolist() == [*PROMPT, MASK, proposal(0, 1), MASK, MASK]
    assert requests[1].rows.tolist() == [3] and requests[1].given.tolist() == [NO_TOKEN]
    assert requests[1].attention is None and requests[1].position_ids is None
    assert requests[2].rows.tolist() == [5, 6]


def random_order(seed, tokens_per_step=3):
    canvas = a_canvas(24, 12, seed=seed)
    steps, _, _ = run(StandardSettings(tokens_per_step, "random"), canvas, script_of({0: {0: 1.0}}))
    return drafted(steps)


def test_random_remasking_repeats_with_its_seed_and_differs_between_seeds():
    assert random_order(1) == random_order(1)
    assert len({str(random_order(seed)) for seed in range(8)}) == 8


def test_random_remasking_differs_between_passes():
    first, second = random_order(1, tokens_per_step=4)[:2], random_order(1, tokens_per_step=4)[3:5]
    assert [[p - 12 for p in step] for step in second] != first


def test_random_remasking_does_not_depend_on_what_was_asked_before():
    canvas = a_canvas(12, seed=5)
    settings = StandardSettings(2, "random")
    asked_once, asked_often = settings.start(canvas), settings.start(canvas)
    denoiser = RandomDenoiser()
    while (forward := asked_once.request()) is not None:
        for _ in range(3):
            asked_often.request()
        answer = denoiser.predict([forward])[0]
        assert asked_often.update(answer) == asked_once.update(answer)


def test_random_remasking_is_uniform():
    counts = [0] * 6
    for seed in range(1200):
        decoder = StandardSettings(1, "random").start(a_canvas(6, seed=seed))
        step = next(decode(decoder, RandomDenoiser())).step
        counts[step.drafted[0].position] += 1
    assert all(150 < count < 250 for count in counts), counts


@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 13), st.sampled_from(["low_confidence", "random"]))
def test_passes_are_blocks_times_the_passes_of_a_block(tokens_per_step, blocks, block_length, remasking):
    canvas = a_canvas(blocks * block_length, block_length)
    settings = StandardSettings(min(tokens_per_step, canvas.gen_length), remasking)
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, RandomDenoiser())]
    assert len(steps) == blocks * -(-block_length // settings.tokens_per_step)
    assert MASK not in decoder.canvas
    assert sorted(p for step in drafted(steps) for p in step) == list(range(canvas.gen_length))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tokens_per_step": 0}, "tokens_per_step must be a whole number, at least 1, not 0"),
        ({"tokens_per_step": 1.5}, "tokens_per_step must be a whole number, at least 1, not 1.5"),
        ({"remasking": "best"}, "remasking must be low_confidence or random, not 'best'"),
    ],
)
def test_a_setting_outside_its_range_is_named(wrong, message):
    with pytest.raises(ValueError) as error:
        StandardSettings(**wrong)
    assert str(error.value) == message


def test_more_tokens_per_step_than_there_are_positions_is_refused():
    with pytest.raises(ValueError, match=r"^tokens_per_step must be a whole number, 1 to 8, not 9$"):
        StandardSettings(tokens_per_step=9).start(a_canvas(8))


def test_the_trace_entry_holds_the_name_and_every_setting():
    assert StandardSettings(4).to_dict() == {"name": "standard", "tokens_per_step": 4, "remasking": "low_confidence"}
