"""Links that reopen the page: what an address says, read with care, for an address is anybody's to write.

    ?example=a-sentence-is-rewritten&pass=7&token=31     a recorded example at a pass, with the card of a token
    ?prompt=30,100,93=23&decoder=wino:tau1=0.6:tau2=0.9  a problem of one's own: filled in, not run
    ?task=sudoku                                         a new problem of a kind
    ?tab=explore                                         another tab

    link = read_link("?example=…", examples, form, session)
    link.example, link.at, link.token, link.words

What can't be followed is left out and said in one sentence; nothing in an address is an error. assets/page/link.js writes
these addresses. Names that mean nothing here (a theme, a campaign) are nobody's business and pass silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from wino_viz import untrusted
from wino_viz.decoding import Canvas
from wino_viz.problems import asked_problem
from wino_viz.tasks.registry import prompt_of
from wino_viz.ui.decoder_form import PLUS, DecoderForm
from wino_viz.ui.examples import Example, plain_name

LONGEST = 8_000  # characters of an address: what servers and browsers take, and far above any link made here
LONGEST_PROMPT = 3_000
MOST_FIELDS = 50
MOST_NAMED = 3  # things that are left out, in the sentence that says so
TABS = {
    "decode": "decode",
    "compare": "compare",
    "multimodal": "pictures",
    "explore": "explore",
    "lessons": "lessons",
    "cases": "cases",
    "how": "how",
}
_WHOLE, _NUMBER = re.compile("[0-9]{1,10}"), re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_LENGTHS = ("gen_length", "block_length")


@dataclass(frozen=True)
class Link:
    """What an address asks for. Everything is checked; what is None or empty was not said, or left out.

    example       index of a recorded example, with `at` (a pass of it) and `token` (a position of it, from 0)
    problem       record of a problem to fill in, with its `prompt`
    new           a task of which a new problem is wanted
    decoder       (choice in the form, settings)
    canvas        values by name: gen_length, block_length, temperature, seed, and those of `more`
    left_out      what could not be followed, each a clause
    """

    tab: str = ""
    example: int | None = None
    at: int | None = None
    token: int | None = None
    problem: Mapping[str, Any] | None = None
    prompt: str = ""
    new: str = ""
    decoder: tuple[str, Any] | None = None
    canvas: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def fills(self) -> bool:
        """Whether it fills in the form for a run of one's own."""
        return self.example is None and bool(self.prompt or self.new or self.decoder or self.canvas)

    @property
    def words(self) -> str:
        """The sentence that says what was left out; empty where nothing was."""
        if not self.left_out:
            return ""
        named, more = self.left_out[:MOST_NAMED], len(self.left_out) - MOST_NAMED
        return f"Left out of the link: {'; '.join(named)}{f'; and {more} more' if more > 0 else ''}."


def read_link(
    search: Any,
    examples: Sequence[Example],
    form: DecoderForm,
    session: Any,
    tabs: Sequence[str] = tuple(TABS),
    more: Mapping[str, Callable[[str], Any]] | None = None,
    models: Sequence[str] = (),
) -> Link:
    """What the query of an address (with or without its "?") asks for; never raises for what stands in it.

    `form` and `session` have the decoders and the tasks that may be filled in, `tabs` the tabs that there are, `models` the
    models that may be chosen. `more` reads further values of the canvas by name: a function that raises ValueError.
    """
    if not isinstance(search, str) or len(search) > LONGEST:
        return Link(left_out=("all of it, for it is too long to be one of this page’s",) if search else ())
    try:
        said = dict(reversed(parse_qsl(search.lstrip("?"), max_num_fields=MOST_FIELDS, errors="replace")))
    except ValueError:
        return Link(left_out=("all of it, for it has too many parts",))
    reader = _Reader({key: text for key, text in said.items() if text.strip()}, session)
    link: dict[str, Any] = {"tab": reader.tab(tabs)}
    if "example" in reader.said:
        link |= reader.example(examples)
    if link.get("example") is None:
        link |= reader.problem()
        task = link.get("problem", {}).get("task") or link.get("new")
        link["decoder"] = reader.decoder(form, task)
        link["canvas"] = reader.canvas(session.lengths(task if task in session.tasks else session.task), more or {})
        reader.model(models)
    return Link(**link, left_out=tuple(reader.left_out))


class _Reader:
    """The fields of one address; what it can't use goes to `left_out`."""

    def __init__(self, said: Mapping[str, str], session: Any) -> None:
        self.said, self._session = said, session
        self.left_out: list[str] = []

    def tab(self, tabs: Sequence[str]) -> str:
        name = self.said.get("tab", "").strip().lower()
        if name and name not in tabs:
            self.left_out.append(f"there is no tab {untrusted.described(name)}")
            return ""
        return TABS.get(name, "")

    def example(self, examples: Sequence[Example]) -> dict[str, Any]:
        name = self.said["example"].strip()
        found = next((n for n, each in enumerate(examples) if each.name and each.name == plain_name(name)), None)
        if found is None:
            self.left_out.append(f"there is no example {untrusted.described(name)} here any more")
            return {}
        trace = examples[found].trace
        token = self._natural("token", 1, trace.gen_length, "the example has tokens 1 to {most}")
        at = self._natural("pass", 0, trace.forward_passes, "the example has passes 0 to {most}")
        for name in ("prompt", "decoder", "task"):
            if name in self.said:
                self.left_out.append(f"its {name}, for the example has its own")
        return {"example": found, "at": at, "token": token and token - 1}

    def problem(self) -> dict[str, Any]:
        task, prompt = self.said.get("task", "").strip(), self.said.get("prompt", "").strip()
        known = task in self._session.tasks
        if task and not known:
            self.left_out.append(f"there are no problems of the kind {untrusted.described(task)}")
        if not prompt:
            return {"new": task} if known else {}
        if len(prompt) > LONGEST_PROMPT:
            self.left_out.append(f"its problem, which has more than {LONGEST_PROMPT:,} characters")
            return {}
        try:
            record = asked_problem(untrusted.text(prompt, "its problem"), None)
        except ValueError as error:
            self.left_out.append(str(error))
            return {}
        if known and record["task"] != task:
            self.left_out.append(f"the kind {task}, for its problem is none")
        answer = self._natural("answer", 0, 10**9, "an answer is a whole number") if "answer" in self.said else None
        if answer is not None and record["task"] == "arithmetic":
            record = {**record, "answer": answer}
        return {"problem": record, "prompt": prompt_of(record)}

    def decoder(self, form: DecoderForm, task: str | None) -> tuple[str, Any] | None:
        spec = self.said.get("decoder", "").strip()
        if not spec:
            return None
        key, colon, rest = spec.partition(":")
        choice = form.choices.get(key)
        if choice is None:
            known = ", ".join(form.choices)
            self.left_out.append(f"there is no decoder {untrusted.described(key)} here, only {known}")
            return None
        try:
            settings = choice.session.parse(
                f"{choice.rule}{colon}{rest}", task if task in self._session.tasks else None
            )
        except ValueError as error:
            self.left_out.append(str(error))
            return None
        shown = {setting for owner, setting in form.keys if owner == key}
        hidden = [name for part in rest.split(":") if (name := part.partition("=")[0]) and name not in shown]
        if hidden:
            self.left_out.append(f"{', '.join(hidden)}, which can’t be set on this page")
        return key, settings

    def canvas(self, usual: tuple[int, int], more: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        from wino_viz.ui.forms import LONGEST_GENERATION

        wholes = {
            name: self._natural(name, 1, LONGEST_GENERATION, f"{name} is 1 to {{most}}")
            for name in _LENGTHS
            if name in self.said
        }
        values: dict[str, Any] = {name: value for name, value in wholes.items() if value is not None}
        try:
            Canvas([0], 1, **{**dict(zip(_LENGTHS, usual, strict=True)), **values})
        except ValueError as error:
            values = {}
            self.left_out.append(str(error).partition(":")[0])
        if "seed" in self.said and (seed := self._natural("seed", 0, 2**32 - 1, "a seed is 0 to {most}")) is not None:
            values["seed"] = seed
        if "temperature" in self.said:
            values |= self._kept("temperature", _temperature)
        for name, read in more.items():
            if name in self.said:
                values |= self._kept(name, read)
        return values

    def model(self, models: Sequence[str]) -> None:
        """A model is loaded for everybody, which an address must not do: it is named for the reader to choose."""
        name = self.said.get("model", "").strip()
        if name in ("", self._session.model):
            return
        words = "choose it above, for a link loads none" if name in models else "it is not offered here"
        self.left_out.append(f"the model {untrusted.described(name)}: {words}")

    def _kept(self, name: str, read: Callable[[str], Any]) -> dict[str, Any]:
        try:
            return {name: read(self.said[name].strip())}
        except ValueError as error:
            self.left_out.append(str(error))
            return {}

    def _natural(self, name: str, least: int, most: int, sentence: str) -> int | None:
        """A whole number; None where it is not said, or left out with the clause."""
        text = self.said.get(name, "").strip()
        if not text:
            return None
        if _WHOLE.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        self.left_out.append(f"{name} {untrusted.described(text)}, for {sentence.format(most=most)}")
        return None


def link_data(form: DecoderForm, session: Any) -> dict[str, Any]:
    """What the browser needs to write a link to a run: which settings the page has a control for, and its models."""
    plus = form.choices.get(PLUS)
    settings: dict[str, list[str]] = {}
    for key, setting in form.keys:
        settings.setdefault(key, []).append(setting)
    return {"settings": settings, "home": session.model, "plus": plus.session.model if plus else ""}


def _temperature(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"the temperature {untrusted.described(text)}, which is no number")
    Canvas([0], 1, temperature=float(text))
    return float(text)
