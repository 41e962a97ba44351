"""Run a training command: here, which costs no start of Python, or in several processes as a launcher starts them."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run_here(main: Callable[[Sequence[str]], int | None], *arguments: str) -> Done:
    """Call a command's `main` with its arguments."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments) or 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())


def torchrun(module: str, *arguments: str) -> Done:
    """A module in two processes, as people start it."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


def two_processes(module: str, *arguments: str) -> Done:
    """The same without the launcher, which takes as long to start as the processes; the output is that of the first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    common = {**os.environ, **address, "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}
    started = []
    for rank in ("0", "1"):
        environment = {**common, "RANK": rank, "LOCAL_RANK": rank}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    try:
        told = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    codes = [process.returncode for process in started]
    return Done(max(codes, key=abs), told[0][0], "".join(err for _, err in told))
