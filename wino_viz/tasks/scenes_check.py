"""Judge a text as a caption of a picture of shapes, or as the answer to a question about it.

    check_caption(record, "A small red star is left of a blue circle.").text   # "Both objects are right."
    check_answer({"question": "How many stars are there?", "answer": "Three."}, "There are 3 stars.").correct

Any text may come from a model or a person. The rules are those of the wordings (scenes_wording.py): a thing's first
mention is indefinite ("a red star", "two red stars") and counts; a definite one ("the red star") counts only when
nothing told before fits it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wino_viz.tasks.scenes import Scene, Thing
from wino_viz.tasks.scenes_drawing import COLOURS, SHAPES
from wino_viz.tasks.scenes_wording import (
    ANYTHING,
    BACKGROUND_WORDS,
    NUMBERS,
    PLURAL,
    SIZE_WORDS,
    in_half,
    in_order,
    outstanding,
    place_holds,
    relation_holds,
)

MAX_TEXT = 2000  # characters: nothing true here is so long


@dataclass(frozen=True)
class Verdict:
    """What a text is worth as a caption or an answer.

    correct: a caption names every thing with its shape and colour, and no other; an answer says what the record's
    does. None when the record has nothing to compare with.
    faithful: nothing else it says is false (sizes, relations, places, numbers, background). foreign: what is, as
    written. text: the verdict in one sentence.
    """

    correct: bool | None
    faithful: bool
    foreign: tuple[str, ...]
    text: str


def _any_of(words) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_SIZE_OF = {word: size for size, words in SIZE_WORDS.items() for word in words}
_SHAPE_OF = {word: shape for shape in SHAPES for word in (shape, PLURAL[shape])}
_COUNT_OF = {"a": 1, "an": 1, "another": 1, "the": 1} | {word: number for number, word in enumerate(NUMBERS)}
_COUNT_OF |= {str(number): number for number in range(len(NUMBERS))}
_SIZES, _COLOURS, _SHAPES = _any_of(_SIZE_OF), _any_of(COLOURS), _any_of(_SHAPE_OF)
_ONE, _MANY = (_any_of(words) for words in zip(*ANYTHING, strict=True))
_BESIDE = {"over": "above", "under": "below", "beneath": "below"}
_SIDES = {"upper": "top", "lower": "bottom", "centre": "middle", "center": "middle"}

# The parts of a caption, in the order in which they are tried.
_PART = re.compile(
    rf"""\b(?:
      (?P<thing>(?:(?P<count>{_any_of(_COUNT_OF)})[ ])?(?:(?P<size>{_SIZES})[ ])?(?P<colour>{_COLOURS})[ ](?P<shape>{_SHAPES}))
    | (?P<short>the[ ](?:(?P<short_size>{_SIZES})[ ])?(?P<short_shape>{_SHAPES}))
    | (?P<stray>{_COLOURS}|{_SHAPES})
    | (?P<with>on[ ]its[ ](?P<with_side>left|right)|(?P<with_height>above|over|below|under|beneath)[ ]it)
    | (?P<beside>(?:(?:to|on)[ ]the[ ])?(?P<beside_side>left|right)[ ]of|(?P<beside_height>above|over|below|under|beneath))
    | (?P<half>(?:in|on)[ ]the[ ](?P<half_side>left|right|upper|top|lower|bottom)[ ](?:half|side))
    | (?P<order>from[ ](?P<order_way>left[ ]to[ ]right|top[ ]to[ ]bottom)
        |starting[ ](?P<order_start>on[ ]the[ ]left|at[ ]the[ ]top))
    | (?P<place>(?:in|at|near|on)[ ]the[ ]
        (?P<place_name>(?:top|upper|bottom|lower)(?:[ ](?:left|right))?|middle|centre|center|left|right)(?:[ ]corner)?)
    | (?P<extreme>(?P<extreme_word>largest|biggest|smallest)[ ](?:{_ONE}))
    | (?P<total>(?P<total_word>{_any_of(_COUNT_OF)})[ ](?:{_MANY}))
    | (?P<background>{_any_of(set(BACKGROUND_WORDS.values()))}|horizon)
    | (?P<joint>and|while|with)
    | (?P<word>\w+)
    )\b | (?P<comma>[,:]) | (?P<stop>[.;!?])
    """,
    re.VERBOSE,
)
_SPECIAL_TOKEN = re.compile(r"<\|[^|<>]*\|>")


@dataclass
class _Part:
    """A part of a caption: its kind (a group of _PART), its text, and for a thing what it says of it."""

    kind: str
    text: str
    sentence: int = 0
    count: int = 1
    size: str | None = None
    colour: str | None = None
    shape: str = ""
    detail: str = ""

    @property
    def definite(self) -> bool:
        return self.text.startswith("the ")

    def fits(self, size: str | None, colour: str | None, shape: str) -> bool:
        """Whether it may mean a thing of which this is known (None: not known)."""
        return (
            shape == self.shape
            and (None in (colour, self.colour) or colour == self.colour)
            and (None in (size, self.size) or size == self.size)
        )


def _normal(text: str) -> str:
    return " ".join(_SPECIAL_TOKEN.sub(" ", text).lower().replace("’", "'").split())


def _parts(text: str) -> list[_Part]:
    parts, sentence = [], 0
    for found in _PART.finditer(_normal(text)[:MAX_TEXT]):
        group = found.groupdict()
        kind = next(name for name in _KINDS if group[name])
        part = _Part(kind, found[0], sentence)
        if kind == "thing":
            plural = group["shape"] != _SHAPE_OF[group["shape"]]
            part.colour, part.shape = group["colour"], _SHAPE_OF[group["shape"]]
            part.size = _SIZE_OF.get(group["size"])
            part.count = _COUNT_OF.get(group["count"], 1)
            if plural and group["count"] in (None, "the"):  # "red stars": nobody knows how many
                part.kind = "stray"
            if plural != (part.count != 1) and group["count"] not in (None, "the"):  # "two star", "a stars", "no star"
                part.kind = "stray"
        elif kind == "short":
            part.kind, part.shape = "thing", _SHAPE_OF[group["short_shape"]]
            part.size = _SIZE_OF.get(group["short_size"])
        elif kind in _DETAILS:
            part.detail = next(group[name] for name in _DETAILS[kind] if group[name])
        elif kind == "stop":
            sentence += 1
        parts.append(part)
    return parts


_DETAILS = {
    "with": ("with_side", "with_height"),
    "beside": ("beside_side", "beside_height"),
    "half": ("half_side",),
    "order": ("order_way", "order_start"),
    "place": ("place_name",),
    "extreme": ("extreme_word",),
    "total": ("total_word",),
}
_KINDS = ("thing", "short", "stray", *_DETAILS, "background", "joint", "word", "comma", "stop")


def _introduced(parts: Sequence[_Part]) -> list[_Part]:
    """The mentions that count: indefinite ones, and definite ones that fit nothing told before."""
    told: list[_Part] = []
    for part in parts:
        if part.kind != "thing":
            continue
        known = part.definite and any(part.fits(other.size, other.colour, other.shape) for other in told)
        if not known:
            told.append(part)
    return told


def _objects(parts: Sequence[_Part]) -> list[tuple[str | None, str | None, str]]:
    return [(part.size, part.colour, part.shape) for part in _introduced(parts) for _ in range(part.count)]


def objects_in(text: str) -> list[tuple[str | None, str | None, str]]:
    """(size or None, colour, shape) of every thing a caption introduces, "two red stars" twice.

    The colour is None only for a "the star" that no star came before.
    """
    return _objects(_parts(text))


# What a caption says besides


def _claims(parts: Sequence[_Part], scene: Scene) -> list[str]:
    """The false statements on relations, places, order, sizes compared, number and background, as written."""
    wrong: dict[str, None] = {}  # a dict keeps the order of the text

    def claim(holds: bool, *words: str):
        if not holds:
            wrong[" ".join(words)] = None

    def meant(part: _Part) -> list[Thing]:
        return [thing for thing in scene.things if part.fits(thing.size, thing.colour, thing.shape)]

    def exists(holds: Callable[..., bool], *mentions: _Part) -> bool:
        """Whether it holds for some things that the mentions may mean; true when one of them means none."""
        if len(mentions) == 1:
            return not meant(mentions[0]) or any(map(holds, meant(mentions[0])))
        pairs = [(one, other) for one in meant(mentions[0]) for other in meant(mentions[1])]
        return not pairs or any(one is not other and holds(one, other) for one, other in pairs)

    by_sentence: dict[int, list[int]] = {}
    for index, part in enumerate(parts):
        if part.kind == "thing":
            by_sentence.setdefault(part.sentence, []).append(index)
    for index, part in enumerate(parts):
        here = by_sentence.get(part.sentence, [])
        before = [parts[i] for i in here if i < index]
        after = [parts[i] for i in here if i > index]
        fronted = index == 0 or parts[index - 1].kind in ("stop", "comma", "joint")
        if part.kind == "thing" and part.definite:
            claim(bool(meant(part)), part.text)
        elif part.kind in ("beside", "with"):
            where = _BESIDE.get(part.detail, part.detail)
            if part.kind == "with":
                one, other = before[-1:], before[-2:-1]
            elif fronted:
                one, other = after[1:2] or before[:1], after[:1]
            else:
                one, other = before[-1:], after[:1]
            if one and other:
                holds = exists(lambda a, b, where=where: relation_holds(where, a, b), one[0], other[0])
                claim(holds, one[0].text, part.text, *([other[0].text] if part.kind == "beside" else []))
            else:
                claim(False, part.text)
        elif part.kind == "place":
            name = " ".join(_SIDES.get(word, word) for word in part.detail.split())
            for thing in after[:1] if fronted else before[-1:]:
                claim(exists(lambda a, name=name: place_holds(name, a), thing), thing.text, part.text)
        elif part.kind == "half":
            side = _SIDES.get(part.detail, part.detail)
            following = [i for i, p in enumerate(parts) if i > index and p.kind in ("half", "place", "stop")]
            end = following[0] if following else len(parts)
            for thing in [parts[i] for i in here if index < i < end] if fronted else before[-1:]:
                claim(exists(lambda a, side=side: in_half(side, a), thing), thing.text, part.text)
        elif part.kind == "order":
            axis = "x" if "left" in part.detail else "y"
            claim(_ordered([meant(parts[i]) for i in here], axis), part.text)
        elif part.kind == "extreme":
            best = outstanding(scene.things, -1 if part.detail == "smallest" else 1)
            is_next = index + 1 < len(parts) and parts[index + 1].text == "is"
            for thing in after[:1] if is_next else before[-1:]:
                claim(exists(lambda a, best=best: a is best, thing), thing.text, "is the", part.text)
        elif part.kind == "total":
            claim(_COUNT_OF[part.detail] == len(scene.things), part.text)
        elif part.kind == "background":
            is_so = part.text in (scene.background, BACKGROUND_WORDS.get(scene.background))
            claim(is_so, part.text if part.text == "horizon" else f"{part.text} background")
    return list(wrong)


def _ordered(meant: Sequence[Sequence[Thing]], axis: str) -> bool:
    """Whether things can be chosen, one from each list, that stand in order along the axis. Empty lists don't count."""
    chosen: list[Thing] = []
    for things in meant:
        ranked = sorted(things, key=lambda thing: getattr(thing, axis))
        if ranked:
            chosen.append(next((thing for thing in ranked if in_order([*chosen[-1:], thing], axis)), ranked[-1]))
    return in_order(chosen, axis)


def _wrong_sizes(said: Sequence[_Part], sizes: dict[tuple[str, str], Counter]) -> list[str]:
    """The mentions whose size no thing (left) of that colour and shape has. sizes: None for a size not known."""
    left = {kind: counts.copy() for kind, counts in sizes.items()}
    wrong = []
    for part in said:
        counts = left.get((part.colour, part.shape))
        if part.size is None or counts is None:
            continue
        if counts[part.size] + counts[None] < part.count:
            wrong.append(part.text)
            continue
        for _ in range(part.count):
            counts[part.size if counts[part.size] else None] -= 1
    return wrong


# Captions

# What turns a statement round or leaves it open. No caption of ours has such a word, and nothing here understands them.
_DOUBTS = re.compile(r"\b(?:not|no|neither|nor|or|without|but|never|except|hardly|\w+n't)\b")


def _with_article(kind: tuple[str | None, str], count: int = 1) -> str:
    colour, shape = kind
    if colour is None:
        return f"a {shape} of no colour"
    if count > 1:
        return f"{NUMBERS[count] if count < len(NUMBERS) else count} {colour} {PLURAL[shape]}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {shape}"


def _listed(kinds: Counter) -> str:
    names = [_with_article(kind, count) for kind, count in kinds.items()]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _check_record(record: object, task: str) -> dict:
    if not isinstance(record, dict):
        raise ValueError(f"a {task} record is a dictionary, not {record!r:.60}")
    return record


def _text_of(record: dict, key: str) -> str | None:
    value = record.get(key)
    if value is not None and type(value) is not str:
        raise ValueError(f"the record's {key} {value!r:.60} is not a text")
    return value


def _references(record: dict) -> list[str]:
    references = record.get("references") or []
    if not isinstance(references, list | tuple) or not all(type(text) is str for text in references):
        raise ValueError(f"the record's references {references!r:.60} are not a list of texts")
    return list(references)


def check_caption(record: dict, text: str) -> Verdict:
    """Judge a text as a caption: by the record's scene, or, without one, by the things its caption names.

    ValueError when the record's scene, caption or references are not what they should be.
    """
    record = _check_record(record, "caption")
    reference, references = _text_of(record, "caption"), _references(record)
    scene = Scene.from_dict(record["scene"]) if record.get("scene") is not None else None
    sizes: dict[tuple[str, str], Counter] = {}
    if scene:
        true = Counter((thing.colour, thing.shape) for thing in scene.things)
        for thing in scene.things:
            sizes.setdefault((thing.colour, thing.shape), Counter())[thing.size] += 1
    else:
        true = Counter((colour, shape) for _, colour, shape in objects_in(reference or ""))
        for kind, count in true.items():
            known = [objects_in(other) for other in [reference or "", *references]]
            told = max(
                (Counter(size for size, *rest in told if tuple(rest) == kind and size) for told in known),
                key=Counter.total,
            )
            sizes[kind] = told + Counter({None: max(0, count - told.total())})
    parts = _parts(text)
    said = _introduced(parts)
    named = Counter((part.colour, part.shape) for part in said for _ in range(part.count))
    strays = [part.text for part in parts if part.kind == "stray"] + _DOUBTS.findall(_normal(text)[:MAX_TEXT])
    invented, missing = named - true, true - named
    foreign = [_with_article(kind) for kind in invented] + strays
    if not invented and not strays:
        foreign += _wrong_sizes(said, sizes)
    if scene:
        foreign += [words for words in _claims(parts, scene) if words not in foreign]
    right = bool(named) and not invented and not missing and not strays and len(_normal(text)) <= MAX_TEXT
    correct = right if true else None
    return Verdict(correct, not foreign and right, tuple(foreign), _sentence(correct, true, missing, invented, foreign))


def _sentence(correct: bool | None, true: Counter, missing: Counter, invented: Counter, foreign: Sequence[str]) -> str:
    """The verdict on a caption, in words."""
    total = true.total()
    if correct is None:
        return "There is no known caption to compare with."
    all_right = {1: "The object is", 2: "Both objects are"}.get(total, f"All {total} objects are") + " right"
    if correct:
        return f"{all_right}, but it wrongly says “{foreign[0]}”." if foreign else f"{all_right}."
    some_right = f"{total - missing.total()} of {total} objects {'is' if total == 1 else 'are'} right"
    if missing and invented:
        return f"{some_right}: it says {_listed(invented)}, the picture has {_listed(missing)}."
    if missing:
        return f"{some_right}: it leaves out {_listed(missing)}."
    if invented:
        return f"{all_right}, but it adds {_listed(invented)}."
    return f"{all_right}, but it is garbled at “{foreign[0]}”." if foreign else f"{all_right}, but it goes on too long."


# Answers

_WORD = re.compile(r"\w+|[.,;:!?]")
# "Anything but red", "at least three", "-3": no answer of ours says so.
_NO_ANSWER = re.compile(r"\b(?:never|neither|nor|hardly|but|except|than|least|most|about|dozen)\b|-\d")
_NAMED = re.compile(rf"\bthe (?:(?:{_SIZES}) )?(?:(?:{_COLOURS}) )?(?:{_SHAPES}|{_ONE}|{_MANY})\b")
_NUMBER_OF = {word: number for number, word in enumerate(NUMBERS) if number} | {"zero": 0, "none": 0}
_NUMBER_OF |= {word: number for number, word in enumerate(["six", "seven", "eight", "nine", "ten"], 6)}
_WHERE = {word: word for word in ("left", "right", "top", "bottom", "middle", "above", "below")} | _BESIDE | _SIDES
_AFTER_NO = frozenset(".,;:!?") | {"it", "the", "there", "they", "that", "this", "not"}


@dataclass(frozen=True)
class _Content:
    """What an answer says, word by word: sets of what it names."""

    yes_no: frozenset[str]
    nothing: frozenset[str]
    numbers: frozenset[int]
    colours: frozenset[str]
    shapes: frozenset[str]
    sizes: frozenset[str]
    wheres: frozenset[str]
    negated: bool
    either: bool


def _content(text: str) -> _Content:
    words = _WORD.findall(text.replace("n't", " not").replace("can not", "not"))
    yes_no, numbers = set(), set()
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else "."
        if word == "yes" or (word == "no" and following in _AFTER_NO):
            yes_no.add(word)
        elif word == "no":
            numbers.add(0)
        elif word in _NUMBER_OF:
            numbers.add(_NUMBER_OF[word])
        elif re.fullmatch("[0-9]{1,9}", word):
            numbers.add(int(word))
    bare = [word for word in words if word.isalpha()]
    if bare in (["it", "is"], ["it", "does"]):
        yes_no.add("yes")
    if bare in (["it", "is", "not"], ["it", "does", "not"]):
        yes_no.add("no")
    if bare[:1] == ["no"] and bare[-1] in ("is", "does"):  # "No, it is."
        yes_no.add("yes")

    def named(table: dict) -> frozenset:
        return frozenset(table[word] for word in words if word in table)

    return _Content(
        yes_no=frozenset(yes_no),
        nothing=frozenset(word for word in words if word == "nothing"),
        numbers=frozenset(numbers),
        colours=named({colour: colour for colour in COLOURS}),
        shapes=named(_SHAPE_OF),
        sizes=named(_SIZE_OF),
        wheres=named(_WHERE),
        negated="not" in words,
        either="or" in words,
    )


def _without(text: str, names: Sequence[str]) -> str:
    """The text without things that the question names."""
    for name in names:
        text = re.sub(rf"\b{name}\b", " it ", text)
    return text


def _is_right(question: _Content, expected: _Content, got: _Content, kind: str | None) -> tuple[bool | None, list[str]]:
    """Whether an answer says what is expected, and the words in it that belong to neither question nor answer.

    None when what is expected has none of the words that are known here.
    """
    traits = ("colours", "shapes", "sizes", "wheres")
    extra = [word for key in traits for word in getattr(got, key) - getattr(question, key) - getattr(expected, key)]
    if expected.yes_no:
        contrast = got.yes_no == {"no"} and not got.negated
        if contrast:  # "No, it is right of it."
            extra = [word for word in extra if word not in got.wheres]
        agrees = got.yes_no == expected.yes_no and (not got.negated or got.yes_no == {"no"})
        return agrees and not (contrast and got.wheres & question.wheres) and not extra, extra
    if kind == "count" or (kind is None and expected.numbers):
        keys = ("numbers",)
    else:
        keys = tuple(key for key in ("nothing", *traits) if getattr(expected, key))
    if not any(getattr(expected, key) for key in keys):
        return None, extra
    same = all(getattr(got, key) == getattr(expected, key) for key in keys)
    if keys == ("wheres",):  # "left of the green star": what it names besides, the question does not name so
        extra += [word for key in traits[:3] for word in getattr(got, key)]
    contradicts = got.yes_no or got.nothing - expected.nothing or (keys != ("numbers",) and got.numbers - {1})
    return same and not extra and not contradicts and not got.negated, extra


def check_answer(record: dict, text: str) -> Verdict:
    """Judge a text as the answer to a record's question: what it says, not how.

    ValueError when the record's question, answer or kind is not a text.
    """
    record = _check_record(record, "question")
    question, answer, kind = (_text_of(record, key) for key in ("question", "answer", "kind"))
    if not answer:
        return Verdict(None, True, (), "There is no known answer to compare with.")
    asked, expected, got = _normal(question or ""), _normal(answer), _normal(text)[:MAX_TEXT]
    names = sorted(set(_NAMED.findall(asked)), key=len, reverse=True)
    content = _content(_without(got, names))
    right, extra = _is_right(_content(asked), _content(_without(expected, names)), content, kind)
    if right is None:  # a question about other things: the same words, then
        right = [w for w in _WORD.findall(got) if w.isalnum()] == [w for w in _WORD.findall(expected) if w.isalnum()]
    turned = len(names) == 2 and re.search(rf"\b(?:of|above|over|below|under|beneath) {_NAMED.search(asked)[0]}\b", got)
    doubted = _NO_ANSWER.search(got) and not _NO_ANSWER.search(expected)
    right = right and not content.either and not doubted and not (turned and asked.startswith("where"))
    sentence = "The answer is right." if right else f"The answer is wrong: it should be “{answer.rstrip('.')}”."
    return Verdict(right, not extra, tuple(sorted(set(extra))), sentence)
