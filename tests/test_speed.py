"""However a model is run, it says the same: own layers beside transformers' own, on the embedded model."""

import json
from pathlib import Path

import pytest
import torch

from wino_viz.cli import main
from wino_viz.decoding import decode, parse_spec
from wino_viz.models.checkpoint import load_checkpoint
from wino_viz.models.denoiser import Speed

QUESTION = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"
LENGTHS = {"gen_length": 64, "block_length": 32}


def steps(speed: Speed, spec: str):
    checkpoint = load_checkpoint("llada-mini", "cpu", speed=speed)
    decoder = parse_spec(spec).start(checkpoint.canvas(QUESTION, **LENGTHS))
    made = [timed.step for timed in decode(decoder, checkpoint.denoiser)]
    return made, decoder.canvas


@pytest.mark.parametrize("spec", ["wino:tau1=0.6:tau2=0.9", "standard:tokens_per_step=4"])
def test_own_layers_place_judge_and_take_back_the_tokens_that_transformers_own_modules_do(spec: str):
    ours, canvas = steps(Speed(), spec)
    theirs, other = steps(Speed(own_layers=False), spec)
    assert canvas == other
    assert [[token[:2] for token in step.drafted] for step in ours] == [
        [token[:2] for token in step.drafted] for step in theirs
    ]
    assert [[token[:2] for token in step.remasked] for step in ours] == [
        [token[:2] for token in step.remasked] for step in theirs
    ]


def test_prefix_reuse_can_be_asked_for_and_says_that_it_is_approximate(tmp_path: Path, capsys: pytest.CaptureFixture):
    trace, problems, out = tmp_path / "trace.json", tmp_path / "problems.jsonl", tmp_path / "out.json"
    lengths = ["--gen-length", "32", "--block-length", "32"]
    assert main(["decode", "--reuse", *lengths, "--prompt", QUESTION, "--trace", str(trace)]) == 0
    assert "Approximate: prefix reuse" in capsys.readouterr().err
    assert "prefix reuse" in json.loads(trace.read_text())["approximate"]
    problems.write_text(json.dumps({"task": "arithmetic", "question": QUESTION, "answer": 18}))
    assert main(["eval", "--reuse", "--decoders", "wino", "--data", str(problems), *lengths, "--out", str(out)]) == 0
    assert "Approximate" in capsys.readouterr().err
    assert "prefix reuse" in json.loads(out.read_text())["approximate"]


def test_prefix_reuse_fills_every_place(spec: str = "wino:tau1=0.6:tau2=0.9"):
    made, canvas = steps(Speed(reuse=True), spec)
    assert made and len(canvas) == 64
    assert load_checkpoint("llada-mini", "cpu").mask_id not in canvas


def test_a_model_on_a_cpu_is_run_by_own_layers_without_what_a_gpu_needs():
    speed = Speed.for_device(torch.device("cpu"))
    assert speed.own_layers and not (speed.merge or speed.graphs or speed.compile or speed.reuse)
