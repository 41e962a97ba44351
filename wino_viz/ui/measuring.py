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

from wino_viz.ui.figures import Here
from wino_viz.ui.player import new_run
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

    what: what is being measured. done of `of`: answers, or rows (0: nobody knows how many). left: seconds, None while
    nobody knows. rows: all so far, where they are new.
    """

    what: str
    done: int
    of: int
    left: float | None = None
    rows: Sequence[Mapping[str, Any]] | None = None


@dataclass
class Measuring:
    """What is measured on one page for one figure: the run under way ("": none), and the points of each task."""

    run: str = ""
    here: dict[str, Here] = field(default_factory=dict)
    done: tuple[int, int] = (0, 0)
    counted: str = "answer"
    broken: bool = False
    said: str = ""

    def begin(self, counted: str) -> str:
        self.run, self.done, self.counted, self.broken, self.said = new_run(), (0, 0), counted, False, ""
        return self.run

    def words(self) -> str:
        """“7 of 10 answers”, or “7 answers” where nobody knows how many there will be."""
        done, of = self.done
        return f"{done} of {of} {self.counted}s" if of > 1 else f"{done} {self.counted}{'' if done == 1 else 's'}"


def measure(
    state: Measuring,
    task: str,
    session: Any,
    samples: Callable[[], Iterator[Sample]],
    about: Callable[[], Mapping[str, Any]],
    counted: str = "answer",
) -> Iterator[Update]:
    """Take from `samples()` until it ends, is stopped, or takes too long; ValueErrors become a sentence.

    `about` says where the rows come from; it is asked once `samples` has begun. `counted`: what is counted.
    """
    run = state.begin(counted)
    try:
        yield Update(progress("Measuring …" if session.loaded else "Loading the model, once …", "busy"))
        with session.only_one_measures(), closing(samples()) as taken:
            yield from _take(state, run, task, taken, about)
    except ValueError as error:
        if state.run == run:
            state.run = ""
        yield Update(progress(f"Can’t measure: {str(error).rstrip('.')}.", "error"))
    except GeneratorExit:
        raise
    except Exception:  # gradio logs it
        state.broken = True
        raise


def _take(state: Measuring, run: str, task: str, taken: Iterator[Sample], about: Callable[[], Any]) -> Iterator[Update]:
    before, started, told, what = state.here.get(task, Here()), time.monotonic(), 0.0, ""
    pending = False
    for sample in taken:
        if state.run != run:  # stopped, or a newer run
            return
        state.done = (sample.done, sample.of)
        if sample.rows is not None:
            state.here[task] = before.and_run(sample.rows, about())
            pending = True
        now = time.monotonic()
        if now - started > MOST_SECONDS:
            state.run = ""
            yield Update(_ended(TOO_LONG, state), moved=True)
            return
        if now - told >= SECONDS_BETWEEN:
            what, told = sample.what, now
            yield Update(_words(what, sample), moved=pending)
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


def _words(what: str, sample: Sample) -> str:
    left = "" if sample.left is None else f", about {_time(sample.left)} left"
    detail = f"{sample.done} of {sample.of}{left}" if sample.of else f"{sample.done} done"
    return progress(f"Measuring {what}", "busy", detail=detail, done=sample.done, of=sample.of)


def _ended(how: str, state: Measuring) -> str:
    if not state.done[0]:
        return progress(f"{how} before the first {state.counted}.")
    return progress(f"{how} after {state.words()}; what was measured stays in the figure.")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


# ---- samples of answers


def answers(measurement: Any, words: Callable[[str], str], expected: Mapping[str, float]) -> Iterator[Sample]:
    """The samples of a Measurement. `expected`: forward passes of each SPEC, where they are known, to tell the time."""
    started, done = time.monotonic(), 0
    made: dict[str, list[int]] = {spec: [] for spec in measurement.specs}
    order = [spec for _ in range(measurement.count) for spec in measurement.specs]

    def of(spec: str) -> float:
        own = made[spec]
        known = [sum(counts) / len(counts) for counts in made.values() if counts]
        return sum(own) / len(own) if own else expected.get(spec) or (sum(known) / len(known) if known else 1)

    for passes, item in enumerate(measurement, start=1):
        rows = None
        if item is not None:
            done += 1
            made[item["decoder"]].append(item["forward_passes"])
            rows = measurement.rows()
        spec = order[min(done, len(order) - 1)]
        begun = passes - sum(map(sum, made.values()))
        ahead = max(0.0, sum(map(of, order[done:])) - begun)
        left = ahead * (time.monotonic() - started) / passes
        number = done // len(measurement.specs) + 1
        what = f"{words(spec)}: problem {min(number, measurement.count)} of {measurement.count}"
        yield Sample(what, done, measurement.answers, left, rows)
