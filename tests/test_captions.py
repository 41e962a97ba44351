"""CIDEr against a slow copy of its definition, and the words that it compares."""

import math
import sys
from collections import Counter

import pytest

from wino_viz.captions import cider, words

REFERENCES = [
    ["A small red star is left of a blue circle.", "There is a red star; a blue circle lies right of it."],
    ["Two green hearts on a pale background."],
    ["A blue moon, above a small red star!", "A moon and a star."],
]
SAID = ["a red star is left of a blue circle", "two green hearts", "a moon above two green hearts"]


def grams(text: str, n: int) -> Counter:
    said = text.split()
    return Counter(tuple(said[at : at + n]) for at in range(len(said) - n + 1))


def by_definition(references: list[list[str]], captions: list[str]) -> list[float]:
    """arXiv 1411.5726, CIDEr-D with sigma 6: clipped, with the penalty for another length."""
    references = [[words(text) for text in texts] for texts in references]
    scores = []
    for caption, wanted in zip(map(words, captions), references, strict=True):
        total = 0.0
        for n in range(1, 5):

            def weighed(text: str, n: int = n) -> dict:
                rarity = {
                    gram: math.log(len(references))
                    - math.log(max(1, sum(any(gram in grams(text, n) for text in texts) for texts in references)))
                    for gram in grams(text, n)
                }
                return {gram: count * rarity[gram] for gram, count in grams(text, n).items()}

            for text in wanted:
                ours, theirs = weighed(caption), weighed(text)
                shared = sum(min(weight, theirs.get(gram, 0)) * theirs.get(gram, 0) for gram, weight in ours.items())
                norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
                # pycocoevalcap takes the number of 2-grams for the length
                apart = grams(caption, 2).total() - grams(text, 2).total()
                total += (shared / norms if norms else 0.0) * math.exp(-(apart**2) / (2 * 6**2)) / len(wanted)
        scores.append(100 * 10 * total / 4)
    return scores


def test_the_score_is_the_definitions():
    mean, each = cider(REFERENCES, SAID)
    assert each == pytest.approx(by_definition(REFERENCES, SAID))
    assert mean == pytest.approx(sum(each) / 3)
    assert each[0] > each[2] > 0


def test_a_caption_that_says_nothing_scores_nothing():
    assert cider(REFERENCES, ["", "?!", "zebra"])[1] == [0, 0, 0]


def test_the_same_captions_score_otherwise_among_others():
    assert cider(REFERENCES, SAID)[1][:2] != cider(REFERENCES[:2], SAID[:2])[1]


@pytest.mark.parametrize(
    ("caption", "compared"),
    [
        ("A small, RED star.", "a small red star"),
        ("“Two” t-shirts; a man’s hat – that's all!", "two t-shirts a man’s hat that's all"),
        ("-left- 'right' _x_ 3.5", "left right x 3 5"),
        ("Ein grüner Stern\nund ein Ölfleck", "ein grüner stern und ein ölfleck"),
        (" …\t", ""),
    ],
)
def test_words_are_what_is_left_without_capitals_and_punctuation(caption: str, compared: str):
    assert words(caption) == compared


@pytest.mark.parametrize(
    ("references", "captions", "message"),
    [
        ([["a star"]], ["a star"], "2 captions or more, not 1"),
        ([["a star"], []], ["a star", "a moon"], "references for every caption"),
        ([["a star"]], ["a star", "a moon"], "references for every caption"),
        ([["…"], ["!"]], ["a star", "a moon"], "references with words"),
    ],
)
def test_what_has_no_score_is_refused(references, captions, message):
    with pytest.raises(ValueError, match=message):
        cider(references, captions)


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pycocoevalcap.cider.cider", None)
    with pytest.raises(ValueError, match="pip install pycocoevalcap"):
        cider(REFERENCES, SAID)
