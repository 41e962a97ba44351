"""Models by their name on the Hugging Face hub: downloaded once, only what is needed, and never code or pickles.

    folder = fetch("GSAI-ML/LLaDA-8B-Instruct", told=print)       told(bytes here, of how many)
    folder = cached("GSAI-ML/LLaDA-8B-Instruct")                   the same without a network, or None

Files lie in the hub's own cache (HF_HOME says where); a download that broke off goes on where it was. A model that is
complete there is taken as it is, and the network is not asked. `hf auth login`, or HF_TOKEN, is for models whose authors
want their terms accepted.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from wino_viz.models.files import (
    ADAPTER_FILE,
    ADAPTER_WEIGHTS_FILE,
    CONFIG_FILE,
    INDEX_FILE,
    MAGVIT_WEIGHTS_FILES,
    WEIGHTS_FILE,
    CheckpointError,
    read_json,
    shard_names,
)
from wino_viz.models.memory import check_room, free_disk

Told = Callable[[int, int], None]

# What a model is described by. Its weights are chosen one by one (`_weights`), so nothing else ever comes along.
SMALL_FILES = (
    CONFIG_FILE,
    ADAPTER_FILE,
    INDEX_FILE,
    "presets.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SPARE_DISK = 200_000_000  # bytes that a download leaves free
MORE_DISK = "make room, or let HF_HOME name a folder on a larger disk"
SECONDS_TO_ANSWER = 20.0
WORKERS = 4  # files at a time


def is_hub_id(name: str) -> bool:
    """Whether a model's name may be one on the hub: "author/model", and no folder here."""
    return bool(_ID.fullmatch(name)) and ".." not in name and not Path(name).exists()


def cached(name: str) -> Path | None:
    """The folder of a hub model that was downloaded whole; None where something of it is missing."""
    from huggingface_hub import constants, try_to_load_from_cache

    for file in (CONFIG_FILE, ADAPTER_FILE):
        found = try_to_load_from_cache(name, file, cache_dir=constants.HF_HUB_CACHE)
        if isinstance(found, str) and is_whole(Path(found).parent):
            return Path(found).parent
    return None


def is_whole(folder: Path) -> bool:
    """Whether a folder has all the weights that it says it has."""
    try:
        names = {file.name for file in folder.iterdir()}
        return names.issuperset(_weights(names, folder, folder.name))
    except CheckpointError:
        return False


def fetch(name: str, told: Told = lambda done, of: None) -> Path:
    """The folder of a hub model, downloaded where it is not here yet; raises CheckpointError with one sentence.

    What is missing is compared with the free disk before the first byte comes.
    """
    if (folder := cached(name)) is not None:
        return folder
    from huggingface_hub import HfApi, constants

    with _Sentences(name):
        about = HfApi().model_info(name, files_metadata=True, timeout=SECONDS_TO_ANSWER)
        listed = {file.rfilename: file.size or 0 for file in about.siblings or () if "/" not in file.rfilename}
        small = [file for file in SMALL_FILES if file in listed]
        if CONFIG_FILE not in small and ADAPTER_FILE not in small:
            raise CheckpointError(f"{name} on the hub is no model: {CONFIG_FILE} is missing there")
        folder = Path(_download(name, small))
        weights = _weights(listed, folder, name)
        if missing := [file for file in weights if file not in listed]:
            raise CheckpointError(f"{name} on the hub is not complete: {missing[0]} is missing there")
        total = sum(listed[file] for file in weights if not (folder / file).exists())
        free = free_disk(Path(constants.HF_HUB_CACHE)) - SPARE_DISK
        check_room(total, free, f"disk in {constants.HF_HUB_CACHE}", name, MORE_DISK)
        told(0, total)
        return Path(_download(name, weights, lambda done: told(min(done, total), total)))


def _weights(names: Collection[str], folder: Path, model: str) -> list[str]:
    """The weight files of a model whose files are called `names`; `folder` has its index. CheckpointError for none."""
    if INDEX_FILE in names:
        return shard_names(read_json(folder / INDEX_FILE), folder / INDEX_FILE)
    for file in (WEIGHTS_FILE, ADAPTER_WEIGHTS_FILE, *MAGVIT_WEIGHTS_FILES):
        if file in names:
            return [file]
    raise CheckpointError(f"{model} has no weights as safetensors; other formats can hold code and are not read")


def _download(name: str, files: Sequence[str], told: Callable[[int], None] = lambda done: None) -> str:
    from huggingface_hub import snapshot_download

    return snapshot_download(name, allow_patterns=list(files), max_workers=WORKERS, tqdm_class=_bar(told))


class _Sentences:
    """Turns what a download may raise into a CheckpointError with one sentence."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        expected = isinstance(error, OSError | RuntimeError | ValueError) or _is_network(error)
        if expected and not isinstance(error, CheckpointError):
            raise CheckpointError(self._say(error)) from error

    def _say(self, error: BaseException) -> str:
        from huggingface_hub import errors

        name, causes = self.name, _causes(error)
        if _any(causes, errors.GatedRepoError):
            return (
                f"the authors of {name} want their terms accepted: do so on https://huggingface.co/{name}, then run "
                "`hf auth login` here"
            )
        if _any(causes, errors.RepositoryNotFoundError):
            return f"there is no model {name} on the hub, or it is private: check the name, or run `hf auth login`"
        if any(isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT) for e in causes):
            return f"the disk is full: {name} is not here in whole; make room, and the download goes on where it was"
        if _any(causes, errors.OfflineModeIsEnabled) or os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE"):
            return f"{name} is not on this machine, and HF_HUB_OFFLINE forbids to download it"
        if any(_is_network(e) for e in causes):
            return f"{name} is not on this machine in whole, and the hub can't be reached: is there a network?"
        status = next((e.response.status_code for e in causes if isinstance(e, errors.HfHubHTTPError)), None)
        if status is not None:
            return f"{name} can't be downloaded: the hub answers with status {status}; try again later"
        if isinstance(error, PermissionError):
            return f"{name} can't be downloaded: {error.filename} may not be written"
        return f"{name} can't be downloaded: {' '.join(str(error).split())[:200]}"


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and what it came from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _any(errors: Sequence[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(error, kinds) for error in errors)


def _is_network(error: BaseException | None) -> bool:
    """Whether nobody answered. The hub's library changed its HTTP client, but not what its errors are called."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, ConnectionError | TimeoutError) or "TransportError" in kinds


def _bar(told: Callable[[int], None]) -> type:
    """A progress bar as the hub's library wants one; it draws nothing, and says how many bytes have come."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            self.came, self.counts_bytes = 0, options.get("unit") == "B"
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.came += int(n or 0)
            if self.counts_bytes:
                told(self.came)

    return Bar
