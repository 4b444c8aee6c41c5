"""Files from outside (weights, photos): found on this machine or brought to it, trusted by SHA-256 alone."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.config import check_keys
from common.errors import BadConfig, ChecksumMismatch, FetchFailed
from common.folders import cache_folder
from networks.sources import Source
from networks.sources.archives import read_member
from networks.sources.delivery import Delivery
from networks.sources.forms import FILE_NAME, SHA256
from networks.sources.progress import shown, skipped

WEIGHTS_VARIABLE = "RECOGNIZER_WEIGHTS"
MAX_BYTES = 2**30  # of a file whose size is not stated


@dataclass(frozen=True)
class RemoteFile:
    """A file that may have to be brought from elsewhere.

    Attributes:
        name: file name, without folder.
        sha256: 64 hexadecimal digits that decide whether a file is this one.
        sources: where to get it, tried in this order.
        bytes: its size; None where nobody stated it.
    """

    name: str
    sha256: str
    sources: tuple[Source, ...]
    bytes: int | None = None

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], where: str) -> "RemoteFile":
        """Build it from YAML with the keys ``file``, ``sha256``, ``sources`` and ``bytes`` (optional).

        Raises:
            BadConfig, UnknownChoice: what is wrong, at ``where``.
        """
        check_keys(mapping, where, {"file", "sha256", "sources"}, {"bytes"})
        name, digest, size, sources = (mapping.get(key) for key in ("file", "sha256", "bytes", "sources"))
        if not (isinstance(name, str) and re.fullmatch(FILE_NAME, name)):
            raise BadConfig(f"{where}: file must be a plain file name, not {name!r}.")
        if not (isinstance(digest, str) and re.fullmatch(SHA256, digest)):
            raise BadConfig(f"{where}: sha256 must be 64 hexadecimal digits in lower case, not {digest!r}.")
        if size is not None and not (type(size) is int and size > 0):
            raise BadConfig(f"{where}: bytes must be a positive whole number, not {size!r}.")
        if not isinstance(sources, list) or not sources:
            raise BadConfig(f"{where}: sources must be a list of at least one source.")
        built = (Source.from_mapping(source, f"{where}: source {i}") for i, source in enumerate(sources, 1))
        return cls(name, digest, tuple(built), size)

    @property
    def cached(self) -> Path:
        """Where the file lies once fetched: the same content, whoever asks for it, lies there once."""
        return cache_folder() / "files" / self.sha256 / self.name


def fetch(file: RemoteFile, progress: bool = True) -> Path:
    """The path of ``file``, brought from the first source that delivers it if it is not on this machine yet.

    Looked for in the folder that ``RECOGNIZER_WEIGHTS`` names, then in the cache, and hashed at each call.
    Safe to call from several processes: one of them fetches, the others wait.
    A file that is there needs no write access.

    Raises:
        ChecksumMismatch: the cached file was altered, and no source could replace it.
        FetchFailed: no source could deliver it; the message lists each with its reason.
    """
    reasons: list[str] = []
    path = _obtain(file, progress, reasons)
    if path is None:
        raise _failure(file, reasons)
    return path


def state(file: RemoteFile) -> str:
    """Whether the file here is "ok", "altered" (other content under its name) or "missing"; no network."""
    if _on_this_machine(file):
        return "ok"
    return "altered" if _altered(file) else "missing"


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _found(file: RemoteFile) -> Iterator[tuple[Path, str]]:
    """The readable files of its name on this machine, each with its SHA-256."""
    folder = os.environ.get(WEIGHTS_VARIABLE)
    for place in ([Path(folder).expanduser() / file.name] if folder else []) + [file.cached]:
        with suppress(OSError):
            if place.is_file():
                yield place, sha256(place)


def _on_this_machine(file: RemoteFile) -> Path | None:
    return next((place for place, found in _found(file) if found == file.sha256), None)


def _altered(file: RemoteFile) -> list[str]:
    """What lies under the file's name on this machine and is not it, for people to read."""
    return [
        f"{place}: SHA-256 expected {file.sha256}, found {found}"
        for place, found in _found(file)
        if found != file.sha256
    ]


def _obtain(file: RemoteFile, progress: bool, reasons: list[str]) -> Path | None:
    """``fetch``, but returns None where it fails and appends why to ``reasons``."""
    try:
        found = _on_this_machine(file)
        if found:
            return found
        with _locked(file):
            # Another process may have brought it while this one waited.
            return _on_this_machine(file) or _from_sources(file, progress, reasons)
    except OSError as error:
        reasons.append(f"{error} (RECOGNIZER_CACHE moves the cache)")
        return None


@contextmanager
def _locked(file: RemoteFile) -> Iterator[None]:
    from filelock import FileLock  # 0.08 s, and only needed where something is fetched

    file.cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.cached.parent / ".lock"):
        yield


def _from_sources(file: RemoteFile, progress: bool, reasons: list[str]) -> Path | None:
    part = file.cached.with_name(file.name + ".part")
    for source in file.sources:
        try:
            if _deliver(source, file, part, progress, reasons):
                part.replace(file.cached)
                return file.cached
        except (FetchFailed, OSError) as error:
            reasons.append(f"{source}: {error}")
            if progress:
                skipped(reasons[-1])
        finally:
            part.unlink(missing_ok=True)
    return None


def _deliver(source: Source, file: RemoteFile, part: Path, progress: bool, reasons: list[str]) -> bool:
    """Write the file to ``part`` and check it; False where the archive around it could not be had."""
    if source.member is None:
        with shown(file.name, file.bytes, str(source), progress) as report:
            source.deliver(Delivery(part, file.bytes or MAX_BYTES, report))
    else:
        # Archives are kept in the cache: most of them hold several of our files.
        whole = source.of_archive()
        archive = _obtain(RemoteFile(whole.file_name, source.archive_sha256, (whole,)), progress, reasons)
        if archive is None:
            return False
        read_member(archive, source.member, Delivery(part, file.bytes or MAX_BYTES, lambda done, total: None))
    found = sha256(part)
    if found != file.sha256:
        raise FetchFailed(f"delivered other content: SHA-256 expected {file.sha256}, found {found}")
    return True


def _failure(file: RemoteFile, reasons: list[str]) -> ChecksumMismatch | FetchFailed:
    altered = _altered(file)
    kind, what = (ChecksumMismatch, "was altered") if altered else (FetchFailed, "could not be fetched")
    lines = "".join(f"\n  - {line}" for line in altered + reasons)
    return kind(
        f"{file.name} {what}:{lines}\nTo put it there by hand: save it as {file.cached}\n"
        f"(SHA-256 {file.sha256}), or set {WEIGHTS_VARIABLE} to a folder that holds {file.name}."
    )
