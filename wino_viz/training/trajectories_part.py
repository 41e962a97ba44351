"""OUT.part of a collection: what is decoded so far, and the file that it becomes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wino_viz.training.trajectories_records import RANDOM, opened, rank, selected, trajectory_of

PART = {"format": "wino-viz-trajectories-part", "version": 1}


class Part:
    """OUT.part: what is decoded so far, a line per problem and temperature. The last line may be torn; it is dropped."""

    def __init__(self, out: Path, identity: Mapping[str, Any]) -> None:
        self.path = out.with_name(out.name + ".part")
        self._head = json.loads(json.dumps({**PART, "identity": identity}))
        self.solved: set[int] = set()
        self.tried: dict[int, set[float]] = {}

    def resume(self) -> int:
        """Read what is there, and return the number of problems that it holds; begin the file where there is none.

        Raises ValueError for the part of another run.
        """
        if not self.path.exists():
            self.path.write_text(json.dumps(self._head) + "\n", encoding="utf-8")
            return 0
        end = 0
        with open(self.path, "rb") as file:
            for number, line in enumerate(file):
                try:
                    if not line.endswith(b"\n"):
                        raise ValueError("torn")
                    entry = json.loads(line)
                except ValueError:
                    break
                if number == 0 and entry != self._head:
                    raise ValueError(f"{self.path} holds another run: finish it with its own command, or remove it")
                if number:
                    self._note(entry)
                end += len(line)
        if not end:
            raise ValueError(f"{self.path} can't be read: remove it to start again")
        os.truncate(self.path, end)
        return len(self.tried)

    def _note(self, entry: Mapping[str, Any]) -> None:
        self.tried.setdefault(entry["index"], set()).add(entry["temperature"])
        if entry["trajectory"] is not None:
            self.solved.add(entry["index"])

    def add_from(self, results: Iterator[tuple[int, dict | None]], temperature: float) -> Iterator[None]:
        """Write down each result as it comes."""
        with open(self.path, "a", encoding="utf-8") as file:
            for index, trajectory in results:
                entry = {"index": index, "temperature": temperature, "trajectory": trajectory}
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                file.flush()
                self._note(entry)
                yield

    def finish(
        self, out: Path, *, keep_step_ratio: float, max_prompt_length: int | None, random_order: int | None
    ) -> dict[str, int]:
        """Write the chosen trajectories to `out`, whole or not at all, and remove the part. Returns their number by task.

        random_order: the seed of the ablation's orders; None keeps the decoded ones.
        """
        entries, offsets = [], []
        with open(self.path, "rb") as file:
            while line := file.readline():
                record = json.loads(line).get("trajectory")
                if record and (max_prompt_length is None or record["prompt_length"] <= max_prompt_length):
                    entries.append((record["unique_id"], record["source"], rank(record)))
                    offsets.append(file.tell() - len(line))
            beside, counts = out.with_name("tmp-" + out.name), {}
            with opened(beside, "wt") as kept:
                for n in selected(entries, keep_step_ratio):
                    file.seek(offsets[n])
                    record = json.loads(file.readline())["trajectory"]
                    if random_order is not None:
                        record = in_random_order(record, random_order)
                    kept.write(json.dumps(record, ensure_ascii=False) + "\n")
                    counts[record["source"]] = counts.get(record["source"], 0) + 1
        os.replace(beside, out)
        self.path.unlink()
        return counts


def in_random_order(record: dict[str, Any], seed: int) -> dict[str, Any]:
    """The record with the passes of its tokens drawn anew within each block (`Trajectory.in_random_order`)."""
    accepted = trajectory_of(record, record["unique_id"]).in_random_order(seed).accepted.tolist()
    return {**record, "trajectory_accepted": accepted, "metadata": {**record["metadata"], "order": RANDOM}}
