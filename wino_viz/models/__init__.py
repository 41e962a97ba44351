"""Checkpoints, the bidirectional backbone and the one place that runs it."""
