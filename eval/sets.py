"""Verification sets by name (``configs/datasets.yaml``): where they are, and what they hold."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from common.cli.failures import say
from common.cli.progress import advancing
from common.config import check_keys, load, packaged
from common.errors import BadConfig, BadDataset
from common.folders import natural
from eval import bins, provenance, raw
from eval.building import build
from eval.faces import Options
from eval.provenance import Provenance

DATASETS = "datasets.yaml"
ALL = "all"
VARIABLE = "EVAL_DATA"
FOLDER = "data"

__all__ = ["Entry", "Located", "Provenance", "VerificationSet", "data_folder", "entry", "find", "names", "read"]


@dataclass(frozen=True)
class Entry:
    """What is known of a set.

    Attributes:
        about: what it is. get: where it comes from, and its terms.
        files: what its ``.bin`` may be called, the first is what it is built as.
        pairs: how many it has.
        form, folder: its raw form, a key of ``eval.raw.RAW``, and the folder of that; None where there is none.
    """

    about: str
    files: list[str]
    pairs: int
    get: str
    form: str | None = None
    folder: str | None = None


@dataclass(frozen=True)
class Located:
    """A set that is there.

    Attributes:
        name: as in ``configs/datasets.yaml``, or the file's without ``.bin``.
        path: its ``.bin``.
        raw: (form, folder) to build the ``.bin`` from, where that is not there yet.
        pairs: how many the set has, where that is known.
    """

    name: str
    path: Path
    raw: tuple[str, Path] | None = None
    pairs: int | None = None


@dataclass(frozen=True)
class VerificationSet:
    """A set with its pictures decoded.

    Attributes:
        name: see ``Located``. path: the ``.bin``.
        pictures: indexed as uint8 ``[2 n, h, w, 3]`` BGR; pair i is pictures 2 i and 2 i + 1.
        issame: bool ``[n]``.
        provenance: what it was built from, where ``eval/build.py`` made it.
    """

    name: str
    path: Path
    pictures: bins.PairPictures = field(repr=False)
    issame: np.ndarray = field(repr=False)
    provenance: Provenance | None = field(default=None, repr=False)


def names() -> list[str]:
    """Names of the sets that are known."""
    return list(_listed())


@lru_cache
def entry(name: str) -> Entry:
    """What is known of a set.

    Raises:
        KeyError: no set of that name. BadConfig: its entry is not in order.
    """
    mapping, where = _listed()[name], f"{DATASETS}: {name}"
    check_keys(mapping, where, {"about", "files", "pairs", "get"}, {"raw"})
    place = mapping.get("raw", {"form": None, "folder": None})
    check_keys(place, f"{where}: raw", {"form", "folder"})
    if place["form"] is not None and place["form"] not in raw.RAW:
        raise BadConfig(f"{where}: raw: unknown form {place['form']!r}. Expected one of: {', '.join(raw.RAW)}.")
    if not isinstance(mapping["files"], list) or not mapping["files"]:
        raise BadConfig(f"{where}: files must be a list of file names.")
    return Entry(mapping["about"], mapping["files"], mapping["pairs"], mapping["get"], place["form"], place["folder"])


def data_folder(data: str | os.PathLike | None = None) -> Path:
    """The folder in which sets are looked for: the one given, else ``EVAL_DATA``, else ``data``."""
    return Path(data or os.environ.get(VARIABLE) or FOLDER)


def find(names: Sequence[str], data: str | os.PathLike | None = None) -> list[Located]:
    """Where sets are; nothing is built or decoded yet.

    Args:
        names: of ``configs/datasets.yaml``; "all" for those of them that are there; paths of ``.bin`` files.
        data: see ``data_folder``.

    Raises:
        BadDataset: one is not there, or "all" and none is. Lists all names, where each is looked for and how to get
            it. Also where one is there twice.
    """
    folder = data_folder(data)
    found: dict[Path, Located] = {}
    for name in dict.fromkeys(names):
        for each in _chosen(name, folder):
            found.setdefault(each.path.resolve(), each)
    if not found:
        raise BadDataset(_help("No verification set is there", folder))
    return list(found.values())


def read(located: Located, *, progress: bool = False) -> VerificationSet:
    """Read a set. Where only its raw form is there, the ``.bin`` is built first, which is said on standard error.

    Args:
        progress: whether to show bars on a terminal.

    Raises:
        BadDataset: the file, its description or the raw form is not in order.
        FetchFailed: the detector that is needed to build it cannot be had.
    """
    if located.raw and not located.path.exists():
        _build(located, progress)
    pictures, issame = bins.read_pairs(located.path, progress=progress)
    known = provenance.read(located.path, len(pictures))
    left_out = known.excluded_pairs if known else 0
    if located.pairs and located.pairs != len(issame) + left_out:
        say("note", f"{located.path} holds {len(issame)} pairs; {located.name} has {located.pairs}.")
    return VerificationSet(located.name, located.path, pictures, issame, known)


def _build(located: Located, progress: bool) -> None:
    form, folder = located.raw
    options = Options(jobs=os.cpu_count() or 1)
    say("note", f"Building {located.path} from {folder}, faces found by {options.detector}; eval/build.py has options.")
    built = build(raw.read(form, folder), located.path, options, **({"progress": advancing} if progress else {}))
    missed = built.provenance.missed
    if missed:
        say(
            "note",
            f"{len(missed)} of {built.pictures} pictures show no face; the centre stands for it. "
            f"{provenance.beside(located.path)} lists them.",
        )


@dataclass(frozen=True)
class _Place:
    """Where a set was looked for, and what was found: a set, or why not."""

    looked: str
    located: Located | None
    reason: str = ""

    @classmethod
    def of(cls, name: str, folder: Path) -> "_Place":
        known = entry(name)
        looked = ", ".join(f"{folder / place}" for file in known.files for place in (file, Path("*") / file))
        files = _files(known, folder)
        if len(files) > 1 and files[0].parent != folder:
            reason = f"it is there {len(files)} times: {', '.join(map(str, files))}. Give the path of one."
            return cls(looked, None, reason)
        if files:
            return cls(looked, Located(name, files[0], None, known.pairs))
        if known.form is None:
            return cls(looked, None)
        source = folder / known.folder
        looked += f"; raw in {source}"
        if not source.is_dir():
            return cls(looked, None)
        try:
            raw.read(known.form, source)
        except BadDataset as error:
            return cls(looked, None, f"{source} is there, but: {error}")
        return cls(looked, Located(name, folder / known.files[0], (known.form, source), known.pairs))


def _files(known: Entry, folder: Path) -> list[Path]:
    """The ``.bin`` files of a set in a folder, and in those directly in it."""
    try:
        deeper = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: natural(each.name))
    except OSError:  # no such folder, which the error about the missing sets says
        return []
    places = [place / file for place in (folder, *deeper) for file in known.files]
    return [path for path in places if _is_there(path)]


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be entered, or a name that is too long
        return False


def _chosen(name: str, folder: Path) -> list[Located]:
    """What a name given by a user stands for."""
    if name == ALL:
        places = {each: _Place.of(each, folder) for each in _listed()}
        for each, place in places.items():
            if place.reason:
                say("note", f"{each} is left out: {place.reason}")
        return [place.located for place in places.values() if place.located]
    if name in _listed():
        place = _Place.of(name, folder)
        if not place.located:
            raise BadDataset(_help(f"The verification set {name} is not there", folder))
        return [place.located]
    path = Path(name)
    if path.suffix != ".bin":
        known = ", ".join(_listed())
        raise BadDataset(f"Unknown verification set {name!r}. Expected some of: {known}, {ALL}, or .bin files.")
    if not _is_there(path):
        raise BadDataset(f"No such verification set: {str(path)[:200]}")
    return [Located(path.stem, path)]


def _help(what: str, folder: Path) -> str:
    """An error with all names, where each is looked for and how to get it."""
    lines = [f"{what}. Sets are looked for in {folder} (--data or {VARIABLE} names another folder):"]
    for name in _listed():
        place = _Place.of(name, folder)
        if place.located:
            lines.append(f"  {name}: is there, {place.located.raw[1] if place.located.raw else place.located.path}")
            continue
        lines.append(f"  {name}: {entry(name).about}. Looked for: {place.looked}.")
        lines.append(f"    {place.reason or entry(name).get}")
    return "\n".join(lines)


@lru_cache
def _listed() -> dict[str, Any]:
    return load(packaged(DATASETS))  # by path: a file of that name in the working folder must not redefine a set
