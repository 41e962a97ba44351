"""Traces: they round-trip, they compare without timing, and what could not have happened is refused in one sentence."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import RandomDenoiser, a_canvas

from wino_viz.decoding import StandardSettings, ThresholdSettings, WinoSettings, decode, record
from wino_viz.trace import MAX_GEN_LENGTH, MAX_STEPS, Step, Token, Trace, TraceError, dumps, shown_ids

# Two tokens drafted, a third while the first is taken back, and the first placed anew.
PLAIN = {
    "format": "wino-viz-trace",
    "version": 1,
    "model": "llada-mini",
    "decoder": {"name": "wino", "tau1": 0.6, "tau2": 0.9},
    "gen_length": 4,
    "block_length": 4,
    "mask_id": 5,
    "end_ids": [2],
    "prompt": "How many?",
    "prompt_ids": [8, 9],
    "pieces": {"10": "a", "11": " b", "12": " c", "13": "d", "14": "<é>"},
    "steps": [
        {
            "block": 0,
            "drafted": [[0, 10, 0.7], [1, 11, 0.9]],
            "verified": [],
            "remasked": [],
            "considered": [[2, 12, 0.5], [3, 13, 0.25]],
            "alternatives": {"0": [[10, 0.7], [14, 0.125]], "1": [[11, 0.9]]},
            "limits": [],
        },
        {
            "block": 0,
            "drafted": [[2, 12, 0.75], [3, 13, 0.8]],
            "verified": [[0, 0.25], [1, 1.0]],
            "remasked": [[0, 10, 0.25]],
            "considered": [],
            "alternatives": {"0": [[14, 0.5], [10, 0.25]]},
            "limits": ["remask_limit"],
        },
        {
            "block": 0,
            "drafted": [[0, 14, 0.5]],
            "verified": [[1, 1.0], [2, 0.95], [3, 0.5]],
            "remasked": [],
            "considered": [],
            "alternatives": {},
            "limits": ["forced_draft", "single_draft"],
        },
    ],
    "output_ids": [14, 11, 12, 13],
    "text": "<é> b c d",
    "forward_passes": 3,
    "timing": {"model_seconds": 0.25},
}


def changed(path, value):
    """PLAIN with the value at `path` (keys and indices) replaced, or taken out where it is DROPPED."""
    data = copy.deepcopy(PLAIN)
    *way, last = path
    place = data
    for key in way:
        place = place[key]
    if value is DROPPED:
        del place[last]
    else:
        place[last] = value
    return data


DROPPED = object()


# ---- what is derived


def test_a_trace_is_read():
    trace = Trace.from_dict(PLAIN)
    assert trace.steps[1].drafted == (Token(2, 12, 0.75), Token(3, 13, 0.8))
    assert trace.steps[1].remasked == (Token(0, 10, 0.25),)
    assert trace.steps[1].verified[0].probability == 0.25
    assert trace.steps[0].alternatives == {0: ((10, 0.7), (14, 0.125)), 1: ((11, 0.9),)}
    assert trace.steps[2].limits == ("forced_draft", "single_draft")
    assert trace.pieces[14] == "<é>" and trace.end_ids == (2,)


def test_canvases_are_the_ids_before_the_first_pass_and_after_each():
    assert list(Trace.from_dict(PLAIN).canvases()) == [(5, 5, 5, 5), (10, 11, 5, 5), (5, 11, 12, 13), (14, 11, 12, 13)]


def test_figures_are_counted_from_the_steps():
    trace = Trace.from_dict(PLAIN)
    assert (trace.forward_passes, trace.revocations, trace.blocks) == (3, 1, 1)
    assert trace.tokens_per_pass == trace.step_reduction == 4 / 3


def test_a_trace_without_steps_has_no_rate():
    empty = Trace.from_dict(PLAIN | {"steps": [], "output_ids": [5, 5, 5, 5], "forward_passes": 0})
    assert (empty.tokens_per_pass, empty.revocations) == (0.0, 0)
    assert list(empty.canvases()) == [(5, 5, 5, 5)]


def test_shown_ids_are_all_that_a_reader_may_see():
    assert shown_ids(Trace.from_dict(PLAIN).steps) == {10, 11, 12, 13, 14}
    assert shown_ids([]) == set()


# ---- writing and reading


def test_a_trace_is_written_as_it_was_read():
    assert json.loads(Trace.from_dict(PLAIN).to_json()) == PLAIN


def test_what_may_be_left_out_has_a_default():
    short = {key: value for key, value in PLAIN.items() if key not in ("end_ids", "timing", "forward_passes")}
    short["steps"] = [{"block": 0}]
    short["output_ids"] = [5, 5, 5, 5]
    trace = Trace.from_dict(short)
    assert trace.steps == (Step(0),) and trace.end_ids == () and trace.timing == {}


def test_the_header_is_what_is_known_before_the_first_pass():
    header = Trace.from_dict(PLAIN | {"task": "arithmetic"}).header()
    later = {"pieces", "steps", "output_ids", "text", "forward_passes", "timing"}
    assert header == {key: value for key, value in PLAIN.items() if key not in later} | {"task": "arithmetic"}


@st.composite
def traces(draw):
    """Traces of real decoders on made-up predictions."""
    share = st.floats(0, 1)
    settings = draw(
        st.builds(StandardSettings, st.just(1), st.sampled_from(["low_confidence", "random"]))
        | st.builds(ThresholdSettings, share)
        | st.builds(WinoSettings, share, share)
    )
    block_length = draw(st.integers(1, 8))
    canvas = a_canvas(
        block_length * draw(st.integers(1, 3)),
        block_length,
        temperature=draw(st.floats(0, 2)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    denoiser = RandomDenoiser(alternatives=draw(st.integers(1, 4)))
    steps = [timed.step for timed in decode(settings.start(canvas), denoiser)]
    words = st.text(st.characters(codec="utf-8"), max_size=8)
    return record(
        model=draw(words),
        settings=settings,
        canvas=canvas,
        prompt=draw(words),
        steps=steps,
        pieces={i: draw(words) for i in sorted(shown_ids(steps))[:3]} | {i: f" {i}" for i in range(3, 60)},
        text=draw(words),
        end_ids=draw(st.lists(st.integers(0, 60), max_size=3)),
        timing={"model_seconds": draw(st.floats(0, 100))},
    )


@given(traces())
def test_a_trace_of_any_decoder_round_trips(trace):
    again = Trace.from_json(trace.to_json())
    assert again == trace and again.timing == trace.timing
    assert again.to_json() == trace.to_json()
    assert Trace.from_json(trace.to_json().encode()) == trace
    assert list(again.canvases())[-1] == trace.output_ids


def test_timing_does_not_take_part_in_comparison():
    trace = Trace.from_dict(PLAIN)
    assert replace(trace, timing={"model_seconds": 9.0}) == trace
    assert replace(trace, text="else") != trace


def test_unknown_keys_are_kept_at_the_top_and_in_steps():
    data = changed(["steps", 1, "note"], {"a": [1, None, True, "ü"]}) | {"task": {"answer": 57}, "extra": 1.5}
    data["steps"][0]["format"] = "kept too"
    trace = Trace.from_dict(data)
    assert trace.extra == {"task": {"answer": 57}, "extra": 1.5}
    assert json.loads(trace.to_json()) == data
    assert Trace.from_json(trace.to_json()) == trace
    assert trace != Trace.from_dict(PLAIN)


def test_an_unknown_key_never_hides_a_known_one():
    step = Step(0, extra={"block": 7, "drafted": "nothing"})
    assert step.to_dict()["block"] == 0 and step.to_dict()["drafted"] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nothing_is_written_that_a_browser_cannot_read(value):
    with pytest.raises(ValueError):
        dumps({"value": value})


# ---- refusing


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


WRONG = [
    # the outside
    (["format"], "gif", 'not a trace: "format" must be "wino-viz-trace"'),
    (["format"], DROPPED, 'not a trace: "format" must be "wino-viz-trace"'),
    (["version"], 2, "this reads version 1 of the trace format, not 2"),
    (["version"], True, "version must be a whole number from 0 to 2147483647, not True"),
    (["version"], "1", "version must be a whole number from 0 to 2147483647, not '1'"),
    (["version"], DROPPED, "version must be a whole number from 0 to 2147483647, not nothing"),
    (["model"], None, "model must be text, not nothing"),
    (["model"], "\ud800", "there is half a character (an unpaired surrogate) in model"),
    (["prompt"], ["a"], "prompt must be text, not a list"),
    (["text"], DROPPED, "text must be text, not nothing"),
    (["decoder"], "wino", "decoder must be an object, not 'wino'"),
    (["decoder"], {}, "decoder: name must be text, not nothing"),
    (["decoder", "tau1"], float("inf"), "decoder holds inf, which is not a number that a trace may hold"),
    (["decoder", "tau1"], nested(20), "decoder is nested more than 16 levels deep"),
    (["timing"], 1.5, "timing must be an object, not 1.5"),
    (["timing", "s"], float("nan"), "timing holds nan, which is not a number that a trace may hold"),
    (["task"], nested(500), "the trace: unknown keys is nested more than 16 levels deep"),
    (["task"], {"a": ["\udfff"]}, "there is half a character (an unpaired surrogate) in the trace: unknown keys"),
    (["task"], {"\udfff": 1}, "there is half a character (an unpaired surrogate) in the trace: unknown keys: a key"),
    (["steps", 0, "note"], nested(20), "step 1: unknown keys is nested more than 16 levels deep"),
    # numbers
    (["gen_length"], 4.0, "gen_length must be a whole number from 0 to 2147483647, not 4.0"),
    (["gen_length"], True, "gen_length must be a whole number from 0 to 2147483647, not True"),
    (["gen_length"], 0, "gen_length must be 1 to 8192, not 0"),
    (["gen_length"], MAX_GEN_LENGTH + 1, "gen_length must be 1 to 8192, not 8193"),
    (["gen_length"], 10**5000, "gen_length must be a whole number from 0 to 2147483647, not a huge number"),
    (["gen_length"], -4, "gen_length must be a whole number from 0 to 2147483647, not -4"),
    (["block_length"], 0, "block_length 0 does not divide gen_length 4"),
    (["block_length"], 3, "block_length 3 does not divide gen_length 4"),
    (["block_length"], 8, "block_length 8 does not divide gen_length 4"),
    (["mask_id"], -1, "mask_id must be a whole number from 0 to 2147483647, not -1"),
    (["mask_id"], 2**31, "mask_id must be a whole number from 0 to 2147483647, not 2147483648"),
    (["prompt_ids"], "89", "prompt_ids must be a list, not '89'"),
    (["prompt_ids", 1], 9.5, "prompt_ids must be a whole number from 0 to 2147483647, not 9.5"),
    (["prompt_ids", 1], False, "prompt_ids must be a whole number from 0 to 2147483647, not False"),
    (["end_ids"], None, "end_ids must be a list, not nothing"),
    (["forward_passes"], 4, "forward_passes is 4, but steps holds 3"),
    (["forward_passes"], "three", "forward_passes must be a whole number from 0 to 2147483647, not 'three'"),
    # pieces
    (["pieces"], [], "pieces must be an object, not a list"),
    (["pieces"], DROPPED, "pieces must be an object, not nothing"),
    (["pieces", "10"], 3, "pieces: 10 must be text, not 3"),
    (["pieces", "10"], "\ud83d", "there is half a character (an unpaired surrogate) in pieces: 10"),
    (["pieces", "ten"], "a", "pieces: the key 'ten' is not a whole number"),
    (["pieces", "-1"], "a", "pieces: the key '-1' is not a whole number"),
    (["pieces", "007"], "a", "pieces: the key '007' is not a whole number"),
    (["pieces", "٣"], "a", "pieces: the key '٣' is not a whole number"),
    (["pieces", ""], "a", "pieces: the key '' is not a whole number"),
    (["pieces", "9" * 5000], "a", f"pieces: the key '{'9' * 40}'… is not a whole number"),
    (["pieces", "12"], DROPPED, "step 1: token 12 has no text in pieces"),
    (["pieces", "14"], DROPPED, "step 1: token 14 has no text in pieces"),
    # steps
    (["steps"], {}, "steps must be a list, not an object"),
    (["steps"], [{"block": 0}] * (MAX_STEPS + 1), "steps must be at most 65536, not 65537"),
    (["steps", 1], [], "step 2 must be an object, not a list"),
    (["steps", 1, "block"], DROPPED, "step 2: block must be a whole number from 0 to 2147483647, not nothing"),
    (["steps", 1, "block"], 1, "step 2: block 1 is outside 0..0"),
    (["steps", 0, "drafted"], None, "step 1: drafted must be a list, not nothing"),
    (["steps", 0, "drafted", 0], [0, 10], "step 1: drafted must be a list of rows of 3"),
    (["steps", 0, "drafted", 0], {"position": 0}, "step 1: drafted must be a list of rows of 3"),
    (["steps", 0, "drafted", 0, 0], 4, "step 1: drafted: position 4 is outside 0..3"),
    (["steps", 0, "drafted", 0, 0], -1, "step 1: drafted must be a whole number from 0 to 2147483647, not -1"),
    (["steps", 0, "drafted", 0, 0], True, "step 1: drafted must be a whole number from 0 to 2147483647, not True"),
    (["steps", 0, "drafted", 0, 1], "a", "step 1: drafted must be a whole number from 0 to 2147483647, not 'a'"),
    (["steps", 0, "drafted", 0, 2], 1.01, "step 1: drafted: 1.01 is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 0, 2], -0.01, "step 1: drafted: -0.01 is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 0, 2], float("nan"), "step 1: drafted: nan is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 0, 2], 10**400, "step 1: drafted: a huge number is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 0, 2], True, "step 1: drafted: True is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 0, 2], nested(5000), "step 1: drafted: a list is not a probability from 0 to 1"),
    (["steps", 0, "drafted", 1, 0], 0, "step 1: position 0 is drafted twice"),
    (["steps", 0, "drafted", 0, 1], 5, "step 1: the mask itself is drafted at position 0"),
    (["steps", 1, "drafted", 0, 0], 0, "step 2: position 0 is drafted, but a token stands there already"),
    (["steps", 0, "considered", 0, 0], 1, "step 1: position 1 is drafted, but also considered and left masked"),
    (["steps", 1, "considered"], [[1, 10, 0.5]], "step 2: position 1 is considered, but a token stands there already"),
    (["steps", 0, "verified"], [[3, 0.5]], "step 1: position 3 is verified, but nothing stands there"),
    (["steps", 1, "verified", 1, 0], 0, "step 2: position 0 is verified twice"),
    (["steps", 1, "verified", 1], [1], "step 2: verified must be a list of rows of 2"),
    (["steps", 1, "verified", 1, 1], "1", "step 2: verified: '1' is not a probability from 0 to 1"),
    (["steps", 0, "remasked"], [[2, 12, 0.1]], "step 1: position 2 is remasked, but nothing stands there"),
    (["steps", 1, "remasked", 0, 1], 11, "step 2: position 0 does not hold the token that is remasked"),
    (["steps", 1, "remasked"], [[0, 10, 0.2]] * 2, "step 2: position 0 is remasked twice"),
    (["steps", 0, "alternatives"], [], "step 1: alternatives must be an object, not a list"),
    (["steps", 0, "alternatives", "4"], [], "step 1: alternatives: position 4 is outside 0..3"),
    (["steps", 0, "alternatives", "x"], [], "step 1: alternatives: the key 'x' is not a whole number"),
    (["steps", 0, "alternatives", "0"], [[10]], "step 1: alternatives must be a list of rows of 2"),
    (["steps", 0, "alternatives", "0"], [[77, 0.5]], "step 1: token 77 has no text in pieces"),
    (["steps", 0, "limits"], "draft_cap", "step 1: limits must be a list, not 'draft_cap'"),
    (["steps", 0, "limits"], [3], "step 1: limits must be text, not 3"),
    # the end
    (["output_ids"], [14, 11, 12, 5], "output_ids are not what the steps lead to"),
    (["output_ids"], [14, 11, 12], "output_ids are not what the steps lead to"),
    (["output_ids", 0], "14", "output_ids must be a whole number from 0 to 2147483647, not '14'"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[message[:60] for _, _, message in WRONG])
def test_what_is_wrong_with_a_trace_is_said_in_one_sentence(path, value, message):
    with pytest.raises(TraceError) as error:
        Trace.from_dict(changed(path, value))
    assert str(error.value) == message


NO_TRACE = [
    ("", "the trace is not valid JSON: Expecting value: line 1 column 1 (char 0)"),
    ("<html>", "the trace is not valid JSON: Expecting value: line 1 column 1 (char 0)"),
    (b"\xff\xfe\x00", "the trace is no text in UTF-8"),
    (b"\xc3\x28", "the trace is no text in UTF-8"),
    ('{"a": NaN}', "NaN is not a number that a trace may hold"),
    ('{"a": -Infinity}', "-Infinity is not a number that a trace may hold"),
    ('{"format": "wino-viz-trace", "version": ' + "9" * 5000 + "}", "the trace is not valid JSON: "),
    ("[" * 100_000 + "]" * 100_000, "the trace is nested too deeply"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "the trace is nested too deeply"),
    ("[]", "the trace must be an object, not a list"),
    ("null", "the trace must be an object, not nothing"),
    ('"wino-viz-trace"', "the trace must be an object, not 'wino-viz-trace'"),
]


@pytest.mark.parametrize(("text", "message"), NO_TRACE, ids=[str(text[:12]) for text, _ in NO_TRACE])
def test_what_is_no_trace_at_all_is_refused(text, message):
    with pytest.raises(TraceError) as error:
        Trace.from_json(text)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_number_too_large_for_a_float_is_refused_where_anything_may_stand():
    text = json.dumps(PLAIN).replace('"tau2": 0.9', '"tau2": 1e999')
    with pytest.raises(TraceError, match=r"^decoder holds inf, which is not a number"):
        Trace.from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def paths(value, way=()):
    """Every path into a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield [*way, key]
        yield from paths(item, (*way, key))


@given(st.sampled_from(list(paths(PLAIN))), json_values | st.just(DROPPED))
def test_a_trace_with_anything_anywhere_is_read_or_refused(path, value):
    try:
        trace = Trace.from_dict(changed(path, value))
    except TraceError as error:
        assert len(str(error)) < 200 and "\n" not in str(error)
    else:
        assert Trace.from_json(trace.to_json()) == trace
        list(trace.canvases())


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_any_other_file_is_refused(text):
    with pytest.raises(TraceError) as error:
        Trace.from_json(text)
    assert len(str(error.value)) < 200 and len(str(error.value).splitlines()) == 1


def test_a_trace_of_very_many_edits_beside_very_many_fixed_words_is_checked_in_moments():
    half, token = MAX_GEN_LENGTH // 2, 10
    edits = [[position, token] for position in range(half, 2 * half)]
    hostile = PLAIN | {
        "gen_length": 2 * half,
        "block_length": 2 * half,
        "fixed": [[position, token] for position in range(half)],
        "branches": [{"at_pass": 0, "edits": edits, "decoder": {"name": "wino"}}] * 16,
        "steps": [],
        "forward_passes": 0,
        "output_ids": [token] * (2 * half),
    }
    began = time.process_time()
    assert len(Trace.from_dict(hostile).fixed) == half
    assert time.process_time() - began < 5  # a look at every pair takes 16 x 4096 x 4096 steps
