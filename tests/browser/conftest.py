"""What the browser tests share: one Chromium, pages that refuse outside requests, and a way to serve an app.

open_page("http://…" or an app, width=390, dark=True)   a page; the test fails on an outside request or a script error
serve(blocks)                                            the URL of a gradio app, served until the tests end
pears_url                                                the page with one short recording, `pears`, of the embedded model
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import pytest

from wino_viz.models.checkpoint import Checkpoint
from wino_viz.session import Session
from wino_viz.trace import Trace
from wino_viz.ui.examples import Example
from wino_viz.ui.page import LAUNCH, build_page, theme

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
# A list given here replaces playwright's own, so what matters of that is in it, too. The first two are the pages behind the
# address bar, which no test sees: they take a quarter of the time that it takes to open a page.
NOT_NEEDED = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(NOT_NEEDED)}",
]
PATIENCE = 20_000  # ms: a machine that is shared by others may take so long for what is usually there at once
sync_api.expect.set_options(timeout=PATIENCE)
PEARS = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
SHORT = {"gen_length": 32, "block_length": 32}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@pytest.fixture(scope="session")
def browser() -> Iterator[sync_api.Browser]:
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def requests() -> list[str]:
    """The URLs that the pages of this test asked for."""
    return []


@pytest.fixture
def open_page(browser: sync_api.Browser, requests: list[str]) -> Iterator[Callable[..., sync_api.Page]]:
    """Open a page at an address, or with an HTML text; afterwards fail on outside requests and on script errors."""
    contexts: list[sync_api.BrowserContext] = []
    errors: list[str] = []

    def open_page(
        url: str = "",
        *,
        html: str = "",
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        reduced_motion: bool = False,
        touch: bool = False,
    ) -> sync_api.Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            has_touch=touch,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        if html:
            page.set_content(html)
        else:
            page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert outside(requests) == []


def outside(urls: list[str]) -> list[str]:
    """Those of `urls` that leave this machine."""
    return [
        url
        for url in urls
        if (at := urlsplit(url)).scheme not in ("data", "blob", "about", "file") and at.hostname not in LOOPBACK
    ]


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """Serve a gradio app on a free port; `settings` go to `launch`."""
    apps: list[gr.Blocks] = []

    def serve(app: gr.Blocks, **settings: object) -> str:
        _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **settings)
        apps.append(app)
        return url

    yield serve
    for app in apps:
        app.close()


# ---- a page with one short recording, for tests that go on from it


@pytest.fixture(scope="module")
def pears_session(mini: Checkpoint) -> Session:
    session = Session(load=lambda name: mini)
    session.gen_length, session.block_length = SHORT.values()
    return session


@pytest.fixture(scope="module")
def pears(pears_session: Session) -> Trace:
    """What the page opens with as a recording: few tokens, so that one a pass are soon placed."""
    decoding = pears_session.start(PEARS, pears_session.settings("wino"), **SHORT)
    assert all(made.step for made in decoding)
    return decoding.trace()


@pytest.fixture(scope="module")
def pears_url(pears_session: Session, pears: Trace, serve: Callable[..., str]) -> str:
    pears_session.unload()
    recorded = Example("Pears", "", {"task": "arithmetic", "question": PEARS, "answer": 17}, pears)
    return serve(build_page(pears_session, [recorded]), theme=theme(), **LAUNCH)
