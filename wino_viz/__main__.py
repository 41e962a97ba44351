"""python -m wino_viz …: see wino_viz.cli."""

import sys

from wino_viz.cli import main

if __name__ == "__main__":
    sys.exit(main())
