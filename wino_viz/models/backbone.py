"""What the model families share: a decoder of transformers that sees both ways, and weights that are checked by name
and shape before anything is loaded. Code that comes with a checkpoint is never run.

    model = load_backbone(LlamaForCausalLM, config, folder, torch.float32, name_in_file=llada_name)

Weights go to their device tensor by tensor, in the type that is asked for: the host never holds the model a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

from wino_viz.models.devices import AUTO, place, spread
from wino_viz.models.files import CheckpointError, check_tensors, read_places, read_shapes
from wino_viz.models.memory import MARGIN, check_room, free_memory

Model = TypeVar("Model", bound=PreTrainedModel)
Told = Callable[[int, int], None]  # how far a load is: bytes in place, of how many


def bidirectional(model: Model) -> Model:
    """Switch off every layer's causal flag too: some attention kernels read it when no mask is passed."""
    for layer in model.model.layers:
        layer.self_attn.is_causal = False
    return model


def load_backbone(
    model_class: type[Model],
    config: PreTrainedConfig,
    folder: Path,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    *,
    name_in_file: Callable[[str], str] = str,
    told: Told = lambda done, of: None,
) -> Model:
    """Load the safetensors of a folder for evaluation.

    config: with `is_causal` False; name_in_file: the checkpoint's name of a tensor of `model_class`. device AUTO spreads
    the layers over all GPUs. Raises CheckpointError naming the first missing, extra or wrongly shaped tensor, by its name
    in the checkpoint, and where the memory that is free is not enough, both numbers.
    """
    with torch.device("meta"):
        model = model_class(config).to(dtype)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop("lm_head.weight", None)
    in_file = {name: name_in_file(name) for name in shapes}
    check_tensors({in_file[name]: shape for name, shape in shapes.items()}, read_shapes(folder), folder)
    total = sum(torch.Size(shape).numel() for shape in shapes.values()) * dtype.itemsize
    device = str(device)
    if device == AUTO:
        where = spread(model, folder)
    else:
        kind = "memory" if device.startswith("cpu") else f"GPU memory ({device})"
        smaller = "" if dtype.itemsize < 4 else "bfloat16 needs half of it (--dtype bfloat16)"
        check_room(int(total * (1 + MARGIN)), free_memory(device), kind, str(folder), smaller)
        where = dict.fromkeys(shapes, device)
    _fill(model, folder, {theirs: ours for ours, theirs in in_file.items()}, where, dtype, total, told)
    model.tie_weights()
    rotary = type(model.model.rotary_emb)(config=config)  # its frequencies are computed, and stand in no file
    model.model.rotary_emb = rotary.to(where["model.embed_tokens.weight"])
    model.generation_config = GenerationConfig()
    return place(bidirectional(model).eval(), where if device == AUTO else None)


def _fill(
    model: PreTrainedModel,
    folder: Path,
    ours: dict[str, str],
    where: dict[str, str],
    dtype: torch.dtype,
    total: int,
    told: Told,
) -> None:
    """Put every tensor of the files in its place, one after the other."""
    done = 0
    told(done, total)
    for file, names in read_places(folder).items():
        with safe_open(file, framework="pt") as shard:  # pages of a file that was read are the system's to drop
            for theirs in names:
                name = ours[theirs]
                tensor = shard.get_tensor(theirs)
                try:
                    tensor = tensor.to(where[name], dtype, copy=True)
                except torch.OutOfMemoryError:
                    raise CheckpointError(
                        f"{folder}: the memory of {where[name]} was full after {done:,} of {total:,} bytes: something "
                        "else uses it, too"
                    ) from None
                low, high = tensor.aminmax()  # no copy, as isfinite() of all of it would be
                if not (low.isfinite() and high.isfinite()):
                    raise CheckpointError(f"{folder}: tensor {theirs} holds values that are no numbers")
                model.load_state_dict({name: tensor}, strict=False, assign=True)
                done += tensor.nbytes
                told(done, total)
