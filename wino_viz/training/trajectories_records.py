"""Trajectories in files: JSON lines with the field names of WINO+ (arXiv 2605.16941), checked when read.

A trajectory is a decoding in one array: for every generated position the pass in which its final token was placed.

    unique_id, source     which problem, of which task; two records of one unique_id are the same problem
    prompt_ids            (P,) what the model was asked
    generated_ids         (G,) the final canvas, end-of-text included
    trajectory_accepted   (G,) the pass that placed the final token, from 0, running across blocks; a token that was
                          taken back and placed again counts from its last placement
    trajectory_proposed   (G,) the first pass in which the shadow slot's arg-max was the final token; -1 for never
    correct, prompt_length, generated_text, decoding_steps (forward passes), used_temperature
    metadata              gen_length, block_length, decoder, model, order ("decoded", or "random" for the ablation)

and the fields of the problem record. Reading needs the first six and `correct`, and takes the older name wino_trajectory.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np

NEVER = -1  # in trajectory_proposed
PUBLISHED_BLOCK_LENGTH = 128  # of files that do not say theirs
DECODED, RANDOM = "decoded", "random"  # the orders of a trajectory
_REQUIRED = ("unique_id", "source", "prompt_ids", "generated_ids", "correct")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What training needs of one record. prompt_ids (P,), generated_ids and accepted (G,) int32; G a number of blocks."""

    unique_id: str
    source: str
    prompt_ids: np.ndarray
    generated_ids: np.ndarray
    accepted: np.ndarray
    block_length: int

    @property
    def steps(self) -> np.ndarray:
        """The distinct passes in which a final token was placed, in order: one training example each."""
        return np.unique(self.accepted)

    def canvas_before(self, step: int, mask_id: int) -> np.ndarray:
        """(G,) the final tokens that were placed before a pass, masks elsewhere."""
        return np.where(self.accepted < step, self.generated_ids, mask_id)

    def in_random_order(self, seed: int) -> Trajectory:
        """The ablation: as many tokens in every pass as before, but which ones is drawn, within each block.

        The same seed and unique_id give the same order.
        """
        rng = np.random.default_rng((seed, crc32(self.unique_id.encode())))
        accepted = self.accepted.copy()
        for start in range(0, len(accepted), self.block_length):
            block = slice(start, start + self.block_length)
            accepted[block] = rng.permutation(accepted[block])
        return replace(self, accepted=accepted)


def replay(trajectory: Trajectory, mask_id: int) -> Iterator[np.ndarray]:
    """The canvas (G,) before the first pass that placed a final token, and after each; the last has no mask."""
    for step in trajectory.steps:
        yield trajectory.canvas_before(step, mask_id)
    yield trajectory.generated_ids.copy()


def read_trajectories(paths: Iterable[Path], vocabulary: int | None = None) -> list[Trajectory]:
    """The correct trajectories of JSON-lines files (.gz or not), in their order.

    Raises ValueError naming file and line for a record that can't be, or a token id outside `vocabulary`, and for files
    without a correct trajectory.
    """
    found = []
    for path in paths:
        try:
            with opened(path) as file:
                for number, line in enumerate(file, start=1):
                    if not line.strip():
                        continue
                    where = f"{path}, line {number}"
                    record = _parsed(line, where)
                    if record.get("correct") is True:
                        found.append(trajectory_of(record, where, vocabulary))
        except OSError as error:
            raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
        except (EOFError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} can't be read: {error}") from None
    if not found:
        raise ValueError(f"{', '.join(map(str, paths)) or 'no file'}: there is no correct trajectory")
    return found


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a trajectory is a JSON object")
    return record


def trajectory_of(record: Mapping[str, Any], where: str, vocabulary: int | None = None) -> Trajectory:
    """The checked trajectory of a record; ValueError names `where` and the field that is wrong."""
    name = "trajectory_accepted" if "trajectory_accepted" in record else "wino_trajectory"
    for field in (*_REQUIRED, name):
        if field not in record:
            raise ValueError(f'{where}: "{"trajectory_accepted" if field == name else field}" is missing')
    arrays = {field: _whole(record[field], field, where) for field in ("prompt_ids", "generated_ids", name)}
    prompt_ids, generated_ids, accepted = arrays.values()
    if not len(prompt_ids) or not len(generated_ids):
        raise ValueError(f"{where}: prompt_ids and generated_ids must hold tokens")
    if len(accepted) != len(generated_ids):
        raise ValueError(f"{where}: {name} has {len(accepted)} entries for {len(generated_ids)} generated tokens")
    for field in ("prompt_ids", "generated_ids"):
        if vocabulary is not None and arrays[field].max() >= vocabulary:
            raise ValueError(f"{where}: {field} holds {arrays[field].max()}, the model knows ids below {vocabulary}")
    metadata = record.get("metadata")
    block_length = metadata.get("block_length") if isinstance(metadata, dict) else None
    block_length = PUBLISHED_BLOCK_LENGTH if block_length is None else block_length
    if type(block_length) is not int or block_length < 1:
        raise ValueError(f"{where}: metadata: block_length must be a whole number from 1, not {block_length!r:.40}")
    trajectory = Trajectory(
        str(record["unique_id"]), str(record["source"]), prompt_ids, generated_ids, accepted, block_length
    )
    last = -1
    for start in range(0, len(accepted), block_length):
        block = accepted[start : start + block_length]
        if block.min() <= last:
            raise ValueError(f"{where}: {name}: the block from position {start} begins before the one before it ends")
        last = block.max()
    return trajectory


def _whole(value: Any, field: str, where: str) -> np.ndarray:
    """(n,) int32 from a list of whole numbers from 0."""
    if not isinstance(value, list) or not all(type(number) is int and 0 <= number < 2**31 for number in value):
        raise ValueError(f"{where}: {field} must be a list of whole numbers from 0")
    return np.array(value, dtype=np.int32)


# ---- Filter and duplicates


def rank(record: Mapping[str, Any]) -> tuple[float, int, int]:
    """What makes one of two trajectories of a problem the better: lowest temperature, fewest steps, most operations.

    Operations are counted as equations in the text: of two correct answers the one that shows more of its work.
    """
    return record["used_temperature"], record["decoding_steps"], -record["generated_text"].count("=")


def selected(entries: Sequence[tuple[str, str, tuple[float, int, int]]], keep_step_ratio: float = 1.0) -> list[int]:
    """Which of (unique_id, source, rank) to keep, best first: the best of each unique_id.

    keep_step_ratio (0..1] keeps that share of every source, those with the fewest steps (at least one).
    """
    best: dict[str, int] = {}
    for n in sorted(range(len(entries)), key=lambda n: entries[n][2]):
        best.setdefault(entries[n][0], n)
    by_source: dict[str, list[int]] = {}
    for n in best.values():
        by_source.setdefault(entries[n][1], []).append(n)
    kept: set[int] = set()
    for own in by_source.values():
        own.sort(key=lambda n: entries[n][2][1])
        kept.update(own[: max(1, round(keep_step_ratio * len(own)))])
    return [n for n in best.values() if n in kept]


# ---- Files


def opened(path: Path, mode: str = "rt") -> IO[str]:
    """A text file, compressed where its name ends in .gz."""
    return (gzip.open if path.suffix == ".gz" else open)(path, mode, encoding="utf-8")
