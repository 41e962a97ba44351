"""The recorded traces of examples/traces, in the order of their file names.

A trace may carry "title", "note" (one sentence) and "record" (the problem with its answer) as extra keys.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from wino_viz.trace import Trace, TraceError
from wino_viz.ui.player import trace_message

TRACES = Path(__file__).resolve().parents[2] / "examples" / "traces"
TITLE_LENGTH = 48

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One recorded trace with its title, a note (may be empty) and the problem record, where they are known."""

    title: str
    note: str
    record: dict[str, Any]
    trace: Trace

    def message(self, *, play: bool = False, verdict: dict[str, Any] | None = None) -> str:
        """The player's message: from the start when it plays, else open at its most telling pass."""
        at = 0 if play else most_telling_pass(self.trace)
        return trace_message(self.trace, at=at, play=play, verdict=verdict)


def read_examples(folder: Path = TRACES) -> list[Example]:
    """Every readable trace of the folder; one that is not is left out, and the log says why."""
    examples = []
    for path in sorted(folder.glob("*.json")):
        try:
            trace = Trace.from_json(path.read_bytes())
        except (TraceError, OSError) as error:
            log.warning("%s is left out: %s", path, error)
            continue
        title, note, record = (trace.extra.get(key) for key in ("title", "note", "record"))
        examples.append(
            Example(
                title=title if isinstance(title, str) and title.strip() else _shortened(trace.prompt),
                note=note if isinstance(note, str) else "",
                record=_record(record, trace.prompt),
                trace=trace,
            )
        )
    return examples


def most_telling_pass(trace: Trace) -> int:
    """The pass that takes back most tokens (the first of them); the last one where none does."""
    revoked = [len(step.remasked) for step in trace.steps]
    return revoked.index(max(revoked)) + 1 if any(revoked) else len(revoked)


def best_example(examples: Sequence[Example]) -> Example | None:
    """The first that takes tokens back, else the first."""
    return next((example for example in examples if example.trace.revocations), examples[0] if examples else None)


def pair_to_compare(examples: Sequence[Example]) -> tuple[Example, Example] | None:
    """The first two recordings of one prompt: by standard decoding and by WINO; None when there are none."""
    for left, right in permutations(examples, 2):
        same = left.trace.prompt == right.trace.prompt and left.trace.gen_length == right.trace.gen_length
        if same and (left.trace.decoder["name"], right.trace.decoder["name"]) == ("standard", "wino"):
            return left, right
    return None


def _record(given: Any, prompt: str) -> dict[str, Any]:
    """The problem record of a trace; one without an answer where the trace brings none that fits its prompt."""
    if isinstance(given, dict) and given.get("question") == prompt and type(given.get("answer")) is int:
        return {"task": "arithmetic", "question": prompt, "answer": given["answer"]}
    return {"task": "arithmetic", "question": prompt}


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"
