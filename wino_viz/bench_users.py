"""How many users one model serves at once: each in a thread, as in the app, decoding one problem after the other.

    python -m wino_viz bench --users [1,4,16,64] [--seconds 5] [--decoders wino] [--replicas 2] [--out OUT.json]

For so many seconds each begins another answer, and the last ones are finished: the first passes of an answer place more
tokens than its last, so only whole answers count. A user's share is the time of a pass alone, times the users: what
everybody would wait for if passes only took turns. Then the same for a few users with one more beside them who reads
slowly, or who stops: what their neighbours notice of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from wino_viz.decoding import Settings
from wino_viz.serving import usual_limits
from wino_viz.session import Session
from wino_viz.ui.messages import new_run, start_message, step_message

USERS = (1, 4, 16, 64)
MOST_USERS = 256
SECONDS = 5.0
NEIGHBOURS = 3
SLOW_SECONDS = 0.5  # that the slow reader takes for a pass
PASSES_BEFORE_STOP, STOP_AFTER = 2, 0.002  # and seconds: while the next pass waits or is under way


@dataclass
class Work:
    """What one user got. Times in seconds; passes[n] is when the n-th pass was there, counted from his first request.

    A slow reader sleeps after each pass; one who stops does so early in his first answer.
    """

    passes: list[float] = field(default_factory=list)
    tokens: int = 0  # of whole answers
    slow: bool = False
    stops: bool = False
    freed: float | None = None


def bench_users(session: Session, counts: Sequence[int], spec: str, seconds: float) -> dict[str, Any]:
    """Rows by number of users, and what neighbours notice; see the head of this file."""
    settings, limits = session.parse(spec), usual_limits(session.checkpoint().denoiser)
    warm_up = min(seconds, 1.0)  # a GPU's first passes are slower
    _run(session, settings, [Work() for _ in range(max(counts))], warm_up, whole=False)
    one = _run(session, settings, [Work()], seconds)
    alone = _row(one, None)
    rows = []
    for count in counts:
        works = [Work() for _ in range(count)]
        rows.append(_row(one if count == 1 else _run(session, settings, works, seconds), alone))
    beside = [_beside(session, settings, what, seconds) for what in ("nobody", "one more", "slow reader", "stopped")]
    about = {"decoder": spec, "seconds": seconds, "limits": limits._asdict()}
    return {**about, "rows": rows, "neighbours": beside}


def _beside(session: Session, settings: Settings, what: str, seconds: float) -> dict[str, Any]:
    """What NEIGHBOURS users get beside one more of a kind."""
    more = {"nobody": [], "slow reader": [Work(slow=True)], "stopped": [Work(stops=True)]}.get(what, [Work()])
    works = _run(session, settings, [*(Work() for _ in range(NEIGHBOURS)), *more], seconds, whole=False)
    mine = works[:NEIGHBOURS]
    return {
        "beside": what,
        "users": NEIGHBOURS,
        "seconds_per_pass": fmean(_per_pass(work) for work in mine),
        "fewest_passes_to_mean": min(len(w.passes) for w in mine) / fmean(len(w.passes) for w in mine),
        "passes_of_the_other": len(more[0].passes) if more else None,
        "seconds_until_freed": more[0].freed if more else None,
    }


def _row(works: Sequence[Work], alone: dict[str, Any] | None) -> dict[str, Any]:
    users, seconds = len(works), max(work.passes[-1] for work in works)
    counts = [len(work.passes) for work in works]
    firsts = [work.passes[0] for work in works]
    row = {
        "users": users,
        "tokens_per_second": sum(work.tokens for work in works) / seconds,
        "passes_per_second": sum(counts) / seconds,
        "seconds_to_first_step": median(firsts),
        "longest_to_first_step": max(firsts),
        "seconds_per_pass": fmean(_per_pass(work) for work in works),
        "slowest_to_mean": max(map(_per_pass, works)) / fmean(map(_per_pass, works)),
    }
    if alone:
        row["speed_up"] = row["tokens_per_second"] / alone["tokens_per_second"]
        row["share"] = row["seconds_per_pass"] / (alone["seconds_per_pass"] * users)
    return row


def _per_pass(work: Work) -> float:
    return work.passes[-1] / len(work.passes)


def _run(
    session: Session, settings: Settings, works: Sequence[Work], seconds: float, whole: bool = True
) -> Sequence[Work]:
    """All users at once for so long; each has at least one pass, and if `whole` one answer."""
    begin = threading.Barrier(len(works))
    threads = [
        threading.Thread(target=_use, args=(session, settings, work, number, begin, seconds, whole))
        for number, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return works


def _use(
    session: Session,
    settings: Settings,
    work: Work,
    seed: int,
    begin: threading.Barrier,
    seconds: float,
    whole: bool,
) -> None:
    """One user: new problems until the time is over, with the messages that the app writes for each pass."""
    begin.wait()
    started = time.perf_counter()
    over = False
    while not over:
        decoding, run = session.start(session.new_problem(4, seed)["question"], settings), new_run()
        start_message(decoding.header, run)
        for made in decoding:
            work.passes.append(time.perf_counter() - started)
            step_message(made.step, run, made.number, pieces=made.pieces, model_seconds=made.seconds)
            if work.slow:
                time.sleep(SLOW_SECONDS)
            if work.stops and len(work.passes) == PASSES_BEFORE_STOP:
                threading.Timer(STOP_AFTER, _stop, (decoding, work)).start()
            over = time.perf_counter() - started >= seconds
            if over and not (whole or work.stops):
                return
        if work.stops:
            work.freed = time.perf_counter() - work.freed
            return
        work.tokens += decoding.canvas.gen_length
        seed += 1000


def _stop(decoding: Any, work: Work) -> None:
    work.freed = time.perf_counter()
    decoding.stop()


def report(result: dict[str, Any]) -> str:
    """The figures as text, with what they are held against."""
    limits, replicas = result["limits"], result.get("replicas")
    where = f"{replicas} {'replica' if replicas == 1 else 'replicas'}" if replicas else "one process"
    lines = [
        f"{result['decoder']}, {result['seconds']:g} s or more for each row, in {where}; a batch has at most "
        f"{limits['users']} users, {limits['tokens']:,} tokens and {limits['rows']:,} rows here",
        "",
        "| users | tokens per s | × one user | ms to first step | the longest | ms per pass | of a share | slowest ÷ mean |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['users']} | {row['tokens_per_second']:.0f} | {row['speed_up']:.2f}× "
            f"| {row['seconds_to_first_step'] * 1e3:.0f} | {row['longest_to_first_step'] * 1e3:.0f} "
            f"| {row['seconds_per_pass'] * 1e3:.1f} | {row['share']:.2f} | {row['slowest_to_mean']:.2f} |"
        )
    lines += [
        "",
        "Goals: more users, more tokens per second (on a GPU); nobody waits longer than a share (1.00); slowest ÷ mean near 1.",
        "",
        f"| {NEIGHBOURS} users beside | their ms per pass | fewest ÷ mean passes | passes of the other |",
        "|---|---|---|---|",
    ]
    for row in result["neighbours"]:
        other = "" if row["passes_of_the_other"] is None else f"{row['passes_of_the_other']}"
        if row["seconds_until_freed"] is not None:
            other += f", gone {row['seconds_until_freed'] * 1e3:.1f} ms after the stop"
        lines.append(
            f"| {row['beside']} | {row['seconds_per_pass'] * 1e3:.1f} | {row['fewest_passes_to_mean']:.2f} | {other} |"
        )
    return "\n".join(lines)
