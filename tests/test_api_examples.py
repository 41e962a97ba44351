"""The examples of "From other programs" in the README, run as they stand against the app."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.tasks.scenes import compose, draw
from wino_viz.trace import Trace
from wino_viz.ui.page import LAUNCH, build_page

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## From other programs\n")[2].partition("\n## ")[0]
BLOCKS = [block.replace("\n    ", "\n").strip() for block in re.findall(r"(?:\n    [^\n]*|\n(?=\n    ))+", SECTION)]


@pytest.fixture(scope="module")
def url(mini: Checkpoint, sees: Checkpoint) -> Iterator[str]:
    session = Session(load=lambda name: mini)
    app = build_page(session, examples=[], pictures=Session("mmada-mini", load=lambda name: sees, task="caption"))
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **LAUNCH)
    yield url.rstrip("/")
    app.close()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    draw(compose(3, split="validation")).save(tmp_path / "scene.png")
    return tmp_path


def example(word: str, url: str) -> str:
    [found] = [block for block in BLOCKS if word in block]
    assert "http://127.0.0.1:7860" in found
    return found.replace("http://127.0.0.1:7860", url)


def test_the_python_example_runs(url: str, here: Path):
    made = subprocess.run(
        [sys.executable, "-c", example("gradio_client", url) + "\nimport json\nprint(json.dumps(trace))"],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    *said, trace = made.stdout.strip().splitlines()
    assert any("18" in line for line in said)
    assert Trace.from_json(trace).extra["picture"]


def test_the_example_that_goes_on_from_a_trace_runs_after_the_first_ones(url: str):
    start = "\n".join(example("gradio_client", url).splitlines()[:3])  # as far as the prompt
    [going_on] = [block for block in BLOCKS if 'api_name="/branch"' in block]
    made = subprocess.run(
        [sys.executable, "-c", f"{start}\n{going_on}\nimport json\nprint(json.dumps(trace))"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    [branch] = Trace.from_json(made.stdout.strip().splitlines()[-1]).branches
    assert (branch.at_pass, [edit.position for edit in branch.edits]) == (3, [14, 20])


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example_runs(url: str, here: Path):
    script = example("curl", url)
    assert "ask decode" in script and "ask caption" in script
    made = subprocess.run(["bash", "-ec", script], cwd=here, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    answers = [
        json.loads(line.removeprefix("data: ")) for line in made.stdout.splitlines() if line.startswith("data: ")
    ]
    traces = [Trace.from_dict(trace) for [trace] in answers]
    assert [trace.extra.get("picture") is not None for trace in traces] == [False, True]
    assert traces[0].text.endswith("18")
