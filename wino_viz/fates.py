"""What became of the tokens that were changed by hand: was a planted one taken back, in which pass, and what stands there?

for fate in fates(trace):
    print(fate_sentence(trace, fate))

WINO took “7” back in pass 4, where its probability had fallen to 0.02, and wrote “6” in pass 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from wino_viz.drawing.words import name
from wino_viz.names import decoder_name
from wino_viz.trace import Edit, Trace

LEAST = 0.005  # half of the last of the two decimals that sentences give


@dataclass(frozen=True)
class Fate:
    """One edit and what followed, up to the next edit of its position: `checks` are (pass, probability of the token) of
    each verification; `revoked` is the pass that took it back, with its probability there; `replaced` (pass, id) the
    first draft in its place. `before` is what stood there, `final` what stands there at the end; None for a mask.
    """

    at_pass: int
    edit: Edit
    before: int | None
    checks: tuple[tuple[int, float], ...]
    revoked: tuple[int, float] | None
    replaced: tuple[int, int] | None
    final: int | None


def fallen(probability: float) -> str:
    """ "had fallen to 0.31"."""
    return f"had fallen to {probability:.2f}" if probability >= LEAST else f"had fallen below {2 * LEAST:g}"


def fates(trace: Trace) -> list[Fate]:
    """The fate of each edit, in the order of the branches."""
    canvases = list(trace.canvases())
    found = []
    for branch in trace.branches:
        for edit in branch.edits:
            found.append(_fate(trace, canvases, branch.at_pass, edit))
    return found


def _fate(trace: Trace, canvases: list[tuple[int, ...]], at_pass: int, edit: Edit) -> Fate:
    position = edit.position
    later = [b.at_pass for b in trace.branches if b.at_pass > at_pass and any(e.position == position for e in b.edits)]
    checks, revoked, replaced = [], None, None
    for number in range(at_pass + 1, min([*later, trace.forward_passes]) + 1):
        step = trace.steps[number - 1]
        if revoked is None and edit.id != trace.mask_id:
            checks += [(number, row.probability) for row in step.verified if row.position == position]
            revoked = next(((number, token.probability) for token in step.remasked if token.position == position), None)
        replaced = next(((number, token.id) for token in step.drafted if token.position == position), None)
        if replaced is not None:
            break
    before, final = _before(trace, at_pass, position), canvases[-1][position]
    return Fate(at_pass, edit, before, tuple(checks), revoked, replaced, None if final == trace.mask_id else final)


def _before(trace: Trace, at_pass: int, position: int) -> int | None:
    """What stood at a position after a pass, before anything was changed by hand there."""
    standing = None
    for number in range(at_pass + 1):
        for token in trace.steps[number - 1].remasked if number else ():
            standing = None if token.position == position else standing
        for token in trace.steps[number - 1].drafted if number else ():
            standing = token.id if token.position == position else standing
        for edit in trace.edits_after(number) if number < at_pass else ():
            if edit.position == position:
                standing = None if edit.id == trace.mask_id else edit.id
    return standing


def fate_sentence(trace: Trace, fate: Fate) -> str:
    """In one sentence whether a planted token was taken back, in which pass and what replaced it; of a position that was
    masked by hand, what was written there.
    """
    decoder = trace.decoder_of(fate.at_pass + 1)
    who = _who(trace, decoder)
    if fate.edit.id == trace.mask_id:
        return _rewritten(trace, fate, who)
    token = name(trace, fate.edit.id)
    if fate.revoked is not None:
        number, probability = fate.revoked
        start = f"{who} took {token} back in pass {number}, where its probability {fallen(probability)}"
        if fate.replaced is None:
            return f"{start}; nothing stands there yet."
        at, new = fate.replaced
        again = "the same again" if new == fate.edit.id else name(trace, new)
        later = "" if fate.final in (None, new) else f", and in the end {name(trace, fate.final)} stands there"
        return f"{start}, and wrote {again} in pass {at}{later}."
    tau2 = decoder.get("tau2")
    if not isinstance(tau2, int | float):
        return f"{who} never checks a token again: {token} stays."
    if not fate.checks:
        return f"{who} kept {token}: it checks only the block that it works on, and that was complete."
    lowest = min(probability for _, probability in fate.checks)
    times = "the one time that" if len(fate.checks) == 1 else f"all {len(fate.checks)} times that"
    if lowest >= tau2:
        return f"{who} kept {token}: {times} it was checked, its probability was {lowest:.2f} or more, at least τ2 {tau2:g}."
    low = next(number for number, probability in fate.checks if probability < tau2)
    return (
        f"{who} kept {token}: it fell below τ2 {tau2:g} in pass {low}, "
        "but that pass could take no more tokens back, and later ones did not have to or could not either."
    )


def _who(trace: Trace, decoder) -> str:
    named = decoder_name(str(decoder["name"]), trace.model)
    return "Standard decoding" if named == "Standard" else named


def _rewritten(trace: Trace, fate: Fate, who: str) -> str:
    if fate.replaced is None:
        return f"{who} has written nothing there yet."
    at, new = fate.replaced
    same = "the same token again, " if new == fate.before else ""
    later = "" if fate.final in (None, new) else f", and in the end {name(trace, fate.final)} stands there"
    return f"{who} wrote {same}{name(trace, new)} there in pass {at}{later}."
