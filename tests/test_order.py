"""Local and global AR-ness, on orders made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wino_viz.order import KS, ar_ness, decoding_order, global_ar_ness, local_ar_ness, main
from wino_viz.step import Step, Token
from wino_viz.trace import Trace

MASK = 0


def trace_of(*passes: tuple[tuple[int, ...], tuple[int, ...]], length: int = 6) -> Trace:
    """A trace whose passes draft and take back these positions; the token of position p has the id p + 1."""
    canvas = [MASK] * length
    steps = []
    for drafted, remasked in passes:
        steps.append(
            Step(
                block=0,
                drafted=tuple(Token(p, p + 1, 0.9) for p in drafted),
                remasked=tuple(Token(p, p + 1, 0.1) for p in remasked),
            )
        )
        for p in drafted:
            canvas[p] = p + 1
        for p in remasked:
            canvas[p] = MASK
    trace = Trace(
        model="by hand",
        decoder={"name": "wino"},
        gen_length=length,
        block_length=length,
        mask_id=MASK,
        prompt="",
        prompt_ids=(),
        pieces={p + 1: f" {p}" for p in range(length)},
        steps=tuple(steps),
        output_ids=tuple(canvas),
        text="",
    )
    trace.check()
    return trace


def one_by_one(*order: int) -> Trace:
    return trace_of(*(((p,), ()) for p in order), length=len(order))


def test_strictly_left_to_right_is_1_for_every_k():
    found = ar_ness(one_by_one(*range(12)))
    assert found.tokens == 12
    for scores in (found.local_score, found.local_score_backwards, found.global_score, found.global_score_backwards):
        assert scores == dict.fromkeys(KS, 1.0)


def test_from_right_to_left_is_low():
    found = ar_ness(one_by_one(*reversed(range(12))))
    assert found.local_score == dict.fromkeys(KS, 0.0)
    # the k last tokens are among the k that are left, whatever the order
    assert found.global_score == {k: k / 12 for k in KS}


def test_an_order_counted_by_hand():
    order = [0, 1, 4, 5, 2, 3]
    assert local_ar_ness(order, 1) == 4 / 6  # 0 continues the prompt, 1, 5 and 3 what was placed just before
    assert local_ar_ness(order, 2) == 2 / 6  # 0 and 1, with the prompt before them
    assert global_ar_ness(order, 6, 1) == 4 / 6  # 0, 1, 2, 3
    assert global_ar_ness(order, 6, 3) == 1.0


def test_a_token_counts_where_it_was_placed_for_good():
    trace = trace_of(((0, 1, 2), ()), ((3, 4, 5), (1,)), ((1,), ()))
    assert decoding_order(trace) == [0, 2, 3, 4, 5, 1]
    assert decoding_order(trace, backwards=True) == [2, 0, 5, 4, 3, 1]
    found = ar_ness(trace, [1])
    assert found.local_score[1] == 4 / 6  # 0; 3, 4 and 5
    assert found.global_score[1] == 2 / 6  # 0; and 1, as the only one left
    assert found.global_score_backwards[1] == 2 / 6


def test_tokens_of_one_pass_have_no_order_of_their_own():
    found = ar_ness(trace_of((tuple(range(6)), ())), [1])
    assert (found.local_score[1], found.global_score[1]) == (1.0, 1.0)
    assert (found.local_score_backwards[1], found.global_score_backwards[1]) == (0.0, 1 / 6)


def test_a_stopped_run_counts_its_tokens_only():
    found = ar_ness(trace_of(((3,), ()), ((4,), ())), [1, 4])
    assert found.tokens == 2
    assert found.local_score == {1: 0.5, 4: 0.0}
    assert found.global_score == {1: 0.0, 4: 1.0}  # 0, 1 and 2 stay open
    assert ar_ness(trace_of(((3,), ()), ((4,), (3,)), ((3,), (4,)), ((4,), (3,)), ((3,), (4,)))).tokens == 1
    assert ar_ness(trace_of()) is None


@given(st.permutations(range(9)))
def test_local_falls_and_global_rises_with_k(order):
    local = [local_ar_ness(order, k) for k in range(1, 10)]
    overall = [global_ar_ness(order, 9, k) for k in range(1, 10)]
    assert local == sorted(local, reverse=True)
    assert overall == sorted(overall)
    assert overall[-1] == 1.0
    # the definition itself, slowly: the prompt's positions are -1, -2, …
    written = [*range(-9, 0), *order]
    for k in (1, 2, 3):
        hits = sum(all(written[t - i] == written[t] - i for i in range(1, k + 1)) for t in range(9, 18))
        assert local[k - 1] == hits / 9


@pytest.mark.parametrize(("order", "k", "words"), [([0], 0, "k must be at least 1, not 0"), ([], 1, "without tokens")])
def test_what_cannot_be_measured_is_refused(order, k, words):
    with pytest.raises(ValueError, match=words):
        local_ar_ness(order, k)
    with pytest.raises(ValueError, match=words):
        global_ar_ness(order, 3, k)


def test_the_command_prints_the_measures_of_a_file(capsys, tmp_path: Path):
    path = tmp_path / "trace.json"
    path.write_text(one_by_one(0, 1, 3, 2).to_json(), encoding="utf-8")
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "local AR-ness@1  0.500 (0.500)" in out
    assert "global AR-ness@1  0.750 (0.750)" in out
    path.write_text("{}", encoding="utf-8")
    assert main([str(path)]) == 2
    assert 'not a trace: "format" must be' in capsys.readouterr().err
    assert main([]) == 2
