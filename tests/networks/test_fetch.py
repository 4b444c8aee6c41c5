import hashlib
import io
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

from common.errors import BadConfig, ChecksumMismatch, FaceError, FetchFailed
from networks.fetch import RemoteFile, fetch, state
from tests.networks.local_server import LocalServer

ROOT = Path(__file__).parents[2]
CONTENT = random.Random(1).randbytes(200_000)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def remote(*urls, content=CONTENT, name="weights.bin", **more):
    sources = [{"url": url} if isinstance(url, str) else url for url in urls]
    mapping = {"file": name, "sha256": digest(content), "sources": sources, **more}
    return RemoteFile.from_mapping(mapping, "test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECOGNIZER_WEIGHTS", raising=False)
    monkeypatch.setattr("networks.sources.http.FIRST_PAUSE", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


def child(code, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, **options)


def fetching(url, content=CONTENT, before="pass"):
    """A program that fetches ``url``; ``before`` runs when all is imported."""
    return (
        "import os, sys\nfrom networks.fetch import RemoteFile, fetch\n"
        f"mapping = {{'file': 'weights.bin', 'sha256': {digest(content)!r}}}\n"
        f"mapping['sources'] = [{{'url': {url!r}}}]\n"
        "file = RemoteFile.from_mapping(mapping, 'child')\n"
        f"{before}\nprint(fetch(file))\n"
    )


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


def test_a_file_is_fetched_once_and_found_in_the_cache_afterwards(server):
    file = remote(server.serve("/file", CONTENT))
    first = fetch(file)
    assert first.read_bytes() == CONTENT and first.name == "weights.bin"
    assert fetch(file) == first
    assert len(server.requests) == 1


def test_the_same_content_is_not_fetched_again_for_another_model(server):
    fetch(remote(server.serve("/one", CONTENT)))
    fetch(remote(server.serve("/two", CONTENT)))
    assert [path for path, _ in server.requests] == ["/one"]


def test_an_altered_file_in_the_cache_is_fetched_anew(server):
    file = remote(server.serve("/file", CONTENT))
    file.cached.parent.mkdir(parents=True)
    file.cached.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(file).read_bytes() == CONTENT


def test_an_altered_file_that_nothing_can_replace_is_refused_with_both_checksums(server):
    file = remote(server.url + "/nothing")
    file.cached.parent.mkdir(parents=True)
    file.cached.write_bytes(b"altered")
    with pytest.raises(ChecksumMismatch) as failure:
        fetch(file)
    assert digest(CONTENT) in str(failure.value) and digest(b"altered") in str(failure.value)
    assert "HTTP status 404" in str(failure.value)


def test_altered_content_from_a_source_is_refused_and_leaves_nothing(server, cache):
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    with pytest.raises(FetchFailed) as failure:
        fetch(remote(server.serve("/file", wrong)))
    assert digest(CONTENT) in str(failure.value) and digest(wrong) in str(failure.value)
    assert files_below(cache) == []


def test_a_truncated_answer_is_refused_and_leaves_nothing(server, cache):
    with pytest.raises(FetchFailed, match="SHA-256 expected"):
        fetch(remote(server.serve("/file", CONTENT, length=False, cuts=[1000])))
    assert files_below(cache) == []


def test_the_next_source_is_tried_with_a_note_about_the_one_before(server, capsys):
    file = remote(server.serve("/bad", b"other"), server.url + "/nothing", server.serve("/good", CONTENT))
    assert fetch(file).read_bytes() == CONTENT
    notes = capsys.readouterr().err
    assert f"skipped url {server.url}/bad" in notes and f"{server.url}/nothing: HTTP status 404" in notes


def test_when_all_sources_fail_each_is_listed_and_the_way_by_hand(server):
    file = remote(server.url + "/one", {"file": "/no/such/folder/w.bin"}, server.serve("/two", b"other"))
    with pytest.raises(FetchFailed) as failure:
        fetch(file)
    text = str(failure.value)
    assert f"url {server.url}/one: HTTP status 404" in text
    assert "file /no/such/folder/w.bin: there is no file" in text
    assert f"url {server.url}/two: delivered other content" in text
    assert str(file.cached) in text and digest(CONTENT) in text and "RECOGNIZER_WEIGHTS" in text
    file.cached.write_bytes(CONTENT)  # what the message says
    assert fetch(file) == file.cached


def test_passwords_and_queries_of_an_address_are_not_shown(server, capsys):
    with pytest.raises(FetchFailed) as failure:
        fetch(remote(server.url.replace("//", "//user:hunter2@") + "/file?signature=tok3n"))
    shown = str(failure.value) + capsys.readouterr().err
    assert "/file" in shown and "hunter2" not in shown and "tok3n" not in shown


def test_a_file_larger_than_stated_is_refused(server):
    with pytest.raises(FetchFailed, match="larger than the 1000 bytes"):
        fetch(remote(server.serve("/file", CONTENT), bytes=1000))


def test_a_folder_of_ones_own_is_searched_first_and_checked(server, cache, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("RECOGNIZER_WEIGHTS", str(own))
    file = remote(server.serve("/file", CONTENT))
    (own / file.name).write_bytes(CONTENT)
    assert fetch(file) == own / file.name
    assert server.requests == [] and not cache.exists()
    (own / file.name).write_bytes(b"something else")
    assert fetch(file) == file.cached
    assert (own / file.name).read_bytes() == b"something else"


def test_two_processes_at_once_download_once(server):
    url = server.serve("/file", CONTENT, delay=1.0)
    children = [child(fetching(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    paths = {process.communicate(timeout=30)[0].decode().strip() for process in children}
    assert [process.returncode for process in children] == [0, 0]
    assert len(paths) == 1 and Path(paths.pop()).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_process_killed_in_mid_download_stands_in_nobodys_way(server, cache):
    url = server.serve("/file", CONTENT, delay=30)
    killed = child(fetching(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while "weights.bin.part" not in files_below(cache) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert files_below(cache) == ["weights.bin.part"]
    server.pages["/file"].delay = 0
    assert fetch(remote(url)).read_bytes() == CONTENT
    assert files_below(cache) == ["weights.bin"]


@pytest.fixture
def readable_by_all():
    """A folder outside pytest's private one, for a child process without rights."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_cache_serves_what_it_holds_and_fails_clearly_otherwise(
    server, readable_by_all, monkeypatch
):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(readable_by_all))
    file = remote(server.serve("/file", CONTENT))
    fetch(file)
    file.cached.parent.joinpath(".lock").unlink(missing_ok=True)
    for path in [*readable_by_all.rglob("*"), readable_by_all]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root may write anywhere: as root the child gives up its rights once it has imported what it needs.
    before = "import filelock\nif os.geteuid() == 0: os.setuid(65534)"
    held = child(fetching(server.url + "/file", before=before), stdout=subprocess.PIPE)
    assert held.communicate(timeout=30)[0].decode().strip() == str(file.cached)
    missing = child(fetching(server.url + "/file", b"other", before), stderr=subprocess.PIPE)
    error = missing.communicate(timeout=30)[1].decode()
    assert "FetchFailed" in error and "Permission denied" in error and "RECOGNIZER_CACHE" in error


def test_a_cached_file_costs_no_network_and_no_network_library(server):
    fetch(remote(server.serve("/file", CONTENT)))
    code = fetching("http://127.0.0.1:1/file") + (
        "print(sorted({'requests', 'urllib3', 'pypi_simple', 'rich', 'filelock'} & set(sys.modules)))"
    )
    out = child(code, stdout=subprocess.PIPE).communicate(timeout=30)[0].decode().splitlines()
    assert out[1] == "[]"


def tarball(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_two_members_of_one_archive_cost_one_download(server):
    archive = tarball(one=b"1", two=b"2")
    url = server.serve("/a.tgz", archive)
    for name, content in (("one", b"1"), ("two", b"2")):
        source = {"url": {"url": url, "member": f"package/{name}", "archive_sha256": digest(archive)}}
        assert fetch(remote(source, content=content, name=name)).read_bytes() == content
    assert len(server.requests) == 1


def test_an_altered_archive_is_not_opened(server):
    archive, expected = tarball(one=b"1"), digest(tarball(one=b"other"))
    source = {
        "url": {"url": server.serve("/a.tgz", archive), "member": "package/one", "archive_sha256": expected}
    }
    with pytest.raises(FetchFailed) as failure:
        fetch(remote(source, content=b"1", name="one"))
    assert expected in str(failure.value) and digest(archive) in str(failure.value)


def test_state_tells_ok_altered_and_missing(server):
    file = remote(server.serve("/file", CONTENT))
    assert state(file) == "missing"
    fetch(file)
    assert state(file) == "ok"
    file.cached.write_bytes(b"altered")
    assert state(file) == "altered"
    assert len(server.requests) == 1


def test_quiet_without_progress_and_one_line_where_there_is_no_terminal(server, capsys):
    fetch(remote(server.serve("/a", b"a"), content=b"a"), progress=False)
    assert capsys.readouterr() == ("", "")
    fetch(remote(server.serve("/b", CONTENT), bytes=len(CONTENT)))
    assert capsys.readouterr() == ("", f"fetching weights.bin (0.2 MB) from url {server.url}/b\n")


def test_a_terminal_sees_a_progress_bar(server):
    ours, theirs = pty.openpty()
    process = child(
        fetching(server.serve("/file", CONTENT, delay=0.3)), stdout=subprocess.PIPE, stderr=theirs
    )
    process.communicate(timeout=30)
    os.close(theirs)
    seen = os.read(ours, 100_000).decode()
    assert process.returncode == 0
    assert "fetching weights.bin" in seen and "━" in seen


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../weights.bin"),
        ("file", "/etc/passwd"),
        ("file", ".lock"),
        ("file", ""),
        ("file", None),
        ("sha256", "abc"),
        ("sha256", "A" * 64),
        ("sha256", 1),
        ("bytes", -1),
        ("bytes", True),
        ("bytes", "5 MB"),
        ("sources", []),
        ("sources", "http://127.0.0.1/x"),
        ("surprise", 1),
    ],
)
def test_a_malformed_entry_is_refused_by_the_name_of_its_key(key, value):
    mapping = {"file": "w.bin", "sha256": "0" * 64, "sources": [{"url": "http://127.0.0.1/x"}], key: value}
    with pytest.raises(BadConfig, match=key) as failure:
        RemoteFile.from_mapping(mapping, "models.yaml: thing")
    assert str(failure.value).startswith("models.yaml: thing") and isinstance(failure.value, FaceError)
