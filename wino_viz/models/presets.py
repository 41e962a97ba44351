"""The settings that suit a task, by model: canvas lengths, decoders' settings, and words around the prompt.

    presets_of("llada-mini")["sudoku"].gen_length
    presets_of("GSAI-ML/LLaDA-8B-Instruct")["gsm8k"].label          "GSM8K as in the paper"

A model folder brings its own in presets.json. For one that brings none, assets/presets.json has what the papers used for
LLaDA-8B, MMaDA-8B and their WINO+ models. Nothing here loads a model or imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from wino_viz.models import hub
from wino_viz.models.files import (
    ADAPTER_FILE,
    CONFIG_FILE,
    PRESETS_FILE,
    CheckpointError,
    is_wino_plus,
    model_folder,
    read_json,
)

PAPERS = Path(__file__).parents[2] / "assets" / "presets.json"
LONG_CONTEXT = 2048  # tokens: a model with less is none of those that the papers' lengths were chosen for
FAMILIES = ("mmada", "llada")  # that the papers have settings for, as their names say it


@dataclass(frozen=True)
class Preset:
    """The settings that suit one task: canvas lengths, and per decoder what differs from its defaults.

    label: its name where a person may choose it. prefix: words before the question. suffix: what the answer is made to begin
    with, after the chat template; "{prompt}" in it stands for the question.
    """

    gen_length: int = 128
    block_length: int = 64
    decoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label: str = ""
    prefix: str = ""
    suffix: str = ""

    def __post_init__(self) -> None:
        for name in ("label", "prefix", "suffix"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be text, not {getattr(self, name)!r:.40}")

    def around(self, prompt: str) -> tuple[str, str]:
        """(the question with its prefix, the suffix) for a prompt."""
        return self.prefix + prompt, self.suffix.replace("{prompt}", prompt)


def read_presets(folder: Path) -> dict[str, Preset]:
    """presets.json of a model folder: task -> {"gen_length", "block_length", "decoders": {name: settings}}."""
    path = folder / PRESETS_FILE
    return _presets(read_json(path), path) if path.exists() else {}


def presets_of(model: str) -> dict[str, Preset]:
    """The presets of a model by name, read before anything else of it is loaded; {} where none are known.

    An adapter that brings none has those of the model that it names. A model that is still on the hub is known by its name.
    """
    folder = local_folder(model)
    if folder is None:
        return papers(_family_in(model), model) if hub.is_hub_id(model) else {}
    if (folder / PRESETS_FILE).exists():
        return read_presets(folder)
    if (folder / CONFIG_FILE).exists():
        return papers(_family_of(folder), model)
    if (folder / ADAPTER_FILE).exists():
        base = read_json(folder / ADAPTER_FILE).get("base_model_name_or_path")
        where = local_folder(base) if isinstance(base, str) else None
        if where is None:
            return papers(_family_in(f"{model} {base}"), model)
        return read_presets(where) or papers(_family_of(where), model)
    return {}


def local_folder(model: str) -> Path | None:
    """The folder of a model that is on this machine: embedded, a folder, or downloaded from the hub whole."""
    folder = model_folder(model)
    return hub.cached(model) if folder is None and hub.is_hub_id(model) else folder


def papers(family: str, model: str) -> dict[str, Preset]:
    """What the papers used for a family ("llada", "mmada"; others: {}); a model named WINO+ has settings of its own."""
    return _papers().get(f"{family}-wino-plus" if is_wino_plus(model) else family, {})


@cache
def _papers() -> dict[str, dict[str, Preset]]:
    groups = json.loads(PAPERS.read_text(encoding="utf-8"))
    return {name: _presets(group["presets"], PAPERS) for name, group in groups.items()}


def _presets(data: Mapping[str, Any], path: Path) -> dict[str, Preset]:
    try:
        presets = {task: Preset(**preset) for task, preset in data.items()}
        for preset in presets.values():
            for settings in preset.decoders.values():
                dict(**settings)
        return presets
    except (TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from None


def _family_of(folder: Path) -> str:
    """The family that the papers' settings are for, by a folder's config.json; "" for other models, and small ones."""
    config = read_json(folder / CONFIG_FILE)
    context = config.get("max_sequence_length")
    long = isinstance(context, int) and context >= LONG_CONTEXT
    return str(config.get("model_type", "")) if long else ""


def _family_in(name: str) -> str:
    return next((family for family in FAMILIES if family in name.casefold()), "")
