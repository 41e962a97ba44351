"""The session on the real embedded model: one model for everybody, decodings that can be watched, sentences for errors."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from wino_viz.decoding import StandardSettings, WinoSettings, decode, judge_tokens
from wino_viz.models.checkpoint import EMBEDDED, Checkpoint
from wino_viz.pictures import GREY
from wino_viz.problems import known_problem
from wino_viz.session import ModelUnavailable, Picture, Session
from wino_viz.tasks.scenes import caption_record, compose, draw
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.trace import Trace

SIZE = {"gen_length": 64, "block_length": 32}
QUESTION = "Ana has 12 pears. Ana buys 5 more pears. How many pears does Ana have now?"
RECORD = {"task": "arithmetic", "question": QUESTION, "answer": 17}


class Counted:
    """A denoiser that counts its forward passes."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.passes = denoiser, 0

    def predict(self, forwards):
        self.passes += 1
        return self.denoiser.predict(forwards)


@pytest.fixture
def counted(mini: Checkpoint) -> Counted:
    return Counted(mini.denoiser)


@pytest.fixture
def session(mini: Checkpoint, counted: Counted) -> Session:
    return Session(load=lambda name: replace(mini, denoiser=counted))


def finished(session: Session, question: str = QUESTION, spec: str = "wino", **arguments) -> Trace:
    decoding = session.start(question, session.parse(spec), **{**SIZE, **arguments})
    for _ in decoding:
        pass
    return decoding.trace()


# ---- what is loaded, and when


def test_the_app_is_built_without_torch():
    code = """import sys, app, gradio
assert not {'torch', 'transformers'} & set(sys.modules)
radios = [part for part in app.demo.blocks.values() if isinstance(part, gradio.Radio)]
print(app.demo.title, any(key == "wino-plus" for radio in radios for _, key in radio.choices))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    offered = (EMBEDDED / "llada-mini-wino-plus").is_dir()
    assert done.stdout.startswith("Watch a diffusion model") and done.stdout.strip().endswith(str(offered))


def test_the_model_is_loaded_once_whoever_asks(mini):
    loads = []

    def load(name: str) -> Checkpoint:
        time.sleep(0.05)
        loads.append(name)
        return mini

    session = Session(load=load)
    assert not session.loaded
    threads = [threading.Thread(target=session.checkpoint) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["llada-mini"] and session.loaded


def test_a_model_that_cannot_be_loaded_is_a_sentence_and_is_tried_again(mini):
    answers = [OSError("the disk is gone"), mini]

    def load(name: str) -> Checkpoint:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    session = Session(load=load)
    with pytest.raises(ModelUnavailable, match=r"the model llada-mini can't be loaded: the disk is gone"):
        session.start(QUESTION, WinoSettings())
    assert session.start(QUESTION, WinoSettings(), **SIZE).header["model"] == "llada-mini"


def test_a_model_that_does_not_exist_says_so():
    with pytest.raises(ModelUnavailable, match=r"no model 'nowhere'"):
        Session("nowhere").start(QUESTION, WinoSettings())


# ---- decoding


def test_passes_arrive_one_by_one_and_end_in_the_trace_that_the_rules_make(session, mini):
    decoding = session.start(QUESTION, session.settings("wino"), **SIZE)
    assert decoding.header["prompt"] == QUESTION and decoding.trace().steps == ()
    made = list(decoding)
    trace = decoding.trace()
    assert [p.number for p in made] == list(range(1, trace.forward_passes + 1))
    assert [p.step for p in made] == list(trace.steps)
    direct = decode(session.settings("wino").start(mini.canvas(QUESTION, **SIZE)), mini.denoiser)
    assert [timed.step for timed in direct] == list(trace.steps)
    assert Trace.from_json(trace.to_json()) == trace
    assert mini.mask_id not in trace.output_ids and trace.text == mini.text(trace.output_ids)


def test_each_pass_brings_the_texts_that_are_new_in_it(session):
    decoding = session.start(QUESTION, session.settings("wino"), **SIZE)
    known: set[int] = set()
    for made in decoding:
        assert not known & made.pieces.keys()
        known |= made.pieces.keys()
        assert made.step.shown_ids() <= known


def test_only_the_model_is_timed(session):
    decoding = session.start(QUESTION, session.settings("wino"), **SIZE)
    started = time.perf_counter()
    for _ in decoding:
        time.sleep(0.05)
    whole = time.perf_counter() - started
    timing = decoding.trace().timing
    assert len(timing["per_pass"]) == decoding.trace().forward_passes
    assert timing["model_seconds"] == pytest.approx(sum(timing["per_pass"]), abs=1e-5)
    assert timing["model_seconds"] < whole - 0.05 * decoding.trace().forward_passes + 0.01


def test_closing_the_iterator_stops_after_the_pass_under_way_and_the_next_run_works(session, counted):
    decoding = session.start(QUESTION, StandardSettings(), **SIZE)
    passes = iter(decoding)
    for _ in range(3):
        next(passes)
    assert session.running == 1
    passes.close()
    assert session.running == 0 and counted.passes == 3
    stopped = decoding.trace()
    assert stopped.forward_passes == 3 and Trace.from_json(stopped.to_json()) == stopped
    assert finished(session).forward_passes == counted.passes - 3


def test_nothing_runs_before_the_first_pass_is_asked_for(session, counted):
    session.start(QUESTION, StandardSettings(), **SIZE)
    assert counted.passes == 0 and session.running == 0


def test_two_threads_make_the_traces_that_each_makes_alone(session):
    jobs = [
        (QUESTION, "wino", {}),
        (session.new_problem(3, 1)["question"], "threshold", {"temperature": 0.7, "seed": 5}),
    ]
    alone = [finished(session, question, spec, **arguments) for question, spec, arguments in jobs]
    together: dict[int, Trace] = {}

    def run(n: int) -> None:
        question, spec, arguments = jobs[n]
        together[n] = finished(session, question, spec, **arguments)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[0], together[1]] == alone


# ---- settings and problems


def test_settings_start_from_the_preset_that_ships_with_the_model(session):
    preset = session.checkpoint().preset("arithmetic")
    assert (session.gen_length, session.block_length) == (preset.gen_length, preset.block_length)
    assert session.settings("wino") == WinoSettings(**preset.decoders.get("wino", {})) == session.parse("wino")
    assert session.settings("wino", tau1=1).tau1 == 1
    assert session.settings("standard", tokens_per_step=4.0) == StandardSettings(tokens_per_step=4)


def test_a_new_problem_has_the_steps_asked_for_and_depends_on_its_seed_alone(session):
    assert session.new_problem(5, 3) == session.new_problem(5, 3) != session.new_problem(5, 4)
    assert session.new_problem(5, 3)["steps"] == 5


@pytest.mark.parametrize("task", ["countdown", "sudoku"])
def test_a_new_problem_of_another_task_depends_on_its_seed_alone_too(session, task):
    record = session.new_problem(5, 3, task)
    assert record["task"] == task and record == session.new_problem(2, 3, task) != session.new_problem(5, 4, task)


@pytest.mark.parametrize("task", ["caption", "chess", None, ["sudoku"]])
def test_a_task_without_new_problems_is_a_sentence(session, task):
    with pytest.raises(
        ValueError, match=r"there are no new problems of .*: choose one of arithmetic, countdown, sudoku"
    ):
        session.new_problem(4, 0, task)


PRESETS = {
    "vqa": {"gen_length": 16, "block_length": 16},
    "sudoku": {"gen_length": 32, "block_length": 32, "decoders": {"wino": {"tau1": 0.5}}},
    "arithmetic": {"gen_length": 128, "block_length": 64},
}


def test_a_model_knows_the_tasks_in_words_of_its_presets(tmp_path):
    (tmp_path / "presets.json").write_text(json.dumps(PRESETS))
    knows = Session(str(tmp_path))
    assert knows.tasks == ("arithmetic", "sudoku")
    assert knows.settings("wino", "sudoku").tau1 == knows.parse("wino", "sudoku").tau1 == 0.5
    assert knows.settings("wino").tau1 == WinoSettings().tau1
    assert Session("nobody/knows").tasks == ("arithmetic",)


def test_a_typed_sudoku_is_asked_in_the_models_words_on_a_canvas_that_suits_it(mini, tmp_path):
    (tmp_path / "presets.json").write_text(json.dumps(PRESETS))
    knows = Session(str(tmp_path), load=lambda name: mini)
    decoding = knows.start("3102 2... .21. .32.", WinoSettings())
    assert decoding.prompt == "Fill in the zeros of this 4x4 sudoku: 3102200002100320"
    assert (decoding.canvas.gen_length, decoding.canvas.block_length) == (32, 32)
    assert decoding.header["record"] == decoding.problem == {"task": "sudoku", "puzzle": "3102200002100320"}
    assert knows.start(QUESTION, WinoSettings(), **SIZE, record=RECORD).header["record"] == RECORD
    assert "record" not in knows.start(QUESTION, WinoSettings(), **SIZE).header


def test_a_target_out_of_reach_is_no_fault_of_the_answer_alone(session):
    record = {"task": "countdown", "numbers": [2, 2, 2], "target": 100}
    assert session.judge(record, "2+2=4\n4+2=6")["text"] == (
        "Wrong: it ends in 6, the target is 100. No answer is right: this target can’t be reached."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"prompt": " \n"}, "the prompt is empty: write a problem"),
        ({"prompt": 5}, "the prompt must be text, not 5"),
        ({"prompt": None}, "the prompt must be text, not nothing"),
        ({"prompt": "\ud800"}, "half a character .* in the prompt"),
        ({"prompt": "pear " * 900}, "the prompt is too long: .* room for 256 beside 64"),
        ({"prompt": "pear " * 90_000}, "the prompt is too long: it has 450,000 characters, and .* room for about"),
        ({"gen_length": 60}, "gen_length 60 is not a multiple of block_length 32: choose one of 1, 2, 3"),
        ({"gen_length": 0}, "gen_length must be a whole number, 1 to 8192, not 0"),
        ({"gen_length": 64.5}, "gen_length must be a whole number, 1 to 8192, not 64.5"),
        ({"gen_length": "many"}, "gen_length must be a whole number"),
        ({"gen_length": 4096, "block_length": 64}, "gen_length must be less than 320, the context of llada-mini"),
        ({"block_length": 0}, "block_length must be a whole number, 1 to 64, not 0"),
        ({"block_length": [32]}, "block_length must be a whole number"),
        ({"temperature": float("nan")}, "temperature must be a number, 0 to 10, not nan"),
        ({"temperature": -1}, "temperature must be a number"),
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"seed": -1}, "seed must be a whole number, 0 to 4294967295, not -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
    ],
)
def test_what_cannot_be_decoded_is_one_sentence(session, arguments, sentence):
    given = {"prompt": QUESTION, "settings": WinoSettings(), **SIZE, **arguments}
    with pytest.raises(ValueError, match=sentence) as refused:
        session.start(**given)
    assert "\n" not in str(refused.value)
    assert session.running == 0


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("nonsense", {}, "there is no decoder 'nonsense': choose one of standard, threshold, factor, prophet, wino"),
        (["wino"], {}, "there is no decoder a list"),
        ("wino", {"tau1": 1.5}, "tau1 must be a number, 0 to 1, not 1.5"),
        ("wino", {"tau2": float("nan")}, "tau2 must be a number, 0 to 1, not nan"),
        ("wino", {"tau2": None}, "tau2 must be a number, 0 to 1, not nothing"),
        ("threshold", {"tau": "high"}, "tau must be a number"),
        ("standard", {"tokens_per_step": 0}, "tokens_per_step must be a whole number, at least 1, not 0"),
        ("standard", {"tokens_per_step": 2.5}, "tokens_per_step must be a whole number"),
        ("standard", {"remasking": "both"}, "remasking must be low_confidence or random"),
    ],
)
def test_settings_out_of_range_are_one_sentence(session, name, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        session.settings(name, **values)


@pytest.mark.parametrize("spec", [None, 7, {"name": "wino"}, "wino:tau1", "wino:tau1=x", "wino:tau9=1", ""])
def test_a_spec_that_makes_no_sense_is_one_sentence(session, spec):
    with pytest.raises(ValueError):
        session.parse(spec)


# ---- verdicts


def test_the_answer_counts_only_while_the_prompt_is_the_problem(session):
    assert session.start(QUESTION, WinoSettings(), **SIZE, record=RECORD).problem["answer"] == 17
    assert session.start(f"  {QUESTION}\n", WinoSettings(), **SIZE, record=RECORD).problem["answer"] == 17
    edited = session.start(QUESTION.replace("12", "13"), WinoSettings(), **SIZE, record=RECORD)
    assert "answer" not in edited.problem


@pytest.mark.parametrize(
    ("record", "text", "correct", "words"),
    [
        (RECORD, "12+5=17\n#### 17", True, "Right: 17."),
        (RECORD, "12+5=18\n#### 18", False, "Wrong: it says 18, the answer is 17. Wrong on the way: 12+5=18."),
        (RECORD, "12+5", False, "Wrong: it says nothing, the answer is 17."),
        (RECORD, "Rosa: 12+5=17\n#### 17", True, "Right: 17. Not in the question: Rosa."),
        (
            {"question": "Hello"},
            "1+1=3\n#### 3",
            None,
            "It says 3; the answer is not known here. Wrong on the way: 1+1=3.",
        ),
        ({"question": "Hello"}, "", None, "No known answer to compare with."),
    ],
)
def test_a_verdict_says_what_is_known(session, record, text, correct, words):
    judged = session.judge(record, text)
    assert (judged["correct"], judged["text"]) == (correct, words)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "presets.json can't be read"),
        ("[]", "presets.json must hold a JSON object"),
        ('{"arithmetic": []}', "presets.json: "),
        ('{"arithmetic": {"length": 5}}', "presets.json: .*length"),
    ],
)
def test_damaged_presets_are_named_before_anything_is_loaded(tmp_path: Path, text: str, sentence: str):
    (tmp_path / "presets.json").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        Session(str(tmp_path))


# ---- pictures

SCENE = compose(5, count=2)
CAPTION = caption_record(SCENE, "scene.png", Random(0))
SHORT = {"gen_length": 16, "block_length": 16}


@pytest.fixture(scope="module")
def looking(sees: Checkpoint) -> Session:
    return Session("mmada-mini", load=lambda name: sees, task="caption")


@pytest.fixture(scope="module")
def picture(looking: Session) -> Picture:
    return looking.see(draw(SCENE))


def about(session: Session, picture: Picture, prompt: str = CAPTION_PROMPTS[0], spec: str = "wino", **arguments):
    decoding = session.start(prompt, session.parse(spec), picture=picture, **{**SHORT, **arguments})
    for _ in decoding:
        pass
    return decoding


def test_a_picture_is_seen_as_the_codes_stand_for_it(sees: Checkpoint, picture: Picture):
    side = sees.reader.side
    assert picture.codes.shape == (side, side)
    assert picture.seen.size == (sees.reader.resolution, sees.reader.resolution)
    assert picture.seen == sees.reader.picture(picture.codes)
    small = [np.asarray(image.convert("RGB").resize((16, 16)), dtype=float) for image in (picture.image, picture.seen)]
    assert np.abs(small[0] - small[1]).mean() < 30  # of 255: it is that picture, however roughly


def test_the_trace_of_a_picture_alone_brings_the_picture_back(looking: Session, sees: Checkpoint, picture: Picture):
    trace = Trace.from_json(about(looking, picture).trace().to_json())
    place = trace.extra["picture"]
    ids = trace.prompt_ids[place["first"] :][: place["rows"] * place["columns"]]
    codes = np.array(ids).reshape(place["rows"], place["columns"]) - place["offset"]
    assert np.array_equal(codes, picture.codes)
    assert sees.reader.picture(codes) == picture.seen


def test_another_picture_is_another_answer(looking: Session, picture: Picture):
    other = looking.see(draw(compose(6, count=4)))
    assert about(looking, picture).trace().text != about(looking, other).trace().text


def test_a_blank_picture_is_grey(looking: Session, sees: Checkpoint):
    blank = looking.blank()
    assert blank.image.getcolors() == [(sees.reader.resolution**2, GREY)]
    assert blank.codes.shape == (sees.reader.side, sees.reader.side)


def test_a_model_and_what_it_cannot_take_are_one_sentence(looking: Session, session: Session, picture: Picture):
    for refused in (
        lambda: session.see(Image.new("RGB", (64, 64))),
        session.blank,
        lambda: session.start(QUESTION, WinoSettings(), picture=picture, **SIZE),
    ):
        with pytest.raises(ValueError, match="llada-mini reads text alone and can't see a picture"):
            refused()
    with pytest.raises(ValueError, match="mmada-mini answers questions about a picture: bring one"):
        looking.start("What is in it?", WinoSettings(), **SIZE)


def test_each_task_has_its_own_lengths(sees: Checkpoint):
    for task in ("caption", "vqa"):
        session, preset = Session("mmada-mini", load=lambda name: sees, task=task), sees.preset(task)
        assert (session.gen_length, session.block_length) == (preset.gen_length, preset.block_length)
        assert session.lengths(task) == (preset.gen_length, preset.block_length)
        assert session.settings("wino") == WinoSettings(**preset.decoders.get("wino", {}))


def test_words_about_what_is_seen_need_the_picture(sees: Checkpoint, picture: Picture):
    counted = Counted(sees.denoiser)
    session = Session("mmada-mini", load=lambda name: replace(sees, denoiser=counted), task="caption")
    decoding = about(session, picture)
    passes = counted.passes
    told = decoding.words_from_picture()
    assert counted.passes == passes + 2
    output = decoding.trace().output_ids
    assert [(word.position, word.id) for word in told] == [
        (position, token) for position, token in enumerate(output) if token not in sees.end_ids
    ]
    assert all(word.piece == sees.pieces([word.id])[word.id] for word in told)
    assert all(0 <= share <= 1 for word in told for share in (word.with_picture, word.blank))
    assert sum(word.with_picture for word in told) > sum(word.blank for word in told)


def test_words_are_judged_under_the_guidance_of_the_run(sees: Checkpoint, looking: Session, picture: Picture):
    guided = looking.start("What is in it?", WinoSettings(), picture=picture, cfg_scale=2.0)
    assert all(made.step for made in guided)
    asked = judge_tokens(guided.canvas.prompt_ids, guided.trace().output_ids, sees.mask_id)
    expected = sees.denoiser.predict([replace(asked, guidance=2.0, prompt_length=len(guided.canvas.prompt_ids))])[0]
    unguided = sees.denoiser.predict([asked])[0]
    told = guided.words_from_picture()
    assert [word.with_picture for word in told] == [expected.given_probability[word.position] for word in told]
    assert not np.array_equal(expected.given_probability, unguided.given_probability)


def test_a_trace_goes_on_with_its_own_picture_alone(looking: Session, picture: Picture):
    trace = about(looking, picture).trace()
    with pytest.raises(ValueError, match="the trace is about another picture"):
        looking.branch(trace, 1, picture=looking.blank())
    again = looking.branch(trace, 1, picture=picture)
    assert all(made.step for made in again)
    assert again.trace().output_ids == trace.output_ids and again.words_from_picture()


def test_without_anything_to_see_no_word_comes_from_the_picture(looking: Session):
    told = about(looking, looking.blank()).words_from_picture()
    assert told and all(word.with_picture == word.blank for word in told)


def test_words_are_compared_at_the_end_and_about_a_picture_only(looking: Session, session: Session, picture: Picture):
    decoding = looking.start(CAPTION_PROMPTS[0], WinoSettings(), picture=picture, **SHORT)
    with pytest.raises(ValueError, match="only a finished answer about a picture"):
        decoding.words_from_picture()
    decoding = session.start(QUESTION, WinoSettings(), **SIZE)
    for _ in decoding:
        pass
    with pytest.raises(ValueError, match="only a finished answer about a picture"):
        decoding.words_from_picture()


VQA = {"task": "vqa", "image": "scene.png", "question": "How many stars are there?", "answer": "Two."}


@pytest.mark.parametrize(
    ("prompt", "record", "judged_by"),
    [
        (QUESTION, None, {"task": "arithmetic", "question": QUESTION}),
        (f" {QUESTION} ", {"question": QUESTION, "answer": 17}, {"question": QUESTION, "answer": 17}),
        ("How many?", RECORD, {"task": "arithmetic", "question": "How many?"}),
        (VQA["question"], VQA, VQA),
        (f"{VQA['question']}\n", VQA, VQA),
        ("What?", VQA, {"task": "vqa", "image": "scene.png", "question": "What?"}),
        (CAPTION_PROMPTS[0], CAPTION, CAPTION),
        (CAPTION_PROMPTS[-1], CAPTION, CAPTION),
        ("Say it!", {**CAPTION, "prompt": "Say it!"}, {**CAPTION, "prompt": "Say it!"}),
        ("Say what?", CAPTION, {"task": "vqa", "image": "scene.png", "question": "Say what?"}),
        (CAPTION_PROMPTS[0], VQA, {"task": "vqa", "image": "scene.png", "question": CAPTION_PROMPTS[0]}),
    ],
)
def test_a_prompt_is_judged_by_the_record_that_asks_it(prompt: str, record, judged_by):
    assert known_problem(prompt, record) == judged_by


def test_an_answer_about_a_picture_without_a_record_is_no_word_problem(looking: Session, picture: Picture):
    decoding = looking.start("How many stars are there?", WinoSettings(), picture=picture, **SHORT)
    assert decoding.problem["task"] == "vqa"
    assert decoding.verdict() == {
        "correct": None,
        "faithful": True,
        "text": "There is no known answer to compare with.",
    }


def test_a_caption_is_judged_by_its_record_however_it_was_asked_for(looking: Session, picture: Picture):
    decoding = looking.start(CAPTION_PROMPTS[1], WinoSettings(), picture=picture, record=CAPTION, **SHORT)
    assert decoding.problem == CAPTION
    assert looking.judge(CAPTION, CAPTION["caption"])["correct"] is True


@pytest.mark.parametrize("name", [["gsm8k"], {}, 3, None])
def test_a_preset_whose_name_is_no_name_is_a_sentence(session, name):
    with pytest.raises(ValueError, match=r"there is no preset .* for llada-mini: it has none"):
        session.named_preset(name)
