"""The denoiser: the only place that runs the model. Forwards in, Predictions out.

The layers run on the whole sequence, the language-model head on the requested rows only, and one small tensor is
copied to the host per call, for which the host waits once. Several Forwards go through in one batch: they are padded
on the left and every row keeps its own mask and positions, so each gives what it would give alone.

    denoiser = Denoiser(model, mask_id)
    denoiser = Denoiser(model, mask_id, speed=Speed.for_device(model.device))
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedModel

from wino_viz.decoding.base import NO_TOKEN, Forward, Predictions
from wino_viz.models.attention import take
from wino_viz.models.graphs import Graphs
from wino_viz.models.guidance import changed, changes_logits, with_guidance
from wino_viz.models.layers import Batch, Layers, Memory, Plan
from wino_viz.models.layout import Layout, Masks, Shape, arrange
from wino_viz.models.prefix import Prefixes, without_shadow
from wino_viz.models.reading import read, sample

# Decoders compare and record the same rounded probabilities. Below this, float32 differs with batch and machine, and
# saturated confidences would be ordered by noise.
DECIMALS = 6
GRAPH_ROWS, GRAPH_LENGTH = 128, 64  # a captured graph is for a multiple of so many rows and, in a batch, tokens
ZERO_GPU = "SPACES_ZERO_GPU"  # set in a Space on ZeroGPU
MOST_COMPILED = 64  # shapes; PyTorch stops compiling at 8 unless told otherwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Speed:
    """How a model is run. All but `reuse` give the same tokens in float32.

    own_layers  False runs transformers' own modules: what the rest is compared with
    merge       merged matrix products and Triton's kernels (`layers.py`): for a GPU, and a model that is not being trained
    graphs      captured CUDA graphs (`graphs.py`): for a GPU
    compile     torch.compile around Triton's kernels; takes half a minute for each new shape of an 8B model
    reuse       prefix reuse (`prefix.py`): approximate
    plan        what differs in speed alone
    """

    own_layers: bool = True
    merge: bool = False
    graphs: bool = False
    compile: bool = False
    reuse: bool = False
    plan: Plan = field(default_factory=Plan)

    @classmethod
    def for_device(cls, device: torch.device, *, compile: bool = False, reuse: bool = False) -> Speed:
        """What is fastest there, without compiling unless asked to.

        On ZeroGPU the model is loaded where there is no GPU yet, and used in a process that lives for one decoding.
        """
        on_gpu = device.type == "cuda" and not os.environ.get(ZERO_GPU)
        return cls(merge=on_gpu, graphs=on_gpu, compile=compile, reuse=reuse)


class Denoiser:
    """Runs a bidirectional model on its own device. May be called from several threads.

    mask_id is never chosen and takes no part in the probabilities (it is never a target in training; only a model with
    random weights would notice). arrange lays a Forward out for a model whose rows don't predict their own positions
    (`next_position.py`); None where they do. Raises ValueError for prefix reuse with such a model, or one that is spread over
    GPUs.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        mask_id: int,
        arrange: Callable[[Forward], Forward] | None = None,
        speed: Speed | None = None,
    ) -> None:
        self.model = model
        self.mask_id = mask_id
        self.arrange = arrange
        self.device = model.device
        self.speed = speed or Speed()
        is_spread = len({parameter.device for parameter in model.parameters()}) > 1  # over GPUs
        if self.speed.reuse and (is_spread or arrange is not None):
            raise ValueError(
                "prefix reuse is for models on one device whose rows predict their own position (LLaDA, MMaDA)"
            )
        if is_spread:
            self.speed = Speed(own_layers=False)  # transformers' own modules follow it
        self._masks = Masks()
        self._layers = Layers(model, merge=self.speed.merge, plan=self.speed.plan)
        self._pass = self._run
        if self.speed.compile:
            torch._dynamo.config.recompile_limit = max(MOST_COMPILED, torch._dynamo.config.recompile_limit)
            self._pass = torch.compile(self._run, dynamic=False)
        self._graphs = Graphs(self._run_shape, self.device) if self.speed.graphs else None
        self._prefixes = (
            Prefixes(mask_id, lambda n: Memory(self._layers, n), self._forget) if self.speed.reuse else None
        )
        self._lock = threading.Lock() if self.speed.graphs or self.speed.reuse else nullcontext()
        if self._layers.fused and not self.speed.compile:
            self._warm_up()

    @property
    def captures(self) -> bool:
        """Whether passes run as captured graphs: asked for, and possible so far."""
        return self._graphs is not None

    @torch.inference_mode()
    def predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        """One batched forward pass (with prefix reuse one after the other); the answers come in the order of `forwards`.

        Those with guidance, or with ids that are left out, are a batch of their own, on the plain way.
        """
        apart = [changes_logits(forward) for forward in forwards]
        usual = [forward for forward, is_apart in zip(forwards, apart, strict=True) if not is_apart]
        others = [forward for forward, is_apart in zip(forwards, apart, strict=True) if is_apart]
        if self.arrange is not None:
            usual = [self.arrange(forward) for forward in usual]
        with self._lock, torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext():
            if self._prefixes is not None:
                made = iter([self._predict([forward])[0] for forward in usual])
            else:
                made = iter(self._predict(usual) if usual else [])
            also = iter(self._predict_changed(others) if others else [])
        return [next(also if is_apart else made) for is_apart in apart]

    @torch.inference_mode()
    def _warm_up(self) -> None:
        """Compile Triton's kernels on two small passes: it takes a second or two, and the first question would wait for it."""
        block = np.arange(16)
        ids, rows, given = np.zeros(48, dtype=np.int64), np.arange(48), np.full(48, NO_TOKEN)
        shadow = np.tril(np.ones((3, 3), dtype=bool)).repeat(16, 0).repeat(16, 1)
        shadow[:32, :32] = True
        with torch.cuda.device(self.device):
            for attention in (shadow, None):
                forward = Forward(ids, rows, given, np.concatenate((block, block, block)), attention)
                layout = arrange([forward], [self._masks(attention)], self.mask_id, GRAPH_ROWS, GRAPH_LENGTH)
                numbers = torch.from_numpy(layout.numbers).to(self.device)
                self._run_shape(layout.shape, numbers, layout.bias(self.device, self.model.dtype))

    def _predict(self, forwards: Sequence[Forward]) -> list[Predictions]:
        layout = self._layout(forwards)
        packed = self._packed(layout, forwards)  # (B, R, 3 + 2k)
        return [unpacked(part[: len(forward.rows)]) for forward, part in zip(forwards, packed, strict=True)]

    def _predict_changed(self, forwards: Sequence[Forward]) -> list[Predictions]:
        """The same where the logits are changed before they are read (`guidance.py`): no graph, no memory, no compiling."""
        sequences = with_guidance(forwards, self.mask_id)
        if self.arrange is not None:
            sequences = [self.arrange(forward) for forward in sequences]
        layout = arrange(sequences, [self._masks(each.attention) for each in sequences], self.mask_id, 1, 1)
        numbers = torch.from_numpy(layout.numbers).to(self.device)
        batch = layout.shape.batch(numbers, layout.bias(self.device, self.model.dtype))
        layers = self._layers if self.speed.own_layers else partial(transformers_logits, self.model)
        logits = iter(layers(batch))  # each (R, V)
        answers = []
        for forward in forwards:
            own = next(logits)[: len(forward.rows)]
            without = next(logits)[: len(forward.rows)] if forward.guidance else None
            own = changed(forward, own, without)
            given = torch.from_numpy(forward.given).to(own.device)
            chosen = sample(own, forward.temperature, forward.seed, self.mask_id) if forward.temperature > 0 else None
            answers.append(unpacked(read(own, given, self.mask_id, chosen).cpu().numpy()))
        return answers

    def _layout(self, forwards: Sequence[Forward]) -> Layout:
        rows_of, length_of = (GRAPH_ROWS, GRAPH_LENGTH) if self._graphs else (1, 1)
        masks = [self._masks(forward.attention) for forward in forwards]
        if self._prefixes is not None:
            return self._prefixes.layout(forwards[0], masks[0], rows_of)
        if len(forwards) == 1 and self._graphs is None and masks[0] is not None:
            length = masks[0].open_rows
            if length and (forwards[0].rows < length).all():  # nobody asks the shadow, and nobody else sees it
                forwards, masks = [without_shadow(forwards[0], length)], [None]
        return arrange(forwards, masks, self.mask_id, rows_of, length_of)

    def _packed(self, layout: Layout, forwards: Sequence[Forward]) -> np.ndarray:
        shape = layout.shape
        samples = any(forward.temperature > 0 for forward in forwards)
        make_bias = lambda: layout.bias(self.device, self.model.dtype)  # noqa: E731
        packed = None
        if self._graphs is not None and self._graphs.pays(shape, at_once=shape.count == 1):
            try:
                packed, logits = self._graphs(shape, layout.numbers, layout.bias_from, make_bias)
            except RuntimeError as error:
                log.warning("no CUDA graph could be captured, going on without: %s", str(error).splitlines()[0])
                self._graphs = None
        if packed is None:
            numbers = torch.from_numpy(layout.numbers).to(self.device, non_blocking=True)
            logits, on_device = self._run_shape(shape, numbers, make_bias())
            packed = None if samples else on_device.cpu().numpy()  # the one copy to the host
        if samples:
            packed = self._sampled(shape, layout, forwards, logits)
        return packed.reshape(shape.count, shape.rows, -1)

    def _sampled(self, shape: Shape, layout: Layout, forwards: Sequence[Forward], logits: torch.Tensor) -> np.ndarray:
        """The same with tokens chosen by each Forward's temperature and seed, from (B R, V) logits."""
        batch = shape.batch(torch.from_numpy(layout.numbers).to(logits.device), None)
        rows = logits.unflatten(0, (shape.count, shape.rows))
        chosen = torch.zeros(rows.shape[:2], dtype=torch.int64, device=logits.device)
        for forward, own, into in zip(forwards, rows, chosen, strict=True):
            own, into = own[: len(forward.rows)], into[: len(forward.rows)]
            if forward.temperature > 0:
                into.copy_(sample(own, forward.temperature, forward.seed, self.mask_id))
            else:
                into.copy_(read(own, torch.full_like(into, -1), self.mask_id)[:, 0].long())
        return read(logits, batch.given.flatten(), self.mask_id, chosen.flatten()).cpu().numpy()

    @torch.inference_mode()
    def _run_shape(
        self, shape: Shape, numbers: torch.Tensor, bias: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        memory = None if shape.slot is None else self._prefixes.memory(shape.slot)
        return self._pass(shape.batch(numbers, bias), memory)

    def _run(self, batch: Batch, memory: Memory | None) -> tuple[torch.Tensor, torch.Tensor]:
        """((B R, V) logits, what is read from them): see `reading.read`. Nothing here waits for the device."""
        logits = self._layers(batch, memory) if self.speed.own_layers else transformers_logits(self.model, batch)
        logits = logits.flatten(0, 1)
        return logits, read(logits, batch.given.flatten().to(logits.device), self.mask_id, fused=self._layers.fused)

    def _forget(self, slot: int) -> None:
        if self._graphs is not None:
            self._graphs.drop(lambda shape: shape.slot == slot)


def unpacked(part: np.ndarray) -> Predictions:
    """What `reading.read` packed, (R, 3 + 2k)."""
    part = part.round(DECIMALS)  # a copy
    k = (part.shape[1] - 3) // 2
    ids = part[:, : 3 + k].astype(np.int64)
    return Predictions(
        ids=ids[:, 0],
        confidence=part[:, 1],
        given_probability=part[:, 2],
        top_ids=ids[:, 3:],
        top_probabilities=part[:, 3 + k :],
    )


def transformers_logits(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """(B, R, V) logits of the requested rows, by transformers' own modules: what `Layers` is compared with."""
    hidden = model.model(
        input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.bias, use_cache=False
    ).last_hidden_state  # (B, T, d)
    return model.lm_head(take(hidden, batch.rows.to(hidden.device)))
