"""Decode every problem with every decoder, several problems in one batch.

result = evaluate(load_checkpoint("llada-mini"), ["standard", "wino"], read_records(path), in_flight=16)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from wino_viz.captions import MIN_PICTURES, load_cider
from wino_viz.decoding import Canvas, Decoder, Settings, decode_many, parse_spec
from wino_viz.evaluation.records import open_image
from wino_viz.evaluation.rows import Item, comparisons_of, difficulty_of, references, rows_of
from wino_viz.tasks import registry
from wino_viz.tasks.registry import TASKS, prompt_of

if TYPE_CHECKING:
    import numpy as np

    from wino_viz.models.checkpoint import Checkpoint

Progress = Callable[[str, int, int], None]  # (SPEC, problems done, of how many)

# A CPU is busy with one sequence: with 8 in a batch all took 1.1 times as long, with 64 1.7 times (`bench --in-flight`,
# llada-mini, two cores), for padding and for what no longer fits its caches. 16 on a GPU is a guess, not measured: sequences
# of an 8B model should still fit beside its weights on a large one.
IN_FLIGHT_GPU, IN_FLIGHT_CPU = 16, 1


def usual_in_flight(device: str) -> int:
    """How many problems to decode at once on a type of device ("cuda", "cpu", …)."""
    return IN_FLIGHT_CPU if device == "cpu" else IN_FLIGHT_GPU


def evaluate(
    checkpoint: Checkpoint,
    specs: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    *,
    gen_length: int | None = None,
    block_length: int | None = None,
    in_flight: int = 1,
    progress: Progress = lambda spec, done, of: None,
) -> dict[str, list[dict[str, Any]]]:
    """{"rows": one per decoder, "comparisons": one per pair of them, "items": one per decoder and problem}.

    A SPEC takes what it does not say from the model's preset for the record's task, and so do the lengths where they
    are None. in_flight > 1 decodes so many problems in one batch; the tokens are those of one by one. Every picture is
    read and encoded once. Raises ValueError for a bad SPEC or length, and for problems that are not for this model.
    """
    evaluation = Evaluation.of(checkpoint, specs, records, gen_length=gen_length, block_length=block_length)
    return evaluation.result(evaluation.run(in_flight, progress=progress))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is to be decoded, checked and ready: made by `of`.

    canvases: one per record. settings: of each SPEC for each task of the records.
    """

    checkpoint: Checkpoint
    specs: Sequence[str]
    records: Sequence[Mapping[str, Any]]
    canvases: Sequence[Canvas]
    settings: Mapping[str, Mapping[str, Settings]]

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        specs: Sequence[str],
        records: Sequence[Mapping[str, Any]],
        *,
        gen_length: int | None = None,
        block_length: int | None = None,
        preset: str | None = None,
    ) -> Evaluation:
        """See `evaluate`; raises its errors before anything is decoded.

        `preset` names one of the model's that counts for every record, with its words around the prompt.
        """
        if preset is not None and preset not in checkpoint.presets:
            known = ", ".join(name for name, one in checkpoint.presets.items() if one.label) or "it has none"
            raise ValueError(f"there is no preset {preset[:40]!r} for {checkpoint.name}: {known}")
        for spec in specs:
            parse_spec(spec)
            if specs.count(spec) > 1:
                raise ValueError(f"the decoder {spec} is named twice")
        _check_tasks(checkpoint, records)
        if len(references(records)) >= MIN_PICTURES:
            load_cider()  # what is missing should not be found out after an hour of decoding
        presets = {record["task"]: checkpoint.preset(preset or record["task"]) for record in records}
        settings = {
            spec: {task: parse_spec(spec, preset.decoders) for task, preset in presets.items()} for spec in specs
        }
        codes = _codes(checkpoint, records)
        canvases = []
        for record in records:
            usual = presets[record["task"]]
            asked, suffix = usual.around(prompt_of(record)) if preset else (prompt_of(record), "")
            canvas = checkpoint.canvas(
                asked,
                codes[record["image"]] if TASKS[record["task"]].has_image else None,
                gen_length=usual.gen_length if gen_length is None else gen_length,
                block_length=usual.block_length if block_length is None else block_length,
                suffix=suffix,
            )
            canvases.append(canvas)
        return cls(checkpoint, tuple(specs), tuple(records), tuple(canvases), settings)

    def identity(self) -> dict[str, Any]:
        """What the tokens depend on beside the weights: two runs may share items only where all of it is the same.

        The problems go in as a checksum of the records (without the place of a picture's file) and of their prompts'
        ids, picture codes included.
        """
        problems = sha256()
        for record, canvas in zip(self.records, self.canvases, strict=True):
            told = {key: value for key, value in record.items() if key != "image"}
            problems.update(json.dumps([told, canvas.prompt_ids], sort_keys=True).encode())
        return {
            "decoders": {
                spec: {task: settings.to_dict() for task, settings in chosen.items()}
                for spec, chosen in self.settings.items()
            },
            "problems": problems.hexdigest(),
            "lengths": self.lengths(),
        }

    def lengths(self) -> dict[str, dict[str, int]]:
        """{task: {"gen_length", "block_length"}}."""
        return {
            record["task"]: {"gen_length": canvas.gen_length, "block_length": canvas.block_length}
            for record, canvas in zip(self.records, self.canvases, strict=True)
        }

    def run(
        self,
        in_flight: int = 1,
        *,
        kept: Sequence[Item] = (),
        on_item: Callable[[Item], None] = lambda item: None,
        progress: Progress = lambda spec, done, of: None,
    ) -> list[Item]:
        """One item per decoder and problem, in the order of SPECs and records. `kept` are those that exist already.

        on_item is told each new one as it is made; a decoder's problems come in the order in which they finish. progress
        is told how many there are when a decoder begins, and after each.
        """
        items: list[Item] = []
        for spec in self.specs:
            done = {item["index"]: item for item in kept if item["decoder"] == spec}
            progress(spec, len(done), len(self.records))
            for item in self.passes(spec, [n for n in self._longest_first() if n not in done], in_flight):
                if item is None:
                    continue
                done[item["index"]] = item
                on_item(item)
                progress(spec, len(done), len(self.records))
            items += [done[index] for index in range(len(self.records))]
        return items

    def result(self, items: Sequence[Item]) -> dict[str, list[dict[str, Any]]]:
        """{"rows", "comparisons", "items"} of what `run` returned."""
        return {
            "rows": rows_of(self.specs, items, self.records),
            "comparisons": comparisons_of(self.specs, items),
            "items": list(items),
        }

    def _longest_first(self) -> list[int]:
        """Neighbours in a batch are then of about one length, so little of it is padding."""
        lengths = [len(canvas.prompt_ids) + canvas.gen_length for canvas in self.canvases]
        return sorted(range(len(lengths)), key=lambda n: -lengths[n])

    def passes(self, spec: str, waiting: Sequence[int], in_flight: int = 1) -> Iterator[Item | None]:
        """Decode the records with the indices `waiting`. For each forward pass of each: the item that it finished, or None.

        Items come in the order in which they finish; whoever has seen enough may stop after any pass.
        """
        at_work: dict[int, Decoder] = {}
        tallies: dict[int, dict[str, Any]] = {}

        def start() -> Iterator[Decoder]:
            for index in waiting:
                at_work[index] = self._settings_of(spec, index).start(self.canvases[index])
                tallies[index] = {"forward_passes": 0, "revocations": 0, "model_seconds": 0.0}
                yield at_work[index]

        for place, (step, seconds) in decode_many(start(), self.checkpoint.denoiser, in_flight):
            index = waiting[place]
            tally = tallies[index]
            tally["forward_passes"] += 1
            tally["revocations"] += len(step.remasked)
            tally["model_seconds"] += seconds
            if at_work[index].request() is not None:
                yield None
                continue
            yield self._item(spec, index, at_work.pop(index).canvas) | tallies.pop(index)

    def _settings_of(self, spec: str, index: int) -> Settings:
        return self.settings[spec][self.records[index]["task"]]

    def _item(self, spec: str, index: int, ids: Sequence[int]) -> Item:
        record = self.records[index]
        difficulty = difficulty_of(record)
        return {
            "decoder": spec,
            "settings": self._settings_of(spec, index).to_dict(),
            "index": index,
            "task": record["task"],
            **({} if difficulty is None else {"difficulty": difficulty}),
            **judge(record, self.checkpoint.text(ids)),
            "gen_length": len(ids),
        }


def judge(record: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The text of an answer, whether it is right (None: the record has no answer) and whether it is faithful.

    Of a sudoku with a solution also "cells": [empty cells that are as in it, empty cells].
    """
    found = registry.judge(record, text)
    cells = {} if found.cells is None else {"cells": list(found.cells)}
    return {"text": text, "correct": found.correct, "faithful": found.faithful, "foreign": list(found.foreign), **cells}


def _check_tasks(checkpoint: Checkpoint, records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what the model can't be asked, by the first problem of the kind, before anything is decoded."""
    for number, record in enumerate(records, start=1):
        pictured = TASKS[record["task"]].has_image
        if pictured and checkpoint.reader is None:
            raise ValueError(
                f"problem {number} is about a picture ({record['task']}), and {checkpoint.name} reads text alone: "
                "take a model such as mmada-mini"
            )
        if not pictured and checkpoint.reader is not None:
            raise ValueError(
                f"problem {number} is in words alone ({record['task']}), and {checkpoint.name} answers questions "
                "about a picture: take a model such as llada-mini"
            )


def _codes(checkpoint: Checkpoint, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The codes of every picture, by its path."""
    codes: dict[str, np.ndarray] = {}
    for number, record in enumerate(records, start=1):
        if TASKS[record["task"]].has_image and record["image"] not in codes:
            codes[record["image"]] = checkpoint.reader.codes(open_image(record["image"], f"problem {number}"))
    return codes
