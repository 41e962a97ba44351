"""More users than one GPU serves: the app as it is, and behind it one replica of the models per GPU, by Ray Serve.

    python -m wino_viz serve --replicas 2 --gpus-per-replica 1        http://127.0.0.1:7860
    pip install -r requirements-serve.txt

A decoding goes as a whole to the replica that is least busy, which sends the model's answers back as they are made; the
app applies the rule to them once more, so that what is shown, stopped and kept stays with it. Within a replica decodings
share passes (serving.py). The app itself is one process without a GPU.

Ray's GradioServer serves no page of Gradio 6 (it makes the app without a theme, and never starts its queue), so the app is
mounted as Gradio documents it, in the same kind of deployment: an ASGI ingress.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from wino_viz.decoding.base import Decoder, Forward, Predictions
from wino_viz.serving import MOST_USERS, Local

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from wino_viz.models.checkpoint import Checkpoint

STREAMS = 1000  # open pages: each keeps a request of the app
MODELS, APP = "models", "app"
OBJECTS = 100 * 2**20  # bytes for what Ray shares between processes: pictures and answers are small


QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Elsewhere:
    """The device of a model in a replica; `about` is what `wino_viz.provenance.machine` says there."""

    type: str
    about: dict[str, Any]


class Models:
    """The models of one replica, each loaded when it is first asked for. A deployment of Ray Serve."""

    def __init__(self) -> None:
        from wino_viz.models.checkpoint import load_checkpoint

        self._load, self._loaded = load_checkpoint, {}
        self._service = Local()
        self._loading = asyncio.Lock()
        self._threads = ThreadPoolExecutor(MOST_USERS + 8)

    async def _checkpoint(self, model: str) -> Checkpoint:
        async with self._loading:
            if model not in self._loaded:
                self._loaded[model] = await self._aside(self._load, model)
        return self._loaded[model]

    async def _aside(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def describe(self, model: str) -> Checkpoint | str:
        """A checkpoint without its weights; a sentence where it can't be loaded."""
        from wino_viz.provenance import machine

        try:
            checkpoint = await self._checkpoint(model)
        except (ValueError, OSError, RuntimeError, ImportError) as error:
            return str(error)
        device, reader = checkpoint.denoiser.device, checkpoint.reader
        if reader is not None:
            reader = replace(reader, magvit=SimpleNamespace(config=reader.magvit.config))
        size = SimpleNamespace(config=SimpleNamespace(vocab_size=checkpoint.denoiser.model.config.vocab_size))
        stand_in = SimpleNamespace(device=Elsewhere(device.type, machine(device)), model=size)
        return replace(checkpoint, denoiser=stand_in, reader=reader)

    async def answers(self, model: str, decoder: Decoder) -> AsyncIterator[tuple[Predictions, float]]:
        """Each answer and its share of the seconds; see `wino_viz.serving.User.answers`."""
        user = self._service.user(await self._checkpoint(model))
        passes = user.answers(decoder)
        try:
            while (answer := await self._aside(next, passes, None)) is not None:
                yield answer
                decoder.update(answer[0])
        finally:
            user.stop()  # he left, if it is not over: what waits is dropped

    async def predict(self, model: str, forwards: Sequence[Forward]) -> list[Predictions]:
        return await self._aside(self._service.user(await self._checkpoint(model)).predict, forwards)

    async def see(self, model: str, image: Image) -> tuple[np.ndarray, Image]:
        return await self._aside(self._service.see, await self._checkpoint(model), image)


class Replicas:
    """Service: the replicas of Ray Serve, from the process of the app (`wino_viz.serving.Service`)."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def load(self, model: str) -> Checkpoint:
        """The checkpoint of a model without its weights, as a Session loads one; ValueError with a sentence."""
        described = self.handle.describe.remote(model).result()
        if isinstance(described, str):
            raise ValueError(described)
        return described

    def user(self, checkpoint: Checkpoint) -> ReplicaUser:
        return ReplicaUser(self.handle, checkpoint)

    def see(self, checkpoint: Checkpoint, image: Image) -> tuple[np.ndarray, Image]:
        return self.handle.see.remote(checkpoint.name, image).result()


class ReplicaUser:
    """One decoding's way to a replica; see `wino_viz.serving.User`."""

    def __init__(self, handle: Any, checkpoint: Checkpoint) -> None:
        self._handle, self._checkpoint = handle, checkpoint
        self._answers: Any = None
        self._stopped = False

    @property
    def device(self) -> Elsewhere:
        return self._checkpoint.denoiser.device

    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        return self._handle.predict.remote(self._checkpoint.name, list(forwards)).result()

    def answers(self, decoder: Decoder) -> Iterator[tuple[Predictions, float]]:
        from ray.serve.exceptions import RequestCancelledError

        if self._stopped:
            return
        self._answers = self._handle.options(stream=True).answers.remote(self._checkpoint.name, decoder)
        try:
            with suppress(RequestCancelledError):
                for answer in self._answers:
                    if self._stopped:
                        return
                    yield answer
        finally:
            self._answers.cancel()  # of no effect where all of them came

    def stop(self) -> None:
        self._stopped = True
        if self._answers is not None:
            self._answers.cancel()


def make_page() -> Any:
    """The ASGI app of the ingress: the page, whose models are in the replicas."""
    import gradio as gr
    from fastapi import FastAPI
    from ray import serve

    from wino_viz.plus import wino_plus
    from wino_viz.session import Session
    from wino_viz.ui.page import LAUNCH, build_page, theme

    service = Replicas(serve.get_deployment_handle(MODELS, MODELS))
    session = Session(load=service.load, service=service)
    pictures = Session("mmada-mini", load=service.load, task="caption", service=service)
    page = build_page(session, pictures=pictures, plus=wino_plus(session, service.load))
    how = {key: LAUNCH[key] for key in ("footer_links", "run_history", "ssr_mode", "max_file_size")}
    return gr.mount_gradio_app(FastAPI(), page, path="/", theme=theme(), **how)


def start_models(replicas: int, gpus: float, **http: Any) -> Replicas:
    """Start Ray here, and the replicas with `gpus` each; `http` is where Ray Serve is to listen.

    Ray tells nobody anything. ValueError where it is not installed.
    """
    os.environ |= QUIET
    try:
        import ray
        from ray import serve
    except ImportError:
        raise ValueError("Ray is not installed: pip install -r requirements-serve.txt") from None

    logging.getLogger("ray").setLevel(logging.WARNING)
    ray.init(
        num_cpus=replicas + 2,  # Ray counts places, not cores: the replicas, the app and Ray's own
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=OBJECTS,
    )
    serve.start(http_options=http or {"location": "NoServer"})
    resources: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus}
    if not gpus:
        threads = max(1, (os.cpu_count() or 1) // replicas)
        resources["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": str(threads)}}
    models = serve.deployment(Models, name=MODELS)
    models = models.options(num_replicas=replicas, max_ongoing_requests=MOST_USERS, ray_actor_options=resources)
    return Replicas(serve.run(models.bind(), name=MODELS, route_prefix=None))


def start(replicas: int, gpus: float, port: int, host: str) -> str:
    """The same, with the app in front of them; returns its address."""
    start_models(replicas, gpus, host=host, port=port)
    from ray import serve

    app = serve.deployment(serve.ingress(make_page)(), name=APP)
    app = app.options(num_replicas=1, max_ongoing_requests=STREAMS, ray_actor_options={"num_cpus": 1})
    serve.run(app.bind(), name=APP, route_prefix="/")
    return f"http://{host}:{port}"


def stop() -> None:
    """End what `start` began, as far as it came."""
    if "ray" in sys.modules:
        import ray
        from ray import serve

        if ray.is_initialized():
            serve.shutdown()
            ray.shutdown()
