"""A trace as pictures: one frame per forward pass, drawn with Pillow alone, the same on every machine.

    painter = FramePainter(trace, Look(width=960, dark=True))
    painter.frame(7).save("pass-7.png")

replay.py says how things stand after a pass and words.py in which words, flow.py where each token goes, frame.py draws the
whole picture, with tokens.py, timeline.py and board.py for its parts; theme.py and fonts.py hold colours and letters,
shapes.py smooth boxes; gif.py encodes frames. What is too much for a file is in wino_viz/export.py. Neither torch nor
gradio is needed here.
"""

from wino_viz.drawing.frame import FramePainter, Look
from wino_viz.drawing.replay import Frame, frames
from wino_viz.drawing.theme import theme

__all__ = ["Frame", "FramePainter", "Look", "frames", "theme"]
