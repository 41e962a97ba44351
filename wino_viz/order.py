"""In which order a decoding placed its tokens: local and global AR-ness, how much it resembles writing from left to right.

    python -m wino_viz.order TRACE.json
    ar_ness(trace).local_score[1]                  0..1

The measures are DiffuCoder's (arXiv 2506.20639, section 4.1 and appendix A.2), over the tokens in the order in which
they were placed:

    local AR-ness@k   the share of tokens that were placed directly after the k tokens to their left, these in order
    global AR-ness@k  the share of tokens that were placed at one of the k leftmost positions still open

Both are 1 for a strictly autoregressive order. The paper measures decodings of one token a pass and none taken back; what
it leaves open is settled here so:

- A token counts in the pass that placed it **for good**. One that was taken back and drafted again counts once, later.
- Tokens of one pass have no order among themselves. They are read from left to right, and once more from right to left.
- The prompt stands to the left of the answer, in order: the first position may continue it, so that the strict order
  scores 1 for every k.
- Positions that never got a token (a run that was stopped) stay open and don't count as tokens.

Standard library only.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wino_viz.trace import Trace, TraceError

KS = (1, 2, 4, 8)


@dataclass(frozen=True)
class ArNess:
    """AR-ness of one decoding by k, each 0..1. `*_backwards` read the tokens of a pass from right to left.

    `global_score_backwards` is the lowest and `global_score` the highest that any order within the passes could score. The
    two local scores are two readings, not bounds.
    """

    tokens: int
    local_score: dict[int, float]
    local_score_backwards: dict[int, float]
    global_score: dict[int, float]
    global_score_backwards: dict[int, float]


def ar_ness(trace: Trace, ks: Sequence[int] = KS) -> ArNess | None:
    """The measures of a trace for each k of `ks` (>= 1), or None where no token is placed."""
    forwards, backwards = decoding_order(trace), decoding_order(trace, backwards=True)
    if not forwards:
        return None
    return ArNess(
        tokens=len(forwards),
        local_score={k: local_ar_ness(forwards, k) for k in ks},
        local_score_backwards={k: local_ar_ness(backwards, k) for k in ks},
        global_score={k: global_ar_ness(forwards, trace.gen_length, k) for k in ks},
        global_score_backwards={k: global_ar_ness(backwards, trace.gen_length, k) for k in ks},
    )


def decoding_order(trace: Trace, *, backwards: bool = False) -> list[int]:
    """The positions that hold a token at the end, in the order of the passes that placed them for good."""
    placed: dict[int, int] = {}  # position: pass
    for number, step in enumerate(trace.steps):
        for token in step.drafted:
            placed[token.position] = number
        for token in step.remasked:
            placed.pop(token.position, None)
    return sorted(placed, key=lambda position: (placed[position], -position if backwards else position))


def local_ar_ness(order: Sequence[int], k: int) -> float:
    """Local AR-ness@k of positions in the order in which they were placed; 0..1. ValueError for none, or for k below 1."""
    _check(order, k)
    run = k  # tokens in a row before the next one, counted up to k: the prompt is long enough
    last = -1
    hits = 0
    for position in order:
        run = min(run + 1, k) if position == last + 1 else 0
        hits += run >= k
        last = position
    return hits / len(order)


def global_ar_ness(order: Sequence[int], gen_length: int, k: int) -> float:
    """Global AR-ness@k of positions (below gen_length) in the order in which they were placed; 0..1.

    ValueError for none, or for k below 1.
    """
    _check(order, k)
    left = list(range(gen_length))  # still open, in order
    hits = 0
    for position in order:
        rank = bisect_left(left, position)
        hits += rank < k
        del left[rank]
    return hits / len(order)


def _check(order: Sequence[int], k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if not order:
        raise ValueError("an order without tokens has no AR-ness")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m wino_viz.order TRACE.json", file=sys.stderr)
        return 2
    try:
        found = ar_ness(Trace.from_json(Path(arguments[0]).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, TraceError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    if found is None:
        print("no token is placed")
        return 0
    print(f"{found.tokens} tokens; of one pass read from left to right (from right to left)")
    for name, forwards, backwards in (
        ("local", found.local_score, found.local_score_backwards),
        ("global", found.global_score, found.global_score_backwards),
    ):
        for k in forwards:
            print(f"{name} AR-ness@{k}  {forwards[k]:.3f} ({backwards[k]:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
