"""How a model is loaded, from what a command or the app was told: device, type of the weights, and progress as it goes.

    load = loader(dtype="bfloat16", device_map="auto")
    session = Session("GSAI-ML/LLaDA-8B-Instruct", load)

Making a loader imports neither torch nor anything of a model.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

PROG = "python -m wino_viz"
READS, SEES = "llada-mini", "mmada-mini"  # the models for words and for pictures where none is named
DTYPES = ("float32", "bfloat16")
Told = Callable[[str, int, int], None]
WORTH_A_BAR = 10**9  # bytes: less is loaded before a bar is read


def set_up_cuda() -> None:
    """For a process that only decodes, before it uses a GPU: matrix products take no workspace, unless told otherwise.

    With one, cuBLAS clears some of it before each of the largest products; without, a captured graph holds kernels alone and
    starts sooner. Training is left as it is: there products over many rows are split, which needs one.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":0:0")


def loading_options(parser: argparse.ArgumentParser) -> None:
    """--dtype and --device-map."""
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        metavar="TYPE",
        help="of the weights: float32 or bfloat16 (default: float32, from a billion parameters on bfloat16)",
    )
    parser.add_argument(
        "--device-map",
        choices=("auto",),
        metavar="auto",
        help="spread the model over all GPUs (without: done where the first GPU is too small)",
    )


def model_option(parser: argparse.ArgumentParser) -> None:
    """--model, and how it is loaded."""
    parser.add_argument(
        "--model",
        metavar="M",
        help=f"embedded model, folder, or name on the Hugging Face hub ({READS}; for pictures {SEES})",
    )
    loading_options(parser)


def reuse_option(parser: argparse.ArgumentParser) -> None:
    """--reuse."""
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="prefix reuse: faster, and approximate; a pass computes its block and the shadow, what is outside once a block",
    )


def loader(
    dtype: str | None = None,
    device_map: str | None = None,
    told: Told | None = None,
    image_tokenizer: str | Path | None = None,
    layout: str | None = None,
    reuse: bool = False,
) -> Callable[..., Checkpoint]:
    """`load_checkpoint` with these options, of a name; `told` may be given there, too."""
    options = {"image_tokenizer": image_tokenizer, "layout": layout, "reuse": reuse}
    return partial(_load, dtype=dtype, device_map=device_map, told=told, **options)


def _load(name: str, *, dtype: str | None, device_map: str | None, told: Told | None, **options: Any) -> Checkpoint:
    import torch  # seconds: not before it is needed

    from wino_viz.models.checkpoint import load_checkpoint

    kind = None if dtype is None else getattr(torch, dtype)
    return load_checkpoint(name, device_map, kind, told=told or (lambda what, done, of: None), **options)


def bar() -> Told:
    """A progress bar on standard error for downloads, and for large models."""
    from tqdm import tqdm

    bars: dict[tuple[str, int], tqdm] = {}

    def told(what: str, done: int, of: int) -> None:
        if of < WORTH_A_BAR and what != "downloading":
            return
        if (what, of) not in bars:
            bars[what, of] = tqdm(total=of, desc=what, unit="B", unit_scale=True)
        shown = bars[what, of]
        shown.update(done - shown.n)
        if done >= of:
            shown.close()

    return told
