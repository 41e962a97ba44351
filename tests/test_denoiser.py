"""The denoiser on the real embedded model: the shadow block's isolation, batching, sampling, and whole decodings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wino_viz.decoding import (
    NO_TOKEN,
    Canvas,
    Forward,
    StandardSettings,
    ThresholdSettings,
    WinoSettings,
    decode,
    decode_many,
    shadow_attention,
    shadow_position_ids,
)
from wino_viz.evaluation import judge
from wino_viz.models.checkpoint import Checkpoint

FIRST_EXAMPLE = Path(__file__).parents[1] / "examples" / "traces" / "1-two-wordings-collide.json"
QUESTION = (
    "Kofi has 39 magnets. Aisha brings back 24 magnets borrowed last year. Thanks to a sponsor, the number of "
    "magnets triples. How many magnets does Kofi have now?"
)
GEN, BLOCK = 64, 32


@pytest.fixture(scope="module")
def half_done(mini: Checkpoint) -> dict:
    """The second block half filled, with its shadow: sequence, mask and positions as WINO asks for them."""
    prompt = mini.prompt_ids(QUESTION)
    answer = mini.tokenizer.encode(
        "Back from Aisha come 24, so Kofi has 39+24=63.\nThree times as many", add_special_tokens=False
    )
    generated = np.full(GEN, mini.mask_id)
    generated[: min(48, len(answer) + 20)] = (answer * 3)[: min(48, len(answer) + 20)]
    ids = np.concatenate([prompt, generated, np.full(BLOCK, mini.mask_id)])
    shape = (len(prompt), GEN, BLOCK, 1)
    return {
        "prompt": len(prompt),
        "ids": ids,
        "attention": shadow_attention(*shape),
        "position_ids": shadow_position_ids(*shape),
    }


def rows_of(mini: Checkpoint, half_done: dict, ids: np.ndarray) -> np.ndarray:
    """The most probable tokens' probabilities at every row of the sequence."""
    rows = np.arange(len(ids))
    forward = Forward(ids, rows, np.full(len(ids), 7), half_done["position_ids"], half_done["attention"])
    answer = mini.denoiser.predict([forward])[0]
    return np.concatenate([answer.given_probability[:, None], answer.top_probabilities, answer.top_ids], axis=1)


def test_no_row_outside_the_shadow_changes_when_the_shadow_changes(mini: Checkpoint, half_done: dict):
    ids, shadow = half_done["ids"], half_done["prompt"] + GEN
    changed = ids.copy()
    changed[shadow:] = np.arange(20, 20 + BLOCK)
    before, after = rows_of(mini, half_done, ids), rows_of(mini, half_done, changed)
    assert np.array_equal(before[:shadow], after[:shadow])
    assert not np.array_equal(before[shadow:], after[shadow:])  # the shadow does see itself


def test_a_shadow_row_does_not_change_when_its_own_twin_changes(mini: Checkpoint, half_done: dict, monkeypatch):
    """In one layer of the real model, under the real mask: the slot attends to everything but its twin."""
    monkeypatch.setattr(mini.denoiser.model.config, "num_hidden_layers", 1)
    ids, twin, slot = half_done["ids"], half_done["prompt"] + BLOCK + 5, half_done["prompt"] + GEN + 5
    changed = ids.copy()
    changed[twin] = 30
    before, after = rows_of(mini, half_done, ids), rows_of(mini, half_done, changed)
    assert np.array_equal(before[slot], after[slot])
    assert not np.array_equal(before[slot + 1], after[slot + 1])  # its neighbour does see that token


def test_through_all_layers_a_twin_reaches_its_slot_only_by_other_rows(mini: Checkpoint, half_done: dict):
    """WINO hides the twin from its slot, but not from the rows that the slot sees. Hide it from them too: no change."""
    ids, twin, slot = half_done["ids"], half_done["prompt"] + BLOCK + 5, half_done["prompt"] + GEN + 5
    changed = ids.copy()
    changed[twin] = 30
    hidden = half_done["attention"].copy()
    hidden[:, twin] = False
    hidden[twin, twin] = True
    cut_off = half_done | {"attention": hidden}
    assert np.array_equal(rows_of(mini, cut_off, ids)[slot], rows_of(mini, cut_off, changed)[slot])


def test_later_blocks_are_seen(mini: Checkpoint):
    prompt = mini.prompt_ids(QUESTION)
    ids = np.concatenate([prompt, np.full(GEN, mini.mask_id)])
    changed = ids.copy()
    changed[len(prompt) + BLOCK + 3] = 30  # in the second block
    first = np.arange(len(prompt), len(prompt) + BLOCK)
    ask = [Forward(i, first, np.full(BLOCK, NO_TOKEN)) for i in (ids, changed)]
    alone, with_token = (mini.denoiser.predict([forward])[0] for forward in ask)
    assert not np.allclose(alone.confidence, with_token.confidence, atol=1e-4)


def what_changed(steps) -> list:
    """Tokens placed and taken back, pass by pass; their probabilities may differ in the last digit between batches."""
    return [[[(t.position, t.id) for t in group] for group in (step.drafted, step.remasked)] for step in steps]


@pytest.mark.parametrize(
    "settings", [StandardSettings(tokens_per_step=16), ThresholdSettings(), WinoSettings()], ids=lambda s: s.name
)
def test_a_batch_decodes_what_each_decodes_alone(mini: Checkpoint, settings):
    questions = [QUESTION, "Ava has 12 keys. Ava finds 9 keys under the bed. How many keys does Ava have now?", "Hello"]
    canvases = [mini.canvas(question, gen_length=GEN, block_length=BLOCK) for question in questions]
    alone = [[timed.step for timed in decode(settings.start(canvas), mini.denoiser)] for canvas in canvases]
    together = [[] for _ in canvases]
    for index, timed in decode_many([settings.start(canvas) for canvas in canvases], mini.denoiser, in_flight=3):
        together[index].append(timed.step)
    assert [what_changed(steps) for steps in together] == [what_changed(steps) for steps in alone]


def test_the_same_request_gives_the_same_trace_and_another_seed_another(mini: Checkpoint):
    canvas = mini.canvas(QUESTION, gen_length=GEN, block_length=BLOCK, temperature=1.5, seed=4)
    settings = WinoSettings(tau1=0.3, tau2=0.6)
    first, again = ([t.step for t in decode(settings.start(canvas), mini.denoiser)] for _ in range(2))
    assert first == again
    other = [t.step for t in decode(settings.start(replace(canvas, seed=5)), mini.denoiser)]
    assert first != other


def test_temperature_zero_takes_the_most_probable_token(mini: Checkpoint):
    prompt = mini.prompt_ids(QUESTION)
    ids = np.concatenate([prompt, np.full(GEN, mini.mask_id)])
    rows = np.arange(len(prompt), len(ids))
    answer = mini.denoiser.predict([Forward(ids, rows, np.full(GEN, NO_TOKEN))])[0]
    assert np.array_equal(answer.ids, answer.top_ids[:, 0])
    assert np.array_equal(answer.confidence, answer.top_probabilities[:, 0])
    assert (np.diff(answer.top_probabilities, axis=1) <= 0).all()
    assert (answer.given_probability == 0).all()


def test_probabilities_are_a_softmax_of_the_models_logits(mini: Checkpoint):
    prompt = mini.prompt_ids(QUESTION)
    ids = np.concatenate([prompt, np.full(GEN, mini.mask_id)])
    row = np.array([len(prompt) + 2])
    answer = mini.denoiser.predict([Forward(ids, row, np.array([30]))])[0]
    with torch.no_grad():
        logits = mini.denoiser.model(input_ids=torch.tensor(ids)[None]).logits[0, row[0]].double().clone()
    logits[mini.mask_id] = -torch.inf
    p = logits.softmax(-1)
    assert answer.given_probability[0] == pytest.approx(p[30].item(), abs=1e-5)
    assert answer.confidence[0] == pytest.approx(p.max().item(), abs=1e-5)


def test_sampling_follows_the_models_distribution(mini: Checkpoint):
    prompt = mini.prompt_ids(QUESTION)
    ids = np.concatenate([prompt, np.full(8, mini.mask_id)])
    row = np.array([len(prompt)])
    ask = [Forward(ids, row, np.array([NO_TOKEN]), temperature=1.0, seed=seed) for seed in range(300)]
    drawn = [a.ids[0] for start in range(0, 300, 50) for a in mini.denoiser.predict(ask[start : start + 50])]
    answer = mini.denoiser.predict([Forward(ids, row, np.array([NO_TOKEN]))])[0]
    share = np.mean(np.array(drawn) == answer.ids[0])
    deviation = (answer.confidence[0] * (1 - answer.confidence[0]) / 300) ** 0.5
    assert abs(share - answer.confidence[0]) < 4 * deviation


@pytest.mark.parametrize(
    "settings", [StandardSettings(tokens_per_step=8), ThresholdSettings(), WinoSettings()], ids=lambda s: s.name
)
def test_a_finished_canvas_has_no_mask(mini: Checkpoint, settings):
    canvas = mini.canvas(QUESTION, gen_length=GEN, block_length=BLOCK)
    decoder = settings.start(canvas)
    list(decode(decoder, mini.denoiser))
    assert mini.mask_id not in decoder.canvas
    assert decoder.request() is None


def test_wino_solves_what_drafting_alone_gets_wrong(mini: Checkpoint):
    """The problem of the first recorded example: WINO's own draft threshold without verification garbles it."""
    record = json.loads(FIRST_EXAMPLE.read_text())["record"]
    canvas = mini.canvas(record["question"])
    wino = WinoSettings(**mini.preset("arithmetic").decoders["wino"])
    decoder, drafting = wino.start(canvas), ThresholdSettings(tau=wino.tau1).start(canvas)
    steps = [timed.step for timed in decode(decoder, mini.denoiser)]
    assert sum(len(step.remasked) for step in steps) >= 3
    assert judge(record, mini.text(decoder.canvas))["correct"]
    list(decode(drafting, mini.denoiser))
    assert not judge(record, mini.text(drafting.canvas))["correct"]


def test_special_tokens_typed_by_a_user_stay_text(mini: Checkpoint):
    ids = mini.prompt_ids("a <|mdm_mask|> and <|eot_id|>")
    assert mini.mask_id not in ids
    assert ids.count(mini.tokenizer.convert_tokens_to_ids("<|eot_id|>")) == 1


def test_the_chat_layout_is_lladas(mini: Checkpoint):
    text = mini.tokenizer.decode(mini.prompt_ids(" How many? "))
    assert text == (
        "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_every_digit_is_a_token_of_its_own(mini: Checkpoint):
    assert mini.tokenizer.tokenize("4207") == ["4", "2", "0", "7"]


@pytest.mark.parametrize(
    ("prompt", "lengths", "message"),
    [
        ("  ", {}, "the prompt is empty"),
        ("word " * 400, {}, r"the prompt is too long: \d+ tokens, and llada-mini has room for 192"),
        ("Hi", {"gen_length": 320, "block_length": 64}, "gen_length must be less than 320"),
        ("Hi", {"gen_length": 100, "block_length": 64}, "not a multiple of block_length"),
    ],
)
def test_what_can_not_be_decoded_is_said_in_a_sentence(mini: Checkpoint, prompt: str, lengths: dict, message: str):
    with pytest.raises(ValueError, match=message):
        mini.canvas(prompt, **lengths)


def test_a_canvas_is_checked_before_the_model_runs(mini: Checkpoint):
    with pytest.raises(ValueError, match="temperature"):
        Canvas(prompt_ids=(1,), mask_id=mini.mask_id, temperature=-1)
