"""Hugging Face's ZeroGPU: a GPU for the seconds of one decoding, in a process that is forked for it.

    service = zero_gpu_here()                      None everywhere else
    session = Session(service=service)
    service.load([session])                        when the app starts, in its main thread

What is decorated with `spaces.GPU` is as small as can be: the passes of one decoding, one look at a picture, one pass. All
that the page keeps (the run under way, what a Stop ends, the trace) stays in the app's own process, which is told the
model's answers and applies the rule to them once more. Nothing sleeps while the GPU is held, and a reader who is slow does
not hold it: `spaces` takes the answers in as fast as they are made.

The models are put on the "cuda" that `spaces` shows to the main thread, so they have to be loaded there, before the app is
launched. A forked process has one user, so it needs no scheduler.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wino_viz import serving
from wino_viz.decoding.base import Decoder, Forward, Predictions

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from wino_viz.models.checkpoint import Checkpoint
    from wino_viz.session import Session

# How long the GPU is asked for: a decoding that takes longer is broken off, one that ends sooner costs what it took. So
# these are on the safe side; they were not measured on ZeroGPU.
START_SECONDS = 10.0  # the fork, CUDA, and the weights on their way to the GPU
SECONDS_PER_PASS = 0.03  # of a model so small that starting its kernels is all
SECONDS_PER_GIGABYTE = 2.0  # of weights, once
OPERATIONS_PER_SECOND = 2e13  # a large GPU in float32 makes twice as many
MOST_SECONDS = 120  # what a visitor has a day, without an account
LOOK_SECONDS = 20

_loaded: dict[str, Checkpoint] = {}  # by name: what a forked process finds in its memory


def zero_gpu_here() -> ZeroGPU | None:
    """The service of a Space on ZeroGPU, known by its environment; imports `spaces` there, and nothing elsewhere."""
    return ZeroGPU() if os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true") else None


class ZeroGPU:
    """Service: each decoding in a GPU's process of its own (`wino_viz.serving.Service`)."""

    def __init__(self) -> None:
        import spaces

        self.answers = spaces.GPU(duration=answers_seconds)(_answers)
        self.predict = spaces.GPU(duration=predict_seconds)(_predict)
        self.see_on_gpu = spaces.GPU(duration=LOOK_SECONDS)(_see)

    def load(self, sessions: Iterable[Session]) -> None:
        """Load the models of these sessions: a process that was forked before knows nothing of a model that came after."""
        for session in sessions:
            checkpoint = session.checkpoint()
            _loaded[checkpoint.name] = checkpoint

    def user(self, checkpoint: Checkpoint) -> ZeroGPUUser:
        return ZeroGPUUser(self, checkpoint)

    def see(self, checkpoint: Checkpoint, image: Image) -> tuple[np.ndarray, Image]:
        return self.see_on_gpu(checkpoint.name, image)


class ZeroGPUUser:
    """One decoding's way to its GPU; see `wino_viz.serving.User`."""

    def __init__(self, service: ZeroGPU, checkpoint: Checkpoint) -> None:
        self._service, self._checkpoint = service, checkpoint
        self._stopped = False

    @property
    def device(self) -> Any:
        return self._checkpoint.denoiser.device

    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        return self._service.predict(self._checkpoint.name, list(forwards))

    def answers(self, decoder: Decoder) -> Iterator[tuple[Predictions, float]]:
        for answer in self._service.answers(self._checkpoint.name, decoder):
            if self._stopped:
                return  # closes what it iterates over, and the GPU is free after the pass under way
            yield answer

    def stop(self) -> None:
        self._stopped = True


def answers_seconds(model: str, decoder: Any) -> int:
    """For how long a decoding asks for the GPU: one pass per token at most, or fewer where the decoder places several."""
    per_pass = getattr(decoder.settings, "tokens_per_step", 1)
    passes = -(-len(decoder.canvas) // per_pass)
    request = decoder.request()
    return _seconds(model, passes * request.sequences, len(request.ids))


def predict_seconds(model: str, forwards: Sequence[Forward]) -> int:
    """The same for single passes."""
    return _seconds(
        model, sum(forward.sequences for forward in forwards), max(len(forward.ids) for forward in forwards)
    )


def _seconds(model: str, passes: int, tokens: int) -> int:
    weights = list(_loaded[model].denoiser.model.parameters())
    parameters = sum(weight.numel() for weight in weights)
    gigabytes = sum(weight.numel() * weight.element_size() for weight in weights) / 2**30
    per_pass = SECONDS_PER_PASS + 2 * parameters * tokens / OPERATIONS_PER_SECOND
    return round(min(START_SECONDS + gigabytes * SECONDS_PER_GIGABYTE + passes * per_pass, MOST_SECONDS))


# ---- in the forked process


def _answers(model: str, decoder: Decoder) -> Iterator[tuple[Predictions, float]]:
    """Each answer of the model and its seconds, for a decoder that runs to its end here, too."""
    denoiser = _loaded[model].denoiser
    while (forward := decoder.request()) is not None:
        started = time.perf_counter()
        [answer] = denoiser.predict([forward])
        yield answer, time.perf_counter() - started
        decoder.update(answer)


def _predict(model: str, forwards: Sequence[Forward]) -> list[Predictions]:
    return _loaded[model].denoiser.predict(forwards)


def _see(model: str, image: Image) -> tuple[np.ndarray, Image]:
    return serving.see(_loaded[model], image)
