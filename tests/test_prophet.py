"""Prophet: one token a pass, until the answer's gap commits all the rest at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, PROMPT, RandomDenoiser, ScriptedDenoiser, a_canvas, proposal, script_of

from wino_viz.decoding import NO_TOKEN, ProphetSettings, StandardSettings, decode, record
from wino_viz.decoding.prophet import LEAST, answer_span, gaps
from wino_viz.trace import Trace, shown_ids

QUESTION = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"


class GapDenoiser(ScriptedDenoiser):
    """As scripted, with a second token behind each first: by {pass: {position: gap}}, else by `gap`."""

    def __init__(self, script, canvas, gaps, gap=0.0, sampled=False):
        super().__init__(script, canvas)
        self.gaps, self.gap, self.sampled = gaps, gap, sampled

    def predict(self, forwards):
        number = len(self.requests)
        (said,) = super().predict(forwards)
        positions = forwards[0].rows - len(self.canvas.prompt_ids)
        behind = [math.exp(-self.gaps.get(number, {}).get(p, self.gap)) for p in positions.tolist()]
        top_ids = np.stack((said.ids, said.ids + 500), axis=1)
        top = np.stack((said.confidence, said.confidence * behind), axis=1)
        if self.sampled:  # the second token is drawn at every place
            said = replace(said, ids=top_ids[:, 1], confidence=top[:, 1])
        return [replace(said, top_ids=top_ids, top_probabilities=top)]


def run(settings, canvas, gaps=None, drafts=None, **denoiser):
    """(steps, requests, final canvas); confidences are 0.5 where `drafts` says nothing."""
    denoiser = GapDenoiser(script_of(drafts, draft=0.5), canvas, gaps or {}, **denoiser)
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, denoiser)]
    return steps, denoiser.requests, decoder.canvas


def drafted(steps):
    return [[token.position for token in step.drafted] for step in steps]


def answer_at(start, length=2, **settings):
    return ProphetSettings(answer_start=start, answer_length=length, **settings)


def test_below_the_gap_the_surest_of_the_block_is_placed_and_at_the_gap_all_the_rest():
    """Positions 3 and 4 are the answer: (8 + 6.9)/2 is below 7.5, (8 + 7)/2 is not."""
    gaps = {0: {3: 8.0, 4: 6.9}, 1: {3: 8.0, 4: 7.0}}
    steps, _, canvas = run(answer_at(3), a_canvas(6, 3), gaps, {0: {1: 0.9, 5: 0.99}})
    assert drafted(steps) == [[1], [0, 2, 3, 4, 5]]
    assert [step.block for step in steps] == [0, 0]
    assert steps[0].extra == {"gap": 7.45, "gap_needed": 7.5, "answer": [3, 5]}
    assert steps[1].extra == {"gap": 7.5, "gap_needed": 7.5, "answer": [3, 5]}
    assert canvas == tuple(proposal(p != 1, p) for p in range(6))


def test_a_step_tells_what_every_mask_would_have_become():
    steps, _, _ = run(answer_at(3), a_canvas(4, 2), {1: {3: 9.0}}, {0: {1: 0.9}})
    assert steps[0].drafted == ((1, proposal(0, 1), 0.9),)
    assert steps[0].considered == tuple((p, proposal(0, p), 0.5) for p in (0, 2, 3))
    assert list(steps[0].alternatives) == [1]
    assert steps[1].considered == () and list(steps[1].alternatives) == [0, 2, 3]
    assert steps[1].alternatives[3][0] == (proposal(1, 3), 0.5)
    assert all(step.verified == step.remasked == step.limits == () for step in steps)


@pytest.mark.parametrize(
    ("gap", "passes"),
    [
        (7.5, 1),
        (7.499, 5),  # passes 1 to 4 of 12 begin at 0, .08, .17 and .25: below .33
        (5.0, 5),
        (4.999, 10),  # pass 9 begins at .667, below .67; pass 10 at .75
        (2.5, 10),
        (2.499, 12),
    ],
)
def test_less_is_asked_the_longer_it_takes(gap, passes):
    steps, _, _ = run(ProphetSettings(), a_canvas(12, 6), gap=gap)
    assert len(steps) == passes
    asked = [7.5] * 4 + [5.0] * 5 + [2.5] * 3
    assert [step.extra["gap_needed"] for step in steps] == asked[:passes]
    assert all(step.extra["gap"] == gap for step in steps)


def test_the_phases_change_at_33_and_67_hundredths():
    needed = ProphetSettings().needed
    assert [needed(p) for p in (0, 0.329, 0.33, 0.669, 0.67, 1)] == [7.5, 7.5, 5.0, 5.0, 2.5, 2.5]


def test_without_a_commit_it_is_standard_decoding():
    canvas, drafts = a_canvas(6, 3), {0: {2: 0.7, 4: 0.9}, 1: {0: 0.6, 1: 0.6}, 4: {5: 0.8}}
    steps, _, ended = run(ProphetSettings(), canvas, drafts=drafts)
    plain = StandardSettings().start(canvas)
    denoiser = GapDenoiser(script_of(drafts, draft=0.5), canvas, {})
    assert drafted(steps) == drafted(timed.step for timed in decode(plain, denoiser))
    assert drafted(steps) == [[2], [0], [1], [3], [5], [4]]
    assert [step.block for step in steps] == [0, 0, 0, 1, 1, 1]
    assert ended == plain.canvas


def test_a_commit_in_the_second_block_leaves_the_first_alone():
    steps, requests, canvas = run(answer_at(0), a_canvas(6, 2), {3: {0: 9.0, 1: 9.0}})
    assert drafted(steps) == [[0], [1], [2], [3, 4, 5]]
    assert [step.block for step in steps] == [0, 0, 1, 1]
    assert len(requests) == 4 and canvas[:2] == (proposal(0, 0), proposal(1, 1))


def test_tokens_that_stand_in_the_answer_count_with_its_masks():
    """Position 0 stands from the first pass on; what the model thinks of it still holds the others back in the second."""
    asked = dict.fromkeys(("gap_early", "gap_middle", "gap_late"), 4.5)
    gaps = {0: {0: 0.0, 1: 8.0}, 1: {0: 0.0, 1: 8.0}, 2: {0: 2.0, 1: 8.0}}
    steps, requests, _ = run(answer_at(0, **asked), a_canvas(4), gaps)
    assert [step.extra["gap"] for step in steps] == [4.0, 4.0, 5.0]
    assert drafted(steps) == [[0], [1], [2, 3]]
    assert requests[2].rows.tolist() == [5, 6, 3, 4]  # the masks first


def test_the_request_is_the_whole_sequence_and_every_position():
    _, requests, _ = run(ProphetSettings(), a_canvas(4, 2), drafts={0: {1: 0.9}})
    assert requests[1].ids.tolist() == [*PROMPT, MASK, proposal(0, 1), MASK, MASK]
    assert requests[1].rows.tolist() == [3, 5, 6, 4]
    assert requests[1].given.tolist() == [NO_TOKEN] * 4
    assert requests[1].attention is None and requests[1].position_ids is None


def test_one_mask_is_placed_either_way():
    for gap in (0.0, 9.0):
        steps, _, canvas = run(ProphetSettings(), a_canvas(1), gap=gap)
        assert drafted(steps) == [[0]] and canvas == (proposal(0, 0),)
        assert steps[0].extra == {"gap": gap, "gap_needed": 7.5, "answer": [0, 1]}


def test_the_last_mask_may_be_committed():
    steps, _, _ = run(answer_at(0), a_canvas(3), {2: {0: 9.0, 1: 9.0}})
    assert drafted(steps) == [[0], [1], [2]]
    assert steps[2].extra["gap"] == 9.0


def test_a_commit_takes_the_most_probable_tokens_also_where_tokens_are_drawn():
    canvas = a_canvas(4, 2, temperature=1.0)
    steps, _, ended = run(answer_at(2), canvas, {1: {2: 9.0, 3: 9.0}}, {1: {3: 0.8}}, sampled=True, gap=0.1)
    assert ended == (proposal(0, 0) + 500, *(proposal(1, p) for p in (1, 2, 3)))
    assert steps[1].drafted[-1] == (3, proposal(1, 3), 0.8)


def test_a_commit_of_the_mask_is_refused_and_changes_nothing():
    canvas = a_canvas(4)
    decoder = ProphetSettings(gap_early=0.0).start(canvas)
    forward = decoder.request()
    (said,) = GapDenoiser(script_of(draft=0.5), canvas, {}, gap=9.0).predict([forward])
    wrong = replace(said, top_ids=np.where(said.top_ids == proposal(0, 2), MASK, said.top_ids))
    with pytest.raises(ValueError, match=f"the model chose the mask token {MASK}"):
        decoder.update(wrong)
    assert decoder.request() is forward and decoder.canvas == (MASK,) * 4
    assert len(decoder.update(said).drafted) == 4


def test_predictions_of_one_token_a_row_are_refused():
    canvas = a_canvas(4)
    decoder = ProphetSettings().start(canvas)
    (said,) = ScriptedDenoiser(script_of(), canvas).predict([decoder.request()])
    with pytest.raises(
        ValueError, match=r"^Prophet compares the two most probable tokens of each row, but .* hold one$"
    ):
        decoder.update(said)
    assert decoder.canvas == (MASK,) * 4


# ---- where the answer is


@pytest.mark.parametrize(
    ("likeliest", "length", "span"),
    [
        ([1, 2, 3, 4, 5, 0, 0, 0], 3, (2, 5)),  # right before the run at the end
        ([1, 2, 0, 0, 5, 0, 0, 0], 3, (2, 5)),
        ([1, 2, 0, 0, 0, 0, 0, 0], 3, (0, 3)),  # no room before it: the first positions
        ([0, 0, 0, 0], 3, (0, 3)),  # nothing but the run
        ([1, 2, 3, 4], 3, (1, 4)),  # a single token is no run
        ([1, 2, 3, 3], 1, (1, 2)),
        ([1, 2, 3, 4], 9, (0, 4)),
        ([7], 5, (0, 1)),
    ],
)
def test_the_answer_ends_where_the_text_does(likeliest, length, span):
    assert answer_span(np.array(likeliest), -1, length) == slice(*span)


@pytest.mark.parametrize(("start", "length", "span"), [(2, 3, (2, 5)), (5, 3, (5, 6)), (0, 1, (0, 1)), (0, 99, (0, 6))])
def test_an_answer_may_be_said_to_start_somewhere(start, length, span):
    assert answer_span(np.zeros(6, dtype=int), start, length) == slice(*span)


def test_masks_count_as_their_most_probable_token_where_the_end_is_looked_for():
    """At first 1 1 2 9 9 9 seems to come, then 1 1 2 3 9 9: the answer moves."""

    class Ending(GapDenoiser):
        def predict(self, forwards):
            number = len(self.requests)
            (said,) = super().predict(forwards)
            words = [1, 1, 2, 9 if number == 0 else 3, 9, 9]
            ids = np.array([words[row - len(PROMPT)] for row in forwards[0].rows])
            return [replace(said, ids=ids, top_ids=np.stack((ids, ids + 500), axis=1))]

    canvas, settings = a_canvas(6), ProphetSettings(answer_length=2)
    denoiser = Ending(script_of(draft=0.5), canvas, {0: {1: 1.0, 2: 2.0}, 1: {2: 8.0, 3: 9.0}})
    steps = [timed.step for timed in decode(settings.start(canvas), denoiser)]
    assert [step.extra["answer"] for step in steps] == [[1, 3], [2, 4]]
    assert [step.extra["gap"] for step in steps] == [1.5, 8.5]
    assert drafted(steps) == [[0], [1, 2, 3, 4, 5]]


# ---- gaps


def test_a_gap_is_the_difference_of_the_logits():
    logits = np.array([[4.0, 1.5, -2.0], [0.0, 0.0, -9.0]])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    (said,) = GapDenoiser(script_of(), a_canvas(2), {}).predict([ProphetSettings().start(a_canvas(2)).request()])
    assert gaps(replace(said, top_probabilities=p)) == pytest.approx([2.5, 0.0])


def test_a_rounded_probability_of_0_leaves_a_finite_gap():
    (said,) = GapDenoiser(script_of(), a_canvas(2), {}).predict([ProphetSettings().start(a_canvas(2)).request()])
    found = gaps(replace(said, top_probabilities=np.array([[1.0, 0.0], [0.0, 0.0]])))
    assert found == pytest.approx([-math.log(LEAST), 0.0]) and found[0] == pytest.approx(14.5, abs=0.01)


# ---- any predictions, the embedded model, settings


@given(
    *[st.sampled_from([0.0, 0.5, 1.0, 2.5, 7.5, 15.0])] * 3,
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(-1, 11),
    st.integers(1, 6),
)
def test_every_pass_places_one_token_or_all_the_rest(early, middle, late, blocks, block_length, start, length):
    canvas = a_canvas(blocks * block_length, block_length)
    settings = ProphetSettings(early, middle, late, min(start, canvas.gen_length - 1), length)
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, RandomDenoiser())]
    assert_follows_the_rule(steps, settings, canvas)
    assert MASK not in decoder.canvas and decoder.request() is None


def assert_follows_the_rule(steps, settings, canvas):
    left = canvas.gen_length
    for made, step in enumerate(steps):
        share = made / canvas.gen_length
        assert step.extra["gap_needed"] == (
            settings.gap_early if share < 0.33 else settings.gap_middle if share < 0.67 else settings.gap_late
        )
        assert len(step.drafted) + len(step.considered) == left
        if step.extra["gap"] >= step.extra["gap_needed"]:
            assert len(step.drafted) == left and step is steps[-1]
        else:
            own = [token for token in step.considered if token.position // canvas.block_length == step.block]
            assert len(step.drafted) == 1
            assert all(token.probability <= step.drafted[0].probability for token in own)
        left -= len(step.drafted)
    assert left == 0


def test_the_embedded_model_commits_before_the_end_and_says_the_same(mini):
    canvas = mini.canvas(QUESTION, None, gen_length=64, block_length=32)
    settings = ProphetSettings()
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, mini.denoiser)]
    assert_follows_the_rule(steps, settings, canvas)
    assert len(steps) < 64 and len(steps[-1].drafted) > 1
    first, stop = steps[-1].extra["answer"]
    assert "18" in mini.text(decoder.canvas[first:stop])
    plain = StandardSettings().start(canvas)
    assert sum(1 for _ in decode(plain, mini.denoiser)) == 64
    assert mini.text(decoder.canvas).endswith("#### 18") and mini.text(plain.canvas).endswith("#### 18")


def test_a_commit_into_later_blocks_is_a_trace_that_reads_back():
    canvas, settings = a_canvas(6, 2), answer_at(4)
    steps, _, ended = run(settings, canvas, {1: {4: 9.0, 5: 9.0}})
    pieces = {i: f"<{i}>" for i in shown_ids(steps)}
    trace = record(model="m", settings=settings, canvas=canvas, prompt="", steps=steps, pieces=pieces, text="")
    again = Trace.from_json(trace.to_json())
    assert again == trace and again.output_ids == ended
    assert again.steps[1].extra == {"gap": 9.0, "gap_needed": 7.5, "answer": [4, 6]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gap_early": -1}, "gap_early must be a number, 0 to 100, not -1"),
        ({"gap_middle": float("nan")}, "gap_middle must be a number, 0 to 100, not nan"),
        ({"gap_late": "5"}, "gap_late must be a number, 0 to 100, not '5'"),
        ({"answer_start": -2}, "answer_start must be a whole number, -1 to 8191, not -2"),
        ({"answer_start": 1.0}, "answer_start must be a whole number, -1 to 8191, not 1.0"),
        ({"answer_length": 0}, "answer_length must be a whole number, 1 to 8192, not 0"),
    ],
)
def test_a_setting_outside_its_range_is_named(wrong, message):
    with pytest.raises(ValueError) as error:
        ProphetSettings(**wrong)
    assert str(error.value) == message


def test_an_answer_beyond_the_canvas_is_refused():
    with pytest.raises(ValueError, match=r"^answer_start must be a whole number, -1 to 7, not 8$"):
        ProphetSettings(answer_start=8).start(a_canvas(8))


def test_the_trace_entry_holds_the_name_and_every_setting():
    assert ProphetSettings().to_dict() == {
        "name": "prophet",
        "gap_early": 7.5,
        "gap_middle": 5.0,
        "gap_late": 2.5,
        "answer_start": -1,
        "answer_length": 5,
    }
