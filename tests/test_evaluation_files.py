"""eval's files: a run that is killed goes on, items are kept only where they fit, and what a result tells of itself."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from wino_viz.cli import main
from wino_viz.evaluation import Progress, Unfinished, write_whole
from wino_viz.models.checkpoint import find_model
from wino_viz.provenance import commit, shown_command, weights_checksum
from wino_viz.tasks import arithmetic, sudoku

ROOT = Path(__file__).parents[1]
COMMAND = ["eval", "--decoders", "standard:tokens_per_step=2,wino", "--data", "problems.jsonl", "--out", "out.json"]
COMMAND += ["--gen-length", "16", "--block-length", "16", "--in-flight", "2"]


def prepared(folder: Path) -> Path:
    rng = Random(7)
    records = [arithmetic.record(arithmetic.generate(rng, "test", steps=2)) for _ in range(3)]
    records.append(sudoku.record(sudoku.generate(rng, "test", empty=4)))
    folder.mkdir(exist_ok=True)
    (folder / "problems.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def without_timing(value):
    if isinstance(value, dict):
        timing = ("model_seconds", "tokens_per_second", "threads", "commit")
        return {key: without_timing(inner) for key, inner in value.items() if key not in timing}
    return [without_timing(inner) for inner in value] if isinstance(value, list) else value


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path, monkeypatch, capsys):
    whole, killed = prepared(tmp_path / "whole"), prepared(tmp_path / "killed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(
        [sys.executable, "-m", "wino_viz", *COMMAND], cwd=killed, env=environment, stderr=subprocess.DEVNULL
    )
    part = killed / "out.json.part"
    while not part.exists() and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (killed / "out.json").exists()
    kept = json.loads(part.read_text())["items"]
    assert 0 < len(kept) < 8

    monkeypatch.chdir(killed)
    assert main(COMMAND) == 0
    assert f"going on: {len(kept)} of 8 are measured" in capsys.readouterr().err
    assert sorted(path.name for path in killed.iterdir()) == ["out.json", "problems.jsonl"]
    resumed = json.loads((killed / "out.json").read_text())
    assert all(item in resumed["items"] for item in kept)  # with the seconds of the first time

    monkeypatch.chdir(whole)
    assert main(COMMAND) == 0
    uninterrupted = json.loads((whole / "out.json").read_text())
    resumed.pop("earlier_runs", None)  # another number of threads in a process of its own
    assert without_timing(resumed) == without_timing(uninterrupted)

    # what a result tells of itself
    assert {"model": "llada-mini", "data": "problems.jsonl", "n": 4, "in_flight": 2}.items() <= uninterrupted.items()
    assert uninterrupted["command"] == "python -m wino_viz " + " ".join(COMMAND)
    assert uninterrupted["weights_sha256"] == weights_checksum(find_model("llada-mini"))
    assert {"python", "torch", "transformers"} <= uninterrupted["versions"].keys()
    assert uninterrupted["lengths"]["sudoku"] == {"gen_length": 16, "block_length": 16}
    row = uninterrupted["rows"][1]
    assert list(row["by_task"]) == ["arithmetic", "sudoku"]
    assert row["by_task"]["sudoku"]["cells"][1] == 4
    low, high = row["accuracy_interval"]
    assert 0 <= low <= row["accuracy"] <= high <= 1
    assert uninterrupted["comparisons"][0]["decoders"] == COMMAND[2].split(",")
    told = (whole / "out.json").read_text()
    assert str(tmp_path) not in told and str(Path.home()) not in told


# ---- the part that is kept

IDENTITY = {"weights": "w", "device": "CPU", "decoders": {"wino": {}}, "problems": "p", "lengths": {}}
ABOUT = {"command": "python -m wino_viz eval", "commit": "abc", "in_flight": 2}
ITEMS = [{"decoder": "wino", "index": n} for n in range(3)]


def kept_in(tmp_path: Path) -> Path:
    out = tmp_path / "out.json"
    unfinished = Unfinished(out, IDENTITY, ABOUT)
    assert unfinished.resume() == []
    for item in ITEMS:
        unfinished.add(item)
    return out


def test_the_first_item_is_saved_at_once_and_the_next_a_little_later(tmp_path: Path):
    out = kept_in(tmp_path)
    assert Unfinished(out, IDENTITY, ABOUT).resume() == ITEMS[:1]


def test_saving_keeps_everything_and_removing_nothing(tmp_path: Path):
    unfinished = Unfinished(tmp_path / "out.json", IDENTITY, ABOUT)
    unfinished.save()
    assert list(tmp_path.iterdir()) == []
    for item in ITEMS:
        unfinished.add(item)
    unfinished.save()
    again = Unfinished(tmp_path / "out.json", IDENTITY, ABOUT)
    assert (again.resume(), again.earlier_runs) == (ITEMS, [])
    again.remove()
    again.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"weights": "other"}, "other weights"),
        ({"decoders": {"wino": {"tau1": 0.5}}}, "other decoders or settings"),
        ({"problems": "q"}, "other problems"),
        ({"lengths": {"arithmetic": {}}, "device": "GPU"}, "other lengths and another device"),
    ],
)
def test_items_of_another_run_are_not_taken(tmp_path: Path, changed: dict, said: str):
    out = kept_in(tmp_path)
    with pytest.raises(ValueError, match=f"holds an unfinished run with {said}: finish it .* drop it with --restart"):
        Unfinished(out, IDENTITY | changed, ABOUT).resume()
    assert Unfinished(out, IDENTITY, ABOUT).resume() == ITEMS[:1]


def test_who_measured_the_kept_items_is_told_where_it_differs(tmp_path: Path):
    out = kept_in(tmp_path)
    second = Unfinished(out, IDENTITY, ABOUT | {"commit": "def"})
    assert second.resume() == ITEMS[:1]
    second.add(ITEMS[1])
    third = Unfinished(out, IDENTITY, ABOUT)
    third.resume()
    assert third.earlier_runs == [ABOUT | {"items": 1}, ABOUT | {"commit": "def", "items": 1}]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "wino-viz-trace", "version": 1}', "\udcff"])
def test_a_part_that_is_none_is_named(tmp_path: Path, text: str):
    (tmp_path / "out.json.part").write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"out\.json\.part can't be read .*--restart drops it"):
        Unfinished(tmp_path / "out.json", IDENTITY, ABOUT).resume()


def test_a_file_is_replaced_as_a_whole_and_a_link_stays(tmp_path: Path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_whole(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


# ---- the command


def test_other_settings_are_refused_until_restart(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(prepared(tmp_path))
    command = ["eval", "--data", "problems.jsonl", "--limit", "1", "--out", "out.json", "--gen-length", "16"]
    command += ["--block-length", "16", "--decoders"]
    Path("out.json.part").write_text(json.dumps({"format": "wino-viz-eval-part", "version": 1}))
    assert main([*command, "wino"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*command, "wino", "--restart"]) == 0
    assert not Path("out.json.part").exists()
    assert main([*command, "threshold"]) == 0  # a finished result is no unfinished run
    assert [row["decoder"] for row in json.loads(Path("out.json").read_text())["rows"]] == ["threshold"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--restart"], "--restart goes with --out"),
        (["--in-flight", "0"], "--in-flight must be at least 1"),
        (["--out", "problems.jsonl"], "name a file of its own"),
        (["--out", "/dev/null"], "name a file of its own"),
    ],
)
def test_what_can_not_be_written_is_one_line(tmp_path: Path, monkeypatch, capsys, more, said):
    monkeypatch.chdir(prepared(tmp_path))
    before = Path("problems.jsonl").read_text()
    assert main(["eval", "--decoders", "wino", "--data", "problems.jsonl", *more]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1) and said in captured.err
    assert Path("problems.jsonl").read_text() == before


def test_a_command_is_told_without_the_place_of_its_files(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = shown_command("eval", ["--data", str(tmp_path / "a b.jsonl"), "--out=/home/ana/o.json", "--limit", "3"])
    assert told == "eval --data 'a b.jsonl' --out=o.json --limit 3"


def test_the_checksum_is_that_of_the_shell(tmp_path: Path):
    for name, text in (("b.safetensors", "two"), ("B.safetensors", "three"), ("a.safetensors", "one"), ("c.txt", "no")):
        (tmp_path / name).write_text(text)
    shell = "LC_ALL=C sha256sum *.safetensors | sha256sum"
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True)
    assert weights_checksum(tmp_path) == done.stdout.split()[0]
    assert weights_checksum(tmp_path / "none") == ""


def test_the_commit_is_that_of_the_checkout_or_unknown():
    inside = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert (commit() or inside).removesuffix("-dirty") == inside


# ---- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal():
    terminal = Terminal()
    with Progress(terminal) as progress:
        for done in range(4):
            progress("wino", done, 3)
        progress("standard", 2, 3)
        progress("standard", 3, 3)
    shown = terminal.getvalue()
    assert "wino: 100%" in shown and "3/3" in shown and "standard: 100%" in shown
    assert shown.index("wino") < shown.index("standard")


def test_progress_is_a_line_now_and_then_elsewhere():
    file = io.StringIO()
    with Progress(file) as progress:
        for done in range(101):
            progress("wino", done, 100)
    assert file.getvalue() == "wino: 100 of 100 problems decoded\n"
    file = io.StringIO()
    with Progress(file, seconds_between_lines=0) as progress:
        for done in (10, 20, 100):
            progress("wino", done, 100)
    lines = file.getvalue().splitlines()
    assert lines[0] == "wino: 10 of 100 problems decoded"
    assert lines[1].startswith("wino: 20 of 100 problems decoded, about ")
    assert lines[2] == "wino: 100 of 100 problems decoded"
