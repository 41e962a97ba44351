"""The app, and the entry point of a Hugging Face Space.

python app.py        http://127.0.0.1:7860 (GRADIO_SERVER_NAME and GRADIO_SERVER_PORT change that)
"""

# ruff: noqa: E402 (the order of the imports is part of what this file does)

import os

# Nothing leaves the machine: no usage reports, no version check, no look at the hub for files that are all here.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from wino_viz.zero_gpu import zero_gpu_here

service = zero_gpu_here()  # before anything else that may touch CUDA; None everywhere but on ZeroGPU

from wino_viz.plus import wino_plus
from wino_viz.session import Session
from wino_viz.ui.page import LAUNCH, build_page, theme

session, pictures = Session(service=service), Session("mmada-mini", task="caption", service=service)
plus = wino_plus(session)
if service:
    service.load(each for each in (session, pictures, plus) if each)
demo = build_page(session, pictures=pictures, plus=plus)

if __name__ == "__main__":
    demo.launch(theme=theme(), **LAUNCH)
