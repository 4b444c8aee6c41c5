"""The files of jobs: what was handed in, gone as soon as the job has ended, and what a job made, kept as long as it.

``FOLDER/TOKEN/in`` and ``FOLDER/TOKEN/out``, for their owner only. Machines do not see each other's disks, so a folder
has an id of its own (``FOLDER/id``), which is part of the kind under which its jobs are queued: ``video.3f9a2b1c``.
Where machines share one folder, they share the id, and the jobs.
"""

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from common.errors import DatabaseError
from common.folders import data_folder
from recognizer.service.jobs.kinds import FILED, KINDS

if TYPE_CHECKING:
    from recognizer.service.settings import ServiceSettings

TOKEN, ID = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{8}")
PIECE = 2**20  # bytes that are copied at a time
YOUNG_SECONDS = 3600.0  # a folder may be there for so long without a job: it is being filled


class Folders:
    """The folder that has the files of jobs. Raises DatabaseError where it cannot be used."""

    def __init__(self, root: Path):
        self.root = root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.id = _id(root / "id")
        except OSError as error:
            raise DatabaseError(f"{root}: cannot be used for the files of jobs ({error.strerror}).") from None

    def queue_of(self, kind: str) -> str:
        """Under which kind a job is queued."""
        return f"{kind}.{self.id}" if kind in FILED else kind

    def queues(self) -> list[str]:
        """All kinds that can be done by who sees this folder."""
        return [self.queue_of(kind) for kind in KINDS]

    def new(self) -> "JobFolder":
        """A folder for the files of a job that is about to be asked for."""
        folder = JobFolder(self.root / secrets.token_hex(16))
        try:
            for path in (folder.path, folder.inputs, folder.outputs):
                path.mkdir(mode=0o700)
        except OSError as error:
            raise DatabaseError(f"{self.root}: cannot be written ({error.strerror}).") from None
        return folder

    def find(self, token: str | None) -> "JobFolder | None":
        """The folder of that token; None where there is none here."""
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            return None
        folder = JobFolder(self.root / token)
        return folder if folder.path.is_dir() else None

    def sweep(self, known: Collection[str]) -> int:
        """Remove the folders of jobs that are no longer in the database; how many."""
        removed = 0
        for path in self.root.iterdir():
            if TOKEN.fullmatch(path.name) and path.name not in known:
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > YOUNG_SECONDS:
                        JobFolder(path).remove()
                        removed += 1
        return removed


class JobFolder:
    """The files of one job.

    Attributes:
        path: of the folder; inputs, outputs: of what was handed in and what was made.
    """

    def __init__(self, path: Path):
        self.path, self.inputs, self.outputs = path, path / "in", path / "out"

    @property
    def token(self) -> str:
        """What finds it again."""
        return self.path.name

    def take_in(self, file: BinaryIO, name: str) -> Path:
        """Copy what was handed in, from its beginning, to a file of that name, which only its owner may read."""
        path = self.inputs / name
        try:
            file.seek(0)
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as copy:
                shutil.copyfileobj(file, copy, PIECE)
        except OSError as error:
            raise DatabaseError(f"{path}: cannot be written ({error.strerror}).") from None
        return path

    def files(self) -> dict[str, int]:
        """What was made: names, and bytes."""
        if not self.outputs.is_dir():
            return {}
        found = sorted(path for path in self.outputs.iterdir() if path.is_file() and not path.name.startswith("."))
        return {path.name: path.stat().st_size for path in found}

    def output(self, name: str) -> Path | None:
        """The path of a file that was made; None where there is none of that name."""
        return self.outputs / name if name in self.files() else None

    def forget_inputs(self) -> None:
        """Remove what was handed in."""
        shutil.rmtree(self.inputs, ignore_errors=True)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


def folders_of(settings: "ServiceSettings") -> Folders:
    """The folder that the settings name, or ``jobs`` in the user's data folder."""
    return Folders(Path(settings.jobs_folder) if settings.jobs_folder else data_folder() / "jobs")


def _id(path: Path) -> str:
    """The id of a folder; whoever comes first gives it one, by a hard link, which is there whole or not at all."""
    if not path.exists():
        draft = path.with_name(f".id-{secrets.token_hex(8)}")
        draft.write_text(secrets.token_hex(4), encoding="ascii")
        try:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    found = path.read_text(encoding="ascii").strip()
    if not ID.fullmatch(found):
        raise DatabaseError(f"{path}: is not the id of a folder for jobs: remove it where no service uses the folder.")
    return found
