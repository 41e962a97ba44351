"""Distilling at toy size: the loss terms by hand, examples from trajectories, what a run changes, and two processes as one."""

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_model import write_tiny_model

from tests.commands import two_processes
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.tasks.registry import prompt_of
from wino_viz.training import distill_ablation
from wino_viz.training.distill import main
from wino_viz.training.distill_batches import Examples, Texts, batch_of
from wino_viz.training.distill_loop import Distiller, Schedule
from wino_viz.training.distill_losses import Weights, loss_terms
from wino_viz.training.distill_recipe import Recipe
from wino_viz.training.trajectories import made_problems
from wino_viz.training.trajectories_records import Trajectory, read_trajectories

# A step of this optimizer moves a weight by about its learning rate, 1e-3; two ways of summing a gradient differ by less.
SAME_RUN = 1e-4


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(str(write_tiny_model(tmp_path_factory.mktemp("distill") / "tiny")), device="cpu")


@pytest.fixture(scope="module")
def trajectories(tiny: Checkpoint) -> Path:
    """A file of trajectories of two lengths, with made-up passes: what the steps are does not matter to training."""
    rng = np.random.default_rng(0)
    path = Path(tiny.name).parent / "trajectories.jsonl"
    with open(path, "w") as file:
        for n, record in enumerate(made_problems(["arithmetic", "sudoku"], "train", 3, seed=0)):
            length = 32 if n % 2 else 16
            accepted = np.concatenate((rng.integers(0, 3, length // 2), rng.integers(3, 6, length // 2)))
            ids = rng.integers(10, 500, length)
            line = {"unique_id": str(n), "source": record["task"], "prompt_ids": tiny.prompt_ids(prompt_of(record))}
            line |= {"generated_ids": ids.tolist(), "trajectory_accepted": accepted.tolist(), "correct": True}
            file.write(json.dumps(line | {"metadata": {"block_length": length // 2}}) + "\n")
    return path


def weights_of(folder: Path | str, name: str = "model.safetensors") -> dict[str, torch.Tensor]:
    return load_file(Path(folder) / name)


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((one[name].float() - other[name].float()).abs().max().item() for name in one)


def options(tiny: Checkpoint, trajectories: Path, out: Path, *more: str) -> list[str]:
    usual = ["--steps", "2", "--batch", "2", "--learning-rate", "1e-3", "--warmup-steps", "0", "--cpu"]
    usual += ["--probe-count", "1", "--probe-decoders", "threshold:tau=0", "--report-every", "1"]
    return ["--model", tiny.name, "--trajectories", str(trajectories), "--out", str(out), *usual, *more]


# ---- the terms


def entropy(*probabilities: float) -> float:
    return -sum(p * math.log(p) for p in probabilities)


def test_the_terms_are_those_worked_out_by_hand():
    p = torch.tensor(
        [
            [0.5, 0.25, 0.25],  # a target, right but unsure: sharpened
            [0.7, 0.2, 0.1],  # a target, wrong and sure: cross-entropy alone
            [0.8, 0.1, 0.1],  # no target, wrong and sure: deferred
            [0.2, 0.55, 0.25],  # no target, wrong but unsure
            [0.9, 0.05, 0.05],  # no target, right
            [0.95, 0.03, 0.02],  # of another example: a target, right and sure
        ]
    )
    labels = torch.tensor([0, 1, 2, 0, 0, 0])
    is_target = torch.tensor([True, True, False, False, False, True])
    example = torch.tensor([0, 0, 0, 0, 0, 1])
    terms = loss_terms(p.log() + 3, labels, is_target, example, 2, Weights())
    assert terms.tok.item() == pytest.approx(((-math.log(0.5) - math.log(0.2)) / 2 - math.log(0.95)) / 2)
    assert terms.sharp.item() == pytest.approx(entropy(0.5, 0.25, 0.25) / 2)
    assert terms.defer.item() == pytest.approx(-entropy(0.8, 0.1, 0.1) / 2)
    assert terms.right.item() == pytest.approx((0.5 + 1) / 2)
    assert (terms.sharp_positions.item(), terms.defer_positions.item()) == (0.5, 0.5)
    whole = terms.loss(Weights(tok=2, sharp=3, defer=5)).item()
    assert whole == pytest.approx(2 * terms.tok.item() + 3 * terms.sharp.item() + 5 * terms.defer.item())


def test_terms_without_a_position_are_zero_and_still_have_a_gradient():
    logits = torch.tensor([[9.0, 0.0, 0.0]], requires_grad=True)
    terms = loss_terms(logits, torch.tensor([0]), torch.tensor([False]), torch.tensor([0]), 1, Weights())
    assert terms.loss(Weights()).item() == 0
    terms.loss(Weights()).backward()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("target", "surer"), [(True, True), (False, False)])
def test_sharpening_makes_surer_and_deferring_less_sure(target: bool, surer: bool):
    logits = torch.tensor([[1.5, 0.0, 0.0]], requires_grad=True)  # 0.69 for token 0
    label = torch.tensor([0 if target else 1])
    terms = loss_terms(logits, label, torch.tensor([target]), torch.tensor([0]), 1, Weights())
    terms.loss(Weights(tok=0, sharp=1, defer=1)).backward()
    before, after = (x.softmax(-1)[0, 0].item() for x in (logits.detach(), logits.detach() - 0.1 * logits.grad))
    assert (after > before) is surer


@pytest.mark.parametrize("changes", [{"tok": -1}, {"defer": 1001}, {"sharp_below": 1.5}])
def test_weights_out_of_range_are_refused(changes: dict):
    with pytest.raises(ValueError, match="must be a number"):
        Weights(**changes)


# ---- the examples


def test_an_example_shows_what_was_placed_before_a_pass_and_asks_for_what_it_placed():
    one = Trajectory("a", "x", np.array([7, 8]), np.array([1, 2, 3, 4]), np.array([1, 0, 2, 2]), 2)
    batch = batch_of([(one, 0), (one, 1), (one, 2)], mask_id=99, pad_id=50)
    assert batch.ids.shape == (3, 32)
    assert batch.ids[:, :6].tolist() == [[7, 8, 99, 99, 99, 99], [7, 8, 99, 2, 99, 99], [7, 8, 1, 2, 99, 99]]
    assert (batch.ids[:, 6:] == 50).all()
    assert batch.real.sum(1).tolist() == [6, 6, 6]
    assert batch.where.tolist() == [[0, 0, 1, 2, 2], [2, 3, 2, 4, 5]]  # masked, and in the block of the targets
    assert batch.labels.tolist() == [1, 2, 1, 3, 4]
    assert batch.is_target.tolist() == [False, True, True, True, True]


def test_an_epoch_has_every_pass_of_every_trajectory_once(tiny: Checkpoint, trajectories: Path):
    examples = Examples(read_trajectories([trajectories]), tiny.mask_id, 1, seed=0)
    assert len(examples) == 36  # six trajectories of six passes
    seen = [tuple(ids.tolist()) for k in range(6) for ids in examples.batch(k, 6).ids[:, :200]]
    assert len(set(seen)) == 36
    assert torch.equal(examples.batch(2, 6).ids, Examples(examples.trajectories, tiny.mask_id, 1, 0).batch(2, 6).ids)
    assert not torch.equal(examples.batch(2, 6).labels, examples.batch(8, 6).labels)  # the next epoch


def test_passes_that_placed_end_of_text_alone_can_be_left_out():
    one = Trajectory("a", "x", np.array([7]), np.array([5, 5, 1, 1]), np.array([0, 2, 1, 2]), 4)
    assert [len(Examples([one], 99, 1, 0, skip_ends=skip)) for skip in (False, True)] == [3, 2]
    assert Examples([one], 99, 1, 0, skip_ends=True).batch(0, 2).is_target.sum() == 3  # an end beside a word stays
    with pytest.raises(ValueError, match="end-of-text alone"):
        Examples([replace(one, generated_ids=np.ones(4))], 99, 1, 0, skip_ends=True)


def test_neighbours_and_padding_in_a_batch_change_nothing(tiny: Checkpoint, trajectories: Path):
    found = read_trajectories([trajectories])
    short = min(found, key=lambda one: len(one.prompt_ids) + len(one.generated_ids))
    long = max(found, key=lambda one: len(one.prompt_ids) + len(one.generated_ids))
    distiller = Distiller(tiny.denoiser.model, tiny.mask_id, Weights())

    def terms(*pairs) -> torch.Tensor:
        with torch.no_grad():
            return torch.stack(distiller(batch_of(pairs, tiny.mask_id, 1), torch.Generator()))

    together, apart = terms((short, 1), (long, 4)), (terms((short, 1)) + terms((long, 4))) / 2
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


def test_texts_are_worked_answers_of_one_task_or_the_trajectories_own(tiny: Checkpoint, trajectories: Path):
    found = read_trajectories([trajectories])
    ids, starts = Texts(tiny, found, ["arithmetic"], seed=0).batch(0, 3)
    for row, start in zip(ids, starts, strict=True):
        answer = tiny.tokenizer.decode(row[start:])
        assert "####" in answer
        assert answer.split("<|eot_id|>")[1].replace("<|endoftext|>", "") == ""
    own, starts = Texts(tiny, found, [], seed=0).batch(0, 3)
    generated = [one.generated_ids.tolist() for one in found]
    assert all(
        any(row[start : start + len(g)].tolist() == g for g in generated)
        for row, start in zip(own, starts, strict=True)
    )


def test_steps_that_keep_are_spread_evenly(tiny: Checkpoint, trajectories: Path):
    recipe = Recipe(steps=8, batch=1, keep_share=0.25, accumulate=2)
    assert [recipe.keeps(step) for step in range(8)] == [False, False, False, True] * 2
    found = read_trajectories([trajectories])
    texts, examples = Texts(tiny, found, [], 0), Examples(found, tiny.mask_id, 1, 0)
    kinds = [len(Schedule(recipe, examples, texts, 0, 1)[n]) for n in range(16)]
    assert kinds == ([5] * 6 + [2] * 2) * 2


def test_the_rate_follows_the_schedule():
    cosine = Recipe(steps=100, warmup_steps=10, learning_rate=0.1)
    constant = Recipe(steps=100, warmup_steps=10, learning_rate=0.1, schedule="constant")
    assert [round(r.rate(0), 4) for r in (cosine, constant)] == [0.01, 0.01]
    assert constant.rate(99) == 0.1
    assert cosine.rate(99) < 0.01


# ---- runs


def test_all_weights_move_the_base_stays_and_the_probe_is_told(
    tiny: Checkpoint, trajectories: Path, tmp_path: Path, capsys
):
    before = weights_of(tiny.name)
    more = ["--all-weights", "--keep-share", "0.5", "--keep-task", "sudoku", "--probe-every", "1"]
    assert main(options(tiny, trajectories, tmp_path / "out", *more)) == 0
    told = capsys.readouterr().out
    assert "step 1/2  loss" in told
    assert "step 2/2  keep" in told
    assert "validation at 0: arithmetic  threshold:tau=0  accuracy" in told
    assert difference(before, weights_of(tiny.name)) == 0
    changed = weights_of(tmp_path / "out")
    assert all(not torch.equal(changed[name].float(), before[name]) for name in before if before[name].ndim > 1)
    assert load_checkpoint(str(tmp_path / "out"), device="cpu").presets == tiny.presets
    about = json.loads((tmp_path / "out" / "distill.json").read_text())
    assert about["steps_taken"] == 2
    assert [probe["step"] for probe in about["probes"]] == [0, 0, 1, 1, 2, 2]
    assert about["reports"][0].keys() >= {"tok", "sharp", "defer", "right"}


def test_an_adapter_is_trained_alone(tiny: Checkpoint, trajectories: Path, tmp_path: Path):
    before = weights_of(tiny.name)
    assert main(options(tiny, trajectories, tmp_path / "out", "--lora", "4")) == 0
    assert difference(before, weights_of(tiny.name)) == 0
    adapter = weights_of(tmp_path / "out", "adapter_model.safetensors")
    places = {name.removeprefix("base_model.model.").split(".lora_")[0] for name in adapter}
    blocks = [f"model.transformer.blocks.{n}" for n in (0, 1)]
    assert places == {f"{block}.{part}_proj" for block in blocks for part in ("q", "k", "v", "up")}
    assert all(tensor.abs().max() > 0 for name, tensor in adapter.items() if "lora_B" in name)
    found = load_checkpoint(str(tmp_path / "out"), device="cpu")
    for name, weight in found.denoiser.model.named_parameters():
        moved = not torch.equal(weight, tiny.denoiser.model.get_parameter(name))
        assert moved == any(part in name for part in ("q_proj", "k_proj", "v_proj", "up_proj"))


def test_two_processes_take_the_steps_that_one_takes_with_twice_the_batches(
    tiny: Checkpoint, trajectories: Path, tmp_path: Path
):
    common = ["--all-weights", "--keep-share", "0.5"]
    done = two_processes("wino_viz.training.distill", *options(tiny, trajectories, tmp_path / "two", *common))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 2/2") == 1
    assert main(options(tiny, trajectories, tmp_path / "one", *common, "--accumulate", "2")) == 0
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert difference(one, weights_of(tiny.name)) > 5 * SAME_RUN
    # Weights are written as bfloat16: a weight of 1 has steps of 1/128.
    apart = [(one[n].float() - two[n].float()).abs() / one[n].float().abs().clamp(min=0.05) for n in one]
    assert max(gap.max().item() for gap in apart) < 1 / 64
    assert torch.cat([gap.flatten() for gap in apart]).mean() < SAME_RUN


def test_time_that_is_over_ends_a_run_with_what_there_is(tiny: Checkpoint, trajectories: Path, tmp_path: Path):
    more = ["--lora", "2", "--stop-after", "0.001", "--random-order", "--probe-decoders", "threshold:tau=0"]
    assert main(options(tiny, trajectories, tmp_path / "out", *more)) == 0
    assert json.loads((tmp_path / "out" / "distill.json").read_text())["steps_taken"] == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lora", "4", "--lora-targets", "q_proj,nose"], "lora_targets must be q_proj or"),
        (["--lora", "4", "--keep-task", "sudoku"], "keep_tasks goes with a keep_share above 0"),
        (["--lora", "4", "--keep-share", "0.5", "--keep-task", "chess"], "task 'chess' is not one of"),
        (["--lora", "4", "--keep-power", "0"], "keep_power must be above 0"),
        (["--lora", "4", "--learning-rate", "7"], "learning_rate must be a number, 0 to 1"),
        (["--all-weights", "--dtype", "bfloat16"], "--dtype bfloat16 goes with --lora"),
        (["--all-weights", "--defer-weight", "-1"], "the weight of L_defer must be a number, 0 to 1000"),
        (["--all-weights", "--probe-decoders", "wine"], "there is no decoder"),
    ],
)
def test_bad_arguments_end_with_one_line(
    more: list[str], message: str, tiny: Checkpoint, trajectories: Path, tmp_path: Path, capsys
):
    with pytest.raises(SystemExit) as stopped:
        main(options(tiny, trajectories, tmp_path / "out", *more))
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_run_does_not_overwrite_its_base(tiny: Checkpoint, trajectories: Path):
    with pytest.raises(SystemExit):
        main(options(tiny, trajectories, Path(tiny.name), "--all-weights"))


# ---- the ablation


def test_the_ablation_distils_every_variant_evaluates_it_and_goes_on(
    tiny: Checkpoint, trajectories: Path, tmp_path: Path, monkeypatch, capsys
):
    commands = []

    def run(command: list[str], **_):
        commands.append(command[2:])
        out = Path(command[command.index("--out") + 1])
        if "wino_viz.training.distill" in command:
            out.mkdir()
            (out / "distill.json").write_text(json.dumps({"steps_taken": 2, "reports": [{"tok": 0.5}]}))
        else:
            row = {"decoder": "wino", "accuracy": 0.5, "mean_forward_passes": 9.0}
            out.write_text(json.dumps({"rows": [row]}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(distill_ablation.subprocess, "run", run)
    monkeypatch.setattr(distill_ablation, "commit", lambda: None)
    arguments = ["--model", tiny.name, "--trajectories", str(trajectories), "--data", str(trajectories)]
    arguments += ["--out", str(tmp_path / "out"), "--decoders", "wino", "--variants", "base,tok,published-weights"]
    arguments += ["--", "--lora", "4", "--steps", "2", "--keep-share", "0.5"]
    assert distill_ablation.main(arguments) == 0
    assert [command[0] for command in commands] == ["wino_viz", *["wino_viz.training.distill", "wino_viz"] * 2]
    assert commands[1][-4:] == ["--sharp-weight", "0", "--defer-weight", "0"]
    assert commands[3][-4:] == ["--keep-share", "0", "--keep-task", ""]
    assert "| tok | wino | 50.0% in 9.0 |" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert summary["common"] == ["--lora", "4", "--steps", "2", "--keep-share", "0.5"]
    assert summary["variants"]["tok"]["last_report"] == {"tok": 0.5}
    commands.clear()
    assert distill_ablation.main(arguments) == 0
    assert commands == []
