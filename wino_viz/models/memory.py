"""Whether there is room for a model, before any of it is loaded: what is free in host memory, on a GPU, on a disk.

    check_room(16_031_162_368, free_memory("cuda"), "GPU memory", "GSAI-ML/LLaDA-8B-Instruct")

Sizes are bytes. Where a machine doesn't say what is free (None), nothing is refused.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from wino_viz.models.files import CheckpointError

GB = 10**9
MARGIN = 0.03  # of a model's size, left for activations and for what the allocator can't use
_CGROUP = Path("/sys/fs/cgroup")


def size(count: int) -> str:
    """Bytes in words: "16.0 GB", "382 MB"."""
    return f"{count / GB:,.1f} GB" if count >= GB else f"{max(1, round(count / 10**6)):,} MB"


def check_room(needed: int, free: int | None, where: str, what: str, advice: str = "") -> None:
    """Raise CheckpointError with both numbers where `needed` bytes don't fit."""
    if free is not None and needed > free:
        more = f": {advice}" if advice else ""
        raise CheckpointError(f"{what} needs {size(needed)} of {where}, and {size(max(free, 0))} is free{more}")


def free_memory(device: str) -> int | None:
    """Free bytes where a model on `device` would lie; what is cached and can be given back counts as free."""
    if device.split(":")[0] == "cpu":
        return free_host_memory()
    import torch

    if device.split(":")[0] != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def free_host_memory() -> int | None:
    """What Linux can give without swapping, within the limit of a container where there is one."""
    limits = [_available(), _left_in_container()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _left_in_container() -> int | None:
    """memory.max less what is in use of it; the page cache, which can be dropped, is not in use."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return (
        None
        if limit == "max"
        else int(limit) - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
    )
