"""“Measure it now”: a sample measured while the page watches, with progress, an end at any time, and points as they come.

    for update in measure(state, task, session, make):     update.moved: there are new points in state.here[task]
                                                           update.progress: what the Progress widget shows

A `Measuring` belongs to one figure of one open page (a gr.State). The newest run wins; an older one ends after its pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from wino_viz.ui.figures import Here, Run
from wino_viz.ui.forms import TASK_NAMES
from wino_viz.ui.messages import new_run
from wino_viz.ui.widgets import progress

SECONDS_BETWEEN = 0.7  # updates; a figure is some tens of kilobytes
MOST_SECONDS = 600.0  # then others may measure
BROKEN = "The measurement broke off through a fault that is not yours; the server’s log says which."
TOO_LONG = "Stopped after ten minutes, so that others can measure"


@dataclass(frozen=True)
class Update:
    """What changes on the page: the progress, and whether there are new points."""

    progress: str | None = None
    moved: bool = False


@dataclass(frozen=True)
class Sample:
    """One thing that a measurement reports, at least once a forward pass.

    what: what is being measured. done of `of`: answers, or rows. left: seconds, None while nobody knows. runs: all that
    was measured so far, where some of it is new; one run a model.
    """

    what: str
    done: int
    of: int
    left: float | None = None
    runs: Sequence[Run] | None = None


@dataclass
class Measuring:
    """What is measured on one page for one figure: the run under way ("": none), and the points of each task."""

    run: str = ""
    here: dict[str, Here] = field(default_factory=dict)
    done: tuple[int, int] = (0, 0)
    counted: str = "answer"
    about: str = ""
    broken: bool = False
    said: str = ""

    def begin(self, counted: str, about: str = "") -> str:
        self.run, self.done, self.counted, self.broken, self.said = new_run(), (0, 0), counted, False, ""
        self.about = about
        return self.run

    def words(self) -> str:
        """“7 of 10 answers (Sudoku)”: another task may be shown by then."""
        done, of = self.done
        return f"{done} of {of} {self.counted}{'' if of == 1 else 's'}{self.about}"


def measure(
    state: Measuring,
    task: str,
    session: Any,
    samples: Callable[[], Iterator[Sample]],
    counted: str = "answer",
) -> Iterator[Update]:
    """Take from `samples()` until it ends, is stopped, or takes too long; ValueErrors become a sentence.

    `session` knows the one place for measurements. `counted`: what `done` and `of` of a sample count.
    """
    several = len(getattr(session, "tasks", ())) > 1
    run = state.begin(counted, f" ({TASK_NAMES[task]})" if several and task in TASK_NAMES else "")
    try:
        yield Update(progress("Measuring …" if session.loaded else "Loading the model, once …", "busy"))
        with session.only_one_measures(), closing(samples()) as taken:
            yield from _take(state, run, task, taken)
    except ValueError as error:
        if state.run == run:
            state.run = ""
        yield Update(progress(f"Can’t measure: {str(error).rstrip('.')}.", "error"))
    except GeneratorExit:
        raise
    except Exception:  # gradio logs it
        state.broken = True
        raise


def _take(state: Measuring, run: str, task: str, taken: Iterator[Sample]) -> Iterator[Update]:
    before, started, told, what = state.here.get(task, Here()), time.monotonic(), 0.0, ""
    pending = False
    for sample in taken:
        if state.run != run:  # stopped, or a newer run
            return
        state.done = (sample.done, sample.of)
        if sample.runs is not None:
            here = before
            for one in sample.runs:
                here = here.and_run(one.rows, one.about)
            state.here[task], pending = here, True
        now = time.monotonic()
        if now - started > MOST_SECONDS:
            state.run = ""
            yield Update(_ended(TOO_LONG, state), moved=True)
            return
        if now - told >= SECONDS_BETWEEN:
            what, told = sample.what, now
            yield Update(_words(what, sample, state.about), moved=pending)
            pending = False
    if state.run != run:
        return
    state.run = ""
    seconds = time.monotonic() - started
    yield Update(progress(f"Done: {state.words()} in {_time(seconds)}.", "right"), moved=True)


def stop(state: Measuring) -> Update:
    """End what runs for this figure; its points stay."""
    if not state.run:
        return Update(progress("Nothing is being measured now."))
    state.run = ""
    state.said = _ended("Stopped", state)
    return Update(state.said, moved=True)


def broken_off(state: Measuring) -> Update:
    """What is left to say after a run that failed or was cancelled: what of it was on its way may land after the stop."""
    if state.broken:
        state.run = ""
        return Update(progress(BROKEN, "error"))
    return Update(state.said or None, moved=bool(state.said))


def _words(what: str, sample: Sample, about: str) -> str:
    left = "" if sample.left is None else f", about {_time(sample.left)} left"
    return progress(
        f"Measuring {what}", "busy", detail=f"{sample.done} of {sample.of}{about}{left}", done=sample.done, of=sample.of
    )


def _ended(how: str, state: Measuring) -> str:
    if not state.done[0]:
        return progress(f"{how} before the first {state.counted}.")
    return progress(f"{how} after {state.words()}; what was measured stays in the figure.")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


# ---- samples of answers


@dataclass(frozen=True)
class Part:
    """What one model measures: a Measurement and the model's name; words(SPEC) for people; forward passes of each SPEC
    where they are known, to tell the time.
    """

    measurement: Any
    model: str
    words: Callable[[str], str]
    expected: Mapping[str, float]


def answers(parts: Sequence[Part]) -> Iterator[Sample]:
    """The samples of one measurement after the other."""
    started, passes, finished = time.monotonic(), 0, 0
    made: dict[tuple[str, str], list[int]] = {}
    order = [(part, spec) for part in parts for _ in range(part.measurement.count) for spec in part.measurement.specs]

    def takes(part: Part, spec: str) -> float:
        own = made.get((part.model, spec))
        if own or spec in part.expected:
            return sum(own) / len(own) if own else part.expected[spec]
        known = [sum(counts) / len(counts) for counts in made.values()]
        return sum(known) / len(known) if known else 1

    for part in parts:
        for item in part.measurement:
            passes += 1
            runs = None
            if item is not None:
                finished += 1
                made.setdefault((part.model, item["decoder"]), []).append(item["forward_passes"])
                runs = [
                    Run(tuple(rows), {**one.measurement.about(), "model": one.model})
                    for one in parts
                    if (rows := one.measurement.rows())
                ]
            begun = passes - sum(map(sum, made.values()))
            ahead = max(0.0, sum(takes(*waiting) for waiting in order[finished:]) - begun)
            left = ahead * (time.monotonic() - started) / passes
            yield Sample(_what(*order[min(finished, len(order) - 1)]), finished, len(order), left, runs)


def _what(part: Part, spec: str) -> str:
    measurement = part.measurement
    number = min(len(measurement.items) // len(measurement.specs) + 1, measurement.count)
    return f"{part.words(spec)}: problem {number} of {measurement.count}"
