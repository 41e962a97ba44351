"""Decoders by name: a SPEC such as `wino:tau1=0.6:tau2=0.9` on the command line, and the settings that it stands for.

parse_spec("standard:tokens_per_step=4")  ->  StandardSettings(tokens_per_step=4)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from wino_viz.decoding.base import Settings
from wino_viz.decoding.factor import FactorSettings
from wino_viz.decoding.prophet import ProphetSettings
from wino_viz.decoding.standard import StandardSettings
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.decoding.wino import WinoSettings
from wino_viz.untrusted import described

DECODERS: dict[str, type[Any]] = {
    made.name: made for made in (StandardSettings, ThresholdSettings, FactorSettings, ProphetSettings, WinoSettings)
}

Presets = Mapping[str, Mapping[str, Any]]  # decoder name -> settings where they differ from the decoder's defaults


def parse_spec(text: str, presets: Presets | None = None) -> Settings:
    """The settings that a SPEC stands for: what it says, else the preset's, else the decoder's default.

    Raises ValueError with one line that names an unknown decoder or setting, or a value outside its range, and lists
    what is allowed.
    """
    name, *assignments = text.strip().split(":")
    settings = dict((presets or {}).get(name, {}))
    defaults = _defaults(name, settings)
    said: set[str] = set()
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ValueError(f"{name}: {described(assignment)} is not of the form setting=value")
        if key not in defaults:
            raise _unknown_setting(name, key, defaults)
        if key in said:
            raise ValueError(f"{name}: {key} is set twice")
        said.add(key)
        settings[key] = _read(name, key, value, type(defaults[key]))
    try:
        return DECODERS[name](**settings)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def format_spec(settings: Settings, presets: Presets | None = None) -> str:
    """The shortest SPEC that stands for `settings`: `parse_spec(format_spec(s, presets), presets) == s`."""
    preset = (presets or {}).get(settings.name, {})
    usual = _defaults(settings.name, preset) | dict(preset)
    said = [f"{key}={value}" for key, default in usual.items() if (value := getattr(settings, key)) != default]
    return ":".join((settings.name, *said))


def _defaults(name: str, preset: Mapping[str, Any]) -> dict[str, Any]:
    if re.fullmatch(r"wino[-_ ]?(\+|plus)", name, re.IGNORECASE):
        raise ValueError(
            "WINO+ is a model and not a decoder: choose the model llada-mini-wino-plus (--model), with threshold"
        )
    if name not in DECODERS:
        raise ValueError(f"there is no decoder {described(name)}: choose one of {', '.join(DECODERS)}")
    defaults = {field.name: field.default for field in fields(DECODERS[name])}
    for key in preset:
        if key not in defaults:
            raise _unknown_setting(name, key, defaults)
    return defaults


def _unknown_setting(name: str, key: str, defaults: Mapping[str, Any]) -> ValueError:
    return ValueError(f"{name} has no setting {described(key)}: choose one of {', '.join(defaults)}")


def _read(name: str, key: str, value: str, kind: type) -> Any:
    if kind is str:
        return value
    if kind is int and re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        return int(value)
    if kind is float and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", value, re.IGNORECASE):
        return float(value)
    raise ValueError(f"{name}: {key} must be a {'whole number' if kind is int else 'number'}, not {described(value)}")
