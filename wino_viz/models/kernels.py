"""What a Llama layer does between its matrix products (norm, rotary embedding, gate), and reading its logits.

Each in plain PyTorch, and in one or two Triton kernels:

    summed, normed = add_norm(stream, update, weight, eps, fused=True)

The Triton kernels do the arithmetic of the PyTorch functions beside them, rounded at the same places, in one pass
over memory instead of four to eight. They read the layout of products that were merged into one (queries, keys and
values side by side; gate and up side by side), which the kernels of Liger don't take: they would copy first. Triton
comes with PyTorch for CUDA; without it, and on a CPU, the PyTorch functions run.
"""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch.nn import functional as F

try:
    import triton
    from triton import language as tl
except ImportError:  # PyTorch for a CPU comes without
    triton = None

log = logging.getLogger(__name__)

CHUNK = 512  # columns of the logits that `chunk_maxima` looks at together; it divides every published vocabulary


@cache
def usable(device: torch.device) -> bool:
    """Whether Triton's kernels run there: on a GPU, with Triton and the C compiler that it starts them with."""
    if triton is None or device.type != "cuda":
        return False
    try:
        with torch.cuda.device(device):
            _add_norm_fused(torch.ones(1, 16, device=device), None, torch.ones(16, device=device), 1e-5)
    except Exception as error:  # whatever a compiler may say
        log.warning("no Triton kernels, going on without: %s", " ".join(str(error).split())[:200])
        return False
    return True


def add_norm(
    stream: torch.Tensor, update: torch.Tensor | None, weight: torch.Tensor, eps: float, *, fused: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """(stream + update, its RMS norm times weight), both (…, d). The norm is taken in float32, as transformers' Llama does."""
    if fused:
        return _add_norm_fused(stream, update, weight, eps)
    if update is not None:
        stream = stream + update
    wide = stream.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return stream, weight * wide.to(stream.dtype)


def rotate(
    heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, count: int | None = None, *, fused: bool = False
) -> torch.Tensor:
    """Rotary embedding of the first `count` of heads (N, H, D) by cos and sin (N, D / 2): (N, count, D).

    In float32, as published LLaDA does. fused: in place; the other heads stay as they are.
    """
    count = heads.shape[1] if count is None else count
    if fused:
        return _rotate_fused(heads, cos, sin, count)
    first, second = heads[:, :count].float().chunk(2, dim=-1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(heads.dtype)


def gate(first: torch.Tensor, up: torch.Tensor, *, fused: bool = False) -> torch.Tensor:
    """silu(first) * up, all (N, M). Both may be parts of wider rows."""
    return _gate_fused(first, up) if fused else F.silu(first) * up


def chunk_maxima(logits: torch.Tensor, mask_id: int, *, fused: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each CHUNK columns of (R, V) logits: the maximum, and the sum of exp(logit - maximum); (R, C) float32 each.

    Column mask_id counts as minus infinity.
    """
    if fused:
        return _chunk_maxima_fused(logits, mask_id)
    wide = logits.float()
    wide[:, mask_id] = -torch.inf
    wide = F.pad(wide, (0, -wide.shape[1] % CHUNK), value=-torch.inf).unflatten(1, (-1, CHUNK))
    maxima = wide.amax(-1)
    return maxima, (wide - maxima.clamp(min=torch.finfo(torch.float32).min)[..., None]).exp().sum(-1)


if triton is not None:

    @triton.jit
    def _add_norm_kernel(
        residual, update, weight, summed, normed, width, EPS: tl.constexpr, ADDS: tl.constexpr, BLOCK: tl.constexpr
    ):
        row = tl.program_id(0).to(tl.int64) * width
        columns = tl.arange(0, BLOCK)
        inside = columns < width
        x = tl.load(residual + row + columns, mask=inside, other=0.0)
        if ADDS:
            # added in float32 and rounded once, as PyTorch adds two narrow tensors
            x = (x.to(tl.float32) + tl.load(update + row + columns, mask=inside, other=0.0).to(tl.float32)).to(x.dtype)
            tl.store(summed + row + columns, x, mask=inside)
        wide = x.to(tl.float32)
        scale = tl.rsqrt(tl.sum(wide * wide, axis=0) / width + EPS)
        w = tl.load(weight + columns, mask=inside, other=0.0)
        narrow = (wide * scale).to(x.dtype).to(tl.float32)  # rounded twice, as transformers does
        tl.store(normed + row + columns, (narrow * w.to(tl.float32)).to(x.dtype), mask=inside)

    @triton.jit
    def _rotate_kernel(
        heads, cos, sin, row_stride, count, HALF: tl.constexpr, WIDTH: tl.constexpr, HEADS: tl.constexpr
    ):
        row = tl.program_id(0).to(tl.int64)
        columns = tl.arange(0, WIDTH)
        which = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
        inside = (which < count)[:, None] & (columns < HALF)[None, :]
        first = heads + row * row_stride + which[:, None] * (2 * HALF) + columns[None, :]
        c = tl.load(cos + row * HALF + columns, mask=columns < HALF, other=0.0)[None, :]
        s = tl.load(sin + row * HALF + columns, mask=columns < HALF, other=0.0)[None, :]
        narrow = tl.load(first, mask=inside, other=0.0)
        x = narrow.to(tl.float32)
        y = tl.load(first + HALF, mask=inside, other=0.0).to(tl.float32)
        tl.store(first, (x * c - y * s).to(narrow.dtype), mask=inside)
        tl.store(first + HALF, (y * c + x * s).to(narrow.dtype), mask=inside)

    @triton.jit
    def _gate_kernel(first, up, gated, first_stride, up_stride, width, BLOCK: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        inside = columns < width
        narrow = tl.load(first + row * first_stride + columns, mask=inside, other=0.0)
        other = tl.load(up + row * up_stride + columns, mask=inside, other=0.0).to(tl.float32)
        wide = narrow.to(tl.float32)
        activated = (wide / (1.0 + tl.exp(-wide))).to(narrow.dtype).to(tl.float32)
        tl.store(gated + row * width + columns, (activated * other).to(narrow.dtype), mask=inside)

    @triton.jit
    def _chunk_maxima_kernel(logits, maxima, sums, width, chunks, mask_id, CHUNK: tl.constexpr, CHUNKS: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        which = tl.program_id(1) * CHUNKS + tl.arange(0, CHUNKS)
        columns = which[:, None] * CHUNK + tl.arange(0, CHUNK)[None, :]
        inside = (columns < width) & (columns != mask_id)
        x = tl.load(logits + row * width + columns, mask=inside, other=-float("inf")).to(tl.float32)
        top = tl.max(x, axis=1)
        total = tl.sum(tl.exp(x - tl.maximum(top, -3.0e38)[:, None]), axis=1)
        tl.store(maxima + row * chunks + which, top, mask=which < chunks)
        tl.store(sums + row * chunks + which, total, mask=which < chunks)

    @triton.jit
    def _read_kernel(
        logits, maxima, sums, given, packed, width, chunks, mask_id,
        CHUNK: tl.constexpr, CHUNKS: tl.constexpr, K: tl.constexpr, PLACES: tl.constexpr,
    ):  # fmt: skip
        row = tl.program_id(0).to(tl.int64)
        which = tl.arange(0, CHUNKS)
        tops = tl.load(maxima + row * chunks + which, mask=which < chunks, other=-float("inf"))
        parts = tl.load(sums + row * chunks + which, mask=which < chunks, other=0.0)
        best = tl.max(tops, axis=0)
        log_z = best + tl.log(tl.sum(parts * tl.exp(tops - best), axis=0))
        places = tl.arange(0, PLACES)
        found = tl.zeros((PLACES,), dtype=tl.int32)
        for n in tl.static_range(K):  # the chunks with the highest maxima
            at = tl.argmax(tops, axis=0).to(tl.int32)
            found = tl.where(places == n, at, found)
            tops = tl.where(which == at, -float("inf"), tops)
        columns = found[:, None] * CHUNK + tl.arange(0, CHUNK)[None, :]
        inside = (places < K)[:, None] & (columns < width) & (columns != mask_id)
        x = tl.load(logits + row * width + columns, mask=inside, other=-float("inf")).to(tl.float32)
        out = packed + row * (3 + 2 * K)
        for n in tl.static_range(K):  # the highest logits in them
            value = tl.max(tl.max(x, axis=1), axis=0)
            id = tl.min(tl.min(tl.where(x == value, columns, 2147483647), axis=1), axis=0)
            x = tl.where(columns == id, -float("inf"), x)
            tl.store(out + 3 + n, id.to(tl.float64))
            tl.store(out + 3 + K + n, tl.exp(value - log_z).to(tl.float64))
            if n == 0:
                tl.store(out, id.to(tl.float64))
                tl.store(out + 1, tl.exp(value - log_z).to(tl.float64))
        judged = tl.load(given + row)
        counts = (judged >= 0) & (judged != mask_id)
        logit = tl.load(logits + row * width + tl.maximum(judged, 0)).to(tl.float32)
        tl.store(out + 2, tl.where(counts, tl.exp(logit - log_z), 0.0).to(tl.float64))


def read_fused(logits: torch.Tensor, given: torch.Tensor, k: int, mask_id: int) -> torch.Tensor:
    """(R, 3 + 2k) float64, what `reading.read` says, of (R, V) logits with at least k chunks of columns."""
    maxima, sums = chunk_maxima(logits, mask_id, fused=True)
    packed = logits.new_empty(len(logits), 3 + 2 * k, dtype=torch.float64)
    _read_kernel[(len(logits),)](
        logits,
        maxima,
        sums,
        given,
        packed,
        logits.shape[1],
        maxima.shape[1],
        mask_id,
        CHUNK=CHUNK,
        CHUNKS=triton.next_power_of_2(maxima.shape[1]),
        K=k,
        PLACES=triton.next_power_of_2(k),
        num_warps=8,
    )
    return packed


def _add_norm_fused(
    stream: torch.Tensor, update: torch.Tensor | None, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    width = stream.shape[-1]
    normed = torch.empty_like(stream)
    summed = stream if update is None else torch.empty_like(stream)
    _add_norm_kernel[(stream.numel() // width,)](
        stream,
        stream if update is None else update,
        weight,
        summed,
        normed,
        width,
        EPS=eps,
        ADDS=update is not None,
        BLOCK=triton.next_power_of_2(width),
        num_warps=8 if width > 2048 else 4,
    )
    return summed, normed


def _rotate_fused(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, count: int) -> torch.Tensor:
    rows, _, size = heads.shape
    together = 16
    _rotate_kernel[(rows, triton.cdiv(count, together))](
        heads,
        cos,
        sin,
        heads.stride(0),
        count,
        HALF=size // 2,
        WIDTH=triton.next_power_of_2(size // 2),
        HEADS=together,
        num_warps=4,
    )
    return heads[:, :count]


def _gate_fused(first: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    rows, width = first.shape
    gated = first.new_empty(rows, width)
    grid = (rows, triton.cdiv(width, 2048))
    _gate_kernel[grid](first, up, gated, first.stride(0), up.stride(0), width, BLOCK=2048, num_warps=8)
    return gated


def _chunk_maxima_fused(logits: torch.Tensor, mask_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows, width = logits.shape
    chunks, together = triton.cdiv(width, CHUNK), 8
    maxima = logits.new_empty(rows, chunks, dtype=torch.float32)
    sums = torch.empty_like(maxima)
    _chunk_maxima_kernel[(rows, triton.cdiv(chunks, together))](
        logits, maxima, sums, width, chunks, mask_id, CHUNK=CHUNK, CHUNKS=together, num_warps=4
    )
    return maxima, sums
