"""Why a token was taken back: what a card tells of it from the trace alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from wino_viz.step import REMASK_LIMIT, SINGLE_DRAFT, Step, Token, Verified
from wino_viz.trace import Branch, Edit, Trace
from wino_viz.ui.messages import trace_message
from wino_viz.ui.standalone import standalone_page

PIECES = {1: " Rosa", 2: " Omar", 3: " gives", 4: " end", 5: " two"}
WINO = {"name": "wino", "tau1": 0.6, "tau2": 0.9}


def a_trace(*steps: Step, branches: tuple[Branch, ...] = ()) -> Trace:
    trace = Trace("m", WINO, 8, 8, 99, "…", (7,), PIECES, steps, (), "", (4,), branches)
    *_, output = trace.canvases()
    trace = replace(trace, output_ids=output)
    trace.check()
    return trace


def drafts(*rows: tuple[int, int]) -> tuple[Token, ...]:
    return tuple(Token(position, token, 0.8) for position, token in rows)


FIRST = Step(0, drafts((0, 1), (1, 3), (2, 2)))
BACK = Step(0, drafts((5, 3), (6, 3)), verified=(Verified(0, 0.1),), remasked=(Token(0, 1, 0.1),))
AGAIN = Step(0, drafts((0, 2)))


@pytest.fixture
def why(open_page):
    def told(trace: Trace, position: int, at: int) -> list[str]:
        page: Page = open_page(html=standalone_page(trace_message(trace, at=at)))
        page.locator(f".wp-token[data-position='{position}']").click()
        expect(page.locator(".wp-card-pinned")).to_be_visible()
        return page.locator(".wp-card-why, .wp-card-why ~ .wp-card-line").all_inner_texts()

    return told


def test_the_card_says_what_the_judge_saw_and_what_replaced_the_token(why):
    trace = a_trace(FIRST, BACK, AGAIN)
    assert why(trace, 0, 2) == [
        "Why was “Rosa” (pass 2) taken back?",
        "Its draft could not see the 2 tokens of its own pass; the judge could. The nearest: “gives”, “Omar”.",
        "Pass 3 wrote “ Omar” in its place.",
    ]
    assert why(trace, 0, 3)[0] == "Why was “Rosa” (pass 2) taken back?"  # also of the one that replaced it
    assert why(trace, 0, 1) == why(trace, 1, 3) == []  # not before, and of no other


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (SINGLE_DRAFT, "a pass that drafts one token takes none back"),
        (REMASK_LIMIT, "a pass takes back fewer than the pass before it drafted"),
    ],
)
def test_what_delayed_it_is_said(why, limit, words):
    low = Step(0, drafts((3, 5)), verified=(Verified(0, 0.2),), limits=(limit,))
    same = Step(0, drafts((0, 1)))
    assert why(a_trace(FIRST, low, BACK, Step(0, drafts((7, 4))), same), 0, 3)[1:] == [
        "Its draft could not see the 2 tokens of its own pass and the 1 that came after it; "
        "the judge could. The nearest: “gives”, “Omar”, “two”.",
        f"It was below τ2 in pass 2 already, 0.20, but stayed: {words}.",
        "Pass 5 wrote the same again, 2 passes later.",
    ]


def test_a_planted_token_did_not_fit_what_stood_there(why):
    planted = Branch(1, (Edit(0, 5),), WINO)
    back = Step(0, drafts((5, 3), (6, 3)), verified=(Verified(0, 0.01),), remasked=(Token(0, 5, 0.01),))
    assert why(a_trace(FIRST, back, branches=(planted,)), 0, 2) == [
        "Why was “two” (pass 2) taken back?",
        "It was planted, and did not fit what stood there already.",
    ]
