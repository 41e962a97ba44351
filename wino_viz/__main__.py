"""python -m wino_viz …: see wino_viz.cli."""

import os
import sys

# Threads that wait must not spin: with anything else on the machine, a spinning thread holds the core that another one
# needs, and a pass takes ten times as long. Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from wino_viz.cli import main

if __name__ == "__main__":
    sys.exit(main())
