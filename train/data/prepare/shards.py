"""The second pass into a dataset of shards."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from common.errors import BadArgument, BadDataset
from train.data import shards
from train.data.dataset import UNFINISHED
from train.data.prepare import workers
from train.data.prepare.plan import Progress, Recipe, alone, plan, silent
from train.data.prepare.ready import Ready, gather
from train.data.prepare.report import REFUSED, Report
from train.data.shards import Contents, Shard
from train.data.tfrecord import Example

PER_SHARD, LEAST_SHARDS = 8192, 16  # pictures; eight thousand of 112x112 take 40 to 80 MB
ORDER = "order.npy"
BLOCK = 2048  # pictures that a process reads at a time


@dataclass(frozen=True)
class Layout:
    """How the kept pictures are spread over shards; what workers get.

    Attributes:
        ready: the pictures.
        folder: the dataset's.
        name: how the files' names begin.
        count: how many shards.
        digest: of the order and the labels; a shard that was written for others is not taken for finished.
    """

    ready: Ready
    folder: Path
    name: str
    count: int
    digest: str

    @cached_property
    def order(self) -> np.ndarray:
        """int64 ``[k]``, the kept items in their final order; each shard has its slice of it."""
        return np.load(self.ready.plan.folder / ORDER, mmap_mode="r")

    def path(self, number: int) -> Path:
        """A shard's file."""
        return self.folder / shards.file_name(self.name, number, self.count)

    def items(self, number: int) -> np.ndarray:
        """A shard's items, in order; sizes of shards differ by one at most."""
        total = len(self.order)
        return self.order[number * total // self.count : (number + 1) * total // self.count]

    def done_path(self, number: int) -> Path:
        """Where it is noted that a shard is finished."""
        return self.ready.plan.folder / f"written.{self.digest}.{number:05d}-of-{self.count:05d}.json"

    def __reduce__(self):
        return Layout, (self.ready, self.folder, self.name, self.count, self.digest)


def lay_out(ready: Ready, folder: Path, name: str, count: int, seed: int) -> Layout:
    """Draw the order, a permutation of all pictures of which each is equally likely, and write it down."""
    order = np.random.default_rng(seed).permutation(ready.kept)
    np.save(ready.plan.folder / ORDER, order)
    digest = hashlib.sha256(f"{name} {count}".encode("utf-8", "surrogateescape"))
    for array in (order, ready.labels[order], ready.lengths[order]):
        digest.update(np.ascontiguousarray(array).tobytes())
    return Layout(ready, folder, name, count, digest.hexdigest()[:32])


def prepare_shards(
    recipe: Recipe,
    folder: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    name: str | None = None,
    jobs: int = 1,
    strict: bool = False,
    progress: Progress = silent,
) -> Report:
    """Prepare a dataset of shards, or go on where an earlier call with the same arguments was interrupted.

    The same recipe and seed give the same files, whatever ``jobs``.

    Args:
        recipe: which pictures, and what is done with them.
        folder: the dataset's; must not exist, be empty or hold the unfinished dataset.
        count: shards; by default one for each 8192 pictures, 16 at least.
        seed: of the order.
        name: how the files' names begin; by default the folder's name.
        jobs: processes.
        strict: refuse to go on if a picture cannot be used.
        progress: called with what is done and how many pictures; gives a context with what counts them.

    Raises:
        BadArgument: arguments out of range, or something else is in the folder.
        BadDataset: the source is damaged, no picture can be used, or the disk is full.
    """
    name = _checked_name(name or folder.resolve().name)
    if count is not None and count < 1:
        raise BadArgument(f"There must be at least 1 shard, not {count}.")
    if not 0 <= seed < 2**63:
        raise BadArgument(f"seed must be a whole number from 0 up, not {seed}.")
    try:
        with alone(folder):
            return _prepare(recipe, folder, count, seed, name, jobs, strict, progress)
    except OSError as error:
        raise BadDataset(f"{folder} cannot be written: {error.strerror or error}.") from None


def _prepare(recipe, folder, count, seed, name, jobs, strict, progress) -> Report:
    _check_free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    listed = plan(folder / UNFINISHED, recipe)
    ready, report = gather(listed, jobs, strict, progress)
    layout = lay_out(ready, folder, name, min(count or _usual_count(report), sum(report.counts)), seed)
    written = _write(layout, jobs, progress)
    _clear(folder, written)
    made = {**recipe.to_mapping(), "source": recipe.source.path.name, "seed": seed, "report": report.to_mapping()}
    del made["format"], made["state"], made["report"]["sizes"], made["report"]["notes"]
    size = report.image_size()
    report.write_refused(folder / REFUSED)
    contents = Contents(len(report.names), sum(report.counts), tuple(written), size, tuple(report.counts), made)
    shards.write_index(folder, contents, report.names)
    shutil.rmtree(listed.folder)
    return report


def _write(layout: Layout, jobs: int, progress: Progress) -> list[Shard]:
    written: dict[int, Shard] = {}
    with progress("writing shards", len(layout.order)) as advance:
        for number in range(layout.count):
            shard = _finished(layout, number)
            if shard:
                written[number] = shard
                advance(shard.images)
        todo = [number for number in range(layout.count) if number not in written]
        for number, shard in workers.run(_write_shard, layout, todo, jobs):
            written[number] = shard
            advance(shard.images)
    return [written[number] for number in range(layout.count)]


def _write_shard(layout: Layout, number: int) -> Shard:
    shard = shards.write_shard(layout.path(number), _examples(layout, number))
    shards.write_whole(layout.done_path(number), json.dumps(asdict(shard)))
    return shard


def _examples(layout: Layout, number: int) -> Iterator[Example]:
    """A shard's examples in order, read in the order in which they lie in the source, a block at a time."""
    items = layout.items(number)
    for start in range(0, len(items), BLOCK):
        block = items[start : start + BLOCK]
        found = {item: layout.ready.read(int(item)) for item in np.sort(block)}
        for item in block:
            yield found.pop(item)


def _finished(layout: Layout, number: int) -> Shard | None:
    """A shard that an earlier call finished, if its file is still what was written."""
    try:
        shard = Shard(**json.loads(layout.done_path(number).read_text("utf-8")))
        shards.check_shard(layout.folder, shard)
    except (OSError, ValueError, TypeError, BadDataset):
        return None
    return shard if shard.images == len(layout.items(number)) else None


def _clear(folder: Path, written: list[Shard]) -> None:
    """Remove what interrupted calls left: parts of files, and shards of another name or number."""
    current = {shard.file for shard in written}
    for path in [*folder.glob("*.tfrecord"), *folder.glob(".*.part")]:
        if path.name not in current and path.is_file():
            path.unlink()


def _usual_count(report: Report) -> int:
    return max(LEAST_SHARDS, -(-sum(report.counts) // PER_SHARD))


def _checked_name(name: str) -> str:
    if not name or name.startswith(".") or any(each in name for each in "/\\\0"):
        raise BadArgument(f"The shards' name must be the beginning of a file's name, not {name!r}.")
    return name


def _check_free(folder: Path) -> None:
    if (folder / shards.INDEX).is_file():
        raise BadArgument(f"{folder} holds a finished dataset. Choose another folder, or remove that one.")
    if not folder.is_dir() or (folder / UNFINISHED).is_dir():
        return
    if any(path.name != f"{UNFINISHED}.part" for path in folder.iterdir()):
        raise BadArgument(f"{folder} is not empty. Choose another folder for the dataset.")
