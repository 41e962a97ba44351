"""The words of the scene task: what may be said of a scene, captions of 12 to 40 words, and questions with answers.

    caption(scene, Random(0))   # "From left to right there are a small red star, a blue circle and an orange cross."
    question(scene, Random(0))  # Question("colour", "What colour is the star?", "It is red.")

A caption takes one of nine frames, each with several openings, then its own names and relations: words drafted in
parallel from two of them can't both be right. Of several ways to say the same, one is the favourite, so that a model
can be fairly sure of it. The first mention of a thing is indefinite ("a red star", "two blue circles"), any later one
definite ("the red star"): the checker (scenes_check.py) counts things by that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from wino_viz.tasks.scenes_drawing import COLOURS, REACH, SHAPES, SIZES

if TYPE_CHECKING:
    from wino_viz.tasks.scenes import Scene, Thing

MIN_WORDS, MAX_WORDS = 12, 40
FRAME_TRIES = 12

CAPTION_PROMPTS = (
    "Please describe this image in detail.",
    "Describe the scene.",
    "What do you see in the picture?",
    "What is in this image?",
    "Describe this picture.",
    "Write a caption for this image.",
    "Which objects are in the picture, and where are they?",
    "Tell me what this picture shows.",
    "Give a short description of the image.",
    "What does the picture show?",
    "Please caption this picture.",
    "Describe every object in the image.",
)
# Good for almost any scene: no answer hangs on which shapes it happens to have.
SUGGESTIONS = (
    "How many objects are in the picture?",
    "How many circles are there?",
    "How many red objects do you see?",
    "What is in the middle?",
    "What is in the top left corner?",
    "How many large objects are there?",
)

PLURAL = {shape: shape + ("es" if shape.endswith("s") else "s") for shape in (*SHAPES, "blob")}
NUMBERS = ("no", "one", "two", "three", "four", "five")
ORDINALS = ("first", "second", "third", "fourth", "fifth")
SIZE_WORDS = {"small": ("small", "little"), "medium": ("medium",), "large": ("large", "big")}
ANYTHING = (("object", "objects"), ("shape", "shapes"), ("thing", "things"))

OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
BESIDE = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
WITH_IT = {"left": "on its left", "right": "on its right", "above": "above it", "below": "below it"}
PLACES = {
    "top left": ("in the top left corner", "at the top left", "in the upper left"),
    "top right": ("in the top right corner", "at the top right", "in the upper right"),
    "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left"),
    "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right"),
    "middle": ("in the middle", "in the centre"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "left": ("on the left",),
    "right": ("on the right",),
}
HALVES = {
    "left": ("in the left half", "on the left side"),
    "right": ("in the right half", "on the right side"),
    "top": ("in the upper half", "in the top half"),
    "bottom": ("in the lower half", "in the bottom half"),
}
# Paper and a plain tint, or a gradient and a plain tint, are hard to tell apart: those are called plain or not at all.
BACKGROUND_WORDS = {"plain": "plain", "paper": "plain", "stripes": "striped", "dots": "dotted", "checks": "checked"}


# What is true of a scene. A wording needs it clearly true; the checker accepts it a little less clearly.

CLEARLY, BARELY = 0.15, 0.08  # least distance for "left of", in widths of the picture
SIDE, SIDE_BARELY = 0.32, 0.42  # "at the top" reaches so far down
MIDDLE, MIDDLE_BARELY = 0.12, 0.20  # "in the middle" reaches so far from the centre
STEP, STEP_BARELY = 0.05, 0.02  # between neighbours in "from left to right"


def relation(one: Thing, other: Thing) -> str | None:
    """Where one clearly lies as seen from the other: left, right, above or below; None when it isn't clear."""
    across, down = one.x - other.x, one.y - other.y
    if max(abs(across), abs(down)) < CLEARLY or abs(abs(across) - abs(down)) < STEP:
        return None
    if abs(across) > abs(down):
        return "left" if across < 0 else "right"
    return "above" if down < 0 else "below"


def relation_holds(where: str, one: Thing, other: Thing) -> bool:
    """Whether one may be said to lie there as seen from the other: more leniently than relation."""
    across, down = one.x - other.x, one.y - other.y
    along, aside = (across, down) if where in ("left", "right") else (down, across)
    along = -along if where in ("left", "above") else along
    return along >= BARELY and along >= 0.8 * abs(aside)


def _band(value: float, side: float, middle: float) -> str:
    if abs(value - 0.5) <= middle:
        return "middle"
    return "low" if value <= side else "high" if value >= 1 - side else ""


def place(thing: Thing) -> str | None:
    """The part of the picture a thing clearly lies in, one of PLACES; None when it isn't clear."""
    column = {"low": "left", "high": "right"}.get(across := _band(thing.x, SIDE, MIDDLE))
    row = {"low": "top", "high": "bottom"}.get(down := _band(thing.y, SIDE, MIDDLE))
    if column and row:
        return f"{row} {column}"
    if across == down == "middle":
        return "middle"
    if across == "middle":
        return row
    return column if down == "middle" else None


def place_holds(where: str, thing: Thing) -> bool:
    """Whether a thing may be said to lie in one of PLACES: more leniently than place."""
    if where == "middle":
        return max(abs(thing.x - 0.5), abs(thing.y - 0.5)) <= MIDDLE_BARELY
    edges = {"left": thing.x, "right": 1 - thing.x, "top": thing.y, "bottom": 1 - thing.y}
    return all(edges[side] <= SIDE_BARELY for side in where.split())


def in_half(where: str, thing: Thing, least: float = STEP_BARELY) -> bool:
    """Whether the centre of a thing lies in a half of the picture, so far from the line between the halves."""
    return {"left": thing.x, "right": 1 - thing.x, "top": thing.y, "bottom": 1 - thing.y}[where] <= 0.5 - least


def in_order(things: Sequence[Thing], axis: str, least: float = STEP_BARELY) -> bool:
    """Whether things stand from left to right (axis x) or top to bottom (y), each so far from the one before."""
    values = [getattr(thing, axis) for thing in things]
    return all(after - before >= least for before, after in pairwise(values))


def outstanding(things: Sequence[Thing], sign: int) -> Thing | None:
    """The one thing that is larger (sign 1) or smaller (-1) than all others; None when several share that size."""
    ranked = sorted(things, key=lambda thing: -sign * REACH[thing.size])
    return ranked[0] if ranked[0].size != ranked[1].size else None


# Names


def _pick(rng: Random, table: Sequence):
    return table[int(rng.random() * len(table))]  # a third of the time of rng.choice


FAVOURITE = 0.8  # how often the first of several ways to say the same is taken


def _favour(rng: Random, table: Sequence):
    """The first of the table mostly, now and then one of the others."""
    return table[0] if len(table) == 1 or rng.random() < FAVOURITE else table[1 + int(rng.random() * (len(table) - 1))]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _list(rng: Random, items: Sequence[str]) -> str:
    """Items joined in one of a few ways: "a, b and c", "a, b, and c", "a, b, as well as c"."""
    if len(items) == 1:
        return items[0]
    *rest, last = items
    if len(items) == 2:
        return rest[0] + _favour(rng, (" and ", " and also ", " together with ")) + last
    return ", ".join(rest) + _favour(rng, (" and ", ", and ", ", as well as ")) + last


class _Voice:
    """How one caption names the things of its scene."""

    def __init__(self, scene: Scene, rng: Random):
        self.scene, self.rng = scene, rng
        self.sized = _pick(rng, (False, True, True))  # first mentions tell the size
        self.sizes = {size: _favour(rng, words) for size, words in SIZE_WORDS.items()}  # in one way throughout
        self.one = rng.random() < 0.1  # "one red star" for "a red star"
        self.grouped = rng.random() < 0.4  # "two red stars" for "a small red star and a large red star"
        self.placed: set[Thing] = set()  # things whose place is told
        self.related: set[frozenset[Thing]] = set()  # pairs whose relation is told

    def a(self, thing: Thing) -> str:
        words = f"{thing.colour} {thing.shape}"
        if self.sized or not _alone(self.scene, colour=thing.colour, shape=thing.shape):
            words = f"{self.sizes[thing.size]} {words}"
        return f"one {words}" if self.one else _article(words)

    def the(self, thing: Thing) -> str:
        return definite(self.scene, thing, self.rng)

    def all(self) -> list[str]:
        """Every thing from left to right, those of one shape and colour in one group (or not)."""
        groups: dict[tuple[str, str], list[Thing]] = {}
        for thing in self.from_left():
            groups.setdefault((thing.colour, thing.shape), []).append(thing)
        items = []
        for (colour, shape), things in groups.items():
            if len(things) > 1 and self.grouped:
                items.append(f"{NUMBERS[len(things)]} {colour} {PLURAL[shape]}")
            else:
                items.extend(self.a(thing) for thing in things)
        return items

    def list(self) -> str:
        return _list(self.rng, self.all())

    def from_left(self) -> list[Thing]:
        """The things in the order in which they are told where nothing else orders them.

        A random order would leave every word of a list undecided until the words before it stand.
        """
        return sorted(self.scene.things, key=lambda thing: (thing.x, thing.y))


def definite(scene: Scene, thing: Thing, rng: Random) -> str:
    """A name that fits this thing of the scene only: "the star", "the red star", "the small red star"."""
    same_shape = [other for other in scene.things if other.shape == thing.shape]
    same_both = [other for other in same_shape if other.colour == thing.colour]
    if len(same_both) > 1:
        return f"the {_favour(rng, SIZE_WORDS[thing.size])} {thing.colour} {thing.shape}"
    if len(same_shape) > 1 or rng.random() < 0.65:
        return f"the {thing.colour} {thing.shape}"
    return f"the {thing.shape}"


def _pairs(scene: Scene, rng: Random) -> list[tuple[Thing, str, Thing]]:
    """All (one, where, other) that are clear, in random order."""
    found = [(one, where, other) for one in scene.things for other in scene.things if (where := relation(one, other))]
    rng.shuffle(found)
    return found


VERBS = ("is", "sits", "lies", "can be seen")


def _relating(rng: Random, one: str, where: str, other: str) -> str:
    """A clause, no capital and no full stop: one lies there as seen from the other."""
    beside = _favour(rng, BESIDE[where])
    match int(rng.random() * 8):
        case 0:
            there_is = "is" if one.startswith("the ") or rng.random() < 0.6 else "there is"
            return f"{beside} {other} {there_is} {one}"
        case 1:
            return f"{other} has {one} {WITH_IT[where]}"
    return f"{one} {_favour(rng, VERBS)} {beside} {other}"


# Captions: each frame gives sentences, or None when it does not fit the scene


def _shows(voice: _Voice) -> str | None:
    frames = (
        "the picture shows {}",
        "this image shows {}",
        "you can see {}",
        "we see {} in this picture",
        "here are {}",
        "the artist drew {}",
        "this is a drawing of {}",
        "{} can be seen",
        "{} are in the picture",
        "{} share this picture",
        "the scene is made of {}",
        "somebody placed {} here",
    )
    return _favour(voice.rng, frames).format(voice.list())


def _counts(voice: _Voice) -> str | None:
    number, things = NUMBERS[len(voice.scene.things)], _favour(voice.rng, ANYTHING)[1]
    frames = (
        f"{number} {things} are drawn here: {{}}",
        f"there are {number} {things} in this image, namely {{}}",
        f"the picture has {number} {things}: {{}}",
        f"{{}} make {number} {things} in all",
        f"I count {number} {things}: {{}}",
    )
    return _favour(voice.rng, frames).format(voice.list())


def _backed(voice: _Voice) -> str | None:
    word = BACKGROUND_WORDS.get(voice.scene.background)
    if not word:
        return None
    frames = (
        f"on a {word} background, there are {{}}",
        f"{{}} lie on a {word} background",
        f"against a {word} background, you can see {{}}",
        f"a {word} background carries {{}}",
        f"the background is {word}, with {{}} in front of it",
    )
    return _favour(voice.rng, frames).format(voice.list())


def _numbered(voice: _Voice) -> str | None:
    rng, things = voice.rng, voice.from_left()
    noun = _favour(rng, ANYTHING)[0]
    names = [voice.a(thing) for thing in things]
    if len(names) == 2:
        return f"one {noun} is {names[0]} and the other is {names[1]}"
    if rng.random() < 0.5:
        first, *middle, last = (f"is {name}" for name in names)
        middle = [f"the {ORDINALS[index]} {text}" for index, text in enumerate(middle, 1)]
        return ", ".join([f"the first {noun} {first}", *middle]) + f" and the {ORDINALS[len(names) - 1]} {last}"
    end = f"the last is {names[2]}" if len(names) == 3 else f"the rest are {_list(rng, names[2:])}"
    return f"one {noun} is {names[0]}, another is {names[1]}, and {end}"


def _rows(voice: _Voice) -> str | None:
    axis = _pick(voice.rng, "xy")
    things = sorted(voice.scene.things, key=lambda thing: getattr(thing, axis))
    if not in_order(things, axis, STEP):
        return None
    names = [voice.a(thing) for thing in things]
    way = "from left to right" if axis == "x" else "from top to bottom"
    start = "on the left" if axis == "x" else "at the top"
    frames = (
        f"{way} there are {{}}",
        f"{way}, the picture shows {{}}",
        f"going {way}, you can see {{}}",
        f"starting {start}, there is {', then '.join(names)}",
    )
    return _favour(voice.rng, frames).format(_list(voice.rng, names))


def _placed(voice: _Voice) -> str | None:
    """Places for up to three things, the rest in a list."""
    rng, found, rest = voice.rng, [], []
    for thing in voice.from_left():
        where = place(thing) if len(found) < 3 else None
        if where:
            found.append((_favour(rng, PLACES[where]), voice.a(thing)))
            voice.placed.add(thing)
        else:
            rest.append(voice.a(thing))
    if len(found) < 2:
        return None
    style = _favour(rng, ("{0} is {1}", "{1} is {0}", "{0} there is {1}", "{1} {0}"))
    first, *others = (style.format(*pair) for pair in found)
    if style == "{1} {0}":
        first = _favour(rng, ("there is ", "you can see ", "this picture has ")) + first
    joints = (" and ", ", and ") if style == "{1} {0}" else (" and ", ", and ", ", while ")
    text = ", ".join([first, *others[:-1]]) + _favour(rng, joints) + others[-1]
    return f"{text}. {_also(rng, rest)}" if rest else text


def _also(rng: Random, names: Sequence[str]) -> str:
    """A sentence, no full stop, that adds things."""
    frames = (
        "there is also {}",
        "the picture also has {}",
        "{} " + ("completes" if len(names) == 1 else "complete") + " the scene",
        "you can also see {}",
    )
    return _capital(_favour(rng, frames).format(_list(rng, names)))


def _halved(voice: _Voice) -> str | None:
    """What is in one half of the picture, then what is in the other."""
    rng = voice.rng
    halves = [["left", "right"], ["top", "bottom"]][int(rng.random() * 2)]
    rng.shuffle(halves)
    parts = [[t for t in voice.from_left() if in_half(half, t, STEP)] for half in halves]
    if not all(parts) or sum(map(len, parts)) < len(voice.scene.things):
        return None
    index = int(rng.random() >= FAVOURITE)
    wheres = [HALVES[half][index] for half in halves]
    lists = [_list(rng, [voice.a(thing) for thing in part]) for part in parts]
    verbs = ["is" if len(part) == 1 else "are" for part in parts]
    frames = (
        "{0} there {4} {2}, and {1} there {5} {3}",
        "{0} you can see {2}; {1}, {3}",
        "{0} {4} {2}. {1} {5} {3}",
        "the picture has {2} {0} and {3} {1}" if len(parts[0]) == len(parts[1]) == 1 else "{0} we see {2}, and {1} {3}",
    )
    return _sentences(_favour(rng, frames).format(*wheres, *lists, *verbs))


def _sentences(text: str) -> str:
    return ". ".join(map(_capital, text.split(". ")))


def _extreme(voice: _Voice) -> str | None:
    sign = _pick(voice.rng, (1, -1))
    thing = outstanding(voice.scene.things, sign)
    if thing is None:
        return None
    word = _favour(voice.rng, ("largest", "biggest")) if sign == 1 else "smallest"
    noun = _favour(voice.rng, ANYTHING)[0]
    others = [voice.a(other) for other in voice.from_left() if other is not thing]
    others_are = f"the {'other is' if len(others) == 1 else 'others are'}"
    frames = (
        f"the {word} {noun} is {{0}}; {others_are} {{1}}",
        f"{{0}} is the {word} {noun}, and {others_are} {{1}}",
        f"besides {{0}}, which is the {word} {noun}, the picture shows {{1}}",
        f"{{1}} {'surrounds' if len(others) == 1 else 'surround'} {{0}}, which is the {word} {noun}",
    )
    return _favour(voice.rng, frames[: 3 if len(others) == 1 else 4]).format(voice.a(thing), _list(voice.rng, others))


def _related(voice: _Voice) -> str | None:
    """A chain: the first two things by their relation, each further one by its relation to one already told."""
    rng, pairs = voice.rng, _pairs(voice.scene, voice.rng)
    if not pairs:
        return None
    one, where, other = pairs[0]
    clauses, told = [_relating(rng, voice.a(one), where, voice.a(other))], [one, other]
    voice.related.add(frozenset(told))
    rest, most = [], 1 + int(rng.random() * 2)
    for thing in voice.from_left():
        if thing in told:
            continue
        link = next((pair for pair in pairs if pair[0] is thing and pair[2] in told), None)
        if link is None or len(clauses) > most:
            rest.append(voice.a(thing))
            continue
        clauses.append(_relating(rng, voice.a(thing), link[1], voice.the(link[2])))
        told.append(thing)
        voice.related.add(frozenset((thing, link[2])))
    text = clauses[0]
    for clause in clauses[1:]:
        joint = _favour(rng, (". ", ", and ", "; "))
        text += joint + (_capital(clause) if joint == ". " else clause)
    return f"{text}. {_also(rng, rest)}" if rest else text


# A frame stands in the table as often as it shall be tried: about as often as it then comes out.
FRAMES: tuple[Callable[[_Voice], str | None], ...] = (
    *[_shows] * 4,
    *[_counts] * 3,
    *[_backed] * 3,
    *[_numbered] * 2,
    *[_rows] * 6,
    *[_placed] * 4,
    *[_halved] * 5,
    *[_extreme] * 4,
    *[_related] * 6,
)


def _relation_more(voice: _Voice) -> str | None:
    pairs = [pair for pair in _pairs(voice.scene, voice.rng) if frozenset((pair[0], pair[2])) not in voice.related]
    if not pairs:
        return None
    one, where, other = pairs[0]
    return _relating(voice.rng, voice.the(one), where, voice.the(other))


def _place_more(voice: _Voice) -> str | None:
    thing = _pick(voice.rng, voice.scene.things)
    where = None if thing in voice.placed else place(thing)
    return where and f"{voice.the(thing)} {_favour(voice.rng, VERBS)} {_favour(voice.rng, PLACES[where])}"


def _size_more(voice: _Voice) -> str | None:
    sign = _pick(voice.rng, (1, -1))
    thing = outstanding(voice.scene.things, sign)
    word = _favour(voice.rng, ("largest", "biggest")) if sign == 1 else "smallest"
    return thing and f"{voice.the(thing)} is the {word} {_favour(voice.rng, ANYTHING)[0]}"


def _background_more(voice: _Voice) -> str | None:
    word = BACKGROUND_WORDS.get(voice.scene.background)
    if voice.scene.background == "horizon":
        return _favour(voice.rng, ("there is a horizon behind them", "a horizon runs across the background"))
    return word and _favour(voice.rng, (f"the background is {word}", f"behind them is a {word} background"))


def _count_more(voice: _Voice) -> str | None:
    number, things = NUMBERS[len(voice.scene.things)], _favour(voice.rng, ANYTHING)[1]
    return _favour(voice.rng, (f"there are {number} {things} in all", f"that makes {number} {things}"))


MORE = (*[_relation_more] * 5, _place_more, _size_more, _background_more, _count_more)
MORE_SHARE, MAX_SENTENCES = 0.3, 3
_SAID_TWICE = {(_count_more, _counts), (_background_more, _backed), (_size_more, _extreme), (_relation_more, _rows)}


def caption(scene: Scene, rng: Random) -> str:
    """A true description in 12 to 40 words that names every thing's shape and colour; one to three sentences."""
    while True:
        voice = _Voice(scene, rng)
        frame = _pick(rng, FRAMES)
        text = frame(voice)
        sentences = text.count(". ") + 1 if text else 0
        if text is None or sentences > MAX_SENTENCES or len(text.split()) > MAX_WORDS:
            continue
        text, used = _capital(text), set()
        for _ in range(FRAME_TRIES):
            enough = len(text.split()) >= MIN_WORDS
            if sentences == MAX_SENTENCES or (enough and rng.random() > MORE_SHARE):
                break
            part = _pick(rng, MORE)
            if part in used or (part, frame) in _SAID_TWICE:
                continue
            more = part(voice)
            if more and len(text.split()) + len(more.split()) <= MAX_WORDS:
                text, sentences = f"{text}. {_capital(more)}", sentences + 1
                used.add(part)
        if len(text.split()) >= MIN_WORDS:
            return text + "."


# Questions


@dataclass(frozen=True)
class Question:
    """A question about a scene with one right answer. kind: one of QUESTION_KINDS."""

    kind: str
    text: str
    answer: str


def _how_many(scene: Scene, rng: Random) -> tuple[str, str]:
    """Shapes, colours, both, sizes or all things; now and then of a kind that the scene lacks."""
    thing = _pick(rng, scene.things)
    shape, colour = thing.shape, thing.colour
    if rng.random() < 0.25:
        shape, colour = _pick(rng, SHAPES), _pick(rng, tuple(COLOURS))
    noun = _pick(rng, ANYTHING)
    match int(rng.random() * 10):
        case 0 | 1 | 2 | 3:
            singular, plural = shape, PLURAL[shape]
            count = sum(other.shape == shape for other in scene.things)
        case 4 | 5 | 6:
            singular, plural = (f"{colour} {word}" for word in noun)
            count = sum(other.colour == colour for other in scene.things)
        case 7:
            singular, plural = f"{colour} {shape}", f"{colour} {PLURAL[shape]}"
            count = sum((other.shape, other.colour) == (shape, colour) for other in scene.things)
        case 8:
            size = _pick(rng, SIZES)
            singular, plural = (f"{_pick(rng, SIZE_WORDS[size])} {word}" for word in noun)
            plural = singular + "s"
            count = sum(other.size == size for other in scene.things)
        case _:
            singular, plural = noun
            count = len(scene.things)
    text = _pick(
        rng,
        (
            f"How many {plural} are there?",
            f"How many {plural} do you see?",
            f"How many {plural} are in the picture?",
            f"Count the {plural}.",
            f"What is the number of {plural}?",
        ),
    )
    number = NUMBERS[count]
    if count == 0:
        answers = ("None.", "There are none.", f"There are no {plural}.")
    elif count == 1:
        answers = ("One.", "There is one.", f"There is one {singular}.", "Just one.")
    else:
        answers = (
            f"{_capital(number)}.",
            f"There are {number}.",
            f"There are {number} {plural}.",
            f"I count {number}.",
        )
    return text, _favour(rng, answers)


def _alone(scene: Scene, **wanted: str) -> bool:
    """Whether just one thing of the scene has these attributes."""
    return sum(all(getattr(t, key) == value for key, value in wanted.items()) for t in scene.things) == 1


def _only_one(scene: Scene, where: str, thing: Thing) -> Thing | None:
    """The thing that is clearly there as seen from another, when no other might be meant; else None."""
    there = []
    for other in scene.things:
        across, down = other.x - thing.x, other.y - thing.y
        along = {"left": -across, "right": across, "above": -down, "below": down}[where]
        if other is not thing and along > 0.03:
            there.append(other)
    return there[0] if len(there) == 1 and relation(there[0], thing) == where else None


def _only_at(scene: Scene, where: str) -> Thing | None:
    """The thing that is clearly in a place, when no other may be said to be there; else None."""
    there = [thing for thing in scene.things if place_holds(where, thing)]
    return there[0] if len(there) == 1 and place(there[0]) == where else None


def _places_taken(scene: Scene) -> list[tuple[str, Thing]]:
    return [(where, thing) for where in PLACES if (thing := _only_at(scene, where))]


def _neighbours(scene: Scene) -> list[tuple[Thing, str, Thing]]:
    """All (one, where, other) such that one is the only thing there as seen from the other."""
    found = ((_only_one(scene, where, other), where, other) for other in scene.things for where in OPPOSITE)
    return [(one, where, other) for one, where, other in found if one]


def _pointing(scene: Scene, rng: Random, noun: str) -> list[tuple[Thing, str]]:
    """Things and names for them by their place: "the object left of the red star"."""
    found = [(thing, f"the {noun} {_pick(rng, PLACES[where])}") for where, thing in _places_taken(scene)]
    for one, where, other in _neighbours(scene):
        found.append((one, f"the {noun} {_pick(rng, BESIDE[where])} {definite(scene, other, rng)}"))
    return found


def _what_colour(scene: Scene, rng: Random) -> tuple[str, str] | None:
    names = []
    for thing in scene.things:
        if _alone(scene, shape=thing.shape):
            names.append((thing, f"the {thing.shape}"))
        elif _alone(scene, shape=thing.shape, size=thing.size):
            names.append((thing, f"the {_pick(rng, SIZE_WORDS[thing.size])} {thing.shape}"))
    if not names or rng.random() < 0.2:
        names = _pointing(scene, rng, _pick(rng, ANYTHING)[0]) or names
    if not names:
        return None
    thing, name = _pick(rng, names)
    text = _pick(rng, (f"What colour is {name}?", f"What is the colour of {name}?", f"Which colour does {name} have?"))
    colour = thing.colour
    answers = [f"{_capital(colour)}.", f"It is {colour}.", f"Its colour is {colour}."]
    if len(name.split()) < 4:
        answers.append(f"{_capital(name)} is {colour}.")
    return text, _favour(rng, answers)


def _what_shape(scene: Scene, rng: Random) -> tuple[str, str] | None:
    noun = _pick(rng, ("object", "thing"))  # not "the shape of the red shape"
    names = []
    for thing in scene.things:
        if _alone(scene, colour=thing.colour):
            names.append((thing, f"the {thing.colour} {noun}"))
        elif _alone(scene, colour=thing.colour, size=thing.size):
            names.append((thing, f"the {_pick(rng, SIZE_WORDS[thing.size])} {thing.colour} {noun}"))
    if not names or rng.random() < 0.2:
        names = _pointing(scene, rng, noun) or names
    if not names:
        return None
    thing, name = _pick(rng, names)
    text = _pick(rng, (f"What shape is {name}?", f"What is the shape of {name}?", f"Which shape does {name} have?"))
    shape = _article(thing.shape)
    answers = [f"{_capital(shape)}.", f"It is {shape}."]
    if len(name.split()) < 4:
        answers.append(f"{_capital(name)} is {shape}.")
    return text, _favour(rng, answers)


def _what_size(scene: Scene, rng: Random) -> tuple[str, str] | None:
    things = [t for t in scene.things if _alone(scene, colour=t.colour, shape=t.shape)]
    if not things:
        return None
    thing = _pick(rng, things)
    name = definite(scene, thing, rng)
    text = _pick(rng, (f"How big is {name}?", f"What size is {name}?", f"Is {name} small, medium or large?"))
    return text, _favour(
        rng, (f"{_capital(thing.size)}.", f"It is {thing.size}.", f"{_capital(name)} is {thing.size}.")
    )


def _is_it(scene: Scene, rng: Random) -> tuple[str, str] | None:
    """Yes or no, as often the one as the other."""
    pairs = _pairs(scene, rng)
    if not pairs:
        return None
    one, where, other = pairs[0]
    true = rng.random() < 0.5
    beside = _pick(rng, BESIDE[where if true else OPPOSITE[where]])
    first, second = definite(scene, one, rng), definite(scene, other, rng)
    text = _pick(rng, (f"Is {first} {beside} {second}?", f"Does {first} lie {beside} {second}?"))
    if true:
        return text, _favour(rng, ("Yes.", "Yes, it is." if text[0] == "I" else "Yes, it does."))
    return text, _favour(rng, ("No.", "No, it is not." if text[0] == "I" else "No, it does not."))


def _what_is(scene: Scene, rng: Random) -> tuple[str, str] | None:
    """Which thing is in a place, or beside another thing; now and then there is nothing in the place."""
    empty = [where for where in PLACES if not any(place_holds(where, thing) for thing in scene.things)]
    if empty and rng.random() < 0.15:
        where = _pick(rng, PLACES[_pick(rng, empty)])
        return _pick(rng, (f"What is {where}?", f"What do you see {where}?")), _pick(
            rng, ("Nothing.", "There is nothing.")
        )
    found = [(thing, _pick(rng, PLACES[where])) for where, thing in _places_taken(scene)]
    near = _neighbours(scene)
    if near and (not found or rng.random() < 0.6):
        found = [(one, f"{_pick(rng, BESIDE[where])} {definite(scene, other, rng)}") for one, where, other in near]
    if not found:
        return None
    thing, where = _pick(rng, found)
    noun = _pick(rng, ANYTHING)[0]
    text = _pick(rng, (f"What is {where}?", f"What do you see {where}?", f"Which {noun} is {where}?"))
    name = _article(f"{thing.colour} {thing.shape}")
    return text, _favour(rng, (f"{_capital(name)}.", f"It is {name}.", f"I see {name}."))


def _where_is(scene: Scene, rng: Random) -> tuple[str, str] | None:
    """The place of a thing, or its relation to another."""
    pairs = _pairs(scene, rng)
    if pairs and rng.random() < 0.6:
        one, where, other = pairs[0]
        first, second = definite(scene, one, rng), definite(scene, other, rng)
        text = _pick(rng, (f"Where is {first}, seen from {second}?", f"Where does {first} lie, seen from {second}?"))
        beside = _pick(rng, BESIDE[where])
        answers = (f"{_capital(beside)} {second}.", f"It is {beside} {second}.", f"{_capital(first)} is {beside} it.")
        return text, _favour(rng, answers)
    found = [(thing, where) for thing in scene.things if (where := place(thing))]
    if not found:
        return None
    thing, where = _pick(rng, found)
    name, words = definite(scene, thing, rng), _pick(rng, PLACES[where])
    text = _pick(rng, (f"Where is {name}?", f"Where do you see {name}?", f"Where in the picture is {name}?"))
    return text, _favour(rng, (f"{_capital(words)}.", f"It is {words}.", f"{_capital(name)} is {words}."))


_ASK: dict[str, tuple[Callable, ...]] = {
    "count": (_how_many,),
    "colour": (_what_colour,),
    "relation": (_is_it, _is_it, _what_is, _where_is),
    "shape": (_what_shape,),
    "size": (_what_size,),
}
QUESTION_KINDS = tuple(_ASK)
_KIND_TABLE = ("count",) * 3 + ("colour",) * 3 + ("relation",) * 3 + ("shape",) + ("size",)


def question(scene: Scene, rng: Random, kind: str | None = None) -> Question:
    """A question of a kind (None: any) and its answer in 1 to 10 words. ValueError for another kind.

    A scene that has no question of the kind (no two things in a clear relation, say) gets a count question.
    """
    if kind is not None and kind not in QUESTION_KINDS:
        raise ValueError(f"question kind {kind!r} is not one of {', '.join(QUESTION_KINDS)}")
    wanted = kind or _pick(rng, _KIND_TABLE)
    for _ in range(FRAME_TRIES):
        found = _pick(rng, _ASK[wanted])(scene, rng)
        if found:
            return Question(wanted, *found)
    return Question("count", *_how_many(scene, rng))
