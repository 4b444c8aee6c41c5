import io
import os
import stat
import tarfile
import zipfile

import pytest

from common.errors import FetchFailed
from networks.sources.archives import read_member
from networks.sources.delivery import Delivery

WANTED = "package/weights.bin"
CONTENT = os.urandom(5000)


@pytest.fixture
def delivery(tmp_path):
    (tmp_path / "target").mkdir()
    return Delivery(tmp_path / "target" / "got", 10_000, lambda done, total: None)


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../evil", b"x")
        archive.writestr("/abs/evil", b"x")
        for info, content in members.get("members", []):
            archive.writestr(info, content)
    return path


def make_tar(path, *entries, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for entry, content in [
            (tarfile.TarInfo("../evil"), b"x"),
            (tarfile.TarInfo("/abs/evil"), b"x"),
            *entries,
        ]:
            entry.size = len(content) if content is not None else 0
            archive.addfile(entry, io.BytesIO(content) if content is not None else None)
    return path


def tar_entry(kind, link=""):
    entry = tarfile.TarInfo(WANTED)
    entry.type, entry.linkname = kind, link
    return entry


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_the_named_member_of_a_tar_is_read_and_nothing_else_is_written(tmp_path, delivery, mode):
    archive = make_tar(tmp_path / "a.bin", (tar_entry(tarfile.REGTYPE), CONTENT), mode=mode)
    read_member(archive, WANTED, delivery)
    assert delivery.target.read_bytes() == CONTENT
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert written == {"a.bin", "target", "target/got"}


def test_the_named_member_of_a_zip_is_read_and_nothing_else_is_written(tmp_path, delivery):
    archive = make_zip(tmp_path / "a.whl", members=[(WANTED, CONTENT)])
    read_member(archive, WANTED, delivery)
    assert delivery.target.read_bytes() == CONTENT
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert written == {"a.whl", "target", "target/got"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_folders_and_devices_in_a_tar_are_refused(tmp_path, delivery, kind):
    real = tarfile.TarInfo("package/real")
    archive = make_tar(tmp_path / "a.tgz", (real, CONTENT), (tar_entry(kind, "package/real"), None))
    with pytest.raises(FetchFailed, match="not a regular file"):
        read_member(archive, WANTED, delivery)
    assert not delivery.target.exists()


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path, delivery):
    link = zipfile.ZipInfo(WANTED)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = make_zip(tmp_path / "a.zip", members=[(link, b"/etc/hostname")])
    with pytest.raises(FetchFailed, match="not a regular file"):
        read_member(archive, WANTED, delivery)


def test_a_member_larger_than_allowed_is_refused(tmp_path, delivery):
    huge = bytes(20_000)  # compresses to almost nothing
    for archive in (
        make_tar(tmp_path / "a.tgz", (tar_entry(tarfile.REGTYPE), huge)),
        make_zip(tmp_path / "a.zip", members=[(WANTED, huge)]),
    ):
        with pytest.raises(FetchFailed, match="larger than the 10000 bytes"):
            read_member(archive, WANTED, delivery)
        assert not delivery.target.exists()


def test_a_missing_member_is_named(tmp_path, delivery):
    for archive in (make_tar(tmp_path / "a.tgz"), make_zip(tmp_path / "a.zip")):
        with pytest.raises(FetchFailed, match=f"{archive.name} has no member {WANTED}"):
            read_member(archive, WANTED, delivery)


def test_an_encrypted_member_is_refused(tmp_path, delivery):
    archive = make_zip(tmp_path / "a.zip", members=[(WANTED, CONTENT)])
    damaged = bytearray(archive.read_bytes())
    entry = damaged.rindex(b"PK\x01\x02")  # the last entry of the central directory is the wanted one
    damaged[entry + 8] |= 1
    archive.write_bytes(damaged)
    with pytest.raises(FetchFailed, match="encrypted"):
        read_member(archive, WANTED, delivery)


def test_a_cut_or_foreign_archive_is_one_clear_error(tmp_path, delivery):
    whole = make_tar(tmp_path / "a.tgz", (tar_entry(tarfile.REGTYPE), CONTENT)).read_bytes()
    zipped = make_zip(tmp_path / "a.zip", members=[(WANTED, CONTENT)]).read_bytes()
    for content in (whole[: len(whole) // 2], zipped[: len(zipped) // 2], b"", b"PK", b"no archive" * 100):
        archive = tmp_path / "broken"
        archive.write_bytes(content)
        with pytest.raises(FetchFailed, match="broken is not a readable zip or tar archive"):
            read_member(archive, WANTED, delivery)
