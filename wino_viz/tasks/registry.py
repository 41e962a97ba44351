"""The tasks by name: what a problem record of each must hold, and how a text is judged as its answer.

    record = read_record('{"task": "arithmetic", "question": "…", "answer": 57}')
    judge(record, "… #### 57").correct

Records may come from anywhere: reading checks every key and says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wino_viz import untrusted
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.scenes import Scene
from wino_viz.tasks.scenes_check import check_answer, check_caption
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS

MAX_REFERENCES = 100


@dataclass(frozen=True)
class Judgement:
    """What a text is worth as the answer to a record.

    correct: None where the record has no known answer. faithful: it says nothing that question or picture contradicts.
    foreign: what it says that is not so, as written. text: one or a few plain sentences for people.
    cells: of a sudoku with a solution, how many empty cells are as in it, and how many there are; None elsewhere.
    """

    correct: bool | None
    faithful: bool
    foreign: tuple[str, ...]
    text: str
    cells: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """{"correct", "faithful", "text"}: what a page shows."""
        return {"correct": self.correct, "faithful": self.faithful, "text": self.text}


@dataclass(frozen=True)
class Task:
    """check(record, where) raises ValueError for a bad record; judge(record, text); prompt(record) is what is asked."""

    check: Callable[[dict[str, Any], str], None]
    judge: Callable[[Mapping[str, Any], str], Judgement]
    prompt: Callable[[Mapping[str, Any]], str]
    has_image: bool = False
    records: Callable[[str, int, int], Iterator[dict[str, Any]]] | None = (
        None  # (split, count, seed); None: no generator
    )


def read_record(text: str, where: str = "record") -> dict[str, Any]:
    """One problem record from JSON; raises ValueError saying what is missing or wrong."""
    try:
        record = json.loads(text)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: not valid JSON: {error}") from None
    return check_record(record, where)


def check_record(record: Any, where: str = "record") -> dict[str, Any]:
    """The same for a record that is parsed already."""
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a record must be an object, not {untrusted.described(record)}")
    task = record.get("task")
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f'{where}: "task" must be one of {", ".join(TASKS)}, not {str(task)[:40]!r}')
    TASKS[task].check(record, where)
    return record


def judge(record: Mapping[str, Any], text: str) -> Judgement:
    """What `text` is worth as the answer to a record. A record without a task is a word problem."""
    return TASKS[record.get("task", "arithmetic")].judge(record, text)


def prompt_of(record: Mapping[str, Any]) -> str:
    """What a record asks, in words."""
    return TASKS[record["task"]].prompt(record)


def fresh_problems(task: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """What `python -m wino_viz.tasks.TASK --split test --count COUNT --seed SEED` writes; ValueError for other tasks."""
    if (found := TASKS.get(task)) is None or found.records is None:
        known = ", ".join(name for name, one in TASKS.items() if one.records is not None)
        raise ValueError(f"there are no new problems of {untrusted.described(task)}: choose one of {known}")
    if type(count) is not int or count < 1:
        raise ValueError(f"the number of problems must be a whole number from 1, not {untrusted.described(count)}")
    return found.records("test", count, seed)


# ---- arithmetic


def _check_arithmetic(record: dict[str, Any], where: str) -> None:
    _check_text(record, "question", where)
    answer = record.get("answer")
    if answer is not None and type(answer) is not int:
        raise ValueError(f'{where}: "answer" must be a whole number, not {str(answer)[:40]!r}')


def _judge_arithmetic(record: Mapping[str, Any], text: str) -> Judgement:
    judged = arithmetic.check(dict(record), text)
    answer, read = record.get("answer"), judged.answer_read
    if judged.correct is None:
        words = "No known answer to compare with." if read is None else f"It says {read}; the answer is not known here."
    elif judged.correct:
        words = f"Right: {answer}."
    else:
        words = f"Wrong: it says {'nothing' if read is None else read}, the answer is {answer}."
    if judged.wrong_equations:
        words += f" Wrong on the way: {_some(judged.wrong_equations)}."
    if judged.foreign:
        words += f" Not in the question: {_some(judged.foreign)}."
    return Judgement(judged.correct, judged.faithful, judged.foreign, words)


def _some(words: tuple[str, ...], most: int = 3) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


# ---- countdown and sudoku


def _check_countdown(record: dict[str, Any], where: str) -> None:
    _explained(countdown.numbers_and_target, record, where)


def _check_sudoku(record: dict[str, Any], where: str) -> None:
    _explained(sudoku.puzzle_and_solution, record, where)


def _explained(read: Callable[[Mapping[str, Any]], Any], record: dict[str, Any], where: str) -> None:
    try:
        read(record)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _judge_countdown(record: Mapping[str, Any], text: str) -> Judgement:
    found = countdown.check(record, text)
    return Judgement(found.correct, found.faithful, found.foreign, found.text)


def _judge_sudoku(record: Mapping[str, Any], text: str) -> Judgement:
    found = sudoku.check(record, text)
    return Judgement(found.correct, found.faithful, found.foreign, found.text, found.cells)


# ---- pictures


def _check_caption(record: dict[str, Any], where: str) -> None:
    _check_image(record, where)
    for name in ("caption", "prompt"):
        if record.get(name) is not None:
            _check_text(record, name, where)
    references = record.get("references", [])
    if not isinstance(references, list) or len(references) > MAX_REFERENCES:
        raise ValueError(f'{where}: "references" must be a list of at most {MAX_REFERENCES} captions')
    for number, reference in enumerate(references, start=1):
        untrusted.text(reference, f"{where}: reference {number}")


def _check_vqa(record: dict[str, Any], where: str) -> None:
    _check_image(record, where)
    _check_text(record, "question", where)
    for name in ("answer", "kind"):
        if record.get(name) is not None:
            _check_text(record, name, where)


def _check_image(record: dict[str, Any], where: str) -> None:
    """The picture's file, and the scene where it is known."""
    _check_text(record, "image", where)
    if record.get("scene") is not None:
        try:
            Scene.from_dict(record["scene"])
        except ValueError as error:
            raise ValueError(f"{where}: scene: {error}") from None


def _judge_caption(record: Mapping[str, Any], text: str) -> Judgement:
    return _judgement(check_caption(record, text))


def _judge_vqa(record: Mapping[str, Any], text: str) -> Judgement:
    return _judgement(check_answer(record, text))


def _judgement(verdict: Any) -> Judgement:
    return Judgement(verdict.correct, verdict.faithful, tuple(verdict.foreign), verdict.text)


def _check_text(record: dict[str, Any], name: str, where: str) -> None:
    if not isinstance(record.get(name), str) or not record[name].strip():
        raise ValueError(f'{where}: "{name}" must be text')
    untrusted.text(record[name], f"{where}: {name}")


def _question(record: Mapping[str, Any]) -> str:
    return record["question"]


TASKS: dict[str, Task] = {
    "arithmetic": Task(_check_arithmetic, _judge_arithmetic, _question, records=arithmetic.records),
    "countdown": Task(_check_countdown, _judge_countdown, countdown.question, records=countdown.records),
    "sudoku": Task(_check_sudoku, _judge_sudoku, sudoku.question, records=sudoku.records),
    "caption": Task(
        _check_caption, _judge_caption, lambda record: record.get("prompt") or CAPTION_PROMPTS[0], has_image=True
    ),
    "vqa": Task(_check_vqa, _judge_vqa, _question, has_image=True),
}
