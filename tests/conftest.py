"""What several test files share: the real embedded model, loaded once, and a calm hypothesis."""

import pytest
from hypothesis import HealthCheck, settings

from wino_viz.models.checkpoint import Checkpoint, load_checkpoint

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
