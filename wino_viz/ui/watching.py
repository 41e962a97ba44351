"""From decodings to what the page shows: the messages of a run, for one decoding or several side by side.

    for update in watch(current, start, session.loaded): ...     update.player, update.notice, update.rows

A `Current` belongs to one open page (a gr.State). The newest run on a page wins: an older one ends at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from wino_viz.decoding import WinoSettings
from wino_viz.models.files import is_wino_plus
from wino_viz.names import decoder_words
from wino_viz.trace import Trace
from wino_viz.ui.messages import lanes_message, new_run, start_message, step_message, trace_message
from wino_viz.ui.widgets import say

BROKEN = "The run broke off through a fault that is not yours; the server’s log says which. You can run again."
BEFORE_ANY = "Stopped before the first pass."
STOPPED = "Stopped here."
MOST_PRESSES = 2**31


@dataclass
class Current:
    """What runs on one page: the id of the run ("": nothing), its decodings (empty before the first pass), whether the
    last run broke off through a fault, the run that was called off before it ended, and what a Stop said (None: none
    came), as what was on its way of the run may land after it.

    The browser numbers the presses on Run, for what it sends may arrive in another order: `pressed` is the newest that
    began, `stopped_at` the newest that a Stop came after.
    """

    run: str = ""
    decodings: Sequence[Any] = field(default_factory=tuple)
    titles: Sequence[str] = field(default_factory=tuple)
    broken: bool = False
    called_off: str = ""
    stopped: Update | None = None
    pressed: int = 0
    stopped_at: int = 0

    def is_late(self, press: int) -> bool:
        """Whether a Stop or a later run overtook the run of a press (0: not numbered)."""
        return bool(press) and (press <= self.stopped_at or press < self.pressed)

    def begin(self) -> str:
        """A new run, which ends the one before it."""
        before = self.decodings
        self.run, self.decodings, self.titles, self.broken, self.stopped = new_run(), (), (), False, None
        _stop_all(before)
        return self.run

    def end(self) -> None:
        before = self.decodings
        self.run, self.decodings, self.titles, self.stopped = "", (), (), None
        _stop_all(before)


def _stop_all(decodings: Sequence[Any]) -> None:
    """Passes that wait for their turn are dropped: after the run has ended, so that it says no more."""
    for decoding in decodings:
        decoding.stop()


@dataclass(frozen=True)
class Update:
    """What changes on the page: messages for the player and the notice, and the rows of the table of figures."""

    player: str | None = None
    notice: str | None = None
    rows: Sequence[dict[str, Any]] | None = None


# The end of a run that was stopped: gradio repeats a run's last message when it is over, which may be after other words
# have come, and "Decoding …" would be the last of all.
NOTHING_MORE = Update()


def watch(
    current: Current,
    start: Callable[[], Sequence[Any]],
    loaded: bool,
    titles: Sequence[str] = (),
    press: Any = None,
) -> Iterator[Update]:
    """Run the decodings that `start` makes, pass by pass in turn, and say each pass; ValueErrors become notices.

    `titles` name them where their decoders do not tell them apart. `press` is the number of the press on Run, as the browser
    sends it.
    """
    if current.is_late(press := numbered(press)):
        yield NOTHING_MORE
        return
    run = current.begin()
    current.pressed = press
    try:
        yield from _watch(current, run, start, loaded, titles)
    except GeneratorExit:  # gradio closes what a Stop cancels
        current.called_off = run
        raise
    except Exception:  # gradio logs it
        current.broken = True
        raise


def broken_off(current: Current) -> Update:
    """What changes after a run that failed or was cancelled; nothing where nothing is left to say.

    The browser asks for it once a cancelled run is over. A Stop pressed right after Run may find the run not begun (then
    it is called off, and nobody has said so) or begun (then its "Decoding …" may land after the stop's words).
    """
    if current.broken:
        return Update(notice=say(BROKEN, "error"))
    said = current.stopped
    if said is None and current.run and current.called_off == current.run:
        said = _stopped(current)
    if said is None:
        return NOTHING_MORE
    current.end()
    current.stopped = said  # said after each of the runs that one Stop ended
    return said


def _watch(
    current: Current, run: str, start: Callable[[], Sequence[Any]], loaded: bool, titles: Sequence[str]
) -> Iterator[Update]:
    yield Update(notice=say("Decoding …" if loaded else "Loading the model, once. The first run takes longer.", "busy"))
    try:
        decodings = start()
    except ValueError as error:
        if current.run == run:
            current.end()
        yield Update(notice=refusal(error))
        return
    if current.run != run:
        yield from _last_words(current)
        return
    current.decodings, current.titles = decodings, titles
    names = [*titles] or [decoder_words(d.header["decoder"], d.header["model"]) for d in decodings]
    rows = [{"title": name} for name in names]
    for lane, decoding in enumerate(decodings):
        title = titles[lane] if titles else ""
        about = {"lane": lane, "title": title, "lanes": len(decodings), "begun_with": decoding.begun_with}
        begun = start_message(decoding.header, run, **about)
        yield Update(begun, say("Decoding …", "busy"), rows)
    for message, ended in _passes(decodings, run):
        if current.run != run:  # stopped, or a newer run
            yield from _last_words(current)
            return
        if ended is not None:
            rows[ended] = figures_row(decodings[ended].trace(), decodings[ended].verdict()) | {"title": names[ended]}
        yield Update(player=message, rows=None if ended is None else rows)
    if current.run != run:  # the same while the last message was on its way
        yield from _last_words(current)
        return
    current.end()
    verdicts = [decoding.verdict() for decoding in decodings]
    yield Update(whole(decodings, run, verdicts, titles), _summary(decodings, verdicts), rows)


def _last_words(current: Current) -> Iterator[Update]:
    """The end of a run that is over before its time: what a Stop said once more, for "Decoding …" may have landed after it."""
    if current.stopped is not None:
        yield current.stopped
    yield NOTHING_MORE


def _passes(decodings: Sequence[Any], run: str) -> Iterator[tuple[str, int | None]]:
    """(message, lane that ended with it or None): each decoding that is not finished makes one pass in turn."""
    with ExitStack() as stack:
        lanes = {lane: stack.enter_context(closing(iter(decoding))) for lane, decoding in enumerate(decodings)}
        while lanes:
            for lane, passes in list(lanes.items()):
                made = next(passes, None)
                if made is not None:
                    about = {"pieces": made.pieces, "model_seconds": made.seconds, "lane": lane}
                    yield step_message(made.step, run, made.number, **about), None
                    continue
                del lanes[lane]
                done = decodings[lane]
                yield trace_message(done.trace(), run, lane=lane, verdict=done.verdict()), lane


def stop(current: Current, press: Any = None) -> Update:
    """End what runs on this page: the player keeps the passes made so far.

    `press` is the number of the last press on Run before the Stop, whose run may still be on its way. All is said in one
    message: of two that come together, a busy browser shows the last alone.
    """
    press = numbered(press)
    if 0 < press < max(current.pressed if current.run else 0, current.stopped_at):
        current.stopped_at = max(current.stopped_at, press)
        return NOTHING_MORE  # a later run has begun, or a later Stop has said it
    on_its_way = press > max(current.pressed, current.stopped_at)
    current.stopped_at = max(current.stopped_at, press)
    if not current.run and not on_its_way:
        return Update(notice=say("Nothing is running now."))
    said = _stopped(current)
    current.end()
    current.stopped = said
    return said


def _stopped(current: Current) -> Update:
    decodings = current.decodings
    player = whole(decodings, current.run, titles=current.titles, stopped=STOPPED) if decodings else None
    return Update(player, say(_stopped_after(decodings)))


def numbered(press: Any) -> int:
    """The number of a press as a browser sent it; 0 for whatever is none."""
    known = isinstance(press, int | float) and not isinstance(press, bool) and 0 < press < MOST_PRESSES
    return int(press) if known else 0


def _stopped_after(decodings: Sequence[Any]) -> str:
    made = [decoding.trace().forward_passes for decoding in decodings]
    if not any(made):
        return BEFORE_ANY
    return f"Stopped after {listed(made)} {'pass' if made == [1] else 'passes'}."


def whole(
    decodings: Sequence[Any],
    run: str,
    verdicts: Sequence[dict[str, Any]] = (),
    titles: Sequence[str] = (),
    stopped: str = "",
) -> str:
    """The last message of a run, with all of it: a player that was not there meanwhile shows it too.

    `stopped` is said of those that still have masks.
    """
    traces = [decoding.trace() for decoding in decodings]
    early = ["" if is_finished(trace) else stopped for trace in traces]
    if len(traces) == 1:
        return trace_message(traces[0], run, verdict=verdicts[0] if verdicts else None, stopped=early[0])
    return lanes_message(traces, run, verdicts=verdicts, titles=titles, stopped=early)


def is_finished(trace: Any) -> bool:
    """Whether every token is placed."""
    return trace.mask_id not in trace.output_ids


def refusal(error: ValueError) -> str:
    """The notice for what can't be done: the error's sentence."""
    return say(f"Can’t run: {str(error).rstrip('.')}.", "error")


def _summary(decodings: Sequence[Any], verdicts: Sequence[dict[str, Any]]) -> str:
    traces = [decoding.trace() for decoding in decodings]
    passes = listed([trace.forward_passes for trace in traces])
    seconds = listed([f"{trace.timing['model_seconds']:.2f}" for trace in traces])
    words = f"Done in {passes} forward {'pass' if passes == '1' else 'passes'}, {seconds} s of model time."
    if len(verdicts) > 1:
        return say(f"{words}{_why_wino_took_more(traces, verdicts)}")
    if traces[0].branches:
        from_there = f"From pass {traces[0].branches[-1].at_pass + 1} on"
        words += f" {from_there} it was {decoder_words(traces[0].decoder, traces[0].model)}."
    if is_wino_plus(traces[0].model):
        words = words.replace("Done", f"{decoder_words(traces[0].decoder, traces[0].model)}: done")
    look = {True: "right", False: "wrong"}.get(mark(verdicts[0]), "info")
    return say(f"{verdicts[0]['text']} {words}", look)


def _why_wino_took_more(traces: Sequence[Trace], verdicts: Sequence[Mapping[str, Any]]) -> str:
    """A sentence where a threshold alone was enough: or WINO looks worse than it is where there is nothing to take back."""
    wino = next((trace for trace in traces if trace.decoder["name"] == "wino"), None)
    plain = [trace.forward_passes for trace in traces if trace.decoder["name"] == "threshold"]
    if wino is None or not plain or wino.revocations or not all(verdict["correct"] for verdict in verdicts):
        return ""
    if wino.forward_passes <= min(plain):
        return ""
    share = wino.decoder.get("draft_share", WinoSettings().draft_share)
    return (
        f" Nothing had to be taken back here, so a threshold alone was enough; WINO takes more passes, for it drafts at most "
        f"{share:.0%} of the masks in one."
    )


def mark(verdict: Mapping[str, Any]) -> bool | None:
    """A tick, a cross, or neither: for an answer that is not known, and for a right one with something wrong beside it."""
    return None if verdict["correct"] and not verdict["faithful"] else verdict["correct"]


def figures_row(trace: Any, verdict: dict[str, Any]) -> dict[str, Any]:
    """One row of the table of figures, for a finished decoding."""
    return {
        "title": decoder_words(trace.decoder, trace.model),
        "passes": trace.forward_passes,
        "reduction": trace.step_reduction,
        "revoked": trace.revocations,
        "seconds": trace.timing.get("model_seconds"),
        "verdict": verdict["text"],
        "correct": mark(verdict),
    }


def listed(values: Sequence[Any]) -> str:
    """Values in words: "12", "12 and 7", "12, 7 and 5"."""
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last
