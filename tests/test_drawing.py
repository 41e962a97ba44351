"""A trace drawn as pictures: each state has its shape, words keep their places, and nothing from outside breaks it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageChops
from sample_trace import ANSWER, sample_trace
from sudoku_trace import RECORD, sudoku_trace

from wino_viz.decoding import StandardSettings
from wino_viz.drawing import FramePainter, Look, frames
from wino_viz.drawing.board import board_cells, cell_places, faulty_cells, read_puzzle
from wino_viz.drawing.fonts import BOLD, REGULAR, Letters
from wino_viz.drawing.replay import STATES, end_tail, piece
from wino_viz.drawing.theme import theme
from wino_viz.drawing.words import name, pass_sentence
from wino_viz.trace import Step, Token, Trace, Verified

WORD, END, MASK = 10, 1, 0


def a_trace(texts: list[str], steps: list[Step], pieces: dict[int, str] | None = None, **more) -> Trace:
    """A trace of one block whose token at position n is number 10 + n with the text `texts[n]`."""
    ids = {WORD + n: text for n, text in enumerate(texts)} | (pieces or {})
    made = Trace(
        **{
            "model": "m",
            "decoder": {"name": "wino", "tau1": 0.6, "tau2": 0.9},
            "gen_length": len(texts),
            "block_length": len(texts),
            "mask_id": MASK,
            "end_ids": (END,),
            "prompt": "How many?",
            "prompt_ids": (),
            "pieces": ids,
            "steps": tuple(steps),
            "output_ids": (),
            "text": "",
            **more,
        }
    )
    *_, last = made.canvases()
    made = replace(made, output_ids=last)
    made.check()
    return made


def placed_at_once(texts: list[str], **more) -> Trace:
    """All tokens drafted in one pass."""
    step = Step(0, drafted=tuple(Token(n, WORD + n, 0.9) for n in range(len(texts))))
    return a_trace(texts, [step], **more)


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Two blocks, tokens taken back, and a tail of end of text."""
    made = sample_trace(answer=ANSWER[:120], gen_length=64, block_length=32)
    assert made.revocations
    return made


@pytest.fixture(scope="module")
def painter(trace: Trace) -> FramePainter:
    return FramePainter(trace)


# ---- states


def states_trace() -> Trace:
    """One pass that leaves the word "token" in each of the six states, at positions 0 to 5 in the order of STATES."""
    at = {state: n for n, state in enumerate(STATES)}
    word = {n: Token(n, WORD, 0.95) for n in range(6)}
    return a_trace(
        [" token"] * 6,
        [
            Step(0, drafted=(word[at["verified"]], word[at["remasked"]], word[at["placed"]])),
            Step(
                0,
                drafted=(word[at["drafted"]],),
                verified=(Verified(at["verified"], 0.95), Verified(at["remasked"], 0.2)),
                remasked=(Token(at["remasked"], WORD, 0.2),),
            ),
            Step(0, drafted=(word[at["masked"]], word[at["remasked"]])),
        ],
        fixed=((at["fixed"], WORD),),
    )


def test_each_state_has_a_name_in_its_pass():
    after = list(frames(states_trace()))[2]
    assert after.states == STATES
    assert (after.placed, after.revocations, dict(after.revoked)) == (3, 1, {STATES.index("remasked"): WORD})


def test_a_blank_that_is_taken_back_is_drawn_as_one():
    """A line through nothing would read as a minus."""
    taken = (Token(1, WORD + 1, 0.2),)

    def struck(text: str) -> Image.Image:
        steps = [
            Step(0, drafted=(Token(0, WORD, 0.9), Token(1, WORD + 1, 0.9))),
            Step(0, drafted=(Token(2, WORD + 2, 0.9),), verified=(Verified(1, 0.2),), remasked=taken),
            Step(0, drafted=(Token(1, WORD + 1, 0.9),)),
        ]
        painter = FramePainter(a_trace(["7", text, "5"], steps))
        left, top, right, bottom = painter.token_box(2, 1)
        return painter.frame(2).crop((left, top, left + (right - left) // 2, bottom))

    ink = theme(dark=False).back_text
    rows = np.all(np.asarray(struck(" ").convert("RGB")) == ink, axis=2).any(axis=1)
    assert rows.sum() > 3  # the blank's own strokes, below the line through it


@pytest.mark.parametrize("dark", [False, True])
def test_states_differ_in_shape_when_colours_are_gone(dark):
    painter = FramePainter(states_trace(), Look(dark=dark))
    picture = painter.frame(2).convert("L")
    paper = picture.getpixel((0, 0))
    shapes = []
    for position in range(6):
        left, top, right, bottom = painter.token_box(2, position)
        cut = picture.crop((left - 2, top - 2, right + 2, bottom + 3))
        # strong lines and letters alone, whatever their tone
        strong = cut.point([255 if abs(tone - paper) > 60 else 0 for tone in range(256)])
        shapes.append(strong.resize((120, 40), Image.Resampling.BILINEAR))
    for one in range(6):
        for other in range(one):
            differ = np.asarray(ImageChops.difference(shapes[one], shapes[other])) > 100
            assert differ.mean() > 0.02, (STATES[one], STATES[other])


def test_colours_are_the_players_own_and_survive_the_palette():
    for dark in (False, True):
        colours = theme(dark)
        flat = colours.palette()
        assert len(flat) == 3 * 256
        exact = {tuple(flat[at : at + 3]) for at in range(0, len(flat), 3)}
        assert {colours.ink, colours.draft_fill, colours.back, colours.verified, colours.mask} <= exact
    assert theme(True).paper != theme(False).paper


# ---- words in lines


@pytest.mark.parametrize("width", [320, 640, 960])
def test_tokens_follow_one_another_inside_their_block_and_stay_in_their_line(trace, width):
    painter = FramePainter(trace, Look(width=width))
    lines: dict[int, set[int]] = {}
    for frame in painter.frames:
        boxes = [(p, box) for p in range(trace.gen_length) if (box := painter.token_box(frame.number, p))]
        for position, (left, top, right, bottom) in boxes:
            assert 0 < left < right <= width and 0 < top < bottom < painter.size[1]
            lines.setdefault(position, set()).add(top)
        for (_, before), (_, after) in pairwise(boxes):
            assert after[1] > before[1] or (after[1] == before[1] and after[0] >= before[2])
    assert all(len(tops) == 1 for tops in lines.values())


def test_digits_of_one_number_join_and_words_stand_apart():
    painter = FramePainter(placed_at_once(["It", " costs", " 1", "0", "4", " now"]))
    boxes = [painter.token_box(1, position) for position in range(6)]
    gaps = [after[0] - before[2] for before, after in pairwise(boxes)]
    assert gaps[0] == gaps[1] == gaps[4] > 0
    assert gaps[2] == gaps[3] == 0


def test_lines_break_between_words_and_begin_at_one_edge():
    painter = FramePainter(placed_at_once([" un", "believ", "able"] * 12), Look(width=320))
    boxes = [painter.token_box(1, position) for position in range(36)]
    for word in range(0, 36, 3):
        assert len({top for _, top, _, _ in boxes[word : word + 3]}) == 1
    lines = {}
    for left, top, _, _ in boxes:
        lines.setdefault(top, left)
    assert len(lines) > 3
    edge = FramePainter(placed_at_once(["un"]), Look(width=320)).token_box(1, 0)[0]
    assert set(lines.values()) == {edge}  # without the space that would come before the word


def test_a_line_break_ends_a_line_and_spaces_after_it_indent_the_next():
    painter = FramePainter(placed_at_once(["def f():", "\n", "    return", " 1", "\n  ", "# end", ""]))
    boxes = [painter.token_box(1, position) for position in range(7)]
    tops = [box[1] for box in boxes]
    assert tops[0] == tops[1] < tops[2] == tops[3] == tops[4] < tops[5]
    assert boxes[2][0] > boxes[5][0] > boxes[0][0]


def test_text_without_spaces_is_broken_anywhere_and_one_huge_token_is_cut():
    painter = FramePainter(placed_at_once(["x" * 30] * 8 + ["y" * 5000]), Look(width=320))
    boxes = [painter.token_box(1, position) for position in range(9)]
    assert all(right <= 320 for _, _, right, _ in boxes)
    assert len({top for _, top, _, _ in boxes}) == 9


def test_a_tail_of_end_of_text_is_folded(trace, painter):
    last = painter.frames[-1]
    block = trace.blocks - 1
    tail = end_tail(trace, last, block)
    assert tail is not None and set(last.ids[tail:]) <= set(trace.end_ids)
    assert painter.token_box(last.number, tail - 1) is not None
    assert painter.token_box(last.number, tail) is None
    assert end_tail(trace, painter.frames[0], block) is None


# ---- the whole picture


def test_frames_have_one_size_and_are_drawn_alike_in_any_order(trace, painter):
    forward = [painter.frame(frame.number) for frame in painter.frames]
    assert {picture.size for picture in forward} == {painter.size}
    again = FramePainter(trace)
    for number in reversed(range(len(forward))):
        assert ImageChops.difference(again.frame(number), forward[number]).getbbox() is None, number
    for before, after in pairwise(forward):
        assert ImageChops.difference(before, after).getbbox() is not None


@pytest.mark.parametrize("number", [-1, 1000])
def test_a_pass_that_there_is_not_is_refused(painter, number):
    with pytest.raises(ValueError, match=f"pass must be 0 to .*, not {number}"):
        painter.frame(number)


@pytest.mark.parametrize("width", [0, 319, 1921, -5])
def test_a_width_outside_is_refused(width):
    with pytest.raises(ValueError, match=f"width must be 320 to 1920 px, not {width}"):
        Look(width=width)


def test_a_decoder_without_verification_has_no_counter_of_what_it_took_back():
    """The legend is shorter, too: a picture that is less high on a phone."""
    made = sample_trace(StandardSettings(tokens_per_step=8))
    judged = replace(made, decoder={**made.decoder, "tau2": 0.9})
    assert FramePainter(made, Look(width=320)).size[1] < FramePainter(judged, Look(width=320)).size[1]


def test_a_sentence_tells_what_a_pass_did(trace):
    said = [pass_sentence(trace, frame) for frame in frames(trace)]
    assert said[0] == f"Before the first pass: all {trace.gen_length} tokens are masked."
    for number, (step, sentence) in enumerate(zip(trace.steps, said[1:], strict=True), start=1):
        assert sentence.startswith(f"Pass {number}: drafted {len(step.drafted)} token")
        assert (f"took back {len(step.remasked)}: " in sentence) == bool(step.remasked)


@pytest.mark.parametrize(("ends", "said"), [(1, "1 token (end of text)"), (2, "2 tokens, all end of text")])
def test_ends_of_the_text_are_counted_in_words(ends, said):
    drafted = tuple(Token(position, END, 0.9) for position in range(ends))
    trace = a_trace(["", ""], [Step(0, drafted=drafted)], pieces={END: ""})
    assert pass_sentence(trace, list(frames(trace))[1]) == f"Pass 1: drafted {said}."


@pytest.mark.parametrize(
    ("text", "said"), [("", "end of text"), ("<|endoftext|>", "end of text"), ("<|eot_id|>", "end of turn")]
)
def test_the_ends_of_a_turn_and_of_the_text_have_their_own_names(text, said):
    trace = a_trace(["", ""], [Step(0, drafted=(Token(0, END, 0.9),))], pieces={END: text})
    assert name(trace, END) == said


@pytest.mark.parametrize(
    ("text", "said"), [(" ", "1 space"), ("   ", "3 spaces"), ("\n", "line break"), ("\n\n", "2 line breaks")]
)
def test_what_is_blank_is_named(text, said):
    assert name(placed_at_once(["a", text]), WORD + 1) == said


# ---- the board


def test_a_sudoku_that_the_prompt_does_not_ask_has_no_board():
    trace = sudoku_trace()
    foreign = replace(trace, extra={**trace.extra, "record": {**RECORD, "puzzle": "1111111111111111"}})
    assert read_puzzle(trace) == RECORD["puzzle"] and read_puzzle(foreign) is None


def test_a_sudoku_has_its_board_and_faults_are_marked_at_the_end():
    trace = sudoku_trace(ends_wrong=True)
    puzzle = read_puzzle(trace)
    last = list(frames(trace))[-1]
    cells = board_cells(trace, puzzle, last, cell_places(trace, last.ids))
    assert [cell.given for cell in cells] == [digit.strip("0") for digit in RECORD["puzzle"]]
    assert all(cell.look == "given" for cell in cells if cell.given)
    faults = faulty_cells(cells)
    assert faults and not any(cells[at].given for at in faults)

    right = sudoku_trace()
    last = list(frames(right))[-1]
    cells = board_cells(right, puzzle, last, cell_places(right, last.ids))
    assert "".join(cell.value for cell in cells) == RECORD["solution"]
    assert faulty_cells(cells) == set()


def test_the_board_stands_beside_the_text_or_above_it():
    trace = sudoku_trace()
    plain = replace(trace, extra={})
    beside, alone = FramePainter(trace), FramePainter(plain)
    assert beside.token_box(0, 0)[0] > alone.token_box(0, 0)[0] + 200
    narrow = FramePainter(trace, Look(width=390))
    assert narrow.token_box(0, 0)[1] > FramePainter(plain, Look(width=390)).token_box(0, 0)[1] + 200


@pytest.mark.parametrize(
    "record", [None, 7, {"task": "sudoku"}, {"task": "sudoku", "puzzle": "٣" * 16}, {"task": "countdown"}]
)
def test_a_record_that_is_no_sudoku_has_no_board(record):
    assert read_puzzle(replace(sudoku_trace(), extra={"record": record})) is None


# ---- letters


def test_a_character_that_the_font_lacks_becomes_a_box_of_its_own():
    letters = Letters(24)

    def drawn(text: str) -> bytes:
        image = Image.new("RGB", (80, 40), "white")
        letters.draw(image, (5, 30), text, (0, 0, 0))
        return image.tobytes()

    blank = Image.new("RGB", (80, 40), "white").tobytes()
    pictures = [drawn(text) for text in ("中", "文", "😀", "a", "✓", "↵", "τ")]
    assert len({*pictures, blank}) == 8
    assert letters.width("a中b") == letters.width("a") + letters.width("中") + letters.width("b")
    assert letters.width("a\u200db") == letters.width("ab")
    assert letters.width("e\u0301") == letters.width("é")


def test_another_font_is_asked_only_for_what_inter_lacks():
    """The other font here is wider and has no more characters, so no width changes."""
    assert Letters(20, other=BOLD).width("a中") == Letters(20).width("a中")
    with pytest.raises(ValueError, match="there is no such file"):
        Look(font=REGULAR.with_name("none.ttf"))
    with pytest.raises(ValueError, match="it is not a font"):
        Look(font=REGULAR.with_name("OFL.txt"))


def test_text_is_cut_and_wrapped_to_its_room():
    letters = Letters(20)
    text = "A bag holds some apples and a very long story about them. " * 10
    assert letters.width(letters.fit(text, 200)) <= 200
    assert letters.fit("short", 200) == "short"
    lines = letters.wrap(text, 200, 3)
    assert len(lines) == 3 and all(letters.width(line) <= 200 for line in lines) and lines[-1].endswith("…")
    assert letters.wrap("two words", 200, 3) == ["two words"]
    assert letters.wrap("", 200, 3) == []


HOSTILE = [
    "<script>alert(1)</script>",
    "שלום עולם",
    "\u202eevil\u202c",
    "e" + "\u0301" * 200,
    "👨‍👩‍👧‍👦",
    "\x00\x07\x1b",
    "\n" * 300,
    "\t\t",
    " " * 500,
    "x" * 20_000,
    "\ufffe\U0010fffd",
    "",
]


@pytest.mark.parametrize("width", [320, 960])
def test_hostile_text_is_drawn_like_any_other(width):
    decoder = {"name": "\u202e" + "n" * 9000, "tau1": 10**400, "tau2": 0.5, "f": [1], "temperature": {"a": 1}}
    extra = {"title": "\u0000" * 50 + "ש" * 5000, "record": {"task": "sudoku", "puzzle": ["1"] * 16}}
    trace = placed_at_once(HOSTILE, prompt="\n".join(HOSTILE), model="m" * 9000, decoder=decoder, extra=extra)
    painter = FramePainter(trace, Look(width=width), {"correct": None, "text": "v" * 9000})
    assert painter.frame(0).size == painter.frame(1).size == painter.size
    for position in range(len(HOSTILE)):
        left, _, right, _ = painter.token_box(1, position)
        assert 0 <= left <= right <= width


def test_control_characters_are_seen_and_cannot_reorder():
    trace = placed_at_once(HOSTILE)
    shown = "".join(piece(trace, WORD + n).core for n in range(len(HOSTILE)))
    assert not any(ord(character) < 32 or 0x202A <= ord(character) <= 0x202E for character in shown)


@pytest.mark.parametrize("steps", [[], [Step(0, drafted=(Token(0, WORD, 0.9),))]])
def test_a_run_that_was_stopped_is_drawn_as_far_as_it_came(steps):
    trace = a_trace(["one", " two", " three"], steps)
    painter = FramePainter(trace)
    assert len(painter.frames) == len(steps) + 1
    assert painter.frame(len(steps)).size == painter.size
