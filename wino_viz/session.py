"""What the app hands to its pages: one model for everybody, loaded on first use, and decodings that can be watched.

    session = Session("llada-mini")
    decoding = session.start("Ana has 3 apples …", session.settings("wino"))
    for made in decoding:
        print(made.number, len(made.step.drafted), made.seconds)
    print(decoding.trace().text, decoding.verdict())

    session = Session("mmada-mini", task="caption")
    picture = session.see(open_picture("scene.png"))
    decoding = session.start("Please describe this image in detail.", session.settings("wino"), picture=picture)

Importing this file and making a Session loads neither torch nor weights: a page opens before there is a model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from wino_viz import untrusted
from wino_viz.decoding import DECODERS, Settings, Start, decode, judge_tokens, parse_spec, record, resume, settings_of
from wino_viz.decoding.base import check_whole
from wino_viz.models.presets import Preset, presets_of
from wino_viz.problems import asked_problem, known_problem
from wino_viz.serving import Local
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import TASKS, judge, prompt_of
from wino_viz.trace import Branch, Step, Trace, shown_ids
from wino_viz.turns import Turns, read_turns

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from wino_viz.evaluation.measuring import Measurement
    from wino_viz.models.checkpoint import Checkpoint
    from wino_viz.serving import Service

MAX_PROMPT_CHARACTERS = 20_000  # far beyond any context here; longer ones are not worth tokenizing to say so
SECONDS_DECIMALS = 6
LONGEST_PASS = 1e6  # seconds that a trace may say a pass took
GUESSED = "Guessed: it saw a blank picture."
SECONDS_FOR_A_PASS = 3.0  # a measurement that was just cancelled ends after the pass under way
UNREACHABLE = "No answer is right: this target can’t be reached."

_GENERATED = {"countdown": countdown, "sudoku": sudoku}  # beside word problems, which have steps


class ModelUnavailable(ValueError):
    """The model can't be loaded; the message is a sentence for the person who pressed Run."""


class Pass(NamedTuple):
    """One forward pass of a decoding: its number from 1, what changed, the texts of new ids, and model seconds."""

    number: int
    step: Step
    pieces: dict[int, str]
    seconds: float


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as a model takes it in: what was brought, its codes (h, w), and the picture that the codes stand for."""

    image: Image
    codes: np.ndarray
    seen: Image
    is_blank: bool = False


class WordFromPicture(NamedTuple):
    """How sure the model is of one token of an answer, given all the others: with the picture, and with a blank one."""

    position: int
    id: int
    piece: str
    with_picture: float
    blank: float


class Session:
    """One model, shared by everybody who uses the app. Every method may be called from several threads at once.

    `load` makes a checkpoint from a name (wino_viz.models.checkpoint.load_checkpoint). `task` says whose preset gives
    the lengths and the decoders' settings where they are not given. `service` runs the model for many users at once
    (wino_viz.serving: Local, in this process; others are in zero_gpu.py and replicas.py).
    """

    def __init__(
        self,
        model: str = "llada-mini",
        load: Callable[[str], Checkpoint] | None = None,
        task: str = "arithmetic",
        service: Service | None = None,
    ) -> None:
        self.model, self.task = model, task
        self.service = service or Local()
        self._load = load or _load_checkpoint
        self._lock = threading.Lock()
        self._measuring = threading.Lock()
        self._checkpoint: Checkpoint | None = None
        self._running = 0
        self._presets = presets_of(model)
        self.gen_length, self.block_length = self.lengths(task)

    # ---- the model

    @property
    def loaded(self) -> bool:
        return self._checkpoint is not None

    @property
    def running(self) -> int:
        """How many decodings are under way."""
        return self._running

    def checkpoint(self) -> Checkpoint:
        """The model, loaded by whoever comes first; raises ModelUnavailable (and tries again next time)."""
        with self._lock:
            if self._checkpoint is None:
                try:
                    self._checkpoint = self._load(self.model)
                except (ValueError, OSError, RuntimeError, ImportError) as error:
                    raise ModelUnavailable(f"the model {self.model} can't be loaded: {error}") from error
                self._presets = presets_of(self.model) or self._presets  # it may have been downloaded only now
            return self._checkpoint

    def unload(self) -> None:
        """Let go of the model; whoever decodes next loads it again. Decodings under way keep it until they end."""
        with self._lock:
            self._checkpoint = None

    # ---- settings and problems

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks in words that the model knows: those with a preset, else the session's own."""
        return tuple(t for t, task in TASKS.items() if t in self._presets and not task.has_image) or (self.task,)

    @property
    def named_presets(self) -> dict[str, str]:
        """Settings that a person may choose by name: {"gsm8k": "GSM8K as in the paper"}; a preset is a task's, too."""
        return {name: preset.label for name, preset in self._presets.items() if preset.label}

    def named_preset(self, name: str) -> Preset:
        """One of them; raises ValueError with one sentence."""
        if not isinstance(name, str) or name not in self.named_presets:
            known = ", ".join(self.named_presets)
            choose = f"choose one of {known}" if known else "it has none"
            raise ValueError(f"there is no preset {untrusted.described(name)} for {self.model}: {choose}")
        return self._presets[name]

    def lengths(self, task: str) -> tuple[int, int]:
        """gen_length and block_length that suit a task."""
        preset = self._preset(task)
        return preset.gen_length, preset.block_length

    def _preset(self, task: str) -> Preset:
        return self._presets.get(task, Preset())

    def settings(self, name: str, task: str | None = None, **values: Any) -> Settings:
        """A decoder's settings: `values`, else the preset of the task (the session's own), else the decoder's defaults.

        Raises ValueError with one sentence. Whole numbers may come as floats (4.0), as browsers send them.
        """
        decoder = DECODERS.get(name) if isinstance(name, str) else None
        if decoder is None:
            raise ValueError(f"there is no decoder {untrusted.described(name)}: choose one of {', '.join(DECODERS)}")
        preset = self._preset(task or self.task).decoders.get(name, {})
        return decoder(**{**preset, **{key: _as_whole(value) for key, value in values.items()}})

    def parse(self, spec: str, task: str | None = None) -> Settings:
        """The settings of a SPEC such as "wino:tau1=0.6:tau2=0.9"; raises ValueError with one sentence."""
        return parse_spec(untrusted.text(spec, "the decoder"), self._preset(task or self.task).decoders)

    def new_problem(self, steps: int, seed: int, task: str = "arithmetic") -> dict[str, Any]:
        """A problem that the model was never trained on, as a problem record; the same seed gives the same.

        `steps` are those of a word problem. Raises ValueError for a task that is not one in words.
        """
        if task == "arithmetic":
            return arithmetic.record(arithmetic.generate(Random(seed), "test", int(steps)))
        if not isinstance(task, str) or task not in _GENERATED:
            known = ", ".join(("arithmetic", *_GENERATED))
            raise ValueError(f"there are no new problems of {untrusted.described(task)}: choose one of {known}")
        return _GENERATED[task].record(_GENERATED[task].generate(Random(seed), "test"))

    def judge(self, problem: Mapping[str, Any], text: str) -> dict[str, Any]:
        """What a text is worth as the answer to a problem record: {"correct", "faithful", "text": one line}."""
        verdict = judge(problem, text).to_dict()
        if problem.get("task") == "countdown" and verdict["correct"] is False and not _reachable(problem):
            verdict["text"] += f" {UNREACHABLE}"
        return verdict

    # ---- measuring

    @contextmanager
    def only_one_measures(self) -> Iterator[None]:
        """Hold the one place for long measurements, so that decodings always find a free one.

        Raises ValueError with one sentence while somebody else holds it.
        """
        if not self._measuring.acquire(timeout=SECONDS_FOR_A_PASS):
            raise ValueError(
                "something else is being measured just now, for you or for somebody else: try again when it is done"
            )
        try:
            yield
        finally:
            self._measuring.release()

    def measure(self, task: str, specs: Sequence[str], count: int, seed: int) -> Measurement:
        """Decoders on `count` fresh problems; see wino_viz.evaluation.measuring. Loads the model where that has not happened.

        Raises ValueError with one sentence.
        """
        from wino_viz.evaluation.measuring import Measurement

        checkpoint = self.checkpoint()
        measured = replace(checkpoint, denoiser=self.service.user(checkpoint))
        return Measurement(measured, task, specs, count, seed)

    # ---- pictures

    def see(self, image: Image) -> Picture:
        """A picture as the model sees it; raises ValueError for a model that reads text alone. Loads the model."""
        checkpoint = self.checkpoint()
        if checkpoint.reader is None:
            raise ValueError(f"{self.model} reads text alone and can't see a picture: take a model such as mmada-mini")
        return Picture(image, *self.service.see(checkpoint, image))

    def blank(self) -> Picture:
        """An empty grey picture, for the same question without anything to see."""
        from wino_viz.pictures import blank

        reader = self.checkpoint().reader
        return replace(self.see(blank(reader.resolution if reader else 1)), is_blank=True)

    def shows(self, trace: Trace, picture: Picture) -> bool:
        """Whether a trace is about this picture: the same codes stand in its prompt. Loads the model."""
        reader = self.checkpoint().reader
        seen = [token - reader.offset for token in trace.prompt_ids if reader.is_code(token)]
        return seen == picture.codes.flatten().tolist()

    # ---- decoding

    def start(
        self,
        prompt: str,
        settings: Settings,
        *,
        picture: Picture | None = None,
        earlier: Sequence[Sequence[str]] = (),
        gen_length: int | None = None,
        block_length: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        record: Mapping[str, Any] | None = None,
        preset: str | None = None,
        fixed: str = "",
        end_of_text: str = "free",
        cfg_scale: float = 0.0,
    ) -> Decoding:
        """Begin decoding an answer to `prompt`; raises ValueError with one sentence for what can't be decoded.

        Loads the model where that has not happened. `record` is the problem that the prompt may come from; its answer
        counts only while the prompt is what the record asks (any way to ask for a caption is as good as another).
        A record about a picture is the caller's to pass only with that picture. A countdown or a sudoku is known
        without a record, and written bare it is asked in the model's words. Lengths not given suit the problem's task.
        `preset` names one of `named_presets`: its lengths, and its words around the prompt. `fixed` ("0:Once, 5:upon"),
        `end_of_text` and `cfg_scale` are as in Checkpoint.canvas. `earlier` are [question, answer] of the turns before it
        (`turns.py`); the words of a preset stand around the new question alone, and a picture before the first turn. No
        forward pass is made before the first iteration.
        """
        prompt, earlier = untrusted.text(prompt, "the prompt"), read_turns(earlier)
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"the prompt is too long: it has {len(prompt):,} characters, {self._room()}")
        if not record and picture is not None:
            record = {"task": "vqa", "image": "", "question": prompt}
        problem = asked_problem(prompt, record)
        if problem.get("task") in _GENERATED:
            prompt = prompt_of(problem)
        given = {"gen_length": gen_length, "block_length": block_length}
        around = self.named_preset(preset) if preset else Preset()
        usual_lengths = self.lengths(preset) if preset else self._usual_lengths(problem.get("task", self.task))
        usual = dict(zip(given, usual_lengths, strict=True))
        lengths = {name: usual[name] if value is None else _as_whole(value) for name, value in given.items()}
        checkpoint = self.checkpoint()
        codes = None if picture is None else picture.codes
        asked, suffix = around.around(prompt) if prompt.strip() else (prompt, "")
        controls = {"fixed": fixed, "end_of_text": end_of_text, "cfg_scale": cfg_scale}
        canvas = checkpoint.canvas(
            asked,
            codes,
            earlier=earlier,
            **lengths,
            temperature=temperature,
            seed=_as_whole(seed),
            suffix=suffix,
            **controls,
        )
        return Decoding(self, checkpoint, settings, canvas, prompt, problem, picture, earlier=earlier)

    def branch(
        self,
        trace: Trace,
        at_pass: int,
        edits: Mapping[int, int | None] | None = None,
        settings: Settings | None = None,
        *,
        picture: Picture | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Decoding:
        """Go on from the middle of a trace that this model made: from after pass `at_pass` (0: before the first).

        `edits` are made before: {position: token id, or None to mask the position again}. `settings` are the decoder that
        goes on, those of the trace where left out. The trace of what is returned holds the passes up to there, the
        branch, and what follows; its iterator makes the new passes alone, numbered from `at_pass` + 1. Raises ValueError
        with one sentence for what can't be done. `picture` and `record` are as in `start`; the picture must be the one
        that the trace is about. Loads the model.
        """
        if trace.model != self.model:
            made = f"{untrusted.described(trace.model)}, and this is {self.model}"
            raise ValueError(f"only the model that made a trace can go on with it: that was {made}")
        checkpoint = self.checkpoint()
        rows = checkpoint.denoiser.model.config.vocab_size
        changes = {at: checkpoint.mask_id if token is None else token for at, token in (edits or {}).items()}
        for token in changes.values():
            check_whole("a token", token, 0, rows - 1)
        ids = {*trace.prompt_ids, *trace.output_ids, *shown_ids(trace.steps)}
        if trace.mask_id != checkpoint.mask_id or max(ids) >= rows:
            raise ValueError(f"the tokens of this trace are not those of {self.model}")
        if len(trace.prompt_ids) + trace.gen_length > checkpoint.context:
            raise ValueError(f"the trace is longer than {checkpoint.context}, the context of {self.model}")
        if picture is not None and not self.shows(trace, picture):
            raise ValueError("the trace is about another picture")
        start = Start.of(trace, at_pass, changes)
        asked = start.canvas.controls
        controls = checkpoint.controls(asked.fixed, asked.end_of_text, asked.cfg_scale)
        start = replace(start, canvas=replace(start.canvas, controls=controls))
        decoder = resume(settings or settings_of(trace.decoder), start)
        problem = known_problem(trace.prompt, record)
        return Decoding(
            self, checkpoint, decoder.settings, start.canvas, trace.prompt, problem, picture, branch=(trace, start)
        )

    def _usual_lengths(self, task: str) -> tuple[int, int]:
        if task in self.tasks and task != self.task:
            return self.lengths(task)
        return self.gen_length, self.block_length

    def _room(self) -> str:
        room = max(1, 3 * (self.checkpoint().context - self.gen_length))
        return f"and {self.model} has room for about {room}"

    def _count(self, change: int) -> None:
        with self._lock:
            self._running += change


class Decoding:
    """One decoding at work. Iterate once for its passes; closing the iterator stops it after the pass under way."""

    def __init__(
        self,
        session: Session,
        checkpoint: Checkpoint,
        settings: Settings,
        canvas: Any,
        prompt: str,
        problem: Mapping[str, Any],
        picture: Picture | None = None,
        branch: tuple[Trace, Start] | None = None,
        earlier: Turns = (),
    ) -> None:
        """`branch`: the trace that it goes on from, and where. `earlier`: the turns before the question."""
        self._session, self._checkpoint, self.picture = session, checkpoint, picture
        self._turns = earlier if branch is None else branch[0].earlier
        self.settings, self.canvas, self.prompt, self.problem = settings, canvas, prompt, problem
        self._user = session.service.user(checkpoint)
        self._steps: list[Step] = []
        self._seconds: list[float | None] = []
        self._pieces: dict[int, str] = checkpoint.pieces({token for _, token in canvas.controls.fixed})
        self._branches: tuple[Branch, ...] = ()
        self._kept: dict[str, Any] = {}
        self._earlier = 0  # steps that another decoding made
        if branch is None:
            self._decoder = settings.start(canvas)
        else:
            self._take_over(*branch)

    def _take_over(self, trace: Trace, start: Start) -> None:
        """Begin with what a trace did before `start`."""
        self._decoder = resume(self.settings, start)
        self._steps, self._branches, self._earlier = list(start.steps), start.branches, len(start.steps)
        measured = trace.timing.get("per_pass")
        known = measured if isinstance(measured, list) else []
        self._seconds = [_seconds(known, at) for at in range(len(start.steps))]
        shown = shown_ids(start.steps) | {edit.id for branch in start.branches for edit in branch.edits}
        self._pieces |= self._checkpoint.pieces(sorted(shown))
        self._kept = {key: trace.extra[key] for key in ("record", "picture") if key in trace.extra}

    @property
    def header(self) -> dict[str, Any]:
        """What is known before the first pass (`Trace.header()`)."""
        return self.begun_with.header()

    @property
    def begun_with(self) -> Trace:
        """The trace before the first pass that it makes: without a step, unless it is a branch of another."""
        return self._record(self._steps[: self._earlier], self._seconds[: self._earlier])

    def __iter__(self) -> Iterator[Pass]:
        """Each pass as it is made. Only the model is timed, not what is done between the passes."""
        self._session._count(+1)
        try:
            for number, (step, seconds) in enumerate(decode(self._decoder, self._user), start=self._earlier + 1):
                new = self._checkpoint.pieces(sorted(step.shown_ids() - self._pieces.keys()))
                self._pieces |= new
                self._seconds.append(round(seconds, SECONDS_DECIMALS))
                self._steps.append(step)
                yield Pass(number, step, new, self._seconds[-1])
        finally:
            self._session._count(-1)

    def stop(self) -> None:
        """End it, from any thread: a pass that waits for its turn is dropped, and the iterator ends."""
        self._user.stop()

    def trace(self) -> Trace:
        """What there is of the trace: all of it after the last pass, at any time before the passes made so far."""
        return self._record(list(self._steps), list(self._seconds))

    def verdict(self) -> dict[str, Any]:
        """{"correct": True, False or None (no known answer), "faithful": bool, "text": one line} of the text so far."""
        if self.picture is not None and self.picture.is_blank:
            return {"correct": None, "faithful": True, "text": GUESSED}
        return self._session.judge(self.problem, self.trace().text)

    def words_from_picture(self) -> list[WordFromPicture]:
        """Each word of the finished answer: would it still be there if the picture were blank?

        The shadow block judges every token with all the others in sight, as in a verification: once with the picture
        and once with a blank one; under the run's guidance, where it has one. Two forward passes; raises ValueError where
        there is no picture or no end yet.
        """
        if self.picture is None or self._decoder.request() is not None:
            raise ValueError("only a finished answer about a picture can be compared with a blank one")
        tokens = self._decoder.canvas
        reader, codes = self._checkpoint.reader, iter(self._session.blank().codes.flatten().tolist())
        blank = [reader.offset + next(codes) if reader.is_code(token) else token for token in self.canvas.prompt_ids]
        forwards = [
            replace(judge_tokens(ids, tokens, self.canvas.mask_id), **self.canvas.controls.of_forward(len(ids)))
            for ids in (self.canvas.prompt_ids, blank)
        ]
        user = self._session.service.user(self._checkpoint)
        seen, unseen = (user.predict([forward])[0] for forward in forwards)
        pieces = self._checkpoint.pieces(set(tokens))
        return [
            WordFromPicture(position, token, pieces[token], float(p), float(q))
            for position, (token, p, q) in enumerate(
                zip(tokens, seen.given_probability, unseen.given_probability, strict=True)
            )
            if token not in self._checkpoint.end_ids
        ]

    def _record(self, steps: list[Step], seconds: list[float | None]) -> Trace:
        trace = record(
            model=self._checkpoint.name,
            settings=self.settings,
            canvas=self.canvas,
            prompt=self.prompt,
            steps=steps,
            pieces=self._pieces,
            text="",
            end_ids=self._checkpoint.end_ids,
            timing={
                "model_seconds": round(sum(value for value in seconds if value is not None), SECONDS_DECIMALS),
                "per_pass": seconds,
            },
            branches=self._branches,
        )
        # of these steps, not of the decoder's canvas: another thread may be a pass further
        text = self._checkpoint.text(trace.output_ids)
        return replace(trace, text=text, earlier=self._turns, extra=self._extra())

    def _extra(self) -> dict[str, Any]:
        """What a trace alone is to bring back: the record of a countdown or a sudoku (its board) and of a word problem
        whose answer is known, or where the codes of the picture stand in prompt_ids.
        """
        if self._branches:
            return self._kept
        if self.picture is None:
            known = self.problem.get("task") in _GENERATED or "answer" in self.problem
            return {"record": dict(self.problem)} if known else {}
        rows, columns = self.picture.codes.shape
        offset = self._checkpoint.reader.offset
        first = next(n for n, token in enumerate(self.canvas.prompt_ids) if self._checkpoint.reader.is_code(token))
        return {"picture": {"first": first, "rows": rows, "columns": columns, "offset": offset}}


def _reachable(problem: Mapping[str, Any]) -> bool:
    return countdown.work(*countdown.numbers_and_target(problem)) is not None


def _seconds(measured: Sequence[Any], at: int) -> float | None:
    """Of a trace's list of seconds, which may come from anywhere, that of one pass; None where it is not known."""
    value = measured[at] if at < len(measured) else None
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LONGEST_PASS
    return float(value) if known else None


def _as_whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _load_checkpoint(name: str) -> Checkpoint:
    from wino_viz.models.checkpoint import load_checkpoint  # torch takes seconds to import: not before it is needed

    return load_checkpoint(name)
