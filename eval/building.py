"""Writes a verification set, a ``.bin``, from pictures: each found, aligned and encoded once, however many pairs."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import cv2

from common.errors import BadArgument, BadDataset, BadPicture, NoFace
from eval import provenance
from eval.bins import MAX_BYTES, write_bin
from eval.faces import FaceReader, Options
from eval.provenance import Provenance
from eval.raw.rawset import RawSet

WAITING = 4  # photos a thread that are handed out ahead
SHOWN = 3  # pictures without a face that an error names

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes:
        path: the ``.bin``.
        issame: of its pairs.
        pictures: different pictures that were looked at.
        several: those with several faces, of which the most prominent was taken.
        provenance: what lies beside it as JSON.
    """

    path: Path
    issame: list[bool]
    pictures: int
    several: int
    provenance: Provenance


class _Face(NamedTuple):
    png: bytes
    faces: int


def build(
    raw: RawSet, out: Path, options: Options, progress: Progress = lambda what, total: nullcontext(_still)
) -> Built:
    """Write ``out`` and, beside it, what it was made of; both whole or not at all.

    Args:
        raw: the pairs, from ``eval.raw.read``.
        out: the ``.bin``; must not be there.
        progress: called with a heading and a total, gives a context with what counts on
            (``common.cli.progress.advancing``).

    Raises:
        BadArgument: ``out`` is there, or is no ``.bin``. BadDataset: a picture is damaged, none is left, or ``out``
            cannot be written. NoFace: a picture shows none, and ``missing`` is "fail".
        UnknownChoice, FetchFailed, LicenseNotAccepted: the detector cannot be had.
    """
    require_free(out)
    names = list(dict.fromkeys(raw.names))
    with progress("aligning", len(names)) as advance:
        faces = _faces(raw, names, options, advance)
    missed = [name for name in names if faces[name].faces == 0]
    _refuse(missed, len(names), options)
    numbers = _kept(raw, set(missed) if options.missing == "exclude" else set())
    kept = [name for number in numbers for name in raw.names[2 * number : 2 * number + 2]]
    issame = [raw.issame[number] for number in numbers]
    made = Provenance(
        source=raw.source,
        detector="none" if options.aligned else options.detector,
        enlarge=float(options.enlarge),
        border=options.border,
        date=date.today().isoformat(),
        names=kept,
        missed=missed,
        rule="exclude" if options.missing == "exclude" else "centre",
        excluded_pairs=len(raw.issame) - len(issame),
    )
    _write(out, [faces[name].png for name in kept], issame, made)
    return Built(out, issame, len(names), sum(face.faces > 1 for face in faces.values()), made)


def require_free(out: Path) -> None:
    """Refuse a place that holds something, or cannot hold a set.

    Raises:
        BadArgument: what is wrong with it.
    """
    if out.suffix != ".bin":
        raise BadArgument(f"A verification set is a file NAME.bin, not {out.name}.")
    try:
        if out.exists():
            raise BadArgument(f"{out} is there already. Delete it first, or choose another name.")
        if not out.parent.is_dir():
            raise BadArgument(f"There is no folder {out.parent}.")
    except OSError as error:
        raise BadArgument(f"{str(out)[:200]} cannot be written: {error.strerror or error}.") from None


def _faces(raw: RawSet, names: list[str], options: Options, advance: Callable[[int], None]) -> dict[str, _Face]:
    """The encoded face of each picture; ``faces`` is 0 where none was found."""
    reader = FaceReader(options)
    found: dict[str, _Face] = {}
    total = 0
    for name, face in _mapped(lambda name: _face(reader, raw.root / name), names, options.jobs):
        found[name] = face
        total += len(face.png)
        if total > MAX_BYTES:
            raise BadDataset(
                f"The faces take more than the {MAX_BYTES >> 30} GiB of a verification set: draw fewer pairs."
            )
        advance(1)
    return found


def _mapped(work: Callable[[str], _Face], names: Sequence[str], jobs: int) -> Iterator[tuple[str, _Face]]:
    """``(name, work(name))`` as they come. An error ends it at once, and few are handed out ahead of it."""
    pool = ThreadPoolExecutor(jobs)  # the detector and the decoders leave Python's lock
    try:
        waiting, rest = {}, iter(names)
        while True:
            for name in rest:
                waiting[pool.submit(work, name)] = name
                if len(waiting) >= WAITING * jobs:
                    break
            if not waiting:
                return
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(done), done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _face(reader: FaceReader, path: Path) -> _Face:
    try:
        face = reader(path)
    except BadPicture as error:
        raise BadDataset(f"{error} Mend it, or take it out of the list.") from None
    return _Face(cv2.imencode(".png", face.pixels)[1].tobytes(), face.faces)


def _refuse(missed: list[str], total: int, options: Options) -> None:
    if missed and options.missing == "fail":
        shown = ", ".join(missed[:SHOWN]) + (", ..." if len(missed) > SHOWN else "")
        raise NoFace(f"No face was found in {len(missed)} of {total} pictures: {shown}. See --missing, --enlarge.")
    if len(missed) == total:
        raise NoFace(
            f"No face was found in any of {total} pictures. Are they aligned already? See --aligned, --enlarge."
        )


def _kept(raw: RawSet, left_out: set[str]) -> list[int]:
    """The numbers of the pairs of which neither picture is left out."""
    pairs = range(len(raw.issame))
    numbers = [n for n in pairs if raw.names[2 * n] not in left_out and raw.names[2 * n + 1] not in left_out]
    if not numbers:
        raise NoFace(f"Each of the {len(pairs)} pairs has a picture without a face: none is left.")
    return numbers


def _write(out: Path, pictures: list[bytes], issame: list[bool], made: Provenance) -> None:
    """The set, and then what describes it: a set without a description is whole, a description alone is nothing."""
    try:
        provenance.beside(out).unlink(missing_ok=True)
        write_bin(out, pictures, issame)
        try:
            provenance.write(out, made)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadDataset(f"{out} cannot be written: {error.strerror or error}.") from None


def _still(count: int) -> None:
    """Counts nothing."""
