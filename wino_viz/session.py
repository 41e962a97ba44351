"""What the app hands to its pages: one model for everybody, loaded on first use, and decodings that can be watched.

    session = Session("llada-mini")
    decoding = session.start("Ana has 3 apples …", session.settings("wino"))
    for made in decoding:
        print(made.number, len(made.step.drafted), made.seconds)
    print(decoding.trace().text, decoding.verdict())

Importing this file and making a Session loads neither torch nor weights: a page opens before there is a model.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from wino_viz import untrusted
from wino_viz.decoding import DECODERS, Settings, decode, parse_spec, record
from wino_viz.tasks import arithmetic
from wino_viz.trace import Step, Trace

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

MODELS = Path(__file__).parents[1] / "assets" / "models"
TASK = "arithmetic"
MAX_PROMPT_CHARACTERS = 20_000  # far beyond any context here; longer ones are not worth tokenizing to say so
SECONDS_DECIMALS = 6


class ModelUnavailable(ValueError):
    """The model can't be loaded; the message is a sentence for the person who pressed Run."""


class Pass(NamedTuple):
    """One forward pass of a decoding: its number from 1, what changed, the texts of new ids, and model seconds."""

    number: int
    step: Step
    pieces: dict[int, str]
    seconds: float


class Session:
    """One model, shared by everybody who uses the app. Every method may be called from several threads at once.

    `load` makes a checkpoint from a name (wino_viz.models.checkpoint.load_checkpoint).
    """

    def __init__(self, model: str = "llada-mini", load: Callable[[str], Checkpoint] | None = None) -> None:
        self.model = model
        self._load = load or _load_checkpoint
        self._lock = threading.Lock()
        self._checkpoint: Checkpoint | None = None
        self._running = 0
        preset = _read_presets(model).get(TASK, {})
        self.gen_length: int = preset.get("gen_length", 128)
        self.block_length: int = preset.get("block_length", 64)
        self._decoders: Mapping[str, Mapping[str, Any]] = preset.get("decoders", {})

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
            return self._checkpoint

    # ---- settings and problems

    def settings(self, name: str, **values: Any) -> Settings:
        """A decoder's settings: `values`, else the preset that ships with the model, else the decoder's defaults.

        Raises ValueError with one sentence. Whole numbers may come as floats (4.0), as browsers send them.
        """
        decoder = DECODERS.get(name) if isinstance(name, str) else None
        if decoder is None:
            raise ValueError(f"there is no decoder {untrusted.described(name)}: choose one of {', '.join(DECODERS)}")
        preset = self._decoders.get(name, {})
        return decoder(**{**preset, **{key: _as_whole(value) for key, value in values.items()}})

    def parse(self, spec: str) -> Settings:
        """The settings of a SPEC such as "wino:tau1=0.6:tau2=0.9"; raises ValueError with one sentence."""
        return parse_spec(untrusted.text(spec, "the decoder"), self._decoders)

    def new_problem(self, steps: int, seed: int) -> dict[str, Any]:
        """A word problem that the model was never trained on, as a problem record; the same seed gives the same."""
        return arithmetic.record(arithmetic.generate(Random(seed), "test", int(steps)))

    def judge(self, problem: Mapping[str, Any], text: str) -> dict[str, Any]:
        """What a text is worth as the answer to a problem record: {"correct", "faithful", "text": one line}."""
        return verdict(problem, text)

    # ---- decoding

    def start(
        self,
        prompt: str,
        settings: Settings,
        *,
        gen_length: int | None = None,
        block_length: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        record: Mapping[str, Any] | None = None,
    ) -> Decoding:
        """Begin decoding an answer to `prompt`; raises ValueError with one sentence for what can't be decoded.

        Loads the model where that has not happened. `record` is the problem that the prompt may come from; its answer
        counts only while the prompt is the record's question. No forward pass is made before the first iteration.
        """
        prompt = untrusted.text(prompt, "the prompt")
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"the prompt is too long: it has {len(prompt):,} characters, {self._room()}")
        lengths = {"gen_length": gen_length, "block_length": block_length}
        lengths = {name: getattr(self, name) if value is None else _as_whole(value) for name, value in lengths.items()}
        checkpoint = self.checkpoint()
        canvas = checkpoint.canvas(prompt, **lengths, temperature=temperature, seed=_as_whole(seed))
        known = record if record and str(record.get("question", "")).strip() == prompt.strip() else {"question": prompt}
        return Decoding(self, checkpoint, settings, canvas, prompt, known)

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
    ) -> None:
        self._session, self._checkpoint = session, checkpoint
        self.settings, self.canvas, self.prompt, self.problem = settings, canvas, prompt, problem
        self._decoder = settings.start(canvas)
        self._steps: list[Step] = []
        self._seconds: list[float] = []
        self._pieces: dict[int, str] = {}

    @property
    def header(self) -> dict[str, Any]:
        """What is known before the first pass (`Trace.header()`)."""
        return self._record([], []).header()

    def __iter__(self) -> Iterator[Pass]:
        """Each pass as it is made. Only the model is timed, not what is done between the passes."""
        self._session._count(+1)
        try:
            for number, (step, seconds) in enumerate(decode(self._decoder, self._checkpoint.denoiser), start=1):
                new = self._checkpoint.pieces(sorted(step.shown_ids() - self._pieces.keys()))
                self._pieces |= new
                self._seconds.append(round(seconds, SECONDS_DECIMALS))
                self._steps.append(step)
                yield Pass(number, step, new, self._seconds[-1])
        finally:
            self._session._count(-1)

    def trace(self) -> Trace:
        """What there is of the trace: all of it after the last pass, at any time before the passes made so far."""
        return self._record(list(self._steps), list(self._seconds))

    def verdict(self) -> dict[str, Any]:
        """{"correct": True, False or None (no known answer), "faithful": bool, "text": one line} of the text so far."""
        return verdict(self.problem, self.trace().text)

    def _record(self, steps: list[Step], seconds: list[float]) -> Trace:
        trace = record(
            model=self._checkpoint.name,
            settings=self.settings,
            canvas=self.canvas,
            prompt=self.prompt,
            steps=steps,
            pieces=self._pieces,
            text="",
            end_ids=self._checkpoint.end_ids,
            timing={"model_seconds": round(sum(seconds), SECONDS_DECIMALS), "per_pass": seconds},
        )
        # of these steps, not of the decoder's canvas: another thread may be a pass further
        return replace(trace, text=self._checkpoint.text(trace.output_ids))


def verdict(problem: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Judge an answer to a problem record (with or without its answer): {"correct", "faithful", "text"}."""
    judged = arithmetic.check(dict(problem), text)
    answer, read = problem.get("answer"), judged.answer_read
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
    return {"correct": judged.correct, "faithful": judged.faithful, "text": words}


def _some(words: tuple[str, ...], most: int = 3) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _as_whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_presets(model: str) -> Mapping[str, Any]:
    """presets.json of an embedded model or a local folder, before anything else of it is loaded."""
    for folder in (MODELS / model, Path(model)):
        if (path := folder / "presets.json").is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    return {}


def _load_checkpoint(name: str) -> Checkpoint:
    from wino_viz.models.checkpoint import load_checkpoint  # torch takes seconds to import: not before it is needed

    return load_checkpoint(name)
