"""The scene task: what pictures it draws, what captions and questions it words, and what the checker accepts."""

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import hypot
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from wino_viz.tasks import scenes
from wino_viz.tasks.scenes import (
    COLOURS,
    HELD_OUT,
    SHAPES,
    SIZES,
    SPLITS,
    Scene,
    Thing,
    caption,
    caption_record,
    compose,
    draw,
    generate,
    question,
    question_record,
    skeleton,
    split_of,
)
from wino_viz.tasks.scenes_check import check_answer, check_caption, objects_in
from wino_viz.tasks.scenes_drawing import OUTLINES, REACH
from wino_viz.tasks.scenes_wording import (
    CAPTION_PROMPTS,
    FRAMES,
    NUMBERS,
    PLURAL,
    QUESTION_KINDS,
    SIZE_WORDS,
    SUGGESTIONS,
    place,
    place_holds,
    relation,
    relation_holds,
)

SEEDS = st.integers(0, 2**32)
SPLIT = st.sampled_from(SPLITS)
QUICK = settings(deadline=None, max_examples=200)  # a busy core is no fault of the code
SIZE_OF = {word: size for size, words in SIZE_WORDS.items() for word in words}
SHAPE_OF = {word: shape for shape in SHAPES for word in (shape, PLURAL[shape])}


def any_of(words):
    return "|".join(words)


def pairs(scene):
    return [(thing.shape, thing.colour) for thing in scene.things]


def twinless(scene):
    return len(set(pairs(scene))) == len(scene.things)


def two(**changes):
    """A red star left of a blue circle, nothing else."""
    star = Thing("star", "red", "small", 0.2, 0.5)
    circle = Thing("circle", "blue", "large", 0.7, 0.5)
    return replace(Scene((star, circle), "plain", "cream", 330.0, 7), **changes)


# The scenes


def test_held_out_pairs_take_each_shape_and_each_colour_once():
    assert len(SHAPES) == len(COLOURS) == len(HELD_OUT) == 8
    assert {shape for shape, _ in HELD_OUT} == set(SHAPES)
    assert {colour for _, colour in HELD_OUT} == set(COLOURS)


@QUICK
@given(SEEDS, SPLIT)
def test_things_are_inside_the_frame_and_apart(seed, split):
    scene = generate(Random(seed), split)
    assert 2 <= len(scene.things) <= 5
    for index, thing in enumerate(scene.things):
        assert min(thing.x, thing.y, 1 - thing.x, 1 - thing.y) >= REACH[thing.size] + 0.01
        for other in scene.things[:index]:
            assert hypot(thing.x - other.x, thing.y - other.y) > REACH[thing.size] + REACH[other.size] + 0.01
            assert (thing.shape, thing.colour, thing.size) != (other.shape, other.colour, other.size)


@QUICK
@given(SEEDS)
def test_held_out_pairs_are_in_every_test_scene_and_in_no_other(seed):
    assert HELD_OUT & set(pairs(generate(Random(seed), "test")))
    for split in ("train", "validation"):
        scene = generate(Random(seed), split)
        assert not HELD_OUT & set(pairs(scene)) and split_of(scene) == split


def test_the_split_hangs_on_the_things_alone():
    """Else the same things, moved a little, would be trained on and then tested."""
    scene = generate(Random(1), "validation")
    moved = tuple(replace(thing, x=thing.x + 0.01) for thing in reversed(scene.things))
    assert split_of(replace(scene, things=moved, background="dots", grain=1)) == "validation"


def test_the_split_never_moves():
    """Checkpoints in the repository were trained on it."""
    assert skeleton(two()) == "large blue circle, small red star"
    splits = Counter(split_of(generate(Random(seed))) for seed in range(50))
    assert splits == {"train": 50}
    rng, found = Random(3), Counter()
    for _ in range(4000):
        found[scenes._split_of_kinds(scenes._sample_kinds(rng, 5, False) or [("star", "red", "small")])] += 1
    assert 40 < found["validation"] < 140


def test_sizes_shapes_and_colours_are_about_equally_frequent_and_counts_vary():
    rng = Random(0)
    made = [generate(rng) for _ in range(3000)]
    for values in ([t.size for s in made for t in s.things], [t.shape for s in made for t in s.things]):
        counts = Counter(values)
        assert min(counts.values()) > 0.7 * max(counts.values()), counts
    counts = Counter(t.colour for s in made for t in s.things)
    assert len(counts) == 8 and min(counts.values()) > 0.7 * max(counts.values())
    assert set(Counter(len(s.things) for s in made)) == {2, 3, 4, 5}
    assert {s.background for s in made} == set(scenes.BACKGROUNDS) and len(scenes.BACKGROUNDS) >= 6
    most = Counter(max(Counter(t.shape for t in s.things).values()) for s in made)
    assert most[2] > 900 and most[3] > 150, "counting needs scenes with several things of a shape"
    assert 0.03 < sum(not twinless(s) for s in made) / len(made) < 0.3


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_count_is_what_was_asked_for(count):
    assert all(len(compose(seed, count).things) == count for seed in range(20))


def test_a_seed_always_gives_the_same_scene():
    assert compose(5) == compose(5) and compose(5) != compose(6)
    assert split_of(compose(5)) == "test" and split_of(compose(5, split="train")) == "train"


@pytest.mark.parametrize("bad", [1, 6, 2.0, True, "3"])
def test_a_wrong_count_is_named(bad):
    with pytest.raises(ValueError, match=r"count .*2 to 5"):
        compose(0, bad)


def test_a_wrong_split_is_named():
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        generate(Random(0), "dev")


@QUICK
@given(SEEDS, SPLIT)
def test_a_scene_survives_json(seed, split):
    scene = generate(Random(seed), split)
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))) == scene


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: [data], "a dictionary"),
        (lambda data: {**data, "things": data["things"][:1]}, "2 to 5 things"),
        (lambda data: {**data, "things": "star"}, "'star'"),
        (lambda data: {**data, "things": [3, 4]}, "not 3"),
        (lambda data: {**data, "background": "lava"}, "'lava'"),
        (lambda data: {**data, "background": ["dots"]}, "dots"),
        (lambda data: {**data, "tint": None}, "None"),
        (lambda data: {**data, "light": float("nan")}, "nan"),
        (lambda data: {**data, "light": "up"}, "'up'"),
        (lambda data: {**data, "grain": -1}, "-1"),
        (lambda data: {**data, "grain": True}, "True"),
        (lambda data: {**data, "sound": 1}, "'sound'"),
        (lambda data: {key: data[key] for key in data if key != "light"}, "'light'"),
        (lambda data: {**data, "things": [{**data["things"][0], "shape": "egg"}, data["things"][1]]}, "'egg'"),
        (lambda data: {**data, "things": [{**data["things"][0], "colour": 3}, data["things"][1]]}, "3"),
        (lambda data: {**data, "things": [{**data["things"][0], "size": "huge"}, data["things"][1]]}, "'huge'"),
        (lambda data: {**data, "things": [{**data["things"][0], "x": 1.5}, data["things"][1]]}, "1.5"),
        (lambda data: {**data, "things": [{**data["things"][0], "y": 0.01}, data["things"][1]]}, "0.01"),
        (lambda data: {**data, "things": [data["things"][0]] * 2}, "overlap"),
        (lambda data: {**data, "things": [data["things"][0], {**data["things"][0], "x": 0.6}]}, "small red star"),
    ],
)
def test_a_scene_that_cannot_be_drawn_is_refused_with_a_sentence(change, says):
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        Scene.from_dict(change(two().to_dict()))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


# The pictures


def inside(thing, size):
    """The pixels well inside a thing: its outline, one pixel smaller."""
    reach = REACH[thing.size] * size
    mask = Image.new("L", (size, size))
    points = [(thing.x * size + x * reach, thing.y * size + y * reach) for x, y in OUTLINES[thing.shape]]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return np.asarray(mask.filter(ImageFilter.MinFilter(3))) > 0


def test_the_same_scene_is_the_same_picture_at_any_size():
    for size in (64, 128, 512):
        picture = draw(compose(1), size)
        assert picture.mode == "RGB" and picture.size == (size, size)
        assert picture.tobytes() == draw(compose(1), size).tobytes()
    small = np.asarray(draw(two(), 512).resize((128, 128), Image.Resampling.BOX), np.float32)
    assert np.abs(small - np.asarray(draw(two()), np.float32)).mean() < 4


@settings(deadline=None, max_examples=60)
@given(SEEDS)
def test_each_thing_looks_most_like_its_own_colour(seed):
    scene = generate(Random(seed), "test")
    picture = np.asarray(draw(scene), np.float32)
    for thing in scene.things:
        pixels = inside(thing, 128)
        assert pixels.sum() > 20
        mean = picture[pixels].mean(0)
        distances = {name: np.linalg.norm(mean - np.array(value)) for name, value in COLOURS.items()}
        assert min(distances, key=distances.get) == thing.colour, (thing, mean)
        distance = distances.pop(thing.colour)
        assert distance < 0.6 * min(distances.values()), "told apart with room to spare"


def test_every_shape_colour_and_size_differs_clearly_from_every_other():
    def covered(shape, size):
        thing = Thing(shape, "black", size, 0.5, 0.5)
        return np.asarray(draw(Scene((thing,), "plain", "cream", 0.0, 0)).convert("L"), np.float32) < 120

    for size in SIZES:
        masks = {shape: covered(shape, size) for shape in SHAPES}
        for shape, mask in masks.items():
            for other in set(SHAPES) - {shape}:
                assert (mask ^ masks[other]).sum() > 0.18 * (mask | masks[other]).sum(), (shape, other, size)
    reaches = [REACH[size] for size in SIZES]
    assert all(after > 1.35 * before for before, after in pairwise(reaches))


def test_no_background_has_a_colour_of_a_thing():
    for background in scenes.BACKGROUNDS:
        for tint in scenes.TINTS:
            pixels = np.asarray(draw(two(things=(), background=background, tint=tint)), np.float32)
            assert pixels.mean(-1).min() > 165 and (pixels.max(-1) - pixels.min(-1)).max() < 70


@pytest.mark.parametrize("size", [0, 8, 4096, 128.0, True])
def test_a_wrong_picture_size_is_named(size):
    with pytest.raises(ValueError, match=rf"{size}.*16 to 2048"):
        draw(compose(0), size)


# The captions


@QUICK
@given(SEEDS, SPLIT)
def test_a_caption_names_every_thing_in_12_to_40_words_and_is_true(seed, split):
    rng = Random(seed)
    scene = generate(rng, split)
    for _ in range(3):
        text = caption(scene, rng)
        assert 12 <= len(text.split()) <= 40, text
        found = Counter((colour, shape) for _, colour, shape in objects_in(text))
        assert found == Counter((thing.colour, thing.shape) for thing in scene.things), text
        verdict = check_caption(caption_record(scene, "a.png", rng, 1), text)
        assert verdict.correct and verdict.faithful and verdict.foreign == (), (text, verdict)
        assert verdict.text.endswith("objects are right.")


@QUICK
@given(SEEDS)
def test_a_caption_is_plain_english(seed):
    rng = Random(seed)
    text = caption(generate(rng), rng)
    assert re.fullmatch(r"([A-Z][a-zI ,;:]+\.( |$)){1,3}", text), text
    assert not re.search(r"\ba [aeiou]|\ban [^aeiou]| [,.;:]|  |\b(\w+) \1\b", text), text
    for number, plural in re.findall(rf"\b(\w+) \w+ ({any_of(PLURAL.values())})\b", text):
        assert number.lower() in NUMBERS[2:], (number, plural)


def test_a_scene_has_many_wordings():
    rng = Random(0)
    scene = generate(rng, "test", 4)
    texts = {caption(scene, rng) for _ in range(200)}
    assert len(texts) > 150 and len({" ".join(text.split()[:2]) for text in texts}) > 20
    assert len(set(FRAMES)) >= 9


def test_the_vocabulary_is_small():
    rng, words = Random(0), set()
    for _ in range(3000):
        scene = generate(rng, "test")
        asked = question(scene, rng)
        words |= set(re.findall(r"\w+", f"{caption(scene, rng)} {asked.text} {asked.answer}".lower()))
    assert 120 < len(words) <= 200


def test_prompts_and_suggestions_are_distinct_sentences():
    assert CAPTION_PROMPTS[0] == "Please describe this image in detail."
    assert len(set(CAPTION_PROMPTS)) == 12 and len(set(SUGGESTIONS)) == 6
    assert all(re.fullmatch(r"[A-Z][\w ,]+[.?]", text) for text in CAPTION_PROMPTS + SUGGESTIONS)


@QUICK
@given(SEEDS)
def test_what_a_wording_says_clearly_the_checker_takes_as_true(seed):
    scene = generate(Random(seed))
    for one in scene.things:
        if where := place(one):
            assert place_holds(where, one)
        for other in scene.things:
            if one is not other and (where := relation(one, other)):
                assert relation_holds(where, one, other) and not relation_holds(where, other, one)


# The checker of captions


def changed(text, words, rng):
    """The text with the first of some words changed into another one of them, plurals into plurals."""
    found = re.search(rf"\b({any_of(words)})\b", text)
    others = sorted(set(words.values()) - {words[found[0]]})
    new = rng.choice(others)
    if found[0] in PLURAL.values():
        new = PLURAL[new]
    return text[: found.start()] + new + text[found.end() :]


@QUICK
@given(SEEDS, SPLIT)
def test_a_changed_colour_or_shape_is_caught(seed, split):
    rng = Random(seed)
    scene = generate(rng, split)
    row, text = {"scene": scene.to_dict()}, caption(scene, rng).lower()
    for words in ({colour: colour for colour in COLOURS}, SHAPE_OF):
        verdict = check_caption(row, changed(text, words, rng))
        assert verdict.correct is False and not verdict.faithful and verdict.foreign


@QUICK
@given(SEEDS)
def test_a_changed_size_is_caught(seed):
    rng = Random(seed)
    scene = generate(rng)
    text = caption(scene, rng).lower()
    if twinless(scene) and re.search(rf"\b({any_of(SIZE_OF)})\b", text):
        verdict = check_caption({"scene": scene.to_dict()}, changed(text, SIZE_OF, rng))
        assert verdict.correct and not verdict.faithful and "but it wrongly says" in verdict.text


@QUICK
@given(SEEDS)
def test_a_changed_relation_is_caught(seed):
    rng = Random(seed)
    scene = generate(rng)
    text = caption(scene, rng).lower()
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    opposite |= {"over": "under", "under": "over", "its left": "its right", "its right": "its left"}
    found = re.search(rf"\b({any_of(opposite)})\b", text)
    if found:
        turned = text[: found.start()] + opposite[found[0]] + text[found.end() :]
        verdict = check_caption({"scene": scene.to_dict()}, turned)
        assert verdict.correct and not verdict.faithful and len(verdict.foreign) == 1, (text, turned)


@QUICK
@given(SEEDS)
def test_a_left_out_an_added_and_a_doubled_thing_are_caught(seed):
    rng = Random(seed)
    scene = generate(rng, "test", rng.choice((3, 4, 5)))
    fewer = replace(scene, things=scene.things[:-1])
    lost = scene.things[-1]
    name = f"{'an' if lost.colour[0] == 'o' else 'a'} {lost.colour} {lost.shape}"
    verdict = check_caption({"scene": scene.to_dict()}, caption(fewer, rng))
    total = len(scene.things)
    assert verdict.correct is False
    assert verdict.text == f"{total - 1} of {total} objects are right: it leaves out {name}."
    verdict = check_caption({"scene": fewer.to_dict()}, caption(scene, rng))
    assert verdict.correct is False and verdict.text.endswith(f"are right, but it adds {name}.")
    verdict = check_caption({"scene": scene.to_dict()}, f"{caption(scene, rng)} There is also {name}.")
    assert verdict.correct is False and name in verdict.foreign


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("A red star and two blue circles.", [(None, "red", "star")] + [(None, "blue", "circle")] * 2),
        ("a big red star. The red star is left of the star.", [("large", "red", "star")]),
        ("A small red star, then the large red star.", [("small", "red", "star"), ("large", "red", "star")]),
        ("The red star is here.", [(None, "red", "star")]),
        ("red stars, star, a red red", []),
        ("3 pink crosses<|endoftext|>", [(None, "pink", "cross")] * 3),
        ("AN ORANGE\nMOON", [(None, "orange", "moon")]),
        ("", []),
    ],
)
def test_objects_are_counted_at_their_first_mention(text, objects):
    assert objects_in(text) == objects


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("A red star is left of a blue circle.", ()),
        ("A red star is over a blue circle.", ("a red star over a blue circle",)),
        ("Left of a blue circle is a red star.", ()),
        ("Right of a blue circle is a red star.", ("a red star right of a blue circle",)),
        ("A blue circle has a red star on its left.", ()),
        ("A blue circle has a red star below it.", ("a red star below it",)),
        ("A little red star is on the left, and a blue circle is in the top right corner.", ("top right",)),
        ("In the left half there is a red star, in the right half a big blue circle.", ()),
        ("In the left half there is a blue circle, in the right half a red star.", ("blue", "red")),
        ("From left to right there are a red star and a blue circle.", ()),
        ("From left to right there are a blue circle and a red star.", ("from left to right",)),
        ("The largest thing is a blue circle; the other is a red star.", ()),
        ("A red star is the largest thing, and the other is a blue circle.", ("a red star is the largest thing",)),
        ("Three objects: a red star and a blue circle.", ("three objects",)),
        ("A red star and a blue circle lie on a striped background.", ("striped background",)),
        ("A red star and a blue circle lie on a plain background.", ()),
        ("A large red star and a blue circle.", ("a large red star",)),
        ("A red star and a blue circle. The large red star is here.", ("the large red star",)),
    ],
)
def test_what_else_a_caption_says_is_checked(text, foreign):
    verdict = check_caption({"scene": two().to_dict()}, text)
    assert verdict.correct is True and verdict.faithful == (not foreign)
    assert len(verdict.foreign) == len(foreign)
    assert all(part in found for part, found in zip(foreign, verdict.foreign, strict=True)), verdict.foreign


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A red star and a blue circle.", "Both objects are right."),
        (
            "A red heart and a blue circle.",
            "1 of 2 objects are right: it says a red heart, the picture has a red star.",
        ),
        ("A blue circle.", "1 of 2 objects are right: it leaves out a red star."),
        ("Two red stars and a blue circle.", "Both objects are right, but it adds a red star."),
        ("A red star and a blue circle circle.", "Both objects are right, but it is garbled at “circle”."),
        ("A big red star and a blue circle.", "Both objects are right, but it wrongly says “a big red star”."),
        ("", "0 of 2 objects are right: it leaves out a red star and a blue circle."),
        ("A red star and a blue circle." + " Well" * 500, "Both objects are right, but it goes on too long."),
    ],
)
def test_the_verdict_on_a_caption_is_one_sentence(text, says):
    verdict = check_caption({"scene": two().to_dict()}, text)
    assert verdict.text == says
    assert verdict.correct == says.startswith(("Both objects are right.", "Both objects are right, but it wrongly"))


def test_without_a_scene_the_caption_of_the_record_is_compared_with():
    row = {"caption": "A small red star is left of a blue circle.", "references": ["A large blue circle. A red star."]}
    assert check_caption(row, "A blue circle is left of a red star.").correct
    assert not check_caption(row, "A blue circle is left of a pink star.").correct
    assert check_caption(row, "A big red star and a big blue circle.").foreign == ("a big red star",)
    for other in ({}, {"caption": None}, {"caption": "A dog runs over the grass."}):
        verdict = check_caption(other, "A red star.")
        assert verdict.correct is None and verdict.text == "There is no known caption to compare with."


def test_a_record_that_cannot_be_checked_is_named():
    for row in ([], "text", None):
        with pytest.raises(ValueError, match="dictionary"):
            check_caption(row, "")
        with pytest.raises(ValueError, match="dictionary"):
            check_answer(row, "")
    with pytest.raises(ValueError, match="caption 3"):
        check_caption({"caption": 3}, "")
    with pytest.raises(ValueError, match="references"):
        check_caption({"references": [3]}, "")
    with pytest.raises(ValueError, match="background 'lava'"):
        check_caption({"scene": two().to_dict() | {"background": "lava"}}, "")
    with pytest.raises(ValueError, match="answer 3"):
        check_answer({"question": "How many?", "answer": 3}, "")


WORDS = "a the two left of on its above it in half . , ; small largest"
PIECES = st.sampled_from([*SHAPES, *COLOURS, *WORDS.split(" ")])


@QUICK
@given(st.text() | st.lists(PIECES, max_size=40).map(" ".join))
def test_the_checkers_survive_any_text(text):
    verdict = check_caption({"scene": two().to_dict()}, text)
    assert type(verdict.correct) is bool and not (verdict.faithful and verdict.foreign)
    assert type(check_answer({"question": "What?", "answer": "It is red."}, text).correct) is bool


@pytest.mark.parametrize("piece", ["a red star ", "left of ", "the ", "<|", " ", "in the left half ", "no ", "."])
def test_the_checkers_are_quick_on_hostile_text(piece):
    text = piece * 20000
    assert not check_caption({"scene": two().to_dict()}, text).correct
    check_caption({"caption": text, "references": [text]}, "a red star")
    check_answer({"question": "What?", "answer": "Red."}, text)


# The questions


def ask(seed, kind=None):
    rng = Random(seed)
    scene = generate(rng, rng.choice(SPLITS))
    return scene, question(scene, rng, kind)


def named(name, scene):
    """The things of a scene that "the small red star" fits."""
    words = name.split()[1:]
    return [
        thing
        for thing in scene.things
        if all(SIZE_OF.get(word, word) in (thing.size, thing.colour, thing.shape) for word in words)
    ]


@QUICK
@given(SEEDS, st.sampled_from((None, *QUESTION_KINDS)))
def test_every_answer_is_judged_right_with_and_without_its_kind(seed, kind):
    scene, asked = ask(seed, kind)
    assert asked.kind in QUESTION_KINDS and 1 <= len(asked.answer.split()) <= 10
    assert asked.text[0].isupper() and asked.text[-1] in "?." and asked.answer[-1] == "."
    row = question_record(scene, "a.png", asked)
    for without in ((), ("kind",), ("scene",), ("kind", "scene")):
        verdict = check_answer({key: row[key] for key in row if key not in without}, asked.answer.upper())
        assert verdict.correct and verdict.faithful and verdict.text == "The answer is right.", asked


@QUICK
@given(SEEDS, st.sampled_from(QUESTION_KINDS))
def test_every_thing_that_a_question_names_is_the_only_one_of_that_name(seed, kind):
    scene, asked = ask(seed, kind)
    names = re.findall(rf"the (?:(?:{any_of(SIZE_OF)}) )?(?:(?:{any_of(COLOURS)}) )?(?:{any_of(SHAPES)})\b", asked.text)
    names += re.findall(rf"the (?:(?:{any_of(SIZE_OF)}) )?(?:{any_of(COLOURS)}) (?=object|thing)", asked.text)
    if asked.kind != "count":
        assert all(len(named(name, scene)) == 1 for name in names), asked
    if asked.kind in ("colour", "shape", "size") and names and not re.search("left|right|over|und|bel|abo", asked.text):
        assert getattr(named(names[0], scene)[0], asked.kind) in asked.answer.lower()


@QUICK
@given(SEEDS)
def test_counts_are_right(seed):
    scene, asked = ask(seed, "count")
    nouns = "|".join((*PLURAL.values(), "objects", "things", "shapes"))
    words = re.search(rf"(?:(\w+) )??(?:(\w+) )?({nouns})", re.sub("How many|Count the|number of", "", asked.text))
    kinds = [SHAPE_OF.get(word, SIZE_OF.get(word, word)) for word in words[0].split()]
    kinds = [word for word in kinds if word in (*SHAPES, *COLOURS, *SIZES)]
    count = sum(all(word in (t.shape, t.colour, t.size) for word in kinds) for t in scene.things)
    said = ("none", "no") if count == 0 else (NUMBERS[count],)
    assert set(re.findall(r"\w+", asked.answer.lower())) & set(said), (asked, count)
    row = question_record(scene, "a.png", asked)
    for other in range(7):
        word = ["none", *NUMBERS[1:], "six"][other]
        for text in (str(other), f"There are {word}.", f"{word}!"):
            assert check_answer(row, text).correct == (other == count), (asked, text)


def test_zero_and_each_other_count_are_asked_for():
    answers = Counter(check_number(ask(seed, "count")[1].answer) for seed in range(600))
    assert all(answers[number] > 10 for number in range(6)) and answers[0] > 60


def check_number(answer):
    words = re.findall(r"\w+", answer.lower())
    return next(number for number in range(6) if {NUMBERS[number], "none" if number == 0 else ""} & set(words))


def test_yes_and_no_are_equally_frequent_and_true():
    counts = Counter()
    for seed in range(1500):
        scene, asked = ask(seed, "relation")
        if asked.answer.startswith(("Yes", "No.", "No,")):
            names = re.findall(rf"the (?:(?:{any_of(SIZE_OF)}) )?(?:\w+ )?(?:{any_of(SHAPES)})\b", asked.text)
            where = re.search(r"\b(left|right|above|below|over|under)\b", asked.text)[0]
            where = {"over": "above", "under": "below"}.get(where, where)
            one, other = (named(name, scene)[0] for name in names)
            assert relation_holds(where, one, other) == asked.answer.startswith("Yes")
            counts[asked.answer[:2]] += 1
    assert 0.44 < counts["Ye"] / counts.total() < 0.56


@QUICK
@given(SEEDS, st.sampled_from(QUESTION_KINDS), st.data())
def test_a_changed_word_in_an_answer_is_caught(seed, kind, data):
    scene, asked = ask(seed, kind)
    row = question_record(scene, "a.png", asked)
    tables = [list(COLOURS), list(SHAPES), ["small", "medium", "large"], ["left", "right"], ["top", "bottom"]]
    tables += [["above", "below"], ["upper", "lower"], ["yes", "no"]]
    answer = asked.answer.lower()
    for words in tables:
        spots = [found for found in re.finditer(r"\w+", answer) if found[0] in words]
        if len(spots) == 1 and asked.kind != "count" and not answer.startswith("the "):
            spot = spots[0]
            new = data.draw(st.sampled_from([word for word in words if word != spot[0]]))
            text = answer[: spot.start()] + new + answer[spot.end() :]
            assert not check_answer(row, text).correct, (asked, text)


@pytest.mark.parametrize(
    ("question", "answer", "text", "right"),
    [
        ("How many circles are there?", "Three.", "There are three circles.", True),
        ("How many circles are there?", "Three.", "three", True),
        ("How many circles are there?", "There are three.", "3", True),
        ("How many circles are there?", "Three.", "There are three or four.", False),
        ("How many circles are there?", "Three.", "There are three, four.", False),
        ("How many circles are there?", "Three.", "There are three squares.", False),
        ("How many circles are there?", "Three.", "There are not three.", False),
        ("How many circles are there?", "None.", "There are no circles.", True),
        ("How many circles are there?", "None.", "No circles.", True),
        ("How many circles are there?", "None.", "0", True),
        ("How many circles are there?", "None.", "One.", False),
        ("What colour is the star?", "It is red.", "Red", True),
        ("What colour is the star?", "It is red.", "It is a red star.", True),
        ("What colour is the star?", "It is red.", "The star is red or blue.", False),
        ("What colour is the star?", "It is red.", "It isn't red.", False),
        ("What colour is the star?", "It is red.", "A red circle.", False),
        ("What colour is the star?", "It is red.", "Two.", False),
        ("What colour is the star left of the blue circle?", "Red.", "The star left of the blue circle is red.", True),
        ("What colour is the star left of the blue circle?", "Red.", "Blue.", False),
        ("What shape is the red object?", "A star.", "The red object is a star.", True),
        ("What shape is the red object?", "A star.", "The red object is red.", False),
        ("What size is the star?", "Large.", "It is big.", True),
        ("What is left of the red star?", "A blue square.", "blue square", True),
        ("What is left of the red star?", "A blue square.", "The blue square is left of the red star.", True),
        ("What is left of the red star?", "A blue square.", "A square.", False),
        ("What is left of the red star?", "A blue square.", "Nothing.", False),
        ("What is in the middle?", "Nothing.", "There is nothing in the middle.", True),
        ("What is in the middle?", "Nothing.", "A red star.", False),
        ("Where is the star?", "In the top left corner.", "It is in the upper left.", True),
        ("Where is the star?", "In the top left corner.", "On the left.", False),
        ("Where is the star, seen from the circle?", "Above the circle.", "The star is over it.", True),
        ("Where is the star, seen from the circle?", "Above the circle.", "Above the star.", False),
        ("Where is the star, seen from the circle?", "Above the circle.", "Above the red circle.", False),
        ("What shape is the red object?", "A star.", "There are three stars.", False),
        ("Is the star left of the circle?", "Yes.", "Yes, it is.", True),
        ("Is the star left of the circle?", "Yes.", "It is.", True),
        ("Is the star left of the circle?", "Yes.", "Yes, no.", False),
        ("Is the star left of the circle?", "Yes.", "Yes, it is not.", False),
        ("Is the star left of the circle?", "Yes.", "Yes, it is right of it.", False),
        ("Is the star left of the circle?", "No, it is not.", "No.", True),
        ("Is the star left of the circle?", "No, it is not.", "No, it is right of the circle.", True),
        ("Is the star left of the circle?", "No, it is not.", "No, it is left of the circle.", False),
        ("Is the star left of the circle?", "No, it is not.", "No, it is.", False),
        ("What animal is it?", "A dog.", "a dog", True),
        ("What animal is it?", "A dog.", "A cat.", False),
        ("What colour is the star?", "Red.", "", False),
        ("What colour is the star?", "Red.", "the the the", False),
    ],
)
def test_an_answer_is_judged_by_what_it_says(question, answer, text, right):
    verdict = check_answer({"question": question, "answer": answer}, text)
    assert verdict.correct is right
    assert verdict.text.startswith("The answer is right." if right else "The answer is wrong: it should be “")


def test_a_question_without_a_known_answer_is_not_judged():
    for row in ({}, {"question": "How many?", "answer": None}):
        verdict = check_answer(row, "Three.")
        assert verdict.correct is None and verdict.text == "There is no known answer to compare with."


def test_a_wrong_kind_of_question_is_named():
    with pytest.raises(ValueError, match=r"'smell'.*count, colour, relation"):
        question(two(), Random(0), "smell")


# The command


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_command_writes_pictures_captions_and_questions(tmp_path):
    assert scenes.main(["--split", "test", "--count", "20", "--seed", "3", "--out", str(tmp_path)]) == 0
    captions, questions = rows(tmp_path / "captions.jsonl"), rows(tmp_path / "questions.jsonl")
    assert len(captions) == len(questions) == len({skeleton(Scene.from_dict(row["scene"])) for row in captions}) == 20
    assert set(Counter(row["kind"] for row in questions).values()) <= {3, 4, 5}
    for row, asked in zip(captions, questions, strict=True):
        assert (row["task"], asked["task"]) == ("caption", "vqa") and row["image"] == asked["image"]
        scene = Scene.from_dict(row["scene"])
        assert split_of(scene) == "test"
        assert Image.open(tmp_path / row["image"]).tobytes() == draw(scene).tobytes()
        assert len(row["references"]) == 5 and row["caption"] == row["references"][0]
        assert all(check_caption(row, text).faithful for text in row["references"])
        assert check_answer(asked, asked["answer"]).correct


def test_the_same_seed_writes_the_same_files(tmp_path):
    for name in "ab":
        scenes.main(["--count", "3", "--seed", "1", "--out", str(tmp_path / name)])
    for name in ("captions.jsonl", "questions.jsonl", "pictures/0002.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--split", "dev", "--out", "x"), "split"),
        (("--count", "0", "--out", "x"), "count"),
        (("--seed", "x", "--out", "x"), "seed"),
        ((), "--out"),
        (("--out", "/proc/nowhere"), "/proc/nowhere"),
    ],
)
def test_bad_arguments_exit_2_with_one_line(arguments, says, capsys):
    with pytest.raises(SystemExit) as caught:
        scenes.main(list(arguments))
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1 and says in error


# ---- what is no caption of ours


STAR_AND_CIRCLE = Scene(
    (Thing("star", "red", "small", 0.3, 0.3), Thing("circle", "blue", "large", 0.7, 0.6)), "plain", "cream", 0, 0
)


@pytest.mark.parametrize(
    "text",
    [
        "There is not a red star and a blue circle.",
        "Neither a red star nor a blue circle.",
        "A red star or a blue circle.",
        "A red star without a blue circle.",
        "Two red star and a blue circle.",
        "A red stars and a blue circle.",
        "No red star, a red star and a blue circle.",
    ],
)
def test_what_is_denied_or_left_open_or_garbled_is_not_told(text):
    record = {"scene": STAR_AND_CIRCLE.to_dict()}
    assert check_caption(record, "A red star and a blue circle.").correct
    assert not check_caption(record, text).correct


def test_two_of_a_size_are_never_there():
    scene = replace(
        STAR_AND_CIRCLE,
        things=(*STAR_AND_CIRCLE.things, Thing("star", "red", "large", 0.3, 0.75)),
    )
    record = {"scene": scene.to_dict()}
    assert check_caption(record, "Two red stars and a blue circle.").faithful
    assert not check_caption(record, "Two small red stars and a blue circle.").faithful


@pytest.mark.parametrize("text", ["More than three.", "At least three.", "Never three.", "-3", "Anything but three."])
def test_an_answer_that_goes_round_the_matter_is_wrong(text):
    record = {"task": "vqa", "image": "a.png", "question": "How many stars are there?", "answer": "Three."}
    assert check_answer(record, "There are three stars.").correct
    assert not check_answer(record, text).correct
