"""Decoders × problems: how often each decoder is right, and how many forward passes it takes.

    python -m wino_viz eval --model llada-mini --decoders standard,wino --data problems.jsonl --out result.json
    python -m wino_viz eval --model mmada-mini --decoders standard,wino --data captions.jsonl

A picture's path in a record is relative to the file that the record stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from wino_viz.captions import MIN_PICTURES, cider, load_cider, words
from wino_viz.decoding import decode_many, parse_spec
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.pictures import PictureError, open_picture
from wino_viz.tasks import registry
from wino_viz.tasks.registry import TASKS, prompt_of, read_record

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


def read_records(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Problem records from a JSON-lines file, with the paths of their pictures as they are from here.

    Raises ValueError naming the line that is wrong, and a picture that can't be read.
    """
    records = []
    try:
        # not splitlines(), which also cuts at line separators inside a JSON string
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(records) >= limit:
            break
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        record = read_record(line, where)
        if TASKS[record["task"]].has_image:
            record["image"] = str(path.parent / record["image"])
            _open(record["image"], where)  # read again when it is encoded; here its line is known
        records.append(record)
    if not records:
        raise ValueError(f"{path} holds no problems")
    return records


def _open(image: str, where: str) -> Image:
    try:
        return open_picture(image)
    except PictureError as error:
        raise ValueError(f"{where}: {image} can't be taken: {error}") from None


def evaluate(
    checkpoint: Checkpoint,
    specs: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    *,
    gen_length: int | None = None,
    block_length: int | None = None,
    in_flight: int = 1,
    progress: Callable[[str, int, int], None] = lambda spec, done, of: None,
) -> dict[str, list[dict[str, Any]]]:
    """{"rows": one per decoder, "items": one per decoder and problem}.

    A SPEC takes what it does not say from the model's preset for the record's task, and so do the lengths where they
    are None. in_flight > 1 decodes so many problems in one batch. Every picture is read and encoded once. Raises
    ValueError for a bad SPEC or length, and for problems that are not for this model.
    """
    for spec in specs:
        parse_spec(spec)
        if specs.count(spec) > 1:
            raise ValueError(f"the decoder {spec} is named twice")
    _check_tasks(checkpoint, records)
    if len(_references(records)) >= MIN_PICTURES:
        load_cider()  # what is missing should not be found out after an hour of decoding
    codes = _codes(checkpoint, records)
    items = []
    for spec in specs:
        done = []
        for item in _decode_all(checkpoint, spec, records, codes, gen_length, block_length, in_flight):
            done.append(item)
            progress(spec, len(done), len(records))
        items += sorted(done, key=lambda item: item["index"])
    rows = [summarise(spec, [item for item in items if item["decoder"] == spec], records) for spec in specs]
    return {"rows": rows, "items": items}


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
            codes[record["image"]] = checkpoint.reader.codes(_open(record["image"], f"problem {number}"))
    return codes


def _decode_all(
    checkpoint: Checkpoint,
    spec: str,
    records: Sequence[Mapping[str, Any]],
    codes: Mapping[str, np.ndarray],
    gen_length: int | None,
    block_length: int | None,
    in_flight: int,
) -> Iterator[dict[str, Any]]:
    """One item per record, in the order in which they finish."""
    decoders, settings_of = [], []
    for record in records:
        preset = checkpoint.preset(record["task"])
        settings = parse_spec(spec, preset.decoders)
        canvas = checkpoint.canvas(
            prompt_of(record),
            codes[record["image"]] if TASKS[record["task"]].has_image else None,
            gen_length=preset.gen_length if gen_length is None else gen_length,
            block_length=preset.block_length if block_length is None else block_length,
        )
        decoders.append(settings.start(canvas))
        settings_of.append(settings)
    tallies: dict[int, dict[str, Any]] = {}
    for index, (step, seconds) in decode_many(decoders, checkpoint.denoiser, in_flight):
        tally = tallies.setdefault(index, {"forward_passes": 0, "revocations": 0, "model_seconds": 0.0})
        tally["forward_passes"] += 1
        tally["revocations"] += len(step.remasked)
        tally["model_seconds"] += seconds
        if decoders[index].request() is None:
            yield {
                "decoder": spec,
                "settings": settings_of[index].to_dict(),
                "index": index,
                **judge(records[index], checkpoint.text(decoders[index].canvas)),
                "gen_length": len(decoders[index].canvas),
                **tally,
            }


def judge(record: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The text of an answer, whether it is right (None: the record has no answer) and whether it is faithful."""
    found = registry.judge(record, text)
    return {"text": text, "correct": found.correct, "faithful": found.faithful, "foreign": list(found.foreign)}


def summarise(spec: str, items: Sequence[dict[str, Any]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The result row of one SPEC on all records. tokens_per_second counts generated tokens over model time.

    `settings` lists what the SPEC stood for (more than one entry where presets differ between the records' tasks).
    accuracy and faithful are shares of the items whose answer is known (`judged` of them; None where there is none). Two
    keys come with tasks: "cider" of captions that have references (and of each item, see `wino_viz.captions`), and
    "by_kind" of questions that say their kind: {kind: [correct, number]}.
    """
    passes = fmean(item["forward_passes"] for item in items)
    gen_length = fmean(item["gen_length"] for item in items)
    seconds = sum(item["model_seconds"] for item in items)
    judged = [item for item in items if item["correct"] is not None]
    correct = sum(item["correct"] for item in judged)
    used = [item["settings"] for item in items]
    return {
        "decoder": spec,
        "settings": [settings for n, settings in enumerate(used) if settings not in used[:n]],
        "n": len(items),
        "judged": len(judged),
        "correct": correct,
        "accuracy": correct / len(judged) if judged else None,
        "faithful": fmean(item["faithful"] for item in judged) if judged else None,
        **_cider(items, _references(records)),
        **_by_kind(judged, records),
        "mean_forward_passes": passes,
        "step_reduction": gen_length / passes,
        "mean_revocations": fmean(item["revocations"] for item in items),
        "tokens_per_second": gen_length * len(items) / seconds,
    }


def _references(records: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """What each caption record says of its picture, by the record's index: its references, else its one caption."""
    found = {}
    for index, record in enumerate(records):
        if record["task"] == "caption":
            texts = record.get("references") or [record.get("caption") or ""]
            if any(map(words, texts)):
                found[index] = texts
    return found


def _cider(items: Sequence[dict[str, Any]], references: Mapping[int, list[str]]) -> dict[str, float]:
    """{"cider": mean}, and every item's own in the item; nothing for fewer captions than have a score."""
    captions = [item for item in items if item["index"] in references]
    if len(captions) < MIN_PICTURES:
        return {}
    mean, each = cider([references[item["index"]] for item in captions], [item["text"] for item in captions])
    for item, score in zip(captions, each, strict=True):
        item["cider"] = score
    return {"cider": mean}


def _by_kind(judged: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds: dict[str, list[int]] = {}
    for item in judged:
        record = records[item["index"]]
        if record["task"] == "vqa" and record.get("kind") is not None:
            counts = kinds.setdefault(record["kind"], [0, 0])
            counts[0] += item["correct"]
            counts[1] += 1
    return {"by_kind": dict(sorted(kinds.items()))} if kinds else {}
