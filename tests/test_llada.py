"""Loading LLaDA folders: every tensor is checked, names are LLaDA's own, and attention sees both ways."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

from wino_viz.models.checkpoint import EMBEDDED, embedded_models, load_checkpoint
from wino_viz.models.files import CheckpointError
from wino_viz.models.llada import llada_config, llada_name, load_model, new_model, save_model

MINI = EMBEDDED / "llada-mini"
SHARD_LIMIT, MODEL_LIMIT = 15_000_000, 40_000_000


def tiny_config(**changes) -> LlamaConfig:
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"num_key_value_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64, "rms_norm_eps": 1e-5}
    rope = {"rope_type": "default", "rope_theta": 500000.0}
    config = LlamaConfig(**(sizes | changes), rope_parameters=rope, use_cache=False)
    config.is_causal = False
    return config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with random weights on disk."""
    torch.manual_seed(0)
    save_model(new_model(tiny_config()), tmp_path / "tiny", mask_token_id=3, eos_token_id=1, dtype=torch.float32)
    return tmp_path / "tiny"


def change_tensors(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def logits(model, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


def test_a_saved_model_loads_to_the_same_logits(folder: Path):
    torch.manual_seed(0)
    original = new_model(tiny_config())
    ids = torch.arange(20)[None]
    assert torch.equal(logits(original, ids), logits(load_model(folder, torch.float32), ids))


def test_a_first_position_sees_the_last(folder: Path):
    model = load_model(folder, torch.float32)
    ids = torch.arange(20)[None]
    changed = ids.clone()
    changed[0, -1] = 33
    assert not torch.allclose(logits(model, ids)[0, 0], logits(model, changed)[0, 0])


def test_tensors_on_disk_have_the_published_names():
    weights = json.loads((MINI / "model.safetensors.index.json").read_text())["weight_map"]
    layers = json.loads((MINI / "config.json").read_text())["n_layers"]
    block = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out", "attn_norm", "ff_norm")
    expected = {f"model.transformer.blocks.{n}.{name}.weight" for n in range(layers) for name in block}
    expected |= {f"model.transformer.{name}.weight" for name in ("wte", "ln_f", "ff_out")}
    assert set(weights) == expected


def test_the_gate_is_ff_proj_and_the_two_ff_out_differ():
    assert llada_name("model.layers.7.mlp.gate_proj.weight") == "model.transformer.blocks.7.ff_proj.weight"
    assert llada_name("model.layers.7.mlp.down_proj.weight") == "model.transformer.blocks.7.ff_out.weight"
    assert llada_name("lm_head.weight") == "model.transformer.ff_out.weight"


def test_the_embedded_model_keeps_its_size_limits():
    shards = list(MINI.glob("*.safetensors"))
    assert all(shard.stat().st_size < SHARD_LIMIT for shard in shards)
    assert sum(path.stat().st_size for path in MINI.iterdir()) < MODEL_LIMIT
    assert "llada-mini" in embedded_models()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.transformer.blocks.1.ff_norm.weight"), "blocks.1.ff_norm.weight is missing"),
        (
            lambda t: t.update({"model.transformer.blocks.2.q_proj.weight": torch.zeros(2)}),
            "2.q_proj.weight is not known",
        ),
        (lambda t: t.update({"model.transformer.blocks.0.q_proj.bias": torch.zeros(16)}), "q_proj.bias is not known"),
        (
            lambda t: t.update({"model.transformer.wte.weight": torch.zeros(39, 16)}),
            r"wte.weight has shape \(39, 16\), expected \(40, 16\)",
        ),
    ],
)
def test_a_missing_extra_or_misshapen_tensor_is_named(folder: Path, change, message: str):
    change_tensors(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder, torch.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": None}, "d_model must be a positive whole number"),
        ({"n_heads": 3}, "d_model 16 is not a multiple of n_heads 3"),
        ({"include_bias": True}, "include_bias = True is not supported"),
        ({"alibi": True}, "alibi = True is not supported"),
        ({"activation_type": "gelu"}, "activation_type = 'gelu' is not supported"),
    ],
)
def test_a_configuration_that_would_compute_something_else_is_refused(folder: Path, changes: dict, message: str):
    change_config(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder, torch.float32)


def test_a_truncated_shard_and_a_missing_one_are_named(folder: Path):
    shard = folder / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:50])
    with pytest.raises(CheckpointError, match=r"model\.safetensors can't be read"):
        load_model(folder, torch.float32)
    shard.unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load_model(folder, torch.float32)


def test_an_index_can_not_point_outside_its_folder(folder: Path):
    index = {"weight_map": {"model.transformer.wte.weight": "../other.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="not the name of a file in this folder"):
        load_model(folder, torch.float32)


def test_fewer_key_value_heads_and_a_padded_embedding_load(tmp_path: Path):
    config = tiny_config(num_key_value_heads=1, vocab_size=48)
    save_model(new_model(config), tmp_path, mask_token_id=3, eos_token_id=1, dtype=torch.float32)
    change_config(tmp_path, vocab_size=40)  # the published 8B has more rows than its tokenizer has tokens, too
    assert load_model(tmp_path, torch.float32).lm_head.weight.shape == (48, 16)


def test_the_written_configuration_reads_back():
    config = llada_config(tiny_config(), mask_token_id=3, eos_token_id=1)
    assert (config["model_type"], config["d_model"], config["n_kv_heads"]) == ("llada", 16, 2)
    assert (config["rope_theta"], config["mask_token_id"], config["eos_token_id"]) == (500000.0, 3, 1)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "tokenizer.json is missing"),
    ],
)
def test_a_folder_without_one_of_its_files_is_refused(tmp_path: Path, broken: str, message: str):
    folder = tmp_path / "copy"
    shutil.copytree(MINI, folder)
    (folder / broken).unlink()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", {"mask_token_id": 1536}, "mask_token_id 1536 is not a row of the embedding"),
        ("config.json", {"n_kv_heads": "6"}, "config.json"),
        ("config.json", {"rms_norm_eps": "x"}, "config.json"),
        ("tokenizer.json", "[]", "the tokenizer can't be used"),
        ("chat_template.jinja", "{% if %}", "the tokenizer can't be used"),
        ("model.safetensors.index.json", '{"weight_map": []}', "weight_map must map"),
        ("presets.json", '{"arithmetic": []}', "presets.json"),
        ("presets.json", "[]", "must hold a JSON object"),
    ],
)
def test_a_damaged_file_of_a_model_is_named(tmp_path: Path, name: str, text, message: str):
    folder = tmp_path / "copy"
    shutil.copytree(MINI, folder)
    if isinstance(text, dict):
        change_config(folder, **text)
    else:
        (folder / name).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.full((16,), torch.nan), "holds values that are no numbers"), (torch.ones(16, dtype=torch.int8), "is I8")],
)
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: torch.Tensor, message: str):
    change_tensors(folder, lambda tensors: tensors.update({"model.transformer.ln_f.weight": value}))
    with pytest.raises(CheckpointError, match=message):
        load_model(folder, torch.float32)


def test_an_unknown_model_lists_the_embedded_ones():
    with pytest.raises(CheckpointError, match=r"no model 'llama-mini'.*llada-mini"):
        load_checkpoint("llama-mini")
