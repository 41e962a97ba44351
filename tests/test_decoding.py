"""What every decoder promises (the seam of `decoding/base.py`), and driving them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scripted import MASK, RandomDenoiser, a_canvas

from wino_viz.decoding import Canvas, Predictions, StandardSettings, decode, decode_many, parse_spec, record
from wino_viz.trace import Trace, TraceError, shown_ids

SPECS = [
    "standard:tokens_per_step=3",
    "standard:remasking=random",
    "threshold:tau=0.8",
    "factor:f=0.5",
    "prophet:gap_early=5:gap_middle=1",
    "wino:tau1=0.4:tau2=0.4",
]
every_decoder = pytest.mark.parametrize("settings", [parse_spec(spec) for spec in SPECS], ids=SPECS)


def answer(forward, token=1):
    rows = len(forward.rows)
    ids, certain = np.full((rows, 2), (token, token + 1)), np.full((rows, 2), (0.5, 0.25))
    return Predictions(ids[:, 0], certain[:, 0], np.zeros(rows), ids, certain)


# ---- the canvas


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompt_ids": ()}, "the prompt is empty: it must have at least one token"),
        ({"gen_length": 0}, "gen_length must be a whole number, 1 to 8192, not 0"),
        ({"gen_length": 8193}, "gen_length must be a whole number, 1 to 8192, not 8193"),
        ({"gen_length": 64.0}, "gen_length must be a whole number, 1 to 8192, not 64.0"),
        ({"block_length": 0}, "block_length must be a whole number, 1 to 12, not 0"),
        ({"block_length": 24}, "block_length must be a whole number, 1 to 12, not 24"),
        (
            {"block_length": 5},
            "gen_length 12 is not a multiple of block_length 5: choose one of 1, 2, 3, 4, 6, 12",
        ),
        ({"temperature": -1}, "temperature must be a number, 0 to 10, not -1"),
        ({"temperature": float("nan")}, "temperature must be a number, 0 to 10, not nan"),
        ({"seed": -1}, "seed must be a whole number, 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be a whole number, 0 to 4294967295, not 4294967296"),
    ],
)
def test_a_canvas_outside_its_range_is_named(wrong, message):
    with pytest.raises(ValueError) as error:
        Canvas(**{"prompt_ids": (7,), "mask_id": MASK, "gen_length": 12, "block_length": 6} | wrong)
    assert str(error.value) == message


@pytest.mark.parametrize("prompt", [[7, 8], (7, 8), np.array([7, 8])])
def test_a_prompt_may_come_as_any_sequence(prompt):
    assert Canvas(prompt, MASK).prompt_ids == (7, 8)


# ---- request and update


@every_decoder
def test_asking_twice_changes_nothing(settings):
    decoder = settings.start(a_canvas(8, 4))
    assert decoder.request() is decoder.request()


@every_decoder
def test_an_answer_without_a_request_is_refused(settings):
    decoder = settings.start(a_canvas(8, 4))
    forward = decoder.request()
    decoder.update(answer(forward))
    with pytest.raises(RuntimeError, match="call request"):
        decoder.update(answer(forward))


@every_decoder
def test_after_the_end_there_is_no_request(settings):
    decoder = settings.start(a_canvas(8, 4))
    for _ in decode(decoder, RandomDenoiser()):
        pass
    assert decoder.request() is None and decoder.request() is None
    with pytest.raises(RuntimeError):
        decoder.update(None)


@every_decoder
def test_the_canvas_starts_all_masked_and_follows_the_steps(settings):
    canvas = a_canvas(8, 4)
    decoder = settings.start(canvas)
    seen = [decoder.canvas]
    steps = []
    for timed in decode(decoder, RandomDenoiser()):
        steps.append(timed.step)
        seen.append(decoder.canvas)
    assert seen[0] == (MASK,) * 8
    assert seen == list(recorded(settings, canvas, steps).canvases())


@every_decoder
def test_a_request_keeps_its_ids_when_the_canvas_moves_on(settings):
    decoder = settings.start(a_canvas(8, 4))
    forward = decoder.request()
    before = forward.ids.copy()
    decoder.update(answer(forward))
    assert (forward.ids == before).all()


@every_decoder
def test_a_wrong_answer_changes_nothing(settings):
    decoder = settings.start(a_canvas(8, 4))
    forward = decoder.request()
    short = answer(forward)
    short = Predictions(short.ids[:-1], short.confidence[:-1], short.given_probability, short.top_ids, short.confidence)
    rows = len(forward.rows)
    with pytest.raises(ValueError, match=f"predictions for {rows - 1} rows where {rows} were requested"):
        decoder.update(short)
    with pytest.raises(ValueError, match=f"the model chose the mask token {MASK}"):
        decoder.update(answer(forward, token=MASK))
    assert decoder.request() is forward and decoder.canvas == (MASK,) * 8
    assert decoder.update(answer(forward)).drafted


@every_decoder
def test_without_temperature_requests_carry_no_noise(settings):
    assert all((f.temperature, f.seed) == (0, 0) for f in requests(settings, a_canvas(8, 4, seed=3)))


@every_decoder
def test_with_temperature_every_pass_has_its_own_repeatable_seed(settings):
    first, again, other = (requests(settings, a_canvas(8, 4, temperature=0.5, seed=s)) for s in (3, 3, 4))
    seeds = [forward.seed for forward in first]
    assert all(forward.temperature == 0.5 for forward in first)
    assert len(set(seeds)) == len(seeds) > 1
    assert [forward.seed for forward in again] == seeds
    assert not {forward.seed for forward in other} & set(seeds)
    assert all(isinstance(seed, int) and 0 <= seed < 2**32 for seed in seeds)


def requests(settings, canvas):
    decoder, denoiser, asked = settings.start(canvas), RandomDenoiser(), []
    while (forward := decoder.request()) is not None:
        asked.append(forward)
        decoder.update(denoiser.predict([forward])[0])
    return asked


@every_decoder
def test_an_update_of_a_block_of_128_takes_well_under_a_millisecond(settings):
    decoder, denoiser, fastest = settings.start(a_canvas(256, 128)), RandomDenoiser(alternatives=8), 1.0
    for _ in range(20):
        if (forward := decoder.request()) is None:
            break
        predictions = denoiser.predict([forward])[0]
        started = time.perf_counter()
        decoder.update(predictions)
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.001


# ---- driving


class SlowDenoiser(RandomDenoiser):
    """Takes 2 ms a call."""

    def predict(self, forwards):
        time.sleep(0.002)
        return super().predict(forwards)


def test_only_the_model_is_timed():
    seconds = []
    for timed in decode(StandardSettings().start(a_canvas(4)), SlowDenoiser()):
        time.sleep(0.02)  # drawing
        seconds.append(timed.model_seconds)
    assert len(seconds) == 4
    assert 0.002 <= min(seconds) < 0.02


def test_a_batch_shares_its_seconds():
    decoders = [StandardSettings().start(a_canvas(2)) for _ in range(4)]
    started = time.perf_counter()
    seconds = [timed.model_seconds for _, timed in decode_many(decoders, SlowDenoiser(), in_flight=4)]
    assert 0.004 <= sum(seconds) <= time.perf_counter() - started


@pytest.mark.parametrize("in_flight", [1, 2, 3, 8, 100])
def test_batches_change_no_decoding(in_flight):
    def decoders():
        return [parse_spec(SPECS[n % len(SPECS)]).start(a_canvas(6 + 6 * (n % 3), 6, seed=n)) for n in range(9)]

    alone = [[timed.step for timed in decode(decoder, RandomDenoiser())] for decoder in decoders()]
    batched, denoiser = [[] for _ in alone], RandomDenoiser()
    for index, timed in decode_many(decoders(), denoiser, in_flight):
        batched[index].append(timed.step)
    assert batched == alone
    assert max(denoiser.batches) == min(in_flight, 9)


def test_a_finished_decoder_makes_room_at_once():
    lengths = [1, 4, 2, 1, 3]
    denoiser = RandomDenoiser()
    order = decode_many((StandardSettings().start(a_canvas(n)) for n in lengths), denoiser, in_flight=2)
    assert [index for index, _ in order] == [0, 1, 1, 2, 1, 2, 1, 3, 4, 4, 4]
    assert denoiser.batches == [2, 2, 2, 2, 1, 1, 1]


def test_decoders_are_made_only_when_there_is_room():
    made = []

    def decoders():
        for n in range(5):
            made.append(n)
            yield StandardSettings().start(a_canvas(2))

    running = decode_many(decoders(), RandomDenoiser(), in_flight=2)
    next(running)
    assert made == [0, 1]


def test_no_decoders_make_no_call():
    denoiser = RandomDenoiser()
    assert list(decode_many([], denoiser, in_flight=4)) == [] and denoiser.batches == []


def test_a_finished_decoder_is_passed_over():
    finished = StandardSettings().start(a_canvas(2))
    list(decode(finished, RandomDenoiser()))
    assert list(decode(finished, RandomDenoiser())) == []


def test_in_flight_below_1_is_refused_at_once():
    with pytest.raises(ValueError, match=r"^in_flight must be a whole number, at least 1, not 0$"):
        decode_many([], RandomDenoiser(), in_flight=0)


# ---- recording


def recorded(settings, canvas, steps, **changes):
    pieces = {i: f"<{i}>" for i in shown_ids(steps)}
    return record(
        **{
            "model": "scripted",
            "settings": settings,
            "canvas": canvas,
            "prompt": "Once",
            "steps": steps,
            "pieces": pieces,
            "text": "upon a time",
            "end_ids": [3],
            "timing": {"model_seconds": 0.5},
        }
        | changes
    )


@every_decoder
def test_a_record_is_a_trace_that_reads_back(settings):
    canvas = a_canvas(12, 6, temperature=0.5, seed=9)
    decoder = settings.start(canvas)
    steps = [timed.step for timed in decode(decoder, RandomDenoiser())]
    trace = recorded(settings, canvas, steps)
    assert trace.decoder == {**settings.to_dict(), "temperature": 0.5, "seed": 9}
    assert trace.output_ids == decoder.canvas
    assert (trace.prompt_ids, trace.end_ids, trace.mask_id) == (canvas.prompt_ids, (3,), MASK)
    assert Trace.from_json(trace.to_json()) == trace


def test_a_decoding_that_was_stopped_can_be_recorded():
    canvas, settings = a_canvas(4), StandardSettings()
    step = next(decode(settings.start(canvas), RandomDenoiser())).step
    trace = recorded(settings, canvas, [step])
    assert trace.output_ids.count(MASK) == 3
    assert Trace.from_json(trace.to_json()) == trace


def test_a_record_without_the_text_of_a_token_is_refused():
    canvas, settings = a_canvas(4), StandardSettings()
    step = next(decode(settings.start(canvas), RandomDenoiser())).step
    with pytest.raises(TraceError, match=r"step 1: token .* has no text in pieces"):
        recorded(settings, canvas, [step], pieces={})
