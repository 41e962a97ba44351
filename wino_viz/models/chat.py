"""How a question stands in what a model reads: its chat template, LLaDA's own where a checkpoint brings none, or bare.

    ids = template_ids(tokenizer, "Ana has 3 apples …")
    ids = template_ids(tokenizer, "Ana has 3 apples …", suffix="<reasoning>")       the answer is made to begin so

Words between two special tokens are tokenized together, as they are where a whole prompt is: "\\n\\n" and what follows it
are other tokens apart. Special tokens that a person typed stay ordinary text.
"""

from __future__ import annotations

import re
import threading
from copy import deepcopy
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerFast

START_OF_TEXT = "<|startoftext|>"
HEADER_START, HEADER_END, TURN_END = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
SLOT = "\x00"  # stands for a message while a chat template is asked what it writes around one
_MARKS = re.compile(r"<\|[A-Za-z0-9_]+\|>")  # how special tokens are written in the templates of LLaDA and Dream
_PLAIN: WeakKeyDictionary[PreTrainedTokenizerFast, PreTrainedTokenizerFast] = WeakKeyDictionary()
_COPYING = threading.Lock()
# Of a checkpoint that has the tokens of a chat and no template (LLaDA-8B-Instruct's, for one message).
LLADA_CHAT = f"{START_OF_TEXT}{HEADER_START}user{HEADER_END}\n\n{SLOT}{TURN_END}{HEADER_START}assistant{HEADER_END}\n\n"


def template_ids(tokenizer: PreTrainedTokenizerFast, message: str, suffix: str = "") -> list[int]:
    """One user message as the model was trained to read it, up to where the answer begins, and `suffix` behind that."""
    whole = chat_around_slot(tokenizer)
    ids: list[int] = []
    parts = _split(whole, [token for token in tokenizer.get_added_vocab() if token in whole])
    if suffix and tokenizer.convert_tokens_to_ids(parts[-1]) in tokenizer.all_special_ids:
        parts.append("")
    for number, part in enumerate(parts):
        text = part.replace(SLOT, message.strip()) + (suffix if number == len(parts) - 1 else "")
        if part in tokenizer.get_added_vocab():
            ids.append(tokenizer.convert_tokens_to_ids(part))
        elif text:
            ids += plain_ids(tokenizer, text)
    return ids


def chat_around_slot(tokenizer: PreTrainedTokenizerFast) -> str:
    """What stands around a user's message, which SLOT stands for, up to where the answer begins.

    The tokenizer's template; without one LLaDA's own where the tokenizer has the tokens of it. A model without the tokens of
    a chat (LLaDA-8B-Base), whatever its template says, goes on with a bare prompt.
    """
    vocabulary = tokenizer.get_vocab()
    whole = LLADA_CHAT
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": SLOT}]
        whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return whole if all(mark in vocabulary for mark in _MARKS.findall(whole)) else SLOT


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
