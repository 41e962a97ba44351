"""What the model families share: a decoder of transformers that sees both ways, and weights that are checked by name
and shape before anything is loaded. Code that comes with a checkpoint is never run.

    model = load_backbone(LlamaForCausalLM, config, folder, torch.float32, name_in_file=llada_name)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from wino_viz.models.files import CheckpointError, check_tensors, read_shapes

Model = TypeVar("Model", bound=PreTrainedModel)


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
) -> Model:
    """Load the safetensors of a folder for evaluation.

    config: with `is_causal` False; name_in_file: the checkpoint's name of a tensor of `model_class`. Raises
    CheckpointError naming the first missing, extra or wrongly shaped tensor, by its name in the checkpoint.
    """
    with torch.device("meta"):
        skeleton = model_class(config)
    names = {name: name_in_file(name) for name in skeleton.state_dict()}
    expected = {names[name]: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    if config.tie_word_embeddings:
        expected.pop(name_in_file("lm_head.weight"), None)
    check_tensors(expected, read_shapes(folder), folder)
    renamed = {f"^{re.escape(theirs)}$": ours for ours, theirs in names.items() if theirs != ours}
    with _quiet():
        model = model_class.from_pretrained(
            folder,
            config=config,
            key_mapping=renamed or None,
            dtype=dtype,
            local_files_only=True,
            generation_config=GenerationConfig(),  # the folder's is of no use here, and may hold keys of its own class
        )
    broken = [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(f"{folder}: tensor {names[broken[0]]} holds values that are no numbers")
    return bidirectional(model).eval().to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar, which would land in the middle of a command's figures."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
