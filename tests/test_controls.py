"""Words that are fixed, ends of the text that wait, and guidance: by every decoder, alone and in batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import MASK, RandomDenoiser, a_canvas, run, script_of

from wino_viz.cli import main
from wino_viz.decoding import (
    Controls,
    FactorSettings,
    ProphetSettings,
    StandardSettings,
    ThresholdSettings,
    WinoSettings,
    decode_many,
    record,
)
from wino_viz.decoding.controls import hold_back
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.models.denoiser import transformers_logits
from wino_viz.models.layout import arrange
from wino_viz.models.next_position import NextPosition
from wino_viz.trace import Trace, TraceError

RULES = [StandardSettings(3), ThresholdSettings(0.7), FactorSettings(1.5), ProphetSettings(), WinoSettings(0.4, 0.8)]
BY_NAME = [rule.name for rule in RULES]
QUESTION = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"
ENDS = (10, 11, 12)


def traces(rules, canvases, denoiser=None, in_flight=1) -> list[Trace]:
    decoders = [rule.start(canvas) for rule, canvas in zip(rules, canvases, strict=True)]
    steps: list[list] = [[] for _ in decoders]
    for index, (step, _) in decode_many(decoders, denoiser or RandomDenoiser(), in_flight):
        steps[index].append(step)
    pieces = dict.fromkeys(range(100) if denoiser is None or isinstance(denoiser, RandomDenoiser) else range(1600), "x")
    return [
        record(model="m", settings=rule, canvas=canvas, prompt="p", steps=made, pieces=pieces, text="")
        for rule, canvas, made in zip(rules, canvases, steps, strict=True)
    ]


# ---- fixed words

FIXED = st.dictionaries(st.integers(0, 15), st.integers(0, 49), max_size=15)


@settings(max_examples=40)
@given(st.sampled_from(RULES), FIXED, st.sampled_from([4, 8, 16]), st.sampled_from(["free", "last", "never"]))
def test_a_fixed_token_stands_from_the_start_and_no_pass_touches_it(rule, fixed, block, ends):
    controls = Controls(tuple(fixed.items()), ends, end_ids=ENDS, banned_ids=ENDS)
    [trace] = traces([rule], [a_canvas(16, block, controls=controls)])
    first, *_, last = [*trace.canvases()] if trace.steps else [trace.output_ids] * 2
    assert {position: token for position, token in enumerate(first) if token != MASK} == fixed
    assert all(last[position] == token for position, token in fixed.items()) and MASK not in last
    for step in trace.steps:
        rows = (*step.drafted, *step.verified, *step.remasked, *step.considered)
        assert not {row.position for row in rows} & fixed.keys()
    assert Trace.from_json(trace.to_json()) == trace
    assert trace.tokens_per_pass == (16 - len(fixed)) / trace.forward_passes


def test_a_block_that_is_fixed_as_a_whole_needs_no_pass():
    controls = Controls(tuple((position, 7) for position in (0, 1, 2, 3, 8, 9, 10, 11)))
    for rule in RULES:
        [trace] = traces([rule], [a_canvas(16, 4, controls=controls)])
        assert {step.block for step in trace.steps} <= {1, 3}
        assert trace.to_dict()["fixed"][0] == [0, 7]


def test_wino_lays_its_shadow_out_as_always_and_asks_it_of_no_fixed_token():
    canvas = a_canvas(8, 8, controls=Controls(((2, 7), (5, 8))))
    _, requests, final = run(WinoSettings(0.5, 0.9), canvas, script_of(draft=0.9))
    assert (final[2], final[5]) == (7, 8)
    plain = run(WinoSettings(0.5, 0.9), a_canvas(8, 8), script_of(draft=0.9))[1]
    assert np.array_equal(requests[0].attention, plain[0].attention)
    assert list(requests[0].ids[3:11]) == [MASK, MASK, 7, MASK, MASK, 8, MASK, MASK]
    assert requests[1].given.tolist().count(7) == requests[1].given.tolist().count(8) == 0


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        (((8, 1),), "position 8 is outside the answer: its positions are 0 to 7"),
        (((1, 1), (1, 2)), "position 1 is fixed twice"),
        (((1, MASK),), "the mask can't be fixed at position 1"),
        (tuple((n, 1) for n in range(8)), "every position is fixed: leave at least one to the model"),
        (((-1, 1),), "a fixed position must be a whole number"),
        (((0, True),), "a fixed token must be a whole number"),
    ],
)
def test_what_can_not_be_fixed_is_said(fixed, said):
    with pytest.raises(ValueError, match=said):
        a_canvas(8, controls=Controls(fixed))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fixed": [[99, 1]]}, "fixed: position 99 is outside"),
        ({"fixed": [[2, 7], [2, 7]]}, "named twice"),
        ({"fixed": [[2, MASK]]}, "the mask itself"),
        ({"fixed": [[2, 10**6]]}, "no text in pieces"),
        ({"fixed": [[2]]}, "rows of 2"),
        ({"fixed": 7}, "fixed must be a list"),
        ({"fixed": [[2, 8]]}, "output_ids are not what the steps lead to"),
        ({"fixed": [[0, 7]]}, "a token stands there already"),
    ],
)
def test_a_trace_that_tells_other_fixed_words_than_it_shows_is_refused(change, said):
    [trace] = traces([ThresholdSettings(0.1)], [a_canvas(8, controls=Controls(((2, 7),)))])
    with pytest.raises(TraceError, match=said):
        Trace.from_dict({**trace.to_dict(), **change})
    step = {"block": 0, "remasked": [[2, 7, 0.5]]}
    again = {**trace.to_dict(), "steps": [step], "forward_passes": 1}
    with pytest.raises(TraceError, match="position 2 is fixed, but remasked"):
        Trace.from_dict(again)


# ---- the end of the text


def test_an_end_of_the_text_waits_until_its_block_proposes_nothing_else():
    ids, confidence = np.array([10, 3, 12]), np.array([0.9, 0.1, 0.8])
    assert hold_back(ids, confidence, ENDS).tolist() == [-np.inf, 0.1, -np.inf]
    assert hold_back(ids[[0, 2]], confidence[[0, 2]], ENDS).tolist() == [0.9, 0.8]


@settings(max_examples=30)
@given(st.sampled_from([StandardSettings(1), ThresholdSettings(0.3), WinoSettings(0.2, 0.6)]), st.integers(0, 99))
def test_no_pass_places_an_end_beside_a_mask_that_proposes_a_word(rule, seed):
    controls = Controls(end_of_text="last", end_ids=tuple(range(25)))  # half of what is made up
    [trace] = traces([rule], [a_canvas(16, 8, controls=controls, seed=seed)], RandomDenoiser(50 + seed % 3))
    for step in trace.steps:
        proposed = [*step.drafted, *step.considered]
        if any(token.id >= 25 for token in proposed):
            assert all(token.id >= 25 for token in step.drafted)
    assert trace.decoder["end_of_text"] == "last"


def test_the_usual_way_says_nothing_of_it_in_the_trace():
    [trace] = traces([WinoSettings()], [a_canvas()])
    assert not {"end_of_text", "cfg_scale"} & trace.decoder.keys() and "fixed" not in trace.to_dict()


@pytest.mark.parametrize("wrong", [{"end_of_text": "soon"}, {"cfg_scale": -1}, {"cfg_scale": 11}, {"cfg_scale": "x"}])
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Controls(**wrong)


# ---- on the real model


def small(mini: Checkpoint, **controls):
    return mini.canvas(QUESTION, gen_length=32, block_length=16, **controls)


def steps_of(mini: Checkpoint, canvases, rules, in_flight=1):
    return [trace.steps for trace in traces(rules, canvases, mini.denoiser, in_flight)]


def test_guidance_is_the_published_combination_of_two_passes_shadow_included(mini: Checkpoint):
    canvas = small(mini, cfg_scale=1.5)
    decoder = WinoSettings().start(canvas)
    decoder.update(mini.denoiser.predict([decoder.request()])[0])
    forward = decoder.request()  # with rows of the shadow
    assert (forward.given >= 0).any() and forward.guidance == 1.5
    logits = []
    for ids in (
        forward.ids,
        np.concatenate((np.full(forward.prompt_length, mini.mask_id), forward.ids[forward.prompt_length :])),
    ):
        layout = arrange([replace(forward, ids=ids)], [mini.denoiser._masks(forward.attention)], mini.mask_id, 1, 1)
        bias = layout.bias(torch.device("cpu"), torch.float32)
        with torch.inference_mode():
            batch = layout.shape.batch(torch.from_numpy(layout.numbers), bias)
            logits.append(transformers_logits(mini.denoiser.model, batch)[0])
    guided = logits[1] + 2.5 * (logits[0] - logits[1])
    guided[:, mini.mask_id] = -torch.inf
    expected = guided.softmax(-1)
    made = mini.denoiser.predict([forward])[0]
    assert made.ids.tolist() == expected.argmax(-1).tolist()
    assert np.allclose(made.confidence, expected.amax(-1), atol=1e-4)
    judged = forward.given >= 0
    rows = torch.arange(len(judged))
    assert np.allclose(made.given_probability[judged], expected[rows, forward.given][judged], atol=1e-4)


def test_no_guidance_is_what_it_was_and_one_pass(mini: Checkpoint):
    plain, none = small(mini), small(mini, cfg_scale=0.0)
    assert plain.controls == none.controls
    request = WinoSettings().start(none).request()
    assert (request.guidance, request.banned, request.sequences) == (0.0, (), 1)


@pytest.mark.parametrize("rule", RULES, ids=BY_NAME)
def test_a_batch_of_every_kind_chooses_what_each_would_alone(mini: Checkpoint, rule):
    kinds = [
        {},
        {"cfg_scale": 1.0},
        {"end_of_text": "never"},
        {"fixed": "0:The"},
        {"end_of_text": "last", "cfg_scale": 0.5},
    ]
    if rule.name == "standard":
        rule = replace(rule, tokens_per_step=8)
    canvases = [mini.canvas(QUESTION, gen_length=16, block_length=8, **kind) for kind in kinds]
    together = steps_of(mini, canvases, [rule] * len(kinds), in_flight=len(kinds))
    for n, canvas in enumerate(canvases):
        [alone] = steps_of(mini, [canvas], [rule])
        placed = [[[(t.position, t.id) for t in s.drafted] for s in steps] for steps in (alone, together[n])]
        assert placed[0] == placed[1]


def test_the_end_of_the_text_is_never_chosen_where_it_is_left_out(mini: Checkpoint):
    canvas = small(mini, end_of_text="never")
    assert canvas.controls.banned_ids and mini.turn_end not in canvas.controls.banned_ids
    [steps] = steps_of(mini, [canvas], [ThresholdSettings(0.5)])
    seen = {i for step in steps for i in step.shown_ids()}
    ids, p = zip(*(pair for step in steps for rows in step.alternatives.values() for pair in rows), strict=True)
    assert not seen - {i for i, q in zip(ids, p, strict=True) if q == 0} & {*canvas.controls.banned_ids}
    assert not {token.id for step in steps for token in step.drafted} & {*canvas.controls.banned_ids}


def test_guided_noise_is_the_same_again_and_guidance_works_for_models_that_predict_the_next(mini: Checkpoint):
    canvas = mini.canvas(QUESTION, gen_length=16, block_length=16, cfg_scale=0.7, temperature=0.8, seed=5)
    first, second = (steps_of(mini, [canvas], [WinoSettings()]) for _ in range(2))
    assert first == second
    arranged = NextPosition()
    forward = WinoSettings().start(canvas).request()
    assert arranged(forward).guidance == 0.7  # it is told on


# ---- words


def test_words_are_tokens_from_their_position_on(mini: Checkpoint):
    fixed = dict(small(mini, fixed='0:Rosa, 5:has apples|20:"18"').controls.fixed)
    assert mini.tokenizer.decode([fixed[0]]) == "Rosa"
    assert mini.tokenizer.decode([fixed[p] for p in sorted(fixed) if 5 <= p < 20]) == " has apples"
    assert mini.tokenizer.decode([fixed[20], fixed[21]]) == "18"
    assert small(mini, fixed=" ").controls.fixed == ()
    special = small(mini, fixed="3:<|eot_id|>").controls.fixed
    assert not {token for _, token in special} & {*mini.end_ids}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Once", "'Once' has no position: write words as 0:Once, 5:upon"),
        ("0:Once, upon,", None),
        ("5:", "position 5 has no words"),
        ('5:""', "position 5 has no words"),
        ("99:upon", "takes positions 99 to 100, and the answer has 0 to 31"),
        ("31:apples", "takes positions 31 to 34"),
        ("4:upon, 5:on", "“on” and “upon” overlap at position 5"),
        ("-1:upon", "has no position"),
        ("1e3:upon", "has no position"),
        ("٣:upon", "has no position"),
        ("0:\ud800", "half a character"),
        ("0:" + "x" * 3000, "too long"),
    ],
)
def test_what_is_no_list_of_words_is_said(mini: Checkpoint, words: str, said: str | None):
    if said is None:
        assert small(mini, fixed=words).controls.fixed
        return
    with pytest.raises(ValueError, match=said) as refusal:
        small(mini, fixed=words)
    assert len(str(refusal.value)) < 300


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_words_or_one_sentence(mini: Checkpoint, words: str):
    try:
        fixed = small(mini, fixed=words).controls.fixed
    except ValueError as error:
        assert len(str(error)) < 300
        return
    assert len({position for position, _ in fixed}) == len(fixed)


def test_decode_takes_all_of_them_and_refuses_what_can_not_be_fixed(tmp_path, capsys):
    out = tmp_path / "trace.json"
    asked = ["decode", "--prompt", QUESTION, "--gen-length", "16", "--block-length", "16"]
    controls = ["--fixed", "0:The", "--end-of-text", "last", "--cfg-scale", "0.5"]
    assert main([*asked, *controls, "--trace", str(out)]) == 0
    trace = Trace.from_json(out.read_text(encoding="utf-8"))
    assert [trace.pieces[token] for _, token in trace.fixed] == ["The"] and trace.text.startswith("The")
    assert (trace.decoder["end_of_text"], trace.decoder["cfg_scale"]) == ("last", 0.5)
    capsys.readouterr()
    assert main([*asked, "--fixed", "16:x"]) == 2
    assert "“x” takes positions 16 to 17, and the answer has 0 to 15" in capsys.readouterr().err
