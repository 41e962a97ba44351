"""Pretraining at toy size: masking as in LLaDA, one seed one run, resuming, and a checkpoint that decodes."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from wino_viz.decoding import WinoSettings, decode
from wino_viz.models.checkpoint import EMBEDDED, Checkpoint, load_checkpoint
from wino_viz.training import tokenizer as tokens
from wino_viz.training.pretrain import LENGTHS, Batches, Recipe, learning_rate, mask_tokens

ROOT = Path(__file__).parents[1]
TOY = ["--batch-tokens", "1024", "--d-model", "32", "--layers", "2", "--heads", "2", "--mlp", "48"]
TOY += ["--warmup-steps", "2", "--report-every", "1"]

# Two runs of one seed agree to the bit, except that now and then a CPU kernel sums in another order. A step of this
# optimizer moves a weight by about its learning rate, 1.5e-3.
SAME_RUN = 2e-4


def pretrain(out: Path, *more: str) -> str:
    """Run the command with the shipped tokenizer; returns what it printed."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (out / name).write_text((EMBEDDED / "llada-mini" / name).read_text())
    command = [sys.executable, "-m", "wino_viz.training.pretrain", "--out", str(out), "--steps", "4", *TOY, *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max((one[name].float() - other[name].float()).abs().max().item() for name in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain") / "whole"
    assert "step 4/4" in pretrain(folder)
    return folder


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(trained: Path, tmp_path: Path):
    checkpoint = ["--checkpoint", str(tmp_path / "run.pt")]
    pretrain(tmp_path / "parts", *checkpoint, "--at-most", "2")
    assert "going on from step 2 of 4" in pretrain(tmp_path / "parts", *checkpoint)
    whole, parts = weights(trained), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert difference(whole, parts) < SAME_RUN


def test_another_seed_is_another_run(trained: Path, tmp_path: Path):
    pretrain(tmp_path / "other", "--seed", "1")
    assert difference(weights(trained), weights(tmp_path / "other")) > 5 * SAME_RUN


def test_what_training_writes_loads_and_decodes(trained: Path):
    checkpoint = load_checkpoint(str(trained), device="cpu")
    decoder = WinoSettings().start(checkpoint.canvas("How many?", gen_length=16, block_length=8))
    list(decode(decoder, checkpoint.denoiser))
    assert checkpoint.mask_id not in decoder.canvas


def test_a_batch_depends_on_seed_and_number_alone(mini: Checkpoint):
    batches = Batches(mini.tokenizer, 2048, seed=0)
    ids, starts = batches[3]
    again, _ = Batches(mini.tokenizer, 2048, seed=0)[3]
    other, _ = Batches(mini.tokenizer, 2048, seed=1)[3]
    assert torch.equal(ids, again)
    assert ids.shape != other.shape or not torch.equal(ids, other)
    assert ids.shape[1] in LENGTHS
    for row, start in zip(ids, starts, strict=True):
        prompt, answer = mini.tokenizer.decode(row[:start]), mini.tokenizer.decode(row[start:])
        assert prompt.endswith("assistant<|end_header_id|>\n\n")
        assert answer.split("<|eot_id|>")[1].replace("<|endoftext|>", "") == ""
        assert "####" in answer


def test_masks_fall_on_the_answer_only_and_weights_average_to_one():
    ids = torch.randint(10, 99, (4096, 30))
    starts = torch.full((4096,), 12)
    noisy, weight = mask_tokens(ids, starts, 5, torch.Generator().manual_seed(0))
    masked = noisy == 5
    assert not masked[:, :12].any()
    assert torch.equal(noisy[~masked], ids[~masked])
    assert torch.equal(weight > 0, masked)
    ratios = masked[:, 12:].float().mean(dim=1)
    assert ratios.mean().item() == pytest.approx(0.5, abs=0.02)  # t is uniform
    assert ratios.min() == 0
    assert ratios.max() == 1
    assert weight.sum().item() == pytest.approx(1.0, abs=0.05)  # 1/t makes every token count the same


def test_the_rate_rises_then_falls_along_a_cosine():
    recipe = Recipe(steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    assert rates[0] == 0.01
    assert max(rates) == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.505, abs=0.01)
    assert all(later <= earlier for earlier, later in pairwise(rates[100:]))


def test_a_tokenizer_trained_on_the_corpus_writes_any_text_and_splits_digits():
    made = tokens.train_tokenizer(tokens.corpus(300, seed=0), 500)
    for text in ("Ana has 123 apples.\n#### 57", "ünïcödé 漢字 🙂\t  spaces", "<b>&amp;</b>"):
        assert made.decode(made.encode(text, add_special_tokens=False)) == text
    assert made.convert_ids_to_tokens(range(len(tokens.SPECIAL_TOKENS))) == list(tokens.SPECIAL_TOKENS)
    assert made.tokenize("2025") == ["2", "0", "2", "5"]
