"""A model measured on IJB-B or IJB-C: faces embedded once, templates of every mode, 1:1 and 1:N."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.cli.progress import advancing
from common.errors import BadArgument, UnknownChoice
from eval.ijb.cache import Cache, key
from eval.ijb.embedding import portions
from eval.ijb.identification import Search, Subjects, require_common, search
from eval.ijb.layout import Layout
from eval.ijb.lists import Faces, Pairs, read_faces, read_media, read_pairs, read_subjects
from eval.ijb.modes import Mode
from eval.ijb.templates import Templates
from eval.ijb.verification import verification
from eval.roc import Rates
from networks.network import Network

PROTOCOLS = {"1:1": ("pairs",), "1:N": ("galleries", "probes"), "both": ("pairs", "galleries", "probes")}
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Result:
    """Of one mode: 1:1 and 1:N, None where it was not asked for."""

    mode: Mode
    verification: Rates | None
    identification: Search | None


@dataclass(frozen=True)
class Measured:
    """What a model reaches.

    Attributes:
        subset: "IJBB" or "IJBC"; model, digest: of the network.
        pictures, templates: how many there are.
        seconds: embedding, with reading and aligning; what came from the cache included.
        results: one a mode.
    """

    subset: str
    model: str
    digest: str
    pictures: int
    templates: int
    seconds: float
    results: tuple[Result, ...]


@dataclass(frozen=True)
class _Lists:
    """All lists of a subset, read and checked before the first picture is embedded."""

    faces: Faces
    templates: Templates
    pairs: Pairs | None
    galleries: dict[str, Subjects] | None
    probes: Subjects | None


def measure(
    network: Network,
    data: Path,
    subset: str,
    modes: Sequence[Mode],
    protocol: str = "both",
    *,
    batch: int = 64,
    cache: Path | None = None,
    engine: str = "",
    progress: Progress = advancing,
) -> Measured:
    """Measure a network by its raw embeddings; its card's flip rule is not applied, the mode's is.

    Args:
        data: folder with ``loose_crop/`` and ``meta/``, or with a folder of the subset's name that holds them.
        subset: "IJBB" or "IJBC".
        modes: see ``eval.ijb.modes``.
        protocol: "1:1", "1:N" or "both".
        batch: faces passed to the network at a time.
        cache: a folder that keeps raw embeddings, so that an interrupted run goes on.
        engine: how the network is run, in words: embeddings of different ones are kept apart.
        progress: makes a progress bar of a heading and a total.

    Raises:
        UnknownChoice: no such subset or protocol. BadArgument: batch.
        BadDataset: files are missing, damaged, or do not fit together; names the file and the line.
        BadEmbedding: an embedding is not finite.
    """
    if protocol not in PROTOCOLS:
        raise UnknownChoice(f"Unknown protocol {protocol!r}. Expected one of: {', '.join(PROTOCOLS)}.")
    if type(batch) is not int or batch < 1:
        raise BadArgument(f"batch must be a positive whole number, not {batch!r}.")
    needed = PROTOCOLS[protocol]
    layout = Layout.find(data, subset, ("pictures", "faces", "media", *needed))
    lists = _read(layout, needed)
    kept = Cache(cache / f"{subset}-{key(lists.faces, network.digest, engine)}") if cache else None
    started = time.perf_counter()
    sums = _sums(network, layout.pictures, lists, modes, batch, kept, progress)
    seconds = time.perf_counter() - started
    results = tuple(_result(mode, sums[mode], lists, progress) for mode in modes)
    counts = len(lists.faces.names), len(lists.templates)
    return Measured(subset, network.name, network.digest, *counts, seconds, results)


def _read(layout: Layout, needed: Sequence[str]) -> _Lists:
    faces = read_faces(layout.faces)
    templates = Templates(*read_media(layout.media, faces.names))

    def subjects(path: Path) -> Subjects:
        return Subjects(path, *read_subjects(path, templates.numbers))

    pairs = read_pairs(layout.pairs, templates.numbers) if "pairs" in needed else None
    if "probes" not in needed:
        return _Lists(faces, templates, pairs, None, None)
    galleries, probes = {name: subjects(path) for name, path in layout.galleries.items()}, subjects(layout.probes)
    require_common(galleries, probes)
    return _Lists(faces, templates, pairs, galleries, probes)


def _sums(network, folder: Path, lists: _Lists, modes, batch: int, cache, progress: Progress) -> dict[Mode, np.ndarray]:
    """Templates of each mode, float32 ``[t, d]`` of length 1."""
    faces, templates = lists.faces, lists.templates
    sums = {mode: np.zeros((len(templates), network.dim), np.float32) for mode in modes}
    flip = any(mode.flip for mode in modes)
    with progress("embedding", len(faces.names)) as advance:
        for start, raw in portions(network, folder, faces, flip=flip, batch=batch, cache=cache, advance=advance):
            for mode in modes:
                templates.add(sums[mode], start, mode.apply(raw, faces.scores[start : start + len(raw)]))
    for each in sums.values():
        templates.finish(each)
    return sums


def _result(mode: Mode, templates: np.ndarray, lists: _Lists, progress: Progress) -> Result:
    rates = found = None
    if lists.pairs:
        with progress(f"comparing pairs, {mode}", len(lists.pairs.same)) as advance:
            rates = verification(templates, lists.pairs, advance)
    if lists.galleries:
        found = search(templates, lists.galleries, lists.probes)
    return Result(mode, rates, found)
