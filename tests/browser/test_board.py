"""The sudoku board in a real browser: its cells, their states, its links with the tokens, and when there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.sudoku_trace import END, FIRST_WRONG, MASK, PUZZLE, RECORD, SECOND_WRONG, SOLUTION, sudoku_trace
from wino_viz.decoding import StandardSettings
from wino_viz.tasks.sudoku import read_grid
from wino_viz.trace import Step, Token, Trace
from wino_viz.ui.messages import lanes_message, new_run, start_message, step_message, trace_message
from wino_viz.ui.standalone import standalone_page

TRACE = sudoku_trace()
LAST = TRACE.forward_passes
REVOKING = next(n for n, step in enumerate(TRACE.steps, start=1) if step.remasked)


@pytest.fixture
def player(open_page: Callable[..., Page]) -> Callable[..., Page]:
    def player(trace: Trace = TRACE, at: int = 0, **settings: object) -> Page:
        page = open_page(html=standalone_page(trace_message(trace, at=at)), **settings)
        expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(at))
        return page

    return player


def board(page: Page) -> Locator:
    return page.get_by_role("grid", name="Sudoku board")


def cell(page: Page, number: int) -> Locator:
    return board(page).get_by_role("gridcell").nth(number)


def named(number: int, words: str) -> str:
    return f"Row {number // 4 + 1}, column {number % 4 + 1}: {words}"


def token(page: Page, position: int) -> Locator:
    return page.locator(f'.wp-token[data-position="{position}"]')


def go_to(page: Page, k: int) -> None:
    page.locator(".wino-player").evaluate("(root, k) => root.player.goTo(k)", k)
    expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(k))


def words(page: Page) -> Locator:
    return page.locator(".wp-board-words")


# ---- what is shown


def test_givens_stand_from_the_start_and_the_other_cells_have_the_states_of_their_tokens(player):
    page = player()
    for number, digit in enumerate(PUZZLE):
        expect(cell(page, number)).to_have_accessible_name(
            named(number, "masked" if digit == "0" else f"{digit}, given")
        )
    go_to(page, 1)
    expect(cell(page, FIRST_WRONG)).to_have_accessible_name(named(FIRST_WRONG, "3, drafted in this pass"))
    expect(words(page)).to_have_text("3 of 8 empty cells are filled.")
    go_to(page, REVOKING)
    expect(cell(page, FIRST_WRONG)).to_have_accessible_name(
        named(FIRST_WRONG, "3 taken back in this pass, masked again")
    )
    expect(cell(page, FIRST_WRONG).locator("s")).to_have_text("3")
    expect(cell(page, 2)).to_have_accessible_name(named(2, "4, passed verification in this pass"))
    expect(words(page)).to_have_text(
        "3 is taken back from row 2, column 2: there was another 3 in column 2 and the top left square."
    )
    shapes = """(face) => { const s = getComputedStyle(face, "::before");
        return [s.borderTopStyle, s.borderTopWidth, s.borderBottomWidth].join() }"""
    faces = [cell(page, n).locator(".wp-face") for n in (0, 2, 6, 7, FIRST_WRONG)]
    assert len({face.evaluate(shapes) for face in faces}) == 5  # given, verified, masked, drafted, taken back
    go_to(page, LAST)
    grid = "".join(cell(page, n).locator(".wp-face").inner_text() for n in range(16))
    assert grid == SOLUTION
    expect(words(page)).to_have_text("✓ Every row, column and square holds 1 to 4 once.")
    assert board(page).locator(".wp-cell-wrong").count() == 0


def test_a_screen_reader_hears_what_was_taken_back_from_the_board(player):
    page = player(at=REVOKING)
    expect(page.locator("[aria-live]")).to_contain_text("3 is taken back from row 2, column 2")


def test_wrong_cells_are_marked_and_named_at_the_end_and_not_before(player):
    wrong = sudoku_trace(ends_wrong=True)
    page = player(wrong, at=wrong.forward_passes - 1)
    assert board(page).locator(".wp-cell-wrong").count() == 0
    go_to(page, wrong.forward_passes)
    marked = board(page).locator(".wp-cell-wrong")
    expect(marked).to_have_count(5)
    expect(cell(page, SECOND_WRONG)).to_have_accessible_name(
        re.compile("; wrong: 4 twice in row 4, column 1 and the bottom left square$")
    )
    expect(cell(page, SECOND_WRONG)).to_contain_text("✗")
    expect(words(page)).to_contain_text("✗ 3 twice in row 2, column 2 and the top left square; 4 twice in")
    assert cell(page, 4).evaluate("(cell) => cell.className").find("wrong") < 0  # a given that is kept


def test_the_legend_has_the_boards_own_marks_where_there_is_a_board(player, open_page):
    legend = player().get_by_role("list", name="Legend")
    expect(legend.get_by_role("listitem").filter(has_text="given")).to_be_visible()
    cross = legend.get_by_role("listitem").filter(has_text="breaks a rule")
    expect(cross).to_be_visible()
    expect(cross).to_contain_text("✗")
    page = player(replace(TRACE, extra={}))
    expect(page.locator(".wp-legend-masked")).to_be_visible()
    expect(page.locator(".wp-legend-board").first).to_be_hidden()


def test_what_a_verdict_says_is_not_said_again_beside_the_board(open_page):
    """A solved sudoku was said to be right by the verdict, by the board, and on the page beside Run."""
    verdict = {"correct": True, "faithful": True, "text": "Right: a valid grid that keeps the givens."}
    page = open_page(html=standalone_page(trace_message(TRACE, at=LAST, verdict=verdict)))
    expect(page.locator(".wp-verdict")).to_have_text("✓ Right: a valid grid that keeps the givens.")
    expect(words(page)).to_have_text("8 of 8 empty cells are filled.")
    wrong = sudoku_trace(ends_wrong=True)
    verdict = {"correct": False, "faithful": True, "text": "Wrong: not a valid grid."}
    page = open_page(html=standalone_page(trace_message(wrong, at=wrong.forward_passes, verdict=verdict)))
    expect(words(page)).to_contain_text("✗ 3 twice in row 2, column 2")  # what is wrong, and where


def test_a_given_that_is_changed_is_told_from_the_first_moment(player):
    page = player(answer("2" + SOLUTION[1:]), at=16)
    expect(cell(page, 0)).to_have_accessible_name(re.compile(r"^Row 1, column 1: 2, .*; 3 is given; wrong: 2 instead"))
    expect(cell(page, 0)).to_contain_text("given 3")
    expect(cell(page, 3)).to_have_accessible_name("Row 1, column 4: 2, given")
    go_to(page, 1)
    expect(cell(page, 0)).to_have_accessible_name("Row 1, column 1: 2, drafted in this pass; 3 is given")


def test_squares_have_thicker_borders(player):
    widths = (
        "(cell) => { const s = getComputedStyle(cell); return [s.borderLeftWidth, s.borderTopWidth].map(parseFloat) }"
    )
    page = player()
    left = [cell(page, n).evaluate(widths)[0] for n in (1, 2, 3)]
    top = [cell(page, n).evaluate(widths)[1] for n in (4, 8, 12)]
    for thin, thick, other in (left, top):
        assert thick > thin == other


# ---- cells and tokens


def test_pointing_at_a_cell_shows_its_token_and_the_other_way_round(player):
    page = player(at=REVOKING)
    cell(page, FIRST_WRONG).hover()
    expect(token(page, FIRST_WRONG)).to_have_class(re.compile("wp-inspected"))
    card = page.get_by_role("complementary", name="Token")
    expect(card).to_contain_text("“3” taken back")
    expect(card).to_contain_text("row 2, column 2 · token 6 of 32")
    expect(card).to_contain_text("What the model would rather see there")
    assert board(page).locator(".wp-peer").count() == 7
    token(page, 8).hover()
    expect(cell(page, 8)).to_have_class(re.compile("wp-inspected"))
    expect(cell(page, FIRST_WRONG)).not_to_have_class(re.compile("wp-inspected"))


def test_the_keyboard_walks_the_board_pins_a_cell_and_moves_the_playhead(player):
    page = player(at=1)
    cell(page, 0).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    expect(cell(page, 8)).to_be_focused()
    page.keyboard.press("Enter")
    expect(cell(page, 8)).to_have_attribute("aria-selected", "true")
    expect(token(page, 8)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(cell(page, 8)).to_have_attribute("aria-selected", "false")
    page.keyboard.press("End")
    expect(page.get_by_role("slider", name="Forward passes")).to_have_attribute("aria-valuenow", str(LAST))
    assert board(page).locator('[tabindex="0"]').count() == 1


# ---- whose tokens


def answer(*texts: str, puzzle: str = PUZZLE, record: dict | None = RECORD) -> Trace:
    """A trace in which a pass each places tokens with these texts; a text of digits alone is one token a digit."""
    pieces = list(texts[0]) if len(texts) == 1 else list(texts)
    ids = [10 + n for n in range(len(pieces))]
    steps = [Step(block=0, drafted=(Token(n, i, 0.9),)) for n, i in enumerate(ids)]
    return replace(
        TRACE,
        decoder=StandardSettings().to_dict(),
        gen_length=len(ids),
        block_length=len(ids),
        pieces=dict(zip(ids, pieces, strict=True)),
        steps=tuple(steps),
        output_ids=tuple(ids),
        text="".join(pieces),
        timing={},
        extra={"record": record} if record else {},
    )


def in_pairs(grid: str) -> list[str]:
    return [grid[n : n + 2] for n in range(0, 16, 2)]


@pytest.mark.parametrize(
    "texts",
    [
        in_pairs(SOLUTION),
        [" 3142", "\n", "2431", "\n", "4213", " | ", "1324"],
        ["So", " the", " grid", " is", ":", "\n", *in_pairs(SOLUTION), "."],
        [PUZZLE, " ->", "\n", *SOLUTION],
    ],
    ids=["two digits a token", "rows", "words before", "the puzzle first"],
)
def test_other_tokens_are_mapped_by_their_characters(player, texts):
    trace = answer(*texts)
    assert read_grid(trace.text) == SOLUTION
    page = player(trace, at=trace.forward_passes)
    shown = "".join(cell(page, n).locator(".wp-face").inner_text() for n in range(16))
    assert shown == SOLUTION
    cell(page, 15).hover()
    last = max(n for n, text in enumerate(texts) if "4" in text)
    expect(token(page, last)).to_have_class(re.compile("wp-inspected"))


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (answer("Ana", " has", *" 12345678901234"), "words, and no 16 cells"),
        (answer(*["word"] * 20), "no digits"),
        (answer("31422431"), "too short"),
        (answer(SOLUTION, record=None), "no record"),
        (answer(SOLUTION, record={"task": "countdown", "numbers": [1, 2, 3], "target": 6}), "another task"),
        (answer(SOLUTION, record={"task": "sudoku", "puzzle": "<b>"}), "a damaged record"),
        (answer(SOLUTION, record={"task": "sudoku", "puzzle": 5}), "a damaged record"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_there_is_no_board_where_it_cannot_be_mapped(player, trace, why):
    page = player(trace, at=trace.forward_passes)
    expect(page.locator(".wp-token").first).to_be_visible()
    expect(page.locator(".wp-board")).to_be_hidden()
    expect(words(page)).to_be_hidden()


def test_what_is_no_digit_is_shown_as_what_it_is_and_never_as_markup(player):
    trace = answer(*SOLUTION[:15], "<img src=x onerror=alert()>")
    page = player(trace, at=16)
    expect(cell(page, 15)).to_contain_text("<im…")
    assert board(page).locator("img").count() == 0


# ---- runs and lanes


def test_a_run_that_streams_in_has_its_board_from_the_first_moment(open_page):
    page = open_page(html=standalone_page(start_message(TRACE, "run-1")))
    expect(board(page)).to_be_visible()
    expect(cell(page, 2)).to_have_accessible_name("Row 1, column 3: masked")
    run = new_run()
    messages = [start_message(TRACE, run)]
    messages += [step_message(step, run, n, pieces=TRACE.pieces) for n, step in enumerate(TRACE.steps, start=1)]
    for message in messages[: REVOKING + 1]:
        page.locator(".wino-player").evaluate("(root, message) => root.player.receive(message)", message)
    expect(cell(page, FIRST_WRONG)).to_have_accessible_name(re.compile("taken back"))
    for message in [*messages[REVOKING + 1 :], trace_message(TRACE, run)]:
        page.locator(".wino-player").evaluate("(root, message) => root.player.receive(message)", message)
    expect(words(page)).to_contain_text("✓")


def test_a_stopped_run_shows_what_stands_and_marks_nothing(player):
    step = TRACE.steps[0]
    placed = {t.position: t.id for t in step.drafted}
    output = tuple(placed.get(n, MASK) for n in range(TRACE.gen_length))
    page = player(replace(TRACE, steps=(step,), output_ids=output), at=1)
    expect(cell(page, 0)).to_have_accessible_name("Row 1, column 1: 3, given")
    assert END not in output and board(page).locator(".wp-cell-wrong").count() == 0


@pytest.mark.parametrize("lanes", [2, 3])
def test_lanes_have_a_board_each(open_page, lanes):
    traces = [sudoku_trace(StandardSettings(tokens_per_step=4)), *[TRACE] * (lanes - 1)]
    page = open_page(html=standalone_page(lanes_message(traces, at=REVOKING), lanes=lanes), width=1280)
    grids = page.get_by_role("grid", name="Sudoku board")
    expect(grids).to_have_count(lanes)
    tops = {grids.nth(n).bounding_box()["y"] for n in range(lanes)}
    assert len(tops) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_board_without_sideways_scrolling(player, dark):
    page = player(at=REVOKING, width=390, height=844, dark=dark, touch=True)
    box = board(page).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cell(page, FIRST_WRONG).tap()
    expect(page.get_by_role("complementary", name="Token")).to_contain_text("taken back")
