"""Models that predict the next position (Dream, DiffuCoder): who answers for a position, and a shadow that fits.

    denoiser = Denoiser(model, mask_id, arrange=NextPosition())

Such a model is an autoregressive one made bidirectional: the row that stands at position p - 1, with the token of p -
1 as its input, predicts the token of p. Decoding rules know nothing of it. They name the positions that they ask
about, and lay out WINO's shadow as LLaDA needs it; this file is the one place that turns a request into the layout of
such a model.

**Outside the shadow** nothing changes but who is asked: the row before.

**The shadow** is where it matters. WINO judges a placed token by a row that can't see it. In LLaDA that row is the
token's shadow slot: a mask at position p, blind to p alone. Here a judge of p has to stand at p - 1 and to read the
token of p - 1, so a slot's input is no longer a mask but a copy of a placed token; and the slot that judges p + 1
holds a copy of the very token that the slot of p judges. From "no row sees the token that it judges, wherever a copy
of it stands" follows what the slot of p may see:

    column                               holds              seen by the slot of p
    position p                           the judged token   no
    the slot of p + 1                    its copy           no
    position p - 1                       token p - 1        no: the slot itself stands in for it
    the slot itself                      token p - 1        yes
    every other position                 itself             yes, blocks to come as well
    every other slot                     a copy of a token  no: its token is seen where it stands

Position p - 1 and the other slots would break no rule, but their tokens would count twice; and the row at p - 1,
which sees p and is there to predict it, would tell the slot about p through the layers above. So the slot is just
what the row at p - 1 would be if it could not see p: the model sees one token for each position but p. (LLaDA's slot
is a mask, so there the model sees a mask at p; here it sees a gap.) Nothing outside the shadow sees the shadow, and
it takes block_length rows, as in LLaDA. As there, a token can still speak for itself through the other rows of a
deeper layer.

WINO was published for models that predict their own position. **The shadow for these models is this project's own
derivation**; its effect on published weights has not been measured here.

numpy only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wino_viz.decoding.base import Forward


class NextPosition:
    """Turns a request into the layout of a model that predicts the next position, as the head of this file says.

    It keeps the last mask, so that the same object comes out while the decoder passes the same one (a whole block).
    """

    def __init__(self) -> None:
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # the decoder's mask, and the one made of it

    def __call__(self, forward: Forward) -> Forward:
        """The same question with the same number of rows T, whose `rows` are the rows to read.

        A slot belongs to a shadow where its rotary position is not its place in the sequence. Raises ValueError when
        position 0 is asked about, which no row predicts.
        """
        places = np.arange(len(forward.ids))
        positions = places if forward.position_ids is None else forward.position_ids
        slots = np.flatnonzero(positions != places)
        length = slots[0] if len(slots) else len(places)
        if not (positions[forward.rows] > 0).all():
            raise ValueError("position 0 has no row before it that could predict it: ask from position 1 on")
        rows = np.where(forward.rows < length, forward.rows - 1, forward.rows)
        if length == len(places):
            return replace(forward, rows=rows)
        before = positions[length:] - 1
        return replace(
            forward,
            ids=np.concatenate((forward.ids[:length], forward.ids[before])),
            rows=rows,
            position_ids=np.concatenate((positions[:length], before)),
            attention=self._attention(forward.attention, length, before),
        )

    def _attention(self, attention: np.ndarray | None, length: int, before: np.ndarray) -> np.ndarray:
        """(T, T) bool; slot n of the shadow, which begins at `length`, stands at before[n] and judges before[n] + 1.

        What the decoder's mask hides (None: nothing) stays hidden; what the rule above hides is hidden in any case.
        """
        if attention is None:
            attention = np.ones((length + len(before),) * 2, dtype=bool)
        last = self._last  # read once: several threads may decode with the same model
        if last is not None and last[0] is attention:
            return last[1]
        made = attention.copy()
        slots = np.arange(length, len(attention))
        made[:, length:] = False
        made[slots, slots] = True
        made[slots, before] = False
        made[slots, before + 1] = False
        made.flags.writeable = False
        self._last = attention, made
        return made
