"""Results in files: written whole or not at all, and items kept while a run lasts, so that one that was killed goes on.

A run with --out OUT.json keeps its items in OUT.json.part. The same command takes them from there; OUT.json itself is
written at the end, and the part is removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wino_viz.evaluation.rows import Item
from wino_viz.files import write_bytes_whole

FORMAT = {"format": "wino-viz-eval-part", "version": 1}
SAVE_SECONDS = 5.0  # what a killed run loses at most, while saving is quick
SAVE_SHARE = 0.02  # of the time; a part of many megabytes is saved less often

# identity key -> what a person calls it
WORDS = {
    "weights": "other weights",
    "decoders": "other decoders or settings",
    "problems": "other problems",
    "lengths": "other lengths",
    "device": "another device",
}


class Unfinished:
    """The part of one run. Nothing is read or written before `resume` and `add`.

    identity: what must be the same for items to be kept, with the keys of WORDS. about: what is told of the run that
    measured them; where it differs from this run's, it is told of the kept items in "earlier_runs".
    """

    def __init__(self, out: Path, identity: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        self.path = out.with_name(out.name + ".part")
        self.earlier_runs: list[dict[str, Any]] = []
        self._identity, self._about = json.loads(json.dumps(identity)), json.loads(json.dumps(about))
        self._items: list[Item] = []
        self._next_save = 0.0

    def resume(self) -> list[Item]:
        """The items of a run that was stopped; none where there was no such run.

        Raises ValueError for a part that can't be read, or one whose items are not those of this run.
        """
        if not self.path.exists():
            return []
        try:
            part = json.loads(self.path.read_text(encoding="utf-8"))
            if {key: part[key] for key in FORMAT} != FORMAT:
                raise ValueError("it is of another format or version")
            identity, about = dict(part["identity"]), dict(part["about"])
            items, earlier = list(part["items"]), list(part["earlier_runs"])
            places = {(item["decoder"], item["index"]) for item in items}
            if len(places) < len(items):
                raise ValueError("it holds an item twice")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} can't be read ({error}): --restart drops it") from None
        other = [words for key, words in WORDS.items() if identity.get(key) != self._identity.get(key)]
        if other:
            raise ValueError(
                f"{self.path} holds an unfinished run with {' and '.join(other)}: finish it with its own command, "
                "or drop it with --restart"
            )
        if about != self._about:
            earlier.append({**about, "items": len(items) - sum(run["items"] for run in earlier)})
        self._items, self.earlier_runs = items, earlier
        return list(items)

    def add(self, item: Item) -> None:
        """Keep one more item; saved at once when it is the first, then now and then."""
        self._items.append(item)
        if time.monotonic() >= self._next_save:
            self.save()

    def save(self) -> None:
        """Write down everything kept so far."""
        if not self._items:
            return
        started = time.monotonic()
        kept = {"identity": self._identity, "about": self._about, "earlier_runs": self.earlier_runs}
        write_whole(self.path, json.dumps({**FORMAT, **kept, "items": self._items}, ensure_ascii=False))
        now = time.monotonic()
        self._next_save = now + max(SAVE_SECONDS, (now - started) / SAVE_SHARE)

    def remove(self) -> None:
        """The run is finished and written, or dropped."""
        self.path.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text and a line break, or leave the file that is there as it is: never half of it."""
    write_bytes_whole(path, f"{text}\n".encode())
