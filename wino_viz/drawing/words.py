"""The sentences of a picture: what a pass did, and by which settings. assets/player/words.js in Python, in short."""

from __future__ import annotations

import re

from wino_viz.drawing.replay import BREAK, Frame, piece
from wino_viz.step import Step
from wino_viz.trace import Trace

_TURN = re.compile(r"eot|turn|im_end", re.IGNORECASE)  # in the text of a token that ends one
NAME_LENGTH = 28  # characters of a token's text in a sentence

# Thresholds that a picture names, in this order; other settings are told by the trace.
_SETTINGS = {
    "tau1": "τ1 {}",
    "tau2": "τ2 {}",
    "tau": "τ {}",
    "f": "f {}",
    "gap_early": "gap {}",
    "gap_middle": "{}",
    "gap_late": "{}",
}


def name(trace: Trace, token: int) -> str:
    """A token as a sentence names it."""
    shown = piece(trace, token)
    if shown.kind == "end":
        return end_name(trace, token)
    if shown.kind == "space":
        breaks = shown.core.count(BREAK)
        if breaks:
            return "line break" if breaks == 1 else f"{breaks} line breaks"
        return _plural(len(shown.core), "space")
    return shown.core if shown.kind == "special" else _quoted(shown.core)


def end_name(trace: Trace, token: int) -> str:
    """What a token that ends an answer ends: a turn of the conversation, or the text."""
    return "end of turn" if _TURN.search(trace.pieces.get(token, "")) else "end of text"


def _quoted(text: str) -> str:
    text = text.strip()
    return f"“{text[: NAME_LENGTH - 1]}…”" if len(text) > NAME_LENGTH else f"“{text}”"


def pass_sentence(trace: Trace, frame: Frame) -> str:
    """What one pass did, as in “Pass 4: drafted 11 tokens, verified 40, took back 2: “12” (tokens 9–10).”"""
    step = frame.step
    by_hand = edit_words(trace, frame.number)
    if step is None:
        before = f"Before the first pass: all {trace.gen_length} tokens are masked."
        if trace.fixed:
            count, verb = len(trace.fixed), "stand already, all others are masked."
            before = f"Before the first pass: {_plural(count, 'token')} of {trace.gen_length} {verb}"
        return " ".join([before, *by_hand])
    ends = sum(token.id in trace.end_ids for token in step.drafted)
    drafted = f"drafted {_plural(len(step.drafted), 'token')}"
    if ends:
        all_ends = ", all end of text" if ends > 1 else " (end of text)"
        drafted += all_ends if ends == len(step.drafted) else f" ({ends} of them end of text)"
    elif 0 < len(step.drafted) <= 2:
        drafted += f" ({', '.join(name(trace, token.id) for token in step.drafted)})"
    parts = [drafted]
    if step.verified:
        parts.append(f"verified {len(step.verified)}")
    if step.remasked:
        parts.append(f"took back {len(step.remasked)}: {_revoked_words(trace, step)}")
    elif step.verified:
        parts.append("took none back")
    return " ".join([f"Pass {frame.number}: {', '.join(parts)}.", *by_hand])


def edit_words(trace: Trace, number: int) -> list[str]:
    """What was changed by hand after a pass, as one sentence; none where nothing was."""
    edits = trace.edits_after(number)
    named = [
        f"token {edit.position + 1} was masked again"
        if edit.id == trace.mask_id
        else f"{name(trace, edit.id)} was planted (token {edit.position + 1})"
        for edit in edits[:3]
    ]
    more = f" and {len(edits) - 3} more were changed" if len(edits) > 3 else ""
    return [f"Then, by hand, {', '.join(named)}{more}."] if named else []


def _is_sane(value: object) -> bool:
    """Whether a setting is a number that a decoder could have."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1_000_000


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _revoked_words(trace: Trace, step: Step) -> str:
    """The tokens that a pass took back, those side by side together, at most four groups."""
    groups: list[list] = []
    for token in sorted(step.remasked):
        if groups and groups[-1][-1].position + 1 == token.position:
            groups[-1].append(token)
        else:
            groups.append([token])
    named, most = [], 3 if len(groups) > 4 else 4
    for group in groups[:most]:
        first, last = group[0].position + 1, group[-1].position + 1
        where = f"token {first}" if first == last else f"tokens {first}–{last}"
        if all(token.id in trace.end_ids for token in group):
            what = end_name(trace, group[0].id) if len(group) == 1 else f"{len(group)} × end of text"
        elif len(group) == 1:
            what = name(trace, group[0].id)
        else:
            shown = [piece(trace, token.id) for token in group]
            what = _quoted("".join(each.lead + each.core for each in shown))
        named.append(f"{what} ({where})")
    rest = sum(len(group) for group in groups[most:])
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def settings_words(trace: Trace) -> str:
    """The decoder's settings and the lengths, as in “τ1 0.6 · τ2 0.9 · 128 tokens in 2 blocks of 64”."""
    decoder = trace.decoder
    numbers = {key: value for key, value in decoder.items() if _is_sane(value)}
    words = [label.format(f"{numbers[key]:g}") for key, label in _SETTINGS.items() if key in numbers]
    if "tokens_per_step" in numbers:
        words.append(f"{_plural(numbers['tokens_per_step'], 'token')} a pass")
    if decoder.get("remasking") == "random":
        words.append("at random")
    if numbers.get("temperature"):
        words.append(f"temperature {numbers['temperature']:g}")
    blocks = f" in {trace.blocks} blocks of {trace.block_length}" if trace.blocks > 1 else ""
    return " · ".join([*words, f"{_plural(trace.gen_length, 'token')}{blocks}"])
