"""MAGVIT-v2 as showlab/magvitv2 publishes it: a picture becomes a grid of codes, and codes become a picture again.

    tokenizer = load_magvit(Path("assets/models/mmada-mini/image_tokenizer"))
    codes = tokenizer.encode(pixels)        # (B, 3, H, W) in -1..1  ->  (B, H/f, W/f) whole numbers
    pixels = tokenizer.decode(codes)        # and back, (B, 3, H, W) in 0..1

Encoder and decoder are the convolutional networks of VQGAN; between them the lookup-free quantizer (arXiv 2310.05737)
keeps of each of the C channels only its sign, so a code is C bits: channel 0 is the most significant one, and a bit is
set where the channel is above 0. There is no codebook to search, and none to learn.

Computed in float32: a rounded channel close to 0 would be another code. Tensor names and shapes are the published
ones; they are checked before anything is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wino_viz.models.files import MAGVIT_WEIGHTS_FILES, CheckpointError, check_tensors, read_header, read_json

CLASS_NAME = "MAGVITv2"
WEIGHTS = MAGVIT_WEIGHTS_FILES
GROUPS, NORM_EPS = 32, 1e-6
BUFFERS = ("quantize.embedding", "quantize.power_vals")

# A configuration may come from anywhere, and a network is laid out by it before its weights are looked at.
MAX_LEVELS = 8
PER_LEVEL = ("encoder_multipliers", "encoder_blocks", "decoder_multipliers", "decoder_blocks")
MAX_SIZES = {"channels": 1024, "z_channels": 18} | dict.fromkeys(PER_LEVEL, 64)  # a code is z_channels bits


@dataclass(frozen=True)
class MagvitConfig:
    """Sizes of both networks. The defaults are those of the published checkpoint, whose config.json names none.

    Multipliers and block counts go from the finest level to the coarsest. The coarsest level is 2^(levels - 1) times
    smaller than the picture. The decoder's levels run from the coarsest to the finest.
    """

    channels: int = 128
    z_channels: int = 13
    encoder_multipliers: tuple[int, ...] = (1, 2, 2, 4, 4)
    encoder_blocks: tuple[int, ...] = (4, 3, 4, 3, 4)
    decoder_multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    decoder_blocks: tuple[int, ...] = (4, 4, 3, 4, 3)

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), MAX_SIZES[field.name]
            if field.name in PER_LEVEL:
                fits = isinstance(value, list | tuple) and 1 <= len(value) <= MAX_LEVELS
                if not fits or not all(type(n) is int and 1 <= n <= most for n in value):
                    raise ValueError(
                        f"{field.name} must be a list of 1 to {MAX_LEVELS} whole numbers, 1 to {most}, "
                        f"not {str(value)[:60]!r}"
                    )
                object.__setattr__(self, field.name, tuple(value))
            elif type(value) is not int or not 1 <= value <= most:
                raise ValueError(f"{field.name} must be a whole number, 1 to {most}, not {str(value)[:60]!r}")
        if self.channels % GROUPS:
            raise ValueError(f"channels must be a multiple of {GROUPS}, not {self.channels}")
        levels = {len(getattr(self, name)) for name in PER_LEVEL}
        if len(levels) > 1:
            raise ValueError(f"{', '.join(PER_LEVEL)} must have the same length: one number per level")

    @property
    def factor(self) -> int:
        """Pixels per code along each side."""
        return 2 ** (len(self.encoder_multipliers) - 1)

    @property
    def codebook_size(self) -> int:
        return 2**self.z_channels


class ResnetBlock(nn.Module):
    """Two 3×3 convolutions beside a skip, which is a 1×1 convolution where the channels change."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, into, NORM_EPS)
        self.conv1 = nn.Conv2d(into, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, out, NORM_EPS)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        if into != out:
            self.nin_shortcut = nn.Conv2d(into, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttentionBlock(nn.Module):
    """Every place of the coarsest grid looks at every other: one head over all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, NORM_EPS)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        q, k, v = (part(normed).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))  # (B, HW, C)
        seen = F.scaled_dot_product_attention(q, k, v)  # scale C^-0.5
        return x + self.proj_out(seen.transpose(1, 2).reshape(x.shape))


class Middle(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = ResnetBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # right and bottom only


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The blocks of one resolution, with what leads to the next one where there is a next."""

    def __init__(self, into: int, out: int, blocks: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResnetBlock(into if n == 0 else out, out) for n in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        for change in ("downsample", "upsample"):
            if hasattr(self, change):
                x = getattr(self, change)(x)
        return x


class Encoder(nn.Module):
    def __init__(self, config: MagvitConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.encoder_multipliers]
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.down = nn.ModuleList(
            Level(into, out, blocks)
            for into, out, blocks in zip([config.channels, *widths], widths, config.encoder_blocks, strict=False)
        )
        for level in self.down[:-1]:
            level.downsample = Downsample(level.block[-1].conv2.out_channels)
        self.mid = Middle(widths[-1])
        self.norm_out = nn.GroupNorm(GROUPS, widths[-1], NORM_EPS)
        self.conv_out = nn.Conv2d(widths[-1], config.z_channels, 3, padding=1)
        self.quant_conv = nn.Conv2d(config.z_channels, config.z_channels, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.conv_in(pixels)
        for level in self.down:
            x = level(x)
        return self.quant_conv(self.conv_out(F.silu(self.norm_out(self.mid(x)))))


class Decoder(nn.Module):
    def __init__(self, config: MagvitConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.decoder_multipliers]
        self.post_quant_conv = nn.Conv2d(config.z_channels, config.z_channels, 1)
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        self.up = nn.ModuleList(
            Level(into, out, blocks)
            for into, out, blocks in zip([*widths[1:], widths[-1]], widths, config.decoder_blocks, strict=True)
        )
        for level in self.up[1:]:
            level.upsample = Upsample(level.block[-1].conv2.out_channels)
        self.norm_out = nn.GroupNorm(GROUPS, widths[0], NORM_EPS)
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(self.post_quant_conv(z)))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class LookupFreeQuantizer(nn.Module):
    """Signs to codes and back. The two tensors hold nothing that is not known; the published file has them."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.register_buffer("power_vals", 2 ** torch.arange(bits - 1, -1, -1))  # channel 0: the highest
        codes = torch.arange(2**bits)[:, None]
        self.register_buffer("embedding", ((codes // self.power_vals) % 2).float() * 2 - 1)  # (2^bits, bits), ±1

    def codes(self, z: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, h, w) int64."""
        return ((z > 0).long() * self.power_vals[:, None, None]).sum(1)

    def signs(self, codes: Tensor) -> Tensor:
        """(B, h, w) -> (B, C, h, w) of ±1."""
        return self.embedding[codes].movedim(-1, 1)


def full_precision() -> AbstractContextManager[None]:
    """float32 means float32 on a GPU, too: there, convolutions round to TF32 unless they are told not to."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


class Magvit(nn.Module):
    """The whole tokenizer. New weights come from torch's global generator; it is in evaluation mode once loaded."""

    def __init__(self, config: MagvitConfig | None = None) -> None:
        super().__init__()
        self.config = config or MagvitConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.quantize = LookupFreeQuantizer(self.config.z_channels)

    @property
    def device(self) -> torch.device:
        return self.quantize.embedding.device

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) float in -1..1, H and W multiples of the factor -> (B, H/factor, W/factor) int64 codes."""
        if (
            pixels.ndim != 4
            or pixels.shape[1] != 3
            or pixels.shape[2] % self.config.factor
            or pixels.shape[3] % self.config.factor
            or not pixels.numel()
        ):
            raise ValueError(
                f"pixels must be (B, 3, H, W) with H and W multiples of {self.config.factor}, not {tuple(pixels.shape)}"
            )
        with full_precision():
            return self.quantize.codes(self.encoder(pixels.to(self.device, torch.float32)))

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """(B, h, w) codes -> (B, 3, h·factor, w·factor) float in 0..1; raises ValueError for a code that is none."""
        if codes.ndim != 3 or not codes.numel():
            raise ValueError(f"codes must be (B, h, w), not {tuple(codes.shape)}")
        if not 0 <= int(codes.min()) <= int(codes.max()) < self.config.codebook_size:
            raise ValueError(f"codes must be 0 to {self.config.codebook_size - 1}")
        with full_precision():
            pixels = self.decoder(self.quantize.signs(codes.to(self.device)))
        return ((pixels + 1) / 2).clamp(0, 1)


def load_magvit(folder: Path, device: str | torch.device = "cpu") -> Magvit:
    """Load a folder in the published layout (config.json and one safetensors file), in float32.

    Raises CheckpointError naming the first file, key or tensor that is missing or wrong.
    """
    config = read_config(folder)
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(f"{folder} holds no weights: {WEIGHTS[0]} is missing")
    with torch.device("meta"):
        model = Magvit(config)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    check_tensors(expected, read_header(path, integers=BUFFERS), folder)
    weights = {name: t if name in BUFFERS else t.float() for name, t in load_file(path).items()}
    made = LookupFreeQuantizer(config.z_channels).state_dict()
    for name in BUFFERS:  # no other reading of a code is known to this class
        if not torch.equal(weights[name].float(), made[name.removeprefix("quantize.")].float()):
            raise CheckpointError(f"{path}: {name} is not the lookup-free codebook of {config.z_channels} bits")
        weights[name] = made[name.removeprefix("quantize.")]
    broken = [name for name, tensor in weights.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path}: tensor {broken[0]} holds values that are no numbers")
    model.load_state_dict(weights, strict=True, assign=True)
    return model.requires_grad_(False).eval().to(device)


def read_config(folder: Path) -> MagvitConfig:
    """config.json of a tokenizer folder. The published one names a class and nothing else: every size is a default."""
    data = read_json(folder / "config.json")
    if data.get("_class_name", CLASS_NAME) != CLASS_NAME:
        raise CheckpointError(
            f"{folder / 'config.json'}: _class_name {str(data['_class_name'])[:40]!r} is not {CLASS_NAME}"
        )
    known = {field.name for field in fields(MagvitConfig)}
    try:
        return MagvitConfig(**{key: value for key, value in data.items() if key in known})
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None


def save_magvit(model: Magvit, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write config.json and the weights under the published names; dtype is how the parameters are stored."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        name: tensor.detach().cpu().to(tensor.dtype if name in BUFFERS else dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(stored, folder / WEIGHTS[0], metadata={"format": "pt"})
    config: Mapping[str, Any] = {"_class_name": CLASS_NAME, **asdict(model.config)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
