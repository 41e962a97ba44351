r"""Judge a text as the answer to a countdown problem: worked steps, or one expression.

    check({"numbers": [30, 100, 93], "target": 23}, "30+93=123\n123-100=23").correct
    check({"numbers": [30, 100, 93], "target": 23}, "(30 - 100 + 93)").correct

The numbers lie on a table. Every statement of the text takes numbers from it and puts its result back: `30+93=123` takes
30 and 93 and leaves 123. An answer is right when its last statements, from a full table on, leave the target alone.
Any text may come from a model or a person: nothing here evaluates code, numbers are exact, and lengths are bounded.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from wino_viz.untrusted import described

MAX_NUMBER, MAX_TARGET = 999, 999_999  # of a record; models made here know numbers and targets up to 100
MAX_TOKENS, MAX_DIGITS, MAX_DEPTH = 64, 20, 8  # beyond these a statement counts as unreadable
SHOWN = 40  # characters of a statement in a sentence

_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[ \t]+|.", re.DOTALL)
_LIST_MARK = re.compile(r"^[ \t]*(?:[0-9]{1,2}[.)]|[-*•])[ \t]+", re.MULTILINE)
_BOLD = re.compile(r"^[ \t]*\*\*|\*\*[ \t]*$|\*\*(?=[.,;:])", re.MULTILINE)
_OPERATORS = {"×": "*", "÷": "/", "−": "-", "·": "*", r"\times": "*", r"\cdot": "*", r"\div": "/"}
_UNREADABLE = frozenset("^!%√²³")  # they change what a statement says, and are no part of the task
_PART = frozenset("+-*/()=") | _UNREADABLE
_DIGITS = frozenset("0123456789")  # not isdigit(), which is true of ² and ٣


@dataclass(frozen=True)
class Verdict:
    """What a text is worth as the answer to a record.

    correct: it uses every number once and reaches the target. value: of its last statement, None where that has none.
    faithful: nothing foreign. foreign: statements that use a number which is not there, or are no step or expression.
    wrong_equations: false ones. Both as written, blanks left out. text: one or a few sentences for people.
    """

    correct: bool
    value: Fraction | None
    faithful: bool
    foreign: tuple[str, ...]
    wrong_equations: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Statement:
    """One expression or equation of a text. numbers: what it uses; value: None where there is none."""

    text: str
    numbers: tuple[Fraction, ...] = ()
    value: Fraction | None = None
    is_equation: bool = False
    is_false: bool = False


def numbers_and_target(record: Mapping[str, Any]) -> tuple[tuple[int, int, int], int]:
    """The three numbers (1 to 999) and the target (1 to 999,999) of a record. ValueError saying what is wrong."""
    if not isinstance(record, Mapping):
        raise ValueError("a countdown record must be an object")
    numbers, target = record.get("numbers"), record.get("target")
    wanted = f'"numbers" must be a list of three whole numbers from 1 to {MAX_NUMBER}'
    if not isinstance(numbers, list | tuple):
        raise ValueError(f"{wanted}, not {described(numbers)}")
    if len(numbers) != 3:
        raise ValueError(f"{wanted}, not of {len(numbers)}")
    for number in numbers:
        if not _is_whole(number, MAX_NUMBER):
            raise ValueError(f"{wanted}, and {described(number)} is none")
    if not _is_whole(target, MAX_TARGET):
        raise ValueError(f'"target" must be a whole number from 1 to {MAX_TARGET:,}, not {described(target)}')
    return tuple(numbers), target


def _is_whole(number: Any, high: int) -> bool:
    return type(number) is int and 1 <= number <= high


# Reading


class _Unreadable(Exception):
    """The tokens are no expression."""


class _Parser:
    """One expression from tokens: its value (None after a division by zero), the numbers in it, and its operators."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0
        self.numbers: list[Fraction] = []
        self.operators = 0
        self.value = self._sum(0)
        if self.at != len(tokens):
            raise _Unreadable

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self.at += 1
        return token

    def _sum(self, depth: int) -> Fraction | None:
        value = self._product(depth)
        while self._next() in ("+", "-"):
            operator, right = self._operator(), self._product(depth)
            if value is not None and right is not None:
                value = value + right if operator == "+" else value - right
            else:
                value = None
        return value

    def _product(self, depth: int) -> Fraction | None:
        value = self._number(depth)
        while self._next() in ("*", "/"):
            operator, right = self._operator(), self._number(depth)
            if value is None or right is None or (operator == "/" and right == 0):
                value = None
            else:
                value = value * right if operator == "*" else value / right
        return value

    def _operator(self) -> str:
        self.operators += 1
        return self._take()

    def _number(self, depth: int) -> Fraction | None:
        token = self._take()
        if token == "(" and depth < MAX_DEPTH:
            value = self._sum(depth + 1)
            if self._take() != ")":
                raise _Unreadable
            return value
        sign = 1
        if token == "-":  # of the number alone: the result of 5-10 is -5
            token, sign = self._take(), -1
        if token[:1] not in _DIGITS or len(token) > MAX_DIGITS:
            raise _Unreadable
        self.numbers.append(sign * Fraction(token))
        return self.numbers[-1]


def _groups(text: str) -> Iterator[list[str]]:
    """The runs of numbers, operators, parentheses and = signs. After a number and a blank, a number or ( starts anew."""
    for written, operator in _OPERATORS.items():
        text = text.replace(written, operator)
    for marks in (_LIST_MARK, _BOLD):
        text = marks.sub("\n", text)
    group: list[str] = []
    after_blank = False
    for token in _TOKEN.findall(text):
        if token[0] in " \t":
            after_blank = True
            continue
        is_number = token[0] in _DIGITS
        apart = after_blank and (is_number or token == "(") and group and (group[-1] == ")" or group[-1][0] in _DIGITS)
        if (apart or not (is_number or token in _PART)) and group:
            yield group
            group = []
        if is_number or token in _PART:
            group.append(token)
        after_blank = False
    if group:
        yield group


def _statement(tokens: list[str]) -> Statement | None:
    """What a run of tokens says; None where it calculates nothing, such as a number alone."""
    if tokens[0] == "=":  # "answer = 30+93-100"
        tokens = tokens[1:]
    signs = _UNREADABLE.union("+-*/")
    if not any(token in signs for token in tokens) or not any(token[0] in _DIGITS for token in tokens):
        return None
    if "=" in tokens and tokens[0] == "(" and tokens[-1] == ")" and _opened(tokens[: tokens.index("=")]) == 1:
        tokens = tokens[1:-1]  # "(30+93=123)"
    text = "".join(tokens)
    sides: list[list[str]] = [[]]
    for token in tokens:
        if token == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    if len(tokens) > MAX_TOKENS:
        return Statement(text)
    try:
        read = [_Parser(side) for side in sides]
    except _Unreadable:
        return Statement(text)
    calculating = [side for side in read if side.operators]
    if not calculating:
        return None
    values = {side.value for side in read}
    if None in values or len(values) > 1:
        return Statement(text, is_equation=len(sides) > 1, is_false=len(sides) > 1)
    if len(calculating) > 1:  # true, but what would it leave on the table?
        return Statement(text)
    return Statement(text, tuple(calculating[0].numbers), values.pop(), len(sides) > 1)


def _opened(tokens: list[str]) -> int:
    """How many parentheses are open after these tokens."""
    return tokens.count("(") - tokens.count(")")


def _statements(text: str) -> list[Statement]:
    return [found for group in _groups(text) if (found := _statement(group))]


# Judging


def _without(table: tuple[Fraction, ...], numbers: tuple[Fraction, ...]) -> tuple[Fraction, ...] | None:
    """The table after these numbers are taken; None when one of them is not there."""
    rest = list(table)
    for number in numbers:
        if number not in rest:
            return None
        rest.remove(number)
    return tuple(rest)


def check(record: Mapping[str, Any], text: str) -> Verdict:
    """Judge a text as the answer to a record with numbers and a target. Any text can be judged, in linear time.

    Steps are equations whose right-hand side is a number; the last statement may do without it. Text before the steps
    that count, other attempts too, does not make an answer wrong; another statement after them does. A comma separates
    statements: numbers of thousands are written without. ValueError as `numbers_and_target`.
    """
    numbers, target = numbers_and_target(record)
    full = tuple(map(Fraction, numbers))
    statements = _statements(text)
    # Tables that statements up to here may have left. Each begins with some statement on a full table and gets smaller
    # by every step, so there are never more than two.
    tables: list[tuple[Fraction, ...]] = []
    left: list[tuple[Fraction, ...]] = []
    foreign, wrong = [], []
    for statement in statements:
        left = []
        if statement.value is not None:
            rests = [_without(table, statement.numbers) for table in (*tables, full)]
            left = [(*rest, statement.value) for rest in rests if rest is not None]
        if statement.is_false:
            wrong.append(statement.text)
        elif not left:
            foreign.append(statement.text)
        tables = left if statement.is_equation else []
    correct = any(table == (target,) for table in left)
    last = statements[-1] if statements else None
    words = f"Right: {target} with every number once." if correct else f"Wrong: {_reason(last, left, target)}."
    on_the_way = [text for text in wrong if correct or text != last.text]
    others = [text for text in foreign if correct or text != last.text]
    if on_the_way:
        words += f" Wrong on the way: {_some(on_the_way)}."
    if others:
        words += f" Not with these numbers: {_some(others)}."
    value = last.value if last else None
    return Verdict(correct, value, not foreign, tuple(foreign), tuple(wrong), words)


def _reason(last: Statement | None, left: list[tuple[Fraction, ...]], target: int) -> str:
    """Why an answer with this last statement, which leaves these tables, is not right."""
    if last is None:
        return "it calculates nothing"
    shown = _short(last.text)
    if last.is_false:
        return f"{shown} is not true"
    if last.value is None:
        return f"{shown} is no step with these numbers"
    if not left:
        return f"{shown} uses a number that is not there"
    if last.value != target:
        return f"it ends in {_short(str(last.value))}, the target is {target}"
    return f"it reaches {target} without using every number once"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _some(texts: list[str], most: int = 3) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(map(_short, texts[:most])) + more
