"""What loading a model costs: seconds, host memory, GPU memory.

    python -m wino_viz bench --load --model GSAI-ML/LLaDA-8B-Instruct [--dtype bfloat16] [--device-map auto]

Host memory is this process's own (RssAnon: what only it can free); pages of the files that were read are the system's to
drop and are told apart (RssFile). A copy of the weights in host memory would show in the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint

SECONDS_BETWEEN = 0.01
PROMPT, LENGTHS = "Ana has 3 apples. How many apples has Ana?", {"gen_length": 32, "block_length": 32}
GB = 10**9


class PeakMemory:
    """The most that this process held while the block ran, in bytes: `own` (anonymous) and `files` (mapped). Linux only."""

    def __enter__(self) -> PeakMemory:
        self.own = self.files = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            own, files = resident()
            self.own, self.files = max(self.own, own), max(self.files, files)
            if self._ended.wait(SECONDS_BETWEEN):
                return


def resident() -> tuple[int, int]:
    """(RssAnon, RssFile) of this process in bytes; zeros where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
    return found.get("RssAnon", 0), found.get("RssFile", 0)


def measure_load(load: Callable[[], Checkpoint]) -> dict[str, Any]:
    """Load a model once and decode one short answer; bytes and seconds throughout. A fresh process gives honest figures."""
    import torch  # what torch itself holds is not the model's

    from wino_viz.decoding import WinoSettings, decode

    gpus = range(torch.cuda.device_count())
    for gpu in gpus:
        torch.zeros(1, device=f"cuda:{gpu}")  # the driver's own memory
        torch.cuda.reset_peak_memory_stats(gpu)
    before = resident()[0]
    started = time.perf_counter()
    with PeakMemory() as peak:
        checkpoint = load()
        for gpu in gpus:
            torch.cuda.synchronize(gpu)
    seconds = time.perf_counter() - started
    model = checkpoint.denoiser.model
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    loaded = [torch.cuda.max_memory_allocated(gpu) for gpu in gpus]
    passes = list(decode(WinoSettings().start(_canvas(checkpoint)), checkpoint.denoiser))
    return {
        "dtype": str(model.dtype).removeprefix("torch."),
        "parameters": sum(tensor.numel() for tensor in model.state_dict().values()),
        "weight_bytes": weights,
        "load_seconds": seconds,
        "host_bytes_before": before,
        "host_bytes_peak": peak.own,
        "host_file_bytes_peak": peak.files,
        "gpu_bytes_peak_load": loaded,
        "gpu_bytes_peak_decode": [torch.cuda.max_memory_allocated(gpu) for gpu in gpus],
        "decoded_passes": len(passes),
        "seconds_per_pass": sum(seconds for _, seconds in passes[1:]) / max(1, len(passes) - 1),
    }


def _canvas(checkpoint: Checkpoint) -> Any:
    codes = None
    if (reader := checkpoint.reader) is not None:
        from wino_viz.pictures import blank

        codes = reader.codes(blank(reader.resolution))
    return checkpoint.canvas(PROMPT, codes, **LENGTHS)


def report(result: dict[str, Any]) -> str:
    """The figures of `measure_load` as text."""
    rows = [
        ("weights", f"{_gb(result['weight_bytes'])}, {result['parameters']:,} parameters in {result['dtype']}"),
        ("load", f"{result['load_seconds']:.1f} s"),
        (
            "host memory of its own",
            f"{_gb(result['host_bytes_before'])} before, {_gb(result['host_bytes_peak'])} at most",
        ),
        ("pages of files", f"{_gb(result['host_file_bytes_peak'])} at most, the system's to drop"),
    ]
    for gpu, (load, decode) in enumerate(
        zip(result["gpu_bytes_peak_load"], result["gpu_bytes_peak_decode"], strict=True)
    ):
        rows.append((f"memory of GPU {gpu}", f"{_gb(load)} at most while loading, {_gb(decode)} while decoding"))
    rows.append(("one decoding", f"{result['decoded_passes']} passes, {result['seconds_per_pass'] * 1e3:.1f} ms each"))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _gb(count: int) -> str:
    return f"{count / GB:.2f} GB"
