"""The How it works tab: the idea in plain words, one recorded decoding, and the mask that makes the check honest."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from wino_viz.ui.examples import Example
from wino_viz.ui.mask import mask_message
from wino_viz.ui.player import Player
from wino_viz.ui.widgets import MaskPicture

PLAYER = "how-player"

# Ours from end to end: no word of it comes from a model or a person.
STEPS = """
<section class="how how-columns">
<div>
<h2>A page of masks</h2>
<p>Most language models write from left to right, one token (a word or a piece of one) at a time. A <b>masked diffusion
model</b> starts from an answer in which every token is hidden behind a <i>mask</i>. In one <b>forward pass</b> it looks at
the whole page, question and answer, and says for every mask at once which token probably belongs there, and how sure it is.
Some masks are replaced by tokens, the model looks again, and so on until no mask is left. Long answers are
worked through in <b>blocks</b>, from left to right.</p>
<h2>Why not take them all at once?</h2>
<p>The guesses of one pass are made side by side, and none knows of the others. If a sentence may go on “the gift
<i>brings</i> it to 12” or “with the gift that <i>makes</i> 12”, two masks can each choose well and together make
nonsense. Placing one token a pass is safe and slow; placing many is fast, and in ordinary decoding what is placed stays,
mistakes too.</p>
</div>
<div>
<h2>Draft widely, keep narrowly</h2>
<ol>
<li><b>Draft.</b> Each mask of the block whose best guess is surer than a lenient <b>τ1</b> gets its token: the surest
20 at most, fewer as the block fills (the <i>draft cap</i>).</li>
<li><b>Verify.</b> In the same forward pass, every token placed in an earlier pass is asked about again: knowing all
that stands on the page now, how probable is this token here?</li>
<li><b>Re-mask.</b> A token whose probability is below a strict <b>τ2</b> is taken back: its place is a mask again, to be filled
when more is known. A pass takes back fewer tokens than the pass before it drafted, so every block comes to an end.</li>
</ol>
<p>This is WINO, Wide-In, Narrow-Out (<cite>arXiv 2507.18578</cite>). It needs no training.</p>
</div>
</section>
"""

SHADOW = """
<section class="how how-text">
<h2>Who checks? The shadow block</h2>
<p>A token can’t judge itself: the model sees it standing there and would simply repeat it. So WINO adds a
<b>shadow</b>: a second copy of the current block at the end of the sequence, all masks, at the same positions as the original.
Each shadow slot sees everything except its own twin, and has to guess the twin’s token from all the rest. The
probability that it gives to the token standing there is the verification. Nobody else sees the shadow, so drafting goes on
as if it were not there: one forward pass does both.</p>
<p>The picture is the real mask of the decoding above: a row looks, a filled column is seen.</p>
</section>
"""

OTHERS = """
<section class="how how-text">
<h2>The other decoders</h2>
<p>None of them looks at a token again once it is placed. They differ in how many tokens they dare to place in a pass.</p>
<ul>
<li><b>Standard</b> places the surest token of the block, or a fixed number of them (<cite>arXiv 2502.09992</cite>).</li>
<li><b>Threshold</b> places every token at least as sure as <b>τ</b>, and always the surest
(<cite>arXiv 2505.22618</cite>).</li>
<li><b>Factor</b> asks for more the more it takes: the surest token always, then the second, third and so on, as long as the
n-th is at least 1&nbsp;−&nbsp;<b>f</b>/(n+1) sure. Two tokens may go together at 0.67, nine only at 0.90
(the same paper).</li>
<li><b>Prophet</b> places one token a pass and watches the last five tokens of the text, where the answer stands. Once
their first choices are far enough ahead of their second ones (the <b>gap</b>; less is asked as decoding goes on), it
places all that is left in one pass, later blocks too (<cite>arXiv 2508.19982</cite>).</li>
</ul>
<h2>WINO+: what WINO finds out, learned by the model</h2>
<p>WINO finds out while it decodes which tokens can be placed together, and pays for it in every pass with a longer
sequence: the shadow block. <b>WINO+</b> (<cite>arXiv 2605.16941</cite>) moves that knowledge into the weights. WINO decodes
many problems; of the answers that are right, it is noted in which pass each token was placed for good. The same network is then
trained on what stood on the page before each pass: to predict, and surely, the tokens that were placed in it, and to be
less sure of its wrong guesses elsewhere.</p>
<p>Such a model is decoded with the plain <b>threshold</b> rule, without a shadow block: its confidence itself says what can be
placed now. Nothing is checked again, so what it places wrongly stays.</p>
</section>
"""

WHO_SEES_WHAT = """
<ul class="how-key">
<li><span class="key-sees"></span>Question and answer see each other, to the left and to the right, later blocks too.</li>
<li><span class="key-judges"></span>Shadow slots see the question, the answer and each other.</li>
<li><span class="key-twin"></span>A shadow slot does not see its own twin: the thin diagonal.</li>
<li><span class="key-hidden"></span>Nothing outside the shadow sees the shadow.</li>
</ul>
"""


def how_tab(examples: Sequence[Example]) -> None:
    """Builds the tab inside the page that is being made."""
    shown = example_of_wino(examples)
    gr.HTML(STEPS)
    if shown is not None:
        Player(shown.message(), elem_id=PLAYER)
        gr.HTML(SHADOW)
        with gr.Row(elem_classes="mask-row"):
            MaskPicture(mask_message(shown.trace, PLAYER), label="Attention mask", elem_id="how-mask")
            gr.HTML(WHO_SEES_WHAT)
    gr.HTML(OTHERS)


def example_of_wino(examples: Sequence[Example]) -> Example | None:
    """The first WINO recording, better one that takes tokens back and has several blocks."""
    wino = [example for example in examples if example.trace.decoder["name"] == "wino" and example.trace.steps]
    return max(wino, key=lambda e: (e.trace.revocations > 0, e.trace.blocks > 1), default=None)
