"""python -m wino_viz branch: a recorded trace goes on after an edit, by the decoder that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run_here

from wino_viz.cli import main
from wino_viz.trace import Trace

SOURCE = Path(__file__).parents[1] / "assets" / "cases" / "traces" / "sofia.json"


def test_a_planted_number_is_recorded_with_its_command_and_what_became_of_it(tmp_path):
    out = tmp_path / "planted.json"
    done = run_here(main, "branch", str(SOURCE), "--after", "2", "--put", "17=2", "--mask", "18", "--trace", str(out))
    assert done.returncode == 0, done.stderr
    made, source = Trace.from_json(out.read_text()), Trace.from_json(SOURCE.read_text())
    assert made.steps[:2] == source.steps[:2] and made.decoder == source.decoder
    [branch] = made.branches
    planted, masked = branch.edits
    assert (planted.position, made.pieces[planted.id]) == (17, "2") and masked == (18, made.mask_id)
    assert done.stdout == made.text + "\n"
    assert "WINO took “2” back in pass" in done.stderr and "Right: 22." in done.stderr
    assert made.extra["command"].startswith("python -m wino_viz branch ") and made.extra["record"]["answer"] == 22


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--after", "99"], "--after must be 0 to 10, the passes of this trace, not 99"),
        (["--after", "2", "--put", "17"], "names no position"),
        (["--after", "2", "--put", "x=3"], "names no position"),
        (["--after", "2", "--put", "128=3"], "there is no position 128 in 128 tokens"),
        (["--after", "2", "--put", "17=two balls"], "write a text that is one token"),
        (["--after", "2", "--put", "17=2", "--mask", "17"], "position 17 is changed twice"),
        (["--after", "2", "--put", "17=3"], "holds that token already"),
        (["--after", "10"], "nothing is left to decode"),
        (["--after", "2", "--decoder", "magic"], "there is no decoder 'magic'"),
        (["--after", "2", "--trace", str(SOURCE)], "would overwrite the trace"),
        (["--after", "2", "--image", "nowhere.png"], "nowhere.png"),
    ],
    ids=lambda value: " ".join(value)[-24:] if isinstance(value, list) else "",
)
def test_what_can_not_be_done_is_one_line(arguments, sentence):
    done = run_here(main, "branch", str(SOURCE), *arguments)
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
