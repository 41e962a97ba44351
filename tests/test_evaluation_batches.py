"""Many decodings in one batch place the tokens that each places alone: real models in float32, all decoders mixed."""

from itertools import chain
from pathlib import Path

import pytest
import torch

from wino_viz.decoding import Canvas, decode, decode_many, parse_spec
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.pictures import open_picture
from wino_viz.tasks import scenes
from wino_viz.trace import Step

QUESTIONS = (
    "Ana has 8 keys. How many keys does Ana have?",
    "Kofi has 39 magnets. Aisha brings back 24 magnets borrowed last year. How many magnets does Kofi have now?",
    "At first, the collection of Zara has 19 photos. By mistake, 5 of the photos are left behind on a bench. As a present, "
    "Zara gets 13 photos from Farid. Zara throws away 2 damaged photos. How many photos does Zara have now?",
)
SPECS = ("standard:tokens_per_step=4", "threshold:tau=0.7", "factor", "prophet", "wino:tau1=0.4:tau2=0.9")


class Watched:
    """A denoiser that keeps the shapes of what runs through its model together."""

    def __init__(self, denoiser) -> None:
        self._denoiser, self.batches = denoiser, []

    def predict(self, forwards):
        self.batches.append([(len(f.ids), f.attention is not None) for f in forwards])
        return self._denoiser.predict(forwards)


def tokens(steps: list[Step]) -> list:
    """Placed and taken back, pass by pass."""
    return [[[(t.position, t.id) for t in group] for group in (step.drafted, step.remasked)] for step in steps]


def alone_and_together(checkpoint: Checkpoint, work: list[tuple[str, Canvas]], in_flight: int):
    assert checkpoint.denoiser.model.dtype == torch.float32

    def decoders():
        return [parse_spec(spec).start(canvas) for spec, canvas in work]

    alone = [[timed.step for timed in decode(decoder, checkpoint.denoiser)] for decoder in decoders()]
    together, watched = [[] for _ in work], Watched(checkpoint.denoiser)
    for index, timed in decode_many(decoders(), watched, in_flight):
        together[index].append(timed.step)
    return alone, together, watched.batches


def test_decoders_and_prompts_of_all_kinds_share_a_batch(mini: Checkpoint):
    canvases = [mini.canvas(question, gen_length=32, block_length=16) for question in QUESTIONS]
    work = [(spec, canvas) for canvas in canvases for spec in SPECS]
    alone, together, batches = alone_and_together(mini, work, in_flight=7)
    assert [tokens(steps) for steps in together] == [tokens(steps) for steps in alone]
    assert sum(len(step.remasked) for step in chain(*alone)) > 0
    assert len(batches[0]) == 7
    assert {shadow for _, shadow in batches[0]} == {True, False}  # with shadow blocks and without
    assert len({length for length, _ in batches[0]}) == 3  # two prompts, one of them also with a shadow: padded
    for step, other in zip(chain(*alone), chain(*together), strict=True):
        drafted, same = ([t.probability for t in s.drafted] for s in (step, other))
        assert drafted == pytest.approx(same, abs=1e-4)


def test_pictures_share_a_batch(sees: Checkpoint, tmp_path: Path):
    assert scenes.main(["--count", "2", "--seed", "1", "--out", str(tmp_path)]) == 0
    codes = [sees.reader.codes(open_picture(tmp_path / "pictures" / f"000{n}.png")) for n in range(2)]
    prompts = ("Please describe this image in detail.", "How many objects are there?")
    canvases = [
        sees.canvas(prompt, code, gen_length=16, block_length=16) for prompt, code in zip(prompts, codes, strict=True)
    ]
    work = [(spec, canvas) for spec in (SPECS[0], SPECS[1], SPECS[4]) for canvas in canvases]
    alone, together, batches = alone_and_together(sees, work, in_flight=6)
    assert [tokens(steps) for steps in together] == [tokens(steps) for steps in alone]
    assert len(batches[0]) == 6 and len({length for length, _ in batches[0]}) > 2
