"""The figures of the Explore tab: their points, their words, and what is downloaded, all from the files alone."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_rows import SHADOW_ROW, scripted_items, write_result, write_shadow

from wino_viz.evaluation.intervals import wilson
from wino_viz.evaluation.result_files import GRID, SHADOW, TRADEOFF, Row, read_results
from wino_viz.evaluation.rows import rows_of
from wino_viz.evaluation.sweeps import SWEEP, spec_of
from wino_viz.session import Session
from wino_viz.ui.charts import LOOKS, MORE_LOOKS, PALETTE, percent
from wino_viz.ui.charts_tradeoff import pareto
from wino_viz.ui.figures import DIFFICULTY, KINDS, Here, figure_message, read_reported, shipped_weights

HOSTILE = "<b onclick=alert(1)>mini</b>"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files of every figure, of a second model too."""
    folder = tmp_path_factory.mktemp("files")
    weights = shipped_weights("llada-mini")
    write_result(folder, TRADEOFF, weights_sha256=weights)
    write_result(folder, TRADEOFF, model=HOSTILE, specs=["threshold:tau=0.5", "threshold:tau=0.9"])
    write_result(folder, GRID, weights_sha256=weights)
    whole = {
        "block_length": 128,
        "shadow_tokens": 128,
        "shadow_ms": 95.0,
        "full_attention_ms": 99.0,
        "shadow_mb": 220.0,
    }
    write_shadow(folder, [SHADOW_ROW, {**SHADOW_ROW, **whole}])
    return folder


def message(folder: Path, session: Session, name: str, here: Here | None = None, task: str = "arithmetic") -> dict:
    return json.loads(figure_message(KINDS[name], task, read_results(folder), session, here))


def measured(*specs: str, problems: int = 2) -> Here:
    rows = rows_of(specs, scripted_items(specs, problems), [{"task": "arithmetic"}] * problems)
    return Here().and_run(rows, {"command": "python -m wino_viz eval …", "n": problems, "device": "CPU"})


def named(message: dict, label: str, hollow: bool = False, plot: int = 0) -> dict:
    """The trace of a series, shipped or measured here."""
    [trace] = [
        trace
        for trace in message["plots"][plot]["data"]
        if trace.get("name") == label and ("-open" in str(trace["marker"].get("symbol"))) == hollow
    ]
    return trace


def test_a_picture_that_is_taken_elsewhere_says_of_bars_only_where_it_has_some(folder, session):
    credits = {name: message(folder, session, name)["credit"] for name in KINDS}
    assert {name for name, words in credits.items() if "bars are 95 % Wilson" in words} == {TRADEOFF, DIFFICULTY}
    assert all(words.endswith(" · wino_viz") for words in credits.values())


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "–"), (0.0, "0 %"), (0.985, "98 %"), (0.998, "99.8 %"), (0.99996, "99.996 %"), (1.0, "100 %")],
)
def test_a_hundred_percent_means_that_nothing_is_wrong(share, said):
    assert percent(share) == said


# ---- accuracy against step reduction


def test_every_decoder_is_a_line_over_its_settings_with_wilson_bars(folder, session):
    shown = message(folder, session, TRADEOFF)
    [file] = [file for file in read_results(folder).of(TRADEOFF, "arithmetic") if file.model == "llada-mini"]
    for name, label in (("standard", "Standard"), ("threshold", "Threshold"), ("wino", "WINO")):
        rows = [row for row in file.rows if row.name == name]
        trace = named(shown, label)
        assert trace["x"] == [row.step_reduction for row in rows]
        assert trace["y"] == pytest.approx([100 * row.correct / row.n for row in rows])
        for y, up, down, row in zip(
            trace["y"], trace["error_y"]["array"], trace["error_y"]["arrayminus"], rows, strict=True
        ):
            low, high = wilson(row.correct, row.n)
            assert (y - down, y + up) == pytest.approx((100 * low, 100 * high))
        assert len(rows) == len(SWEEP[name])
    assert shown["plots"][0]["layout"]["xaxis"]["type"] == "log"


def test_no_two_series_share_colour_or_shape(folder, session):
    traces = [t for t in message(folder, session, TRADEOFF)["plots"][0]["data"] if "marker" in t]
    assert len(traces) == len(SWEEP) + 1
    assert len({trace["marker"]["color"] for trace in traces}) == len(traces)
    assert len({trace["marker"]["symbol"] for trace in traces}) == len(traces)


def test_the_presets_point_is_the_larger_one(folder, session):
    trace = named(message(folder, session, TRADEOFF), "WINO")
    large = [n for n, size in enumerate(trace["marker"]["size"]) if size == max(trace["marker"]["size"])]
    assert [SWEEP["wino"][n]["tau1"] for n in large] == [session.settings("wino").tau1]
    assert "τ1 0.6, τ2 0.9" in trace["hovertext"][large[0]]


def test_a_further_model_is_a_series_of_its_own_and_its_name_is_text(folder, session):
    shown = message(folder, session, TRADEOFF)
    label = "Threshold · &lt;b onclick=alert(1)&gt;mini&lt;/b&gt;"
    assert named(shown, label)["line"]["dash"] == "dash"
    assert "<b onclick" not in json.dumps(shown["plots"])
    assert {row["model"] for row in shown["table"]} == {"llada-mini", HOSTILE}


def test_the_model_that_wino_plus_made_is_called_so(tmp_path, session):
    write_result(tmp_path, TRADEOFF)
    specs = ["standard:tokens_per_step=1", "threshold:tau=0.6", "threshold:tau=0.9"]
    write_result(tmp_path, TRADEOFF, model="llada-mini-wino-plus", specs=specs)
    shown = message(tmp_path, session, TRADEOFF)
    assert len(named(shown, "WINO+")["x"]) == 2 and len(named(shown, "WINO+ model, Standard")["x"]) == 1


rows_strategy = st.lists(
    st.tuples(st.integers(0, 20), st.floats(1, 128)).map(
        lambda drawn: Row(20, 20, drawn[0], 128 / drawn[1], "wino", {"name": "wino"}, drawn[1])
    ),
    min_size=1,
    max_size=20,
)


@given(rows_strategy)
def test_the_pareto_front_holds_all_that_none_beats(rows):
    def beats(a: Row, b: Row) -> bool:
        at_least = a.correct >= b.correct and a.step_reduction >= b.step_reduction
        return at_least and (a.correct, a.step_reduction) != (b.correct, b.step_reduction)

    front = pareto(rows)
    assert not any(beats(row, kept) for row in rows for kept in front)
    places = {(row.correct, row.step_reduction) for row in front}
    for row in rows:
        assert (row.correct, row.step_reduction) in places or any(beats(kept, row) for kept in front)


def test_what_is_measured_here_is_drawn_hollow_and_over_the_shipped_points(folder, session):
    before = message(folder, session, TRADEOFF)
    shown = message(folder, session, TRADEOFF, measured("wino:tau1=0.6:tau2=0.9", "threshold:tau=0.9"))
    assert named(shown, "WINO") == named(before, "WINO")
    new, old = named(shown, "WINO", hollow=True), named(shown, "WINO")
    assert (len(new["x"]), len(old["x"])) == (1, len(SWEEP["wino"]))
    assert new["marker"]["color"] == old["marker"]["color"]
    assert new["error_y"]["array"][0] + new["error_y"]["arrayminus"][0] > max(old["error_y"]["array"])
    data = shown["plots"][0]["data"]
    assert data.index(new) > data.index(old)
    assert "measured here" in new["hovertext"][0] and "2 problems" in new["hovertext"][0]


def test_a_newer_measurement_takes_the_place_of_an_older_one_of_the_same_settings():
    here = measured("wino", "standard").and_run(measured("wino", problems=4).rows, {"n": 4})
    assert {row["decoder"]: row["n"] for row in here.rows} == {"standard": 2, "wino": 4}


def test_the_words_compare_wino_with_standard_on_the_same_problems(folder, session):
    words = " ".join(message(folder, session, TRADEOFF)["sentences"])
    assert "WINO alone was right once and Standard alone once, a difference that chance may well explain" in words


# ---- by difficulty


def test_passes_and_accuracy_are_drawn_by_difficulty_at_the_preset(folder, session):
    shown = message(folder, session, DIFFICULTY, measured("wino:tau1=0.6:tau2=0.9"))
    [file] = [file for file in read_results(folder).of(TRADEOFF, "arithmetic") if file.model == "llada-mini"]
    [preset] = [row for row in file.rows if row.spec == spec_of(session.settings("wino"))]
    passes, right = named(shown, "WINO"), named(shown, "WINO", plot=1)
    assert passes["y"] == [group.mean_forward_passes for group in preset.groups]
    assert [round(x) for x in passes["x"]] == [2, 3, 4]
    assert right["y"] == pytest.approx([100 * group.correct / group.n for group in preset.groups])
    assert right["error_y"]["array"][0] == pytest.approx(
        100 * wilson(preset.groups[0].correct, preset.groups[0].n)[1] - right["y"][0]
    )
    assert len(named(shown, "WINO", hollow=True)["x"]) == 2  # two problems, of two difficulties
    assert shown["plots"][0]["layout"]["xaxis"]["title"]["text"] == "difficulty: steps"


def test_bars_of_neighbours_stand_apart(folder, session):
    places = [t["x"][0] for t in message(folder, session, DIFFICULTY)["plots"][1]["data"] if t["x"] != [None]]
    assert len({round(x, 3) for x in places}) == len(places)


def test_problems_without_difficulty_say_so(tmp_path, session):
    path = write_result(tmp_path, TRADEOFF)
    data = json.loads(path.read_text())
    for row in data["rows"]:
        del row["by_difficulty"]
    path.write_text(json.dumps(data))
    shown = message(tmp_path, session, DIFFICULTY)
    assert shown["plots"] == [] and shown["empty"]


def test_where_nothing_is_shipped_the_words_have_the_numbers_that_were_measured_here(tmp_path, session):
    """They were about shipped points alone, so that a first measurement was drawn without a word about it."""
    here = measured("wino:tau1=0.6:tau2=0.9", "threshold:tau=0.9", problems=3)

    def words(name: str, rows: Here = here) -> str:
        return " ".join(message(tmp_path, session, name, rows)["sentences"])

    settings = ("WINO, τ1 0.6, τ2 0.9", "Threshold, τ 0.9")
    for row, said in zip(here.rows, settings, strict=True):
        passes = f"{row['mean_forward_passes']:.1f}"
        assert f"{said}: 66.7 % right (2 of 3; 95 % interval 21 to 94 %), in {passes} passes" in words(TRADEOFF)
    assert "WINO takes 12.0 passes at steps 4 and 10.0 at 2: 2.0 more" in words(DIFFICULTY)
    assert "Threshold takes 16.0 passes at steps 4 and 12.0 at 2: 4.0 more" in words(DIFFICULTY)
    assert "WINO takes 10.0 passes at steps 2." in words(DIFFICULTY, measured("wino", problems=1))
    assert "τ1 0.6 with τ2 0.9 (67 %, interval 21 to 94 %, in 11.0 passes)" in words(GRID)
    assert "Every measured cell rests on 3 problems here." in words(GRID)
    assert "a pass takes 1.25 times as long" in words(SHADOW, Here().and_run([SHADOW_ROW], {}))


def test_what_was_measured_here_alone_is_not_said_to_lack_a_difficulty(tmp_path, session):
    shown = message(tmp_path, session, DIFFICULTY, here=measured("wino:tau1=0.6:tau2=0.9"))
    assert shown["plots"]
    assert not any("no difficulty" in sentence for sentence in shown["sentences"])


# ---- τ1 × τ2


def test_every_cell_says_its_value_and_carries_its_settings(folder, session):
    accuracy, passes = message(folder, session, GRID, measured("wino:tau1=0.5:tau2=0.7"))["plots"]
    assert accuracy["picks"] and passes["picks"]
    [heat], [other] = accuracy["data"], passes["data"]
    [file] = read_results(folder).of(GRID, "arithmetic")
    for row in file.rows:
        i, j = heat["y"].index(f"{row.settings['tau1']:g}"), heat["x"].index(f"{row.settings['tau2']:g}")
        assert heat["customdata"][i][j] == [row.settings["tau1"], row.settings["tau2"]]
        assert heat["z"][i][j] == row.accuracy and other["z"][i][j] == row.mean_forward_passes
        assert heat["text"][i][j].split("<br>")[0] == f"{100 * row.accuracy:.0f} %"
        assert other["text"][i][j].split("<br>")[0] == f"{row.mean_forward_passes:.1f}"
    i, j = heat["y"].index("0.5"), heat["x"].index("0.7")
    assert [text for line in heat["text"] for text in line if "◇" in text] == [heat["text"][i][j]]
    assert "<br>◇ 50 %" in heat["text"][i][j]


def test_the_presets_cell_is_framed(folder, session):
    [accuracy, _] = message(folder, session, GRID)["plots"]
    [heat] = accuracy["data"]
    frame = accuracy["layout"]["shapes"][-1]
    usual = session.settings("wino")
    middle = (frame["x0"] + frame["x1"]) / 2, (frame["y0"] + frame["y1"]) / 2
    assert (heat["x"][round(middle[0])], heat["y"][round(middle[1])]) == (f"{usual.tau2:g}", f"{usual.tau1:g}")


# ---- the shadow block


def test_the_shadow_block_is_drawn_by_length_with_and_without(folder, session):
    here = Here().and_run([{**SHADOW_ROW, "shadow_ms": 90.0}], {})
    time, memory = message(folder, session, SHADOW, here, task="sudoku")["plots"]
    shown = {trace["name"]: trace for trace in time["data"] if "-open" not in trace["marker"]["symbol"]}
    assert {name: trace["y"] for name, trace in shown.items()} == {
        "without a shadow": [60.0],
        "with it, 2 blocks": [75.0],
        "as long without, 2 blocks": [78.0],
        "with it, the whole answer one block": [95.0],
        "as long without, the whole answer one block": [99.0],
    }
    assert [trace["y"] for trace in memory["data"] if "-open" not in trace["marker"]["symbol"]] == [
        [200.0],
        [210.0],
        [220.0],
    ]
    assert [90.0] in [trace["y"] for trace in time["data"] if "-open" in trace["marker"]["symbol"]]


def test_the_shadows_words_are_those_of_the_longest_sequence(folder, session):
    words = " ".join(message(folder, session, SHADOW)["sentences"])
    assert "At 224 tokens with a shadow of 64, a pass takes 1.25 times as long, and 1.050 times the memory" in words


# ---- data, sources, notes


@pytest.mark.parametrize("name", list(KINDS))
def test_both_downloads_hold_shipped_and_measured_points(folder, session, name):
    here = Here().and_run([{**SHADOW_ROW}], {}) if name == SHADOW else measured("wino:tau1=0.6:tau2=0.9")
    shown = message(folder, session, name, here)
    rows = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert len(rows) == len(shown["table"]) > 1
    assert {row["measured"] for row in rows} == {"shipped", "here"}
    files = read_results(folder).of(KINDS[name].source, "" if name == SHADOW else "arithmetic")
    assert [file["file"] for file in shown["json"]["shipped"]] == [file.name for file in files]
    assert all(file["command"] and file["rows"] for file in shown["json"]["shipped"])
    assert len(shown["json"]["measured_here"][0]["rows"]) == 1


def test_the_data_are_the_figures_numbers(folder, session):
    rows = list(csv.DictReader(io.StringIO(message(folder, session, TRADEOFF)["csv"])))
    trace = named(message(folder, session, TRADEOFF), "WINO")
    own = [row for row in rows if row["decoder"].startswith("wino") and row["model"] == "llada-mini"]
    assert [float(row["step_reduction"]) for row in own] == pytest.approx(trace["x"], abs=1e-4)
    assert [100 * float(row["accuracy"]) for row in own] == pytest.approx(trace["y"], abs=0.01)
    assert [100 * float(row["accuracy_high"]) for row in own] == pytest.approx(
        [y + up for y, up in zip(trace["y"], trace["error_y"]["array"], strict=True)], abs=0.01
    )


def test_each_file_tells_where_it_comes_from(folder, session):
    sources = dict(message(folder, session, GRID)["sources"][0])
    assert sources["command"] == "python -m wino_viz eval …" and sources["commit"] == "1" * 40
    assert sources["weights (SHA-256)"] == shipped_weights("llada-mini")
    assert sources["problems per decoder"] == "6" and sources["device"] == "CPU, test, 1 thread"


def test_other_weights_are_said_of_their_file_alone(folder, session, tmp_path):
    assert message(folder, session, GRID)["notes"] == []
    write_result(tmp_path, GRID, weights_sha256="0" * 64)
    [note] = message(tmp_path, session, GRID)["notes"]
    assert note.startswith("grid-arithmetic-llada-mini.json: measured with other weights of llada-mini")
    [note] = message(folder, session, TRADEOFF)["notes"]
    assert HOSTILE in note and "not a model of this app" in note


def test_without_files_each_figure_says_how_to_make_them(tmp_path, session):
    for name in KINDS:
        shown = message(tmp_path, session, name)
        assert shown["plots"] == [] and shown["table"] == []
        assert ("bench --shadow" if name == SHADOW else "make results") in shown["empty"]


def test_a_broken_file_is_named_in_its_figure_alone(tmp_path, session):
    (tmp_path / "grid-arithmetic-llada-mini.json").write_text("{")
    assert message(tmp_path, session, GRID)["notes"][0].startswith("grid-arithmetic-llada-mini.json can’t be shown")
    assert message(tmp_path, session, TRADEOFF)["notes"] == []


def test_every_colour_has_a_dark_one():
    used = {colour for colour, _ in (*LOOKS.values(), *MORE_LOOKS)}
    assert used <= PALETTE.keys()
    assert not set(PALETTE) & set(PALETTE.values()) - {"#ffffff"}


def test_drawing_needs_no_model(folder):
    """Of the page's figures, nothing imports torch."""
    script = (
        "import sys; from pathlib import Path; from wino_viz.session import Session; "
        "from wino_viz.evaluation.result_files import read_results; from wino_viz.ui.figures import *; "
        f"files = read_results(Path({str(folder)!r})); "
        "[figure_message(kind, 'arithmetic', files, Session()) for kind in KINDS.values()]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1]).returncode == 0


def test_published_tables_are_whole_and_their_ratios_add_up():
    reported = read_reported()
    assert {paper["arxiv"] for paper in reported["papers"]} == {"2507.18578", "2605.16941"}
    assert set(reported["beside"]) == set(KINDS)
    checked = 0
    for paper in reported["papers"]:
        for table in paper["tables"]:
            assert all(len(row) == len(table["columns"]) for row in table["rows"])
            assert all(note.strip() for note in table["notes"])
            for row in table["rows"]:
                cells = dict(zip(table["columns"], row, strict=True))
                passes, ratio = cells.get("passes"), cells.get("step reduction")
                if passes and ratio and "tokens" not in row[0]:  # of 256 tokens
                    assert float(ratio.rstrip("×")) == pytest.approx(256 / float(passes), abs=0.025)
                    checked += 1
    assert checked >= 18
