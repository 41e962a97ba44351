"""What several test files share: the real embedded model, loaded once, and a calm hypothesis."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = (
    "1"  # before the hub's library reads it: a name that is not here is never looked up there
)

import pytest
from hypothesis import HealthCheck, settings
from tokenizers import pre_tokenizers, trainers

from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.training import tokenizer as tokens

settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def mini() -> Checkpoint:
    """llada-mini on the CPU, as it ships."""
    return load_checkpoint("llada-mini", device="cpu")


@pytest.fixture(scope="session")
def sees() -> Checkpoint:
    """mmada-mini on the CPU, as it ships."""
    return load_checkpoint("mmada-mini", device="cpu")


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer as training makes it, from few examples."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tokens.save_tokenizer(tokens.train_tokenizer(tokens.corpus(1000, seed=0), 1536), folder)
    return folder


@pytest.fixture(scope="session")
def joining_tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer that joins blanks, as those of other corpora do."""
    folder = tmp_path_factory.mktemp("joining")
    made = tokens.train_tokenizer([], 300)
    backend = made.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet, special = sorted(pre_tokenizers.ByteLevel.alphabet()), list(tokens.SPECIAL_TOKENS)
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator(["  5+  9= 14"] * 99, trainer)
    tokens.save_tokenizer(made, folder)
    return folder
