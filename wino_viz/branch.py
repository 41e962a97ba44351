"""Where a trace leaves the decoding that it began as. Imported through `wino_viz.trace`; standard library only.

A trace with branches holds the passes that were made before, what was changed on the canvas then, and the passes that
came after; so it is replayed like any other, from the first pass to the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wino_viz import untrusted

MAX_BRANCHES = 64  # one upon the other


class Edit(NamedTuple):
    """The token `id` was put at `position` by hand, or where `id` is the mask, the position was masked again."""

    position: int
    id: int


@dataclass(frozen=True)
class Branch:
    """After pass `at_pass` (0: before the first) somebody changed the canvas by `edits`, which may be none, and another
    decoder went on: the trace's own, or that of the branch after this one. `decoder` is what made the passes before, as
    in `Trace.decoder`.
    """

    at_pass: int
    edits: tuple[Edit, ...] = ()
    decoder: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The branch as JSON-ready lists; keys that this version does not know come back unchanged."""
        edits = [list(edit) for edit in self.edits]
        return {**self.extra, "at_pass": self.at_pass, "edits": edits, "decoder": dict(self.decoder)}

    @classmethod
    def from_dict(cls, data: Any, where: str = "branch") -> Branch:
        """Read one branch; raises TraceError naming `where` and the field that is wrong."""
        data = untrusted.mapping(data, where)
        decoder = untrusted.anything(untrusted.mapping(data.get("decoder"), f"{where}: decoder"), f"{where}: decoder")
        untrusted.text(decoder.get("name"), f"{where}: decoder: name")
        edits = untrusted.rows(data.get("edits", []), 2, f"{where}: edits")
        return cls(
            at_pass=untrusted.natural(data.get("at_pass"), f"{where}: at_pass"),
            edits=tuple(Edit(*(untrusted.natural(value, f"{where}: edits") for value in row)) for row in edits),
            decoder=decoder,
            extra=untrusted.unknown_keys(data, ("at_pass", "edits", "decoder"), where),
        )
