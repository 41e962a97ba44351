"""Decoding rules without a model: what to ask of it next, and what to do with the answer.

settings = parse_spec("wino:tau1=0.6:tau2=0.9")
decoder = settings.start(Canvas(prompt_ids=prompt_ids, mask_id=mask_id))
for step, seconds in decode(decoder, denoiser):
    print(len(step.drafted), "placed", len(step.remasked), "taken back")
"""

from wino_viz.decoding.base import NO_TOKEN, Canvas, Decoder, Denoiser, Forward, Predictions, Settings
from wino_viz.decoding.controls import Controls
from wino_viz.decoding.drive import TimedStep, decode, decode_many, record
from wino_viz.decoding.factor import FactorSettings
from wino_viz.decoding.prophet import ProphetSettings
from wino_viz.decoding.resume import Start, canvas_after, canvas_of, resume, settings_of
from wino_viz.decoding.spec import DECODERS, format_spec, parse_spec
from wino_viz.decoding.standard import StandardSettings
from wino_viz.decoding.threshold import ThresholdSettings
from wino_viz.decoding.wino import WinoSettings, judge_tokens, shadow_attention, shadow_position_ids

__all__ = [
    "DECODERS",
    "NO_TOKEN",
    "Canvas",
    "Controls",
    "Decoder",
    "Denoiser",
    "FactorSettings",
    "Forward",
    "Predictions",
    "ProphetSettings",
    "Settings",
    "StandardSettings",
    "Start",
    "ThresholdSettings",
    "TimedStep",
    "WinoSettings",
    "canvas_after",
    "canvas_of",
    "decode",
    "decode_many",
    "format_spec",
    "judge_tokens",
    "parse_spec",
    "record",
    "resume",
    "settings_of",
    "shadow_attention",
    "shadow_position_ids",
]
