"""Adapters: on top of a model, merged into it and read without peft, all say the same; other than plain LoRA is refused."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import COPIED, write_tiny_model

from wino_viz.models.checkpoint import CheckpointError, embedded_models, load_checkpoint
from wino_viz.models.llada import save_model
from wino_viz.training.distill_adapter import add_lora, save_adapter
from wino_viz.training.distill_recipe import ALL_TARGETS, Recipe
from wino_viz.training.merge import main

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
IDS = torch.arange(10, 40)[None]


@torch.no_grad()
def logits(model: torch.nn.Module) -> torch.Tensor:
    return model(input_ids=IDS).logits


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, torch.Tensor]:
    """A base model, an adapter to it (of every kind of matrix, scale 2), and the logits with peft's adapter on top."""
    folder = tmp_path_factory.mktemp("merge")
    base = write_tiny_model(folder / "base")
    model = load_checkpoint(str(base), device="cpu").denoiser.model
    wrapped, config = add_lora(model, Recipe(steps=1, lora=4, lora_alpha=8.0, lora_targets=ALL_TARGETS))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    save_adapter(wrapped, config, str(base), folder / "adapter")
    return base, folder / "adapter", logits(wrapped.eval())


def test_merged_and_by_name_an_adapter_says_what_it_says_on_top(made: tuple[Path, Path, torch.Tensor], tmp_path: Path):
    base, adapter, expected = made
    plain = logits(load_checkpoint(str(base), device="cpu").denoiser.model)
    assert (plain - expected).abs().max() > 0.01
    by_name = load_checkpoint(str(adapter), device="cpu")
    torch.testing.assert_close(logits(by_name.denoiser.model), expected, atol=1e-5, rtol=1e-4)
    out = tmp_path / "merged"
    assert main(["--model", str(base), "--adapter", str(adapter), "--out", str(out), "--dtype", "float32"]) == 0
    merged = load_checkpoint(str(out), device="cpu")
    torch.testing.assert_close(logits(merged.denoiser.model), expected, atol=1e-5, rtol=1e-4)
    assert by_name.presets == merged.presets != {}
    for name in (*COPIED, "config.json"):
        assert (out / name).read_bytes() == (base / name).read_bytes()
    assert not (out / CONFIG).exists()


def test_the_written_names_are_lladas_and_the_pattern_spares_the_head(made: tuple[Path, Path, torch.Tensor]):
    _, adapter, _ = made
    names = {name.split(".lora_")[0] for name in load_file(adapter / WEIGHTS)}
    parts = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out")
    assert names == {f"base_model.model.model.transformer.blocks.{n}.{part}" for n in (0, 1) for part in parts}
    pattern = json.loads((adapter / CONFIG).read_text())["target_modules"]
    assert all(re.fullmatch(pattern, name.removeprefix("base_model.model.")) for name in names)
    assert not re.fullmatch(pattern, "model.transformer.ff_out")


def test_names_of_transformers_llama_are_read_too_and_rank_stabilized_scale(
    made: tuple[Path, Path, torch.Tensor], tmp_path: Path
):
    _, adapter, expected = made
    names = {"attn_out": "self_attn.o_proj", "ff_proj": "mlp.gate_proj", "up_proj": "mlp.up_proj"}
    names |= {"ff_out": "mlp.down_proj"} | {f"{part}_proj": f"self_attn.{part}_proj" for part in "qkv"}
    renamed = {}
    for name, tensor in load_file(adapter / WEIGHTS).items():
        block, part, rest = re.fullmatch(r".*blocks\.(\d+)\.(\w+)\.(lora_.*)", name).groups()
        renamed[f"base_model.model.model.layers.{block}.{names[part]}.{rest}"] = tensor
    save_file(renamed, tmp_path / WEIGHTS)
    config = json.loads((adapter / CONFIG).read_text()) | {"use_rslora": True, "lora_alpha": 4}  # 4 / sqrt(4) = 2
    (tmp_path / CONFIG).write_text(json.dumps(config))
    found = load_checkpoint(str(tmp_path), device="cpu").denoiser.model
    torch.testing.assert_close(logits(found), expected, atol=1e-5, rtol=1e-4)


def test_an_adapters_own_presets_go_first(made: tuple[Path, Path, torch.Tensor], tmp_path: Path):
    base, adapter, _ = made
    for name in (CONFIG, WEIGHTS):
        (tmp_path / name).write_bytes((adapter / name).read_bytes())
    (tmp_path / "presets.json").write_text('{"sudoku": {"gen_length": 32, "block_length": 32}}')
    assert load_checkpoint(str(tmp_path), device="cpu").preset("sudoku").gen_length == 32
    assert main(["--adapter", str(tmp_path), "--out", str(tmp_path / "merged")]) == 0
    assert load_checkpoint(str(tmp_path / "merged"), device="cpu").preset("sudoku").gen_length == 32
    assert str(base) not in embedded_models()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type must be LORA, not 'LOHA'"),
        ({"use_dora": True}, "use_dora = True is not supported, only False"),
        ({"bias": "all"}, "bias = 'all' is not supported"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        (
            {"base_model_name_or_path": "nobody/nothing"},
            "is an adapter to 'nobody/nothing': nobody/nothing is not on this machine",
        ),
        ({"base_model_name_or_path": None}, "base_model_name_or_path must name a model"),
        ({"r": 0}, "r must be a whole number from 1"),
        ({"r": 8}, r"has shape \(4, 32\), expected \(8, 32\)"),
        ({"lora_alpha": "8"}, "lora_alpha must be a number"),
    ],
)
def test_what_is_no_plain_lora_is_refused(
    changes: dict, message: str, made: tuple[Path, Path, torch.Tensor], tmp_path: Path
):
    _, adapter, _ = made
    (tmp_path / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes())
    (tmp_path / CONFIG).write_text(json.dumps(json.loads((adapter / CONFIG).read_text()) | changes))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path), device="cpu")


@pytest.mark.parametrize("damage", ["lost", "strange", "nan", "gone", "empty"])
def test_tensors_that_do_not_fit_are_named(damage: str, made: tuple[Path, Path, torch.Tensor], tmp_path: Path):
    _, adapter, _ = made
    tensors = load_file(adapter / WEIGHTS)
    name = min(tensors)
    match damage:
        case "lost":
            del tensors[name]
            message = "lora_A.weight is missing"
        case "strange":
            tensors[name.replace("blocks.0", "blocks.7")] = tensors.pop(name)
            message = "is not known"
        case "nan":
            tensors[name] = tensors[name] * float("nan")
            message = "holds values that are no numbers"
        case "gone":
            message = "adapter_model.safetensors is missing"
        case "empty":
            tensors = {}
            message = "holds no tensors"
    (tmp_path / CONFIG).write_bytes((adapter / CONFIG).read_bytes())
    if damage != "gone":
        save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path), device="cpu")


def test_an_adapter_to_an_adapter_and_a_folder_without_one_are_refused(
    made: tuple[Path, Path, torch.Tensor], tmp_path: Path, capsys
):
    base, adapter, _ = made
    told = json.loads((adapter / CONFIG).read_text()) | {"base_model_name_or_path": str(adapter)}
    (tmp_path / CONFIG).write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="an adapter itself: merge that one first"):
        load_checkpoint(str(tmp_path), device="cpu")
    for arguments, message in (
        (["--adapter", str(base), "--out", str(tmp_path / "out")], "holds no adapter"),
        (["--adapter", str(adapter), "--out", str(base)], "is the model that is to be changed"),
        (["--adapter", str(adapter), "--model", "nobody", "--out", str(tmp_path / "out")], "no model 'nobody'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_large_model_gets_large_shards(made: tuple[Path, Path, torch.Tensor], tmp_path: Path):
    base, _, _ = made
    model = load_checkpoint(str(base), device="cpu").denoiser.model
    save_model(model, tmp_path, mask_token_id=5, eos_token_id=1, shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    save_model(model, tmp_path, mask_token_id=5, eos_token_id=1, shard_size="4GB")
    assert [path.name for path in tmp_path.glob("*.safetensors*")] == ["model.safetensors"]  # nothing old beside it
