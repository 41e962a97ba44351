"""What the tasks in words share: which problem belongs to which split, and the command that writes a data set."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from hashlib import blake2b
from typing import Any, TypeVar

from wino_viz.arguments import Parser, whole

SPLITS = ("train", "validation", "test")
Made = TypeVar("Made")


def split_of_key(key: str) -> str:
    """The split of a problem by a hash of what makes it the same problem: train 98 %, validation 1 %, test 1 %."""
    bucket = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % 100
    return {0: "test", 1: "validation"}.get(bucket, "train")


def check_split(split: object) -> None:
    """Raises ValueError for what is no split."""
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")


def distinct(make: Callable[[], Made], key: Callable[[Made], str], count: int) -> Iterator[Made]:
    """`count` results of make() whose keys all differ."""
    seen: set[str] = set()
    while len(seen) < count:
        made = make()
        if key(made) not in seen:
            seen.add(key(made))
            yield made


def data_parser(task: str, description: str, most: int) -> Parser:
    """The arguments of `python -m wino_viz.tasks.TASK`: --split, --count (1 to `most`), --seed, --out."""
    parser = Parser(prog=f"python -m wino_viz.tasks.{task}", description=description)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--count", type=whole(1, most), default=500, help=f"1 to {most}")
    parser.add_argument("--seed", type=whole(0, 2**63 - 1), default=0)
    parser.add_argument("--out", help="a file; default: standard output")
    return parser


def write_records(parser: Parser, out: str | None, records: Iterable[dict[str, Any]]) -> int:
    """Write JSON lines to a file or to standard output. Returns 0; what can't be written exits with 2 and one line."""
    try:
        with open(out, "w", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
            for record in records:
                file.write(json.dumps(record) + "\n")
            file.flush()
    except BrokenPipeError:  # `… | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        parser.error(f"can't write {out or 'standard output'}: {error.strerror}")
    return 0
