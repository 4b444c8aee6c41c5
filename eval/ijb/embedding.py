"""Raw embeddings of the pictures, a portion at a time: pictures are read and aligned while the network runs."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from common.errors import BadDataset, BadEmbedding, BadPicture
from eval.ijb.cache import Cache
from eval.ijb.lists import Faces
from mtcnn.align import align
from mtcnn.pictures import read_picture
from networks.network import Network

PORTION = 4096  # pictures of a file of the cache; both sides of 512 numbers take 16 MB


def portions(
    network: Network,
    folder: Path,
    faces: Faces,
    *,
    flip: bool,
    batch: int,
    cache: Cache | None,
    advance: Callable[[int], None],
) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first picture, raw embeddings float32 ``[k, s, d]``) of one portion after the other.

    Args:
        folder: of the pictures. flip: whether mirrored faces are needed: s is 2 then, and 1 or 2 otherwise.
        batch: faces passed to the network at a time. cache: where portions are kept and taken from.
        advance: told how many pictures are done.

    Raises:
        BadDataset: a picture cannot be read; names it. BadEmbedding: an embedding is not finite.
    """
    sides = 2 if flip else 1
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for start in range(0, len(faces.names), PORTION):
            span = range(start, min(start + PORTION, len(faces.names)))
            raw = cache.read(start, len(span), sides, network.dim) if cache else None
            if raw is None:
                raw = np.empty((len(span), sides, network.dim), np.float32)
                for first, aligned in _aligned(folder, faces, span, batch, network.card.input_size, pool):
                    raw[first : first + len(aligned)] = _raw(network, aligned, sides)
                    _check(raw[first : first + len(aligned)], faces.names[start + first :])
                    advance(len(aligned))
                if cache:
                    cache.write(start, raw)
            else:
                advance(len(span))
            yield start, raw
    finally:
        pool.shutdown(cancel_futures=True)


def _aligned(folder, faces: Faces, span: range, batch: int, size, pool) -> Iterator[tuple[int, np.ndarray]]:
    """(place in the span, faces uint8 ``[b, h, w, 3]`` BGR) of each batch; the next one is being read meanwhile."""

    def submit(start: int) -> list[Future]:
        return [pool.submit(_face, folder, faces, number, size) for number in span[start : start + batch]]

    waiting = submit(0)
    for start in range(0, len(span), batch):
        ready, waiting = waiting, submit(start + batch)
        yield start, np.stack([future.result() for future in ready])


def _face(folder: Path, faces: Faces, number: int, size: tuple[int, int]) -> np.ndarray:
    try:
        picture = read_picture(folder / faces.names[number])
    except BadPicture as error:
        raise BadDataset(f"Picture {number + 1} of the list of faces cannot be used: {error}") from None
    return align(picture, faces.landmarks[number], size)[0]


def _raw(network: Network, aligned: np.ndarray, sides: int) -> np.ndarray:
    """float32 ``[n, s, d]`` as the network gives it: its length counts in modes N0."""
    straight = network.raw(aligned)
    if sides == 1:
        return straight[:, None]
    return np.stack([straight, network.raw(aligned[:, :, ::-1])], axis=1)


def _check(raw: np.ndarray, names: list[str]) -> None:
    wrong = np.flatnonzero(~np.isfinite(raw).all((1, 2)))
    if len(wrong):
        raise BadEmbedding(f"The embedding of {names[wrong[0]]} is not finite.")
