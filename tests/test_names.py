"""One way of naming decoders, for the page, the figures and the pictures."""

from __future__ import annotations

import pytest

from wino_viz.decoding import DECODERS
from wino_viz.models.files import EMBEDDED
from wino_viz.names import NAMES, decoder_name, decoder_words

PLUS = str(EMBEDDED / "llada-mini-wino-plus")


def test_every_decoder_has_a_name_that_begins_with_a_capital():
    assert NAMES.keys() == DECODERS.keys()
    assert all(name[0].isupper() for name in NAMES.values())


@pytest.mark.parametrize(
    ("decoder", "model", "words"),
    [
        ({"name": "standard", "tokens_per_step": 1}, "", "Standard, 1 token a pass"),
        ({"name": "standard", "tokens_per_step": 4, "remasking": "random"}, "", "Standard, 4 tokens a pass, at random"),
        ({"name": "threshold", "tau": 0.9}, "llada-mini", "Threshold, τ 0.9"),
        ({"name": "factor", "f": 1.0}, "", "Factor, f 1"),
        ({"name": "prophet", "gap_early": 7.5, "gap_middle": 5.0, "gap_late": 2.5}, "", "Prophet, gaps 7.5, 5, 2.5"),
        ({"name": "wino", "tau1": 0.6, "tau2": 0.9}, "", "WINO, τ1 0.6, τ2 0.9"),
        ({"name": "threshold", "tau": 0.8}, "llada-mini-wino-plus", "WINO+, τ 0.8"),
        ({"name": "threshold", "tau": 0.8}, PLUS, "WINO+, τ 0.8"),
        ({"name": "wino", "tau1": 0.6, "tau2": 0.9}, "llada-mini-wino-plus", "WINO+ model, WINO, τ1 0.6, τ2 0.9"),
        ({"name": "wino", "tau1": 10**400, "tau2": float("nan")}, "", "WINO, τ1 ?, τ2 ?"),
        ({"name": "of tomorrow", "tau": 1}, "", "Of tomorrow"),
    ],
)
def test_decoders_are_named_with_their_settings(decoder, model, words):
    assert decoder_words(decoder, model) == words
    assert words.startswith(decoder_name(decoder["name"], model))
