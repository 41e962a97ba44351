"""Tokens planted by a person: which token is meant, what the branch is called, and what became of it, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wino_viz.decoding import StandardSettings
from wino_viz.fates import fate_sentence, fates
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.planting import lanes, one_token, read_plant
from wino_viz.session import Session
from wino_viz.step import Step, Token, Verified
from wino_viz.trace import Branch, Edit, Trace
from wino_viz.ui.examples import read_examples

PIECES = {1: " twelve", 2: " seventeen", 3: " end", 4: "1", 5: " pears"}


@pytest.fixture(scope="module")
def session(mini: Checkpoint) -> Session:
    return Session(load=lambda name: mini)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return read_examples()[0].trace


def where(trace: Trace, text: str, at_pass: int) -> int:
    """The first position that holds a token of that text after a pass."""
    canvas = list(trace.canvases())[at_pass]
    return next(position for position, token in enumerate(canvas) if trace.pieces.get(token) == text)


# ---- which token


def test_a_typed_text_is_the_token_with_a_space_or_without_as_the_one_that_it_replaces(mini):
    token = one_token(mini, "envelopes", " envelopes")
    assert mini.pieces([token])[token] == " envelopes"
    assert one_token(mini, " envelopes") == one_token(mini, "envelopes") == token
    digit = one_token(mini, "7", "6")
    assert mini.pieces([digit])[digit] == "7"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing was typed: write the text of one token"),
        (None, "nothing was typed"),
        (17, "nothing was typed"),
        ("12 pears", r"'12 pears' is \d tokens of llada-mini \(“.*\): write a text that is one token"),
        ("x" * 61, "'x{40}'… is too long for one token"),
        ("\ud800", "half a character .* in the text"),
        ("<|mdm_mask|>", "tokens of llada-mini"),
        ("<|endoftext|>", "tokens of llada-mini"),
    ],
)
def test_a_text_that_is_not_one_token_is_a_sentence(mini, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        one_token(mini, text)


def test_a_branch_is_called_by_its_pass_and_what_was_changed(session, trace):
    position = where(trace, " envelopes", 3)
    plant = read_plant(session, trace, 3, position, text="cards")
    assert plant.name == "pass 3: envelopes → cards" and plant.edits == {position: plant.id}
    assert read_plant(session, trace, 3, position).name == "pass 3: envelopes → mask"
    masked = list(trace.canvases())[3].index(trace.mask_id)
    assert read_plant(session, trace, 3, masked, text="cards").name == "pass 3: mask → cards"
    assert read_plant(session, trace, 3, position, text=",").name == "pass 3: envelopes → “,”"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"at_pass": 99}, "at_pass must be a whole number, 0 to "),
        ({"at_pass": "x"}, "at_pass must be a whole number"),
        ({"position": 128}, "position must be a whole number, 0 to 127, not 128"),
        ({"position": None}, "position must be a whole number"),
        ({"id": -1}, "a token must be a whole number"),
        ({"id": 10**9}, "a token must be a whole number"),
        ({"text": "not one token"}, "write a text that is one token"),
        ({"text": "envelopes"}, "holds that token already"),
        ({"at_pass": 12}, "every token is placed after pass 12"),
    ],
)
def test_what_can_not_be_planted_is_a_sentence(session, trace, asked, sentence):
    usual = {"at_pass": 3, "position": where(trace, " envelopes", 3), "id": 300}
    asked = {**usual, **asked}
    if "text" in asked:
        asked.pop("id")
    with pytest.raises(ValueError, match=sentence):
        read_plant(session, trace, **asked)


def test_wino_and_standard_go_on_with_the_settings_that_the_trace_had(session, trace):
    own = replace(trace, decoder={**trace.decoder, "tau1": 0.77})
    plant = read_plant(session, own, 3, where(trace, " envelopes", 3))
    wino, standard = lanes(session, own, plant)
    assert wino.tau1 == 0.77 and standard == StandardSettings()


# ---- what became of it


PLANTED = Edit(0, 2)


def told(*steps: Step, edit: Edit = PLANTED, at_pass: int = 1, decoder=None, mask: int = 99) -> str:
    """The sentence on an edit of position 0, which held token 1, by a decoder that made `steps` after it."""
    first = Step(0, drafted=(Token(0, 1, 0.9), Token(1, 4, 0.9)))
    decoder = decoder or {"name": "wino", "tau1": 0.6, "tau2": 0.9}
    trace = Trace("m", decoder, 4, 4, mask, "", (7,), PIECES, (first, *steps), (), "")
    trace = replace(trace, branches=(Branch(at_pass, (edit,), decoder),))
    *_, output = trace.canvases()
    trace = replace(trace, output_ids=output)
    trace.check()
    [fate] = fates(trace)
    assert fate.before == 1
    return fate_sentence(trace, fate)


REVOKED = Step(
    0, drafted=(Token(2, 4, 0.9), Token(3, 4, 0.9)), verified=(Verified(0, 0.031),), remasked=(Token(0, 2, 0.031),)
)


def test_a_planted_token_that_was_taken_back():
    start = "WINO took “seventeen” back in pass 2, where its probability had fallen to 0.03"
    assert told(REVOKED) == f"{start}; nothing stands there yet."
    assert told(REVOKED, Step(0, drafted=(Token(0, 1, 0.9),))) == f"{start}, and wrote “twelve” in pass 3."
    assert told(REVOKED, Step(0, drafted=(Token(0, 2, 0.9),))) == f"{start}, and wrote the same again in pass 3."
    other = Step(0, drafted=(Token(0, 1, 0.9),))
    back = Step(0, verified=(Verified(0, 0.2),), remasked=(Token(0, 1, 0.2),))
    sentence = told(REVOKED, other, back, Step(0, drafted=(Token(0, 5, 0.9),)))
    assert sentence == f"{start}, and wrote “twelve” in pass 3, and in the end “pears” stands there."


def test_a_planted_token_that_stayed():
    sure = Step(0, drafted=(Token(2, 4, 0.9),), verified=(Verified(0, 0.95),))
    assert told(sure).startswith("WINO kept “seventeen”: the one time that it was checked, its probability was 0.95")
    surer = Step(0, drafted=(Token(3, 4, 0.9),), verified=(Verified(0, 0.97),))
    assert "all 2 times that it was checked, its probability was 0.95 or more, at least τ2 0.9." in told(sure, surer)
    low = Step(0, drafted=(Token(2, 4, 0.9),), verified=(Verified(0, 0.4),), limits=("single_draft",))
    assert "it fell below τ2 0.9 in pass 2, but that pass could take no more tokens back" in told(low)
    unseen = Step(0, drafted=(Token(2, 4, 0.9),))
    assert told(unseen) == "WINO kept “seventeen”: it checks only the block that it works on, and that was complete."
    plain = told(unseen, decoder={"name": "standard", "tokens_per_step": 1})
    assert plain == "Standard decoding never checks a token again: “seventeen” stays."


def test_a_token_that_was_masked_by_hand():
    masked = Edit(0, 99)
    assert told(edit=masked) == "WINO has written nothing there yet."
    again = Step(0, drafted=(Token(0, 1, 0.9),))
    assert told(again, edit=masked) == "WINO wrote the same token again, “twelve” there in pass 2."
    assert told(Step(0, drafted=(Token(0, 5, 0.9),)), edit=masked) == "WINO wrote “pears” there in pass 2."


def test_the_real_model_takes_an_error_back_and_the_sentence_says_so(session, trace):
    plant = read_plant(session, trace, 3, where(trace, " envelopes", 3), text="cards")
    wino = lanes(session, trace, plant)[0]
    decoding = session.branch(trace, plant.at_pass, plant.edits, wino)
    for made in decoding:
        if any(token.position == plant.position for token in made.step.remasked):
            break
    [fate] = fates(decoding.trace())
    assert fate.revoked[0] == made.number and fate.revoked[1] < wino.tau2
    assert "took “cards” back in pass" in fate_sentence(decoding.trace(), fate)
