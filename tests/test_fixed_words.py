"""Fixed words are written back as a person would write them, and read as the same tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wino_viz.models.chat import plain_ids
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.models.fixed_words import read_fixed, written_fixed


@pytest.mark.parametrize(
    "words", ["0:Once, 5:upon", "3:The answer is", '0:" x", 9:7+5=12', '4:"a, b", 20:"####"', '1:"Rosa"']
)
def test_what_is_written_back_is_read_the_same(mini: Checkpoint, words: str):
    encode = lambda said: plain_ids(mini.tokenizer, said)  # noqa: E731
    fixed = read_fixed(words, encode, 64)
    again = written_fixed(fixed, mini.pieces({token for _, token in fixed}))
    assert read_fixed(again, encode, 64) == fixed
    if '"' not in words:
        assert again == words


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), st.text(st.characters(codec="ascii"), max_size=6)), max_size=4))
def test_whatever_is_written_for_any_pieces_can_be_read(entries):
    pieces = {n: said.replace('"', "") or "x" for n, (_, said) in enumerate(entries)}
    fixed = sorted({position: n for n, (position, _) in enumerate(entries)}.items())
    read = read_fixed(written_fixed(fixed, pieces), lambda said: [0], 64)
    assert {position for position, _ in read} <= {position for position, _ in fixed}


def test_a_quote_that_is_never_closed_is_a_sentence_and_one_alone_a_quotation_mark():
    with pytest.raises(ValueError, match="'\"on' begins with a quote that is never closed"):
        read_fixed('5:"on', lambda said: [0], 64)
    assert read_fixed('5:"', lambda said: [len(said)], 64) == [(5, 1)]


def test_a_sentence_about_a_very_long_word_shows_only_its_beginning():
    with pytest.raises(ValueError, match="takes positions 0 to 989, and the answer has 0 to 63") as refused:
        read_fixed(f"0:{'a ' * 990}", lambda said: [0] * 990, 64)
    assert len(str(refused.value)) < 120
