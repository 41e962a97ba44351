"""Many users, one model: passes that are ready together go through the model in one batch.

    user = SHARED.user(denoiser)                           one of many, each in its own thread
    steps = [timed.step for timed in decode(settings.start(canvas), user)]

A user is a Denoiser: it hands in a pass and waits for the answer. One worker thread makes all passes, in rounds: in a
round everybody who is ready has one pass, in the order in which they came, as many of them together as fit. So nobody is
passed over and nobody gets ahead by asking faster; a lone user waits for nobody, and who reads slowly hands in late and
slows himself alone. `stop` drops what a user still waits for.

A batch that fails is halved and tried again, until the pass that is to blame is alone: its owner gets the error. Where
both halves succeed the batch was too large, and no other of that model grows so large again.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from wino_viz.decoding.base import Decoder, Denoiser, Forward, Predictions

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from wino_viz.models.checkpoint import Checkpoint

MOST_USERS = 64
MOST_TOKENS = 32_768  # of a batch, padding included: more make a GPU no faster, only everybody's pass longer
MOST_LOGITS = 2**29  # rows × vocabulary of a batch: 2 GB in float32, of which a few copies live at once
MOST_PADDING = 1.5  # a batch may be so many times as large as what is in it
# A user whose pass has just been made is back with the next one in a moment. The worker waits for him so long, as a share
# of the pass, unless nobody is expected; whoever was not back in time is not waited for again before he is.
WAIT_SHARE, LONGEST_WAIT = 0.25, 0.02
# Larger batches make a GPU hardly faster, and while one is made the others' rules and messages are done: so a batch takes half
# of those who are decoding, unless they are few.
FEW_USERS = 8
IDLE_SECONDS = 10.0  # after which the worker ends; the next pass starts another


class Stopped(Exception):
    """The user stopped while his pass waited."""


class Limits(NamedTuple):
    """How large a batch may become: users, tokens with padding, and rows whose logits are wanted."""

    users: int = MOST_USERS
    tokens: int = MOST_TOKENS
    rows: int = MOST_TOKENS


def usual_limits(denoiser: Any) -> Limits:
    """By the denoiser's device: one at a time on a CPU, which one sequence keeps busy already."""
    device, model = getattr(denoiser, "device", None), getattr(denoiser, "model", None)
    if getattr(device, "type", "cpu") == "cpu":
        return Limits(users=1)
    vocabulary = model.config.vocab_size if model is not None else 1
    return Limits(rows=MOST_LOGITS // vocabulary)


@dataclass(eq=False)
class _Turn:
    """What one user waits for: passes, or work of another kind (`call`), which goes alone.

    `made` is set once, with the answers (or what the call returned), the seconds of its share, or an error.
    """

    user: User
    forwards: Sequence[Forward] = ()
    call: Callable[[], Any] | None = None
    round: int = 0
    made: threading.Event = field(default_factory=threading.Event)
    answers: Any = None
    seconds: float = 0.0
    error: BaseException | None = None

    @property
    def longest(self) -> int:
        return max(len(forward.ids) for forward in self.forwards)

    @property
    def rows(self) -> int:
        return sum(forward.sequences * len(forward.rows) for forward in self.forwards)

    @property
    def sequences(self) -> int:
        return sum(forward.sequences for forward in self.forwards)


class User:
    """One decoding's way to the model: a Denoiser whose passes wait their turn. Made by `Scheduler.user`."""

    def __init__(self, scheduler: Scheduler, denoiser: Denoiser) -> None:
        self._scheduler, self.denoiser = scheduler, denoiser
        self._turn: _Turn | None = None
        self._stopped = False
        self._next_round = 0

    @property
    def device(self) -> Any:
        return getattr(self.denoiser, "device", None)

    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        """One pass, after those who came before; raises Stopped, or what the model raised for these forwards."""
        return self._scheduler.make(_Turn(self, forwards)).answers

    def answers(self, decoder: Decoder) -> Iterator[tuple[Predictions, float]]:
        """The answers to a decoder's requests one by one, each with its share of the batch's seconds, without the waiting.

        The decoder takes each before the next is asked for. Ends early where the user stops.
        """
        try:
            while (forward := decoder.request()) is not None:
                turn = self._scheduler.make(_Turn(self, [forward]))
                yield turn.answers[0], turn.seconds
        except Stopped:
            return
        finally:
            self._scheduler.leave(self)

    def stop(self) -> None:
        """No more passes, from any thread: what waits is dropped at once, what is under way is not waited for."""
        self._scheduler.stop(self)


class Scheduler:
    """Hands passes of many users to their models; see the head of this file. Any method from any thread.

    `limits` tells how large a batch of a denoiser may become.
    """

    def __init__(self, limits: Callable[[Any], Limits] = usual_limits) -> None:
        self._limits_of = limits
        self._changed = threading.Condition()
        self._waiting: list[_Turn] = []  # by round, and within one in the order in which they came
        self._round = 0
        self._expected: set[User] = set()  # whose last pass was made just now
        self._too_many: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by denoiser: how many may be together
        self._last_seconds = 0.0
        self._worker: threading.Thread | None = None

    def user(self, denoiser: Denoiser) -> User:
        return User(self, denoiser)

    @property
    def waiting(self) -> int:
        """How many passes wait now, that under way not counted."""
        return len(self._waiting)

    def call(self, work: Callable[[], Any]) -> Any:
        """What `work` returns, after those who came before and with the device to itself; raises what it raises."""
        return self.make(_Turn(User(self, None), call=work)).answers

    def make(self, turn: _Turn) -> _Turn:
        """Wait until a turn is made and return it; raises its error."""
        user = turn.user
        with self._changed:
            if user._stopped:
                raise Stopped
            user._turn = turn
            turn.round = max(user._next_round, self._round + 1)  # who is new comes behind all who wait for this one
            user._next_round = turn.round + 1
            insort(self._waiting, turn, key=lambda waiting: waiting.round)
            self._expected.discard(user)
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="wino-viz-passes", daemon=True)
                self._worker.start()
            self._changed.notify_all()
        turn.made.wait()
        if turn.error is not None:
            raise turn.error
        return turn

    def leave(self, user: User) -> None:
        """Nothing more comes from this user for now: nobody waits for him."""
        with self._changed:
            self._expected.discard(user)
            self._changed.notify_all()

    def stop(self, user: User) -> None:
        with self._changed:
            user._stopped = True
            if user._turn is not None:
                if user._turn in self._waiting:
                    self._waiting.remove(user._turn)
                self._settle(user._turn, error=Stopped())
        self.leave(user)

    # ---- the worker

    def _work(self) -> None:
        while self._next_batch():
            pass

    def _next_batch(self) -> bool:
        """Make what goes through together; False after a while without anything to do, and then the worker is gone."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, IDLE_SECONDS):
                self._worker = None
                return False
            self._wait_for_the_expected()
            batch = self._fitting()
            self._waiting = [turn for turn in self._waiting if turn not in batch]
        if batch:  # else whoever waited has just stopped
            self._make_all(batch)
        return True

    def _wait_for_the_expected(self) -> None:
        """A moment for those who are likely to be back, where they could join the batch."""
        until = time.monotonic() + min(WAIT_SHARE * self._last_seconds, LONGEST_WAIT)
        while self._waiting:
            denoiser = self._waiting[0].user.denoiser
            if denoiser is None:
                return
            ready = sum(turn.user.denoiser is denoiser for turn in self._waiting)
            coming = any(user.denoiser is denoiser for user in self._expected)
            left = until - time.monotonic()
            if not coming or ready >= self._at_once(denoiser):
                return
            if left <= 0:
                self._expected = {user for user in self._expected if user.denoiser is not denoiser}
                return
            self._changed.wait(left)

    def _fitting(self) -> list[_Turn]:
        """The first turn, and those behind it that fit beside it."""
        batch: list[_Turn] = []
        count = longest = tokens = rows = 0
        if not self._waiting:
            return []
        self._round = self._waiting[0].round
        if self._waiting[0].call:
            return self._waiting[:1]
        denoiser = self._waiting[0].user.denoiser
        most = self._most(denoiser)._replace(users=self._at_once(denoiser))
        for turn in self._waiting:
            if turn.user.denoiser is not denoiser:
                continue
            n, high = count + turn.sequences, max(longest, turn.longest)
            own = tokens + sum(forward.sequences * len(forward.ids) for forward in turn.forwards)
            fits = (
                n <= most.users and n * high <= min(most.tokens, MOST_PADDING * own) and rows + turn.rows <= most.rows
            )
            if batch and not fits:
                continue
            batch.append(turn)
            count, longest, tokens, rows = n, high, own, rows + turn.rows
            if count >= most.users:
                break
        return batch

    def _at_once(self, denoiser: Any) -> int:
        """How many users a batch may have now."""
        asking = sum(turn.user.denoiser is denoiser for turn in self._waiting)
        asking += sum(user.denoiser is denoiser for user in self._expected)
        return min(self._most(denoiser).users, max(FEW_USERS, asking // 2))

    def _most(self, denoiser: Any) -> Limits:
        usual = self._limits_of(denoiser)
        return usual._replace(users=min(usual.users, self._too_many.get(denoiser, usual.users)))

    def _make_all(self, batch: Sequence[_Turn]) -> bool:
        """Make these passes, in halves where all together fail. Whether all succeeded."""
        if self._make_together(batch):
            return True
        if len(batch) == 1:
            return False
        half = len(batch) // 2
        made = [self._make_all(part) for part in (batch[:half], batch[half:])]
        if all(made):
            denoiser = batch[0].user.denoiser
            self._too_many[denoiser] = min(half, self._too_many.get(denoiser, half))
        return all(made)

    def _make_together(self, batch: Sequence[_Turn]) -> bool:
        """One forward pass of the model. A lone turn keeps the error; that of a batch is forgotten with all it holds."""
        started = time.perf_counter()
        try:
            if batch[0].call:
                self._settle(batch[0], answers=batch[0].call())
                return True
            answers = batch[0].user.denoiser.predict([forward for turn in batch for forward in turn.forwards])
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            if len(batch) == 1:
                with self._changed:
                    self._settle(batch[0], error=error)
            return False
        self._last_seconds = time.perf_counter() - started
        share = self._last_seconds / len(answers)
        with self._changed:
            for turn in batch:
                own, answers = answers[: len(turn.forwards)], answers[len(turn.forwards) :]
                if not turn.user._stopped:
                    self._expected.add(turn.user)
                self._settle(turn, answers=own, seconds=share * len(own))
        return True

    @staticmethod
    def _settle(turn: _Turn, **outcome: Any) -> None:
        """The first outcome counts: a pass that was stopped while it was under way has no other."""
        if turn.made.is_set():
            return
        for name, value in outcome.items():
            setattr(turn, name, value)
        turn.made.set()


SHARED = Scheduler()  # of everybody in this process, whatever their model: a device makes one pass at a time


class Service(Protocol):
    """Where a Session's models run."""

    def user(self, checkpoint: Checkpoint) -> User:
        """One decoding's way to the model of a checkpoint; `answers`, `predict` and `stop` are as in User."""

    def see(self, checkpoint: Checkpoint, image: Image) -> tuple[np.ndarray, Image]:
        """The codes (h, w) of a picture, and the picture that they stand for."""


def see(checkpoint: Checkpoint, image: Image) -> tuple[np.ndarray, Image]:
    """See Service.see, here and now."""
    codes = checkpoint.reader.codes(image)
    return codes, checkpoint.reader.picture(codes)


class Local:
    """Service: the models of this process, for all of its users."""

    def __init__(self, scheduler: Scheduler = SHARED) -> None:
        self._scheduler = scheduler

    def user(self, checkpoint: Checkpoint) -> User:
        return self._scheduler.user(checkpoint.denoiser)

    def see(self, checkpoint: Checkpoint, image: Image) -> tuple[np.ndarray, Image]:
        return self._scheduler.call(lambda: see(checkpoint, image))
