"""The app's own server with many users at once: who reads slowly or goes away holds nobody up, and a full queue says so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

pytest.importorskip("gradio")

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.ui.forms import DECODING, MODEL_QUEUE
from wino_viz.ui.page import LAUNCH, THREADS, WAITING, build_page

QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
PATIENCE = 60


class Together:
    """The real denoiser, whose first pass begins once `people` decodings are under way."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.device, self.model = denoiser, denoiser.device, denoiser.model
        self.people, self.session, self.most = 0, None, 0

    def predict(self, forwards):
        until = time.monotonic() + PATIENCE
        while self.session.running < self.people and time.monotonic() < until:
            time.sleep(0.001)
        self.most, self.people = max(self.most, self.session.running), 0
        return self.denoiser.predict(forwards)


@pytest.fixture(scope="module")
def together(mini: Checkpoint) -> Together:
    return Together(mini.denoiser)


@pytest.fixture(scope="module")
def url(mini: Checkpoint, together: Together) -> Iterator[str]:
    session = Session(load=lambda name: replace(mini, denoiser=together))
    session.gen_length = session.block_length = 16
    together.session = session
    app = build_page(session, examples=[])
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **LAUNCH)
    yield url
    app.close()


def decode(url: str) -> dict:
    """One decoding over the endpoint, as a program asks for it; the trace."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        asked = {"prompt": QUESTION, "decoder": "wino"}
        event = client.post("gradio_api/call/v2/decode", json=asked).json()["event_id"]
        with client.stream("GET", f"gradio_api/call/decode/{event}") as answer:
            lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return json.loads(lines[-1].removeprefix("data: "))[0]


def test_as_many_as_may_decode_at_once_all_do(url: str, together: Together):
    """Sixteen stand for them: each holds a thread and a place, and none waits for another's end."""
    together.people = 16
    with ThreadPoolExecutor(16) as pool:
        traces = list(pool.map(decode, [url] * 16))
    assert together.most == 16
    first = traces[0]
    assert all(trace["output_ids"] == first["output_ids"] and trace["steps"] == first["steps"] for trace in traces)
    assert MODEL_QUEUE["concurrency_limit"] == DECODING < THREADS == LAUNCH["max_threads"] and WAITING > 0


def test_who_never_reads_his_stream_holds_nobody_up(url: str, together: Together):
    """He joins the page's own queue, opens the stream and reads nothing; another is answered all the same."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        config = client.get("config").json()
        [run] = [fn for fn in config["dependencies"] if fn["api_name"] == "run_one"]
        components = {part["id"]: part["props"] for part in config["components"]}
        values = [
            None if components.get(i, {}).get("name") == "state" else components[i].get("value") for i in run["inputs"]
        ]
        joined = client.post(
            "gradio_api/queue/join", json={"data": values, "fn_index": run["id"], "session_hash": "slow"}
        )
        assert joined.status_code == 200
        together.people = 2
        with client.stream("GET", "gradio_api/queue/data", params={"session_hash": "slow"}) as stream:
            assert stream.status_code == 200
            assert decode(url)["output_ids"]
    assert together.most >= 2


def test_who_comes_to_a_full_queue_is_told_so(mini: Checkpoint):
    app = build_page(Session(load=lambda name: mini), examples=[]).queue(max_size=0)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **LAUNCH)
    try:
        answer = httpx.post(f"{url}gradio_api/call/decode", json={"data": [QUESTION]}, timeout=PATIENCE)
    finally:
        app.close()
    assert answer.status_code == 503 and "full" in answer.text


def test_programs_that_come_and_go_are_not_all_remembered(mini: Checkpoint):
    """Each request of a program is a session of its own, which gradio keeps: in a year of them the memory would be full."""
    most, many = 3, 8
    app = build_page(Session(load=lambda name: mini), examples=[])
    settings = LAUNCH | {"state_session_capacity": most}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **settings)
    try:
        for _ in range(many):
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                event = client.post("gradio_api/call/v2/decode", json={"prompt": ""}).json()["event_id"]
                assert "the prompt is empty" in client.get(f"gradio_api/call/decode/{event}").text
        assert len(app.state_holder.session_data) == most
    finally:
        app.close()
    assert 100 <= LAUNCH["state_session_capacity"] <= 2000


def test_a_page_is_plain_data_which_is_copied_for_every_visitor_in_no_time(mini: Checkpoint):
    app = build_page(Session(load=lambda name: mini), examples=[])
    parts = [part for part in app.get_config_file()["components"] if part["type"] != "state"]
    json.dumps([part["props"] for part in parts])  # an object among them would be copied with all that it knows
