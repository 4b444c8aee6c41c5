"""One member out of an archive. Paths inside the archive are compared, never written to."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

from common.errors import FetchFailed
from networks.sources.delivery import Delivery

UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def read_member(archive: Path, member: str, delivery: Delivery) -> None:
    """Write the regular file ``member`` of a zip (wheel) or tar archive to ``delivery.target``.

    Raises:
        FetchFailed: no such member, a link, folder or device, too large, encrypted, or a damaged archive.
    """
    try:
        with archive.open("rb") as stream:
            from_kind = _from_zip if stream.read(2) == b"PK" else _from_tar
        from_kind(archive, member, delivery)
    except UNREADABLE as error:
        kind = type(error).__name__
        raise FetchFailed(f"{archive.name} is not a readable zip or tar archive ({kind})") from None


def _from_zip(archive: Path, member: str, delivery: Delivery) -> None:
    with zipfile.ZipFile(archive) as opened:
        if member not in opened.namelist():
            raise FetchFailed(f"{archive.name} has no member {member}")
        entry = opened.getinfo(member)
        kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archive was made without Unix modes
        if entry.is_dir() or kind not in (0, stat.S_IFREG):
            raise FetchFailed(f"{member} in {archive.name} is not a regular file")
        if entry.flag_bits & 1:
            raise FetchFailed(f"{member} in {archive.name} is encrypted")
        delivery.check_size(entry.file_size)
        with opened.open(entry) as stream:
            delivery.copy(stream)


def _from_tar(archive: Path, member: str, delivery: Delivery) -> None:
    with tarfile.open(archive) as opened:
        entry = next((entry for entry in opened if entry.name == member), None)
        if entry is None:
            raise FetchFailed(f"{archive.name} has no member {member}")
        if not entry.isreg():
            raise FetchFailed(f"{member} in {archive.name} is not a regular file")
        delivery.check_size(entry.size)
        delivery.copy(opened.extractfile(entry))
