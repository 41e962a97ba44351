"""Where a measured figure comes from: the command, the code, the weights, the machine. What is kept beside results.

Nothing here tells who measured: paths are given as they are from the working folder, else by their last name alone.
"""

from __future__ import annotations

import platform
import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).parent
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")
HASHING_THREADS = 4


def shown_command(program: str, arguments: Sequence[str]) -> str:
    """A command line for a shell in the same folder, without absolute paths."""
    return f"{program} {shlex.join(map(_shown_argument, arguments))}"


def _shown_argument(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if equals and option.startswith("--"):
        return f"{option}={shown_path(value)}"
    return shown_path(argument)


def shown_path(path: str | Path) -> str:
    """A relative path as it is; an absolute one from the working folder, or its last name where it lies elsewhere."""
    if not Path(path).is_absolute():
        return str(path)
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else Path(path).name)


def commit() -> str | None:
    """The commit of this package, "-dirty" behind it where tracked files of the package were changed since.

    None where it is no git checkout (an installed package in someone's own repository is none of that), or without git.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain", "-uno", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def weights_checksum(folder: Path) -> str:
    """One SHA-256 over every byte of the safetensors files in a folder; in a shell, in that folder:

        LC_ALL=C sha256sum *.safetensors | sha256sum

    Every byte, because two fine-tuned models differ in nothing else. That is 1 to 2 GB a second and core: nothing for an
    embedded model, some seconds for one of 16 GB beside the minutes of evaluating it. "" where there are none.
    """
    files = sorted(folder.glob("*.safetensors"), key=lambda path: path.name.encode())
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        lines = [f"{digest}  {path.name}\n" for path, digest in zip(files, pool.map(file_checksum, files), strict=True)]
    return sha256("".join(lines).encode()).hexdigest() if files else ""


def file_checksum(path: Path) -> str:
    """The SHA-256 of a file's bytes, as sha256sum prints it."""
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Python, and the packages that decide about results."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def machine(device: torch.device | Any) -> dict[str, Any]:
    """{"device": the GPU's name, or the CPU's kind, "threads": those of a CPU's share}."""
    if told := getattr(device, "about", None):  # of a model in another process
        return told
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {platform.machine()}"
    return {"device": name, "threads": torch.get_num_threads()}
