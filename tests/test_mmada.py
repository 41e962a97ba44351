"""A multimodal model in the published layout of MMaDA-8B: its rows, its ids, its prompts; random weights, few of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig

from wino_viz.cli import main
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.models.files import CheckpointError
from wino_viz.models.llada import new_model, save_model
from wino_viz.models.magvit import Magvit, MagvitConfig, save_magvit
from wino_viz.models.mmada import read_resolution, save_preprocessor
from wino_viz.session import ModelUnavailable, Session
from wino_viz.trace import Trace

TEXT_ROWS, CODES, ROWS = 126_464, 8192, 134_656
WORDS = 126_080  # ordinary tokens; the special ones follow
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
SPECIAL = {
    126_080: "<|startoftext|>",
    126_081: "<|endoftext|>",
    126_082: "[CLS]",
    126_083: "[gMASK]",
    **{126_084 + n: f"<|reserved_token_{n}|>" for n in range(252)},
    126_336: "<|mdm_mask|>",
    **{126_337 + n: f"<|reserved_token_{253 + n}|>" for n in range(3)},
    126_340: "<role>",
    126_341: "</role>",
    126_342: "<|arithmetic_start|>",
    126_343: "<|arithmetic_end|>",
    126_344: "<|number_start|>",
    126_345: "<|number_end|>",
    126_346: "<|start_header_id|>",
    126_347: "<|end_header_id|>",
    126_348: "<|eot_id|>",
}
SOI, EOI, MMU, SOT, EOT = 126_084, 126_085, 126_089, 126_080, 126_348
HEADER, HEADER_END, FIRST_CODE = 126_346, 126_347, 126_349
TEMPLATE = (
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = '<|startoftext|>' + content "
    "%}{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
LENGTHS = {"gen_length": 4, "block_length": 4}
QUESTION = "What is <|eot_id|> <eot_id>?"
PICTURE = Image.radial_gradient("L").resize((640, 520)).convert("RGB")


def write_tokenizer(folder: Path, base: bool = False) -> None:
    """Byte by byte, but as long as LLaDA's: 126,349 tokens, or a Base model's without the three of the chat's headers."""
    vocabulary = {token: n for n, token in enumerate(ALPHABET)}
    vocabulary |= {f"{n:x}·": n for n in range(len(ALPHABET), WORDS)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = list(SPECIAL.values())[: -3 if base else None]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    keys = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    keys |= {"bos_token": "<|startoftext|>", "clean_up_tokenization_spaces": False, "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(keys))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders: mmada, as Gen-Verse/MMaDA-8B is laid out, and magvitv2 beside it."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    sizes = {"vocab_size": ROWS, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"num_key_value_heads": 2, "intermediate_size": 12, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
    rope = {"rope_type": "default", "rope_theta": 500000.0}
    keys = {"model_type": "mmada", "architectures": ["MMadaModelLM"], "llm_vocab_size": TEXT_ROWS}
    keys |= {"codebook_size": CODES, "new_vocab_size": ROWS, "num_new_special_tokens": 0, "num_vq_tokens": 256}
    model = new_model(LlamaConfig(**sizes, rope_parameters=rope, use_cache=False))
    ids = {"mask_token_id": 126_336, "eos_token_id": 126_081}
    save_model(model, folder / "mmada", **ids, dtype=torch.float32, more=keys)
    write_tokenizer(folder / "mmada")
    levels = {"encoder_multipliers": (1,) * 5, "encoder_blocks": (1,) * 5}
    levels |= {"decoder_multipliers": (1,) * 5, "decoder_blocks": (1,) * 5}
    save_magvit(Magvit(MagvitConfig(channels=32, **levels)), folder / "magvitv2")
    return folder


@pytest.fixture(scope="session")
def loaded(published: Path) -> Checkpoint:
    return load_checkpoint(str(published / "mmada"), device="cpu", image_tokenizer=published / "magvitv2")


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    """The same to be changed: the model's folder, with the picture tokenizer in it."""
    shutil.copytree(published / "mmada", tmp_path / "mmada")
    shutil.copytree(published / "magvitv2", tmp_path / "mmada" / "image_tokenizer")
    return tmp_path / "mmada"


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value != "gone"}))


def plain(text: str) -> list[int]:
    """Ordinary characters: a token per byte."""
    printed = {0x20: "Ġ", 0x0A: "Ċ"}
    return [ALPHABET.index(printed.get(byte, chr(byte))) for byte in text.encode("ascii")]


def relayed(loaded: Checkpoint, layout: str) -> Checkpoint:
    return replace(loaded, reader=replace(loaded.reader, layout=layout))


# ---- loading


def test_the_ids_are_the_published_ones(loaded: Checkpoint):
    assert len(loaded.tokenizer) == 126_349
    assert {n: loaded.tokenizer.convert_ids_to_tokens(n) for n in SPECIAL} == SPECIAL
    assert (loaded.mask_id, loaded.end_ids, loaded.context) == (126_336, (126_081, 126_348), 4096)
    assert loaded.reader.offset == FIRST_CODE
    assert (loaded.reader.resolution, loaded.reader.side) == (512, 32)  # whatever num_vq_tokens says


def test_names_and_rows_on_disk_are_the_published_ones(published: Path):
    index = published / "mmada" / "model.safetensors.index.json"
    files = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    tensors = {name: t for file in files for name, t in load_file(published / "mmada" / file).items()}
    block = ("q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out", "attn_norm", "ff_norm")
    expected = {f"model.transformer.blocks.{n}.{name}.weight" for n in range(2) for name in block}
    assert set(tensors) == expected | {f"model.transformer.{name}.weight" for name in ("wte", "ln_f", "ff_out")}
    assert (
        tensors["model.transformer.wte.weight"].shape == tensors["model.transformer.ff_out.weight"].shape == (ROWS, 8)
    )


def test_a_base_tokenizer_gets_the_headers_so_that_the_codes_stay_where_they_are(copy: Path):
    write_tokenizer(copy, base=True)
    base = load_checkpoint(str(copy), device="cpu")
    assert (len(base.tokenizer), base.reader.offset, base.end_ids) == (126_349, FIRST_CODE, (126_081, 126_348))
    codes = np.zeros((1, 1), dtype=np.int64)
    assert base.prompt_ids("?", codes)[:6] == [MMU, SOI, FIRST_CODE, EOI, SOT, HEADER]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"new_vocab_size": 134_655}, "embedding has 134656 rows, but new_vocab_size in config.json makes it 134655"),
        ({"embedding_size": 126_464}, "134656 rows, but embedding_size in config.json makes it 126464"),
        ({"codebook_size": 8000}, "134656 rows, but llm_vocab_size \\+ codebook_size in config.json makes it 134464"),
        ({"codebook_size": "8192"}, "codebook_size must be a whole number above 0, not '8192'"),
        ({"llm_vocab_size": "gone"}, "llm_vocab_size must be a whole number above 0, not None"),
        ({"codebook_size": 4096, "llm_vocab_size": 130_560}, "has 8192 codes, but the model .* reads 4096"),
        ({"codebook_size": 8307, "llm_vocab_size": 126_349}, "has 8192 codes, but the model .* reads 8307"),
        ({"mask_token_id": 134_656}, "mask_token_id 134656 is not a row of the embedding"),
    ],
)
def test_a_configuration_that_does_not_fit_the_rows_is_refused_with_both_figures(copy: Path, changes, message: str):
    change_config(copy, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(copy))


def test_stale_and_missing_figures_are_no_matter_where_the_tensor_decides(copy: Path):
    change_config(copy, num_vq_tokens=7, new_vocab_size="gone", embedding_size="gone", vocab_size=TEXT_ROWS)
    assert load_checkpoint(str(copy), device="cpu").reader.side == 32


@pytest.mark.parametrize("wte", [None, torch.tensor(1.0)])
def test_an_embedding_that_is_missing_or_has_no_rows_is_named(copy: Path, wte):
    (copy / "model.safetensors.index.json").unlink(missing_ok=True)
    for path in copy.glob("*.safetensors"):
        path.unlink()
    tensors = {"model.transformer.ln_f.weight": torch.ones(8)}
    tensors |= {} if wte is None else {"model.transformer.wte.weight": wte}
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.transformer\.wte\.weight is missing"):
        load_checkpoint(str(copy))


def test_a_missing_picture_tokenizer_is_named(published: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"image_tokenizer is missing.*showlab/magvitv2"):
        load_checkpoint(str(published / "mmada"))
    with pytest.raises(CheckpointError, match="nowhere is missing"):
        load_checkpoint(str(published / "mmada"), image_tokenizer=tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="llada-mini reads text alone: it takes no image tokenizer"):
        load_checkpoint("llada-mini", image_tokenizer=published / "magvitv2")
    with pytest.raises(CheckpointError, match="llada-mini reads text alone: it takes no layout"):
        load_checkpoint("llada-mini", layout="demo")


def test_a_tokenizer_without_the_marks_of_a_picture_is_refused(copy: Path):
    text = (copy / "tokenizer.json").read_text().replace("<|reserved_token_5|>", "<|something_else|>")
    (copy / "tokenizer.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"the tokenizer has no <\|reserved_token_5\|>, which picture prompts need"
    ):
        load_checkpoint(str(copy))


@pytest.mark.parametrize("template", ["{{ messages[0]['content'] * 2 }}", "hello"])
def test_a_chat_template_that_does_not_write_a_message_once_is_refused(copy: Path, template: str):
    keys = json.loads((copy / "tokenizer_config.json").read_text()) | {"chat_template": template}
    (copy / "tokenizer_config.json").write_text(json.dumps(keys))
    with pytest.raises(CheckpointError, match="the chat template must write a message once"):
        load_checkpoint(str(copy), layout="template")


# ---- how large the picture is


def test_the_resolution_is_what_the_preprocessor_says(tmp_path: Path):
    assert read_resolution(tmp_path, 16) == 512
    save_preprocessor(tmp_path, 128)
    assert read_resolution(tmp_path, 16) == 128
    (tmp_path / "preprocessor_config.json").write_text('{"size": 256}')
    assert read_resolution(tmp_path, 16) == 256


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"size": 500}, "size must be a multiple of 16 up to 2048, not '500'"),
        ({"size": 4096}, "size must be"),
        ({"size": 0}, "size must be"),
        ({"size": True}, "size must be"),
        ({"size": {"height": 512}}, "size must be a multiple of 16 up to 2048, not 'None'"),
        ({}, "size must be"),
        ({"size": 512, "crop_size": {"height": 448, "width": 448}}, "crop_size = .* is not supported"),
        ({"size": 512, "image_mean": [0.48, 0.46, 0.41]}, "image_mean = .* is not supported, only"),
        ({"size": 512, "resample": 2}, "resample = 2 is not supported, only 3"),
    ],
)
def test_a_preprocessor_that_would_make_another_picture_is_refused(tmp_path: Path, keys: dict, message: str):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(keys))
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json: " + message):
        read_resolution(tmp_path, 16)


# ---- the prompt, token by token


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CODES, (32, 32))


def image_part(codes: np.ndarray) -> list[int]:
    return [MMU, SOI, *(126_349 + int(code) for code in codes.reshape(-1)), EOI]


def test_the_demonstration_has_one_start_single_line_breaks_and_the_end_of_the_turn(loaded: Checkpoint, codes):
    assert loaded.prompt_ids(QUESTION, codes) == [
        *image_part(codes),
        SOT,
        *[HEADER, *plain("user"), HEADER_END, *plain("\n" + QUESTION), EOT],
        *[HEADER, *plain("assistant"), HEADER_END, *plain("\n")],
    ]


def test_the_inference_script_has_the_checkpoints_own_template(loaded: Checkpoint, codes):
    assert relayed(loaded, "template").prompt_ids(QUESTION, codes) == [
        *image_part(codes),
        SOT,
        *[HEADER, *plain("user"), HEADER_END, *plain("\n\n" + QUESTION), EOT],
        *[HEADER, *plain("assistant"), HEADER_END, *plain("\n\n")],
    ]


def test_the_evaluation_writes_the_end_of_the_turn_as_eight_ordinary_characters(loaded: Checkpoint, codes):
    assert relayed(loaded, "evaluation").prompt_ids(QUESTION, codes) == [
        *image_part(codes),
        SOT,
        *[HEADER, *plain("user"), HEADER_END, *plain("\n" + QUESTION + "<eot_id>")],
        *[HEADER, *plain("assistant"), HEADER_END, *plain("\n")],
    ]


def test_the_collection_starts_twice(loaded: Checkpoint, codes):
    assert relayed(loaded, "collection").prompt_ids(QUESTION, codes) == [
        *image_part(codes),
        SOT,
        SOT,
        *[HEADER, *plain("user"), HEADER_END, *plain("\n\n" + QUESTION), EOT],
        *[HEADER, *plain("assistant"), HEADER_END, *plain("\n\n")],
    ]


def test_spaces_around_a_question_are_not_part_of_it(loaded: Checkpoint, codes):
    for layout in ("demo", "template", "evaluation", "collection"):
        reading = relayed(loaded, layout)
        assert reading.prompt_ids(f"\n {QUESTION}  ", codes) == reading.prompt_ids(QUESTION, codes)


def test_an_unknown_layout_lists_the_known_ones(published: Path):
    with pytest.raises(CheckpointError, match="no layout 'chat': choose one of demo, template, evaluation, collection"):
        load_checkpoint(str(published / "mmada"), image_tokenizer=published / "magvitv2", layout="chat")


def test_ids_are_shown_as_what_they_are(loaded: Checkpoint):
    ids = [ALPHABET.index("A"), 126_348, 126_349, 134_540, 134_541, 134_655]
    shown = ["A", "<|eot_id|>", "⟨image 0⟩", "⟨image 8191⟩", "⟨unused 134541⟩", "⟨unused 134655⟩"]
    assert list(loaded.pieces(ids).values()) == shown
    assert loaded.text([*ids, loaded.mask_id]) == "A"


# ---- at work


def test_a_session_captions_a_picture_by_the_same_code(loaded: Checkpoint):
    session = Session(loaded.name, load=lambda name: loaded, task="caption")
    picture = session.see(PICTURE)
    assert picture.codes.shape == (32, 32) and len(np.unique(picture.codes)) > 1
    assert picture.seen.size == (512, 512)
    decoding = session.start(
        "Please describe this image in detail.", session.settings("wino"), picture=picture, **LENGTHS
    )
    for _ in decoding:
        pass
    trace = decoding.trace()
    assert trace.extra["picture"] == {"first": 2, "rows": 32, "columns": 32, "offset": 126_349}
    assert trace.prompt_ids[:2] == (MMU, SOI) and len(trace.prompt_ids) > 1024
    assert not set(trace.output_ids) & {loaded.mask_id}
    assert Trace.from_json(trace.to_json()) == trace


def test_the_command_line_takes_the_folder_of_the_picture_tokenizer_and_a_layout(published, tmp_path, capsys):
    picture, out = tmp_path / "picture.png", tmp_path / "trace.json"
    PICTURE.save(picture)
    arguments = ["decode", "--model", str(published / "mmada"), "--image", str(picture), "--prompt", "Hi"]
    lengths = ["--gen-length", "4", "--block-length", "4"]
    assert main([*arguments, *lengths, "--trace", str(out)]) == 2
    assert "image_tokenizer is missing" in capsys.readouterr().err
    arguments += ["--image-tokenizer", str(published / "magvitv2"), "--layout", "evaluation", *lengths]
    assert main([*arguments, "--trace", str(out)]) == 0
    trace = Trace.from_json(out.read_text())
    ends = [*plain("<eot_id>"), HEADER, *plain("assistant"), HEADER_END, *plain("\n")]
    assert list(trace.prompt_ids[-len(ends) :]) == ends


def test_a_folder_that_lacks_its_eyes_is_a_sentence_for_the_page(published: Path):
    with pytest.raises(ModelUnavailable, match=r"the model .*mmada can't be loaded: .*image_tokenizer is missing"):
        Session(str(published / "mmada")).see(PICTURE)
