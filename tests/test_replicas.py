"""The command `serve`: the app in front of two replicas of the embedded model on this CPU, started as people start it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from wino_viz.cli import main
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session

ROOT = Path(__file__).parents[1]
QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
PATIENCE = 120
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: requirements-serve.txt")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "wino_viz", "serve", "--replicas", "2", "--gpus-per-replica", "0"]
    started = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        lines = iter(started.stdout.readline, "")
        yield next(line.split()[-1] for line in lines if line.startswith("The app is at"))
        started.send_signal(signal.SIGTERM)
        assert started.wait(PATIENCE) == 0
    finally:
        started.kill()


def call(url: str, values: list) -> dict | str:
    """What the endpoint /decode answers: a trace, or the text of an error."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        event = client.post("/gradio_api/call/decode", json={"data": values}).json()["event_id"]
        text = client.get(f"/gradio_api/call/decode/{event}").text
    return json.loads(text.split("event: complete\ndata: ")[1])[0] if "event: complete" in text else text


@needs_ray
def test_the_app_decodes_in_two_replicas_what_one_process_decodes(url: str, mini: Checkpoint):
    assert "Watch a diffusion model" in httpx.get(url, timeout=PATIENCE).text
    with ThreadPoolExecutor(4) as pool:
        traces = list(
            pool.map(call, [url] * 4, [[QUESTION, "wino", 64, 32, 0, 0, None, None, "", "free", 0, None]] * 4)
        )
    session = Session(load=lambda name: mini)
    decoding = session.start(QUESTION, session.parse("wino"), gen_length=64, block_length=32)
    assert len(list(decoding)) == traces[0]["forward_passes"]
    assert [trace["output_ids"] for trace in traces] == [list(decoding.trace().output_ids)] * 4
    assert all(trace["timing"]["model_seconds"] > 0 for trace in traces)
    assert "no decoder" in call(url, [QUESTION, "nonsense", None, None, 0, 0, None, None, "", "free", 0, None])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--replicas", "0"], "--replicas"),
        (["--gpus-per-replica", "-1"], "--gpus-per-replica must be 0 to 8, not -1"),
        (["--gpus-per-replica", "1.5"], "must be a part of one GPU or a whole number of them, not 1.5"),
        (["--port", "70000"], "--port"),
        (["--replicas", "64", "--gpus-per-replica", "1"], "64 replicas with 1 GPUs each need more than the"),
    ],
)
def test_bad_options_are_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str):
    try:
        code = main(["serve", *arguments])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr().err
    assert code == 2 and sentence in said and "Traceback" not in said
