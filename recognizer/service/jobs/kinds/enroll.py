"""Enrols many people from a ZIP archive of ``NAME/photo.jpg``.

The archive is a stranger's: nothing of it is written to disk, only plain and deflated members are read, each up to a
limit whatever it claims, and the list of members is measured before Python's reader takes all of it into memory.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from common.errors import BadArgument, BadName
from db.audit import Entry
from db.names import clean
from mtcnn.pictures import SUFFIXES
from recognizer.enrolment import Gathered, nothing_enrolled
from recognizer.results import Refusal
from recognizer.service.auditing import store
from recognizer.service.jobs.task import Task
from recognizer.service.schemas.people import remarks
from recognizer.service.uploads import LONGEST_NAME, size_of

SOURCE = "photos.zip"
PORTION, PORTION_BYTES = 64, 64 * 2**20  # photos that are stored in one step
MOST_TOLD = 1000  # refusals, notes and people that the result names
MAX_DIRECTORY = 8 * 2**20  # bytes; 65,535 members, the most of a ZIP, whose names have up to 80
END, END_BYTES, LOCATOR, LOCATOR_BYTES, COMMENT = b"PK\x05\x06", 22, b"PK\x06\x07", 20, 65_535
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods ask for as much memory as the archive says


def enroll(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``folder``. Begun twice, it passes over what is there already."""
    recognizer = task.services.recognizers.of(task.parameters["gallery"])
    done, limits = _Done(task), task.services.settings
    with _opened(task.folder.inputs / SOURCE) as archive:
        members = _members(archive, done)
        gathered, size = Gathered(), 0
        for number, (name, info) in enumerate(task.over(members, len(members)), 1):
            data = _read(archive, info, limits.max_body)
            if data is None or not _fits(data, limits.max_pixels):
                done.refused.append(Refusal(name, _called(info), "too large, or it cannot be unpacked"))
            else:
                gathered.take(recognizer.enroller.look(name, _called(info), data))
                size += len(data)
            if number % PORTION == 0 or size > PORTION_BYTES:
                done.store(recognizer, gathered)
                gathered, size = Gathered(), 0
        task.check()
        done.store(recognizer, gathered)
    if not done.photos and not done.seen:
        raise nothing_enrolled(done.refused)
    return done.result()


class _Done:
    """What was stored so far."""

    def __init__(self, task: Task):
        self._task = task
        self.added: dict[str, int] = {}
        self.seen = 0
        self.refused: list[Refusal] = []
        self.notes: list[Refusal] = []

    @property
    def photos(self) -> int:
        return sum(self.added.values())

    def store(self, recognizer, gathered: Gathered) -> None:
        self.refused += gathered.refused
        if not gathered.usable:
            return
        enroller = recognizer.enroller
        added = enroller.store(gathered, enroller.embed(gathered), recognizer.gallery.add_unseen)
        self.seen += len(gathered.usable) - sum(added.values())
        self.notes += gathered.notes
        for name, count in added.items():
            self.added[name] = self.added.get(name, 0) + count
        store(self._task.services.database, *self._entries(added))

    def _entries(self, added: dict[str, int]) -> Iterator[Entry]:
        job, gallery = self._task.job, self._task.parameters["gallery"]
        for name, count in added.items():
            if count:
                details = {"photos": count, "job": job.id}
                yield Entry(job.owner or "unknown", "person.add", gallery=gallery, person=name, details=details)

    def result(self) -> dict[str, Any]:
        return {
            "people": len(self.added),
            "photos": self.photos,
            "seen": self.seen,
            "added": dict(list(self.added.items())[:MOST_TOLD]),
            "refused_photos": len(self.refused),
            "refused": [each.model_dump() for each in remarks(self.refused[:MOST_TOLD])],
            "notes": [each.model_dump() for each in remarks(self.notes[:MOST_TOLD])],
        }


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    wrong = "That is no ZIP archive that can be read. Expected one of NAME/photo.jpg"
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except OSError as error:
        raise BadArgument(f"The archive cannot be read ({error.strerror}).") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise BadArgument(f"{wrong} ({str(error)[:80]}).") from None


def _check_directory(file: BinaryIO) -> None:
    """Refuse an archive whose list of members is longer than that of any plain ZIP of photos."""
    size = file.seek(0, 2)
    file.seek(max(0, size - LOCATOR_BYTES - END_BYTES - COMMENT))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_BYTES:
        raise zipfile.BadZipFile("it has no end")
    if tail[max(0, at - LOCATOR_BYTES) : at].startswith(LOCATOR):
        raise BadArgument("The archive is a ZIP64: send archives of up to 4 GB and 65,535 photos.")
    [directory] = struct.unpack("<I", tail[at + 12 : at + 16])
    if directory > MAX_DIRECTORY:
        raise BadArgument(f"The archive's list of files is too long: at most {MAX_DIRECTORY} bytes.")
    file.seek(0)


def _members(archive: zipfile.ZipFile, done: _Done) -> list[tuple[str, zipfile.ZipInfo]]:
    """The photos, by their person; what is in no folder of a person is refused, what is no picture passed over."""
    found = []
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        if info.is_dir() or hidden or path.suffix.lower() not in SUFFIXES:
            continue
        try:
            if len(path.parts) < 2:
                raise BadName("It is in no folder that says whose it is: expected NAME/photo.jpg.")
            found.append((clean(path.parts[-2]), info))
        except BadName as error:
            done.refused.append(Refusal("", _called(info), str(error)))
    return sorted(found, key=lambda each: (each[0], each[1].filename))


def _called(info: zipfile.ZipInfo) -> str:
    """The name of a member's file, as photos that are uploaded one by one have it."""
    name = info.filename.replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in name if each.isprintable()).strip()[:LONGEST_NAME] or "photo"


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes | None:
    """The bytes of a member; None where it is too large, encrypted or damaged."""
    if info.file_size > most or info.compress_type not in METHODS or info.flag_bits & 1:
        return None
    try:
        with archive.open(info) as file:
            return file.read(info.file_size)  # without a number, all that a liar's archive holds would be unpacked
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return None


def _fits(data: bytes, max_pixels: int) -> bool:
    size = size_of(data)
    return size is None or size[0] * size[1] <= max_pixels
