"""Pictures of shapes with captions and questions: make scenes, draw them, word them, check what a model said.

    python -m wino_viz.tasks.scenes --split test --count 500 --seed 0 --out FOLDER

A scene is two to five things (a shape, a colour, a size, a place) on a background. Every caption and question has
many wordings (scenes_wording.py), so that words drafted in parallel can collide. Eight pairs of shape and colour,
HELD_OUT, are never trained on: every test scene shows at least one. Train and validation are told apart by a hash
of the things without their places.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from math import hypot
from pathlib import Path
from random import Random

from wino_viz.arguments import Parser, whole
from wino_viz.tasks.scenes_drawing import BACKGROUNDS, COLOURS, REACH, SHAPES, SIZES, TINTS, draw
from wino_viz.tasks.scenes_wording import QUESTION_KINDS, Question, caption, question

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "HELD_OUT",
    "SHAPES",
    "SIZES",
    "SPLITS",
    "TINTS",
    "Question",
    "Scene",
    "Thing",
    "caption",
    "caption_record",
    "compose",
    "draw",
    "generate",
    "main",
    "question",
    "question_record",
    "skeleton",
    "split_of",
]

SPLITS = ("train", "validation", "test")
MIN_THINGS, MAX_THINGS = 2, 5
VALIDATION_PERCENT = 2
COUNTS_TABLE = (2, 3, 3, 4, 4, 5, 5)
SAME_SHAPE_SHARE, SAME_COLOUR_SHARE, TWIN_SHARE = 0.24, 0.24, 0.03  # so that counting matters
GAP, MARGIN = 0.02, 0.015  # between two things; between a thing and the frame
PLACE_TRIES = 40
MAX_GRAIN = 4096
STEEPEST_LIGHT = 75  # degrees from the top: light from below would look like hollows

MAX_COUNT = 100_000
REFERENCES = 5  # captions of one picture

_COLOURS, _BACKGROUNDS, _TINTS = tuple(COLOURS), tuple(BACKGROUNDS), tuple(TINTS)
# Each shape once and each colour once.
HELD_OUT = frozenset(
    {
        ("circle", "purple"),
        ("square", "pink"),
        ("triangle", "orange"),
        ("star", "green"),
        ("heart", "blue"),
        ("diamond", "yellow"),
        ("moon", "red"),
        ("cross", "black"),
    }
)
_HELD_OUT = tuple(sorted(HELD_OUT))


@dataclass(frozen=True)
class Thing:
    """An object of a scene. x and y: its centre, 0..1 from the left and from the top."""

    shape: str
    colour: str
    size: str
    x: float
    y: float

    @property
    def reach(self) -> float:
        """The radius of the circle around it, in widths of the picture."""
        return REACH[self.size]


@dataclass(frozen=True)
class Scene:
    """What a picture shows. light: where it comes from, in degrees clockwise from the top; grain: 0 to 4095."""

    things: tuple[Thing, ...]
    background: str
    tint: str
    light: float
    grain: int

    def to_dict(self) -> dict:
        return asdict(self) | {"things": [asdict(thing) for thing in self.things]}

    @classmethod
    def from_dict(cls, data: object) -> "Scene":
        """A scene from untrusted data. ValueError, one sentence that names the value, when it can't be drawn."""
        if not isinstance(data, dict):
            raise ValueError(f"a scene is a dictionary, not {_short(data)}")
        _check_keys(data, ("things", "background", "tint", "light", "grain"), "scene")
        rows = data["things"]
        if not isinstance(rows, list | tuple) or not MIN_THINGS <= len(rows) <= MAX_THINGS:
            raise ValueError(f"a scene needs a list of {MIN_THINGS} to {MAX_THINGS} things, not {_short(rows)}")
        things = tuple(_read_thing(row) for row in rows)
        _check_choice(data["background"], BACKGROUNDS, "background")
        _check_choice(data["tint"], TINTS, "tint")
        light = _check_number(data["light"], 0, 360, "light")
        grain = data["grain"]
        if type(grain) is not int or not 0 <= grain < MAX_GRAIN:
            raise ValueError(f"grain {_short(grain)} is not a whole number from 0 to {MAX_GRAIN - 1}")
        for index, thing in enumerate(things):
            for other in things[:index]:
                if not _apart(thing, other):
                    raise ValueError(f"the {_name(thing)} and the {_name(other)} overlap")
                if _name(thing) == _name(other):
                    raise ValueError(f"the scene has two of the same kind: {_name(thing)}")
        return cls(things, data["background"], data["tint"], light, grain)


def _name(thing: Thing) -> str:
    return f"{thing.size} {thing.colour} {thing.shape}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_keys(data: dict, wanted: Sequence[str], what: str):
    for key in wanted:
        if key not in data:
            raise ValueError(f"the {what} has no {key!r}")
    for key in data:
        if key not in wanted:
            raise ValueError(f"{_short(key)} is not part of a {what}, which has {', '.join(wanted)}")


def _check_choice(value: object, choices, what: str):
    if type(value) is not str or value not in choices:
        raise ValueError(f"{what} {_short(value)} is not one of {', '.join(choices)}")


def _check_number(value: object, low: float, high: float, what: str) -> float:
    if type(value) not in (int, float) or not low <= value <= high:  # NaN is in no range
        raise ValueError(f"{what} {_short(value)} is not a number from {low:g} to {high:g}")
    return value


def _read_thing(row: object) -> Thing:
    if not isinstance(row, dict):
        raise ValueError(f"a thing is a dictionary, not {_short(row)}")
    _check_keys(row, ("shape", "colour", "size", "x", "y"), "thing")
    _check_choice(row["shape"], SHAPES, "shape")
    _check_choice(row["colour"], COLOURS, "colour")
    _check_choice(row["size"], SIZES, "size")
    edge = REACH[row["size"]]
    x, y = (_check_number(row[key], edge, 1 - edge, f"{key} of the {row['size']} {row['shape']}") for key in "xy")
    return Thing(row["shape"], row["colour"], row["size"], x, y)


# Scenes


def _pick(rng: Random, table: Sequence):
    return table[int(rng.random() * len(table))]  # a third of the time of rng.choice


def _apart(one: Thing, other: Thing) -> bool:
    return hypot(one.x - other.x, one.y - other.y) >= one.reach + other.reach


def _sample_kinds(rng: Random, count: int, held_out: bool) -> list[tuple[str, str, str]] | None:
    """(shape, colour, size) of each thing; None if two are the same."""
    kinds: list[tuple[str, str, str]] = []
    if held_out:
        kinds.append((*_pick(rng, _HELD_OUT), _pick(rng, SIZES)))
    while len(kinds) < count:
        shape, colour, chance = _pick(rng, SHAPES), _pick(rng, _COLOURS), rng.random()
        if kinds and chance < SAME_SHAPE_SHARE + SAME_COLOUR_SHARE + TWIN_SHARE:
            like = _pick(rng, kinds)
            if chance < SAME_SHAPE_SHARE + TWIN_SHARE:
                shape = like[0]
            if chance < TWIN_SHARE or chance >= SAME_SHAPE_SHARE + TWIN_SHARE:
                colour = like[1]
        kind = (shape, colour, _pick(rng, SIZES))
        if not held_out and (shape, colour) in HELD_OUT:
            continue
        if kind in kinds:
            return None
        kinds.append(kind)
    return kinds


def _skeleton_text(kinds) -> str:
    return ", ".join(sorted(f"{size} {colour} {shape}" for shape, colour, size in kinds))


def skeleton(scene: Scene) -> str:
    """The things of a scene without places, background and order."""
    return _skeleton_text((thing.shape, thing.colour, thing.size) for thing in scene.things)


def _split_of_kinds(kinds) -> str:
    if any((shape, colour) in HELD_OUT for shape, colour, _ in kinds):
        return "test"
    digest = blake2b(_skeleton_text(kinds).encode(), digest_size=8).digest()
    return "validation" if int.from_bytes(digest, "big") % 100 < VALIDATION_PERCENT else "train"


def split_of(scene: Scene) -> str:
    """The split a scene belongs to: test with a held-out pair, otherwise validation (2 %) or train by a hash."""
    return _split_of_kinds([(thing.shape, thing.colour, thing.size) for thing in scene.things])


def _place(rng: Random, kinds) -> tuple[Thing, ...] | None:
    """Things at random places, apart from each other, largest first; None if the draw fails."""
    things: list[Thing] = []
    for shape, colour, size in sorted(kinds, key=lambda kind: -REACH[kind[2]]):
        edge = REACH[size] + MARGIN
        for _ in range(PLACE_TRIES):
            x, y = (edge + rng.random() * (1 - 2 * edge) for _ in "xy")
            if all((x - t.x) ** 2 + (y - t.y) ** 2 >= (REACH[size] + t.reach + GAP) ** 2 for t in things):
                things.append(Thing(shape, colour, size, round(x, 3), round(y, 3)))
                break
        else:
            return None
    rng.shuffle(things)
    return tuple(things)


def generate(rng: Random, split: str = "train", count: int | None = None) -> Scene:
    """A random scene of a split with 2 to 5 things (None: any); the same rng state gives the same scene.

    ValueError for another split or count.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    if count is not None and (type(count) is not int or not MIN_THINGS <= count <= MAX_THINGS):
        raise ValueError(f"count {count!r} is not a whole number from {MIN_THINGS} to {MAX_THINGS}")
    wanted = count or _pick(rng, COUNTS_TABLE)
    while True:
        kinds = _sample_kinds(rng, wanted, split == "test")
        if kinds is None or _split_of_kinds(kinds) != split:
            continue
        things = _place(rng, kinds)
        if things is not None:
            break
    light = round(rng.uniform(-STEEPEST_LIGHT, STEEPEST_LIGHT) % 360, 1) % 360
    return Scene(things, _pick(rng, _BACKGROUNDS), _pick(rng, _TINTS), light, int(rng.random() * MAX_GRAIN))


def compose(seed: int, count: int | None = None, split: str = "test") -> Scene:
    """The scene of a seed: the same seed, count and split always give the same scene."""
    return generate(Random(seed), split, count)


# Records


def caption_record(scene: Scene, image: str, rng: Random, references: int = REFERENCES) -> dict:
    """A problem record that asks for a caption; image: where the picture lies. The caption is the first reference."""
    captions = [caption(scene, rng) for _ in range(references)]
    return {
        "task": "caption",
        "image": image,
        "caption": captions[0],
        "references": captions,
        "scene": scene.to_dict(),
    }


def question_record(scene: Scene, image: str, question: Question) -> dict:
    """A problem record that asks a question about a picture."""
    return {
        "task": "vqa",
        "image": image,
        "question": question.text,
        "answer": question.answer,
        "kind": question.kind,
        "scene": scene.to_dict(),
    }


def _distinct_scenes(rng: Random, split: str, count: int) -> Iterator[Scene]:
    seen: set[str] = set()
    while len(seen) < count:
        scene = generate(rng, split)
        key = skeleton(scene)
        if key not in seen:
            seen.add(key)
            yield scene


def _rarest_question(scene: Scene, rng: Random, asked: Counter) -> Question:
    """A question of the kind that was asked least so far, if the scene has one."""
    for kind in sorted(QUESTION_KINDS, key=lambda kind: asked[kind]):
        found = question(scene, rng, kind)
        if found.kind == kind:
            break
    asked[found.kind] += 1
    return found


def write_folder(folder: Path, split: str, count: int, seed: int):
    """Write pictures/0000.png and so on, captions.jsonl and questions.jsonl. No two scenes have the same things."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rng, asked = Random(seed), Counter()
    with (
        open(folder / "captions.jsonl", "w", encoding="utf-8") as captions,
        open(folder / "questions.jsonl", "w", encoding="utf-8") as questions,
    ):
        for index, scene in enumerate(_distinct_scenes(rng, split, count)):
            image = f"pictures/{index:04d}.png"
            draw(scene).save(folder / image)
            captions.write(json.dumps(caption_record(scene, image, rng)) + "\n")
            asking = _rarest_question(scene, rng, asked)
            questions.write(json.dumps(question_record(scene, image, asking)) + "\n")


# The command


def main(arguments: Sequence[str] | None = None) -> int:
    """Write pictures and records to a folder. Returns 0; bad arguments exit with 2 and one line."""
    parser = Parser(prog="python -m wino_viz.tasks.scenes", description="Write pictures with captions and questions.")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--count", type=whole(1, MAX_COUNT), default=500, help=f"1 to {MAX_COUNT}")
    parser.add_argument("--seed", type=whole(0, 2**63 - 1), default=0)
    parser.add_argument("--out", required=True, type=Path, help="a folder, made when it is missing")
    options = parser.parse_args(arguments)
    try:
        write_folder(options.out, options.split, options.count, options.seed)
    except OSError as error:
        parser.error(f"can't write {options.out}: {error.strerror}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
