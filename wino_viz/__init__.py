"""Run and watch revokable decoding (WINO) of masked-diffusion language models."""

import os

# How long an OpenMP thread of torch spins before it sleeps; read when torch is first imported, so it is set here. By
# default it spins so long that beside another busy process (the browser that draws the page) a pass takes ten times as
# long; not at all (OMP_WAIT_POLICY=PASSIVE) costs 40 % on an idle machine. 5,000 turns: full speed there, and 185
# instead of over 400 ms a pass beside two busy processes (two cores; `python -m wino_viz bench --decoders wino`).
os.environ.setdefault("GOMP_SPINCOUNT", "5000")
