"""Words at fixed positions of an answer, as a person writes them, and the tokens that they are.

    read_fixed("0:Once, 5:upon a time", encode, gen_length=64)        [(0, 1114), (5, 931), (6, 291), …]
    read_fixed('40:"####"', encode, 64)                               in quotes exactly as written
    written_fixed(trace.fixed, trace.pieces)                          '0:Once, 5:upon a time'

Positions count from 0 at the start of the answer. A word may be several tokens, which take the positions behind it. One that
begins with a letter gets the space that stands before it in a sentence, but for position 0; in quotes it gets none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from wino_viz.untrusted import described, text

LONGEST = 2000  # characters
LONGEST_SHOWN = 40  # of them, of one word in a sentence that says what is wrong
_ENTRY = re.compile(r'\s*([0-9]{1,6})\s*:\s*(?:"([^"]*)"|(.*?))\s*(?:[,|\n]\s*(?=[0-9]+\s*:)|$)', re.DOTALL)


def read_fixed(words: str, encode: Callable[[str], Sequence[int]], gen_length: int) -> list[tuple[int, int]]:
    """(position, id) of every token, in the order of their positions; raises ValueError with one sentence.

    encode: the ids of a text, without special tokens. Nothing to fix is an empty list.
    """
    words = text(words, "the fixed words")
    if not words.strip():
        return []
    if len(words) > LONGEST:
        raise ValueError(f"the fixed words are too long: {len(words):,} characters, and up to {LONGEST:,} are taken")
    taken: dict[int, tuple[int, str]] = {}
    for position, said in _entries(words.strip()):
        ids = list(encode(said))
        name, last = f"“{_short(said.strip() or said)}”", position + len(ids) - 1
        if last >= gen_length:
            where = f"position {position}" if len(ids) == 1 else f"positions {position} to {last}"
            raise ValueError(f"{name} takes {where}, and the answer has 0 to {gen_length - 1}")
        for place, token in enumerate(ids, start=position):
            if place in taken:
                other = taken[place][1]
                raise ValueError(f"{name} and {other} overlap at position {place}: fix them further apart")
            taken[place] = token, name
    return [(position, token) for position, (token, _) in sorted(taken.items())]


def written_fixed(fixed: Sequence[tuple[int, int]], pieces: Mapping[int, str]) -> str:
    """The words of fixed tokens, written so that `read_fixed` takes them; assets/page/link.js does the same."""
    runs: list[tuple[int, int, str]] = []  # start, stop, text
    for position, token in sorted(fixed):
        piece = pieces.get(token, "")
        if runs and runs[-1][1] == position:
            start, _, before = runs.pop()
            runs.append((start, position + 1, before + piece))
        else:
            runs.append((position, position + 1, piece))
    return ", ".join(f"{start}:{_written(start, said)}" for start, _, said in runs)


def _written(position: int, said: str) -> str:
    bare = said[1:] if position and said[:1] == " " and said[1:2].isalpha() else said
    plain = bool(re.fullmatch(r"[^\s,|\":]+( [^\s,|\":]+)*", bare))
    is_as_read = plain and _spaced(position, bare) == said
    return bare if is_as_read else f'"{said}"'


def _entries(words: str) -> list[tuple[int, str]]:
    entries, at = [], 0
    while at < len(words):
        found = _ENTRY.match(words, at)
        if not found:
            part = re.split(r"[,|\n]", words[at:])[0].strip()
            raise ValueError(f"{described(part)} has no position: write words as 0:Once, 5:upon")
        position, quoted, bare = int(found[1]), found[2], found[3]
        if quoted is None and re.match(r'"[^"]+$', bare):  # one alone is a quotation mark
            raise ValueError(f"{described(bare)} begins with a quote that is never closed")
        said = _spaced(position, bare) if quoted is None else quoted
        if not said:
            raise ValueError(f"position {position} has no words: write them behind the colon, as in {position}:upon")
        entries.append((position, said))
        at = found.end()
    return entries


def _short(said: str) -> str:
    return said if len(said) <= LONGEST_SHOWN else f"{said[: LONGEST_SHOWN - 1]}…"


def _spaced(position: int, bare: str) -> str:
    return f" {bare}" if position and bare[:1].isalpha() else bare
