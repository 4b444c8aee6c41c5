import random
import time

import pytest

from common.errors import FetchFailed
from networks.sources import http
from networks.sources.delivery import Delivery
from tests.networks.local_server import LocalServer, Page

CONTENT = random.Random(0).randbytes(300_000)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def delivery(tmp_path):
    return Delivery(tmp_path / "got", 1_000_000, lambda done, total: None)


def ranges(server):
    return [headers.get("Range") for _, headers in server.requests]


def test_a_dropped_connection_is_taken_up_where_it_broke(server, delivery):
    http.download(server.serve("/file", CONTENT, cuts=[131_072, 65_536]), delivery)
    assert delivery.target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=131072-", "bytes=196608-"]
    assert server.requests[1][1]["If-Range"] == '"first"'


def test_a_server_without_ranges_starts_anew(server, delivery):
    http.download(server.serve("/file", CONTENT, cuts=[131_072], ranges=False), delivery)
    assert delivery.target.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_range_other_than_asked_for_is_not_appended(server, delivery):
    http.download(server.serve("/file", CONTENT, cuts=[131_072], range_offset=-1), delivery)
    assert delivery.target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=131072-", None]


def test_a_refused_range_starts_anew(server, delivery):
    url = server.serve("/file", CONTENT, cuts=[131_072])
    page, seen = server.pages["/file"], []

    def refuse_the_second(done, total):
        if not seen:
            seen.append(done)
            page.statuses.append(416)

    http.download(url, Delivery(delivery.target, 1_000_000, refuse_the_second))
    assert delivery.target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=131072-", None]


def test_a_file_that_changed_meanwhile_is_not_mixed_with_its_old_half(server, delivery):
    url = server.serve("/file", CONTENT, cuts=[131_072])
    newer = CONTENT[:1000][::-1]

    def change(done, total):
        server.pages["/file"] = Page(newer, etag='"second"')

    http.download(url, Delivery(delivery.target, 1_000_000, change))
    assert delivery.target.read_bytes() == newer


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_no_range_is_asked_for(server, delivery, etag):
    http.download(server.serve("/file", CONTENT, cuts=[131_072], etag=etag), delivery)
    assert delivery.target.read_bytes() == CONTENT
    assert ranges(server) == [None, None]


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server, delivery):
    http.download(server.serve("/busy", CONTENT, statuses=[503, 429]), delivery)
    assert delivery.target.read_bytes() == CONTENT
    server.requests.clear()
    with pytest.raises(FetchFailed, match="HTTP status 404"):
        http.download(server.url + "/nothing", delivery)
    assert len(server.requests) == 1


def test_a_connection_that_always_breaks_ends_after_a_bounded_number_of_attempts(server, delivery):
    url = server.serve("/file", CONTENT, cuts=[10] * 100, ranges=False)
    with pytest.raises(FetchFailed, match=f"tried {http.ATTEMPTS} times"):
        http.download(url, delivery)
    assert len(server.requests) == http.ATTEMPTS


@pytest.mark.parametrize("length", [True, False])
def test_a_body_larger_than_allowed_is_refused(server, delivery, length):
    small = Delivery(delivery.target, 1000, delivery.report)
    with pytest.raises(FetchFailed, match="larger than the 1000 bytes"):
        http.download(server.serve("/file", CONTENT, length=length), small)
    assert len(server.requests) == 1


def test_a_small_compressed_body_that_unfolds_beyond_the_cap_is_refused(server, delivery):
    with pytest.raises(FetchFailed, match="larger than"):
        http.download(server.serve("/bomb", bytes(50_000_000), compress=True), delivery)


def test_a_server_that_compresses_unasked_is_understood(server, delivery):
    http.download(server.serve("/file", CONTENT, compress=True), delivery)
    assert delivery.target.read_bytes() == CONTENT


@pytest.mark.parametrize("elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_a_redirect_away_from_http_is_refused(server, delivery, elsewhere):
    server.pages["/file"] = Page(location=elsewhere)
    with pytest.raises(FetchFailed, match="InvalidSchema"):
        http.download(server.url + "/file", delivery)
    assert delivery.target.read_bytes() == b""


def test_nobody_listening_is_told_at_once(delivery):
    with LocalServer() as gone:
        url = gone.url
    started = time.monotonic()
    with pytest.raises(FetchFailed, match="^cannot be reached$"):
        http.download(url + "/file?token=secret", delivery)
    assert time.monotonic() - started < 5


def test_progress_counts_the_bytes_of_the_file(server, tmp_path):
    told = []
    delivery = Delivery(tmp_path / "got", 1_000_000, lambda done, total: told.append((done, total)))
    http.download(server.serve("/file", CONTENT, cuts=[131_072]), delivery)
    assert (131_072, 300_000) in told and told[-1] == (300_000, 300_000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
