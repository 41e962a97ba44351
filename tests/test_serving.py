"""Many users of one model: what waits goes together, oldest first, and nobody slows or breaks another.

Fairness is counted in passes, not in seconds: a gate holds the model until everybody who is to wait does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from scripted import RandomDenoiser, a_canvas

from wino_viz.decoding import Forward, StandardSettings, WinoSettings, decode
from wino_viz.decoding.base import NO_TOKEN, Canvas
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.serving import Limits, Scheduler, Stopped, User, usual_limits

PATIENCE = 30


class Gated:
    """A denoiser that waits for its gate in every pass, and keeps who was in each pass (the first id of each forward).

    More than `most` forwards are too many, those of `bad` owners fail.
    """

    def __init__(self, most: int = 1000, bad: Sequence[int] = ()) -> None:
        self.gate, self.begun = threading.Event(), threading.Semaphore(0)
        self.inner, self.batches, self.most, self.bad = RandomDenoiser(), [], most, bad

    def predict(self, forwards):
        self.batches.append([int(forward.ids[0]) for forward in forwards])
        self.begun.release()
        assert self.gate.wait(PATIENCE)
        if len(forwards) > self.most:
            raise MemoryError("too many at once")
        if any(int(forward.ids[0]) in self.bad for forward in forwards):
            raise RuntimeError("a bad forward")
        return self.inner.predict(forwards)


def forward_of(owner: int, length: int = 8) -> Forward:
    return Forward(np.full(length, owner), rows=np.arange(4), given=np.full(4, NO_TOKEN))


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.0005)


class Crowd:
    """Users of one gated model, each in a thread of his own."""

    def __init__(self, limits: Limits, denoiser: Gated) -> None:
        self.denoiser, self.scheduler = denoiser, Scheduler(lambda _: limits)
        self.pool = ThreadPoolExecutor(20)
        self.users: dict[int, User] = {}

    def hand_in(self, *owners: int, lengths: Mapping[int, int] | None = None) -> list[Future]:
        """A pass of each; when this returns the first is under way, and the others wait in their order."""
        made = []
        for owner in owners:
            user = self.users.setdefault(owner, self.scheduler.user(self.denoiser))
            made.append(self.pool.submit(user.predict, [forward_of(owner, (lengths or {}).get(owner, 8))]))
            if len(made) == 1:
                assert self.denoiser.begun.acquire(timeout=PATIENCE)
            else:
                self.wait_for(len(made) - 1)
        return made

    def wait_for(self, count: int) -> None:
        """Until so many passes wait."""
        wait_until(lambda: self.scheduler.waiting >= count)

    def let_go(self, made: Sequence[Future]) -> list:
        """The answer or the error of each, once the gate is open."""
        self.denoiser.gate.set()
        return [future.exception(PATIENCE) or future.result()[0] for future in made]


@pytest.fixture
def crowd() -> Iterator[Callable[..., Crowd]]:
    made: list[Crowd] = []

    def crowd(limits: Limits | None = None, **how) -> Crowd:
        made.append(Crowd(limits or Limits(), Gated(**how)))
        return made[-1]

    yield crowd
    for one in made:
        one.denoiser.gate.set()
        one.pool.shutdown()


def errors(answers: Sequence) -> list[Exception]:
    return [answer for answer in answers if isinstance(answer, Exception)]


# ---- together, in order


def test_of_many_half_go_through_together_so_that_the_rules_of_the_others_run_meanwhile(crowd):
    one = crowd(Limits())
    one.let_go(one.hand_in(*range(1, 19)))
    assert one.denoiser.batches[0] == [1]
    assert one.denoiser.batches[1] == list(range(2, 11))  # half of the 17 who wait and the one who is expected back
    assert sorted(owner for batch in one.denoiser.batches for owner in batch) == list(range(1, 19))


def test_what_waits_while_a_pass_is_made_goes_through_in_one(crowd):
    many = crowd()
    answers = many.let_go(many.hand_in(*range(6)))
    assert many.denoiser.batches == [[0], [1, 2, 3, 4, 5]]
    alone = [RandomDenoiser().predict([forward_of(owner)])[0] for owner in range(6)]
    assert [answer.ids.tolist() for answer in answers] == [answer.ids.tolist() for answer in alone]


def test_the_oldest_go_first_and_no_batch_is_larger_than_the_limit(crowd):
    many = crowd(Limits(users=2))
    many.let_go(many.hand_in(*range(6)))
    assert many.denoiser.batches == [[0], [1, 2], [3, 4], [5]]


def test_tokens_and_rows_of_a_batch_are_bounded_but_one_that_is_larger_still_goes_alone(crowd):
    many = crowd(Limits(tokens=24))
    many.let_go(many.hand_in(*range(7), lengths={5: 40}))
    assert many.denoiser.batches == [[0], [1, 2, 3], [4, 6], [5]]
    many = crowd(Limits(rows=8))  # four each
    many.let_go(many.hand_in(*range(4)))
    assert many.denoiser.batches == [[0], [1, 2], [3]]


def test_a_long_one_does_not_make_the_others_mostly_padding_and_is_not_passed_over(crowd):
    many = crowd()
    many.let_go(many.hand_in(*range(6), lengths={2: 200, 5: 190}))
    assert many.denoiser.batches == [[0], [1, 3, 4], [2, 5]]


def test_two_models_take_turns_by_age_and_are_never_in_one_batch(crowd):
    many = crowd()
    others = Gated()
    others.gate.set()
    order: list[str] = []
    others.inner.predict = lambda forwards: order.append(f"others after {len(many.denoiser.batches)}") or [None]
    first = many.hand_in(0)
    between = many.pool.submit(many.scheduler.user(others).predict, [forward_of(7)])
    many.wait_for(1)
    last = many.pool.submit(many.scheduler.user(many.denoiser).predict, [forward_of(1)])
    many.wait_for(2)
    assert not errors(many.let_go([*first, between, last]))
    assert many.denoiser.batches == [[0], [1]] and order == ["others after 1"]


@pytest.mark.parametrize("users", [1, 3, 64])
def test_while_one_waits_nobody_gets_more_than_the_pass_under_way_and_one_of_the_same_round(users: int):
    people, rounds = 8, 12

    class Everybody(RandomDenoiser):
        """Ends a pass once all the others wait for theirs, and counts what they got meanwhile."""

        def predict(self, forwards):
            made = [int(forward.ids[0]) for forward in forwards]
            for owner in made:
                got.append(max((had - handed_in_at[owner]).values(), default=0))
            had.update(made)
            wait_until(lambda: scheduler.waiting == people - len(made))
            if had.total() >= people * rounds:
                for user in everybody:
                    user.stop()
            return super().predict(forwards)

    def run(owner: int) -> None:
        with suppress(Stopped):
            while True:
                handed_in_at[owner] = Counter(had)
                everybody[owner].predict([forward_of(owner)])

    had, handed_in_at, got = Counter(), {}, []
    scheduler, denoiser = Scheduler(lambda _: Limits(users=users)), Everybody()
    everybody = [scheduler.user(denoiser) for _ in range(people)]
    with ThreadPoolExecutor(people) as pool:
        list(pool.map(run, range(people)))
    assert max(got) <= 2 and had.total() >= people * rounds and min(had.values()) >= rounds - 2


def test_whole_decodings_side_by_side_make_the_steps_that_each_makes_alone():
    jobs = [(settings, seed) for settings in (StandardSettings(2), WinoSettings()) for seed in range(8)]

    def steps(job: tuple, denoiser) -> list:
        settings, seed = job
        return [step for step, _ in decode(settings.start(a_canvas(32, 16, seed=seed, temperature=0.5)), denoiser)]

    alone = [steps(job, RandomDenoiser()) for job in jobs]
    shared, scheduler = RandomDenoiser(), Scheduler(lambda _: Limits())
    with ThreadPoolExecutor(len(jobs)) as pool:
        together = list(pool.map(lambda job: steps(job, scheduler.user(shared)), jobs))
    assert together == alone and sum(shared.batches) == sum(map(len, alone))


# ---- who is slow, stops, or fails


def test_a_slow_reader_holds_nobody_up():
    """He reads one pass and no more, while the others come to their end."""
    scheduler, denoiser = Scheduler(lambda _: Limits()), RandomDenoiser()
    slow = decode(StandardSettings().start(a_canvas(32)), scheduler.user(denoiser))
    next(slow)
    with ThreadPoolExecutor(3) as pool:
        made = pool.map(
            lambda _: len(list(decode(StandardSettings().start(a_canvas()), scheduler.user(denoiser)))), "abc"
        )
        assert list(made) == [8, 8, 8]
    assert len(list(slow)) == 31


def test_a_user_who_stops_is_dropped_at_once_whether_he_waits_or_is_under_way(crowd):
    many = crowd()
    under_way, waits, other = many.hand_in(0, 1, 2)
    for owner in (0, 1):
        many.users[owner].stop()
    for made in (under_way, waits):
        with pytest.raises(Stopped):
            made.result(PATIENCE)  # while the gate is still closed
    assert many.scheduler.waiting == 1
    assert not errors(many.let_go([other]))
    assert many.denoiser.batches == [[0], [2]]
    with pytest.raises(Stopped):
        many.users[1].predict([forward_of(1)])


def test_a_decoding_that_is_stopped_ends_and_asks_for_nothing_more():
    denoiser = RandomDenoiser()
    user = Scheduler().user(denoiser)
    passes = decode(StandardSettings().start(a_canvas(16)), user)
    next(passes)
    user.stop()
    assert list(passes) == [] and denoiser.batches == [1]


def test_a_bad_forward_reaches_its_owner_alone(crowd):
    many = crowd(bad=[3])
    answers = many.let_go(many.hand_in(*range(8)))
    assert [str(error) for error in errors(answers)] == ["a bad forward"] and isinstance(answers[3], RuntimeError)
    assert not errors(many.let_go([many.pool.submit(many.users[n].predict, [forward_of(n)]) for n in (1, 2)]))


def test_a_batch_that_is_too_large_is_halved_and_none_after_it_is_so_large(crowd):
    many = crowd(most=4)
    assert not errors(many.let_go(many.hand_in(*range(9))))
    assert [len(batch) for batch in many.denoiser.batches] == [1, 8, 4, 4]
    many.denoiser.gate.clear()
    many.denoiser.begun = threading.Semaphore(0)
    assert not errors(many.let_go(many.hand_in(*range(9))))
    assert [len(batch) for batch in many.denoiser.batches[4:]] == [1, 4, 4]


def test_one_that_is_too_large_by_itself_keeps_its_error(crowd):
    many = crowd(most=0)
    assert [str(error) for error in errors(many.let_go(many.hand_in(0, 1)))] == ["too many at once"] * 2


def test_other_work_takes_its_turn_and_keeps_its_own_error(crowd):
    many = crowd()
    first = many.hand_in(0)
    seen = many.pool.submit(many.scheduler.call, lambda: ["seen", len(many.denoiser.batches)])
    many.wait_for(1)
    broken = many.pool.submit(many.scheduler.call, lambda: 1 // 0)
    many.wait_for(2)
    last = many.pool.submit(many.users[0].predict, [forward_of(0)])
    many.wait_for(3)
    answers = many.let_go([*first, broken, last])
    assert isinstance(answers[1], ZeroDivisionError) and len(errors(answers)) == 1
    assert seen.result(PATIENCE) == ["seen", 1]


# ---- the real model


def test_a_cpu_makes_one_pass_at_a_time(mini: Checkpoint):
    assert usual_limits(mini.denoiser).users == 1


def test_users_of_the_real_model_get_in_a_batch_what_they_get_alone(mini: Checkpoint):
    canvases = [mini.canvas(asked, gen_length=32, block_length=32) for asked in ("Ana has 12 pears.", "3102", "Hello")]
    scheduler = Scheduler(lambda _: Limits())

    def tokens(canvas: Canvas, denoiser) -> list:
        steps = [step for step, _ in decode(WinoSettings().start(canvas), denoiser)]
        return [[token[:2] for token in (*step.drafted, *step.remasked)] for step in steps]

    alone = [tokens(canvas, mini.denoiser) for canvas in canvases]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda canvas: tokens(canvas, scheduler.user(mini.denoiser)), canvases)) == alone


def test_prompts_that_are_read_at_the_same_time_are_read_as_each_alone(mini: Checkpoint):
    """A fast tokenizer has a state for how special tokens are read, which one user must not set for another."""
    asked = "Ana has 12 pears.<|eot_id|>"
    alone = mini.prompt_ids(asked)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(mini.prompt_ids, [asked] * 400))
    assert [ids for ids in read if ids != alone] == []
