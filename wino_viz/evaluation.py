"""Decoders × problems: how often each decoder is right, and how many forward passes it takes.

python -m wino_viz eval --model llada-mini --decoders standard,wino --data problems.jsonl --out result.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from wino_viz.decoding import decode_many, parse_spec
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.tasks import registry
from wino_viz.tasks.registry import read_record


def read_records(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Problem records from a JSON-lines file; raises ValueError naming the line that is wrong."""
    records = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(records) >= limit:
            break
        if line.strip():
            records.append(read_record(line, f"{path}, line {number}"))
    if not records:
        raise ValueError(f"{path} holds no problems")
    return records


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
    are None. in_flight > 1 decodes so many problems in one batch. Raises ValueError for a bad SPEC or length.
    """
    for spec in specs:
        parse_spec(spec)
        if specs.count(spec) > 1:
            raise ValueError(f"the decoder {spec} is named twice")
    items = []
    for spec in specs:
        done = []
        for item in _decode_all(checkpoint, spec, records, gen_length, block_length, in_flight):
            done.append(item)
            progress(spec, len(done), len(records))
        items += sorted(done, key=lambda item: item["index"])
    rows = [summarise(spec, [item for item in items if item["decoder"] == spec]) for spec in specs]
    return {"rows": rows, "items": items}


def _decode_all(
    checkpoint: Checkpoint,
    spec: str,
    records: Sequence[Mapping[str, Any]],
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
            record["question"],
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


def summarise(spec: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The result row of one SPEC. tokens_per_second counts generated tokens over model time.

    `settings` lists what the SPEC stood for (more than one entry where presets differ between the records' tasks).
    """
    items = list(items)
    passes = fmean(item["forward_passes"] for item in items)
    gen_length = fmean(item["gen_length"] for item in items)
    seconds = sum(item["model_seconds"] for item in items)
    correct = sum(item["correct"] is True for item in items)
    used = [item["settings"] for item in items]
    return {
        "decoder": spec,
        "settings": [settings for n, settings in enumerate(used) if settings not in used[:n]],
        "n": len(items),
        "correct": correct,
        "accuracy": correct / len(items),
        "faithful": fmean(item["faithful"] for item in items),
        "mean_forward_passes": passes,
        "step_reduction": gen_length / passes,
        "mean_revocations": fmean(item["revocations"] for item in items),
        "tokens_per_second": gen_length * len(items) / seconds,
    }
