"""Why a token was taken back, measured on the real embedded model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import read_examples
from wino_viz.why import MOST_ASKED, Cause, Why, ask_why, unseen, why_sentence


@pytest.fixture(scope="module")
def session(mini: Checkpoint) -> Session:
    return Session(load=lambda name: mini)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return read_examples()[0].trace


@pytest.fixture(scope="module")
def why(session, trace) -> Why:
    token = trace.steps[3].remasked[1]
    return ask_why(session, trace, 4, token.position)


def test_the_verdict_of_the_trace_is_measured_again(trace, why):
    token = trace.steps[3].remasked[1]
    assert why.id == token.id and why.probability == pytest.approx(token.probability, abs=1e-4)


def test_the_causes_are_what_the_draft_had_not_seen_the_one_that_counted_most_first(trace, why):
    drafted = {token.position for token in trace.steps[2].drafted}  # the pass that drafted it, too
    assert 1 <= len(why.causes) <= MOST_ASKED
    assert {cause.position for cause in why.causes} == set(unseen(trace, 4, why.position)) <= drafted - {why.position}
    probabilities = [cause.probability for cause in why.causes]
    assert probabilities == sorted(probabilities, reverse=True) and probabilities[0] > why.probability
    canvas = list(trace.canvases())[3]
    assert all(canvas[cause.position] == cause.id for cause in why.causes)


def test_one_batch_is_all_that_the_model_is_asked(session, trace, mini):
    class Counted:
        def __init__(self, denoiser) -> None:
            self.denoiser, self.batches = denoiser, []

        def __getattr__(self, name):
            return getattr(self.denoiser, name)

        def predict(self, forwards):
            self.batches.append(len(forwards))
            return self.denoiser.predict(forwards)

    counted = Counted(mini.denoiser)
    position = trace.steps[3].remasked[0].position
    asked = ask_why(Session(load=lambda name: replace(mini, denoiser=counted)), trace, 4, position)
    assert counted.batches == [len(asked.causes) + 2]


@pytest.mark.parametrize(
    ("at_pass", "position", "sentence"),
    [
        (0, 0, "at_pass must be a whole number, 1 to"),
        ("x", 0, "at_pass must be a whole number"),
        (4, 128, "position must be a whole number, 0 to 127"),
        (4, 127, "pass 4 took no token back at position 127"),
    ],
)
def test_what_can_not_be_asked_is_a_sentence(session, trace, at_pass, position, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask_why(session, trace, at_pass, position)


def test_another_models_trace_is_refused(session, trace):
    position = trace.steps[3].remasked[0].position
    with pytest.raises(ValueError, match="only the model that made a trace can be asked"):
        ask_why(session, replace(trace, model="another"), 4, position)


def test_the_sentence_names_the_token_that_counted_most(trace):
    first, second = list(trace.pieces)[:2]
    say = Why(4, 22, first, 0.021, (), 0.0)
    assert why_sentence(trace, say).endswith(" 0.02. Nothing stood there that its draft had not seen.")
    one = replace(say, causes=(Cause(9, second, 0.9), Cause(3, second, 0.4)), without_all=0.95)
    assert "(token 10) masked again it would have been 0.90; with any other one masked, 0.40 at most." in (
        why_sentence(trace, one)
    )
    alike = replace(say, causes=tuple(Cause(n, second, 0.9 - n / 100) for n in range(5)), without_all=0.95)
    assert why_sentence(trace, alike).endswith("(token 3) or one of 2 more masked again it would have been about 0.90.")
    none = replace(say, causes=(Cause(9, second, 0.03), Cause(3, second, 0.01)), without_all=0.8)
    assert "No single token beside it mattered: at most 0.03 without one; without all 2 of them, 0.80." in (
        why_sentence(trace, none)
    )


@pytest.mark.parametrize("controls", [{"cfg_scale": 1.5}, {"end_of_text": "never"}])
def test_it_is_judged_with_the_guidance_and_without_the_ids_of_the_run(session, controls):
    question = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
    settings = session.settings("wino", tau1=0.3)
    decoding = session.start(question, settings, gen_length=32, block_length=32, **controls)
    for _ in decoding:
        pass
    made = decoding.trace()
    judged = [(n, token) for n, step in enumerate(made.steps, start=1) for token in step.remasked]
    assert judged
    for n, token in judged[:3]:
        assert ask_why(session, made, n, token.position).probability == pytest.approx(token.probability, abs=1e-4)
