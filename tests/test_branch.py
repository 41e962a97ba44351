"""Going on from the middle of a trace: the rules, and the trace that tells of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import MASK, RandomDenoiser, a_canvas, run, script_of

from wino_viz.decoding import (
    FactorSettings,
    ProphetSettings,
    StandardSettings,
    Start,
    ThresholdSettings,
    WinoSettings,
    decode,
    record,
    resume,
    settings_of,
)
from wino_viz.trace import REMASK_LIMIT, SINGLE_DRAFT, Trace, TraceError, shown_ids

DECODERS = [
    StandardSettings(),
    StandardSettings(tokens_per_step=3, remasking="random"),
    ThresholdSettings(tau=0.8),
    FactorSettings(),
    ProphetSettings(gap_early=2.0, gap_middle=1.5, gap_late=1.0),
    WinoSettings(),
    WinoSettings(tau1=0.3, tau2=0.5, draft_cap=4),
]


def a_trace(settings, canvas=None, steps=None) -> Trace:
    canvas = canvas or a_canvas(24, 8)
    steps = steps or [timed.step for timed in decode(settings.start(canvas), RandomDenoiser())]
    return traced(settings, canvas, steps)


def traced(settings, canvas, steps, branches=()) -> Trace:
    ids = shown_ids(steps) | {edit.id for branch in branches for edit in branch.edits}
    pieces = {i: f" t{i}" for i in ids}
    about = {"prompt": "…", "pieces": pieces, "text": "…", "branches": branches}
    return record(model="m", settings=settings, canvas=canvas, steps=steps, **about)


def gone_on(settings, start: Start, denoiser=None) -> Trace:
    new = [timed.step for timed in decode(resume(settings, start), denoiser or RandomDenoiser())]
    return traced(settings, start.canvas, [*start.steps, *new], start.branches)


# ---- nothing is forgotten


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("settings", DECODERS, ids=lambda s: s.name)
def test_without_an_edit_what_follows_is_what_followed_from_every_pass_on(settings, temperature):
    trace = a_trace(settings, a_canvas(24, 8, temperature=temperature, seed=5))
    for at_pass in range(trace.forward_passes):
        again = gone_on(settings, Start.of(trace, at_pass))
        assert again.steps == trace.steps, at_pass


def test_wino_remembers_how_many_the_last_pass_of_the_block_drafted():
    canvas = a_canvas(8)
    drafts = {0: {0: 0.9, 1: 0.9, 2: 0.9}, 1: {3: 0.9, 4: 0.9}, 2: {5: 0.9, 6: 0.9}}
    steps, _, _ = run(WinoSettings(), canvas, script_of(drafts, {1: {0: 0.1, 1: 0.2, 2: 0.3}}))
    assert len(steps[1].remasked) == 2 and steps[1].limits == (REMASK_LIMIT,)
    trace = a_trace(WinoSettings(), canvas, steps)
    start = Start.of(trace, 1)
    decoder = resume(WinoSettings(), start)
    requested = decoder.request()
    assert len(requested.rows) == 8
    assert decoder.update(scripted(requested, drafts[1], 0.1)).limits == (REMASK_LIMIT,)


def test_in_a_block_that_no_pass_has_worked_on_nothing_limits_wino_yet():
    # Standard decoding placed one token in its last pass; it belongs to the block before.
    trace = a_trace(StandardSettings(), a_canvas(16, 8))
    planted = dict.fromkeys(range(8, 12), 7)
    decoder = resume(WinoSettings(), Start.of(trace, 8, planted))
    step = decoder.update(scripted(decoder.request(), {12: 0.9, 13: 0.9}, 0.1))
    assert step.block == 1 and {token.position for token in step.remasked} == {8, 9, 10, 11} and step.limits == ()


def test_a_pass_that_drafts_one_token_takes_back_none_after_a_branch_either():
    trace = a_trace(WinoSettings())
    decoder = resume(WinoSettings(tau1=1.0), Start.of(trace, 1))
    assert SINGLE_DRAFT in decoder.update(scripted(decoder.request(), {}, 0.1)).limits


def scripted(forward, confidence, judged):
    """Predictions of token 3 everywhere: a confidence by position (else 0.1), and one verdict for all."""
    import numpy as np

    from wino_viz.decoding import NO_TOKEN, Predictions

    rows = [int(row) - 3 for row in forward.rows]
    sure = np.array([confidence.get(row, 0.1) for row in rows])
    verdict = np.where(forward.given == NO_TOKEN, 0.0, judged)
    ids = np.full(len(rows), 3)
    return Predictions(ids, sure, verdict, ids[:, None], sure[:, None])


# ---- edits


@given(
    st.sampled_from(DECODERS),
    st.sampled_from(DECODERS),
    st.integers(0, 30),
    st.dictionaries(st.integers(0, 23), st.sampled_from([1, 2, 3, MASK]), max_size=5),
)
def test_every_decoder_ends_after_any_edit_and_its_trace_is_valid_and_comes_back(before, after, at_pass, edits):
    trace = a_trace(before)
    at_pass = min(at_pass, trace.forward_passes)
    try:
        start = Start.of(trace, at_pass, edits)
    except ValueError:
        return  # nothing would change, or nothing is left to decode
    made = gone_on(after, start)
    assert MASK not in made.output_ids
    assert made.steps[:at_pass] == trace.steps[:at_pass] and len(made.steps) > at_pass
    assert Trace.from_json(made.to_json()) == made
    canvas = list(made.canvases())[at_pass]
    assert all(canvas[position] == token for position, token in edits.items())
    assert made.decoder_of(at_pass + 1) == made.decoder
    assert at_pass == 0 or made.decoder_of(at_pass)["name"] == before.name


def test_a_masked_token_of_a_finished_block_takes_the_decoder_back_there():
    trace = a_trace(WinoSettings(), a_canvas(24, 8))
    at_pass = next(n for n, step in enumerate(trace.steps) if step.block == 2)
    made = gone_on(WinoSettings(), Start.of(trace, at_pass, {3: MASK}))
    assert made.steps[at_pass].block == 0 and made.steps[at_pass].drafted[0].position == 3
    assert made.steps[at_pass + 1].block == 2


def test_a_branch_of_a_branch_keeps_both_and_one_from_before_it_forgets_it():
    trace = a_trace(WinoSettings())
    once = gone_on(StandardSettings(), Start.of(trace, 2, {0: 7}))
    twice = gone_on(ThresholdSettings(), Start.of(once, 4, {23: 8}))
    assert [(b.at_pass, b.decoder["name"]) for b in twice.branches] == [(2, "wino"), (4, "standard")]
    assert [twice.decoder_of(n)["name"] for n in (1, 2, 3, 4, 5)] == ["wino"] * 2 + ["standard"] * 2 + ["threshold"]
    again = gone_on(WinoSettings(), Start.of(twice, 3))
    assert [b.at_pass for b in again.branches] == [2, 3] and again.steps[:3] == once.steps[:3]
    assert Trace.from_json(twice.to_json()) == twice


def test_settings_can_be_changed_without_an_edit():
    trace = a_trace(WinoSettings())
    made = gone_on(WinoSettings(tau1=0.95), Start.of(trace, 1))
    assert made.branches[0].edits == () and made.decoder["tau1"] == 0.95
    assert made.steps != trace.steps and made.forward_passes > trace.forward_passes


@pytest.mark.parametrize("settings", DECODERS, ids=lambda s: s.name)
def test_settings_are_read_back_from_a_trace(settings):
    assert settings_of(a_trace(settings).decoder) == settings


def test_a_decoder_that_is_none_is_a_sentence():
    with pytest.raises(ValueError, match=r"there is no decoder 'dream': choose one of standard, "):
        settings_of({"name": "dream"})


@pytest.mark.parametrize(
    ("at_pass", "edits", "sentence"),
    [
        (99, {}, "at_pass must be a whole number, 0 to "),
        (2, {24: 1}, "a position must be a whole number, 0 to 23, not 24"),
        (2, {0: -1}, "a token must be a whole number, at least 0, not -1"),
        (0, {0: MASK}, "position 0 is masked already: nothing would change"),
        (None, {}, "every token is placed after pass "),
        (None, {5: 7}, "every token is placed after pass "),
    ],
)
def test_what_can_not_begin_is_a_sentence(at_pass, edits, sentence):
    trace = a_trace(WinoSettings())
    with pytest.raises(ValueError, match=sentence):
        Start.of(trace, trace.forward_passes if at_pass is None else at_pass, edits)


def test_a_token_that_stands_there_already_changes_nothing():
    trace = a_trace(StandardSettings())
    token = trace.steps[0].drafted[0]
    with pytest.raises(ValueError, match="holds that token already"):
        Start.of(trace, 1, {token.position: token.id})


# ---- the trace, from anywhere


def test_a_trace_without_branches_says_nothing_of_them():
    assert "branches" not in a_trace(WinoSettings()).to_dict()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"branches": 3}, "branches must be a list"),
        ({"branches": [3]}, "branch 1 must be an object"),
        ({"branches": [{"at_pass": -1, "decoder": {"name": "wino"}}]}, "branch 1: at_pass must be a whole number"),
        ({"branches": [{"at_pass": 99, "decoder": {"name": "wino"}}]}, "branch 1: at_pass must be 0 to"),
        ({"branches": [{"at_pass": 1}]}, "branch 1: decoder must be an object"),
        ({"branches": [{"at_pass": 1, "decoder": {}}]}, "branch 1: decoder: name must be text"),
        ({"branches": [{"at_pass": 1, "decoder": {"name": "wino"}}] * 65}, "branches must be at most 64, not 65"),
        ({"edits": [[1, 2, 3]]}, "branch 1: edits must be a list of rows of 2"),
        ({"edits": [[24, 7]]}, "branch 1: edits: position 24 is outside 0..23"),
        ({"edits": [[0, 7], [0, 7]]}, "branch 1: position 0 is edited twice"),
        ({"edits": [[0, 123456]]}, "branch 1: token 123456 has no text in pieces"),
        ({"edits": []}, "could not|stands|nothing|not what the steps lead to"),
    ],
)
def test_a_branch_that_could_not_have_been_is_refused(change, sentence):
    data = json.loads(gone_on(StandardSettings(), Start.of(a_trace(WinoSettings()), 2, {0: 7})).to_json())
    if "edits" in change:
        data["branches"][0] |= change
    else:
        data |= change
    with pytest.raises(TraceError, match=sentence):
        Trace.from_dict(data)


def test_branches_come_in_the_order_of_their_passes():
    data = gone_on(StandardSettings(), Start.of(a_trace(WinoSettings()), 2, {0: 7})).to_dict()
    data["branches"].append({**data["branches"][0], "at_pass": 1, "edits": []})
    with pytest.raises(TraceError, match="branch 2: at_pass must be 2 to"):
        Trace.from_dict(data)


def test_unknown_keys_of_a_branch_are_kept():
    data = gone_on(StandardSettings(), Start.of(a_trace(WinoSettings()), 2, {0: 7})).to_dict()
    data["branches"][0]["why"] = {"said": ["…"]}
    assert Trace.from_dict(data).to_dict()["branches"] == data["branches"]
