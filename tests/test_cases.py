"""The case studies: every one has the property that it was chosen for, and says what its traces show."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import replace

import gradio as gr
import pytest

from wino_viz.cases import CASES, Case, case_data, read_case, read_cases
from wino_viz.claims import ClaimError, figures
from wino_viz.fates import fates
from wino_viz.properties import PROPERTIES, Moment, find, lane_kind
from wino_viz.step import Step, Token
from wino_viz.tasks.registry import judge
from wino_viz.trace import Edit, Trace, dumps
from wino_viz.ui.cases_tab import case_head, case_message, cases_tab, gallery
from wino_viz.ui.minimap import minimap
from wino_viz.ui.player import MOST_LANES

WANTED = {
    "beats_standard",
    "wrong_number",
    "heals",
    "planted",
    "rewritten",
    "sudoku_digit",
    "false_alarm",
    "draft_cap",
    "remask_limit",
    "wrong_answer",
    "wino_plus",
    "caption",
}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases()


def by(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.property == name)


def test_every_case_of_the_file_is_shown_and_every_kind_is_there(cases):
    assert [case.title for case in cases] == [entry["title"] for entry in case_data()]
    assert {case.property for case in cases} == WANTED
    assert cases[0].property == "beats_standard"  # the figure: standard against WINO, in the middle and at the end
    assert len({case.title for case in cases}) == len(cases)
    tasks = {case.traces[-1].extra["record"]["task"] for case in cases}
    assert tasks == {"arithmetic", "countdown", "sudoku", "caption"}


@pytest.mark.parametrize("number", range(len(case_data())), ids=[entry["property"] for entry in case_data()])
def test_a_case_has_the_property_that_it_claims_at_the_pass_where_it_opens(cases, number: int):
    case = cases[number]
    assert tuple(map(lane_kind, case.traces)) == PROPERTIES[case.property].decoders
    moment = next(m for m in find(case.property, case.traces) if m.number == case.number)
    pointed = {point.position for point in case.points}
    assert not moment.positions or pointed & set(moment.positions)


def test_the_figure_shows_both_in_the_middle_and_at_their_ends(cases):
    standard, wino = cases[0].traces
    assert standard.prompt == wino.prompt
    assert [judge(t.extra["record"], t.text).correct for t in (standard, wino)] == [False, True]
    passes = [moment.number for moment in cases[0].moments]
    assert passes[-2:] == [wino.forward_passes, standard.forward_passes] and passes[0] < wino.forward_passes
    assert standard.text.endswith("#### 3") and "parcel" not in standard.text and "parcel" in wino.text


def known_numbers(case: Case, number: int) -> set[float]:
    """Every number to be seen in pass `number` (or by the pass before it), in the case's points, problem and answer."""
    points = [*case.points, *(point for moment in case.moments for point in moment.points)]
    known = {number, number - 1, *(point.p for point in points if point.p is not None)}
    for trace in case.traces:
        known |= {v for v in trace.decoder.values() if type(v) in (int, float)} | {trace.gen_length, trace.revocations}
        known |= {100 * v for v in trace.decoder.values() if isinstance(v, float)}
        for at in range(max(0, number - 1), min(number, trace.forward_passes) + 1):
            known |= {v for v in figures(trace, at).values() if type(v) is int}
        record = trace.extra["record"]
        said = f"{trace.prompt} {trace.text} {record.get('answer', '')} {' '.join(point.token for point in points)}"
        known |= set(map(int, re.findall(r"\d+", said)))
    return set(map(float, known))


def test_every_number_in_a_case_is_one_that_its_traces_have(cases):
    drafts = {"beats_standard": {13.0}, "wrong_number": {80.0}}  # several drafted digits that read as one number
    for case in cases:
        said = [(f"{case.title} {case.text}", case.number), *((f"{m.label} {m.text}", m.number) for m in case.moments)]
        for words, number in said:
            found = set(map(float, re.findall(r"\d+(?:\.\d+)?", words)))
            assert found <= known_numbers(case, number) | drafts.get(case.property, set()), words


def test_a_sudoku_case_shows_digits_that_clash(cases):
    trace = by(cases, "sudoku_digit").traces[0]
    moments = find("sudoku_digit", [trace])
    assert Moment(4, (9, 12)) in moments  # two 4s beside other 4s, for which other digits stand there at the end


# ---- the gallery


def test_the_gallery_is_light_and_a_case_comes_with_its_traces_alone(cases):
    cards = gallery(cases)
    assert len(dumps(cards)) < 40_000
    assert all(card["title"] and card["text"] and card["lanes"] and card["map"]["passes"] for card in cards)
    assert [lane["correct"] for lane in cards[0]["lanes"]] == [False, True]
    for number, case in enumerate(cases):
        message = json.loads(case_message(case))
        assert message["at"] == case.number and len(message["traces"]) == len(case.traces) <= MOST_LANES
        assert json.loads(case_head(case, number))["lane"] == len(case.traces) - 1


def test_the_picture_of_a_case_about_one_goes_with_its_words(cases):
    heads = [json.loads(case_head(case, 0)) for case in cases]
    assert [bool(head["picture"]) for head in heads] == [case.property == "caption" for case in cases]
    assert by(cases, "caption").picture.read_bytes()[:4] == b"\x89PNG"


def test_a_miniature_has_the_states_of_the_tokens_in_view_and_every_pass(cases):
    trace = by(cases, "sudoku_digit").traces[0]
    small = minimap(trace, 4, {8})
    assert [[bar[0] for bar in line] for line in small["lines"][:4]] == [
        ["v", "v", "v", "v"],
        ["v", "v", "v", "v"],
        ["r", "r", "d", "v"],
        ["r", "v", "d", "v"],
    ]
    assert small["lines"][2][0] == ["r", 1, 1] and small["lines"][2][1] == ["r", 1]
    assert small["passes"] == [[len(s.drafted), len(s.remasked)] for s in trace.steps] and small["at"] == 4
    assert {bar[0] for line in minimap(trace, 0)["lines"] for bar in line if bar[0]} == {"m"}


# ---- what a case may not say


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"property": "beauty"}, "there is no property 'beauty'"),
        ({"property": "wrong_answer"}, 'its traces do not show "wrong_answer"'),
        ({"property": "heals"}, 'its traces do not show "heals"'),
        ({"pass": 5}, '"wrong_number" is to be seen in pass 6, not in 5'),
        ({"pass": 50}, "there is no pass 50 among 12"),
        ({"traces": []}, "traces must be a list of 1 to 2, not of 0"),
        ({"traces": ["../../examples/traces/1-two-wordings-collide"]}, "there is no trace"),
        ({"points": [{"position": 52, "is": "taken back", "token": "9"}]}, "is said to be '9', and is '8'"),
        ({"facts": {"taken_back": 5}}, "taken_back of pass 6 is said to be 5, and is 1"),
        ({"moments": [{"pass": 6, "label": "x", "text": "y", "facts": {"right": False}}]}, "moment 1: right of pass 6"),
        ({"title": ""}, "title must be text"),
        ({"text": "a" * 500}, "text must be at most 400 characters"),
        ({"colour": "red"}, "'colour' is none of"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_case_that_its_traces_do_not_bear_out_is_refused_with_one_sentence(change, sentence, tmp_path, caplog):
    data = next(entry for entry in case_data() if entry["property"] == "wrong_number") | change
    with pytest.raises(ClaimError) as refused:
        read_case(data, "case 1")
    assert sentence in str(refused.value) and "\n" not in str(refused.value)
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [data]}))
    assert read_cases(tmp_path / "cases.json") == [] and str(tmp_path) in caplog.text


def test_without_the_file_there_are_no_cases(tmp_path):
    assert read_cases(tmp_path / "cases.json") == []
    (tmp_path / "cases.json").write_text("[")
    assert read_cases(tmp_path / "cases.json") == []
    assert CASES.is_file()


# ---- the properties themselves


def without_remasks(trace: Trace) -> Trace:
    """The same answer, as if nothing had been taken back: what was, is drafted where it is drafted last."""
    last = {t.position: n for n, s in enumerate(trace.steps) for t in s.drafted}
    steps = [
        replace(s, drafted=tuple(t for t in s.drafted if last[t.position] == n), remasked=(), verified=(), limits=())
        for n, s in enumerate(trace.steps)
    ]
    return replace(trace, steps=tuple(steps))


@pytest.mark.parametrize(
    "name", sorted(WANTED - {"draft_cap", "beats_standard", "heals", "planted", "remask_limit", "wino_plus"})
)
def test_what_takes_nothing_back_has_no_property_about_it(cases, name):
    [trace] = by(cases, name).traces
    assert find(name, [trace]) and not find(name, [without_remasks(trace)])


def test_a_planted_number_stays_in_one_decoding_and_is_taken_back_in_the_other(cases):
    case = by(cases, "planted")
    standard, wino = case.traces
    [kept], [healed] = fates(standard), fates(wino)
    assert kept.edit == healed.edit and standard.steps[: kept.at_pass] == wino.steps[: kept.at_pass]
    assert kept.revoked is None and standard.output_ids[17] == kept.edit.id
    assert healed.revoked[0] == 3 and wino.output_ids[17] == healed.before != healed.edit.id
    assert [judge(t.extra["record"], t.text).correct for t in case.traces] == [False, True]
    assert find("planted", case.traces) == [Moment(2, (17,)), Moment(3, (17,))]


def test_what_does_not_heal_a_planted_number_is_no_such_case(cases):
    standard, wino = by(cases, "planted").traces
    other = replace(wino.branches[0], edits=(Edit(17, wino.output_ids[17]),))
    nothing = replace(wino.branches[0], edits=())
    for lanes in (
        [standard, replace(wino, branches=())],  # nothing was planted
        [standard, replace(wino, branches=(nothing,))],
        [standard, replace(wino, branches=(other,))],  # not the same on both sides
        [standard, replace(wino, text=standard.text)],  # both end wrong
        [replace(standard, text=wino.text), wino],  # both end right
        [standard, replace(wino, steps=wino.steps[1:])],  # they do not go on from the same passes
        [standard, replace(wino, output_ids=standard.output_ids, steps=without_remasks(wino).steps)],
    ):
        assert find("planted", lanes) == []


def test_the_miniature_of_a_planted_error_has_its_flag_and_a_frame_while_it_stands(cases):
    case = by(cases, "planted")
    planted, back, healed = (minimap(case.traces[-1], number, {17})["lines"] for number in (2, 3, 4))
    assert [bar for bar in planted[0] if len(bar) > 2] == [["p", 1, 7]]
    assert [bar for bar in back[0] if len(bar) > 2] == [["r", 1, 3]]
    assert [bar for bar in healed[0] if len(bar) > 2] == [["d", 1, 3]]


def test_lanes_must_be_of_one_problem_and_of_the_decoders_in_their_order(cases):
    alone, wino = by(cases, "heals").traces
    assert find("heals", [alone, wino])
    assert find("heals", [wino, alone]) == [] == find("heals", [wino])
    assert find("heals", [replace(alone, prompt="Another."), wino]) == []
    assert find("sudoku_digit", by(cases, "wrong_number").traces) == []  # of another task


def test_a_digit_that_comes_back_is_a_false_alarm_and_no_wrong_number(cases):
    [trace] = by(cases, "false_alarm").traces
    assert find("false_alarm", [trace]) == [Moment(3, (6,))] and find("wrong_number", [trace]) == []


def test_limits_are_found_with_the_tokens_that_they_spared_or_held_back(cases):
    [cap], [limit] = by(cases, "draft_cap").traces, by(cases, "remask_limit").traces
    held = next(m for m in find("draft_cap", [cap]) if m.number == 2)
    assert (
        held.positions == tuple(t.position for t in cap.steps[1].considered if t.probability > 0.6) and held.positions
    )
    assert find("remask_limit", [limit]) == [Moment(8, (17,))]
    assert find("single_draft", [limit]) == [Moment(6, (17,)), Moment(7, (17,))]


def test_a_wrong_answer_counts_only_where_tokens_were_taken_back(cases):
    [trace] = by(cases, "wrong_answer").traces
    step = Step(0, drafted=(Token(0, trace.output_ids[0], 1.0),))
    assert find("wrong_answer", [trace]) == [Moment(13)]
    assert find("wrong_answer", [replace(trace, steps=(step,))]) == []


def test_the_page_holds_no_case_before_the_tab_is_opened():
    with gr.Blocks() as app:
        cases_tab()
    values = [part["props"].get("value") for part in app.get_config_file()["components"]]
    assert all(len(value) < 200 for value in values if isinstance(value, str))


def test_the_planted_digit_is_one_of_those_that_the_search_tries(cases):
    search = runpy.run_path(str(CASES.parents[2] / "examples" / "find_cases.py"))
    before = Trace.from_json((CASES.parent / "traces" / "sofia.json").read_bytes())
    tried = list(search["changes"](before))
    [fate] = fates(by(cases, "planted").traces[-1])
    assert (fate.at_pass, *fate.edit) in tried
    assert all(number < before.forward_passes for number, _, _ in tried)


def test_new_cases_are_found_by_their_property(monkeypatch, capsys):
    script = str(CASES.parents[2] / "examples" / "find_cases.py")
    asked = [
        "find_cases.py",
        "--task",
        "countdown",
        "--count",
        "2",
        "--property",
        "draft_cap,wrong_number",
        "--records",
    ]
    monkeypatch.setattr("sys.argv", asked)
    runpy.run_path(script, run_name="__main__")
    first, record, *_ = capsys.readouterr().out.splitlines()
    assert re.match(r"draft_cap +0 difficulty 2  \d+ passes, 0 back  1: \d+", first)
    trace_of = json.loads(record)
    assert trace_of["task"] == "countdown" and len(trace_of["numbers"]) == 3
    monkeypatch.setattr("sys.argv", ["find_cases.py", "--property", "beauty"])
    with pytest.raises(SystemExit) as refused:
        runpy.run_path(script, run_name="__main__")
    assert refused.value.code == 2 and "there is no property beauty" in capsys.readouterr().err
