"""The command line as a person uses it: python -m wino_viz in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wino_viz.cli import main
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
    assert (result["model"], result["data"]) == ("llada-mini", str(data))
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
        (["decode", "--prompt", "word " * 900], "the prompt is too long"),
        (["decode", "--prompt", "Hi", "--gen-length", "100"], "not a multiple of block_length 64"),
        (["decode", "--prompt", "Hi", "--gen-length", "-5"], "gen_length must be"),
        (["decode", "--prompt", "Hi", "--temperature", "-1"], "temperature must be"),
        (["decode", "--prompt", "Hi", "--seed", "-1"], "seed must be"),
        (["decode", "--prompt", "Hi", "--model", "no-such"], "no model 'no-such'"),
        (["decode", "--prompt", "Hi", "--trace", "/no/such/folder/t.json"], "does not exist"),
        (["decode", "--record", "{"], "not valid JSON"),
        (["decode"], "one of the arguments --prompt --record is required"),
        (["decode", "--prompt", "Hi", "--record", "{}"], "not allowed with argument"),
        (["eval", "--decoders", "wino", "--data", "/no/such.jsonl"], "can't be read"),
        (["eval", "--decoders", "wino", "--data", "x", "--limit", "0"], "--limit must be at least 1"),
        (["bench", "--decoders", "wimo"], "there is no decoder 'wimo'"),
        (["decode", "--prompt", "Hi", "--trace", "/tmp"], "is a folder"),
        (["bench", "--problems", "0"], "--problems must be 1 to 1000"),
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
