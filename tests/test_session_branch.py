"""Branches on the real embedded model: a planted error, other settings, and the trace that tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wino_viz.decoding import StandardSettings, WinoSettings
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Decoding, Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import read_examples

SIZE = {"gen_length": 64, "block_length": 32}
QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"


@pytest.fixture(scope="module")
def session(mini: Checkpoint) -> Session:
    return Session(load=lambda name: mini)


@pytest.fixture(scope="module")
def trace(session: Session) -> Trace:
    return finish(session.start(QUESTION, session.settings("wino"), **SIZE))


def finish(decoding: Decoding) -> Trace:
    for _ in decoding:
        pass
    return decoding.trace()


def test_a_branch_without_an_edit_ends_as_the_trace_did(session, trace):
    for at_pass in (0, 1, trace.forward_passes - 1):
        again = finish(session.branch(trace, at_pass))
        assert again.steps == trace.steps and again.text == trace.text
        assert again.branches[0].at_pass == at_pass and again.decoder == trace.decoder


def test_wino_takes_a_planted_token_back_and_standard_decoding_can_not(session, trace, mini):
    position = next(token.position for token in trace.steps[0].drafted)
    [planted] = mini.tokenizer.encode(" pencils", add_special_tokens=False)
    ends = {}
    for settings in (WinoSettings(), StandardSettings()):
        decoding = session.branch(trace, 1, {position: planted}, settings)
        assert decoding.header["branches"][0]["edits"] == [[position, planted]]
        assert decoding.begun_with.steps == trace.steps[:1]
        made = list(decoding)
        ended = decoding.trace()
        assert [each.number for each in made] == list(range(2, ended.forward_passes + 1))
        assert Trace.from_json(ended.to_json()) == ended
        assert ended.timing["per_pass"][0] == trace.timing["per_pass"][0]
        assert len(ended.timing["per_pass"]) == ended.forward_passes
        ends[settings.name] = ended
    revoked = [t for step in ends["wino"].steps for t in step.remasked if t.position == position]
    assert revoked and revoked[0].id == planted
    assert ends["wino"].output_ids[position] != planted
    assert ends["standard"].output_ids[position] == planted and ends["standard"].revocations == 0


def test_a_token_is_masked_again_and_found_anew(session, trace):
    position = trace.steps[0].drafted[0].position
    made = finish(session.branch(trace, 1, {position: None}, StandardSettings()))
    assert list(made.canvases())[1][position] == made.mask_id
    assert made.output_ids[position] == trace.output_ids[position]


def test_every_recorded_example_can_be_gone_on_with(session):
    example = next(e for e in read_examples() if e.trace.decoder["name"] == "standard")
    decoding = session.branch(example.trace, example.trace.forward_passes - 2, record=example.record)
    made = finish(decoding)
    assert made.output_ids == example.trace.output_ids
    assert decoding.verdict() == session.judge(example.record, example.trace.text)


def test_a_sudoku_keeps_its_board(session):
    example = next(e for e in read_examples() if e.record.get("task") == "sudoku")
    made = session.branch(example.trace, 1).trace()
    assert made.extra["record"] == example.trace.extra["record"]


@pytest.mark.parametrize(
    ("change", "edits", "sentence"),
    [
        (
            {"model": "another"},
            {},
            "only the model that made a trace can go on with it: that was 'another', and this is",
        ),
        ({"mask_id": 3}, {}, "the tokens of this trace are not those of llada-mini"),
        ({"prompt_ids": (2**31 - 1,)}, {}, "the tokens of this trace are not those of llada-mini"),
        ({"prompt_ids": (7,) * 4096}, {}, "the trace is longer than [0-9]+, the context of llada-mini"),
        ({"decoder": {"name": "x"}}, {}, "there is no decoder 'x'"),
        ({"decoder": {"name": "wino", "tau1": 7}}, {}, "tau1 must be a number, 0 to 1, not 7"),
        ({"decoder": {"name": "wino", "temperature": "hot"}}, {}, "temperature must be a number"),
        ({"prompt_ids": ()}, {}, "the prompt is empty"),
        ({}, {0: 10**6}, "a token must be a whole number, 0 to "),
        ({}, {"0": 7}, "a position must be a whole number"),
        ({}, {0: "x"}, "a token must be a whole number"),
    ],
)
def test_what_can_not_go_on_is_a_sentence(session, trace, change, edits, sentence):
    with pytest.raises(ValueError, match=sentence):
        session.branch(replace(trace, **change), 1, edits)


def test_seconds_that_a_trace_does_not_know_are_not_made_up(session, trace):
    made = session.branch(replace(trace, timing={"per_pass": ["x", -1]}), 2).trace()
    assert made.timing == {"model_seconds": 0, "per_pass": [None, None]}


def test_fixed_words_and_what_was_asked_beside_the_decoder_go_along(session):
    asked = {"fixed": "0:The", "end_of_text": "last", "cfg_scale": 0.5}
    whole = finish(session.start(QUESTION, session.settings("wino"), **SIZE, **asked))
    again = finish(session.branch(whole, 2))
    assert again.steps == whole.steps and again.fixed == whole.fixed and again.decoder == whole.decoder
    assert Trace.from_json(again.to_json()) == again
    with pytest.raises(ValueError, match="position 0 was fixed before the first pass: it can't be changed"):
        session.branch(whole, 2, {0: None})
