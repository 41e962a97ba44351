"""The recorded examples: readable, titled, and what the shipped model still does."""

import json
import shlex
from pathlib import Path

import pytest

from wino_viz.cli import main
from wino_viz.trace import Trace

TRACES = sorted((Path(__file__).parents[1] / "examples" / "traces").glob("*.json"))


def read(path: Path) -> Trace:
    return Trace.from_json(path.read_text(encoding="utf-8"))


def what_changed(trace: Trace) -> list:
    return [[[(t.position, t.id) for t in group] for group in (step.drafted, step.remasked)] for step in trace.steps]


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_an_example_is_a_valid_trace_with_a_title_and_its_command(path: Path):
    trace = read(path)
    assert trace.extra["title"]
    assert trace.extra["note"]
    assert shlex.split(trace.extra["command"])[:4] == ["python", "-m", "wino_viz", "decode"]
    assert trace.mask_id not in trace.output_ids


def test_the_first_example_shows_several_revocations_and_ends_right():
    trace = read(TRACES[0])
    assert trace.decoder["name"] == "wino"
    assert trace.revocations >= 3
    assert trace.text.endswith(f"#### {trace.extra['record']['answer']}")


@pytest.mark.parametrize("path", [TRACES[0], TRACES[4]], ids=lambda path: path.stem)
def test_the_command_in_an_example_still_makes_it(path: Path, tmp_path: Path):
    recorded = read(path)
    arguments = shlex.split(recorded.extra["command"])[3:]
    arguments[arguments.index("--trace") + 1] = str(tmp_path / "again.json")
    assert main(arguments) == 0
    again = read(tmp_path / "again.json")
    assert what_changed(again) == what_changed(recorded)
    assert again.text == recorded.text
    assert json.loads(path.read_text())["forward_passes"] == again.forward_passes
