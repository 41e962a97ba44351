"""bfloat16 with the published rotary precision: q, k, cosines and sines in float32, cast back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_model import write_tiny_model
from transformers.models.llama import modeling_llama

from wino_viz.models.checkpoint import load_checkpoint
from wino_viz.models.llada import load_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("rotary") / "tiny")


def logits(model, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=ids).logits


def published(q, k, cos, sin, *args, **kwargs):
    """As LLaDA's modeling does with rope_full_precision."""
    cos, sin = cos.float().unsqueeze(1), sin.float().unsqueeze(1)
    turned = (
        (x.float() * cos + torch.cat((-x.float()[..., half:], x.float()[..., :half]), -1) * sin).type_as(x)
        for x, half in ((q, q.shape[-1] // 2), (k, k.shape[-1] // 2))
    )
    return tuple(turned)


def test_bfloat16_turns_q_and_k_as_published(folder: Path, monkeypatch: pytest.MonkeyPatch):
    ids = torch.arange(6, 206)[None]
    ours = logits(load_model(folder, torch.bfloat16), ids)
    plain = load_model(folder, torch.bfloat16, llada=None)
    plain.config._attn_implementation = "sdpa"
    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", published)
    assert torch.equal(ours, logits(plain, ids))


def test_float32_is_left_as_it_is(folder: Path):
    model = load_model(folder, torch.float32)
    assert type(model.model.rotary_emb) is modeling_llama.LlamaRotaryEmbedding
    assert model.config._attn_implementation == "sdpa"


def test_bfloat16_decodes_the_same_tokens_as_float32():
    from wino_viz.parity import measure_parity, report

    def load(dtype: str):
        return load_checkpoint("llada-mini", device="cpu", dtype=getattr(torch, dtype))

    rows = measure_parity(load, 4, ["threshold"], tasks=["countdown"])
    assert [row["same"] for row in rows] == [4]
    assert "In all 4 of 4, 100.00%" in report(rows)
