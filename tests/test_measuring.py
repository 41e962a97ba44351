"""“Measure it now”: the same problems under every decoder, an end at any pass, and figures that a command can repeat."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from wino_viz import cli
from wino_viz.evaluation.result_files import Results
from wino_viz.models.checkpoint import Checkpoint, load_checkpoint
from wino_viz.session import Session
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.registry import TASKS, fresh_problems
from wino_viz.ui import measuring
from wino_viz.ui.decoder_form import decoder_choices
from wino_viz.ui.explore_forms import DecodersForm, ShadowForm
from wino_viz.ui.figures import Here
from wino_viz.ui.measuring import Measuring, Part, Sample, answers, measure

SPECS = ["standard:tokens_per_step=16", "wino"]


class Counted:
    """A denoiser that counts its passes."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.device, self.model, self.passes = denoiser, denoiser.device, denoiser.model, 0

    def predict(self, forwards):
        self.passes += len(forwards)
        return self.denoiser.predict(forwards)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Checkpoint:
    return load_checkpoint(str(write_tiny_model(tmp_path_factory.mktemp("measuring") / "tiny")), device="cpu")


@pytest.fixture
def counted(tiny: Checkpoint) -> Counted:
    return Counted(tiny.denoiser)


@pytest.fixture
def session(tiny: Checkpoint, counted: Counted) -> Session:
    return Session(tiny.name, load=lambda name: replace(tiny, denoiser=counted))


def texts(updates) -> list[str]:
    return [json.loads(update.progress)["text"] for update in updates if update.progress]


def run(state: Measuring, session: Session, count: int = 2, specs=SPECS) -> Iterator[measuring.Update]:
    def samples() -> Iterator[Sample]:
        return answers([Part(session.measure("arithmetic", specs, count, seed=5), session.model, str, {})])

    return measure(state, "arithmetic", session, samples)


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Every pass is told, however fast."""
    monkeypatch.setattr(measuring, "SECONDS_BETWEEN", 0)


@pytest.mark.parametrize("module", [arithmetic, countdown, sudoku])
def test_fresh_problems_are_those_of_the_tasks_command(module, tmp_path: Path):
    task = module.__name__.rsplit(".", 1)[1]
    out = tmp_path / "problems.jsonl"
    assert module.main(["--split", "test", "--count", "3", "--seed", "9", "--out", str(out)]) == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == json.loads(
        json.dumps(list(fresh_problems(task, 3, 9)))
    )


def test_what_can_not_be_sampled_says_what_can():
    with pytest.raises(ValueError, match="no new problems of 'caption': choose one of arithmetic, countdown, sudoku"):
        fresh_problems("caption", 1, 0)
    with pytest.raises(ValueError, match="must be a whole number from 1, not 0"):
        fresh_problems(next(iter(TASKS)), 0, 0)


def test_problems_come_one_after_the_other_each_with_every_decoder(session, counted):
    measurement = session.measure("arithmetic", SPECS, 2, seed=5)
    passes = list(measurement)
    done = [item for item in passes if item is not None]
    assert [(item["index"], item["decoder"]) for item in done] == [(n, spec) for n in range(2) for spec in SPECS]
    assert len(passes) == counted.passes == sum(item["forward_passes"] for item in done)
    assert [row["n"] for row in measurement.rows()] == [2, 2]


def test_one_that_is_left_keeps_what_it_has_and_makes_no_further_pass(session, counted):
    measurement = session.measure("arithmetic", SPECS, 2, seed=5)
    passes = iter(measurement)
    while next(passes) is None:
        pass
    next(passes)
    passes.close()
    assert counted.passes == 9  # eight of sixteen tokens each, and one
    [row] = measurement.rows()
    assert (row["decoder"], row["n"], measurement.about()["n"]) == (SPECS[0], 1, 1)


def test_its_commands_measure_the_same_problems_again(session, tmp_path, monkeypatch, capsys):
    measurement = session.measure("arithmetic", SPECS, 2, seed=5)
    list(measurement)
    about = measurement.about()
    monkeypatch.chdir(tmp_path)
    making = about["data_command"].removeprefix("python -m wino_viz.tasks.arithmetic ").split()
    assert arithmetic.main(making) == 0
    evaluating = about["command"].removeprefix("python -m wino_viz ").split()
    evaluating[evaluating.index("--model") + 1] = session.model
    assert cli.main([*evaluating, "--out", "out.json"]) == 0

    def told(rows: list[dict]) -> list[tuple]:
        return [(row["decoder"], row["n"], row["correct"], row["mean_forward_passes"]) for row in rows]

    assert told(json.loads(Path("out.json").read_text())["rows"]) == told(measurement.rows())


def test_points_come_as_problems_finish(session, at_once):
    state = Measuring()
    seen = []
    for update in run(state, session):
        if update.moved:
            seen.append({row["decoder"]: row["n"] for row in state.here["arithmetic"].rows})
    first, second = SPECS
    assert seen[:4] == [{first: 1}, {first: 1, second: 1}, {first: 2, second: 1}, {first: 2, second: 2}]
    assert state.run == "" and state.done == (4, 4)


def test_progress_says_what_is_measured_and_how_much_is_left(session, at_once):
    shown = [json.loads(update.progress) for update in run(Measuring(), session) if update.progress]
    assert shown[0]["text"] == "Loading the model, once …"
    middle = [entry for entry in shown if entry["done"] == 1]
    assert middle[0]["text"] == "Measuring wino: problem 1 of 2"
    assert middle[0]["detail"].startswith("1 of 4 (Story), about ") and middle[0]["detail"].endswith(" left")
    assert middle[0]["of"] == 4
    assert shown[-1]["text"].startswith("Done: 4 of 4 answers (Story) in") and shown[-1]["look"] == "right"


def test_a_stop_ends_it_within_a_pass_and_what_was_measured_stays(session, counted, at_once):
    state = Measuring()
    updates = run(state, session)
    for update in updates:
        if update.moved:
            break
    stopped = measuring.stop(state)
    passes = counted.passes
    assert list(updates) == []
    assert counted.passes <= passes + 1
    assert texts([stopped]) == ["Stopped after 1 of 4 answers (Story); what was measured stays in the figure."]
    assert len(state.here["arithmetic"].rows) == 1
    assert texts([measuring.broken_off(state)]) == texts(
        [stopped]
    )  # said again, as the run's last words may land later
    assert texts([measuring.stop(state)]) == ["Nothing is being measured now."]


def test_wino_plus_is_measured_on_the_same_problems_as_a_series_of_its_own(session, tiny, at_once):
    plus = Session("tiny-wino-plus", load=lambda name: tiny)
    form = DecodersForm(decoder_choices(session, plus), settings=True)
    state = Measuring()
    said = texts(form.measure(session, state, "arithmetic", Results(), ["wino", "wino-plus"], "preset", 1))
    assert any(text.startswith("Measuring WINO+, τ 0.9: problem 1 of 1") for text in said)
    own, other = state.here["arithmetic"].runs
    assert (own.about["model"], other.about["model"]) == (session.model, "tiny-wino-plus")
    assert own.about["data_command"] == other.about["data_command"]
    assert [row["decoder"] for row in (*own.rows, *other.rows)] == ["wino:tau1=0.6:tau2=0.9", "threshold:tau=0.9"]


def test_a_second_measurement_adds_to_the_first(session):
    state = Measuring(here={"arithmetic": Here()})
    list(run(state, session, count=1, specs=SPECS[:1]))
    list(run(state, session, count=2, specs=SPECS[1:]))
    assert {row["decoder"]: row["n"] for row in state.here["arithmetic"].rows} == {SPECS[0]: 1, SPECS[1]: 2}


def test_one_person_measures_at_a_time_and_the_next_may_when_the_first_is_gone(session, monkeypatch):
    monkeypatch.setattr("wino_viz.session.SECONDS_FOR_A_PASS", 0)
    first = run(Measuring(), session)
    next(first), next(first)
    refused = list(run(Measuring(), session))
    assert texts(refused)[-1].startswith("Can’t measure: something else is being measured just now")
    first.close()  # the page was left
    assert texts(run(Measuring(), session, count=1))[-1].startswith("Done: 2 of 2 answers (Story)")


def test_a_long_one_makes_room_for_others(session, monkeypatch, at_once):
    monkeypatch.setattr(measuring, "MOST_SECONDS", 0)
    state = Measuring()
    said = texts(run(state, session))
    assert said[-1].startswith("Stopped after ten minutes, so that others can measure")
    assert state.run == ""
    assert texts(run(Measuring(), session, count=1))  # the place is free


def test_a_mistake_is_a_sentence_and_a_fault_says_that_it_is_none_of_yours(session):
    state = Measuring()
    assert texts(run(state, session, specs=["wino:tau1=7"]))[-1].startswith("Can’t measure: wino: tau1 must be")
    assert state.run == ""

    def broken() -> Iterator[Sample]:
        yield Sample("it", 0, 1)
        raise RuntimeError("the accelerator fell off")

    with pytest.raises(RuntimeError):
        list(measure(state, "arithmetic", session, broken))
    assert "not yours" in texts([measuring.broken_off(state)])[0] and state.run == ""


def test_decodings_go_on_while_somebody_measures(session):
    """The place for measurements is not one of the places for decodings."""
    held = run(Measuring(), session)
    next(held), next(held)
    done = threading.Event()

    def decode() -> None:
        for _ in session.start("Ana has 3 pears.", session.settings("threshold"), gen_length=16, block_length=16):
            pass
        done.set()

    threading.Thread(target=decode).start()
    assert done.wait(60)
    held.close()


def test_the_shadow_block_is_measured_a_row_at_a_time(session, at_once):
    state, seen = Measuring(), []
    for update in ShadowForm().measure(session, state, "arithmetic", None):
        if update.moved:
            seen.append(len(state.here[""].rows))
        if len(seen) == 3:
            measuring.stop(state)
    assert seen == [1, 2, 3]
    [run] = state.here[""].runs
    assert all(row["shadow_ms"] > 0 and row["shadow_tokens"] == row["block_length"] for row in run.rows)
    assert run.about["command"].startswith("python -m wino_viz bench --shadow") and run.about["device"]
