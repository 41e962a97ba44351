"""What an address may ask of the page, and that nothing in one is an error."""

from urllib.parse import quote, urlencode

import gradio as gr
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wino_viz.session import Session
from wino_viz.ui.decoder_form import DecoderForm, decoder_choices
from wino_viz.ui.examples import read_examples
from wino_viz.ui.links import LONGEST, TABS, Link, link_data, read_link
from wino_viz.ui.page import build_page

EXAMPLES = read_examples()
SESSION = Session()
with gr.Blocks():
    FORM = DecoderForm(decoder_choices(SESSION, Session("llada-mini-wino-plus")), "test", "Decoder", "wino")
REWRITTEN = next(n for n, each in enumerate(EXAMPLES) if each.name == "a-sentence-is-rewritten")


def read(search: str, **more) -> Link:
    return read_link(search, EXAMPLES, FORM, SESSION, **more)


def test_an_example_is_known_by_its_name_whatever_its_number_is_at_a_pass_and_a_token():
    link = read("?example=a-sentence-is-rewritten&pass=3&token=31&__theme=dark&utm_source=x")
    assert (link.example, link.at, link.token, link.left_out) == (REWRITTEN, 3, 30, ())
    assert read("example=3-a-sentence-is-rewritten").example == REWRITTEN
    assert read("example=9-A-Sentence-is-rewritten").example == REWRITTEN
    assert not link.fills and link.words == ""


def test_every_example_has_a_name_of_its_own():
    names = [each.name for each in EXAMPLES]
    assert len({*names}) == len(names) and all(names)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("example=3-was-here-once", "there is no example '3-was-here-once' here any more"),
        ("example=a-sentence-is-rewritten&pass=9999", "pass '9999', for the example has passes 0 to"),
        ("example=a-sentence-is-rewritten&pass=-1", "pass '-1'"),
        ("example=a-sentence-is-rewritten&token=0", "token '0', for the example has tokens 1 to 128"),
        ("example=a-sentence-is-rewritten&token=1e3", "token '1e3'"),
        ("example=a-sentence-is-rewritten&decoder=standard", "its decoder, for the example has its own"),
        ("tab=admin", "there is no tab 'admin'"),
        ("task=chess", "there are no problems of the kind 'chess'"),
        ("prompt=1,2->3", "a countdown has three numbers"),
        ("prompt=1,2,3->4&task=sudoku", "the kind sudoku, for its problem is none"),
        ("prompt=" + "long+" * 900, "more than 3,000 characters"),
        ("decoder=wino:tau1=7", "tau1 must be a number, 0 to 1"),
        ("decoder=magic", "there is no decoder 'magic' here"),
        ("decoder=wino:draft_cap=3", "draft_cap, which can’t be set on this page"),
        ("gen_length=100&block_length=64", "gen_length 100 is not a multiple of block_length 64"),
        ("gen_length=99999999", "gen_length is 1 to 256"),
        ("temperature=hot", "the temperature 'hot', which is no number"),
        ("temperature=999", "temperature must be a number, 0 to 10"),
        ("seed=-1", "a seed is 0 to 4294967295"),
        ("model=GSAI-ML/LLaDA-8B-Instruct", "it is not offered here"),
        ("x" * (LONGEST + 1), "too long to be one of this page’s"),
        ("&".join(f"a{n}=1" for n in range(99)), "too many parts"),
    ],
)
def test_what_can_not_be_followed_is_left_out_and_said(search: str, said: str):
    link = read(search)
    assert said in link.words and link.words.count("Left out of the link: ") == 1
    assert len(link.words) < 600 and "\n" not in link.words


def test_a_link_loads_no_model():
    link = read("model=A/B&prompt=Hello+to+you+all", models=["A/B"])
    assert "choose it above, for a link loads none" in link.words and link.prompt == "Hello to you all"


def test_a_problem_of_ones_own_with_its_decoder_and_lengths():
    link = read(
        "prompt=30,100,93=23&decoder=wino:tau1=0.5:tau2=0.8&gen_length=64&block_length=32&seed=3&temperature=0.5"
    )
    assert link.problem == {"task": "countdown", "numbers": [30, 100, 93], "target": 23}
    assert link.prompt.startswith("Use the numbers") or "30" in link.prompt
    key, settings = link.decoder
    assert (key, settings.tau1, settings.tau2) == ("wino", 0.5, 0.8)
    assert link.canvas == {"gen_length": 64, "block_length": 32, "seed": 3, "temperature": 0.5}
    assert link.fills and not link.left_out


def test_a_decoder_that_a_link_says_in_part_has_the_presets_of_its_problem():
    plain = read("prompt=3102200002100320&decoder=wino-plus")
    assert plain.decoder[1] == FORM.choices["wino-plus"].session.settings("threshold", "sudoku")


def test_a_story_keeps_the_answer_that_the_link_says():
    story = "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?"
    link = read(urlencode({"prompt": story, "answer": 18}))
    assert link.problem == {"task": "arithmetic", "question": story, "answer": 18}


def test_a_kind_alone_asks_for_a_new_problem_of_it():
    assert read("task=sudoku").new == "sudoku"
    assert read("tab=multimodal").tab == "pictures"
    assert (read("tab=lessons").tab, read("tab=cases").tab) == ("lessons", "cases")
    assert read("tab=multimodal", tabs=["decode"]).left_out


def test_the_browser_is_told_what_a_link_may_set():
    data = link_data(FORM, SESSION)
    assert data["settings"]["wino"] == ["tau1", "tau2"] and data["plus"] == "llada-mini-wino-plus"


NAMES = st.sampled_from(
    [
        "tab",
        "example",
        "pass",
        "token",
        "prompt",
        "task",
        "decoder",
        "gen_length",
        "block_length",
        "seed",
        "temperature",
    ]
    + ["answer", "model", "fixed"]
)
VALUES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["a-sentence-is-rewritten", "wino:tau1=0.5", "64", "1e999", "NaN", "-0", "٣", "²", "1_0", "\ud800"]
    ),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
@example([("pass", "²"), ("example", "a-sentence-is-rewritten")])
@example([("seed", "٣"), ("gen_length", "٦٤")])
def test_nothing_in_an_address_is_an_error(fields: list[tuple[str, str]]):
    link = read("&".join(f"{name}={quote(text, errors='surrogatepass')}" for name, text in fields))
    assert isinstance(link, Link) and "\n" not in link.words
    link.words.encode()


@given(st.one_of(st.text(max_size=300), st.none(), st.integers(), st.lists(st.text())))
def test_nor_in_what_is_no_address_at_all(search):
    assert isinstance(read(search), Link)


def test_every_tab_of_the_page_has_a_link():
    page = build_page(SESSION, examples=EXAMPLES[:1], pictures=Session("mmada-mini", task="caption"))
    tabs = {block.id for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert tabs == {*TABS.values()}
    assert [read(f"tab={name}").tab for name in TABS] == [*TABS.values()]
