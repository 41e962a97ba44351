"""The command `serve`: the app for more users than one GPU serves; see replicas.py.

python -m wino_viz serve --replicas 2 --gpus-per-replica 1
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from typing import Any

from wino_viz.arguments import whole

MOST_REPLICAS = 64
HOST, PORT = "127.0.0.1", 7860


def add_serve(commands: Any) -> None:
    """Add `serve` to the parser's commands."""
    about = "Serve the app with several replicas of its models, one or more GPUs each (Ray Serve)."
    serve = commands.add_parser("serve", help="the app, its models on several GPUs", description=about)
    serve.set_defaults(run=run_serve)
    replicas = whole(1, MOST_REPLICAS)
    serve.add_argument("--replicas", type=replicas, metavar="N", help="how many (default: one per GPU, without one 1)")
    serve.add_argument(
        "--gpus-per-replica", type=float, metavar="G", help="0.5 puts two on a GPU (default: 1, without a GPU 0)"
    )
    serve.add_argument("--host", default=HOST, help=f"address to listen at (default: {HOST}, this machine alone)")
    serve.add_argument("--port", type=whole(1, 65535), default=PORT, help=f"port to listen at (default: {PORT})")


def run_serve(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Serve until the process is told to end."""
    import torch

    from wino_viz import replicas

    found = torch.cuda.device_count()
    gpus = min(1.0, found) if options.gpus_per_replica is None else options.gpus_per_replica
    if not 0 <= gpus <= 8:
        raise ValueError(f"--gpus-per-replica must be 0 to 8, not {gpus:g}")
    if gpus > 1 and gpus % 1:
        raise ValueError(f"--gpus-per-replica must be a part of one GPU or a whole number of them, not {gpus:g}")
    count = options.replicas or max(found, 1)
    if gpus * count > found:
        raise ValueError(f"{count} replicas with {gpus:g} GPUs each need more than the {found} that are here")
    ended = threading.Event()
    try:
        url = replicas.start(count, gpus, options.port, options.host)
        for number in (signal.SIGINT, signal.SIGTERM):  # after Ray, which has handlers of its own
            signal.signal(number, lambda *about: ended.set())
        print(f"The app is at {url}", flush=True)
        ended.wait()
    finally:
        replicas.stop()
    return 0
