"""Models whose rows predict the next position: who answers for one, and a shadow where no row sees what it judges."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2Config, Qwen2ForCausalLM

from wino_viz.decoding import (
    DECODERS,
    NO_TOKEN,
    Canvas,
    Forward,
    StandardSettings,
    ThresholdSettings,
    WinoSettings,
    decode,
    decode_many,
    judge_tokens,
    shadow_attention,
    shadow_position_ids,
)
from wino_viz.models.backbone import bidirectional
from wino_viz.models.denoiser import Denoiser
from wino_viz.models.next_position import NextPosition

VOCABULARY, MASK = 60, 59
PROMPT, GEN, BLOCK = (1, 2, 3, 4, 5), 12, 6
CANVAS = Canvas(PROMPT, MASK, gen_length=GEN, block_length=BLOCK)
SURE = WinoSettings(tau1=0.2, tau2=0.5)  # with the model below: some drafts a pass, and some of them taken back


def make_model(layers: int) -> Qwen2ForCausalLM:
    """Qwen2 as Dream uses it, tiny, random, and with opinions strong enough to draft and to revoke by."""
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
        use_cache=False,
    )
    config.is_causal = False
    torch.manual_seed(1)
    model = bidirectional(Qwen2ForCausalLM(config)).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):  # zero when new; a trained Qwen2's are large
            weight.normal_()
    return model


@pytest.fixture(scope="module", params=[1, 3], ids=["one layer", "three layers"])
def shifted(request: pytest.FixtureRequest) -> Denoiser:
    return Denoiser(make_model(request.param), MASK, arrange=NextPosition())


@pytest.fixture(scope="module")
def deep() -> Denoiser:
    return Denoiser(make_model(3), MASK, arrange=NextPosition())


def by_hand(model: Qwen2ForCausalLM, ids: np.ndarray, hidden: Callable | None = None) -> np.ndarray:
    """(T, V) probabilities of the token at each position, by the row before it; every row sees every column, but for the
    pairs that `hidden(row, column)` names. Row 0 is of no use."""
    length = len(ids)
    mask = torch.zeros(1, 1, length, length)
    for row in range(length):
        for column in range(length):
            if hidden and hidden(row, column):
                mask[0, 0, row, column] = -torch.inf
    logits = model(input_ids=torch.tensor(ids)[None], attention_mask=mask).logits[0].double()
    logits[:, MASK] = -torch.inf
    return logits.softmax(-1).roll(1, 0).numpy()


def half_done(block: int, seed: int = 0) -> tuple[Forward, np.ndarray]:
    """WINO's request in the middle of a block with every second position placed: (request, placed positions)."""
    generator = np.random.default_rng(seed)
    ids = np.concatenate((PROMPT, np.full(GEN + BLOCK, MASK)))
    start = len(PROMPT) + block * BLOCK
    placed = np.arange(start, start + BLOCK, 2)
    ids[len(PROMPT) : start] = generator.integers(6, MASK, start - len(PROMPT))
    ids[placed] = generator.integers(6, MASK, len(placed))
    masked = np.arange(start, start + BLOCK)[1::2]
    shape = len(PROMPT), GEN, BLOCK, block
    rows = np.concatenate((masked, len(PROMPT) + GEN + placed - start))
    given_ids = np.concatenate((np.full(len(masked), NO_TOKEN), ids[placed]))
    return Forward(ids, rows, given_ids, shadow_position_ids(*shape), shadow_attention(*shape)), placed


# ---- the mask, by construction


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.data())
def test_no_row_sees_the_token_that_it_judges_wherever_a_copy_of_it_stands(prompt_length, blocks, block_length, data):
    block = data.draw(st.integers(0, blocks - 1))
    length = prompt_length + blocks * block_length
    start = prompt_length + block * block_length
    ids = np.append(100 + np.arange(length), np.full(block_length, MASK))  # every token of the sequence differs
    shape = prompt_length, blocks * block_length, block_length, block
    judged = np.arange(start, start + block_length)
    rows = length + np.arange(block_length)
    asked = Forward(ids, rows, ids[judged], shadow_position_ids(*shape), shadow_attention(*shape))
    laid_out = NextPosition()(asked)
    assert len(laid_out.ids) == len(ids)
    unasked = NextPosition()(replace(asked, attention=None))
    assert np.array_equal(unasked.attention, laid_out.attention)  # it does not rely on the mask for LLaDA
    for position, row in zip(judged, laid_out.rows, strict=True):
        token, before = ids[position], ids[position - 1]
        seen = laid_out.attention[row]
        assert (laid_out.ids[row], laid_out.position_ids[row]) == (before, position - 1)  # so it predicts `position`
        assert not seen[laid_out.ids == token].any()
        assert not seen[laid_out.position_ids == position].any()
        # of every other position it sees exactly one token
        assert sorted(laid_out.position_ids[seen]) == [n for n in range(length) if n != position]
        assert set(laid_out.ids[seen]) == set(ids[:length]) - {token}


def test_outside_the_shadow_nothing_is_changed_and_nobody_sees_it():
    asked, _ = half_done(1)
    laid_out, length = NextPosition()(asked), len(PROMPT) + GEN
    assert np.array_equal(laid_out.ids[:length], asked.ids[:length])
    assert np.array_equal(laid_out.position_ids[:length], np.arange(length))
    assert laid_out.attention[:length, :length].all()
    assert not laid_out.attention[:length, length:].any()


def test_the_same_mask_is_passed_again_while_the_decoders_does_not_change():
    arrange, (asked, _), (other, _) = NextPosition(), half_done(0), half_done(1)
    first = arrange(asked)
    assert arrange(replace(asked, ids=asked.ids.copy())).attention is first.attention
    assert not np.array_equal(arrange(other).attention, first.attention)


def test_the_first_position_of_a_sequence_has_no_row():
    with pytest.raises(ValueError, match="position 0 has no row before it"):
        NextPosition()(Forward(np.arange(4), np.array([0, 2]), np.full(2, NO_TOKEN)))


# ---- the model behind it


def test_predictions_are_those_of_the_row_before(shifted: Denoiser):
    ids = np.concatenate((PROMPT, np.full(GEN, MASK)))
    ids[8:11] = 20, 21, 22
    rows = np.arange(1, len(ids))
    answer = shifted.predict([Forward(ids, rows, np.full(len(rows), 7))])[0]
    expected = by_hand(shifted.model, ids)[1:]
    assert np.array_equal(answer.ids, expected.argmax(-1))
    assert answer.confidence == pytest.approx(expected.max(-1), abs=1e-5)
    assert answer.given_probability == pytest.approx(expected[:, 7], abs=1e-5)


def test_with_a_shadow_drafts_are_those_without(shifted: Denoiser):
    asked, placed = half_done(1)
    masked = len(asked.rows) - len(placed)
    answer = shifted.predict([asked])[0]
    expected = by_hand(shifted.model, asked.ids[: len(PROMPT) + GEN])[asked.rows[:masked]]
    assert np.array_equal(answer.ids[:masked], expected.argmax(-1))
    assert answer.confidence[:masked] == pytest.approx(expected.max(-1), abs=1e-5)


@pytest.mark.parametrize("block", [0, 1])
def test_in_one_layer_a_judge_is_the_row_before_that_can_not_see_the_token(block: int):
    denoiser = Denoiser(make_model(1), MASK, arrange=NextPosition())
    asked, placed = half_done(block)
    judged = denoiser.predict([asked])[0].given_probability[-len(placed) :]
    plain = asked.ids[: len(PROMPT) + GEN]
    for position, probability in zip(placed, judged, strict=True):
        hidden = by_hand(denoiser.model, plain, lambda row, column, p=position: (row, column) == (p - 1, p))
        assert probability == pytest.approx(hidden[position, plain[position]], abs=1e-5)


def answers(denoiser: Denoiser, asked: Forward) -> np.ndarray:
    """What the rows asked for say of token 30 and of their five most probable ones."""
    answer = denoiser.predict([replace(asked, given=np.full(len(asked.rows), 30))])[0]
    return np.concatenate([answer.given_probability[:, None], answer.top_probabilities, answer.top_ids], axis=1)


def with_another_token(asked: Forward, position: int) -> Forward:
    ids = asked.ids.copy()
    ids[position] = 40 if ids[position] != 40 else 41
    return replace(asked, ids=ids)


@pytest.mark.parametrize("block", [0, 1])
def test_in_one_layer_a_verdict_does_not_depend_on_the_token(block: int):
    denoiser = Denoiser(make_model(1), MASK, arrange=NextPosition())
    asked, placed = half_done(block)
    before, slots = answers(denoiser, asked), np.arange(-len(placed), 0)
    for slot, position in zip(slots, placed, strict=True):
        after = answers(denoiser, with_another_token(asked, position))
        assert np.array_equal(before[slot], after[slot])
        assert all(not np.array_equal(before[other], after[other]) for other in slots if other != slot)


def test_two_neighbours_in_one_layer_do_not_judge_by_each_others_copies():
    """The judge of the second holds the first as its input: the judge of the first must not see it there."""
    denoiser = Denoiser(make_model(1), MASK, arrange=NextPosition())
    tokens = [20, 21, 22, 23, 24, 25]
    asked = judge_tokens(PROMPT, tokens, MASK)  # all six are placed
    before = answers(denoiser, asked)
    for n in range(len(tokens)):
        after = answers(denoiser, with_another_token(asked, len(PROMPT) + n))
        assert np.array_equal(before[n], after[n])


def test_through_all_layers_a_token_reaches_its_judge_only_by_other_rows(deep: Denoiser):
    """As with LLaDA: WINO hides a token from its judge, not from the rows that it sees. Hidden there: no change."""
    asked, placed = half_done(1)
    slot, position = -1, placed[-1]
    assert not np.array_equal(answers(deep, asked)[slot], answers(deep, with_another_token(asked, position))[slot])
    plain = Denoiser(deep.model, MASK)  # reads the rows of a layout as they are
    laid_out = [NextPosition()(one) for one in (asked, with_another_token(asked, position))]
    hidden = laid_out[0].attention.copy()
    copies = laid_out[0].position_ids == position
    hidden[:, copies] = False
    hidden[copies, copies] = True
    first, second = (answers(plain, replace(one, attention=hidden)) for one in laid_out)
    assert np.array_equal(first[slot], second[slot])


# ---- decoding


def test_standard_decoding_places_what_a_loop_by_hand_places(deep: Denoiser):
    ids = np.concatenate((PROMPT, np.full(GEN, MASK)))
    for start in (len(PROMPT), len(PROMPT) + BLOCK):
        for _ in range(BLOCK):
            expected = by_hand(deep.model, ids)
            masked = [p for p in range(start, start + BLOCK) if ids[p] == MASK]
            surest = max(masked, key=lambda p: expected[p].max())
            ids[surest] = expected[surest].argmax()
    decoder = StandardSettings().start(CANVAS)
    list(decode(decoder, deep))
    assert decoder.canvas == tuple(ids[len(PROMPT) :])


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_ends(deep: Denoiser, name: str):
    decoder = DECODERS[name]().start(CANVAS)
    list(decode(decoder, deep))
    assert MASK not in decoder.canvas


@pytest.mark.parametrize("settings", [StandardSettings(3), ThresholdSettings(0.5), SURE], ids=lambda s: s.name)
def test_a_batch_of_mixed_lengths_decodes_what_each_decodes_alone(deep: Denoiser, settings):
    canvases = [replace(CANVAS, prompt_ids=PROMPT[:n], gen_length=g) for n, g in ((5, 12), (1, 18), (3, 6))]
    alone = [[timed.step for timed in decode(settings.start(canvas), deep)] for canvas in canvases]
    together = [[] for _ in canvases]
    for index, timed in decode_many([settings.start(canvas) for canvas in canvases], deep, in_flight=3):
        together[index].append(timed.step)

    def changes(steps):
        return [[[(t.position, t.id) for t in group] for group in (step.drafted, step.remasked)] for step in steps]

    assert [changes(steps) for steps in together] == [changes(steps) for steps in alone]
    if settings is SURE:
        assert sum(len(step.remasked) for steps in alone for step in steps) > 0
