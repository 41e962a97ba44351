"""A trace file from anywhere: it plays, or one sentence says why not; and nothing in it does anything else."""

import copy
import json
from types import SimpleNamespace

import gradio as gr
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_trace import sample_trace

from wino_viz.session import Session
from wino_viz.trace import MAX_PIECE, Trace, TraceError
from wino_viz.ui.decode_tab import OWN, decode_tab
from wino_viz.ui.examples import read_examples
from wino_viz.ui.upload import MOST_CHARACTERS, MOST_TITLE, about_upload, as_example, read_upload, uploaded_values

SESSION = Session()
EXAMPLES = read_examples()
PLAIN = json.loads(sample_trace().to_json())
with gr.Blocks():
    from wino_viz.model_menu import ModelMenu

    TAB = decode_tab(ModelMenu(SESSION), EXAMPLES[:1])


def changed(**values) -> str:
    count = {"forward_passes": len(values["steps"])} if "steps" in values else {}
    return json.dumps({**PLAIN, **count, **values})


def told(trace: Trace) -> str:
    return json.loads(uploaded_values(TAB, trace)[1])["text"]


def shown(trace: Trace) -> dict:
    """The values of the forms by the labels of their components."""
    _, _, *values = uploaded_values(TAB, trace)
    parts = [*TAB.problem.parts, *TAB.forms.parts]
    return {getattr(part, "label", None): value for part, value in zip(parts, values, strict=True)}


def test_a_recorded_trace_plays_with_its_problem_its_verdict_and_its_settings():
    recorded = EXAMPLES[0].trace
    trace = read_upload(recorded.to_json())
    assert trace == recorded
    message = json.loads(uploaded_values(TAB, trace)[0])
    assert (message["type"], message["about"], message["play"]) == ("trace", {"file": True}, True)
    assert message["verdict"] == SESSION.judge(EXAMPLES[0].record, recorded.text)
    assert shown(trace)["Generation length"] == recorded.gen_length
    assert shown(trace)["τ1 · draft above"] == recorded.decoder["tau1"]
    assert told(trace).startswith(
        f"Your file, “{EXAMPLES[0].title}”: {recorded.forward_passes} passes of llada-mini by WINO"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (None, "the file is empty"),
        (17, "the file is empty, or not text"),
        ("\x00\x01PNG", "not valid JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("9" * 20_000, "not valid JSON"),
        ("NaN", "not a number that a trace may hold"),
        ("[1, 2]", "the trace must be an object"),
        ("{}", 'not a trace: "format"'),
        (" " * MOST_CHARACTERS + "{}", "too large: up to 12 MB"),
        (changed(version=2), "this reads version 1"),
        (changed(gen_length=10**30), "gen_length must be a whole number"),
        (changed(decoder={"name": "wino", "tau1": 0.5}).replace("0.5", "1e999"), "decoder holds inf"),
        (changed(steps=[{"block": 0, "drafted": [[0, 1, 2.0]]}]), "is not a probability"),
        (changed(steps=[{"block": 0, "drafted": [[10**6, 1, 0.5]]}]), "outside 0.."),
        (changed(steps=[{"block": 9999}]), "block 9999 is outside"),
        (changed(pieces={**PLAIN["pieces"], "1": "x" * (MAX_PIECE + 1)}), f"longer than {MAX_PIECE}"),
        (changed(prompt="p" * 200_000), "its prompt has 200,000 characters"),
        (changed(text="p" * 200_000), "its text has 200,000 characters"),
        (changed(title="\ud800"), "half a character"),
    ],
)
def test_what_can_not_be_played_is_refused_with_one_sentence(text, said: str):
    with pytest.raises(ValueError, match=r"(?s).+") as refusal:
        read_upload(text)
    assert said in str(refusal.value) and len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("gen_length", "block_length", "said"),
    [(8192, 8, "8,192 tokens"), (4096, 1, "4,096 blocks"), (4096, 4, "1,024 blocks")],
)
def test_what_a_browser_can_not_draw_is_refused(gen_length: int, block_length: int, said: str):
    empty = changed(
        gen_length=gen_length,
        block_length=block_length,
        steps=[],
        output_ids=[PLAIN["mask_id"]] * gen_length,
        forward_passes=0,
    )
    Trace.from_json(empty)
    with pytest.raises(ValueError, match=said):
        read_upload(empty)


def test_what_can_not_be_done_with_a_file_is_said():
    trace = read_upload(
        changed(
            model="somebody/else-8B",
            decoder={"name": "magic"},
            title="<script>alert(1)</script>" + "t" * 500,
            note="n" * 5000,
            picture={"first": 0},
        )
    )
    said = about_upload(as_example(trace), ["llada-mini"], ["wino"])
    for part in (
        "“<script>",
        "of somebody/else-8B by Magic",
        "a picture, which is not in the file",
        "Its decoder",
        "Its model",
    ):
        assert part in said
    assert len(as_example(trace).title) == MOST_TITLE and len(said) < 1200
    stopped = read_upload(changed(steps=[], output_ids=[PLAIN["mask_id"]] * PLAIN["gen_length"], forward_passes=0))
    assert "It was stopped before its end." in told(stopped)


@pytest.mark.parametrize(
    "decoder",
    [
        {"name": "wino", "tau1": {"a": 1}, "tau2": "x"},
        {"name": "wino", "tau1": 7},
        {"name": "wino", "temperature": "hot", "seed": []},
        {"name": "standard", "tokens_per_step": None, "remasking": ["random"]},
    ],
)
def test_settings_that_no_decoder_takes_leave_the_form_as_it_is(decoder: dict):
    trace = read_upload(changed(decoder=decoder))
    for value in shown(trace).values():
        assert not isinstance(value, list | dict) or "__type__" in value or "task" in value
    assert about_upload(as_example(trace), [], [])


def test_a_title_does_not_turn_the_words_that_follow_it():
    trace = read_upload(changed(title="\u202eolleh \u2066x\u2069", model="m\u202e"))
    said = about_upload(as_example(trace), ["llada-mini"], ["wino"])
    assert said.startswith("Your file, “olleh x”: ") and "of m by" in said and said.isprintable()


def test_nothing_is_kept_and_a_file_that_is_refused_changes_nothing():
    blocks = gr.Blocks()
    with blocks:
        tab = decode_tab(ModelMenu(SESSION), EXAMPLES[:1])
    take = next(fn for fn in blocks.fns.values() if fn.name == "take" and len(fn.inputs) == 1)
    current = SimpleNamespace(end=lambda: pytest.fail("the run goes on"))
    _, player, notice, choice, *rest = take.fn(current, gr.EventData(None, {"text": "{}"}))
    assert json.loads(notice)["text"] == 'That file can’t be played: not a trace: "format" must be "wino-viz-trace".'
    assert json.loads(notice)["look"] == "error"
    assert all(value == gr.skip() for value in (player, choice, *rest))
    for sent in (None, [], {"text": ["x"]}, {"path": "/etc/passwd"}):
        assert "can’t be played" in take.fn(current, gr.EventData(None, sent))[2]
    ended = []
    taken = take.fn(SimpleNamespace(end=lambda: ended.append(1)), gr.EventData(None, {"text": json.dumps(PLAIN)}))
    assert taken[3] == OWN and ended == [1] and len(taken) == 4 + len(tab.problem.parts) + len(tab.forms.parts)


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from(
        [10**400, -1, 2**31, "<script>alert(1)</script>", "\u202e", "\ud800", "", [], {}, [[]], [[0, 1, 0.5]] * 3]
    ),
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value, path=()):
    """Every place inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = list(places(PLAIN))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(PLACES), HOSTILE, st.booleans()), min_size=1, max_size=3))
@example([(("decoder", "name"), "", False)])
@example([(("decoder",), {"name": "standard", "tokens_per_step": 10**400}, False)])
@example([(("decoder",), {"name": "wino", "temperature": float("inf")}, False)])
def test_a_file_with_anything_anywhere_plays_or_is_refused(changes):
    data = copy.deepcopy(PLAIN)
    for path, value, drop in changes:
        inner = data
        try:
            for key in path[:-1]:
                inner = inner[key]
            if drop:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        trace = read_upload(json.dumps(data))
    except ValueError as error:
        assert isinstance(error, TraceError) or "this page" in str(error)
        assert len(str(error)) < 400
        return
    message, notice, *_ = uploaded_values(TAB, trace)
    json.loads(message)
    json.loads(notice)
    assert Trace.from_json(trace.to_json()) == trace
