"""The first pass: every picture is looked at once, chunk by chunk."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2

from common.errors import BadDataset, BadPicture, NoFace
from common.folders import write_whole
from train.data.positioned import PositionedFile
from train.data.prepare import workers
from train.data.prepare.looking import Looker
from train.data.prepare.plan import Plan

DAMAGED, NO_FACE = "damaged", "no face"
FOLDER = "checked"


@dataclass(frozen=True)
class Checker:
    """Looks at the chunks of a plan; what workers get.

    Attributes:
        plan: the list of pictures.
        threads: of the detector in each process, None for all.
    """

    plan: Plan
    threads: int | None = None

    @cached_property
    def looker(self) -> Looker:
        """Made when the first picture is looked at, in the process that does it."""
        if self.threads:
            cv2.setNumThreads(self.threads)
        return Looker(self.plan.recipe.options, self.threads)

    def __reduce__(self):
        return Checker, (self.plan, self.threads)


def check(plan: Plan, jobs: int) -> Iterator[int]:
    """Look at all chunks that no earlier call has finished; yields how many pictures each done chunk has.

    Raises:
        BadDataset: the source is damaged in such a way that pictures cannot be told apart.
    """
    (plan.folder / FOLDER).mkdir(exist_ok=True)
    todo = []
    for number in range(plan.chunks):
        if _result(plan, number) is None:
            todo.append(number)
        else:
            yield len(plan.chunk_items(number))
    if plan.recipe.options.align and todo:
        Checker(plan).looker  # noqa: B018 - so that weights are fetched, and errors come, once and here
    threads = 1 if jobs > 1 else None
    for number, _ in workers.run(_check_chunk, Checker(plan, threads), todo, jobs):
        yield len(plan.chunk_items(number))


def results(plan: Plan) -> Iterator[dict[str, Any]]:
    """The result of each chunk, in order.

    Each holds ``refused`` (item, kind, reason), ``several`` (items with several faces), ``sizes`` ("112x112":
    pictures) and ``made`` (item, offset and length in the chunk's file) of what was encoded anew.
    """
    for number in range(plan.chunks):
        result = _result(plan, number)
        if result is None:
            raise BadDataset(f"{_path(plan, number, 'json')} was altered while it was in use. Call it again.")
        yield result


def made_file(plan: Plan, number: int) -> PositionedFile:
    """Where a chunk's pictures that were encoded anew are kept."""
    return PositionedFile(_path(plan, number, "pictures"))


def _check_chunk(checker: Checker, number: int) -> None:
    plan = checker.plan
    refused, several, sizes, made, pictures, end = [], [], {}, [], [], 0
    for item in plan.chunk_items(number):
        try:
            sight = checker.looker(plan.read(item))
        except (BadPicture, NoFace) as error:
            refused.append([item, NO_FACE if isinstance(error, NoFace) else DAMAGED, str(error)])
            continue
        size = f"{sight.size[0]}x{sight.size[1]}"
        sizes[size] = sizes.get(size, 0) + 1
        if sight.faces > 1:
            several.append(item)
        if sight.jpeg is not None:
            made.append([item, end, len(sight.jpeg)])
            pictures.append(sight.jpeg)
            end += len(sight.jpeg)
    write_whole(_path(plan, number, "pictures"), b"".join(pictures))
    result = {"refused": refused, "several": several, "sizes": sizes, "made": made, "bytes": end}
    write_whole(_path(plan, number, "json"), json.dumps(result))


def _result(plan: Plan, number: int) -> dict[str, Any] | None:
    """A chunk's result, or None where it is not finished."""
    try:
        result = json.loads(_path(plan, number, "json").read_text("utf-8"))
        whole = _path(plan, number, "pictures").stat().st_size == result["bytes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if whole else None


def _path(plan: Plan, number: int, suffix: str) -> Path:
    return plan.folder / FOLDER / f"{number:06d}.{suffix}"
