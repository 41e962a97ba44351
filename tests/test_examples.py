"""The recorded examples: readable, titled, and what the shipped model still does."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wino_viz.cli import main
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.plus import is_wino_plus
from wino_viz.tasks import registry
from wino_viz.tasks.scenes import Scene, draw
from wino_viz.trace import Trace
from wino_viz.ui.examples import read_examples, read_picture_examples, recorded_together

ROOT = Path(__file__).parents[1]
TRACES = sorted((ROOT / "examples" / "traces").glob("*.json"))
PICTURES = sorted((ROOT / "examples" / "pictures").glob("*.json"))


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


def test_wino_plus_answers_the_first_problem_in_fewer_passes_than_wino_and_drafts_alone_get_it_wrong():
    by_wino, alone, plus = (read(TRACES[n]) for n in (0, 4, 6))
    assert by_wino.prompt == alone.prompt == plus.prompt and is_wino_plus(plus.model)
    right = [registry.judge(trace.extra["record"], trace.text).correct for trace in (by_wino, alone, plus)]
    assert right == [True, False, True]
    assert plus.forward_passes < by_wino.forward_passes and plus.revocations == 0


def test_there_is_an_example_of_every_kind_of_problem():
    assert {read(path).extra["record"]["task"] for path in TRACES} == {"arithmetic", "countdown", "sudoku"}


@pytest.mark.parametrize(
    "path", [path for path in TRACES if read(path).forward_passes < 13], ids=lambda path: path.stem
)
def test_the_command_in_an_example_still_makes_it(path: Path, tmp_path: Path):
    recorded = read(path)
    arguments = shlex.split(recorded.extra["command"])[3:]
    arguments[arguments.index("--trace") + 1] = str(tmp_path / "again.json")
    assert main(arguments) == 0
    again = read(tmp_path / "again.json")
    assert what_changed(again) == what_changed(recorded)
    assert again.text == recorded.text
    assert json.loads(path.read_text())["forward_passes"] == again.forward_passes


@pytest.mark.parametrize(
    "record",
    [
        {"task": "arithmetic", "question": "How many?", "answer": 3},
        {"task": "countdown", "numbers": [30, 100, 93], "target": 23},
        {"task": "sudoku", "puzzle": "3102200002100320", "solution": "3142243142131324"},
    ],
    ids=lambda record: record["task"],
)
def test_a_recording_brings_its_record_whichever_the_task(record, tmp_path: Path):
    trace = replace(read(TRACES[0]), prompt=registry.prompt_of(record), extra={"record": record})
    (tmp_path / "1.json").write_text(trace.to_json())
    assert [example.record for example in read_examples(tmp_path)] == [record]


@pytest.mark.parametrize("record", [None, 5, {"task": "chess"}, {"task": "sudoku", "puzzle": "1" * 16}])
def test_a_record_that_is_none_or_is_about_something_else_is_dropped(record, tmp_path: Path):
    (tmp_path / "1.json").write_text(replace(read(TRACES[0]), prompt="How many?", extra={"record": record}).to_json())
    assert read_examples(tmp_path)[0].record == {"task": "arithmetic", "question": "How many?"}


# ---- pictures


@pytest.fixture(scope="module")
def picture_examples():
    return read_picture_examples()


def test_every_picture_example_is_shown(picture_examples):
    assert [example.title for example in picture_examples] == [read(path).extra["title"] for path in PICTURES]
    assert len(PICTURES) >= 4
    assert all(example.note and example.words for example in picture_examples)


def test_the_picture_examples_differ_in_what_they_teach(picture_examples):
    first, *_ = picture_examples
    assert first.trace.decoder["name"] == "wino" and first.trace.revocations >= 3
    assert {example.record["task"] for example in picture_examples} == {"caption", "vqa"}
    verdicts = {registry.judge(example.record, example.trace.text).correct for example in picture_examples}
    assert verdicts == {True, False}


def test_a_recorded_picture_is_the_one_that_its_record_describes_and_its_tokens_are_what_the_model_sees(
    picture_examples, sees: Checkpoint
):
    for example in picture_examples:
        assert sees.reader.codes(example.image).tolist() == example.codes
        drawn = np.asarray(draw(Scene.from_dict(example.record["scene"])))
        assert np.array_equal(np.asarray(example.image), drawn)


@pytest.mark.parametrize("path", [PICTURES[0], PICTURES[3]], ids=lambda path: path.stem)
def test_the_command_in_a_picture_example_still_makes_it(path: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    recorded = read(path)
    arguments = shlex.split(recorded.extra["command"])[3:]
    for option, name in (("--trace", "again.json"), ("--seen", "again.png")):
        arguments[arguments.index(option) + 1] = str(tmp_path / name)
    assert main(arguments) == 0
    again = read(tmp_path / "again.json")
    assert what_changed(again) == what_changed(recorded)
    now, then = (
        np.asarray(Image.open(seen), dtype=int) for seen in (tmp_path / "again.png", path.with_suffix(".seen.png"))
    )
    assert abs(now - then).max() <= 2  # rounding differs with the number of threads


def test_recordings_to_compare_are_of_one_prompt_and_in_the_order_asked_for():
    examples = [example for example in read_examples() if not is_wino_plus(example.trace.model)]
    asked = [("threshold", False), ("wino", False)]
    found = recorded_together(examples, asked)
    assert [e.trace.decoder["name"] for e in found] == ["threshold", "wino"]
    assert len({e.trace.prompt for e in found}) == 1
    assert recorded_together(examples, [*asked, ("threshold", True)]) == []
    plus = replace(found[0], trace=replace(found[0].trace, model="llada-mini-wino-plus"))
    assert recorded_together([plus, *examples], [*asked, ("threshold", True)]) == [*found, plus]
    assert recorded_together([replace(plus, trace=replace(plus.trace, prompt="Another.")), *examples], asked) == found
