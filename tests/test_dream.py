"""Dream and DiffuCoder folders as published, at small depth: loaded without their code, decoded, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import run_here
from safetensors.torch import load_file, save_file
from tiny_dream import ADDED, FEW_ROWS, FEW_WORDS, ROWS, WORDS, tensors, write_dream

from wino_viz import cli
from wino_viz.models.checkpoint import DREAM, Checkpoint, load_checkpoint
from wino_viz.models.files import CheckpointError
from wino_viz.trace import Trace
from wino_viz.training import distill, merge

FEW_MASK = FEW_WORDS + ADDED.index("<|mask|>")
SHARD = "model-{:05}-of-00004.safetensors"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the published ids."""
    return write_dream(tmp_path_factory.mktemp("published") / "Dream-v0-Instruct-7B")


@pytest.fixture(scope="module")
def loaded(published: Path) -> Checkpoint:
    return load_checkpoint(str(published), device="cpu")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DiffuCoder with few ids."""
    return write_dream(tmp_path_factory.mktemp("few") / "DiffuCoder", FEW_WORDS, FEW_ROWS, diffucoder=True)


@pytest.fixture
def folder(few: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(few, tmp_path / "copy"))


def change_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_tensor(folder: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> None:
    """Replace a tensor in the shard that the index names, or take it out."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    shard = folder / index.get(name, SHARD.format(1))
    found = load_file(shard)
    changed = change(found.pop(name, None))
    save_file(found if changed is None else found | {name: changed}, shard, metadata={"format": "pt"})


# ---- what is loaded


def test_the_weights_are_those_of_the_shards_biases_as_well(loaded: Checkpoint):
    found, stored = loaded.denoiser.model.state_dict(), tensors()
    assert set(found) == set(stored)
    assert all(torch.equal(found[name], stored[name].float()) for name in stored)
    assert (len(found) - 3) % 12 == 0  # as in 339 = 28 * 12 + 3


def test_ids_context_and_family_are_the_published_ones(loaded: Checkpoint):
    assert (loaded.mask_id, loaded.end_ids, loaded.context) == (151666, (151643, 151645), 131072)
    assert len(loaded.tokenizer) == 151667 < loaded.denoiser.model.lm_head.out_features == ROWS
    assert (loaded.family, loaded.reader) == (DREAM, None)


def test_what_diffucoder_fills_up_with_ends_an_answer_too(few: Path):
    checkpoint = load_checkpoint(str(few), device="cpu")
    ends = [checkpoint.tokenizer.convert_ids_to_tokens(i) for i in checkpoint.end_ids]
    assert ends == ["<|endoftext|>", "<|im_end|>", "<|dlm_pad|>"]
    assert (
        checkpoint.text([*checkpoint.tokenizer.encode(" the man"), checkpoint.mask_id, *checkpoint.end_ids])
        == " the man"
    )


def test_the_chat_layout_is_the_checkpoints_own_up_to_the_answer(loaded: Checkpoint, few: Path):
    expected = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    for checkpoint in (loaded, load_checkpoint(str(few), device="cpu")):  # the template in one file or in the other
        assert checkpoint.tokenizer.decode(checkpoint.prompt_ids(" How many? ")) == expected


def test_words_digits_and_special_tokens_are_read_as_qwen2_reads_them(loaded: Checkpoint):
    assert loaded.tokenizer.tokenize(" the how 42") == ["Ġthe", "Ġhow", "Ġ", "4", "2"]
    assert loaded.tokenizer.encode("e\u0301") == loaded.tokenizer.encode("\u00e9")  # NFC
    ids = loaded.prompt_ids("a <|mask|> and <|im_end|>")
    assert loaded.mask_id not in ids
    assert ids.count(WORDS + ADDED.index("<|im_end|>")) == 2  # the template's own


def test_the_code_in_the_folder_is_never_run(loaded: Checkpoint, published: Path):
    assert (published / "tokenization_dream.py").exists()
    assert not (published / "ran").exists()


def test_the_keys_that_transformers_5_writes_mean_the_same(folder: Path):
    config = folder / "config.json"
    before = load_checkpoint(str(folder), device="cpu").denoiser.model.config
    kept = {key: value for key, value in json.loads(config.read_text()).items() if not key.startswith("rope_")}
    config.write_text(json.dumps(kept | {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}))
    after = load_checkpoint(str(folder), device="cpu").denoiser.model.config
    assert before.rope_parameters == after.rope_parameters == {"rope_type": "default", "rope_theta": 1000000.0}


# ---- decoding by the command


@pytest.mark.parametrize("decoder", ["standard:tokens_per_step=2", "threshold:tau=0.5", "wino:tau1=0.05:tau2=0.3"])
def test_decode_runs_to_the_end(published: Path, tmp_path: Path, decoder: str):
    out = tmp_path / "trace.json"
    lengths = ["--gen-length", "16", "--block-length", "8", "--prompt", "How many?", "--trace", str(out)]
    done = run_here(cli.main, "decode", "--model", str(published), "--decoder", decoder, *lengths)
    assert done.returncode == 0, done.stderr
    trace = Trace.from_json(out.read_text())
    assert done.stdout == trace.text + "\n"
    assert 151666 not in trace.output_ids and len(trace.output_ids) == 16
    assert (trace.mask_id, trace.end_ids) == (151666, (151643, 151645))
    assert trace.forward_passes == (8 if decoder.startswith("standard") else len(trace.steps))
    if decoder.startswith("wino"):
        assert sum(len(step.remasked) for step in trace.steps) > 0
    assert not (published / "ran").exists()


# ---- what is refused, and how it is said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"config\.json is missing"),
        ("vocab.json", r"vocab\.json is missing"),
        ("merges.txt", r"merges\.txt is missing"),
        ("tokenizer_config.json", r"tokenizer_config\.json is missing"),
        (SHARD.format(3), r"model-00003-of-00004\.safetensors is missing"),
        ("model.safetensors.index.json", r"model\.safetensors is missing"),
        ("chat_template.jinja", "the tokenizer has no chat template"),
    ],
)
def test_a_folder_without_one_of_its_files_is_refused(folder: Path, name: str, message: str):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("tensor", "change", "message"),
    [
        ("model.layers.1.self_attn.k_proj.bias", lambda t: None, r"layers\.1\.self_attn\.k_proj\.bias is missing"),
        ("model.layers.0.self_attn.o_proj.bias", lambda t: torch.zeros(16), r"o_proj\.bias is not known"),
        (
            "model.layers.2.input_layernorm.weight",
            lambda t: torch.ones(16),
            r"layers\.2\.input_layernorm.* is not known",
        ),
        ("lm_head.weight", lambda t: t[:-1].clone(), r"lm_head\.weight has shape \(339, 16\), expected \(340, 16\)"),
        ("model.norm.weight", lambda t: t * torch.nan, r"model\.norm\.weight holds values that are no numbers"),
        ("model.norm.weight", lambda t: t.to(torch.int8), r"model\.norm\.weight is I8"),
    ],
)
def test_a_missing_extra_misshapen_or_broken_tensor_is_named(folder: Path, tensor: str, change, message: str):
    change_tensor(folder, tensor, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "hidden_size must be a positive whole number, not None"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be a positive whole number, not True"),
        ({"num_attention_heads": 3}, "hidden_size 16 is not a multiple of num_attention_heads 3"),
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu' is not supported, only 'silu'"),
        ({"use_sliding_window": True}, "use_sliding_window = True is not supported"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling = .* is not supported, only None"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters = .* is not supported"),
        ({"rope_theta": "1e6"}, "rope_theta must be a number above 0, not '1e6'"),
        ({"rms_norm_eps": 0}, "rms_norm_eps must be a number above 0, not 0"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings must be true or false, not 'no'"),
        ({"tie_word_embeddings": True}, r"tensor lm_head\.weight is not known"),
        ({"mask_token_id": None}, "mask_token_id must be a token id, not None"),
        ({"mask_token_id": FEW_MASK + 1}, f"mask_token_id is {FEW_MASK + 1}, but the tokenizer's .* id {FEW_MASK}"),
        ({"mask_token_id": FEW_ROWS}, f"mask_token_id {FEW_ROWS} is not a row of the embedding"),
        ({"eos_token_id": "x"}, "eos_token_id must be a token id or a list, not 'x'"),
        ({"model_type": "qwen2"}, "model_type 'qwen2' is not known: it must be llada, mmada or Dream"),
    ],
)
def test_a_configuration_that_can_not_be_meant_is_refused(folder: Path, changes: dict, message: str):
    change_json(folder / "config.json", **changes)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("vocab.json", lambda text: "[]", "the tokenizer can't be used"),
        (
            "vocab.json",
            lambda text: text.replace('"Ġnever0"', '"Ġthe"'),
            r"<\|endoftext\|> must have id 300, but it gets 299",
        ),
        ("merges.txt", lambda text: text + "no such\n", "the tokenizer can't be used"),
        ("chat_template.jinja", lambda text: "Hello", "the chat template must write a message once, not 0 times"),
        (
            "added_tokens.json",
            lambda text: text.replace(str(FEW_MASK), '"x"'),
            "added_tokens.json must map tokens to ids",
        ),
        ("tokenizer_config.json", lambda text: '{"added_tokens_decoder": 3}', "tokenizer"),
    ],
)
def test_a_tokenizer_that_would_read_otherwise_is_refused(folder: Path, name: str, damage, message: str):
    path = folder / name
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(folder), device="cpu")


# ---- adapters and training


@pytest.fixture
def adapter(few: Path, tmp_path: Path) -> Path:
    """A LoRA adapter as peft writes it for Qwen2's names."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    base = {"peft_type": "LORA", "base_model_name_or_path": str(few), "r": 2, "lora_alpha": 4}
    (folder / "adapter_config.json").write_text(json.dumps(base))
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_{}.weight"
    halves = {name.format("A"): torch.ones(2, 16), name.format("B"): torch.ones(16, 2)}
    save_file(halves, folder / "adapter_model.safetensors")
    return folder


def test_an_adapter_is_put_on_a_dream(adapter: Path):
    checkpoint, name = load_checkpoint(str(adapter), device="cpu"), "model.layers.1.self_attn.q_proj.weight"
    assert torch.equal(checkpoint.denoiser.model.get_parameter(name), tensors(FEW_ROWS)[name].float() + 4)
    assert checkpoint.family == DREAM


def test_a_dream_is_neither_merged_nor_trained(adapter: Path, few: Path, tmp_path: Path):
    out = tmp_path / "out"
    done = run_here(merge.main, "--adapter", str(adapter), "--out", str(out))
    assert done.returncode == 2 and "only LLaDA's backbone can be written" in done.stderr
    assert not out.exists()
    given = [
        "--model",
        str(few),
        "--trajectories",
        str(tmp_path / "none.jsonl"),
        "--out",
        str(out),
        "--steps",
        "1",
        "--lora",
        "2",
    ]
    done = run_here(distill.main, *given, "--cpu")
    assert done.returncode == 2 and "predicts the next position" in done.stderr
