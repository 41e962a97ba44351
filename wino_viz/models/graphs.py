"""Captured CUDA graphs: a whole pass is launched as one, instead of some hundred kernels one by one.

    graphs = Graphs(run, device)
    packed, logits = graphs(shape, numbers, mask, make_bias)   # the host waits for the device once

A graph replays the same kernels on the same addresses. So each shape has buffers of its own that are filled before a replay,
and all share one pool of memory for what lies between. A shape is captured when it first comes (no compilation: two
passes to warm up, one to capture), and the longest unused one is dropped when there are too many.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

MOST_GRAPHS = 24  # kept at a time; one takes some megabytes of its own
MOST_SEEN = 1024  # shapes that came once
WARM_UP = 2  # passes before a capture: kernels are chosen and compiled, workspaces taken


@dataclass(eq=False)
class _Captured:
    graph: torch.cuda.CUDAGraph
    host: torch.Tensor  # (numbers,) int64, pinned: the input
    numbers: np.ndarray  # `host`
    device: torch.Tensor  # the same on the GPU
    bias: torch.Tensor | None
    bias_from: Any  # what `bias` was filled from
    logits: torch.Tensor
    packed: torch.Tensor
    answer: torch.Tensor  # `packed`, pinned
    values: np.ndarray  # `answer`


class Graphs:
    """run(shape, numbers, bias) -> (logits, packed): a pass on tensors of the device, without waiting for it.

    shape: anything hashable that fixes all sizes; numbers (n,) int64; bias: a tensor or None. One thread at a time.
    """

    def __init__(
        self,
        run: Callable[[Any, torch.Tensor, torch.Tensor | None], tuple[torch.Tensor, torch.Tensor]],
        device: torch.device,
        most: int = MOST_GRAPHS,
    ) -> None:
        self._run, self._device, self._most = run, device, most
        self._captured: OrderedDict[Hashable, _Captured] = OrderedDict()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def __len__(self) -> int:
        return len(self._captured)

    def __call__(
        self, shape: Hashable, numbers: np.ndarray, bias_from: Any, make_bias: Callable[[], torch.Tensor | None]
    ) -> tuple[np.ndarray, torch.Tensor]:
        """(packed on the host, logits on the device: valid until the next call).

        make_bias gives the bias on the device; it is asked only where `bias_from` is another object than last time.
        """
        found = self._captured.get(shape)
        if found is None:
            found = self._capture(shape, numbers, make_bias())
            found.bias_from = bias_from
            while len(self._captured) >= self._most:
                self._captured.popitem(last=False)
            self._captured[shape] = found
        self._captured.move_to_end(shape)
        if found.bias is not None and (bias_from is None or found.bias_from is not bias_from):
            found.bias.copy_(make_bias())
            found.bias_from = bias_from
        found.numbers[:] = numbers
        found.device.copy_(found.host, non_blocking=True)
        found.graph.replay()
        found.answer.copy_(found.packed, non_blocking=True)
        torch.cuda.current_stream(self._device).synchronize()
        return found.values, found.logits

    def pays(self, shape: Hashable, *, at_once: bool) -> bool:
        """Whether to use a graph for this shape: at_once, or from the second time on (batches come in ever new sizes)."""
        if at_once or shape in self._captured or shape in self._seen:
            return True
        self._seen[shape] = None
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        return False

    def drop(self, is_stale: Callable[[Any], bool]) -> None:
        """Forget the graphs of the shapes for which is_stale."""
        for shape in [shape for shape in self._captured if is_stale(shape)]:
            del self._captured[shape]

    def _capture(self, shape: Hashable, numbers: np.ndarray, bias: torch.Tensor | None) -> _Captured:
        host = torch.empty(len(numbers), dtype=torch.int64, pin_memory=True)
        host.numpy()[:] = numbers
        device = host.to(self._device)
        if bias is not None:
            bias = _aligned(bias)
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UP):
                self._run(shape, device, bias)
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile (a picture being encoded), so only this thread's calls are watched.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            logits, packed = self._run(shape, device, bias)
        answer = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
        return _Captured(graph, host, host.numpy(), device, bias, None, logits, packed, answer, answer.numpy())


def _aligned(bias: torch.Tensor) -> torch.Tensor:
    """A copy whose rows begin at multiples of 16 bytes: attention kernels would make one in every layer."""
    width = bias.shape[-1]
    wider = bias.new_zeros(*bias.shape[:-1], width + -width % 16)[..., :width]
    return wider.copy_(bias)
