"""CIDEr of captions, as the literature prints it: how much they share with what people, or the records, say.

    mean, each = cider([["a red star", "one red star"], ["a blue moon"]], ["a red star", "a moon"])

The score is pycocoevalcap's (Vedantam et al., arXiv 1411.5726), times 100: n-grams of one to four words, weighed by how
rare they are, compared with every reference. Two things differ from what is published elsewhere:

- **Words.** The published evaluation cuts captions with the PTB tokenizer, a Java program. Here a caption is put in lower
  case and its punctuation is removed: words are runs of letters and digits, joined by a hyphen or an apostrophe inside
  ("t-shirt", "man's"). PTB splits "man's" in two and keeps "3.5" whole; such captions score a little differently.
- **Rarity.** Document frequencies come from the evaluated references themselves, as pycocoevalcap counts them, so a
  score depends on the set: the same captions score otherwise among others, and a set of one picture has no score.

pycocoevalcap takes 100 MB with other scores' data, so it is not among what the app installs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
PER_HUNDRED = 100
MIN_PICTURES = 2  # the logarithm of one document weighs every n-gram with 0


def words(caption: str) -> str:
    """A caption as CIDEr compares it: lower case, without punctuation, one space between words."""
    return " ".join(_WORD.findall(caption.lower()))


def cider(references: Sequence[Sequence[str]], captions: Sequence[str]) -> tuple[float, list[float]]:
    """The mean score and that of each caption, 0 to 1000 (a person's is about 100).

    references: for each caption one or more. Raises ValueError for fewer than two captions, for one without references,
    and where pycocoevalcap is missing.
    """
    if len(captions) < MIN_PICTURES:
        raise ValueError(f"CIDEr compares {MIN_PICTURES} captions or more, not {len(captions)}")
    if len(references) != len(captions) or not all(references):
        raise ValueError("CIDEr needs one or more references for every caption")
    scorer = load_cider()
    wanted = {n: [words(text) for text in texts] for n, texts in enumerate(references)}
    if not any(text for texts in wanted.values() for text in texts):
        raise ValueError("CIDEr needs references with words in them")
    mean, each = scorer().compute_score(wanted, {n: [words(text)] for n, text in enumerate(captions)})
    return PER_HUNDRED * float(mean), [PER_HUNDRED * float(score) for score in each]


def load_cider() -> type:
    """pycocoevalcap's Cider; raises ValueError with a sentence where it is missing."""
    try:
        from pycocoevalcap.cider.cider import Cider
    except ImportError as error:
        raise ValueError(f"CIDEr needs a package that is missing: pip install pycocoevalcap ({error})") from None
    return Cider
