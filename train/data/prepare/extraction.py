"""From a ``.rec`` to folders of pictures, and the verification sets beside it."""

import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import BadArgument, BadDataset
from common.folders import sync_folder
from train.data.prepare.plan import Progress, alone, silent
from train.data.prepare.selection import select
from train.data.recordio import Reader

SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}  # by the first bytes
FOLDER = "imgs"


@dataclass
class Extracted:
    """What was extracted.

    Attributes:
        pictures, identities: how many.
        refused: (picture, reason) of what was left out.
    """

    pictures: int = 0
    identities: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def extract(
    record_file: Path,
    folder: Path,
    identities: Sequence[str] = (),
    span: str | None = None,
    progress: Progress = silent,
) -> Extracted:
    """Write the pictures of a ``.rec`` as they are to ``FOLDER/imgs/LABEL/KEY.jpg``.

    ``imgs`` appears when all is there; an interrupted call goes on.

    Raises:
        BadArgument: ``imgs`` exists already. BadDataset: the file is damaged, or the disk is full.
    """
    target, part = folder / FOLDER, folder / f".{FOLDER}.unfinished"
    if target.exists():
        raise BadArgument(f"{target} exists already. Choose another folder, or remove it.")
    try:
        with alone(target), Reader(record_file) as reader:
            done = _extract(reader, part, identities, span, progress)
            if hasattr(os, "sync"):
                os.sync()
            part.replace(target)
            sync_folder(folder)
            return done
    except OSError as error:
        raise BadDataset(f"{target} cannot be written: {error.strerror or error}.") from None


def _extract(reader: Reader, part: Path, identities: Sequence[str], span: str | None, progress: Progress) -> Extracted:
    wanted = set(select([str(label) for label in range(reader.classes())], identities, span).tolist())
    labels = reader.labels()
    done, made = Extracted(), set()
    part.mkdir(parents=True, exist_ok=True)
    with progress("extracting", len(reader)) as advance:
        for number, label in enumerate(labels.tolist()):
            if label in wanted:
                if label not in made:
                    (part / str(label)).mkdir(exist_ok=True)
                    made.add(label)
                _write(reader, number, part / str(label), done)
            advance(1)
    done.identities = len(made)
    return done


def _write(reader: Reader, number: int, folder: Path, done: Extracted) -> None:
    record = reader[number]
    suffix = SUFFIXES.get(record.payload[:2])
    if suffix is None:
        done.refused.append((f"{reader.path}: offset {record.offset}", "neither JPEG nor PNG by its first bytes"))
        return
    path = folder / f"{record.key:08d}{suffix}"
    if not (path.is_file() and path.read_bytes() == record.payload):
        path.write_bytes(record.payload)
    done.pictures += 1


def copy_bins(source: Path, folder: Path) -> list[str]:
    """Copy the verification sets (``*.bin``) of one folder to another; returns their names.

    Raises:
        BadArgument: another file of such a name is there. BadDataset: they cannot be read or written.
    """
    names = []
    try:
        for path in sorted(source.glob("*.bin")):
            target = folder / path.name
            if target.exists():
                if not filecmp.cmp(path, target, shallow=False):
                    raise BadArgument(f"{target} exists already and is not {path}. Remove it, or leave the sets out.")
            else:
                _copy(path, target)
            names.append(path.name)
    except OSError as error:
        raise BadDataset(f"The sets in {source} cannot be copied to {folder}: {error.strerror or error}.") from None
    return names


def _copy(path: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(path, part)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
