import os

import pytest

from common.errors import BadConfig, FetchFailed, UnknownChoice
from networks.sources import KINDS, Source
from networks.sources.delivery import Delivery

SHA = "0123456789abcdef" * 4
GOOD = {
    "github": {"repo": "a/b", "commit": "c0ffee", "path": "x/y.bin"},
    "github_release": {"repo": "a/b", "tag": "v0.7", "asset": "z.zip", "member": "m", "archive_sha256": SHA},
    "huggingface": {"repo": "a/b.c", "revision": "main", "path": "y.onnx"},
    "npm": {"package": "@scope/name@1.0.2", "member": "package/m", "archive_sha256": SHA},
    "pypi": {
        "package": "name==1.0",
        "file": "name-1.0.tar.gz",
        "member": "name-1.0/m",
        "archive_sha256": SHA,
    },
    "url": {"url": "https://127.0.0.1/x"},
    "file": {"path": "~/x"},
}


def deliver(source, tmp_path, limit=1000):
    delivery = Delivery(tmp_path / "got", limit, lambda done, total: None)
    Source.from_mapping(source, "test").deliver(delivery)
    return delivery.target.read_bytes()


def test_every_kind_is_covered_here():
    assert set(GOOD) == set(KINDS)


@pytest.mark.parametrize("kind", GOOD)
def test_a_source_is_one_line_of_yaml(kind):
    source = Source.from_mapping({kind: GOOD[kind]}, "test")
    own = {key: value for key, value in GOOD[kind].items() if key not in ("member", "archive_sha256")}
    assert (source.kind, list(source.arguments)) == (kind, list(own.values()))
    assert (source.member, source.archive_sha256) == (
        GOOD[kind].get("member"),
        GOOD[kind].get("archive_sha256"),
    )


@pytest.mark.parametrize("kind", GOOD)
def test_every_argument_is_needed_and_no_other_is_taken(kind):
    for key in GOOD[kind]:
        missing = {other: value for other, value in GOOD[kind].items() if other != key}
        with pytest.raises(BadConfig, match=f"test: {kind}: .*{key}|go together"):
            Source.from_mapping({kind: missing}, "test")
    with pytest.raises(BadConfig, match="surprise"):
        Source.from_mapping({kind: {**GOOD[kind], "surprise": "x"}}, "test")


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(UnknownChoice, match="'ftp'.*github.*npm.*file"):
        Source.from_mapping({"ftp": "x"}, "test")


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("npm", "package", "--prefix=/@1.0.0"),
        ("npm", "package", "git+ssh://host/x@1.0.0"),
        ("npm", "package", "./folder@1.0.0"),
        ("npm", "package", "name@latest"),
        ("npm", "package", "name@1.0.0\n"),
        ("pypi", "package", "name>=1.0"),
        ("pypi", "file", "../x.tar.gz"),
        ("pypi", "member", "../../etc/passwd"),
        ("npm", "member", "/etc/passwd"),
        ("npm", "member", "a/../b"),
        ("npm", "archive_sha256", "abc"),
        ("github", "repo", "a/b/../../c"),
        ("github", "path", "../../other/repo"),
        ("github", "commit", "a/b"),
        ("huggingface", "repo", "b"),
        ("url", "url", "file:///etc/passwd"),
        ("url", "url", "ftp://127.0.0.1/x"),
        ("url", "url", 5),
        ("file", "path", ""),
    ],
)
def test_an_argument_of_another_form_is_refused(kind, key, value):
    with pytest.raises(BadConfig, match=key):
        Source.from_mapping({kind: {**GOOD[kind], key: value}}, "test")


@pytest.mark.parametrize(
    "mapping", [{}, "url", None, {"url": "http://a/b", "file": "x"}, {"url": None}, {"url": ["x"]}]
)
def test_what_is_no_source_is_refused(mapping):
    with pytest.raises(BadConfig, match="test"):
        Source.from_mapping(mapping, "test")


def test_a_local_file_is_found_through_home_and_environment(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(b"content")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLACE", "weights")
    assert deliver({"file": "~/$PLACE/w.bin"}, tmp_path) == b"content"


def test_a_local_file_too_large_or_not_regular_is_refused(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"x" * 1001)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FetchFailed, match="larger than the 1000 bytes"):
        deliver({"file": str(tmp_path / "w.bin")}, tmp_path)
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "nothing"):
        with pytest.raises(FetchFailed, match="there is no file"):
            deliver({"file": str(place)}, tmp_path)
