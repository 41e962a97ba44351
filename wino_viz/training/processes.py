"""Several processes that train one model, as torchrun starts them; with one process nothing here does anything."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn


def join_processes() -> tuple[int, int, torch.device]:
    """(rank, how many processes there are, this one's device); under torchrun the processes find each other."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return rank, world, device


def first_process() -> bool:
    """Whether this process writes the result."""
    return os.environ.get("RANK", "0") == "0"


def average_gradients(model: nn.Module, world: int) -> None:
    """Every process gets the mean of all gradients, sent as one tensor."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def agreed(stop: bool, world: int, device: torch.device) -> bool:
    """Whether any process wants to stop: all must take the same number of steps."""
    if world == 1:
        return stop
    votes = torch.tensor(float(stop), device=device)
    dist.all_reduce(votes)
    return bool(votes > 0)
