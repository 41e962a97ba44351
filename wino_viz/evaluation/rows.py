"""Items (one decoder on one problem) become rows (one decoder on all) and comparisons (two decoders on the same)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

from wino_viz.captions import MIN_PICTURES, cider, words
from wino_viz.evaluation.intervals import mcnemar, wilson

Item = dict[str, Any]
Records = Sequence[Mapping[str, Any]]


class Difficulty(NamedTuple):
    """What makes a problem of a task harder: its unit, and the number that a record tells (None: it does not)."""

    unit: str
    of: Callable[[Mapping[str, Any]], int | None]


def _steps(record: Mapping[str, Any]) -> int | None:
    steps = record.get("steps")
    return steps if type(steps) is int else None


DIFFICULTY = {
    "arithmetic": Difficulty("steps", _steps),
    "countdown": Difficulty("operations", lambda record: len(record["numbers"]) - 1),  # each number is used once
    "sudoku": Difficulty("empty cells", lambda record: record["puzzle"].count("0")),
}


def difficulty_of(record: Mapping[str, Any]) -> int | None:
    """How hard a problem is, in the unit of its task; None where neither task nor record says."""
    return DIFFICULTY[record["task"]].of(record) if record["task"] in DIFFICULTY else None


def rows_of(specs: Sequence[str], items: Sequence[Item], records: Records) -> list[dict[str, Any]]:
    """One row per SPEC, in their order. "by_task" holds the same figures of each task, where there are several."""
    rows = []
    for spec in specs:
        own = [item for item in items if item["decoder"] == spec]
        row = {"decoder": spec, **figures(own, records)}
        if len(tasks := _tasks(own)) > 1:
            row["by_task"] = {task: figures([i for i in own if i["task"] == task], records) for task in tasks}
        rows.append(row)
    return rows


def figures(items: Sequence[Item], records: Records) -> dict[str, Any]:
    """What `items` of one decoder come to. tokens_per_second counts generated tokens over model time.

    `settings` lists what the SPEC stood for (more than one entry where presets differ between the records' tasks).
    accuracy and faithful are shares of the items whose answer is known (`judged` of them; None where there is none),
    accuracy_interval is the 95 % Wilson interval [low, high]. Some keys come with tasks:

    cider           of captions that have references (and of each item, see `wino_viz.captions`)
    cells           of sudokus with a solution: [empty cells that are as in it, empty cells], and cell_accuracy their
                    share. Cells of one puzzle depend on each other, so no interval is given.
    by_kind         of records that say their kind: {kind: [correct, number]}
    by_difficulty   of a task that knows it: {"unit", "groups": [{"difficulty", "n", "judged", "correct", …}, …]}
    """
    seconds = sum(item["model_seconds"] for item in items)
    judged = [item for item in items if item["correct"] is not None]
    used = [item["settings"] for item in items]
    return {
        "settings": [settings for n, settings in enumerate(used) if settings not in used[:n]],
        **_correct(items),
        "faithful": fmean(item["faithful"] for item in judged) if judged else None,
        **_cider(items, references(records)),
        **_cells(items),
        **_by_kind(judged, records),
        **_passes(items),
        "mean_revocations": fmean(item["revocations"] for item in items),
        "tokens_per_second": sum(item["gen_length"] for item in items) / seconds,
        **_by_difficulty(items),
    }


def comparisons_of(specs: Sequence[str], items: Sequence[Item]) -> list[dict[str, Any]]:
    """Every pair of SPECs on the problems whose answer is known; with "by_task" where there are several tasks.

    only_first and only_second count the problems that one alone got right, p_value is McNemar's exact one. Each p-value
    stands for itself: nothing corrects for how many pairs are compared.
    """
    correct: dict[str, dict[int, bool]] = {spec: {} for spec in specs}
    task_of = {item["index"]: item["task"] for item in items}
    for item in items:
        if item["correct"] is not None:
            correct[item["decoder"]][item["index"]] = item["correct"]
    made = []
    for first, second in combinations(specs, 2):
        both = sorted(correct[first].keys() & correct[second].keys())
        pairs = {index: (correct[first][index], correct[second][index]) for index in both}
        if not pairs:
            continue
        entry = {"decoders": [first, second], **_compared(list(pairs.values()))}
        tasks = list(dict.fromkeys(task_of[index] for index in both))
        if len(tasks) > 1:
            entry["by_task"] = {
                task: _compared([pair for index, pair in pairs.items() if task_of[index] == task]) for task in tasks
            }
        made.append(entry)
    return made


def _compared(pairs: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    return {
        "n": len(pairs),
        "only_first": only_first,
        "only_second": only_second,
        "p_value": mcnemar(only_first, only_second),
    }


def _tasks(items: Sequence[Item]) -> list[str]:
    return list(dict.fromkeys(item["task"] for item in items))


def _correct(items: Sequence[Item]) -> dict[str, Any]:
    judged = [item for item in items if item["correct"] is not None]
    correct = sum(item["correct"] for item in judged)
    return {
        "n": len(items),
        "judged": len(judged),
        "correct": correct,
        "accuracy": correct / len(judged) if judged else None,
        "accuracy_interval": list(wilson(correct, len(judged))) if judged else None,
    }


def _passes(items: Sequence[Item]) -> dict[str, float]:
    passes = fmean(item["forward_passes"] for item in items)
    return {
        "mean_forward_passes": passes,
        "step_reduction": fmean(item["gen_length"] for item in items) / passes,
    }


def references(records: Records) -> dict[int, list[str]]:
    """What each caption record says of its picture, by the record's index: its references, else its one caption."""
    found = {}
    for index, record in enumerate(records):
        if record["task"] == "caption":
            texts = record.get("references") or [record.get("caption") or ""]
            if any(map(words, texts)):
                found[index] = texts
    return found


def _cider(items: Sequence[Item], references: Mapping[int, list[str]]) -> dict[str, float]:
    """{"cider": mean}, and every item's own in the item; nothing for fewer captions than have a score."""
    captions = [item for item in items if item["index"] in references]
    if len(captions) < MIN_PICTURES:
        return {}
    mean, each = cider([references[item["index"]] for item in captions], [item["text"] for item in captions])
    for item, score in zip(captions, each, strict=True):
        item["cider"] = score
    return {"cider": mean}


def _cells(items: Sequence[Item]) -> dict[str, Any]:
    counted = [item["cells"] for item in items if "cells" in item]
    right, of = (sum(column) for column in zip(*counted, strict=True)) if counted else (0, 0)
    return {"cells": [right, of], "cell_accuracy": right / of} if of else {}


def _by_kind(judged: Sequence[Item], records: Records) -> dict[str, Any]:
    kinds: dict[str, list[int]] = {}
    for item in judged:
        kind = records[item["index"]].get("kind")
        if isinstance(kind, str):
            counts = kinds.setdefault(kind, [0, 0])
            counts[0] += item["correct"]
            counts[1] += 1
    return {"by_kind": dict(sorted(kinds.items()))} if kinds else {}


def _by_difficulty(items: Sequence[Item]) -> dict[str, Any]:
    groups: dict[int, list[Item]] = {}
    for item in items:
        if "difficulty" in item:
            groups.setdefault(item["difficulty"], []).append(item)
    tasks = _tasks(items)
    if not groups or len(tasks) > 1:  # the units differ between tasks
        return {}
    made = [{"difficulty": key, **_correct(group), **_passes(group)} for key, group in sorted(groups.items())]
    return {"by_difficulty": {"unit": DIFFICULTY[tasks[0]].unit, "groups": made}}
