"""The command line as a person uses it: python -m wino_viz in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wino_viz.cli import main
from wino_viz.tasks import scenes
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.trace import Trace

ROOT = Path(__file__).parents[1]
PROBLEM = {
    "task": "arithmetic",
    "question": "Kofi has 39 magnets. Aisha brings back 24 magnets borrowed last year. How many magnets does Kofi have now?",
    "answer": 63,
}
SHORT = ["--gen-length", "64", "--block-length", "32"]


def test_decode_prints_the_answer_and_writes_the_trace(tmp_path: Path):
    out = tmp_path / "trace.json"
    command = [sys.executable, "-m", "wino_viz", "decode", "--model", "llada-mini", "--decoder", "wino", *SHORT]
    command += ["--tau1", "0.7", "--record", json.dumps(PROBLEM), "--trace", str(out), "--title", "Magnets"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    trace = Trace.from_json(out.read_text())
    assert done.stdout == trace.text + "\n"
    assert done.stdout.endswith("#### 63\n")
    assert f"{trace.forward_passes} forward passes" in done.stderr
    assert "Right: 63." in done.stderr
    assert (trace.decoder["tau1"], trace.decoder["tau2"], trace.gen_length, trace.block_length) == (0.7, 0.9, 64, 32)
    assert trace.extra["title"] == "Magnets"
    assert trace.extra["command"].startswith("python -m wino_viz decode --model llada-mini")
    assert trace.extra["record"] == PROBLEM


def test_a_countdown_that_was_typed_is_decoded_with_its_preset_and_judged(capsys):
    assert main(["decode", "--prompt", "11, 28, 3 -> 51", "--decoder", "threshold"]) == 0
    said = capsys.readouterr().err
    assert "1 forward pass " in said and "Right: 51 with every number once." in said


def test_eval_prints_a_table_and_writes_rows_and_items(tmp_path: Path, capsys: pytest.CaptureFixture):
    data, out = tmp_path / "problems.jsonl", tmp_path / "result.json"
    data.write_text((json.dumps(PROBLEM) + "\n") * 3)
    specs = "wino:tau1=0.6:tau2=0.9,threshold:tau=0.9"
    assert (
        main(
            [
                "eval",
                "--model",
                "llada-mini",
                "--decoders",
                specs,
                "--data",
                str(data),
                "--limit",
                "2",
                *SHORT,
                "--out",
                str(out),
            ]
        )
        == 0
    )
    result = json.loads(out.read_text())
    assert (result["model"], result["data"]) == ("llada-mini", "problems.jsonl")
    assert [row["decoder"] for row in result["rows"]] == specs.split(",")
    assert all(row["n"] == 2 and row["accuracy"] == 1 for row in result["rows"])
    assert len(result["items"]) == 4
    captured = capsys.readouterr()
    assert "| wino:tau1=0.6:tau2=0.9 | 2 | 100.0% |" in captured.out
    assert "2 of 2" in captured.err


def test_bench_prints_each_decoder_and_the_share_outside_the_model(capsys: pytest.CaptureFixture):
    assert main(["bench", "--problems", "1", "--decoders", "threshold,wino"]) == 0
    printed = capsys.readouterr().out
    for decoder in ("threshold", "wino"):
        assert f"| {decoder} |" in printed
    assert "outside the model" in printed


def test_bench_compares_with_the_naive_way_which_gives_the_same_tokens(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "naive.json"
    assert main(["bench", "--naive", "--problems", "1", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["usual"]["same"] == result["problems"] == 1
    assert result["usual"]["forward_passes"] == result["naive"]["forward_passes"]
    assert 1 < result["most"] < 2  # an exact pass leaves out the head and part of one layer, of some rows
    printed = capsys.readouterr().out
    for way in ("as the app does", "with prefix reuse (approximate)", "naively"):
        assert f"| {way} |" in printed
    assert f"could be {result['most']:.2f} times faster at most" in printed


def test_bench_tells_how_much_faster_a_batch_is(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "bench.json"
    command = ["bench", "--in-flight", "1,2", "--decoders", "threshold:tau=0.3", "--out", str(out)]
    assert main(command) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()[2:]
    assert head == "| decoder | in flight | s for all | tokens per s | speed-up | the same tokens |"
    assert [row.split(" | ")[:2] for row in rows] == [["| threshold:tau=0.3", "1"], ["| threshold:tau=0.3", "2"]]
    assert rows[0].endswith("| 1.00× | 2 of 2 |") and rows[1].endswith("× | 2 of 2 |")
    result = json.loads(out.read_text())
    assert result["command"] == "python -m wino_viz bench --in-flight 1,2 --decoders threshold:tau=0.3 --out bench.json"


# ---- pictures


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in: two scenes with records, and what is no picture."""
    monkeypatch.chdir(tmp_path)
    assert scenes.main(["--count", "2", "--seed", "1", "--out", "."]) == 0
    (tmp_path / "letter.txt").write_text("Dear reader")
    return tmp_path


TINY = ["--gen-length", "16", "--block-length", "16"]


def test_a_picture_alone_is_captioned_by_the_model_that_sees(folder: Path, capsys: pytest.CaptureFixture):
    command = ["decode", "--image", "pictures/0000.png", "--trace", "t.json", "--seen", "seen.png", "--words", *TINY]
    assert main(command) == 0
    trace = Trace.from_json((folder / "t.json").read_text())
    assert capsys.readouterr().out == trace.text + "\n"
    assert (trace.model, trace.prompt) == ("mmada-mini", CAPTION_PROMPTS[0])
    assert trace.extra["image"] == "0000.png"
    assert "record" not in trace.extra
    place, words = trace.extra["picture"], trace.extra["words"]
    assert place["rows"] * place["columns"] < len(trace.prompt_ids)
    for position, token, piece, with_picture, blank in words:
        assert (trace.output_ids[position], trace.pieces[token]) == (token, piece)
        assert 0 <= with_picture <= 1 and 0 <= blank <= 1
    seen = np.asarray(Image.open(folder / "seen.png").convert("RGB"), dtype=float)
    brought = np.asarray(Image.open("pictures/0000.png").convert("RGB").resize(seen.shape[:2]), dtype=float)
    assert 0 < np.abs(seen - brought).mean() < 40


def test_a_record_about_a_picture_is_judged(folder: Path, capsys: pytest.CaptureFixture):
    record = (folder / "captions.jsonl").read_text().splitlines()[1]
    assert main(["decode", "--record", record, "--trace", "t.json", "--decoder", "wino:tau1=0:tau2=0"]) == 0
    trace = Trace.from_json((folder / "t.json").read_text())
    preset = json.loads((ROOT / "assets/models/mmada-mini/presets.json").read_text())["caption"]
    assert (trace.gen_length, trace.block_length) == (preset["gen_length"], preset["block_length"])
    assert trace.extra["record"] == json.loads(record)
    assert trace.extra["image"] == "0001.png"
    assert "object" in capsys.readouterr().err.splitlines()[-1]


def test_a_picture_that_is_named_stands_in_for_the_records(folder: Path, capsys: pytest.CaptureFixture):
    record = {"task": "vqa", "image": "gone.png", "question": "How many objects are there?", "answer": "Three."}
    assert main(["decode", "--record", json.dumps(record), *TINY]) == 2
    assert "gone.png can't be taken: There is no such file." in capsys.readouterr().err
    command = ["decode", "--record", json.dumps(record), "--image", "pictures/0001.png", "--trace", "t.json", *TINY]
    assert main(command) == 0
    trace = Trace.from_json((folder / "t.json").read_text())
    assert trace.extra["record"] == {**record, "image": "pictures/0001.png"}
    assert trace.prompt == record["question"]
    assert "The answer is" in capsys.readouterr().err


def test_a_question_takes_the_lengths_of_questions(folder: Path):
    command = ["decode", "--image", "pictures/0000.png", "--prompt", "What is in it?", "--trace", "t.json"]
    assert main([*command, "--decoder", "wino:tau1=0:tau2=0"]) == 0
    trace = Trace.from_json((folder / "t.json").read_text())
    preset = json.loads((ROOT / "assets/models/mmada-mini/presets.json").read_text())["vqa"]
    assert trace.gen_length == preset["gen_length"]


def test_captions_are_evaluated_with_a_column_of_their_own(folder: Path, capsys: pytest.CaptureFixture):
    command = ["eval", "--decoders", "wino", "--data", "captions.jsonl", "--out", "o.json", "--in-flight", "2", *TINY]
    assert main(command) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    assert (
        head
        == "| decoder | n | accuracy | 95 % interval | faithful | CIDEr | forward passes | step reduction | revocations |"
    )
    result = json.loads((folder / "o.json").read_text())
    assert result["model"] == "mmada-mini"
    assert row.split(" | ")[5] == f"{result['rows'][0]['cider']:.1f}"
    command[4] = "questions.jsonl"
    assert main(command) == 0
    assert "CIDEr" not in capsys.readouterr().out


PICTURE = ["decode", "--image", "pictures/0000.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["decode", "--image", "none.png"], "none.png can't be taken: There is no such file."),
        (["decode", "--image", "letter.txt"], "letter.txt can't be taken: This is a text; PNG, JPEG"),
        (["decode", "--image", "pictures"], "pictures can't be taken: There is no such file."),
        ([*PICTURE, "--prompt", ""], "the prompt is empty"),
        ([*PICTURE, "--model", "llada-mini"], "llada-mini reads text alone and can't see a picture"),
        ([*PICTURE, "--layout", "chat"], "no layout 'chat': choose one of demo, template, evaluation, collection"),
        ([*PICTURE, "--image-tokenizer", "none"], "none is missing"),
        ([*PICTURE, "--image-tokenizer", "pictures"], "config.json is missing"),
        ([*PICTURE, "--words"], "--words goes with --trace"),
        ([*PICTURE, "--seen", "none/seen.png"], "does not exist"),
        ([*PICTURE, "--seen", "pictures"], "is a folder"),
        ([*PICTURE, "--trace", "same", "--seen", "same"], "--trace and --seen name the same file"),
        ([*PICTURE, "--record", json.dumps(PROBLEM)], "--image goes with a record about a picture"),
        (["decode", "--prompt", "Hi", "--model", "mmada-mini"], "answers questions about a picture: bring one"),
        (["decode", "--prompt", "Hi", "--seen", "seen.png"], "--seen goes with a picture: --image FILE"),
        (["decode", "--prompt", "Hi", "--words"], "--words goes with a picture: --image FILE"),
        (["decode", "--prompt", "Hi", "--layout", "demo"], "llada-mini reads text alone: it takes no layout"),
        (
            ["decode", "--prompt", "Hi", "--image-tokenizer", "x"],
            "llada-mini reads text alone: it takes no image token",
        ),
        (["decode", "--record", '{"task": "caption"}'], '"image" must be text'),
        (["decode", "--record", '{"task": "vqa", "image": "x.png"}'], '"question" must be text'),
        (
            ["eval", "--decoders", "wino", "--data", "captions.jsonl", "--model", "llada-mini"],
            "problem 1 is about a pict",
        ),
        (["eval", "--decoders", "wino", "--data", "letter.txt"], "letter.txt, line 1: not valid JSON"),
        (["eval", "--decoders", "wino", "--data", "captions.jsonl", "--layout", "x"], "there is no layout 'x'"),
    ],
)
def test_what_does_not_go_with_a_picture_is_one_line(folder: Path, arguments: list[str], said: str, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert said in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["decode", "--prompt", "Hi", "--decoder", "wimo"], "there is no decoder 'wimo': choose one of standard"),
        (["decode", "--prompt", "Hi", "--decoder", "wino:tau3=1"], "tau3"),
        (["decode", "--prompt", "Hi", "--tau1", "1.5"], "tau1 must be"),
        (["decode", "--prompt", "Hi", "--tau1", "nan"], "tau1 must be"),
        (["decode", "--prompt", "Hi", "--tau1", "x"], "invalid float value: 'x'"),
        (["decode", "--prompt", "Hi", "--decoder", "standard", "--tau2", "0.5"], "--tau2 goes with the decoder wino"),
        (["decode", "--prompt", ""], "the prompt is empty"),
        (["decode", "--prompt", "1102200002100320"], "this sudoku contradicts itself: 1 twice in row 1"),
        (["decode", "--prompt", "1, 2, 3, 4 -> 10"], "three numbers and a target"),
        (["decode", "--prompt", "Hi", "--decoder", "wino+"], "WINO+ is a model and not a decoder"),
        (["decode", "--prompt", "word " * 900], "the prompt is too long"),
        (["decode", "--prompt", "Hi", "--gen-length", "100"], "not a multiple of block_length 64"),
        (["decode", "--prompt", "Hi", "--gen-length", "-5"], "gen_length must be"),
        (["decode", "--prompt", "Hi", "--temperature", "-1"], "temperature must be"),
        (["decode", "--prompt", "Hi", "--seed", "-1"], "seed must be"),
        (["decode", "--prompt", "Hi", "--model", "no-such"], "no model 'no-such'"),
        (["decode", "--prompt", "Hi", "--trace", "/no/such/folder/t.json"], "does not exist"),
        (["decode", "--record", "{"], "not valid JSON"),
        (["decode"], "one of the arguments --prompt --record --image is required"),
        (["decode", "--prompt", "Hi", "--record", "{}"], "not allowed with argument"),
        (["eval", "--decoders", "wino", "--data", "/no/such.jsonl"], "can't be read"),
        (["eval", "--decoders", "wino", "--data", "x", "--limit", "0"], "--limit must be at least 1"),
        (["bench", "--decoders", "wimo"], "there is no decoder 'wimo'"),
        (["decode", "--prompt", "Hi", "--trace", "/tmp"], "is a folder"),
        (["bench", "--problems", "0"], "--problems must be 1 to 1000"),
        (["bench", "--in-flight", "8,0"], "--in-flight: '0' is not a whole number from 1 to 1024"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture):
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--seen", "--trace"])
def test_the_picture_is_never_overwritten(option, tmp_path, capsys):
    file = tmp_path / "scene.png"
    scenes.draw(scenes.compose(1)).save(file)
    before = file.read_bytes()
    assert main(["decode", "--image", str(file), option, str(file)]) == 2
    assert "would overwrite the picture" in capsys.readouterr().err
    assert file.read_bytes() == before
