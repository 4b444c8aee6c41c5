"""What a model sees in a source: each identity's centre, and which of its pictures belong to it.

Embeddings are not kept: ten million of them would take 20 GB. They are computed identity by identity, and what remains
of a piece of a few thousand pictures is written into the user's cache: an interrupted call goes on behind the last one,
and another call with the same source and model takes them as they are.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from common.errors import BadArgument, BadDataset, BadPicture
from common.folders import cache_folder
from networks.network import Network
from train.data.decoding import decode
from train.data.merge.centres import centre, dominant_centre
from train.data.prepare.plan import Progress, silent
from train.data.sources import Items, Source

FORMAT = 1
PIECE = 4096  # pictures, about: a piece ends with an identity
DAMAGED = -2.0  # stands for the cosine of a picture that cannot be read


@dataclass(frozen=True)
class Profile:
    """A source as a model sees it.

    Attributes:
        source: the pictures.
        names: the identities.
        items: all pictures, identity by identity.
        centres: float32 ``[identities, d]``, normalised; zeros where no picture is left.
        kept: bool ``[pictures]``.
        cosines: float32 ``[pictures]``, to the identity's dominant centre; -2 of a damaged picture. Without cleaning,
            to the centre.
    """

    source: Source
    names: list[str]
    items: Items
    centres: np.ndarray
    kept: np.ndarray
    cosines: np.ndarray

    @property
    def title(self) -> str:
        """What to call the source: its name, or for a ``train.rec`` that of its folder."""
        path = self.source.path
        return path.resolve().parent.name if path.name == "train.rec" else path.stem

    @property
    def pictures(self) -> np.ndarray:
        """int64 ``[identities]``, how many pictures each identity keeps."""
        return np.bincount(self.items.labels[self.kept], minlength=len(self.names))

    @property
    def damaged(self) -> np.ndarray:
        """bool ``[pictures]``, those that cannot be read."""
        return self.cosines == DAMAGED

    def items_of(self, identity: int) -> np.ndarray:
        """int64 ``[k]``, the kept pictures of an identity."""
        first, last = np.searchsorted(self.items.labels, [identity, identity + 1])
        return first + np.flatnonzero(self.kept[first:last])

    def read(self, item: int) -> bytes:
        """A picture's file."""
        return self.source.read(int(self.items.places[item]), self.picture_name(item))

    def picture_name(self, item: int) -> str | None:
        """What the source calls a picture, if it does."""
        return self.items.names[item] if self.items.names is not None else None


def profile(
    source: Source,
    network: Network,
    *,
    clean_angle: float | None = None,
    batch: int = 128,
    progress: Progress = silent,
) -> Profile:
    """Embed all pictures of a source, or take what earlier calls have kept of it.

    Args:
        source: pictures of aligned faces; those of another size than the network's are resized for it.
        network: what embeds them.
        clean_angle: pictures farther from their identity's dominant centre, in degrees, are not kept. None keeps all.
        batch: pictures in a call of the network.
        progress: see ``train.data.prepare.plan``.

    Raises:
        BadArgument: an angle or batch that makes no sense. BadDataset: the source is damaged.
    """
    if clean_angle is not None and not 0 < clean_angle < 180:
        raise BadArgument(f"The angle must lie between 0 and 180 degrees, not {clean_angle!r}.")
    if batch < 1:
        raise BadArgument(f"batch must be 1 or more, not {batch!r}.")
    names = source.identities()
    items = source.items(np.arange(len(names)))
    if not len(items.labels):
        raise BadDataset(f"{source.path} holds no pictures.")
    folder = cache_folder() / "merge" / _key(source, items, network, clean_angle)
    found = Profile(
        source, names, items, np.zeros((len(names), network.dim), np.float32),
        np.zeros(len(items.labels), bool), np.full(len(items.labels), DAMAGED, np.float32),
    )  # fmt: skip
    least = None if clean_angle is None else cos(radians(clean_angle))
    with (
        progress(f"embedding {source.path.name}", len(items.labels)) as advance,
        ThreadPoolExecutor() as decoders,
    ):
        for number, (first, last) in enumerate(_pieces(items.labels)):
            path = folder / f"{number:06d}.npz"
            if not _take(path, found, first, last):
                _embed(found, network, slice(first, last), least, batch, decoders)
                _keep(path, found, first, last)
            advance(last - first)
    return found


def _pieces(labels: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, last) of each piece: whole identities, as many as have ``PIECE`` pictures or a few more."""
    ends = [*(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    first = 0
    for end in ends:
        if end - first >= PIECE or end == len(labels):
            yield first, end
            first = end


def _embed(
    found: Profile, network: Network, piece: slice, least: float | None, batch: int, decoders: ThreadPoolExecutor
) -> None:
    embeddings, usable = _embeddings(found, network, piece, batch, decoders)
    labels = found.items.labels[piece]
    for identity in np.unique(labels):
        its = np.flatnonzero((labels == identity) & usable)
        if not len(its):
            continue
        own = embeddings[its]
        middle = centre(own) if least is None else dominant_centre(own, least)
        cosines = own @ middle
        kept = np.ones(len(its), bool) if least is None else cosines >= least
        found.centres[identity] = centre(own[kept])
        found.kept[piece.start + its] = kept
        found.cosines[piece.start + its] = cosines


def _embeddings(
    found: Profile, network: Network, piece: slice, batch: int, decoders: ThreadPoolExecutor
) -> tuple[np.ndarray, np.ndarray]:
    """float32 ``[n, d]`` and bool ``[n]``, which of the piece's pictures could be read."""
    size = network.card.input_size
    embeddings = np.zeros((piece.stop - piece.start, network.dim), np.float32)
    usable = np.zeros(len(embeddings), bool)

    def picture(item: int) -> np.ndarray | None:
        try:
            return decode(found.read(item), size)[..., ::-1]
        except BadPicture:
            return None

    for first in range(0, len(embeddings), batch):
        last = min(first + batch, len(embeddings))
        pictures = list(decoders.map(picture, range(piece.start + first, piece.start + last)))
        there = [place for place, each in enumerate(pictures, first) if each is not None]
        if there:
            embeddings[there] = network.embed(np.stack([each for each in pictures if each is not None]))
            usable[there] = True
    return embeddings, usable


def _take(path: Path, found: Profile, first: int, last: int) -> bool:
    """Fill in what an earlier call kept of a piece; False where that is not there whole."""
    identities = _identities(found, first, last)
    try:
        with np.load(path) as kept:
            arrays = [kept[name] for name in ("centres", "kept", "cosines")]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return False
    if [each.shape for each in arrays] != [found.centres[identities].shape, (last - first,), (last - first,)]:
        return False
    found.centres[identities], found.kept[first:last], found.cosines[first:last] = arrays
    return True


def _keep(path: Path, found: Profile, first: int, last: int) -> None:
    """Keep a piece. Where the cache cannot be written, another call embeds it again."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    identities = _identities(found, first, last)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            np.savez(
                stream, centres=found.centres[identities], kept=found.kept[first:last],
                cosines=found.cosines[first:last],
            )  # fmt: skip
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()


def _identities(found: Profile, first: int, last: int) -> slice:
    return slice(int(found.items.labels[first]), int(found.items.labels[last - 1]) + 1)


def _key(source: Source, items: Items, network: Network, clean_angle: float | None) -> str:
    """What the centres follow from: the pictures as far as their list tells, the weights, the rule."""
    parts = [FORMAT, PIECE, source.path.resolve(), source.state(), network.digest, clean_angle]
    digest = hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogateescape"))
    digest.update(np.ascontiguousarray(items.labels).tobytes())
    digest.update(np.ascontiguousarray(items.places).tobytes())
    for number in range(len(items.names) if items.names is not None else 0):
        digest.update(items.names[number].encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()
