"""Attention of a denoising step, where some rows see a run of columns and the others what a mask says.

    mixed = attend(q, k, v, bias, open_rows, seen, rows, way=FUSED)

Nothing outside WINO's shadow sees the shadow, so those rows need no mask; only the shadow's rows are under one. Three
ways, which differ in speed and in the last bit:

- SPLIT: PyTorch's attention twice, once for the open rows without a mask (a mask rules out the fastest kernels).
- WHOLE: PyTorch's attention once, under a mask for all rows.
- FUSED: one Triton kernel (where `fusible`), which gives every block of rows the columns that it sees, and reads keys and
  values where the matrix product and the kept memory left them. The mask comes as one bit a column: a tile of numbers in
  its place keeps the tensor cores waiting.
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

SPLIT, WHOLE, FUSED = "split", "whole", "fused"
LOG2_E = 1.4426950408889634
WORD = 64  # columns of the mask in one number, and of a tile of the Triton kernel
# of the kernel: rows of a tile, warps, tiles that are loaded ahead
NARROW_TILE = (128, 8, 3)  # 16-bit numbers
WIDE_TILE, WIDE_SIZE = (32, 8, 1), 64  # float32, computed without rounding to fewer bits; larger heads find no room


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    bias: torch.Tensor | None,
    open_rows: int,
    seen: int,
    rows: torch.Tensor | None = None,
    *,
    bits: torch.Tensor | None = None,
    way: str = SPLIT,
) -> torch.Tensor:
    """(B, N, H, size): attention of queries (B, N, H, size) to keys and values (B, T, heads, size).

    The first open_rows of the N see the columns [0, seen), the others all T under bias (B, 1, T, T): 0 or minus infinity.
    rows (B, N): which rows of the bias those are; the last N where None. Without a bias every row sees [0, seen).
    bits: `mask_bits(bias)`, which FUSED reads in its place, made here where None.
    """
    if bias is None:
        open_rows, k, v = q.shape[1], k[:, :seen], v[:, :seen]
    if way == FUSED:
        bits = mask_bits(bias) if bits is None and bias is not None else bits
        return _attend_fused(q, k, v, bits, open_rows, seen, rows)
    groups = q.shape[2] // k.shape[2]
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=2), v.repeat_interleave(groups, dim=2)
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, H, N or T, size)
    if bias is None:
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
    if rows is not None:
        bias = take(bias[:, 0], rows)[:, None]
    count = q.shape[2]
    if not open_rows or (way == WHOLE and bias.shape[2] == count):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias[:, :, -count:]).transpose(1, 2)
    last = count - open_rows
    parts = (
        F.scaled_dot_product_attention(q[:, :, :open_rows], k[:, :, :seen], v[:, :, :seen]),
        F.scaled_dot_product_attention(q[:, :, open_rows:], k, v, attn_mask=bias[:, :, -last:]),
    )
    return torch.cat([part.transpose(1, 2) for part in parts], dim=1)


def take(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """(B, R, …) of (B, N, …): the rows (B, R) of each."""
    if len(x) == 1:
        return x[0].index_select(0, rows[0])[None]
    return x[torch.arange(len(x), device=x.device)[:, None], rows]


def mask_bits(bias: torch.Tensor) -> torch.Tensor:
    """(B, T, ceil(T / 64)) int64 of a bias (B, 1, T, T): one bit a column, the lowest first, 1 where it is seen."""
    seen = F.pad(bias[:, 0] == 0, (0, -bias.shape[-1] % WORD)).unflatten(-1, (-1, WORD))
    return (seen.long() << torch.arange(WORD, device=bias.device)).sum(-1)


@cache
def fusible(size: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the Triton kernel runs there with heads of this size; it is compiled to find out."""
    if triton is None or device.type != "cuda" or size not in (16, 32, 64, 128):
        return False
    if dtype == torch.float32 and size > WIDE_SIZE:
        return False
    heads = torch.zeros(1, WORD, 1, size, dtype=dtype, device=device)
    try:
        with torch.cuda.device(device):
            _attend_fused(heads, heads, heads, None, WORD, WORD, None)
    except Exception as error:  # an older GPU has too little memory beside its cores
        log.warning("no Triton kernel for attention, going on without: %s", " ".join(str(error).split())[:200])
        return False
    return True


if triton is not None:

    @triton.jit
    def _tiles(
        q, k, v, bits, k_stride, v_stride, bits_rows, limit, judged, SCALE: tl.constexpr,
        SIZE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        """Mixed values (ROWS, SIZE) of one block of queries, tile by tile of columns (the softmax is kept up on the way)."""
        places, across = tl.arange(0, SIZE), tl.arange(0, COLUMNS)
        most = tl.full((ROWS,), -float("inf"), tl.float32)
        total = tl.zeros((ROWS,), tl.float32)
        mixed = tl.zeros((ROWS, SIZE), tl.float32)
        for start in tl.range(0, limit, COLUMNS):
            columns = start + across
            exists = columns < limit
            keys = tl.load(k + columns[None, :] * k_stride + places[:, None], mask=exists[None, :], other=0.0)
            scores = tl.dot(q, keys, input_precision=PRECISION) * SCALE
            sees = exists[None, :]
            if MASKED:
                words = tl.load(bits + bits_rows + start // COLUMNS, mask=judged, other=-1)
                sees &= ((words[:, None] >> across[None, :].to(tl.int64)) & 1) == 1
            scores = tl.where(sees, scores, -float("inf"))
            higher = tl.maximum(most, tl.max(scores, axis=1))
            safe = tl.where(higher == -float("inf"), 0.0, higher)  # a row may see nothing of a tile
            weights = tl.exp2(scores - safe[:, None])
            shrink = tl.exp2(most - safe)
            total = total * shrink + tl.sum(weights, axis=1)
            values = tl.load(v + columns[:, None] * v_stride + places[None, :], mask=exists[:, None], other=0.0)
            mixed = tl.dot(weights.to(values.dtype), values, mixed * shrink[:, None], input_precision=PRECISION)
            most = higher
        return mixed / total[:, None]

    @triton.jit(do_not_specialize=["count", "columns", "open_rows", "seen", "bits_batch", "bits_stride", "bits_first"])
    def _attend_kernel(
        q, k, v, bits, rows, out, q_batch, q_stride, k_batch, k_stride, v_batch, v_stride, bits_batch, bits_stride,
        bits_first, count, columns, open_rows, seen, heads, groups, SCALE: tl.constexpr,
        SIZE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
        MASKED: tl.constexpr, LISTED: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        batch = (tl.program_id(1) // heads).to(tl.int64)
        head = tl.program_id(1) % heads
        open_blocks = tl.cdiv(open_rows, ROWS)
        # the longest work first: blocks under the bias see more columns
        block = tl.num_programs(0) - 1 - tl.program_id(0)
        is_open = block < open_blocks
        first = tl.where(is_open, block * ROWS, open_rows + (block - open_blocks) * ROWS)
        own = first + tl.arange(0, ROWS)
        inside = own < tl.where(is_open, open_rows, count)
        places = tl.arange(0, SIZE)
        q += batch * q_batch + head * SIZE
        k += batch * k_batch + (head // groups) * SIZE
        v += batch * v_batch + (head // groups) * SIZE
        queries = tl.load(q + own[:, None] * q_stride + places[None, :], mask=inside[:, None], other=0.0)
        bits_rows = bits_first + own
        if LISTED:
            bits_rows = tl.load(rows + batch * count + own, mask=inside, other=0).to(tl.int32)
        limit = tl.where(is_open, seen, columns)
        judged = inside & (is_open == 0)
        mixed = _tiles(
            queries, k, v, bits + batch * bits_batch, k_stride, v_stride, bits_rows * bits_stride, limit, judged,
            SCALE, SIZE, ROWS, COLUMNS, MASKED, PRECISION,
        )  # fmt: skip
        out += ((batch * count + own[:, None]) * heads + head) * SIZE + places[None, :]
        tl.store(out, mixed.to(out.dtype.element_ty), mask=inside[:, None])


def _attend_fused(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    bits: torch.Tensor | None,
    open_rows: int,
    seen: int,
    rows: torch.Tensor | None,
) -> torch.Tensor:
    batch, count, heads, size = q.shape
    tile, warps, stages = WIDE_TILE if q.dtype == torch.float32 else NARROW_TILE
    mixed = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    blocks = triton.cdiv(open_rows, tile) + triton.cdiv(count - open_rows, tile)
    # tensors that are not there: any pointer will do
    _attend_kernel[(blocks, batch * heads)](
        q,
        k,
        v,
        q if bits is None else bits,
        q if rows is None else rows,
        mixed,
        q.stride(0),
        q.stride(1),
        k.stride(0),
        k.stride(1),
        v.stride(0),
        v.stride(1),
        0 if bits is None else bits.stride(0),
        0 if bits is None else bits.stride(1),
        0 if bits is None else bits.shape[1] - count,
        count,
        k.shape[1],
        open_rows,
        seen,
        heads,
        heads // k.shape[2],
        SCALE=size**-0.5 * LOG2_E,  # the softmax is taken by powers of 2
        SIZE=size,
        ROWS=tile,
        COLUMNS=WORD,
        MASKED=bits is not None,
        LISTED=rows is not None,
        PRECISION="ieee" if q.dtype == torch.float32 else "tf32",
        num_warps=warps,
        num_stages=stages,
    )
    return mixed
