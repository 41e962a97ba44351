"""What was changed by hand, in pictures and in the words beside them."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from sample_trace import sample_trace

from wino_viz.branch import Branch, Edit
from wino_viz.drawing import FramePainter, Look, frames, theme
from wino_viz.drawing.words import pass_sentence
from wino_viz.export import to_gif, to_html, to_png
from wino_viz.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    """A sample that ends after pass 4: a planted token and one masked by hand there, and then a pass of standard decoding."""
    whole = sample_trace()
    at_pass = 3
    canvas = list(whole.canvases())[at_pass]
    planted, masked = [position for position, token in enumerate(canvas) if token != whole.mask_id][:2]
    data = whole.to_dict()
    token = next(i for i in whole.pieces if i not in (canvas[planted], *whole.end_ids))
    back = {"block": 0, "verified": [[planted, 0.01]], "remasked": [[planted, token, 0.01]], "drafted": []}
    data["steps"] = [*data["steps"][:at_pass], back]
    data["branches"] = [Branch(at_pass, (Edit(planted, token), Edit(masked, whole.mask_id)), whole.decoder).to_dict()]
    data["decoder"] = {"name": "wino", "tau1": 0.6, "tau2": 0.5}
    left = list(canvas)
    left[planted] = left[masked] = whole.mask_id
    return Trace.from_dict({**data, "output_ids": left, "forward_passes": at_pass + 1})


def test_frames_mark_what_was_changed_by_hand_and_keep_its_place(trace):
    [branch] = trace.branches
    (planted, token), (masked, _) = branch.edits
    before, at, after = list(frames(trace))[2:]
    assert not before.marks
    assert at.marks == {planted: "planted", masked: "site"}
    assert (at.ids[planted], at.states[planted]) == (token, "placed")
    assert (at.ids[masked], at.states[masked]) == (None, "masked")
    assert after.marks == {planted: "site", masked: "site"} and after.states[planted] == "remasked"


def test_a_pass_is_judged_by_the_decoder_that_made_it(trace):
    # The passes before the branch had τ2 = 0.9: what they gave 0.5 to 0.9 did not pass.
    step = trace.steps[2]
    frame = list(frames(trace))[3]
    edited = {edit.position for edit in trace.branches[0].edits}
    for position, probability in step.verified:
        if frame.ids[position] is not None and position not in edited:
            assert (frame.states[position] == "verified") == (probability >= 0.9)


def test_the_sentence_of_a_pass_says_what_was_changed_after_it(trace):
    [branch] = trace.branches
    (planted, _), (masked, _) = branch.edits
    before, at, after = list(frames(trace))[2:]
    assert "by hand" not in pass_sentence(trace, before) + pass_sentence(trace, after)
    sentence = pass_sentence(trace, at)
    assert f"was planted (token {planted + 1}), token {masked + 1} was masked again." in sentence
    assert "Then, by hand, " in sentence


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_have_the_double_frame_the_flag_and_the_legend(trace, dark):
    painter, plain = FramePainter(trace, Look(dark=dark)), FramePainter(sample_trace(), Look(dark=dark))
    colour = theme(dark).plant
    [branch] = trace.branches
    planted = branch.edits[0].position

    def seen(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
        return sum(count for count, pixel in picture.crop(box).getcolors(2**20) if pixel == colour)

    left, top, right, bottom = painter.token_box(3, planted)
    around = (left - 5, top - 12, right + 5, bottom + 5)
    before, at, after = (seen(painter.frame(number), around) for number in (2, 3, 4))
    assert before == 0 and at > after > 0
    assert seen(plain.frame(3), (0, 0, *plain.size)) == 0


def test_it_is_exported_like_any_other(trace):
    assert Image.open(io.BytesIO(to_png(trace, 3))).size[0] == 960
    assert Image.open(io.BytesIO(to_gif(trace))).n_frames >= trace.forward_passes
    assert '\\"branches\\":[{\\"at_pass\\":3' in to_html(trace, 3)
