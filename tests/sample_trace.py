"""Synthetic traces for tests: the real decoding rules on scripted predictions, so no model is needed.

    python -m tests.sample_trace OUT.html        the sample as a page of its own, to look at

The script knows the right answer. A masked position grows more confident the more of its neighbours are placed; a few
positions draft a wrong token first, whose verification falls once the text around it stands. So the traces have what
the player must show: drafts, revocations of digits and of words, capped passes, end of text.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import numpy as np

from wino_viz.decoding.base import NO_TOKEN, Canvas, Forward, Predictions
from wino_viz.decoding.standard import StandardSettings
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.decoding.wino import WinoSettings
from wino_viz.trace import Step, Trace

PROMPT = (
    "There are 39 cards in Ava’s bag. Ava gives 3 of them to Rosa. Ava gives 17 of them to Rosa. Kara gives Ava another "
    "85 cards. Ava gives 68 of them to Rosa. How many cards are there in the end?"
)
ANSWER = (
    "Ava starts with 39 cards.\nAfter giving 3 to Rosa, 39 - 3 = 36 cards are left.\n"
    "Rosa gets 17 more, so 36 - 17 = 19 cards are left.\nKara adds 85 cards, which makes 19 + 85 = 104.\n"
    "After the last gift of 68, 104 - 68 = 36 cards.\nThe answer is 36."
)
END, MASK = 1, 0


class SampleModel:
    """Predicts `answer` the way the module's docstring says; fills up to gen_length with end of text."""

    def __init__(self, answer: str = ANSWER, gen_length: int = 128, seed: int = 9) -> None:
        texts = tokens_of(answer)
        self.vocabulary = list(dict.fromkeys(["<mask>", "<end>", *texts, "4", " gone", " round", " a", " so", " then"]))
        self.id = {text: i for i, text in enumerate(self.vocabulary)}
        self.right = [self.id[t] for t in texts][:gen_length] + [END] * (gen_length - len(texts))
        self.random = random.Random(seed)
        self.first_guess = {}  # position: the wrong id
        self._plan_mistakes(texts)
        self.ease = [0.35 + 0.5 * self.random.random() for _ in self.right]

    def _plan_mistakes(self, texts: list[str]) -> None:
        for position in self.random.sample(range(len(texts)), k=max(0, len(texts) // 4)):
            if texts[position].strip().isdigit():
                near = str((int(texts[position]) + 1) % 10)
                guess = texts[position].replace(texts[position].strip(), near)
            elif texts[position].strip() in ("Rosa", "Ava"):
                guess = texts[position].replace(texts[position].strip(), "Kara")
            else:
                continue
            if guess not in self.id:
                self.id[guess] = len(self.vocabulary)
                self.vocabulary.append(guess)
            self.first_guess[position] = self.id[guess]

    def predict(self, forward: Forward, start: int, length: int) -> Predictions:
        """What the model says at the requested rows; `start` is where the generated part begins."""
        canvas = forward.ids[start : start + length]
        rows = []
        for row, given in zip(forward.rows.tolist(), forward.given.tolist(), strict=True):
            position = row - start if row < start + length else None
            if given != NO_TOKEN:
                position = int(forward.position_ids[row]) - start
            rows.append(self._row(position, canvas, given))
        ids, confidence, judged, top = zip(*rows, strict=True)
        return Predictions(
            ids=np.array(ids),
            confidence=np.round(np.array(confidence), 6),
            given_probability=np.round(np.array(judged), 6),
            top_ids=np.array([[i for i, _ in row] for row in top]),
            top_probabilities=np.round(np.array([[p for _, p in row] for row in top]), 6),
        )

    def _row(self, position: int, canvas: np.ndarray, given: int) -> tuple:
        near = canvas[max(0, position - 5) : position + 6]
        known = float((near != MASK).mean())
        noise = self.random.uniform(-0.08, 0.08)
        right, wrong = self.right[position], self.first_guess.get(position)
        chosen = wrong if wrong is not None and known < 0.8 else right
        sure = min(0.997, max(0.12, self.ease[position] + 0.75 * known + noise - (0.12 if chosen == wrong else 0)))
        if right == END:
            sure = max(sure, 0.75 + 0.24 * self.random.random()) if (canvas != MASK).mean() > 0.6 else 0.45 + noise
        if given == NO_TOKEN:
            judged = 0.0
        elif given == right:
            judged = 0.9995 if known > 0.5 else min(0.999, 0.93 + 0.06 * self.random.random())
        else:
            judged = max(0.04, 0.97 - 0.8 * known + noise)
        return chosen, sure, judged, self._alternatives(position, chosen, sure, right)

    def _alternatives(self, position: int, chosen: int, sure: float, right: int) -> list[tuple[int, float]]:
        others = [right] if right != chosen else []
        digits = [i for text, i in self.id.items() if text.strip().isdigit()]
        same = digits if self.vocabulary[chosen].strip().isdigit() else list(range(2, len(self.vocabulary)))
        pool = [i for i in same if i not in (chosen, right)]
        others += self.random.sample(pool, k=4)
        rest, rows = 1 - sure, [(chosen, sure)]
        for other in others[:4]:
            share = rest * (0.7 if len(rows) == 1 else 0.5)
            rows.append((other, min(share, rows[-1][1])))
            rest -= rows[-1][1]
        return rows


def tokens_of(text: str) -> list[str]:
    """Words with the space before them, single digits, line breaks and signs."""
    return re.findall(r" ?[A-Za-z]+| ?\d|\n| ?[^\w\s]", text)


def sample_trace(
    settings: WinoSettings | ThresholdSettings | StandardSettings | None = None,
    *,
    answer: str = ANSWER,
    gen_length: int = 128,
    block_length: int = 64,
    seed: int = 9,
) -> Trace:
    """A whole trace with about 30 ms of model time a pass; WINO with its published thresholds unless told otherwise."""
    settings = settings or WinoSettings()
    model = SampleModel(answer, gen_length, seed)
    prompt_ids = (2, 3, 4)
    canvas = Canvas(prompt_ids=prompt_ids, mask_id=MASK, gen_length=gen_length, block_length=block_length)
    decoder = settings.start(canvas)
    steps: list[Step] = []
    while (forward := decoder.request()) is not None:
        steps.append(decoder.update(model.predict(forward, len(prompt_ids), gen_length)))
    seconds = [round(0.031 + 0.002 * (i % 3), 6) for i in range(len(steps))]
    output = tuple(int(i) for i in decoder.canvas)
    return Trace(
        model="sample",
        decoder=settings.to_dict(),
        gen_length=gen_length,
        block_length=block_length,
        mask_id=MASK,
        end_ids=(END,),
        prompt=PROMPT,
        prompt_ids=prompt_ids,
        pieces={i: text for i, text in enumerate(model.vocabulary) if i != MASK},
        steps=tuple(steps),
        output_ids=output,
        text="".join(model.vocabulary[i] for i in output if i != END),
        timing={"model_seconds": round(sum(seconds), 6), "per_pass": seconds},
    )


if __name__ == "__main__":
    from wino_viz.ui.messages import trace_message
    from wino_viz.ui.standalone import standalone_page

    Path(sys.argv[1]).write_text(standalone_page(trace_message(sample_trace())), encoding="utf-8")
