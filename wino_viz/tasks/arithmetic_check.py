r"""Judge a text as the answer to an arithmetic word problem: its number, its equations, its faithfulness.

    check({"question": "Ana has 39 boxes. …", "answer": 36}, "Rosa takes 3 boxes: 39-3=36.\n#### 36")

Any text may come from a model or a person, so nothing here evaluates code, and the time is linear in the text.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from wino_viz.tasks.arithmetic_wording import NAMES, THINGS

MAX_DIGITS, MAX_TERMS = 30, 30  # beyond these an equation counts as wrong: nothing true here is so long
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = frozenset(NAMES)
_THING_OF = {word: thing for thing in THINGS for word in thing}
_ANSWER = re.compile(r"\s*\$?(-?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+))(?:\.([0-9]+))?")
_NUMBER = r"[0-9]+(?:,[0-9]{3}(?![0-9]))*(?:\.[0-9]+)?"
# A maximal run of numbers and operators. The look-behind starts no second run inside one: without it, matching is
# quadratic in the length of a hostile text.
_RUN = re.compile(rf"(?<![0-9.,])(?:(?<![\w)\-])-)?{_NUMBER}(?:[ \t]{{0,3}}[-+*/=][ \t]{{0,3}}-?{_NUMBER})+")
_TOKEN = re.compile(rf"{_NUMBER}|[-+*/]")
# Parts of a longer expression, with parentheses or powers, are not judged.
_CUT_BEFORE = re.compile(r"\)\s*[-+*/=^]\s*$|[-+*/=^(][-+*/=^]$|[+*/=^.,]$")
_CUT_AFTER = re.compile(r"\s*[-+*/^]\s*[(0-9]")
_ASCII_OPERATORS = str.maketrans("×÷−·", "*/-*")


@dataclass(frozen=True)
class Verdict:
    """What a text is worth as the answer to a record.

    correct: its final number is the record's answer; None when the record has none.
    faithful: no foreign words. foreign: the names and things of the text that the question lacks, as written.
    wrong_equations: the equations of the text that are false, as written, blanks left out.
    """

    correct: bool | None
    answer_read: int | None
    faithful: bool
    foreign: tuple[str, ...]
    wrong_equations: tuple[str, ...]


def read_answer(text: str) -> int | None:
    """The whole number after the last `####`; None when there is none (or it has more than 30 digits)."""
    _, mark, tail = text.rpartition("####")
    found = _ANSWER.match(tail) if mark else None
    if not found or len(found[1]) > MAX_DIGITS or (found[2] or "").strip("0"):
        return None
    return int(found[1].replace(",", ""))


def foreign_words(question: str, text: str) -> tuple[str, ...]:
    """The names and things (singular or plural) of the text that its question lacks, each once, as written."""
    known = {word.lower() for word in _WORD.findall(question)}
    known_things = {_THING_OF[word] for word in known if word in _THING_OF}
    foreign = {}  # a dict keeps the order of the text
    for word in _WORD.findall(text):
        thing = _THING_OF.get(word.lower())
        if (thing and thing not in known_things) or (word in _NAMES and word.lower() not in known):
            foreign[word] = None
    return tuple(foreign)


def _value(expression: str) -> Fraction | None:
    """The value of numbers joined by + - * /, products first; None when it has none or is too long."""
    tokens = _TOKEN.findall(expression)
    if len(tokens) > 2 * MAX_TERMS or any(len(token) > MAX_DIGITS for token in tokens):
        return None
    total, product, sign, operator = Fraction(0), None, 1, "+"  # value so far = total + product
    for token in tokens:
        if token in "+-*/":
            if operator:  # an operator after an operator (or first) is a sign
                sign = -sign if token == "-" else sign
            else:
                operator = token
            continue
        number, sign = sign * Fraction(token.replace(",", "")), 1
        if product is None or operator in ("+", "-"):
            total += product or 0
            product = -number if operator == "-" else number
        elif operator == "*":
            product *= number
        elif number == 0:
            return None
        else:
            product /= number
        operator = ""
    return None if product is None else total + product


def wrong_equations(text: str) -> tuple[str, ...]:
    """The equations of a text that are false, e.g. ("39-3=35",). Exact: 7/2=3 is false, 7/2=3.5 is true."""
    text = text.translate(_ASCII_OPERATORS)
    wrong = []
    for run in _RUN.finditer(text):
        before = text[max(0, run.start() - 8) : run.start()]
        if "=" not in run[0] or _CUT_BEFORE.search(before) or _CUT_AFTER.match(text[run.end() : run.end() + 8]):
            continue
        values = [_value(side) for side in run[0].split("=")]
        if None in values or len(set(values)) > 1:
            wrong.append("".join(run[0].split()))
    return tuple(wrong)


def check(record: dict, text: str) -> Verdict:
    """Judge a text as the answer to a record with a question and, if known, an answer.

    Any text can be judged. ValueError when the record has no question or its answer is not a whole number.
    """
    question = record.get("question") if isinstance(record, dict) else None
    if type(question) is not str:
        raise ValueError("an arithmetic record needs a question, a string")
    answer, answer_read = record.get("answer"), read_answer(text)
    if answer is not None and type(answer) is not int:
        raise ValueError(f"the record's answer {answer!r} is not a whole number")
    foreign = foreign_words(question, text)
    correct = None if answer is None else answer_read == answer
    return Verdict(correct, answer_read, not foreign, foreign, wrong_equations(text))
