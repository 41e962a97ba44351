"""Files of a trace: an animated GIF, a PNG of a pass, an HTML file; their limits, the command, and a notebook's output."""

from __future__ import annotations

import html
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_trace import sample_trace
from sudoku_trace import sudoku_trace

import wino_viz
from wino_viz import export
from wino_viz.cli import main
from wino_viz.decoding import StandardSettings
from wino_viz.drawing import FramePainter, Look
from wino_viz.drawing.gif import encode_gif
from wino_viz.drawing.theme import theme
from wino_viz.files import write_bytes_whole
from wino_viz.trace import Step, Token, Trace
from wino_viz.ui.take import file_name, make_file

VERDICT = {"correct": True, "faithful": True, "text": "Right: 36."}


SMALL = Look(width=320)


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Short, so that it is quickly drawn; tokens are taken back in it."""
    made = sample_trace(gen_length=48, block_length=24)
    assert made.revocations
    return made


@pytest.fixture(scope="module")
def gif(trace: Trace) -> bytes:
    return export.to_gif(trace, SMALL)


def one_token_a_pass(length: int, block: int | None = None) -> Trace:
    """`length` passes that place the same word."""
    block = block or length
    return Trace(
        model="m",
        decoder={"name": "standard", "tokens_per_step": 1},
        gen_length=length,
        block_length=block,
        mask_id=0,
        prompt="",
        prompt_ids=(),
        pieces={1: " a"},
        steps=tuple(Step(n // block, drafted=(Token(n, 1, 0.5),)) for n in range(length)),
        output_ids=(1,) * length,
        text="",
    )


# ---- GIF


def test_a_gif_has_a_frame_per_pass_that_looks_like_the_picture_of_the_pass(trace, gif):
    painter = FramePainter(trace, SMALL)
    with Image.open(io.BytesIO(gif)) as image:
        assert (image.format, image.n_frames, image.size) == ("GIF", trace.forward_passes + 1, painter.size)
        assert image.info["loop"] == 0
        for number in range(image.n_frames):
            image.seek(number)
            seen = np.asarray(image.convert("RGB"), dtype=int)
            meant = np.asarray(painter.frame(number), dtype=int)
            assert np.abs(seen - meant).max() <= 40, number  # soft edges are rounded to the palette
            assert np.abs(seen - meant).mean() < 1, number
            flat = np.asarray([meant[0, 0], theme().draft_bar])
            assert all((seen.reshape(-1, 3) == colour).all(axis=1).any() for colour in flat)  # flat colours are exact


def test_a_gif_shows_its_first_and_last_frame_longer(trace, gif):
    expected = export.durations(trace)
    with Image.open(io.BytesIO(gif)) as image:
        shown = []
        for number in range(image.n_frames):
            image.seek(number)
            shown.append(image.info["duration"] / 1000)
    assert shown == pytest.approx(expected, abs=0.01)
    assert set(expected[1:-1]) == {0.9}
    assert expected[0] > 0.9 and expected[-1] > expected[0]


def test_a_long_decoding_plays_faster_unless_told_otherwise():
    long = one_token_a_pass(256)
    assert len(export.durations(long)) == 257
    assert sum(export.durations(long)) < 90
    assert set(export.durations(long, 0.9)[1:-1]) == {0.9}
    for wrong in (0, -1, 11, float("nan")):
        with pytest.raises(ValueError, match="seconds must be"):
            export.durations(long, wrong)


def test_a_gif_is_the_same_every_time_and_small(trace, gif):
    assert export.to_gif(trace, SMALL) == gif
    thirty = sample_trace(StandardSettings(tokens_per_step=5))
    assert 25 <= thirty.forward_passes <= 30
    assert len(export.to_gif(thirty)) < 1_000_000


def test_a_gif_keeps_a_frame_in_which_nothing_changes():
    frame = Image.new("RGB", (40, 30), theme().paper)
    with Image.open(io.BytesIO(encode_gif([(frame, 0.5), (frame, 1.0)], theme().palette()))) as image:
        assert image.n_frames == 2


def test_a_trace_without_passes_is_a_gif_of_one_frame():
    empty = replace(one_token_a_pass(4), steps=(), output_ids=(0,) * 4)
    with Image.open(io.BytesIO(export.to_gif(empty))) as image:
        assert image.n_frames == 1


# ---- limits


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (one_token_a_pass(2049), "a picture holds at most 2048 tokens, and this trace has 2049: write an HTML file"),
        (one_token_a_pass(65, 1), "a picture holds at most 64 blocks, and this trace has 65"),
        (one_token_a_pass(1025), "a GIF holds at most 1024 passes, and this trace has 1025"),
        (one_token_a_pass(900), "901 frames of 960 × .* px are too much for a GIF: take a smaller width"),
    ],
)
def test_what_is_too_much_for_a_gif_is_said(trace, said):
    with pytest.raises(ValueError, match=said):
        export.to_gif(trace)


def test_a_picture_that_would_be_too_high_is_refused():
    wide = replace(one_token_a_pass(512), pieces={1: " " + "w" * 60}, decoder={"name": "standard"})
    with pytest.raises(ValueError, match="px high, more than 8000: take a larger width"):
        export.to_png(wide, 1, Look(width=320))


# ---- PNG and HTML


def test_a_png_is_the_picture_of_its_pass(trace):
    painter = FramePainter(trace, Look(width=400, dark=True))
    data = export.to_png(trace, 3, Look(width=400, dark=True))
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert (np.asarray(image) == np.asarray(painter.frame(3))).all()
    assert export.to_png(trace, look=SMALL) == export.to_png(trace, trace.forward_passes, SMALL)
    with pytest.raises(ValueError, match="pass must be 0 to"):
        export.to_png(trace, trace.forward_passes + 1)


def test_a_verdict_is_said_at_the_end_alone(trace):
    last = trace.forward_passes
    with_verdict, without = FramePainter(trace, Look(), VERDICT), FramePainter(trace)
    green = np.asarray(theme().verified)

    def says_so(picture: Image.Image) -> int:
        return int((np.asarray(picture) == green).all(axis=2).sum())

    assert says_so(with_verdict.frame(last)) > says_so(without.frame(last))
    assert says_so(with_verdict.frame(1)) == says_so(without.frame(1))


def sent_to_player(page: str) -> dict:
    """The message that an HTML file gives its player."""
    return json.loads(json.loads(re.search(r'root\.player\.receive\((".*")\);\n', page)[1]))


def test_an_html_file_and_a_notebook_wait_neither_for_gradio_nor_for_torch():
    script = (
        "import sys, wino_viz; wino_viz.show('examples/traces/1-two-wordings-collide.json')._repr_html_(); "
        "sys.exit(bool({'gradio', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1]).returncode == 0


def test_an_html_file_holds_the_whole_trace_and_asks_for_nothing(trace):
    page = export.to_html(replace(trace, extra={"title": "</title><script>alert(1)</script>"}), 2, verdict=VERDICT)
    assert "<script>alert" not in page
    assert page.count("<title>") == 1 and "WINO, pass by pass</title>" in page
    assert not re.search(r"""(src|href)\s*=|@import|url\(\s*['"]?http""", page)
    sent = sent_to_player(page)
    assert Trace.from_dict(sent["trace"]).steps == trace.steps
    assert (sent["at"], sent["verdict"]) == (2, VERDICT)
    assert f"<p>WINO, τ1 0.6, τ2 0.9; {trace.model}</p>" in page
    with pytest.raises(ValueError, match="pass must be 0 to"):
        export.to_html(trace, -1)


def test_an_html_file_shows_the_picture_that_a_trace_is_about_and_fetches_none(trace):
    page = export.to_html(trace, picture=("data:image/png;base64,AAAA", 'A "red" <star>'))
    assert '<img src="data:image/png;base64,AAAA" alt="A &quot;red&quot; &lt;star&gt;">' in page
    with pytest.raises(ValueError, match="must be a data URL"):
        export.to_html(trace, picture=("https://example.org/a.png", ""))


def test_the_verdict_comes_from_the_problem_that_the_trace_carries():
    right, wrong = sudoku_trace(), sudoku_trace(ends_wrong=True)
    assert export.verdict_of(right)["correct"] is True
    assert export.verdict_of(wrong)["correct"] is False
    for record in (None, {}, {"task": "sudoku", "puzzle": 3}, {**right.extra["record"], "puzzle": "0" * 16}):
        assert export.verdict_of(replace(right, extra={"record": record})) is None
    assert export.verdict_of(replace(right, extra={})) is None


# ---- the command


@pytest.fixture(scope="module")
def file(trace: Trace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "trace.json"
    path.write_text(trace.to_json(), encoding="utf-8")
    return path


def test_the_command_writes_what_the_name_says_and_nothing_else(file, tmp_path, trace, capsys):
    assert main(["export", str(file), "--to", str(tmp_path / "a.gif"), "--width", "320", "--seconds", "0.3"]) == 0
    assert (
        main(["export", str(file), "--to", str(tmp_path / "b.PNG"), "--pass", "0", "--dark", "--font", str(file)]) == 2
    )
    assert "it is not a font that can be read" in capsys.readouterr().err
    assert main(["export", str(file), "--to", str(tmp_path / "b.PNG"), "--pass", "0", "--dark"]) == 0
    assert main(["export", str(file), "--to", str(tmp_path / "c.html"), "--pass", "4"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "b.PNG", "c.html"]
    assert [path.name for path in file.parent.iterdir()] == ["trace.json"]
    assert (tmp_path / "b.PNG").read_bytes() == export.to_png(trace, 0, Look(dark=True))
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(2)
        assert (image.width, image.info["duration"]) == (320, 300)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.json", "--to", "o.gif"], "there is no file none.json"),
        ([".", "--to", "o.gif"], ". is a folder, not a trace"),
        (["bad.json", "--to", "o.gif"], "bad.json: the trace is not valid JSON"),
        (["deep.json", "--to", "o.gif"], "deep.json: the trace is nested too deeply"),
        (["other.json", "--to", "o.gif"], 'other.json: not a trace: "format" must be'),
        (["bytes.json", "--to", "o.gif"], "bytes.json: the trace is no text in UTF-8"),
        (["huge.json", "--to", "o.gif"], "huge.json is larger than 256 MB"),
        (["good.json", "--to", "o.mp4"], "--to o.mp4 must end in .gif, .png or .html"),
        (["good.json", "--to", "folder.gif"], "folder.gif is a folder"),
        (["good.json", "--to", "none/o.gif"], "does not exist"),
        (["good.json", "--to", "link.gif"], "--to link.gif would overwrite the trace"),
        (["good.json", "--to", "o.gif", "--pass", "1"], "--pass goes with .png and .html, not with .gif"),
        (["good.json", "--to", "o.png", "--pass", "9999"], "pass must be 0 to"),
        (["good.json", "--to", "o.png", "--pass", "x"], "invalid int value"),
        (["good.json", "--to", "o.png", "--width", "0"], "width must be 320 to 1920 px, not 0"),
        (["good.json", "--to", "o.png", "--seconds", "1"], "--seconds goes with .gif, not with .png"),
        (["good.json", "--to", "o.gif", "--seconds", "nan"], "seconds must be 0.05 to 10, not nan"),
        (["good.json", "--to", "o.html", "--dark"], "--dark goes with .gif and .png, not with .html"),
        (["good.json", "--to", "o.png", "--font", "none.ttf"], "font none.ttf: there is no such file"),
        (["good.json"], "required"),
    ],
)
def test_what_can_not_be_exported_is_one_line(file, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text("{")
    Path("deep.json").write_text("[" * 100_000)
    Path("other.json").write_text("{}")
    Path("bytes.json").write_bytes(b"\xff\xfe\x00")
    with open("huge.json", "wb") as huge:
        huge.truncate(300 * 2**20)  # a hole, not bytes
    Path("good.json").write_bytes(file.read_bytes())
    Path("folder.gif").mkdir()
    Path("link.gif").symlink_to("good.json")
    before = sorted(Path(".").iterdir())
    try:
        code = main(["export", *arguments])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert said in printed.err
    assert sorted(Path(".").iterdir()) == before


def test_a_file_is_written_whole_or_stays_as_it_was(file, tmp_path, monkeypatch, capsys):
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes_whole(path, b"new")
    assert main(["export", str(file), "--to", str(path), "--width", "320"]) == 2
    assert capsys.readouterr().err == f"python -m wino_viz export: {path} can't be written: No space left on device\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# ---- a notebook


def test_a_notebook_shows_the_player_in_a_frame_of_its_own(file, trace):
    shown = wino_viz.show(file, at=3, height=500)
    frame = shown._repr_html_()
    start = re.match(
        r'<iframe title="Decoding player" sandbox="allow-scripts" style="[^"]*height:500px[^"]*" srcdoc="', frame
    )
    sent = sent_to_player(html.unescape(frame[start.end() :].removesuffix('"></iframe>')))
    assert (Trace.from_dict(sent["trace"]), sent["at"]) == (trace, 3)
    assert frame.count('"') == 8  # nothing in the trace ends the attribute
    assert "forward passes" in repr(shown)
    assert wino_viz.show(trace.to_dict()).trace == wino_viz.show(str(file)).trace == trace


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trace": {}}, "not a trace"),
        ({"trace": "none.json"}, "there is no file none.json"),
        ({"at": 99}, "at must be 0 to"),
        ({"height": 1}, "height must be 200 to 4000 px, not 1"),
    ],
)
def test_what_can_not_be_shown_is_said(trace, arguments, said):
    with pytest.raises(ValueError, match=said):
        wino_viz.show(**{"trace": trace, **arguments})


# ---- what the page asks for


def asked(trace: Trace, kind: str, **more) -> dict:
    return {"kind": kind, "pass": 2, "message": json.dumps({"trace": trace.to_dict(), "verdict": VERDICT}), **more}


def test_the_page_gets_each_kind_of_file(trace):
    titled = replace(trace, extra={"title": "../A bag: “of” cards/"})
    name, data = make_file(asked(titled, "png", narrow=True, dark=True))
    assert name == "a-bag-of-cards-pass-2.png"
    assert data == export.to_png(titled, 2, Look(width=640, dark=True), verdict=VERDICT)
    name, data = make_file(asked(titled, "html"))
    assert (name, data.decode().count("Right: 36.")) == ("a-bag-of-cards.html", 1)
    assert sent_to_player(data.decode())["at"] == 2  # the pass that is in view
    name, data = make_file(asked(titled, "json"))
    assert (name, Trace.from_json(data)) == ("a-bag-of-cards.json", titled)
    name, data = make_file(asked(one_token_a_pass(3), "gif", narrow=True))
    assert (name, data[:6]) == ("standard-trace.gif", b"GIF89a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "exe"},
        {"kind": ["gif"]},
        {"pass": 9999},
        {"pass": "1"},
        {"message": None},
        {"message": "{"},
        {"message": "[]"},
        {"message": "{}"},
        {"message": "[" * 100_000},
        {"message": "x" * (2**24 + 1)},
    ],
)
def test_what_the_page_may_not_ask_is_refused_in_a_sentence(trace, wrong):
    with pytest.raises(ValueError) as refused:
        make_file({**asked(trace, "png"), **wrong})
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


def test_a_file_has_a_name_whatever_the_trace_is_called(trace):
    assert file_name(trace) == "wino-trace"
    plus = replace(trace, model="llada-mini-wino-plus", decoder={"name": "threshold", "tau": 0.8})
    assert file_name(plus) == "wino-plus-trace"
    assert "WINO+, pass by pass" in export.to_html(plus)
    assert file_name(replace(trace, extra={"title": "中文"})) == "wino-trace"
    assert file_name(replace(trace, extra={"title": "x" * 500})) == "x" * 60
    assert file_name(replace(trace, extra={"title": 5}, decoder={"name": "中"})) == "trace"
