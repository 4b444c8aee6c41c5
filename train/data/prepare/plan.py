"""Which pictures are to be prepared, written down once: every process and every resumed run has the same list."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from filelock import FileLock, Timeout

from common.errors import BadArgument, BadDataset
from common.folders import write_whole
from train.data.prepare.options import Options
from train.data.prepare.selection import select
from train.data.sources import Source
from train.data.texts import Texts

FORMAT = 1
RECIPE = "recipe.json"
MIN_CHUNK, MAX_CHUNK, CHUNKS = 32, 2048, 256  # pictures of a chunk, and how many chunks there should be
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def silent(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """No progress shown. Others get what is done and how many there are, and give what counts them."""
    return nullcontext(lambda count: None)


@dataclass(frozen=True)
class Recipe:
    """What a preparation was asked for.

    Attributes:
        source: where pictures come from.
        options: what is done with them.
        identities, span: which identities are taken; see ``selection.select``.
    """

    source: Source
    options: Options
    identities: tuple[str, ...] = ()
    span: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        """All that decides which pictures come out."""
        return {
            "format": FORMAT,
            "source": str(self.source.path.resolve()),
            "state": self.source.state(),
            "identities": list(self.identities),
            "range": self.span,
            "options": self.options.to_mapping(),
        }


@dataclass(frozen=True)
class Plan:
    """The list of pictures in a working folder; pickles as the folder's path, and maps its arrays into memory.

    Attributes:
        folder: the working folder.
        recipe: what was asked for.
    """

    folder: Path
    recipe: Recipe

    @cached_property
    def identities(self) -> list[str]:
        """The chosen identities' names, by label."""
        return json.loads((self.folder / "identities.json").read_text("utf-8"))

    @cached_property
    def notes(self) -> list[str]:
        """What was passed over, in sentences."""
        return json.loads((self.folder / "notes.json").read_text("utf-8"))

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 ``[n]``."""
        return np.load(self.folder / "labels.npy", mmap_mode="r")

    @cached_property
    def places(self) -> np.ndarray:
        """int64 ``[n]``, where the source finds each picture."""
        return np.load(self.folder / "places.npy", mmap_mode="r")

    @cached_property
    def names(self) -> Texts | None:
        """The pictures' names, where they have any."""
        there = (self.folder / "names.ends.npy").is_file()
        return Texts.open(self.folder, "names") if there else None

    def __len__(self) -> int:
        return len(self.labels)

    def __reduce__(self):
        return Plan, (self.folder, self.recipe)

    @property
    def chunk(self) -> int:
        """Pictures of a chunk."""
        return min(max(len(self) // CHUNKS, MIN_CHUNK), MAX_CHUNK)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-len(self) // self.chunk)

    def chunk_items(self, number: int) -> range:
        """The numbers of a chunk's pictures."""
        return range(number * self.chunk, min((number + 1) * self.chunk, len(self)))

    def read(self, item: int) -> bytes:
        """A picture's file, from the source."""
        return self.recipe.source.read(int(self.places[item]), self.names[item] if self.names else None)

    def name(self, item: int) -> str:
        """What to call a picture: its name, or its identity and where it lies."""
        named = self.names[item] if self.names else ""
        return named or f"identity {self.identities[self.labels[item]]}, place {self.places[item]}"


def plan(folder: Path, recipe: Recipe) -> Plan:
    """The plan in a working folder: made, or found there where an earlier call with the same recipe was interrupted.

    Raises:
        BadArgument: an unfinished preparation of something else is there. BadDataset: the source is empty or damaged.
    """
    wanted = recipe.to_mapping()
    if (folder / RECIPE).is_file():
        if json.loads((folder / RECIPE).read_text("utf-8")) != wanted:
            raise BadArgument(
                f"{folder} is what an interrupted call with another source or other options left. Finish that one, or "
                "remove the folder."
            )
        return Plan(folder, recipe)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _list(part, recipe)
    write_whole(part / RECIPE, json.dumps(wanted, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return Plan(folder, recipe)


def _list(folder: Path, recipe: Recipe) -> None:
    names = recipe.source.identities()
    chosen = select(names, recipe.identities, recipe.span)
    items = recipe.source.items(chosen)
    if not len(items.labels):
        raise BadDataset(f"{recipe.source.path} holds no pictures of the {len(chosen)} identities that were chosen.")
    write_whole(folder / "identities.json", json.dumps([names[number] for number in chosen]))
    write_whole(folder / "notes.json", json.dumps(items.notes))
    np.save(folder / "labels.npy", items.labels)
    np.save(folder / "places.npy", items.places)
    if items.names is not None:
        items.names.save(folder, "names")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from preparing the same thing at the same time.

    Raises:
        BadArgument: one is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            yield
            with suppress(OSError):  # not while it is open, where the system forbids that
                lock.unlink()
    except Timeout:
        raise BadArgument(f"Another process is preparing {path}. Wait for it, or choose another place.") from None
