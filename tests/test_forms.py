"""What the decoder forms stand for: each choice its rule and its model, with that model's presets."""

from __future__ import annotations

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from tests.stand_in import PRESETS, TAU
from wino_viz.model_menu import ModelMenu
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.ui.decoder_form import NONE, PLUS, DecoderForm, decoder_choices
from wino_viz.ui.forms import CanvasForm, Forms
from wino_viz.ui.model_form import ModelForm

SKIP = gr.skip()
BASE = {"arithmetic": {"decoders": {"wino": {"tau1": 0.62}}}, "sudoku": {"decoders": {"wino": {"tau1": 0.45}}}}
BASE["sudoku"] |= {"gen_length": 32, "block_length": 32}


@pytest.fixture
def sessions(mini: Checkpoint, tmp_path) -> tuple[Session, Session]:
    """A base and its WINO+, each with presets of its own."""
    made = []
    for name, presets in (("base", BASE), ("base-wino-plus", PRESETS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "presets.json").write_text(json.dumps(presets))
        made.append(Session(str(tmp_path / name), load=lambda name: mini))
    return tuple(made)


def a_form(*sessions: Session, **settings) -> DecoderForm:
    with gr.Blocks():
        return DecoderForm(decoder_choices(*sessions), "x", "Decoder", "wino", **settings)


def values_of(form: DecoderForm) -> list:
    return [component.value for component in form.inputs]


def shown(form: DecoderForm, values: tuple) -> dict:
    """The choice, and which settings are set to what."""
    name, *settings = values
    named = zip(form.keys, settings, strict=True)
    return {"name": name} | {key: value for key, value in named if value != SKIP}


def a_trace(model: str, **decoder) -> SimpleNamespace:
    return SimpleNamespace(model=model, decoder=decoder)


def test_each_choice_begins_with_its_own_models_preset(sessions):
    base, plus = sessions
    form = a_form(base, plus)
    assert list(form.choices) == ["standard", "threshold", "factor", "prophet", "wino", PLUS]
    assert list(a_form(base).choices) == ["standard", "threshold", "factor", "prophet", "wino"]
    assert form.usual("arithmetic")[PLUS].tau == TAU and form.usual("arithmetic")["wino"].tau1 == 0.62
    name, *values = values_of(form)
    chosen = form.read(PLUS, *values)
    assert (name, chosen.session, chosen.settings.tau) == ("wino", plus, TAU)
    assert form.read("threshold", *values).session is base


def test_a_trace_shows_the_choice_that_makes_it_on_its_own_model(sessions):
    base, plus = sessions
    form = a_form(base, plus)
    for trace, expected in (
        (a_trace(base.model, name="threshold", tau=0.3), {"name": "threshold", ("threshold", "tau"): 0.3}),
        (a_trace(plus.model, name="threshold", tau=0.3), {"name": PLUS, (PLUS, "tau"): 0.3}),
        (a_trace("llada-8b-wino-plus", name="threshold", tau=0.3), {"name": PLUS, (PLUS, "tau"): 0.3}),
        (a_trace("llada-8b", name="threshold", tau=0.3), {"name": "threshold", ("threshold", "tau"): 0.3}),
        (a_trace(plus.model, name="factor", f=2.0), {"name": "factor", ("factor", "f"): 2.0}),
        (a_trace(base.model, name="of a later version", tau=0.3), {"name": SKIP}),
    ):
        assert shown(form, form.show(trace)) == expected
    alone = a_form(base)
    assert alone.show(a_trace(plus.model, name="threshold", tau=0.3))[0] == "threshold"


def some_forms(sessions: tuple[Session, ...], **settings) -> Forms:
    with gr.Blocks():
        choices = decoder_choices(*sessions)
        forms = [DecoderForm(choices, f"x{n}", "Decoder", "wino", optional=n == 2) for n in range(3)]
        return Forms(forms, CanvasForm(sessions[0], "x"), ModelForm(ModelMenu(sessions[0]), "x"), **settings)


def chosen_values(forms: Forms, *names: str) -> list:
    """The values of all parts, with these decoders chosen."""
    values = [component.value for component in forms.parts]
    for form, name in zip(forms.decoders, names, strict=True):
        values[forms.parts.index(form.name)] = name
    return values


def test_what_is_chosen_is_read_each_with_its_model_and_none_is_left_out(sessions):
    base, plus = sessions
    forms = some_forms(sessions)
    chosen, size = forms.read("arithmetic", "arithmetic", chosen_values(forms, "threshold", PLUS, NONE))
    assert [(c.session, c.settings.name, c.settings.tau) for c in chosen] == [
        (base, "threshold", 0.9),
        (plus, "threshold", TAU),
    ]
    assert (size["gen_length"], size["block_length"]) == base.lengths("arithmetic")
    wrong = chosen_values(forms, "wino", PLUS, NONE)
    wrong[forms.parts.index(forms.decoders[1].inputs[-1])] = 7
    with pytest.raises(ValueError, match=r"tau must be a number, 0 to 1, not 7"):
        forms.read("arithmetic", "arithmetic", wrong)


def test_a_field_that_was_emptied_is_named(sessions):
    forms = some_forms(sessions)
    for label in ("τ1 · draft above", "Generation length", "Seed"):
        values = chosen_values(forms, "wino", PLUS, NONE)
        values[next(n for n, part in enumerate(forms.parts) if part.label == label)] = None
        with pytest.raises(ValueError, match=f"“{label}” is empty: it needs a number"):
            forms.read("arithmetic", "arithmetic", values)


def test_a_problem_of_another_kind_gets_its_own_presets_from_each_model(sessions):
    forms = some_forms(sessions)
    chosen, size = forms.read("sudoku", "arithmetic", chosen_values(forms, "wino", PLUS, NONE))
    assert (chosen[0].settings.tau1, chosen[1].settings.tau) == (0.45, 0.55)
    assert (size["gen_length"], size["block_length"]) == (32, 32)


@pytest.mark.parametrize(("names", "tau"), [(("threshold", "wino", PLUS), 0.45), (("threshold", PLUS, NONE), 0.9)])
def test_beside_wino_threshold_has_its_tau1(sessions, names, tau):
    forms = some_forms(sessions, matched=True)
    home = (sessions[0].model, "")
    for values in (forms.fit("sudoku", [*names, *home]), forms.choose("sudoku", names, *home)):
        place = forms.parts.index(forms.decoders[0].name)
        assert (
            shown(forms.decoders[0], values[place : place + len(forms.decoders[0].inputs)])["threshold", "tau"] == tau
        )
    assert forms.choose("sudoku", names, *home)[0] == "threshold" and forms.fit("sudoku", [*names, *home])[0] == SKIP
    [first, *_], _ = forms.read("sudoku", "arithmetic", chosen_values(forms, *names))
    assert first.settings.tau == tau


def test_a_run_waits_only_for_the_models_that_it_uses(sessions):
    base, _ = sessions
    forms = some_forms(sessions)
    base.checkpoint()
    assert forms.loaded(chosen_values(forms, "wino", "standard", NONE))
    assert not forms.loaded(chosen_values(forms, "wino", PLUS, NONE))


def test_another_model_brings_its_own_settings_and_wino_plus_is_not_among_them(sessions, tmp_path):
    base, plus = sessions
    (tmp_path / "large").mkdir()
    presets = {
        "arithmetic": {"gen_length": 256, "block_length": 128, "decoders": {"wino": {"tau1": 0.55}}},
        "mbpp": {"gen_length": 256, "block_length": 64, "decoders": {"wino": {"tau1": 0.8}}, "label": "MBPP"},
    }
    (tmp_path / "large" / "presets.json").write_text(json.dumps(presets))
    large = str(tmp_path / "large")
    with gr.Blocks():
        forms = [DecoderForm(decoder_choices(base, plus), f"x{n}", "D", "wino", optional=n == 1) for n in range(2)]
        model = ModelForm(ModelMenu(base, listed=[large]), "x")
        both = Forms(forms, CanvasForm(base, "x"), model)
    values = both.fit_model("arithmetic", [PLUS, PLUS, large, ""])
    first, second = (values[both.parts.index(form.name)] for form in forms)
    assert (first, second) == ("wino", NONE)
    assert shown(forms[0], values[: len(forms[0].inputs)])["wino", "tau1"] == 0.55
    assert values[both.parts.index(both.canvas.gen_length)]["value"] == 256
    filled = both.fit("arithmetic", ["wino", NONE, large, "mbpp"])
    assert shown(forms[0], filled[: len(forms[0].inputs)])["wino", "tau1"] == 0.8

    asked = [component.value for component in both.parts]
    asked[-2:], asked[both.parts.index(forms[1].name)] = [large, "mbpp"], NONE
    [chosen], size = both.read("sudoku", "arithmetic", asked)
    assert (chosen.session.model, size["preset"]) == (large, "mbpp")
    asked[both.parts.index(forms[1].name)] = PLUS
    with pytest.raises(ValueError, match=r"WINO\+ here is a small model of its own: choose another decoder for "):
        both.read("arithmetic", "arithmetic", asked)
    asked[-2] = "nobody/listed-it"
    with pytest.raises(ValueError, match="there is no model 'nobody/listed-it' here"):
        both.read("arithmetic", "arithmetic", asked)
