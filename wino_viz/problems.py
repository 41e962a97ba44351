"""Problems that a person types: a countdown or a sudoku is known by its wording, or written bare.

    read_problem("30, 100, 93 -> 23")      {"task": "countdown", "numbers": [30, 100, 93], "target": 23}
    read_problem("3102 2000 0210 0320")    {"task": "sudoku", "puzzle": "3102200002100320"}
    read_problem("Ana has 12 pears. …")    None: anything else is a word problem

Models learn one wording of each, so whatever was typed is asked as `tasks.registry.prompt_of` words the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wino_viz.tasks import countdown, sudoku
from wino_viz.tasks.countdown_check import MAX_NUMBER
from wino_viz.tasks.registry import TASKS, prompt_of
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS

LONGEST = 200  # characters; no countdown and no sudoku needs more
FEWEST_CELLS = 8  # a bare row of fewer digits is no try at a sudoku

_SAMPLE = "1000000000000000"
_SUDOKU = re.compile(re.escape(sudoku.question({"puzzle": _SAMPLE}).removesuffix(_SAMPLE).strip()), re.IGNORECASE)
_CELLS = re.compile(r"[0-9.\s|]*")
_NUMBERS = re.compile(r"(\d{1,9}(?:[\s,;]+(?:and\s+)?\d{1,9})*)\s*(?:->|=>|→|=)\s*(\d{1,9})")


def _countdown_wording() -> re.Pattern:
    """The question as a pattern, its last sentence optional."""
    words = countdown.question({"numbers": [901, 902, 903], "target": 904}).split()
    end = next(n for n, word in enumerate(words, start=1) if word.endswith("."))
    first, rest = (r"\s+".join(map(re.escape, part)) for part in (words[:end], words[end:]))
    pattern = rf"{first.removesuffix(re.escape('.'))}\.?(?:\s+{rest})?"
    for number, name in ((901, "a"), (902, "b"), (903, "c"), (904, "target")):
        pattern = pattern.replace(str(number), rf"(?P<{name}>\d{{1,9}})")
    return re.compile(pattern, re.IGNORECASE)


_COUNTDOWN = _countdown_wording()


def read_problem(text: str) -> dict[str, Any] | None:
    """The record of a countdown or a sudoku; None for any other text.

    Raises ValueError with one sentence for what is meant as one of them and is none.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return None
    if asked := _COUNTDOWN.fullmatch(text):
        return _countdown([asked["a"], asked["b"], asked["c"]], asked["target"])
    if bare := _NUMBERS.fullmatch(text):
        return _countdown(re.findall(r"\d+", bare[1]), bare[2])
    asked = _SUDOKU.match(text)
    cells = text[asked.end() :] if asked else text
    if not _CELLS.fullmatch(cells):
        return None
    cells = re.sub(r"[\s|]", "", cells).replace(".", "0")
    return _sudoku(cells) if asked or len(cells) >= FEWEST_CELLS else None


def known_problem(prompt: str, record: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The record that a prompt is judged by: `record` where the prompt is what it asks, else what the prompt says itself."""
    if not record:
        return _typed_problem(prompt)
    asked = {prompt_of({"task": "arithmetic", **record})}
    if record.get("task") == "caption":
        asked |= set(CAPTION_PROMPTS)
    if prompt.strip() in {words.strip() for words in asked}:
        return record
    if TASKS[record.get("task", "arithmetic")].has_image:
        return {"task": "vqa", "image": record["image"], "question": prompt}
    return _typed_problem(prompt)


def asked_problem(prompt: str, record: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """As `known_problem`, for a prompt that is about to be asked: ValueError with one sentence where it is meant as a
    countdown or a sudoku and is none."""
    about_picture = record and TASKS[record.get("task", "arithmetic")].has_image
    if not about_picture and not (record and prompt == prompt_of({"task": "arithmetic", **record})):
        read_problem(prompt)
    return known_problem(prompt, record)


def _typed_problem(prompt: str) -> Mapping[str, Any]:
    """A countdown or a sudoku by its wording; anything else is a word problem whose answer is not known."""
    try:
        found = read_problem(prompt)
    except ValueError:
        found = None
    return found or {"task": "arithmetic", "question": prompt}


def about(record: dict[str, Any]) -> str:
    """One sentence on a countdown or a sudoku that was typed; empty for other records."""
    if record["task"] == "countdown":
        numbers, target = countdown.numbers_and_target(record)
        if countdown.work(numbers, target) is not None:
            return "A countdown."
        return f"{target} can’t be reached with {_listed(numbers)}: no answer can be right."
    if record["task"] == "sudoku":
        ways = len(sudoku.completions(record["puzzle"]))
        return "A sudoku with one solution." if ways == 1 else f"A sudoku with {ways} solutions; any of them is right."
    return ""


def _countdown(numbers: list[str], target: str) -> dict[str, Any]:
    if len(numbers) != 3:
        raise ValueError(
            f"a countdown has three numbers and a target, as in 30, 100, 93 -> 23; this has {len(numbers)}"
        )
    record = {"task": "countdown", "numbers": [int(number) for number in numbers], "target": int(target)}
    for number in record["numbers"]:
        if not 1 <= number <= MAX_NUMBER:
            raise ValueError(f"the numbers of a countdown are 1 to {MAX_NUMBER}, and {number} is not")
    if not 1 <= record["target"] <= countdown.MAX_TARGET:
        raise ValueError(f"the target of a countdown is 1 to {countdown.MAX_TARGET:,}, and {int(target)} is not")
    return record


def _sudoku(cells: str) -> dict[str, Any]:
    if len(cells) != sudoku.CELLS:
        raise ValueError(
            f"a 4x4 sudoku has 16 cells, written row by row with 0 or . for an empty one; this has {len(cells)}"
        )
    if wrong := sorted(set(cells) - set("01234")):
        raise ValueError(f"a cell of a 4x4 sudoku is 1 to 4, or 0 or . where it is empty; {wrong[0]} is neither")
    if clashes := sudoku.clashes(cells):
        raise ValueError(f"this sudoku contradicts itself: {'; '.join(clashes[:3])}")
    if "0" not in cells:
        raise ValueError("this sudoku has no empty cell")
    if not sudoku.completions(cells):
        raise ValueError("this sudoku has no solution: no grid keeps all that is given")
    return {"task": "sudoku", "puzzle": cells}


def _listed(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
