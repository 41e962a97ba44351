"""Checks of settings: each raises ValueError with one sentence that names the value and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence

from wino_viz.untrusted import described


def check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """Raises ValueError unless `value` is a whole number from `low` to `high` (None: no upper bound)."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value and (high is None or value <= high)):
        allowed = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} must be a whole number, {allowed}, not {described(value)}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raises ValueError unless `value` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number, {low} to {high}, not {described(value)}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raises ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(choices)}, not {described(value)}")
