"""Embeddings of a folder of identities: pictures are read, and aligned, by threads while the network runs."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.errors import BadEmbedding, BadPicture, NoFace
from eval.faces import FaceReader, Options
from eval.identities import Identities
from eval.kept import KeptRows, kept_rows
from networks.network import Network

FORMAT = 1
AHEAD = 3  # batches that are being read while one is embedded
PORTION = 1024  # pictures after which what is done is saved
NO_FACE, UNREADABLE = "no face", "unreadable: "

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Embedded:
    """What a folder's pictures came to.

    Attributes:
        embeddings: float32 ``[n, d]``, L2-normalised; mapped from a file where all pictures are in it.
        labels: int64 ``[n]``, the number of each one's identity; names: of the identities.
        files: of the n pictures.
        pictures: how many the folder holds.
        missed: pictures in which no face was found; ``missing`` says what was done with them.
        unreadable: (picture, what is wrong with it); they are left out.
        missing: "centre": the centre of the picture stands for the face; "exclude": they are left out.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    names: list[str]
    files: list[str]
    pictures: int
    missed: list[str]
    unreadable: list[tuple[str, str]]
    missing: str


def embed_folder(
    folder: Path,
    network: Network,
    options: Options,
    keep: Path,
    *,
    engine: str = "",
    flip: str | None = None,
    batch: int = 64,
    progress: Progress = lambda what, total: nullcontext(lambda count: None),
) -> Embedded:
    """Embed the pictures of ``folder/NAME/``.

    Args:
        options: how pictures become faces.
        keep: folder in which embeddings are kept. An interrupted call, called again, goes on; a finished one is taken
            as it is. They are made anew for no reason: where anything differs, the folder is refused.
        engine: what the network runs on, where that matters for its numbers.
        flip: None for the card's; see ``Network.embed``.
        batch: faces passed to the network at a time.

    Raises:
        BadDataset: no folder of identities. BadArgument: ``keep`` holds something else or cannot be written.
        NoFace, BadPicture: ``missing`` is "fail", and a picture shows none or is damaged; or none is left.
        BadEmbedding: the network gives something that is not finite, or zero.
    """
    identities = Identities.of(folder)
    flip = network.card.flip if flip is None else flip
    about = _about(identities, network, options, engine, flip)
    with kept_rows(keep, about, (len(identities.files), network.dim)) as rows:
        if rows.done < len(identities.files):
            with progress("embedding", len(identities.files)) as advance:
                advance(rows.done)
                _fill(rows, identities, network, options, flip, batch, advance)
        return _embedded(rows, identities, options.missing)


def _about(identities: Identities, network: Network, options: Options, engine: str, flip: str) -> dict[str, Any]:
    faces = {"aligned": True} if options.aligned else {
        "detector": options.detector, "enlarge": float(options.enlarge), "border": options.border
    }  # fmt: skip
    return {
        "format": FORMAT, "model": network.name, "digest": network.digest, "engine": engine, "flip": flip,
        "faces": {**faces, "size": list(options.size)}, "pictures": identities.state(),
    }  # fmt: skip


class _Read(NamedTuple):
    """A picture that was looked at: its face, and what there is to say of it; no face where it cannot be read."""

    face: np.ndarray | None
    note: str | None


def _fill(rows: KeptRows, identities: Identities, network: Network, options: Options, flip, batch, advance) -> None:
    saved, names = rows.done, identities.files[rows.done :]
    for read in _batches(identities.root, names, FaceReader(options), options, batch):
        embeddings = np.zeros((len(read), network.dim), np.float32)
        there = [number for number, each in enumerate(read) if each.face is not None]
        if there:
            embeddings[there] = network.embed(np.stack([read[number].face for number in there]), flip)
        _check(embeddings, there, identities.files[rows.done :])
        rows.append(embeddings, [each.note for each in read])
        advance(len(read))
        if rows.done - saved >= PORTION:
            rows.save()
            saved = rows.done


def _batches(root: Path, names: list[str], reader: FaceReader, options: Options, batch: int) -> Iterator[list[_Read]]:
    pool = ThreadPoolExecutor(options.jobs)  # decoders and detectors leave Python's lock
    waiting: deque = deque()
    try:
        for start in range(0, len(names), batch):
            part = names[start : start + batch]
            waiting.append([pool.submit(_look, reader, root / name, options.missing == "fail") for name in part])
            if len(waiting) > AHEAD:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _look(reader: FaceReader, path: Path, strict: bool) -> _Read:
    try:
        pixels, faces = reader(path)
    except BadPicture as error:
        if strict:
            raise
        return _Read(None, f"{UNREADABLE}{error}")
    if strict and not faces:
        raise NoFace(f"No face was found in {path}. See --missing, --enlarge and --border.")
    return _Read(pixels, None if faces else NO_FACE)


def _check(embeddings: np.ndarray, there: list[int], names: list[str]) -> None:
    lengths = np.linalg.norm(embeddings[there], axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < 1e-2))
    if len(wrong):
        raise BadEmbedding(f"The embedding of {names[there[wrong[0]]]} is not finite, or zero.")


def _embedded(rows: KeptRows, identities: Identities, missing: str) -> Embedded:
    missed = sorted(row for row, note in rows.notes.items() if note == NO_FACE)
    unreadable = sorted(row for row, note in rows.notes.items() if note != NO_FACE)
    files = identities.files
    if missing == "fail" and rows.notes:  # kept by a call that allowed them
        first = min(rows.notes)
        raise (NoFace if first in missed else BadPicture)(f"{files[first]}: {rows.notes[first]}.")
    if len(rows.notes) == len(files):
        raise NoFace(f"None of {len(files)} pictures of {identities.root} can be used; the first: {rows.notes[0]}.")
    out = unreadable + (missed if missing == "exclude" else [])
    left = np.setdiff1d(np.arange(len(files)), np.array(out, np.int64))
    array = rows.array()
    return Embedded(
        embeddings=array[left] if out else array,
        labels=identities.labels[left],
        names=identities.names,
        files=[files[row] for row in left],
        pictures=len(files),
        missed=[files[row] for row in missed],
        unreadable=[(files[row], rows.notes[row].removeprefix(UNREADABLE)) for row in unreadable],
        missing=missing,
    )
