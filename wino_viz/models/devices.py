"""A model that is larger than one GPU: its layers spread over several, as accelerate plans it.

where = spread(model, folder)            tensor name -> "cuda:0", "cuda:1", … of a model that still lies nowhere
model = place(model, where)              once its tensors are there: inputs follow them from layer to layer
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import infer_auto_device_map
from accelerate.utils import get_balanced_memory, send_to_device
from transformers import PreTrainedModel

from wino_viz.models.files import CheckpointError
from wino_viz.models.memory import free_memory, size

Model = TypeVar("Model", bound=PreTrainedModel)
AUTO = "auto"  # the name of "all GPUs" where a device is named


def spread(model: PreTrainedModel, folder: Path, room: dict[int | str, int] | None = None) -> dict[str, str]:
    """Where each tensor goes: whole layers, about as many bytes on every GPU. `room`: bytes a device (default: all GPUs').

    Raises CheckpointError where all of them together are too small, or there is none.
    """
    if room is None:
        room = {n: free_memory(f"cuda:{n}") for n in range(torch.cuda.device_count())}
    if not room:
        raise CheckpointError("there is no GPU here to spread a model over: leave --device-map out")
    whole = [type(model.model.layers[0]).__name__]
    most = get_balanced_memory(model, dict(room), no_split_module_classes=whole) if len(room) > 1 else room
    plan = infer_auto_device_map(model, dict(most), no_split_module_classes=whole)
    if not set(plan.values()) <= set(room):
        needed = sum(tensor.nbytes for tensor in model.state_dict().values())
        raise CheckpointError(
            f"{folder} needs {size(needed)} of GPU memory, and {size(sum(room.values()))} is free on {len(room)} GPUs"
        )
    return {name: _device(next(plan[part] for part in _parts(name) if part in plan)) for name in model.state_dict()}


def place(model: Model, where: dict[str, str] | None) -> Model:
    """The model, ready to be called: with `where`, what is given to a layer is moved to where its weights lie."""
    if where is None or len(set(where.values())) == 1:
        return model
    for part in (*model.model.layers, model.model.norm, model.lm_head):
        part.register_forward_pre_hook(partial(follow, next(part.parameters()).device), with_kwargs=True)
    return model


def follow(device: torch.device, part: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Arguments of a part of the model on its own device; those that are there already are not copied."""
    return send_to_device(args, device), send_to_device(kwargs, device)


def _parts(name: str) -> list[str]:
    """ "a.b.c" as ["a.b.c", "a.b", "a", ""]."""
    words = name.split(".")
    return [".".join(words[:n]) for n in range(len(words), -1, -1)]


def _device(place: int | str) -> str:
    return f"cuda:{place}" if isinstance(place, int) else str(place)
