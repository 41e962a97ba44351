"""A small sample, measured while somebody watches: fresh problems of the test split, every decoder on each in turn.

    measurement = Measurement(checkpoint, "arithmetic", ["standard", "wino"], count=5, seed=7)
    for item in measurement:      one entry per forward pass: the item that it finished, or None
        print(measurement.rows())

It may be left at any time: problems are decoded one after the other, each with every decoder, so what there is compares
the decoders on nearly the same problems. The commands in `about` measure the same problems again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wino_viz.evaluation.intervals import CONFIDENCE_LEVEL
from wino_viz.evaluation.rows import Item, rows_of
from wino_viz.evaluation.run import Evaluation
from wino_viz.provenance import commit, machine, shown_command, versions
from wino_viz.tasks.registry import fresh_problems

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

DATA = "problems.jsonl"


class Measurement:
    """Decoders on `count` fresh problems of a task; iterate once. ValueError for a bad SPEC, task or count."""

    def __init__(self, checkpoint: Checkpoint, task: str, specs: Sequence[str], count: int, seed: int) -> None:
        records = list(fresh_problems(task, count, seed))
        self.task, self.specs, self.count, self.seed = task, tuple(specs), count, seed
        self._evaluation = Evaluation.of(checkpoint, specs, records)
        self._items: list[Item] = []

    @property
    def answers(self) -> int:
        """How many answers there are in all, if it is not left before."""
        return self.count * len(self.specs)

    @property
    def items(self) -> Sequence[Item]:
        """The answers so far, in the order in which they were made."""
        return tuple(self._items)

    def __iter__(self) -> Iterator[Item | None]:
        """The item that each forward pass finished, or None. Closing the iterator ends it after the pass under way."""
        for index in range(self.count):
            for spec in self.specs:
                for item in self._evaluation.passes(spec, [index]):
                    if item is not None:
                        self._items.append(item)
                    yield item

    def rows(self) -> list[dict[str, Any]]:
        """A row as `eval` makes it for each decoder that has an answer."""
        begun = [spec for spec in self.specs if any(item["decoder"] == spec for item in self._items)]
        return rows_of(begun, self._items, self._evaluation.records)

    def about(self) -> dict[str, Any]:
        """Where the rows come from: the commands that measure the same, and this machine."""
        return {**self._source, "n": len({item["index"] for item in self._items})}

    @cached_property
    def _source(self) -> dict[str, Any]:
        checkpoint = self._evaluation.checkpoint
        making = ["--split", "test", "--count", str(self.count), "--seed", str(self.seed), "--out", DATA]
        evaluating = ["eval", "--model", checkpoint.name, "--decoders", ",".join(self.specs), "--data", DATA]
        return {
            "model": checkpoint.name,
            "data_command": shown_command(f"python -m wino_viz.tasks.{self.task}", making),
            "command": shown_command("python -m wino_viz", evaluating),
            "commit": commit(),
            "confidence_level": CONFIDENCE_LEVEL,
            **machine(checkpoint.denoiser.device),
            "versions": versions(),
        }
