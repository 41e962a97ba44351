"""The embedded model's tokenizer: byte-level BPE with LLaDA's special tokens and chat template.

    python -m wino_viz.training.tokenizer --out assets/models/llada-mini --examples 60000 --vocab-size 1536

Each digit is a token, and so is each blank before a digit or another blank: numbers that stand in columns keep their
places.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from wino_viz.models.chat import HEADER_END, HEADER_START, TURN_END
from wino_viz.models.chat import START_OF_TEXT as START
from wino_viz.tasks import arithmetic, countdown, sudoku

END = "<|endoftext|>"
MASK = "<|mdm_mask|>"
SPECIAL_TOKENS = (START, END, HEADER_START, HEADER_END, TURN_END, MASK)  # in the order of their ids, from 0

# LLaDA's chat layout: start of text, a header and the words of every message, then the assistant's header. The header
# of the answer always follows, whatever add_generation_prompt says.
CHAT_TEMPLATE = (
    "{{ '<|startoftext|>' }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, more_special: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A tokenizer of at most vocab_size tokens that can write any text (all 256 bytes are in it).

    The tokens of `more_special` come after the usual special ones.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" (?=[ 0-9])"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[*SPECIAL_TOKENS, *more_special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[HEADER_START, HEADER_END, TURN_END, MASK, *more_special],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer's files, naming the class that every version of transformers knows."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config.pop("backend", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def corpus(examples: int, seed: int) -> Iterable[str]:
    """Questions and worked answers of the training split: word problems, and every tenth time the other two tasks.

    Those have one wording each, so a few are enough for its words.
    """
    rng = Random(seed)
    for number in range(examples):
        for task in (arithmetic,) if number % 10 else (arithmetic, countdown, sudoku):
            example = task.generate(rng, "train")
            yield example.question
            yield example.worked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--vocab-size", type=int, default=1536)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tokenizer = train_tokenizer(corpus(options.examples, options.seed), options.vocab_size)
    save_tokenizer(tokenizer, options.out)
    print(f"{len(tokenizer)} tokens in {options.out}")


if __name__ == "__main__":
    main()
