"""Run and watch revokable decoding (WINO) of masked-diffusion language models."""

import os

# How long an OpenMP thread of torch spins before it sleeps; read when torch is first imported, so it is set here. By
# default it spins so long that beside other busy processes (the browser that draws the page) a pass takes many times as
# long; not at all (OMP_WAIT_POLICY=PASSIVE) cost 40 % on an idle machine. 5,000 turns: full speed there, and 185 ms a pass
# beside two busy processes, where 20,000 took 417 (once each, two cores; `python -m wino_viz bench --decoders wino`).
os.environ.setdefault("GOMP_SPINCOUNT", "5000")


def show(trace, *, at: int = 0, height: int = 860):
    """Shows a trace in a notebook with the player of the app; see `wino_viz.notebook.show`."""
    from wino_viz import notebook  # it brings more than a command needs

    return notebook.show(trace, at=at, height=height)
