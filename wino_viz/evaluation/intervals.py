"""How far a share measured on n problems can be trusted, and whether two decoders differ on the same problems.

    wilson(86, 100)   ->  (0.779, 0.915)
    mcnemar(12, 4)    ->  0.077

Not scipy's binomtest: wherever scipy is installed, transformers imports part of it, and the app would load its model
0.6 s later (one core) for a dozen lines.
"""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist

CONFIDENCE_LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2)  # 1.96


def wilson(right: int, of: int) -> tuple[float, float]:
    """The Wilson score interval (95 %) of a share: `right` of `of` independent problems, 0 <= right <= of, of >= 1.

    The shares p that `right` does not contradict: |right/of - p| <= Z sqrt(p (1 - p) / of) (Wilson 1927).
    """
    share, weight = right / of, Z * Z / of
    middle = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * sqrt(share * (1 - share) / of + weight / (4 * of))
    return (middle - half if right else 0.0, middle + half if right < of else 1.0)  # exact at both ends


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided McNemar p-value of two decoders on the same problems.

    only_first and only_second are the problems that just one of them got right; the others say nothing about which is
    better. Were both equally good, each such problem would fall to either like a coin. 1 where there is none.
    """
    flips = only_first + only_second
    tail = sum(comb(flips, heads) for heads in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**flips)
