"""Collect WINO trajectories: decode problems, keep what is right, write in which pass every token found its place.

    python -m wino_viz.training.trajectories --model llada-mini --task arithmetic,countdown,sudoku --split train \
        --count 20000 --decoder wino:tau1=0.6:tau2=0.9 --in-flight 256 --out runs/trajectories.jsonl.gz
    python -m wino_viz.training.trajectories --model GSAI-ML/LLaDA-8B-Instruct --data gsm8k.jsonl --dtype bfloat16 \
        --decoder wino:tau1=0.5:tau2=0.8 --temperatures 0,0.1,0.2,0.3,0.4,0.5 --gen-length 256 --block-length 128 \
        --in-flight 16 --out runs/gsm8k.jsonl.gz       # the published settings (arXiv 2605.16941)

A problem is decoded at each temperature in turn until its answer is correct and faithful (`tasks.registry.judge`); one
that never is leaves nothing behind. Duplicates go (`trajectories_records.selected`), and the file is sorted best first.
What is decoded stands in OUT.part at once: a run that was stopped goes on with the same command, and OUT is written whole
at the end. --random-order draws anew which tokens every pass placed, within each block: the published ablation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from wino_viz.arguments import Parser, whole
from wino_viz.decoding import Canvas, Decoder, Settings, decode_many, parse_spec
from wino_viz.decoding.base import MAX_SEED, MAX_TEMPERATURE, NO_TOKEN, Forward, Predictions
from wino_viz.evaluation import Progress, read_records, usual_in_flight
from wino_viz.models.checkpoint import Checkpoint, find_model, load_checkpoint
from wino_viz.provenance import shown_path, weights_checksum
from wino_viz.step import Step
from wino_viz.tasks import arithmetic, countdown, sudoku
from wino_viz.tasks.dataset import SPLITS, distinct
from wino_viz.tasks.registry import TASKS, judge, prompt_of
from wino_viz.training.trajectories_part import Part
from wino_viz.training.trajectories_records import DECODED, NEVER

MADE_HERE = {"arithmetic": arithmetic, "countdown": countdown, "sudoku": sudoku}  # tasks whose problems are generated
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Record = Mapping[str, Any]


class Watched:
    """A decoder at work, with note of what a trajectory tells. Drives like the decoder itself.

    accepted  (G,) the pass that placed the token standing at each position, NEVER for a mask
    passes    answered requests so far

    Where there is a shadow block it is asked about all its slots (a decoder asks about the filled ones), to know when it
    first proposed a token. At a temperature above 0 the longer request draws other noise than the decoder alone would.
    """

    def __init__(self, decoder: Decoder, canvas: Canvas) -> None:
        self._decoder, self._first = decoder, len(canvas.prompt_ids)
        self.accepted = np.full(canvas.gen_length, NEVER, dtype=np.int64)
        self.passes = 0
        self._said: list[np.ndarray] = []  # (G,) of each pass: the shadow's arg-max, NEVER where it has no slot
        self._pending: tuple[Forward, Forward] | None = None  # the decoder's request, and ours

    @property
    def canvas(self) -> tuple[int, ...]:
        return self._decoder.canvas

    @property
    def proposed(self) -> np.ndarray:
        """(G,) the first pass in which the shadow's arg-max was the token standing at each position, or NEVER."""
        agreed = np.array(self._said) == np.array(self.canvas)  # (passes, G)
        return np.where(agreed.any(axis=0), agreed.argmax(axis=0), NEVER)

    def request(self) -> Forward | None:
        if self._pending is None and (own := self._decoder.request()) is not None:
            slots = np.arange(self._first + len(self.accepted), len(own.ids))
            more = np.setdiff1d(slots, own.rows)
            rows = np.concatenate((own.rows, more))
            given = np.concatenate((own.given, np.full_like(more, NO_TOKEN)))
            self._pending = own, replace(own, rows=rows, given=given)
        return self._pending[1] if self._pending else None

    def update(self, predictions: Predictions) -> Step:
        own, ours = self._pending
        count = len(own.rows)
        answer = Predictions(**{name: getattr(predictions, name)[:count] for name in Predictions.__dataclass_fields__})
        step = self._decoder.update(answer)
        for token in step.drafted:
            self.accepted[token.position] = self.passes
        for token in step.remasked:
            self.accepted[token.position] = NEVER
        said = np.full(len(self.accepted), NEVER, dtype=np.int64)
        shadow = ours.rows >= self._first + len(self.accepted)
        if shadow.any():
            said[ours.position_ids[ours.rows[shadow]] - self._first] = predictions.top_ids[shadow, 0]
        self._said.append(said)
        self.passes += 1
        self._pending = None
        return step


@dataclass(frozen=True, eq=False)
class Collection:
    """What is to be decoded: problems, a decoder (SPEC) and lengths; None takes the preset of the problem's task."""

    checkpoint: Checkpoint
    records: Sequence[Record]
    spec: str
    gen_length: int | None = None
    block_length: int | None = None
    seed: int = 0

    def decode(self, waiting: Sequence[int], temperature: float, in_flight: int) -> Iterator[tuple[int, dict | None]]:
        """(index of the problem, its trajectory or None for a wrong answer), in the order in which they finish.

        Raises ValueError naming a problem that this model can't be asked.
        """
        at_work: dict[int, tuple[Watched, Canvas]] = {}

        def start() -> Iterator[Watched]:
            for place, index in enumerate(waiting):
                canvas = self.canvas(index, temperature)
                watched = Watched(self.settings(index).start(canvas), canvas)
                at_work[place] = watched, canvas
                yield watched

        for place, _ in decode_many(start(), self.checkpoint.denoiser, in_flight):
            if at_work[place][0].request() is None:
                yield waiting[place], self._trajectory(waiting[place], *at_work.pop(place))

    def settings(self, index: int) -> Settings:
        preset = self.checkpoint.preset(self.records[index]["task"])
        return parse_spec(self.spec, preset.decoders)

    def canvas(self, index: int, temperature: float) -> Canvas:
        record = self.records[index]
        if TASKS[record["task"]].has_image:
            raise ValueError(f"problem {index + 1} is about a picture: trajectories are collected of words alone")
        preset = self.checkpoint.preset(record["task"])
        try:
            return self.checkpoint.canvas(
                prompt_of(record),
                gen_length=self.gen_length or preset.gen_length,
                block_length=self.block_length or preset.block_length,
                temperature=temperature,
                seed=self.seed,
            )
        except ValueError as error:
            raise ValueError(f"problem {index + 1}: {error}") from None

    def _trajectory(self, index: int, watched: Watched, canvas: Canvas) -> dict[str, Any] | None:
        record, text = self.records[index], self.checkpoint.text(watched.canvas)
        found = judge(record, text)
        if found.correct is not True or not found.faithful:
            return None
        metadata = {"model": shown_path(self.checkpoint.name), "decoder": self.settings(index).to_dict()}
        metadata |= {"gen_length": canvas.gen_length, "block_length": canvas.block_length, "order": DECODED}
        return {
            **record,
            "unique_id": unique_id(record),
            "source": record["task"],
            "prompt_ids": list(canvas.prompt_ids),
            "generated_ids": list(watched.canvas),
            "trajectory_accepted": watched.accepted.tolist(),
            "trajectory_proposed": watched.proposed.tolist(),
            "correct": True,
            "prompt_length": len(canvas.prompt_ids),
            "generated_text": text,
            "decoding_steps": watched.passes,
            "used_temperature": canvas.temperature,
            "metadata": metadata,
        }


def unique_id(record: Record) -> str:
    """The same for two records of one task that ask the same."""
    return f"{record['task']}-{blake2b(prompt_of(record).encode(), digest_size=8).hexdigest()}"


def made_problems(tasks: Sequence[str], split: str, count: int, seed: int) -> list[dict[str, Any]]:
    """`count` generated problems of a split for each task, no two with the same words. ValueError for an unknown task."""
    records = []
    for task in tasks:
        module, rng = made_here(task), Random(f"{task} {seed}")
        records += distinct(lambda m=module, r=rng: m.record(m.generate(r, split)), prompt_of, count)
    return records


def made_here(task: str) -> Any:
    """The module of a task whose problems this project generates; ValueError for another."""
    if task not in MADE_HERE:
        raise ValueError(f"task {task!r} is not one of {', '.join(MADE_HERE)}")
    return MADE_HERE[task]


# ---- The command


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect. Returns 0; bad arguments exit with 2 and one line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("stopped: the same command will go on from here", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    if not options.out.resolve().parent.is_dir() or options.out.is_dir():
        raise ValueError(f"--out {options.out}: name a file in a folder that exists")
    if options.data:
        records = read_records(options.data, options.count)
    else:
        tasks = options.task.split(",")
        records = made_problems(tasks, options.split, options.count or 1000, options.seed)
    parse_spec(options.decoder)
    folder = find_model(options.model)
    checkpoint = load_checkpoint(options.model, options.device, DTYPES[options.dtype])
    collection = Collection(
        checkpoint, records, options.decoder, options.gen_length, options.block_length, options.seed
    )
    identity = {"weights": weights_checksum(folder), "dtype": options.dtype, "seed": options.seed}
    identity |= {"decoder": options.decoder, "presets": {t: vars(p) for t, p in checkpoint.presets.items()}}
    identity |= {"lengths": [options.gen_length, options.block_length]}
    identity |= {"problems": blake2b(json.dumps(records, sort_keys=True).encode()).hexdigest()}
    part = Part(options.out, identity)
    if known := part.resume():
        print(f"going on: {known} of {len(records)} problems are decoded", file=sys.stderr)
    in_flight = options.in_flight or usual_in_flight(checkpoint.denoiser.device.type)
    longest_first = sorted(range(len(records)), key=lambda n: -len(prompt_of(records[n])))  # batches of one length
    for temperature in options.temperatures:
        open_ones = [n for n in longest_first if n not in part.solved]
        waiting = [n for n in open_ones if temperature not in part.tried.get(n, ())]
        if not waiting:
            continue
        of = len(open_ones)
        with Progress() as progress:
            done = of - len(waiting)
            progress(f"temperature {temperature:g}", done, of)
            for _ in part.add_from(collection.decode(waiting, temperature, in_flight), temperature):
                done += 1
                progress(f"temperature {temperature:g}", done, of)
    solved = len(part.solved)
    counts = part.finish(
        options.out,
        keep_step_ratio=options.keep_step_ratio,
        max_prompt_length=options.max_prompt_length,
        random_order=options.seed if options.random_order else None,
    )
    told = ", ".join(f"{task} {count}" for task, count in sorted(counts.items())) or "none"
    print(f"{sum(counts.values())} trajectories ({told}) of {len(records)} problems, {solved} answered right")
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m wino_viz.training.trajectories",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, metavar="M", help="embedded model or folder")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, metavar="FILE.jsonl", help="problem records with answers")
    what.add_argument("--task", metavar="T,T", help=f"problems made here: {', '.join(MADE_HERE)}")
    parser.add_argument("--split", choices=SPLITS, default="train", help="of --task (default: train)")
    parser.add_argument("--count", type=whole(1, 10**7), help="problems of each task (default: 1000), or of the file")
    parser.add_argument("--decoder", default="wino", metavar="SPEC", help="such as wino:tau1=0.6:tau2=0.9")
    parser.add_argument("--temperatures", type=_temperatures, default=[0.0], metavar="T,T", help="default: 0")
    parser.add_argument("--gen-length", type=whole(1, 8192), help="default: the model's preset for the task")
    parser.add_argument("--block-length", type=whole(1, 8192), help="default: the model's preset for the task")
    parser.add_argument("--random-order", action="store_true", help="the ablation: passes drawn anew in each block")
    parser.add_argument("--keep-step-ratio", type=_ratio, default=1.0, help="share of each task, fewest steps first")
    parser.add_argument("--max-prompt-length", type=whole(1, 8192), help="leave out longer prompts, in tokens")
    parser.add_argument("--in-flight", type=whole(1, 4096), metavar="N", help="problems in one batch (16; on a CPU 1)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the weights; bfloat16 for 8B models")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    parser.add_argument("--seed", type=whole(0, MAX_SEED), default=0, help="of problems, sampling and random order")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl[.gz]")
    return parser


def _temperatures(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= one <= MAX_TEMPERATURE for one in found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of different numbers from 0 to {MAX_TEMPERATURE}")
    return found


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 0 < ratio <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1")
    return ratio


if __name__ == "__main__":
    sys.exit(main())
