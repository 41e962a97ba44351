"""What a person may ask of a decoding beside its decoder: words that are fixed, when the text may end, and guidance.

    Controls(fixed=((0, 17), (5, 203)), end_of_text="last", cfg_scale=0.5)

fixed         tokens at positions of the generated part that stand before the first pass: the model reads them like all
              others, and no rule drafts, judges or takes them back
end_of_text   "free", or against an answer that floods with end-of-text tokens (the switches of LLaDA's published code):
              "last" places such a token only where a pass proposes nothing else in its block
              (`confidence_eos_eot_inf`); "never" leaves the end of the text out of the choice (`logits_eos_inf`)
cfg_scale     classifier-free guidance as LLaDA publishes it: each pass is made twice, once with the prompt masked, and
              the logits are  without + (cfg_scale + 1) * (with - without).  0 is off, and one pass
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from wino_viz.decoding.checks import check_choice, check_number, check_whole
from wino_viz.untrusted import MAX_NATURAL

FREE, LAST, NEVER = "free", "last", "never"
END_OF_TEXT = (FREE, LAST, NEVER)
MAX_GUIDANCE = 10  # the papers go up to 2; far above, the logits are noise


@dataclass(frozen=True)
class Controls:
    """See the head of this file; ValueError for what is outside its range.

    fixed        (position, id) pairs, in the order of their positions
    end_ids      ids that "last" holds back: end of text and end of a turn
    banned_ids   ids that "never" leaves out: end of text. A checkpoint knows both
    """

    fixed: Sequence[tuple[int, int]] = ()
    end_of_text: str = FREE
    cfg_scale: float = 0.0
    end_ids: Sequence[int] = ()
    banned_ids: Sequence[int] = ()

    def __post_init__(self) -> None:
        check_choice("end_of_text", self.end_of_text, END_OF_TEXT)
        check_number("cfg_scale", self.cfg_scale, 0, MAX_GUIDANCE)
        pairs = tuple(sorted((position, token) for position, token in self.fixed))
        for position, token in pairs:
            check_whole("a fixed position", position, 0, MAX_NATURAL)
            check_whole("a fixed token", token, 0, MAX_NATURAL)
        object.__setattr__(self, "fixed", pairs)

    def check(self, gen_length: int, mask_id: int) -> None:
        """ValueError where the fixed tokens do not go into a canvas of so many tokens, or leave nothing to decode."""
        positions = [position for position, _ in self.fixed]
        for position, token in self.fixed:
            if position >= gen_length:
                raise ValueError(f"position {position} is outside the answer: its positions are 0 to {gen_length - 1}")
            if token == mask_id:
                raise ValueError(f"the mask can't be fixed at position {position}")
        for position, following in pairwise(positions):
            if position == following:
                raise ValueError(f"position {position} is fixed twice")
        if len(positions) == gen_length:
            raise ValueError("every position is fixed: leave at least one to the model")

    def of_forward(self, prompt_length: int) -> dict[str, Any]:
        """What a Forward says of them, by field: only what is not as usual."""
        said: dict[str, Any] = {}
        if self.cfg_scale:
            said |= {"guidance": self.cfg_scale, "prompt_length": prompt_length}
        if self.end_of_text == NEVER:
            said["banned"] = tuple(self.banned_ids)
        return said

    def to_dict(self) -> dict[str, object]:
        """What a trace says of them in its "decoder" entry: only what is not as usual."""
        said: dict[str, object] = {}
        if self.end_of_text != FREE:
            said["end_of_text"] = self.end_of_text
        if self.cfg_scale:
            said["cfg_scale"] = self.cfg_scale
        return said


def hold_back(ids: np.ndarray, confidence: np.ndarray, end_ids: Sequence[int]) -> np.ndarray:
    """(n,) confidences by which to choose among n proposals of a block: ends of the text count below all others.

    ids, confidence (n,) as predicted. Where nothing but ends is proposed they count as they are, so every block ends.
    """
    held = np.isin(ids, np.asarray(end_ids, dtype=np.int64))
    if held.all():
        return confidence
    return np.where(held, -np.inf, confidence)
