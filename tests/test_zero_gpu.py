"""The app as ZeroGPU starts it: the environment's variables, the real `spaces` with its decorator, queues and forks, and a
stand-in for the service that hands out GPUs.

`spaces` shows a CUDA that is not there yet to PyTorch, which needs a PyTorch built for CUDA, and the forked process begins by
taking a GPU. Where there is neither, it is started as it starts without PyTorch: all of it but that is real.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import torch
from scripted import RandomDenoiser, a_canvas

from wino_viz.decoding import DECODERS, decode
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.zero_gpu import zero_gpu_here

pytest.importorskip("spaces", reason="`spaces` is not installed: pip install -r requirements-dev.txt")

ROOT = Path(__file__).parents[1]
QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
PATIENCE = 120
# The app's last lines, where `spaces` patches the launch; a CUDA that is not there is left out.
START = """
import sys
if {without_cuda}:
    sys.modules["torch"] = None
    import spaces
    del sys.modules["torch"]
import app
assert app.session.loaded and app.pictures.loaded, "models have to be there before the process is forked"
_, url, _ = app.demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", theme=app.theme(), **app.LAUNCH)
print("URL", url, flush=True)
app.demo.block_thread()
"""


class Devices(ThreadingHTTPServer):
    """Stands for the service of Hugging Face that hands out GPUs; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Answer)

    def of(self, path: str) -> list[dict[str, str]]:
        return [values for asked, values in self.asked if asked == path]


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append((url.path, {key: value[0] for key, value in parse_qs(url.query).items()}))
        token = f"token-{len(self.server.asked)}"
        granted = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": os.environ.get("CUDA_VISIBLE_DEVICES", "0")}
        body = json.dumps({**granted, "allowToken": token}).encode() if url.path == "/schedule" else b""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def devices() -> Iterator[Devices]:
    server = Devices()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def url(devices: Devices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = {
        **os.environ,
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{devices.server_port}",
        "ZEROGPU_OFFLOAD_DIR": str(tmp_path_factory.mktemp("offload")),
        "OMP_NUM_THREADS": "1",
    }
    code = START.format(without_cuda=not torch.cuda.is_available())
    command = [sys.executable, "-c", code]
    started = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        lines = iter(started.stdout.readline, "")
        yield next(line.split()[1] for line in lines if line.startswith("URL "))
    finally:
        os.killpg(started.pid, signal.SIGKILL)  # the forked process, too
        started.wait(PATIENCE)


def call(url: str, endpoint: str, values: list) -> dict:
    """What an endpoint of the app answers."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        event = client.post(f"gradio_api/call/{endpoint}", json={"data": values}).json()["event_id"]
        with client.stream("GET", f"gradio_api/call/{endpoint}/{event}") as answer:
            lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return json.loads(lines[-1].removeprefix("data: "))[0]


def test_a_problem_is_decoded_in_a_process_with_a_gpu_of_its_own(url: str, devices: Devices, mini: Checkpoint):
    assert len(devices.of("/startup-report")) == 1  # a Space without a decorated function ends here
    traces = [call(url, "decode", [QUESTION, "wino", 64, 32, 0, 0, None, None, "", "free", 0, None]) for _ in range(2)]
    session = Session(load=lambda name: mini)
    decoding = session.start(QUESTION, session.parse("wino"), gen_length=64, block_length=32)
    assert [made.number for made in decoding] == [*range(1, traces[0]["forward_passes"] + 1)]
    alone = decoding.trace().to_dict()
    for trace in traces:
        assert (trace["output_ids"], trace["text"]) == (alone["output_ids"], alone["text"])
        assert [step["drafted"] for step in trace["steps"]] == [step["drafted"] for step in alone["steps"]]
        assert len(trace["timing"]["per_pass"]) == trace["forward_passes"]
    assert len(devices.of("/schedule")) == len(devices.of("/release")) == 2
    [allowed] = {one["pid"] for one in devices.of("/allow")}  # the second decoding met the process of the first
    assert int(allowed) > 1


def test_the_gpu_is_asked_for_by_the_length_of_the_work(url: str, devices: Devices):
    before = len(devices.of("/schedule"))
    for length, decoder in ((16, "standard"), (64, "standard"), (64, "standard:tokens_per_step=8")):
        call(url, "decode", [QUESTION, decoder, length, 16, 0, 0, None, None, "", "free", 0, None])
    short, long, fewer = (int(one["durationSeconds"]) for one in devices.of("/schedule")[before:])
    assert 5 <= short < long <= 60 and 5 <= fewer < long


def test_bad_input_asks_for_no_gpu(url: str, devices: Devices):
    before = len(devices.asked)
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        values = [QUESTION, "nonsense", None, None, 0, 0, None, None, "", "free", 0, None]
        event = client.post("gradio_api/call/decode", json={"data": values}).json()["event_id"]
        answer = client.get(f"gradio_api/call/decode/{event}").text
    assert "event: error" in answer and len(devices.asked) == before


def test_elsewhere_there_is_no_zero_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert zero_gpu_here() is None


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_goes_on_in_another_process_as_it_would_here(name: str):
    decoder = DECODERS[name]().start(a_canvas(16, 8, temperature=0.5, seed=3))
    steps = decode(decoder, RandomDenoiser())
    next(steps)
    sent = pickle.loads(pickle.dumps(decoder))
    assert [step for step, _ in decode(sent, RandomDenoiser())] == [step for step, _ in steps]
    assert sent.canvas == decoder.canvas
