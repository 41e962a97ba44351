"""A trace as pictures: one frame per forward pass, drawn with Pillow alone, the same on every machine.

    painter = FramePainter(trace, Look(width=960, dark=True))
    painter.frame(7).save("pass-7.png")

replay.py says how things stand after a pass, flow.py where each token goes, frame.py draws the whole picture, with
timeline.py and board.py for its parts; theme.py and fonts.py hold colours and letters, shapes.py smooth boxes. What is
written to files, and what is too much for one, is in wino_viz/export.py. Neither torch nor gradio is needed here.
"""

from wino_viz.drawing.frame import FramePainter, Look
from wino_viz.drawing.replay import Frame, frames
from wino_viz.drawing.theme import theme

__all__ = ["Frame", "FramePainter", "Look", "frames", "theme"]
