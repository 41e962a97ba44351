"""SPECs: reading, writing, presets, and one line for everything that is wrong with one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wino_viz.decoding import (
    DECODERS,
    FactorSettings,
    ProphetSettings,
    StandardSettings,
    ThresholdSettings,
    WinoSettings,
    format_spec,
    parse_spec,
)

unit = st.floats(0, 1)
count = st.integers(1, 10**9 - 1)
any_settings = (
    st.builds(StandardSettings, count, st.sampled_from(["low_confidence", "random"]))
    | st.builds(ThresholdSettings, unit)
    | st.builds(FactorSettings, st.floats(0, 100))
    | st.builds(ProphetSettings, *[st.floats(0, 100)] * 3, st.integers(-1, 8191), st.integers(1, 8192))
    | st.builds(WinoSettings, unit, unit, count, count, unit, count)
)
presets = {"wino": {"tau1": 0.7, "draft_cap": 12}, "threshold": {"tau": 0.95}}


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("standard", StandardSettings()),
        ("standard:tokens_per_step=4", StandardSettings(4)),
        ("standard:remasking=random:tokens_per_step=2", StandardSettings(2, "random")),
        ("threshold:tau=.5", ThresholdSettings(0.5)),
        ("threshold:tau=1", ThresholdSettings(1.0)),
        ("factor", FactorSettings(1.0)),
        ("factor:f=1.5", FactorSettings(1.5)),
        ("prophet", ProphetSettings(7.5, 5.0, 2.5, -1, 5)),
        ("prophet:gap_early=9:answer_start=40:answer_length=3", ProphetSettings(9.0, answer_start=40, answer_length=3)),
        ("wino:tau1=0.6:tau2=0.9", WinoSettings(0.6, 0.9)),
        (" wino:tau1=7e-1:draft_cap=8 ", WinoSettings(tau1=0.7, draft_cap=8)),
    ],
)
def test_a_spec_stands_for_settings(text, settings):
    assert parse_spec(text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no decoder '': choose one of standard, threshold, factor, prophet, wino"),
        ("wino+", "WINO+ is a model and not a decoder: choose the model llada-mini-wino-plus (--model), with threshold"),
        ("vino", "there is no decoder 'vino': choose one of standard, threshold, factor, prophet, wino"),
        ("wino:tau=0.6", "wino has no setting 'tau': choose one of tau1, tau2, draft_floor, draft_cap, draft_share, "
         "first_remask_limit"),
        ("threshold:name=0.6", "threshold has no setting 'name': choose one of tau"),
        ("wino:tau1", "wino: 'tau1' is not of the form setting=value"),
        ("wino:", "wino: '' is not of the form setting=value"),
        ("wino:tau1=0.6:tau1=0.7", "wino: tau1 is set twice"),
        ("wino:tau1=1.5", "wino: tau1 must be a number, 0 to 1, not 1.5"),
        ("wino:tau1=high", "wino: tau1 must be a number, not 'high'"),
        ("wino:tau1=nan", "wino: tau1 must be a number, not 'nan'"),
        ("wino:tau1=1e999", "wino: tau1 must be a number, 0 to 1, not inf"),
        ("wino:draft_cap=2.5", "wino: draft_cap must be a whole number, not '2.5'"),
        ("factor:f=-1", "factor: f must be a number, 0 to 100, not -1.0"),
        ("prophet:gap=5", "prophet has no setting 'gap': choose one of gap_early, gap_middle, gap_late, answer_start, "
         "answer_length"),
        ("prophet:answer_start=-2", "prophet: answer_start must be a whole number, -1 to 8191, not -2"),
        ("standard:tokens_per_step=0", "standard: tokens_per_step must be a whole number, at least 1, not 0"),
        ("standard:tokens_per_step=1_0", "standard: tokens_per_step must be a whole number, not '1_0'"),
        ("standard:tokens_per_step=٣", "standard: tokens_per_step must be a whole number, not '٣'"),
        ("standard:remasking=best", "standard: remasking must be low_confidence or random, not 'best'"),
        ("a\nb", "there is no decoder 'a\\nb': choose one of standard, threshold, factor, prophet, wino"),
        ("x" * 50, f"there is no decoder '{'x' * 40}'…: choose one of standard, threshold, factor, prophet, wino"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_spec_is_said_in_one_line(text, message):
    with pytest.raises(ValueError) as error:
        parse_spec(text)
    assert str(error.value) == message


@given(st.text() | st.text("winotausdrl12:=.-e", max_size=30))
@example("wino:tau1=" + "9" * 5000)
@example("standard:tokens_per_step=" + "9" * 5000)
@example("standard:remasking=" + "x" * 5000)
def test_any_other_text_is_refused_in_one_short_line(text):
    try:
        settings = parse_spec(text)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 250
    else:
        assert parse_spec(format_spec(settings)) == settings


@given(any_settings)
def test_a_spec_round_trips(settings):
    assert parse_spec(format_spec(settings)) == settings


@given(any_settings)
def test_a_spec_round_trips_under_presets(settings):
    assert parse_spec(format_spec(settings, presets), presets) == settings


def test_a_spec_is_written_without_what_goes_without_saying():
    assert format_spec(WinoSettings(tau1=0.7)) == "wino:tau1=0.7"
    assert format_spec(WinoSettings()) == "wino"
    assert format_spec(WinoSettings(draft_cap=12), presets) == "wino:tau1=0.6"


def test_a_preset_stands_in_for_what_a_spec_does_not_say():
    assert parse_spec("wino", presets) == WinoSettings(tau1=0.7, draft_cap=12)
    assert parse_spec("wino:tau1=0.5:tau2=0.8", presets) == WinoSettings(tau1=0.5, tau2=0.8, draft_cap=12)
    assert parse_spec("standard", presets) == StandardSettings()


@pytest.mark.parametrize(
    ("preset", "message"),
    [({"tau": 0.5}, "wino has no setting 'tau'"), ({"tau1": 2}, "wino: tau1 must be a number, 0 to 1, not 2")],
)
def test_a_wrong_preset_is_named(preset, message):
    with pytest.raises(ValueError, match=message):
        parse_spec("wino", {"wino": preset})


def test_decoders_are_listed_by_name():
    assert list(DECODERS.items()) == [
        ("standard", StandardSettings),
        ("threshold", ThresholdSettings),
        ("factor", FactorSettings),
        ("prophet", ProphetSettings),
        ("wino", WinoSettings),
    ]
