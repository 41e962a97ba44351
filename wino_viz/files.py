"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave the one that is there as it is: never half of it, also when the process is killed."""
    path = path.resolve()  # a link stays a link
    beside = path.with_name(path.name + ".tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def check_writable(path: Path | None) -> None:
    """Say that a result can't be written before the work is done, not after."""
    if path is not None and path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write")
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{path}: the folder {path.resolve().parent} does not exist")
