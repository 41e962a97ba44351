"""Reading model folders that come from anywhere: JSON objects, safetensors headers, and errors that name what is wrong.
Nothing here imports torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

EMBEDDED = Path(__file__).parents[2] / "assets" / "models"  # the models that ship with the project, a folder each
CONFIG_FILE, ADAPTER_FILE, PRESETS_FILE = "config.json", "adapter_config.json", "presets.json"
WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors"
# Of an image tokenizer: the published file has the first name; the others are what the usual libraries write.
MAGVIT_WEIGHTS_FILES = ("pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.safetensors")
FLOATS = ("BF16", "F16", "F32", "F64")  # what weights may be stored as


_WINO_PLUS = re.compile(r"wino[-_]?plus[^/\\]*[/\\]?$", re.IGNORECASE)  # in the last part of a path


def is_wino_plus(model: str) -> bool:
    """Whether a model's name (or its folder's) says that it is a WINO+ model: "llada-mini-wino-plus"."""
    return _WINO_PLUS.search(model) is not None


class CheckpointError(ValueError):
    """A model folder that can't be used; the message names the file, key or tensor that is wrong."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises CheckpointError naming the file when it is missing or malformed."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return data


def model_folder(name: str) -> Path | None:
    """The folder of a model name: an embedded model's, or the local folder that it is; None where there is none."""
    return next((folder for folder in (EMBEDDED / name, Path(name)) if name and folder.is_dir()), None)


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in a folder's safetensors files, from their headers alone."""
    shapes = {}
    for file in _shards(folder):
        shapes |= read_header(file)
    return shapes


def read_places(folder: Path) -> dict[Path, list[str]]:
    """Per safetensors file of a folder, the names of its tensors, in the order of the file."""
    return {file: list(read_header(file)) for file in _shards(folder)}


def _shards(folder: Path) -> list[Path]:
    """The safetensors files of a folder: those that its index names, else model.safetensors."""
    index = folder / INDEX_FILE
    if not index.exists():
        return [folder / WEIGHTS_FILE]
    return [folder / name for name in shard_names(read_json(index), index)]


def shard_names(index: Mapping[str, Any], where: Path | str) -> list[str]:
    """The files that a model.safetensors.index.json names; raises CheckpointError for one that is none of its folder."""
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise CheckpointError(f"{where}: weight_map must map tensor names to file names")
    names = sorted(set(weight_map.values()))
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(f"{where}: {name!r} is not the name of a file in this folder")
    return names


def read_header(path: Path, integers: Collection[str] = ()) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of one safetensors file. All hold floats, those of `integers` may hold others."""
    shapes = {}
    try:
        with safe_open(path, framework="pt") as shard:
            for key in shard.keys():  # noqa: SIM118
                part = shard.get_slice(key)
                shapes[key] = tuple(part.get_shape())
                if part.get_dtype() not in FLOATS and key not in integers:
                    raise CheckpointError(f"{path}: tensor {key} is {part.get_dtype()}, not one of {FLOATS}")
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (SafetensorError, OSError, RuntimeError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from None
    return shapes


def check_tensors(expected: Mapping[str, tuple], found: Mapping[str, tuple], folder: Path) -> None:
    """Raise CheckpointError naming the tensors that are missing, extra or of another shape."""
    for problem, names in (("missing", expected.keys() - found.keys()), ("not known", found.keys() - expected.keys())):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"{folder}: tensor {min(names)}{more} {'is' if not more else 'are'} {problem}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise CheckpointError(f"{folder}: tensor {name} has shape {found[name]}, expected {shape}")
