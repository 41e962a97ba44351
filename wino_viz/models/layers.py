"""The layers of transformers' Llama or Qwen2, run without what a denoising step does not need.

    layers = Layers(model)                       # reads the model's own modules: what is trained or moved is seen at once
    layers = Layers(model, merge=True)           # for a GPU: fewer, larger matrix products, and Triton's kernels
    logits = layers(batch)                       # (B, R, V), of the requested rows

The modules and weights are transformers', and so is the arithmetic (`tests/test_speed.py` compares); four things are
left out or put together:

- **Attention in two parts.** Nothing outside WINO's shadow sees the shadow, so those rows need no mask, and only the shadow's
  rows are computed under one (`attention.py`).
- **The last layer on the requested rows.** All rows give it their keys and values; queries, output and MLP only those
  asked about.
- **Merged products** (merge): queries, keys and values are one product, gate and up another (unless the Plan says two). The
  model's own parameters become views of the merged tensors, so nothing is held twice; but a model that is being trained or
  moved should be left as it is.
- **Reuse** (`Memory`): keys and values of positions outside a window are kept from an earlier pass. Approximate: see prefix.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from wino_viz.models.attention import FUSED, SPLIT, attend, fusible, mask_bits, take
from wino_viz.models.kernels import add_norm, gate, rotate, usable


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one length T as tensors on the model's device. N of their positions are computed: all, or a window.

    ids, positions (B, N) int64; rows (B, R) int64, which of the N are asked about; given (B, R) int64, judged tokens.
    bias (B, 1, T, T) of the model's type: 0 where a row sees a column, else minus infinity; None where every row sees all.
    open_rows: so many of the N rows, from the first, see the columns [0, seen) and no others; the rest see what `bias` says.
    where (N,) int64: the places of the N among the T, in order; None where N = T.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    rows: torch.Tensor
    given: torch.Tensor
    bias: torch.Tensor | None
    open_rows: int
    seen: int
    where: torch.Tensor | None = None


@dataclass(frozen=True)
class Plan:
    """What may be done in several ways that differ in speed and in the last bit.

    attention  a way of `attention.py`; the Triton kernel only where Triton's kernels are used at all
    gate_up    gate and up as one merged product, not two
    """

    attention: str = FUSED
    gate_up: bool = True


class Memory:
    """Keys and values of one sequence in every layer: two tensors (1, T, heads, size) each."""

    def __init__(self, layers: Layers, length: int) -> None:
        attention = layers.model.model.layers[0].self_attn
        heads = attention.k_proj.out_features // attention.head_dim
        shape = (1, length, heads, attention.head_dim)
        like = {"dtype": layers.model.dtype, "device": layers.model.device}
        self.pairs = [(torch.zeros(shape, **like), torch.zeros(shape, **like)) for _ in layers.model.model.layers]

    def __len__(self) -> int:
        return self.pairs[0][0].shape[1]


class Layers:
    """Runs `model` on a Batch; see the head of this file. fused: whether by Triton's kernels (where products are merged)."""

    def __init__(self, model: PreTrainedModel, *, merge: bool = False, plan: Plan | None = None) -> None:
        self.model = model
        self.plan = plan or Plan()
        self.fused = merge and usable(model.device)
        self._way = self.plan.attention
        if self._way == FUSED:
            size = model.model.layers[0].self_attn.head_dim
            self._way = FUSED if self.fused and fusible(size, model.dtype, model.device) else SPLIT
        self._merged = [_merge(layer) for layer in model.model.layers] if merge else None

    def __call__(self, batch: Batch, memory: Memory | None = None) -> torch.Tensor:
        """(B, R, V) logits of the requested rows. A memory is filled by a whole pass, and read and updated by a window."""
        model = self.model.model
        stream, update = model.embed_tokens(batch.ids), None  # (B, N, d)
        # not rotary_emb itself: that rounds cosines to the model's type, and published LLaDA does not
        angles = batch.positions.flatten()[:, None].float() * model.rotary_emb.inv_freq.float()
        turn = angles.cos(), angles.sin()  # (B N, size / 2)
        bits = mask_bits(batch.bias) if self._way == FUSED and batch.bias is not None else None
        layers = model.layers[: model.config.num_hidden_layers]
        for n, layer in enumerate(layers):
            asked = batch.rows if n == len(layers) - 1 else None
            pair = memory.pairs[n] if memory else None
            stream, normed = self._norm(stream, update, layer.input_layernorm)
            update = self._attention(n, layer.self_attn, normed, turn, batch, bits, pair, asked)
            if asked is not None:
                stream = take(stream, asked)
            stream, normed = self._norm(stream, update, layer.post_attention_layernorm)
            update = self._mlp(n, layer.mlp, normed)
        _, normed = self._norm(stream, update, model.norm)
        return self._head(normed)

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """(B, R, V) logits; on a GPU in float32, as the product adds them up: 16 bits are too few near a threshold."""
        head = self.model.lm_head
        if not self.fused or x.dtype == torch.float32 or head.bias is not None:
            return head(x)
        return torch.mm(x.flatten(0, 1), head.weight.t(), out_dtype=torch.float32).unflatten(0, x.shape[:2])

    def _norm(
        self, stream: torch.Tensor, update: torch.Tensor | None, norm: nn.Module
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return add_norm(stream, update, norm.weight, norm.variance_epsilon, fused=self.fused)

    def _mlp(self, n: int, mlp: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if self._merged is None:
            return mlp.down_proj(mlp.act_fn(mlp.gate_proj(x)) * mlp.up_proj(x))
        if self.plan.gate_up:
            first, up = F.linear(x, self._merged[n].gate_up).flatten(0, 1).chunk(2, dim=-1)
        else:
            first, up = mlp.gate_proj(x).flatten(0, 1), mlp.up_proj(x).flatten(0, 1)
        return mlp.down_proj(gate(first, up, fused=self.fused).unflatten(0, x.shape[:2]))

    def _attention(
        self,
        n: int,
        attention: nn.Module,
        x: torch.Tensor,
        turn: tuple[torch.Tensor, torch.Tensor],
        batch: Batch,
        bits: torch.Tensor | None,
        pair: tuple[torch.Tensor, torch.Tensor] | None,
        asked: torch.Tensor | None,
    ) -> torch.Tensor:
        """(B, N, d), or (B, R, d) where `asked` names the rows."""
        q, k, v = self._heads(n, attention, x, turn, asked)
        if pair is not None and batch.where is None:
            for kept, new in zip(pair, (k, v), strict=True):
                kept[:, : new.shape[1]].copy_(new)
        elif pair is not None:
            for kept, new in zip(pair, (k, v), strict=True):
                kept.index_copy_(1, batch.where, new)
            k, v = pair
        if asked is None:
            mixed = attend(q, k, v, batch.bias, batch.open_rows, batch.seen, bits=bits, way=self._way)
        else:
            rows = asked if batch.where is None else batch.where[asked]
            mixed = attend(q, k, v, batch.bias, 0, batch.seen, rows, bits=bits, way=self._way)
        return attention.o_proj(mixed.flatten(2))

    def _heads(
        self,
        n: int,
        attention: nn.Module,
        x: torch.Tensor,
        turn: tuple[torch.Tensor, torch.Tensor],
        asked: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rotated queries (B, N or R, H, size), rotated keys and values (B, N, heads, size)."""
        size, shape = attention.head_dim, x.shape[:2]
        few, few_turn = x, turn
        if asked is not None:
            few = take(x, asked)
            few_turn = tuple(take(t.unflatten(0, shape), asked).flatten(0, 1) for t in turn)
        if self._merged is None:
            q, k, v = attention.q_proj(few), attention.k_proj(x), attention.v_proj(x)
            q, k, v = (heads.unflatten(-1, (-1, size)) for heads in (q, k, v))
            return self._rotate(q, few_turn), self._rotate(k, turn), v
        merged = self._merged[n]
        queries = attention.q_proj.out_features // size
        keys = attention.k_proj.out_features // size
        if asked is None:
            heads = F.linear(x, merged.qkv, merged.bias).unflatten(-1, (-1, size))  # (B, N, H + 2 heads, size)
            turned = self._rotate(heads, turn, queries + keys)
            return turned[:, :, :queries], turned[:, :, queries:], heads[:, :, queries + keys :]
        q = attention.q_proj(few).unflatten(-1, (-1, size))
        rest = attention.q_proj.out_features
        bias = None if merged.bias is None else merged.bias[rest:]
        heads = F.linear(x, merged.qkv[rest:], bias).unflatten(-1, (-1, size))  # (B, N, 2 heads, size)
        return self._rotate(q, few_turn), self._rotate(heads, turn, keys), heads[:, :, keys:]

    def _rotate(
        self, heads: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], count: int | None = None
    ) -> torch.Tensor:
        """(B, N, count, size): the first `count` heads, rotated (by Triton's kernel in place)."""
        return rotate(heads.flatten(0, 1), *turn, count, fused=self.fused).unflatten(0, heads.shape[:2])


@dataclass(frozen=True, eq=False)
class _Merged:
    qkv: torch.Tensor
    bias: torch.Tensor | None
    gate_up: torch.Tensor


@torch.no_grad()
def _merge(layer: nn.Module) -> _Merged:
    attention, mlp = layer.self_attn, layer.mlp
    three = (attention.q_proj, attention.k_proj, attention.v_proj)
    bias = None if attention.q_proj.bias is None else _joined([linear.bias for linear in three])
    gate_up = _joined([mlp.gate_proj.weight, mlp.up_proj.weight])
    return _Merged(_joined([linear.weight for linear in three]), bias, gate_up)


def _joined(parameters: list[nn.Parameter]) -> torch.Tensor:
    """The parameters one below the other in one tensor, of which they become views (where they are not yet)."""
    first, end = parameters[0].data, parameters[0].data_ptr()
    for parameter in parameters:
        if parameter.data_ptr() != end or parameter.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            break
        end += parameter.numel() * parameter.element_size()
    else:
        return first.as_strided((sum(map(len, parameters)), *first.shape[1:]), first.stride(), first.storage_offset())
    whole = torch.cat([parameter.data for parameter in parameters])
    for parameter, part in zip(parameters, whole.split([len(p) for p in parameters]), strict=True):
        parameter.data = part
    return whole
