"""From a model's name to its folder: embedded, a local folder, or downloaded from the Hugging Face hub.

find_model("llada-mini")                          what is on this machine; CheckpointError where it is not
fetch_model("GSAI-ML/LLaDA-8B-Instruct", told)    the same, downloaded first where it is not
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

from wino_viz.models import hub
from wino_viz.models.adapter_files import is_adapter, read_adapter_config
from wino_viz.models.files import ADAPTER_FILE, CONFIG_FILE, EMBEDDED, CheckpointError
from wino_viz.models.presets import local_folder

IMAGE_TOKENIZER = "showlab/magvitv2"  # what MMaDA sees with
# Published models that this project can read. An adapter may name one of them by a folder of its author's machine.
PUBLISHED = (
    "GSAI-ML/LLaDA-8B-Instruct",
    "GSAI-ML/LLaDA-8B-Base",
    "GSAI-ML/LLaDA-1.5",
    "QinFFF/WINO-plus-LLaDA-8B-Instruct",
    "Gen-Verse/MMaDA-8B-MixCoT",
    "Gen-Verse/MMaDA-8B-Base",
    "QinFFF/WINO-plus-MMaDA-8B-MixCoT",
    "Dream-org/Dream-v0-Instruct-7B",
    "apple/DiffuCoder-7B-cpGRPO",
)
Told = Callable[[int, int], None]


def embedded_models() -> list[str]:
    """Names of the models that ship with the project."""
    return sorted({path.parent.name for file in (CONFIG_FILE, ADAPTER_FILE) for path in EMBEDDED.glob(f"*/{file}")})


def find_model(name: str) -> Path:
    """The folder of a model that is on this machine; raises CheckpointError listing the embedded ones when there is none."""
    if (folder := local_folder(name)) is not None:
        return folder
    embedded = ", ".join(embedded_models()) or "none"
    more = ", and it is not downloaded from the hub" if hub.is_hub_id(name) else ""
    raise CheckpointError(f"no model {name!r}: it is neither a folder nor an embedded model ({embedded}){more}")


def fetch_model(name: str, told: Told = lambda done, of: None) -> Path:
    """The folder of a model by name, downloaded where it is on the hub only. `told` hears bytes here, of how many."""
    if local_folder(name) is None and hub.is_hub_id(name):
        return hub.fetch(name, told)
    return find_model(name)


def find_base(folder: Path, told: Told | None = None) -> tuple[Path, Path | None]:
    """(folder of a whole model, folder of the adapter to put on it or None); raises CheckpointError.

    With `told` a base that is on the hub only is downloaded.
    """
    if not is_adapter(folder):
        return folder, None
    name = base_name(read_adapter_config(folder).base)
    try:
        base = find_model(name) if told is None else fetch_model(name, told)
    except CheckpointError as error:
        why = f": {error}" if hub.is_hub_id(name) else ", which is neither here nor embedded"
        raise CheckpointError(f"{folder} is an adapter to {name!r}{why}") from None
    if is_adapter(base):
        raise CheckpointError(f"{folder} is an adapter to {name!r}, an adapter itself: merge that one first")
    return base, folder


def base_name(written: str) -> str:
    """The model that an adapter's base names: a published one where only its last part fits, as in "/data/LLaDA-8B-Base"."""
    if local_folder(written) is not None or hub.is_hub_id(written):
        return written
    last = PurePath(written.replace("\\", "/")).name
    return next((name for name in PUBLISHED if name.split("/")[1] == last), written)
