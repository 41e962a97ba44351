"""Generated checkpoints in the published layouts: what they share with the published ones, and that they load and decode."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from wino_viz.decoding import WinoSettings, decode
from wino_viz.load_cost import PeakMemory, measure_load, resident
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.models.devices import follow, place, spread
from wino_viz.models.files import CheckpointError, read_shapes
from wino_viz.models.generated import DREAM_CONFIG, LLADA_CONFIG, MMADA_CONFIG, SPECIAL, generate, main, tensor_shapes
from wino_viz.models.llada import new_model
from wino_viz.session import Session

INSTRUCT = "GSAI-ML/LLaDA-8B-Instruct"
QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"


@pytest.fixture(scope="module")
def instruct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(INSTRUCT, tmp_path_factory.mktemp("generated") / "LLaDA-8B-Instruct", layers=2, width=128)


@pytest.fixture(scope="module")
def loaded(instruct: Path) -> Checkpoint:
    return load_checkpoint(str(instruct), device="cpu", dtype=torch.bfloat16)


# ---- what is published


@pytest.mark.parametrize(
    ("config", "tensors", "parameters"),
    [(LLADA_CONFIG, 291, 8_015_581_184), (MMADA_CONFIG, 291, 8_082_690_048), (DREAM_CONFIG, 339, 7_615_616_512)],
)
def test_the_full_size_has_the_published_tensors(config: dict, tensors: int, parameters: int):
    shapes = tensor_shapes(config)
    assert len(shapes) == tensors and sum(math.prod(shape) for shape in shapes.values()) == parameters


def test_the_tokenizer_has_the_published_ids_and_no_mask_token(instruct: Path, loaded: Checkpoint):
    tokenizer = loaded.tokenizer
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    assert len(tokenizer) == 126349 and tokenizer.mask_token_id is None
    assert ids["<|startoftext|>"] == 126080 and ids["<|endoftext|>"] == 126081 and ids["<|mdm_mask|>"] == 126336
    assert ids["<|reserved_token_0|>"] == 126084 and ids["<|reserved_token_253|>"] == 126337
    assert (ids["<|start_header_id|>"], ids["<|end_header_id|>"], ids["<|eot_id|>"]) == (126346, 126347, 126348)
    assert "mask_token" not in json.loads((instruct / "tokenizer_config.json").read_text())
    assert (loaded.mask_id, loaded.end_ids, loaded.context) == (126336, (126081, 126348), 4096)


def test_weights_are_shards_in_bfloat16_with_an_index(instruct: Path):
    index = json.loads((instruct / "model.safetensors.index.json").read_text())
    shapes = read_shapes(instruct)
    assert index["weight_map"].keys() == shapes.keys()
    assert index["metadata"]["total_size"] == 2 * sum(math.prod(shape) for shape in shapes.values())


# ---- prompts and answers


def test_a_prompt_is_tokenized_as_the_whole_text_is(loaded: Checkpoint):
    text = (
        "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>assistant"
        "<|end_header_id|>\n\n<reasoning>"
    )
    whole = loaded.tokenizer.encode(text, add_special_tokens=False)
    assert loaded.prompt_ids("Hi there", suffix="<reasoning>") == whole
    assert 126348 not in loaded.prompt_ids("<|eot_id|>")[5:-20]
    typed = loaded.prompt_ids("a <|eot_id|> b")
    assert typed.count(126348) == 1  # the template's own


def test_llada_without_a_template_gets_its_own_and_a_base_model_a_bare_prompt(instruct: Path, tmp_path: Path):
    def ids(special: str, template: bool) -> list[int]:
        folder = tmp_path / f"{len(special)}{template}"
        folder.mkdir()
        for file in instruct.iterdir():
            (folder / file.name).symlink_to(file)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
            data = json.loads((instruct / name).read_text())
            if special:
                data["added_tokens"] = data.get("added_tokens", [])[:-3]
                for last in (126346, 126347, 126348):
                    data.get("added_tokens_decoder", {}).pop(str(last), None)
            if not template:
                data.pop("chat_template", None)
            (folder / name).write_text(json.dumps({key: value for key, value in data.items() if value != []}))
        return load_checkpoint(str(folder), device="cpu", dtype=torch.bfloat16).prompt_ids("Hi")

    chat = load_checkpoint(str(instruct), device="cpu", dtype=torch.bfloat16).prompt_ids("Hi")
    assert ids("", template=False) == chat
    bare = ids("base", template=True)
    assert bare == ids("base!", template=False) and len(bare) == 2


def test_the_end_of_a_turn_or_of_the_text_ends_the_answer(loaded: Checkpoint):
    hi, ho = loaded.tokenizer.encode("Hi", add_special_tokens=False), loaded.tokenizer.encode("ho")
    assert loaded.text([*hi, 126348, *ho]) == loaded.text([*hi, 126081, *ho]) == "Hi"
    assert loaded.text([*hi, loaded.mask_id, *ho]) == "Hiho"


def test_it_decodes_as_in_the_paper(instruct: Path, loaded: Checkpoint):
    session = Session(str(instruct), lambda name: loaded)
    assert session.named_presets["gsm8k"] == "GSM8K as in the paper"
    decoding = session.start(QUESTION, session.settings("wino", "gsm8k"), preset="gsm8k")
    assert (decoding.canvas.gen_length, decoding.canvas.block_length) == (256, 128)
    assert (decoding.settings.tau1, decoding.settings.tau2) == (0.6, 0.9)
    suffix = loaded.tokenizer.encode("<reasoning>", add_special_tokens=False)
    assert list(decoding.canvas.prompt_ids)[-len(suffix) :] == suffix
    made = next(iter(decoding))
    assert made.step.drafted and decoding.trace().prompt == QUESTION
    code = session.start("def f():", session.settings("wino", "humaneval"), preset="humaneval")
    assert loaded.tokenizer.decode(code.canvas.prompt_ids).endswith("function:\n```python\ndef f():\n")
    with pytest.raises(ValueError, match=r"there is no preset 'gsm9k' for .*: choose one of gsm8k, math500"):
        session.start(QUESTION, session.settings("wino"), preset="gsm9k")


# ---- what loading costs


def test_loading_holds_the_weights_once(instruct: Path):
    weights = 2 * sum(math.prod(shape) for shape in read_shapes(instruct).values())
    before, told = resident()[0], []
    with PeakMemory() as peak:
        kept = load_checkpoint(
            str(instruct), device="cpu", dtype=torch.bfloat16, told=lambda *about: told.append(about)
        )
    assert peak.own - before < weights * 1.7  # a second copy would be 2
    assert told[0] == ("loading", 0, weights) and told[-1] == ("loading", weights, weights)
    assert kept.denoiser.model.dtype == torch.bfloat16


def test_the_cost_of_loading_is_measured(instruct: Path):
    figures = measure_load(lambda: load_checkpoint(str(instruct), device="cpu", dtype=torch.bfloat16))
    assert figures["parameters"] == sum(math.prod(shape) for shape in read_shapes(instruct).values())
    assert figures["weight_bytes"] == 2 * figures["parameters"] and figures["decoded_passes"] > 0


def test_a_model_for_which_there_is_no_room_is_refused_with_both_numbers(instruct: Path, tmp_path: Path):
    """The headers of two terabytes of weights, in files that take none of the disk."""
    config = LLADA_CONFIG | {
        "n_layers": 500,
        "d_model": 8192,
        "n_heads": 64,
        "n_kv_heads": 64,
        "mlp_hidden_size": 65536,
    }
    for file in instruct.glob("*.json"):
        if file.name not in ("config.json", "model.safetensors.index.json"):
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "config.json").write_text(json.dumps(config))
    shards: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in tensor_shapes(config).items():
        shards.setdefault(f"{'-'.join(name.split('.')[2:4])}.safetensors", {})[name] = shape
    for file, shapes in shards.items():
        write_without_blocks(tmp_path / file, shapes)
    index = {"weight_map": {name: file for file, shapes in shards.items() for name in shapes}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"needs 1,9\d\d\.\d GB of memory, and [\d,]+\.\d GB is free"):
        load_checkpoint(str(tmp_path), device="cpu", dtype=torch.bfloat16)


def write_without_blocks(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of zeros."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def test_layers_are_spread_whole_over_devices_of_little_room(instruct: Path):
    sizes = {"vocab_size": 64, "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8}
    with torch.device("meta"):
        model = new_model(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2))
    needed = sum(tensor.nbytes for tensor in model.state_dict().values())
    where = spread(model, instruct, {0: needed, 1: needed})
    assert set(where.values()) == {"cuda:0", "cuda:1"} and where.keys() == model.state_dict().keys()
    for layer in range(8):
        assert len({place for name, place in where.items() if name.startswith(f"model.layers.{layer}.")}) == 1
    with pytest.raises(CheckpointError, match=r"needs 34 MB of GPU memory, and 20 MB is free on 2 GPUs"):
        spread(model, instruct, {0: 10**7, 1: 10**7})


def test_the_command_says_what_it_can_not_write(tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as ended:
        main(["--model", "no/model", "--out", str(tmp_path)])
    assert ended.value.code == 2 and len(capsys.readouterr().err.strip().splitlines()) == 1


def test_what_a_layer_is_given_follows_it_to_its_device(instruct: Path, loaded: Checkpoint):
    given = torch.ones(2, 3)
    args, more = follow(torch.device("meta"), None, (given,), {"turns": (given, given), "cache": None, "use": False})
    assert [tensor.device.type for tensor in (*args, *more["turns"])] == ["meta"] * 3
    assert (more["cache"], more["use"]) == (None, False)
    apart = load_checkpoint(str(instruct), device="cpu", dtype=torch.bfloat16)
    model = place(apart.denoiser.model, {"model.embed_tokens.weight": "cuda:0", "lm_head.weight": "cuda:1"})
    assert all(layer._forward_pre_hooks for layer in (*model.model.layers, model.model.norm, model.lm_head))
    settings = {"gen_length": 8, "block_length": 8}
    first, other = (
        [step for step, _ in decode(WinoSettings().start(one.canvas("Hi", **settings)), one.denoiser)]
        for one in (loaded, apart)
    )
    assert first == other
