"""Train the embedded model's picture tokenizer: MAGVIT-v2's architecture, small, on scenes drawn while it trains.

    python -m wino_viz.training.image_tokenizer --out assets/models/mmada-mini/image_tokenizer --seconds 300
    python -m wino_viz.training.image_tokenizer --out runs/toy-tokenizer --steps 20 --batch 8                   # a laptop

Loss: absolute and squared error of the picture, of its edges, and of the mean colour under each code; a commitment of
each channel to its sign; and the entropy terms of lookup-free quantization (arXiv 2310.05737, section 3.1): each place sure
of its code, all codes in use. The gradient passes the sign unchanged. Pictures of the training split only: no held-out
pair of shape and colour is ever seen. A tokenizer that saw no red moon draws one orange, and no model behind it can know
better; so `--blobs 0.6` makes some things of so many pictures blobs and bands, which show every colour on outlines that
have no name. `--init FOLDER` goes on from a tokenizer. Batches are functions of (seed, step).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wino_viz.models.magvit import Magvit, MagvitConfig, load_magvit, save_magvit
from wino_viz.tasks.scenes import Scene, draw, generate
from wino_viz.tasks.scenes_drawing import BLOBS

RESOLUTION = 128
# 16×16 codes of 10 bits from 128×128 pixels; 3.5 M parameters.
MINI = MagvitConfig(
    channels=32,
    z_channels=10,
    encoder_multipliers=(1, 2, 2, 4),
    encoder_blocks=(2, 2, 2, 2),
    decoder_multipliers=(1, 2, 2, 4),
    decoder_blocks=(2, 2, 2, 2),
)
ENTROPY_WEIGHT, COMMITMENT_WEIGHT, EDGE_WEIGHT = 0.02, 0.1, 1.0
COLOUR_WEIGHT = 2.0  # of the mean colour of each code's 8×8 pixels
BLOB_SHARE = 0.5  # of the things in a picture that has blobs
SHARPNESS = 4.0  # of the sigmoid that reads a channel as the probability of its bit
WARMUP_STEPS = 200


class Pictures(Dataset):
    """Batch number k: (B, H, W, 3) uint8 pictures of scenes made from (split, seed, k) alone."""

    def __init__(self, batch: int, seed: int, split: str = "train", blobs: float = 0.0) -> None:
        self.batch, self.seed, self.split, self.blobs = batch, seed, split, blobs

    def __getitem__(self, k: int) -> Tensor:
        rng = Random(f"pictures {self.split} {self.seed} {k}")
        scenes = (with_blobs(generate(rng, self.split), rng, self.blobs)[1] for _ in range(self.batch))
        return torch.from_numpy(np.stack([np.asarray(draw(scene, RESOLUTION)) for scene in scenes]))

    def __len__(self) -> int:
        return 2**31


def with_blobs(scene: Scene, rng: Random, share: float) -> tuple[Scene, Scene]:
    """The scene as it is told and as it is drawn: with blobs for some of its things as often as `share` says."""
    if rng.random() >= share:
        return scene, scene
    told, shown = [], []
    for thing in scene.things:
        blob = rng.random() < BLOB_SHARE
        told.append(replace(thing, shape="blob") if blob else thing)
        shown.append(replace(thing, shape=rng.choice(tuple(BLOBS))) if blob else thing)
    if len({(thing.shape, thing.colour, thing.size) for thing in told}) < len(told):
        return scene, scene  # two would have one name
    return replace(scene, things=tuple(told)), replace(scene, things=tuple(shown))


def as_pixels(pictures: Tensor, device: torch.device) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float in -1..1, as `wino_viz.pictures.preprocess` makes them."""
    return pictures.to(device, non_blocking=True).movedim(-1, 1).float() / 127.5 - 1


def losses(model: Magvit, pixels: Tensor) -> dict[str, Tensor]:
    """The terms of the loss for one batch, and the bits that are in use on average (up to z_channels)."""
    z = model.encoder(pixels).float()  # (B, C, h, w)
    signs = torch.where(z > 0, 1.0, -1.0)
    made = model.decoder(z + (signs - z).detach()).float()
    edges = sum((made.diff(dim=d) - pixels.diff(dim=d)).abs().mean() for d in (2, 3))
    side = pixels.shape[-1] // z.shape[-1]
    colours = (F.avg_pool2d(made, side) - F.avg_pool2d(pixels, side)).abs().mean()
    sure, used = entropies(z)
    return {
        "error": (made - pixels).abs().mean() + 2 * F.mse_loss(made, pixels),
        "colours": colours,
        "edges": edges,
        "commitment": F.mse_loss(z, signs),
        "entropy": sure - used,
        "bits used": used / math.log(2),
    }


def entropies(z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean entropy of a place's code, and entropy of the mean distribution over all codes, in nats."""
    bits = z.shape[1]
    places = z.movedim(1, -1).reshape(-1, bits)
    logits = SHARPNESS * places
    each = F.softplus(logits) - logits * torch.sigmoid(logits)  # entropy of a Bernoulli from its logit
    some = logits[:: max(1, len(logits) // 8192)]  # enough for the mean distribution
    index = torch.arange(2**bits, device=z.device)
    code_bits = (index[:, None] >> torch.arange(bits - 1, -1, -1, device=z.device)) & 1  # (2^C, C), channel 0 highest
    log_p = F.logsigmoid(some) @ code_bits.T.float() + F.logsigmoid(-some) @ (1 - code_bits).T.float()
    mean = log_p.exp().mean(0)
    return each.sum(-1).mean(), -(mean * (mean + 1e-9).log()).sum()


@torch.no_grad()
def report(model: Magvit, pixels: Tensor) -> str:
    """Peak signal-to-noise ratio of decoded pictures in dB, and how many codes appear."""
    codes = model.encode(pixels)
    error = F.mse_loss(model.decode(codes), (pixels + 1) / 2).item()
    return f"PSNR {-10 * math.log10(error):.1f} dB  {len(codes.unique())} codes of {model.config.codebook_size} in use"


def train(options: argparse.Namespace) -> Magvit:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(options.seed)
    model = load_magvit(options.init) if options.init else Magvit(MINI)
    model = model.to(device, memory_format=torch.channels_last).train().requires_grad_(True)
    held = as_pixels(Pictures(options.report_count, options.seed, "validation")[0], device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    loss_of = torch.compile(losses) if device.type == "cuda" else losses
    loader = iter(
        DataLoader(
            Pictures(options.batch, options.seed, blobs=options.blobs),
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
            sampler=range(10**9),
        )
    )
    weights = {
        "error": 1.0,
        "colours": COLOUR_WEIGHT,
        "edges": EDGE_WEIGHT,
        "commitment": COMMITMENT_WEIGHT,
        "entropy": ENTROPY_WEIGHT,
    }
    started, step, done = time.perf_counter(), 0, 0.0
    while done < 1:
        spent = time.perf_counter() - started
        done = max(step / options.steps if options.steps else 0, spent / options.seconds if options.seconds else 0)
        rate = (
            options.learning_rate
            * min(1, (step + 1) / WARMUP_STEPS)
            * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1, done))) / 2)
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        pixels = as_pixels(next(loader), device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):  # slow on most CPUs
            terms = loss_of(model, pixels)
        sum(weight * terms[name] for name, weight in weights.items()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % options.report_every == 0:
            words = "  ".join(f"{name} {value.item():.4f}" for name, value in terms.items())
            shown = (
                f"step {step}  {words}  {step * options.batch / spent if spent else 0:.0f} pictures/s  {spent:.0f} s"
            )
            print(shown, report(model, held), sep="  ", flush=True)
    print(f"trained {step} steps of {options.batch} pictures in {time.perf_counter() - started:.0f} s", flush=True)
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tokenizer")
    parser.add_argument("--init", type=Path, metavar="FOLDER", help="a tokenizer to go on from")
    parser.add_argument("--blobs", type=float, default=0.0, help="share of the pictures with blobs (default: 0)")
    parser.add_argument("--seconds", type=float, default=0, help="train for so long (the rate follows the clock)")
    parser.add_argument("--steps", type=int, default=0, help="or for so many steps")
    parser.add_argument("--batch", type=int, default=256, help="pictures per step")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw")
    parser.add_argument("--report-every", type=int, default=200)
    parser.add_argument("--report-count", type=int, default=64, help="validation pictures that the report is made of")
    options = parser.parse_args(arguments)
    if not options.steps and not options.seconds:
        parser.error("give --steps or --seconds")
    save_magvit(train(options), options.out, dtype=torch.float16)
    model = load_magvit(options.out)
    print("as stored:", report(model, as_pixels(Pictures(options.report_count, 1, "validation")[0], model.device)))


if __name__ == "__main__":
    main()
