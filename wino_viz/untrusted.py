"""Checks for the values of an untrusted trace: each returns what it was given, or raises TraceError with one sentence.

`where` says in the sentence which value is meant, such as "step 3: drafted". Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

MAX_DEPTH = 16  # of objects and lists in a value that may be anything; a trace's own fields are no deeper than 4
MAX_NATURAL = 2**31 - 1  # of a token id or a position


class TraceError(ValueError):
    """A trace file that is malformed or describes a decoding that could not have happened."""


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise TraceError(f"{where} must be an object, not {described(value)}")
    return value


def sequence(value: Any, where: str) -> list[Any]:
    """A JSON list."""
    if not isinstance(value, list):
        raise TraceError(f"{where} must be a list, not {described(value)}")
    return value


def text(value: Any, where: str) -> str:
    """A string that can be written as UTF-8 (JSON's escapes can spell halves of characters, which can't)."""
    if not isinstance(value, str):
        raise TraceError(f"{where} must be text, not {described(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TraceError(f"there is half a character (an unpaired surrogate) in {where}") from None
    return value


def natural(value: Any, where: str) -> int:
    """A whole number from 0 to MAX_NATURAL; true and 1.0 are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NATURAL:
        raise TraceError(f"{where} must be a whole number from 0 to {MAX_NATURAL}, not {described(value)}")
    return value


def digits(key: str, where: str) -> int:
    """A whole number as the key of an object, written the one way that it is written back."""
    if not (isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 10 and key == str(int(key))):
        raise TraceError(f"{where}: the key {described(key)} is not a whole number")
    return natural(int(key), where)


def probability(value: Any, where: str) -> float:
    """A number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise TraceError(f"{where}: {described(value)} is not a probability from 0 to 1")
    return float(value)


def token_ids(value: Any, where: str) -> tuple[int, ...]:
    """A list of token ids."""
    return tuple(natural(i, where) for i in sequence(value, where))


def rows(value: Any, width: int, where: str) -> list[list[Any]]:
    """A list of lists of `width` values each."""
    if not all(isinstance(row, list) and len(row) == width for row in sequence(value, where)):
        raise TraceError(f"{where} must be a list of rows of {width}")
    return value


def anything(value: Any, where: str) -> Any:
    """Any JSON that can be written again: finite numbers, whole characters, at most MAX_DEPTH levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [text(key, f"{where}: a key") for key in item]
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str):
                text(item, where)
            elif isinstance(item, float) and not math.isfinite(item):
                raise TraceError(f"{where} holds {item}, which is not a number that a trace may hold")
        if not inner:
            return value
        level = inner
    raise TraceError(f"{where} is nested more than {MAX_DEPTH} levels deep")


def unknown_keys(data: Mapping[str, Any], known: Collection[str], where: str) -> dict[str, Any]:
    """What stands under keys that are not `known`: a later version's, to be kept as it is."""
    return anything({key: value for key, value in data.items() if key not in known}, f"{where}: unknown keys")


def described(value: Any) -> str:
    """The value as a message may show it: in one line, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > 10**20:
        return "a huge number"
    if isinstance(value, str) and len(value) > 40:
        return repr(value[:40]) + "…"
    return repr(value)
