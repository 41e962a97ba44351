"""The models that a page offers: the embedded ones, and those that whoever runs the server listed. Nobody else can add one.

    menu = ModelMenu(Session(), listed=["GSAI-ML/LLaDA-8B-Instruct"], load=loader())
    for update in menu.choose("GSAI-ML/LLaDA-8B-Instruct"):      Loading("downloading", 3_200_000_000, 16_031_162_368), …
        print(update)
    menu.session("GSAI-ML/LLaDA-8B-Instruct").start(prompt, settings)

Embedded models stay once they are loaded. Of the listed ones one is loaded at a time: whoever needs another makes the
server let go of it, but not while somebody decodes with it.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wino_viz import untrusted
from wino_viz.models import hub
from wino_viz.models.files import ADAPTER_FILE, CONFIG_FILE, CheckpointError, model_folder, read_json
from wino_viz.session import Session

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

SECONDS_BETWEEN = 0.3  # updates
PATIENCE = 10.0  # seconds that decodings under way get to end before another model is refused
PICTURES = "mmada"  # what a model that sees is called: its model_type, or in its name


class Loading(NamedTuple):
    """How far a model is on its way: "waiting", "downloading" or "loading"; bytes done, of how many (0: not known)."""

    what: str
    done: int = 0
    of: int = 0


class ModelMenu:
    """Sessions by the names of their models. `home` reads text, `pictures` sees (None: there is no such tab).

    `load(name, told=…)` makes a checkpoint of a listed name, as `wino_viz.loading.loader` does. Every method may be called
    from several threads at once.
    """

    def __init__(
        self,
        home: Session,
        pictures: Session | None = None,
        listed: Sequence[str] = (),
        load: Callable[..., Checkpoint] | None = None,
    ) -> None:
        self.home, self.pictures = home, pictures
        self._load = load
        self._one_loads = threading.Lock()
        self._progress: dict[str, Loading] = {}
        self._listed = {}
        for name in dict.fromkeys(listed):
            if name not in self._embedded():
                task = pictures.task if pictures and sees(name) else home.task
                self._listed[name] = Session(name, self._bring, task, service=home.service)

    def _embedded(self) -> dict[str, Session]:
        return {session.model: session for session in (self.home, self.pictures) if session is not None}

    def names(self, pictures: bool = False) -> list[str]:
        """What a tab for words, or for pictures, offers: the embedded model first."""
        first = self.pictures if pictures else self.home
        return [first.model, *(name for name in self._listed if sees(name) == pictures)] if first else []

    def session(self, name: Any) -> Session:
        """The session of a model; raises ValueError with one sentence for one that is not offered."""
        known = self._embedded() | self._listed
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"there is no model {untrusted.described(name)} here: choose one of {', '.join(known)}")
        return known[name]

    def is_listed(self, name: str) -> bool:
        """Whether a model is one that the operator listed, rather than an embedded one."""
        return name in self._listed

    def choose(self, name: Any) -> Iterator[Loading]:
        """Load a model where it is not; says how far that is until it is done. Raises ValueError with one sentence."""
        session = self.session(name)
        if session.loaded:
            return
        failed: list[ValueError] = []

        def work() -> None:
            try:
                session.checkpoint()
            except ValueError as error:
                failed.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            yield self._progress.get(session.model, Loading("waiting"))
            thread.join(SECONDS_BETWEEN)
        if failed:
            raise failed[0]

    def _bring(self, name: str) -> Checkpoint:
        """Load a listed model in the place of the one before."""
        if not self._one_loads.acquire(blocking=False):
            busy = ", ".join(self._progress) or "another model"
            raise ValueError(f"{busy} is being loaded just now, for somebody else: try again when it is done")
        try:
            self._progress[name] = Loading("waiting")

            def told(what: str, done: int, of: int) -> None:
                self._progress[name] = Loading(what, done, of)

            _fetch(name, told)  # what can fail before the other one is gone, should
            self._make_room()
            return self._load(name, told=told)
        finally:
            self._progress.pop(name, None)
            self._one_loads.release()

    def _make_room(self) -> None:
        """Let go of the listed model that is loaded; raises ValueError where somebody decodes with it."""
        loaded = [session for session in self._listed.values() if session.loaded]
        end = time.monotonic() + PATIENCE
        while any(session.running for session in loaded) and time.monotonic() < end:
            time.sleep(SECONDS_BETWEEN)
        for session in loaded:
            if session.running:
                raise ValueError(f"{session.model} is decoding just now, for somebody else: try again in a moment")
            session.unload()
        if loaded:
            gc.collect()
            torch: Any = sys.modules.get("torch")
            if torch is not None and torch.cuda.is_available():
                torch.cuda.empty_cache()


def read_names(text: str) -> list[str]:
    """The models that an operator listed, "A,B"; raises ValueError naming one that is neither a folder with a model nor a
    hub name.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        folder = model_folder(name)
        if folder is None and not hub.is_hub_id(name):
            raise ValueError(f"no model {name!r:.80}: name a folder, an embedded model, or AUTHOR/MODEL on the hub")
        if folder is not None and not any((folder / file).exists() for file in (CONFIG_FILE, ADAPTER_FILE)):
            raise ValueError(f"no model in the folder {name!r:.80}: it has neither {CONFIG_FILE} nor {ADAPTER_FILE}")
    return names


def needs_hub(names: Sequence[str]) -> bool:
    """Whether one of them may have to be downloaded."""
    return any(model_folder(name) is None for name in names)


def sees(name: str) -> bool:
    """Whether a model answers questions about pictures: by its config.json where it is here, else by its name."""
    folder = model_folder(name)
    if folder is None or not (folder / CONFIG_FILE).exists():
        return PICTURES in name.casefold()
    try:
        return read_json(folder / CONFIG_FILE).get("model_type") == PICTURES
    except CheckpointError:
        return False  # loading says what is wrong with it


def _fetch(name: str, told: Callable[[str, int, int], None]) -> None:
    """Download a model where it is not here, and look at the files of all its tensors; raises CheckpointError."""
    from wino_viz.models.files import read_shapes
    from wino_viz.models.find import fetch_model, find_base

    def here(done: int, of: int) -> None:
        told("downloading", done, of)

    folder, _ = find_base(fetch_model(name, here), here)
    read_json(folder / CONFIG_FILE)
    read_shapes(folder)
