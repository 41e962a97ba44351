"""The picture tokenizer in the published layout: its tensors, what a code is, and both networks against their formulas."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from wino_viz.models.files import CheckpointError
from wino_viz.models.magvit import (
    AttentionBlock,
    Downsample,
    Magvit,
    MagvitConfig,
    ResnetBlock,
    Upsample,
    load_magvit,
    save_magvit,
)

FACTS = Path(__file__).parent / "data" / "magvitv2_tensors.txt"
WEIGHTS = "pytorch_model.safetensors"
SMALL = MagvitConfig(
    channels=32,
    z_channels=3,
    encoder_multipliers=(1, 2),
    encoder_blocks=(1, 2),
    decoder_multipliers=(1, 1),
    decoder_blocks=(2, 1),
)


def published() -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Name, shape and dtype of every tensor of showlab/magvitv2."""
    facts = {}
    for line in FACTS.read_text().splitlines():
        name, shape, dtype = line.split(" ", 1)[0], line[line.index("(") + 1 : line.index(")")], line.split()[-1]
        facts[name] = tuple(int(n) for n in shape.split(",") if n.strip()), getattr(torch, dtype)
    return facts


def lookup_free(bits: int) -> dict[str, Tensor]:
    """The two tensors without parameters, from the binary digits of each code."""
    rows = [[1.0 if digit == "1" else -1.0 for digit in format(code, f"0{bits}b")] for code in range(2**bits)]
    powers = [2**n for n in reversed(range(bits))]
    return {"quantize.embedding": torch.tensor(rows), "quantize.power_vals": torch.tensor(powers)}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as showlab/magvitv2 publishes it, with random weights (380 MB: gone after the tests)."""
    folder = tmp_path_factory.mktemp("magvitv2")
    torch.manual_seed(0)
    tensors = {}
    for name, (shape, dtype) in published().items():
        if name.startswith("quantize."):
            tensors[name] = lookup_free(13)[name].to(dtype)
        else:
            scale = 0.02 if len(shape) == 4 else 0.1
            tensors[name] = torch.empty(shape, dtype=dtype).uniform_(-scale, scale)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / "config.json").write_text('{"_class_name": "MAGVITv2", "_diffusers_version": "0.30.1"}')
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_magvit(Magvit(SMALL), tmp_path / "small")
    return tmp_path / "small"


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


# ---- the published layout


def test_the_published_checkpoint_loads_and_makes_a_code_of_sixteen_by_sixteen_pixels(full: Path):
    model = load_magvit(full)
    assert {name: (tuple(t.shape), t.dtype) for name, t in model.state_dict().items()} == published()
    assert len(published()) == 382
    assert (model.config.factor, model.config.codebook_size) == (16, 8192)
    codes = model.encode(torch.linspace(-1, 1, 3 * 32 * 48).reshape(1, 3, 32, 48))
    assert codes.shape == (1, 2, 3) and codes.dtype == torch.int64
    pixels = model.decode(codes)
    assert pixels.shape == (1, 3, 32, 48) and 0 <= pixels.min() <= pixels.max() <= 1


def test_a_saved_tokenizer_loads_to_the_same_codes_and_pixels(small: Path):
    torch.manual_seed(0)
    original, loaded = Magvit(SMALL).eval(), load_magvit(small)
    assert loaded.config == SMALL
    pixels = torch.rand(2, 3, 8, 10) * 2 - 1
    codes = original.encode(pixels)
    assert len(codes.unique()) > 1
    assert torch.equal(loaded.encode(pixels), codes)
    assert torch.equal(loaded.decode(codes), original.decode(codes))


def test_weights_under_a_usual_name_and_in_half_precision_are_computed_in_float32(small: Path):
    save_magvit(load_magvit(small), small, dtype=torch.bfloat16)
    (small / WEIGHTS).rename(small / "model.safetensors")
    model = load_magvit(small)
    assert {t.dtype for t in model.parameters()} == {torch.float32}
    assert model.encode(torch.zeros(1, 3, 4, 4)).shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("encoder.mid.attn_1.q.weight"), r"encoder\.mid\.attn_1\.q\.weight is missing"),
        (lambda t: t.pop("quantize.power_vals"), r"quantize\.power_vals is missing"),
        (lambda t: t.update({"encoder.mid.attn_2.q.bias": torch.zeros(2)}), r"attn_2\.q\.bias is not known"),
        (
            lambda t: t.update({"decoder.conv_in.weight": torch.zeros(32, 4, 3, 3)}),
            r"decoder\.conv_in\.weight has shape \(32, 4, 3, 3\), expected \(32, 3, 3, 3\)",
        ),
        (
            lambda t: t.update({"decoder.conv_out.bias": torch.tensor([0, torch.nan, 0])}),
            r"decoder\.conv_out\.bias holds values that are no numbers",
        ),
        (lambda t: t.update({"decoder.conv_out.bias": torch.zeros(3, dtype=torch.int8)}), r"conv_out\.bias is I8"),
        (
            lambda t: t.update({"quantize.power_vals": torch.tensor([1, 2, 4])}),
            r"quantize\.power_vals is not the lookup-free codebook of 3 bits",
        ),
        (
            lambda t: t.update({"quantize.embedding": t["quantize.embedding"].flip(1).contiguous()}),
            r"quantize\.embedding is not the lookup-free codebook of 3 bits",
        ),
    ],
)
def test_a_tensor_that_is_wrong_is_named(small: Path, change, message: str):
    change_tensors(small, change)
    with pytest.raises(CheckpointError, match=message):
        load_magvit(small)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "VQModel"}, "_class_name 'VQModel' is not MAGVITv2"),
        ({"channels": 48}, "channels must be a multiple of 32, not 48"),
        ({"channels": [128]}, r"channels must be a whole number, 1 to 1024, not '\[128\]'"),
        ({"channels": True}, "channels must be a whole number"),
        ({"z_channels": 19}, "z_channels must be a whole number, 1 to 18, not '19'"),
        ({"encoder_blocks": 2}, "encoder_blocks must be a list of 1 to 8 whole numbers, 1 to 64, not '2'"),
        ({"encoder_blocks": []}, "encoder_blocks must be a list"),
        ({"encoder_multipliers": [1] * 9}, "encoder_multipliers must be a list of 1 to 8"),
        ({"decoder_blocks": [1, 0]}, "decoder_blocks must be a list"),
        ({"decoder_blocks": [1, 1, 1]}, "must have the same length"),
        ({"z_channels": 4}, r"quant_conv|conv_out|conv_in|embedding"),
    ],
)
def test_a_configuration_that_fits_no_network_is_a_sentence(small: Path, changes: dict, message: str):
    change_config(small, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_magvit(small)


def test_a_missing_or_broken_file_is_named(small: Path):
    (small / WEIGHTS).write_bytes((small / WEIGHTS).read_bytes()[:40])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.safetensors can't be read"):
        load_magvit(small)
    (small / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights: pytorch_model\.safetensors is missing"):
        load_magvit(small)
    (small / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_magvit(small)


# ---- what a code is


@pytest.mark.parametrize(
    ("channels", "code"),
    [
        ((1.0, -1.0, -1.0), 4),
        ((-1.0, -1.0, 1.0), 1),
        ((2.0, 1e-30, -1e-30), 6),
        ((0.0, 0.0, 0.0), 0),
        ((0.0, 3.0, -0.0), 2),
        ((1.0, 1.0, 1.0), 7),
    ],
)
def test_a_bit_is_set_above_zero_and_the_first_channel_is_the_highest_bit(small: Path, channels, code: int):
    def constant(tensors: dict[str, Tensor]) -> None:
        tensors["encoder.quant_conv.weight"].zero_()
        tensors["encoder.quant_conv.bias"].copy_(torch.tensor(channels))

    change_tensors(small, constant)
    assert load_magvit(small).encode(torch.rand(1, 3, 4, 4)).unique().tolist() == [code]


def test_the_decoder_is_given_the_signs_of_every_code(small: Path):
    model, given = load_magvit(small), []
    model.decoder.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    model.decode(torch.arange(8).reshape(1, 2, 4))
    assert torch.equal(given[0][0].flatten(1).T, lookup_free(3)["quantize.embedding"])


def test_rows_of_codes_are_rows_of_the_picture(small: Path):
    model = load_magvit(small)
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    moved = torch.cat((pixels[..., 8:], pixels[..., :8]), dim=-1)
    assert model.encode(pixels).shape == (1, 8, 8)
    assert not torch.equal(model.encode(pixels), model.encode(moved))
    assert model.decode(torch.zeros(1, 2, 5, dtype=torch.int64)).shape == (1, 3, 4, 10)


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 1, 4, 4), (1, 3, 5, 4), (1, 3, 4, 3), (1, 3, 0, 4), (0, 3, 4, 4)])
def test_pixels_of_another_shape_are_refused(small: Path, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="multiples of 2"):
        load_magvit(small).encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("codes", "message"),
    [([[[8]]], "codes must be 0 to 7"), ([[[-1]]], "codes must be 0 to 7"), ([[1]], r"codes must be \(B, h, w\)")],
)
def test_codes_that_are_none_are_refused(small: Path, codes, message: str):
    with pytest.raises(ValueError, match=message):
        load_magvit(small).decode(torch.tensor(codes))


# ---- the parts, against their formulas


def group_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """32 groups of channels, each with its own mean and (biased) variance. x: (C, H, W)"""
    out = np.empty_like(x)
    for channels in np.split(np.arange(len(x)), 32):
        part = x[channels]
        out[channels] = (part - part.mean()) / np.sqrt(part.var() + 1e-6)
    return out * weight[:, None, None] + bias[:, None, None]


def swish(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """With zeros around, so that the size stays. x: (C, H, W); weight: (O, C, k, k)"""
    side = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (side, side), (side, side)))
    out = np.empty((len(weight), *x.shape[1:]))
    for y in range(x.shape[1]):
        for column in range(x.shape[2]):
            window = padded[:, y : y + 2 * side + 1, column : column + 2 * side + 1]
            out[:, y, column] = (weight * window).sum(axis=(1, 2, 3)) + bias
    return out


def parts_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights, none of them what they are when new. {name: float64}"""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.5, 0.5)
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def computed(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(x).float()[None])[0].double().numpy()


@pytest.mark.parametrize("out", [32, 64])
def test_a_resnet_block_is_what_its_formula_says(out: int):
    torch.manual_seed(1)
    block = ResnetBlock(32, out)
    w, x = parts_of(block), np.random.default_rng(0).normal(size=(32, 3, 4))
    h = convolve(swish(group_norm(x, w["norm1.weight"], w["norm1.bias"])), w["conv1.weight"], w["conv1.bias"])
    h = convolve(swish(group_norm(h, w["norm2.weight"], w["norm2.bias"])), w["conv2.weight"], w["conv2.bias"])
    skip = x if out == 32 else convolve(x, w["nin_shortcut.weight"], w["nin_shortcut.bias"])
    np.testing.assert_allclose(computed(block, x), h + skip, rtol=1e-4, atol=1e-4)


def test_the_attention_block_is_what_its_formula_says():
    torch.manual_seed(2)
    block = AttentionBlock(64)
    w, x = parts_of(block), np.random.default_rng(1).normal(size=(64, 2, 3))
    normed = group_norm(x, w["norm.weight"], w["norm.bias"])
    q, k, v = (convolve(normed, w[f"{p}.weight"], w[f"{p}.bias"]).reshape(64, 6) for p in "qkv")
    seen = np.zeros((64, 6))
    for at in range(6):
        scores = np.array([q[:, at] @ k[:, other] for other in range(6)]) * 64**-0.5
        shares = np.exp(scores - scores.max())
        seen[:, at] = v @ (shares / shares.sum())
    expected = x + convolve(seen.reshape(64, 2, 3), w["proj_out.weight"], w["proj_out.bias"])
    np.testing.assert_allclose(computed(block, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_downsampling_looks_right_and_below_and_finds_nothing_beyond_the_edge(row: int, column: int):
    """One tap of the kernel at a time: what it sees of a picture whose places are numbered from 1."""
    down = Downsample(1)
    with torch.no_grad():
        down.conv.weight.zero_()
        down.conv.bias.zero_()
        down.conv.weight[0, 0, row, column] = 1
    x = np.arange(1.0, 25.0).reshape(1, 4, 6)
    beyond = np.pad(x[0], ((0, 2), (0, 2)))
    assert np.array_equal(computed(down, x)[0], beyond[row : row + 4 : 2, column : column + 6 : 2])


def test_an_upsampling_repeats_every_place_before_its_convolution():
    up = Upsample(1)
    with torch.no_grad():
        up.conv.weight.zero_()
        up.conv.bias.zero_()
        up.conv.weight[0, 0, 1, 1] = 1
    x = np.arange(6.0).reshape(1, 2, 3)
    assert np.array_equal(computed(up, x)[0], x[0].repeat(2, axis=0).repeat(2, axis=1))
