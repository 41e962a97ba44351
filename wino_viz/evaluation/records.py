"""Problem records from a JSON-lines file. A picture's path in a record is relative to the file that it stands in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wino_viz.pictures import PictureError, open_picture
from wino_viz.tasks.registry import TASKS, read_record

if TYPE_CHECKING:
    from PIL.Image import Image


def read_records(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Problem records from a JSON-lines file, with the paths of their pictures as they are from here.

    Raises ValueError naming the line that is wrong, and a picture that can't be read.
    """
    records = []
    try:
        # not splitlines(), which also cuts at line separators inside a JSON string
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} can't be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if limit is not None and len(records) >= limit:
            break
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        record = read_record(line, where)
        if TASKS[record["task"]].has_image:
            record["image"] = str(path.parent / record["image"])
            open_image(record["image"], where)  # read again when it is encoded; here its line is known
        records.append(record)
    if not records:
        raise ValueError(f"{path} holds no problems")
    return records


def open_image(image: str, where: str) -> Image:
    """The picture in a file; raises ValueError that names the file and where it was asked for."""
    try:
        return open_picture(image)
    except PictureError as error:
        raise ValueError(f"{where}: {image} can't be taken: {error}") from None
