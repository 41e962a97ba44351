"""How a question stands in what a model reads: its chat template, LLaDA's own where a checkpoint brings none, or bare.

    ids = template_ids(tokenizer, "Ana has 3 apples …")
    ids = template_ids(tokenizer, "Ana has 3 apples …", suffix="<reasoning>")       the answer is made to begin so
    ids = template_ids(tokenizer, "And without 2?", earlier=[("Ana has 3 …", "#### 5")])       what was said before

Words between two special tokens are tokenized together, as they are where a whole prompt is: "\\n\\n" and what follows it
are other tokens apart. Special tokens that a person or a model wrote stay ordinary text.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from copy import deepcopy
from weakref import WeakKeyDictionary

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

START_OF_TEXT = "<|startoftext|>"
HEADER_START, HEADER_END, TURN_END = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
SLOT = "\x00"  # stands for a message while a chat template is asked what it writes around one
_MARKS = re.compile(r"<\|[A-Za-z0-9_]+\|>")  # how special tokens are written in the templates of LLaDA and Dream
NO_PLACE = "this model answers single questions: its chat template has no place for earlier turns"
_PLAIN: WeakKeyDictionary[PreTrainedTokenizerFast, PreTrainedTokenizerFast] = WeakKeyDictionary()
_COPYING = threading.Lock()
ROLES = ("user", "assistant")  # in turns; the first and the last message are the user's


def template_ids(
    tokenizer: PreTrainedTokenizerFast, message: str, suffix: str = "", earlier: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """One user message as the model was trained to read it, up to where the answer begins, and `suffix` behind that.

    `earlier` are (question, answer) of the turns before it, the oldest first. Blanks around a text are left out. Raises
    ValueError for a chat template that has no place for them.
    """
    whole = chat_around_slot(tokenizer, len(earlier))
    messages = iter([*(text.strip() for turn in earlier for text in turn), message.strip()])
    ids: list[int] = []
    added = tokenizer.get_added_vocab()
    parts = _split(whole, [token for token in added if token in whole])
    if suffix and tokenizer.convert_tokens_to_ids(parts[-1]) in tokenizer.all_special_ids:
        parts.append("")
    for number, part in enumerate(parts):
        text = _filled(part, messages) + (suffix if number == len(parts) - 1 else "")
        if part in added:
            ids.append(tokenizer.convert_tokens_to_ids(part))
        elif text:
            ids += plain_ids(tokenizer, text)
    return ids


def chat_around_slot(tokenizer: PreTrainedTokenizerFast, turns: int = 0) -> str:
    """What stands around a user's message, which SLOT stands for, up to where the answer begins.

    With so many earlier `turns` there are two more slots for each, a question's and an answer's. The tokenizer's template;
    without one LLaDA's own where the tokenizer has the tokens of it. A model without the tokens of a chat (LLaDA-8B-Base),
    whatever its template says, goes on with a bare prompt: questions and answers are paragraphs with a blank line between.
    """
    count = 2 * turns + 1
    whole = _llada_chat(count)
    if tokenizer.chat_template:
        messages = [{"role": ROLES[n % 2], "content": SLOT} for n in range(count)]
        try:
            whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            if turns:
                raise ValueError(f"{NO_PLACE}: {' '.join(str(error).split())[:200]}") from None
            raise
    id_of = tokenizer.backend_tokenizer.token_to_id  # the whole vocabulary as a dictionary takes long to make
    if any(id_of(mark) is None for mark in _MARKS.findall(whole)):
        return "\n\n".join([SLOT] * count)
    if turns and whole.count(SLOT) != count:
        raise ValueError(NO_PLACE)
    return whole


def _llada_chat(count: int) -> str:
    """LLaDA-8B-Instruct's, for a checkpoint that has the tokens of a chat and no template."""
    heads = [f"{HEADER_START}{ROLES[n % 2]}{HEADER_END}\n\n" for n in range(count + 1)]
    return START_OF_TEXT + f"{SLOT}{TURN_END}".join(heads)


def _filled(part: str, messages: Iterator[str]) -> str:
    """`part` with the next of the messages at each slot."""
    first, *rest = part.split(SLOT)
    return first + "".join(next(messages) + after for after in rest)


def plain_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Text as ordinary characters, whatever it spells.

    By a copy of the tokenizer that does nothing else: how special tokens are read is a state of a fast tokenizer, so with
    one for both, a message read in another thread at the same moment would decide what is special here.
    """
    with _COPYING:
        plain = _PLAIN.get(tokenizer)
        if plain is None:
            plain = _PLAIN[tokenizer] = deepcopy(tokenizer)
            plain.encode("", add_special_tokens=False, split_special_tokens=True)
    return plain.encode(text, add_special_tokens=False, split_special_tokens=True)


def _split(text: str, tokens: list[str]) -> list[str]:
    """Text cut before and after each of `tokens`, which stand as parts of their own."""
    if not tokens:
        return [text]
    longest_first = sorted(tokens, key=len, reverse=True)
    return [part for part in re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if part]
