"""Where the network, the service or the key fails: nothing is done twice, nothing is lost, and no secret is told."""

import logging
import pickle
import re
import traceback
from types import SimpleNamespace

import pytest

from common.errors import BadArgument, FaceError
from recognizer.client import Client, ServiceRefused, ServiceUnreachable, addresses, connection
from tests.recognizer.client.relays import relayed
from tests.recognizer.service.guarding import guarded as without_networks
from tests.recognizer.service.test_protocol import served, tls

__all__ = ["tls"]


@pytest.fixture
def relay(server):
    """Between clients and the service."""
    with relayed(server) as found:
        yield found


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The seconds that clients would have waited before they asked again; they do not."""
    found = []
    monkeypatch.setattr(connection, "time", SimpleNamespace(sleep=found.append))
    return found


@pytest.fixture
def relayed_client(relay, server, client):
    """A client of an admin behind the relay."""
    with Client(relay.url, server.keys["admin"], timeout=10) as found:
        yield found


def keys_of(relay):
    """The idempotency keys that were sent."""
    return [re.findall(rb"Idempotency-Key: (\w+)", heard)[0].decode() for heard in relay.heard]


def test_a_write_whose_answer_was_lost_is_sent_again_and_done_once(relay, relayed_client, client, photos):
    relay.plan += ["cut", "cut"]
    enrolment = relayed_client.add_person("Ann", photos.obama)
    assert enrolment.added == {"Ann": 1} and enrolment.person.photos == 1 and enrolment.person.etag
    assert len(list(client.photos("Ann"))) == 1
    assert len(relay.heard) == 3 and len(set(keys_of(relay))) == 1
    relay.plan += ["cut"]
    assert relayed_client.delete_person("Ann").names == ("Ann",)  # and not: there is nobody of that name


def test_each_write_has_a_key_of_its_own_or_the_one_that_is_given(relay, relayed_client, photos):
    relayed_client.add_person("Ann", photos.obama)
    for team in ("A", "B"):
        relayed_client.change_person("Ann", metadata={"team": team})
    assert len(set(keys_of(relay))) == 3
    first = relayed_client.add_photos("Ann", photos.obama2, idempotency_key="mine")
    assert relayed_client.add_photos("Ann", photos.obama2, idempotency_key="mine") == first
    assert relayed_client.person("Ann").photos == 2 and keys_of_mine(relay) == 2
    with pytest.raises(ServiceRefused) as refused:
        relayed_client.add_photos("Ann", photos.obama3, idempotency_key="mine")
    assert refused.value.code == "idempotency_conflict"


def keys_of_mine(relay):
    return sum(b"Idempotency-Key: mine" in heard for heard in relay.heard)


def answer(status, retry_after=None, body=b""):
    """What a service or a proxy says."""
    wait = b"" if retry_after is None else b"Retry-After: %d\r\n" % retry_after
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, wait, len(body), body)


UNDER_WAY = b'{"code": "conflict", "message": "The first request is still under way.", "details": {}}'


@pytest.mark.parametrize("passing", [(503, 7), (429, 60), (409, 1, UNDER_WAY), (502,), (504,)])
def test_what_will_pass_is_asked_again_with_the_same_key_after_as_long_as_is_said(
    relay, relayed_client, client, photos, pauses, passing
):
    relay.plan += [answer(*passing)]
    assert relayed_client.add_person("Ann", photos.obama).person.photos == 1
    [pause] = pauses
    assert pause == passing[1] if len(passing) > 1 else 0.4 <= pause <= 0.6
    assert len(set(keys_of(relay))) == 1 and len(relay.heard) == 2
    assert client.person("Ann").photos == 1


def test_it_gives_up_after_as_many_times_as_it_is_told_and_says_what_the_service_said(relay, server, pauses):
    with Client(relay.url, server.keys["read"], retries=2) as client:
        relay.plan += [answer(503)] * 3
        with pytest.raises(ServiceRefused) as refused:
            client.metrics()
        assert (refused.value.status, refused.value.code, len(relay.heard)) == (503, "", 3)
        assert len(pauses) == 2 and pauses[1] > pauses[0] > 0
        relay.plan += [answer(503, 3600)]
        with pytest.raises(ServiceRefused) as refused:
            client.metrics()
        assert refused.value.retry_after == 3600 and len(relay.heard) == 4
        relay.plan += [answer(503, 1)]
        with pytest.raises(ServiceRefused):
            client.ready()  # says how it is now
        assert len(relay.heard) == 5


def test_what_will_not_pass_is_asked_once(relay, relayed_client, photos):
    relayed_client.add_person("Ann", photos.obama)
    for call in (lambda: relayed_client.add_person("Ann", photos.obama), lambda: relayed_client.person("Bob")):
        before = len(relay.heard)
        with pytest.raises(ServiceRefused):
            call()
        assert len(relay.heard) == before + 1


@pytest.mark.parametrize(
    "said",
    [answer(200, body=b"<html>"), answer(200, body=b"[]"), answer(302), answer(404, body=b"not here"), b"SSH-2.0"],
)
def test_what_is_not_the_service_is_told_in_a_sentence(relay, server, said):
    with Client(relay.url, server.keys["read"], retries=0) as client:
        for ask in (client.health, lambda: next(client.people()), client.jobs().__next__):
            relay.plan += [said]
            with pytest.raises(FaceError) as told:
                ask()
            assert str(told.value).endswith((".", "?")) and len(str(told.value)) < 200


def test_no_redirect_is_followed(relay, server):
    there = f"HTTP/1.1 307 X\r\nLocation: {server.url}/v1/metrics\r\nContent-Length: 0\r\n\r\n".encode()
    relay.plan += [there]
    with Client(relay.url, server.keys["read"], retries=0) as client, pytest.raises(ServiceRefused) as refused:
        client.metrics()
    assert refused.value.status == 307


def test_nobody_there_and_no_answer_in_time_are_told_in_a_sentence(relay, pauses):
    relay.plan += ["silent"]
    with Client(relay.url, timeout=0.3, retries=0) as client, pytest.raises(ServiceUnreachable) as told:
        client.health()
    assert "0.3 seconds" in str(told.value)
    with Client("http://127.0.0.1:9", retries=1) as client, pytest.raises(ServiceUnreachable) as told:
        client.health()
    assert "is the service running" in str(told.value) and len(pauses) == 1


@pytest.mark.parametrize("key", [None, "rk_0123456789ab_" + "0" * 64, "nonsense"])
def test_without_a_good_key_the_service_says_no(server, photos, key):
    with Client(server.url, key) as client, pytest.raises(ServiceRefused) as refused:
        client.add_person("Ann", photos.obama)
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")


def test_the_key_is_in_nothing_that_is_shown(relay, server, photos, caplog):
    caplog.set_level(logging.DEBUG)
    key, shown = server.keys["read"], []
    secret = key.rpartition("_")[2]
    with Client(relay.url, key, retries=1) as client:
        relay.plan += ["cut", "cut", answer(503), answer(503), None]
        for _ in range(3):
            with pytest.raises(FaceError) as told:
                client.add_photos("Ann", photos.obama)
            shown += [repr(told.value), repr(told.value.__cause__), repr(told.value.__context__)]
            shown += traceback.format_exception(told.value)
            assert told.value.__context__ is None  # requests' own error holds the request, and its headers
        shown += [repr(client), repr(vars(client)), repr(vars(client._connection)), str(client)]
        shown += [repr(vars(client._connection._session))]
    assert any(key.encode() in heard for heard in relay.heard)
    assert secret not in "".join(shown) and secret not in caplog.text
    logged = [each.getMessage() for each in caplog.records if each.name == "recognizer.client"]
    assert len(logged) == 2 and "Ann" not in "".join(logged)
    for wrong in (f"{key}\n", f"{key}\r\nX: y", f"{key}\0", f"{key}ü", "", " ", b"rk"):
        with pytest.raises(BadArgument) as told:
            Client(server.url, wrong)
        assert secret not in str(told.value)


def test_a_password_of_netrc_and_a_proxy_of_the_environment_do_not_come_in_between(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(server.url, server.keys["read"], retries=0) as client:
        assert client.metrics()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for is_here in (True, False):
        monkeypatch.setattr(addresses, "is_here", lambda url, is_here=is_here: is_here)
        with Client(server.url, retries=0) as client, pytest.raises(ServiceRefused) as refused:
            client.metrics()
        assert "needs an API key" in refused.value.message  # it was shown none


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "127.0.0.1:8000"}, {"url": "ftp://host"}, {"url": "http://user:password@host"}, {"url": "http://"},
        {"url": "http://host?x"}, {"url": None}, {"url": "http://host:port"}, {"timeout": 0}, {"retries": -1},
        {"ca": "/not/there"},
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_used_is_told_at_once(wrong):
    with pytest.raises(BadArgument) as told:
        Client(**wrong)
    assert "password@" not in str(told.value)


def test_over_tls_the_certificate_is_checked_against_who_is_trusted(tls, tmp_path, pauses):
    ca = tmp_path / "ca.pem"
    tls.authority.cert_pem.write_to_path(ca)
    with served(without_networks(None), **tls.files) as port:
        url, other = f"https://localhost:{port}", f"https://127.0.0.1:{port}"
        with Client(url, ca=ca, retries=0) as trusting:
            assert trusting._connection.ask(connection.Request("GET", "/v1/health")).json() == {"status": "ok"}
        for options in ({}, {"ca": ca, "url": other}):
            with Client(**{"url": url} | options) as client, pytest.raises(ServiceUnreachable) as told:
                client.health()
            assert "certificate" in str(told.value) and pauses == []  # it will not do better
        with Client(url, verify=False, retries=0) as careless, pytest.warns(Warning, match="Unverified"):
            assert careless._connection.ask(connection.Request("GET", "/v1/health")).ok


def test_a_refusal_can_be_handed_to_another_process():
    refused = ServiceRefused(409, "name_taken", "There is a Ann.", {"a": 1}, "0c4e", 2.0)
    again = pickle.loads(pickle.dumps(refused))
    assert vars(again) == vars(refused) and str(again) == "There is a Ann."


def test_a_list_asks_for_as_many_at_a_time_as_it_is_told(relay, relayed_client):
    lists = (relayed_client.people, relayed_client.galleries, relayed_client.jobs, relayed_client.audit)
    for each in lists:
        next(each(page_size=7), None)
    assert [heard.count(b"limit=7") for heard in relay.heard] == [1] * len(lists)
    list(relayed_client.galleries(page_size=1))
    assert len(relay.heard) == len(lists) + 2  # of "guests" and "staff"


def test_of_a_secret_whose_answer_was_lost_only_the_key_is_left(relay, relayed_client):
    relay.plan += ["cut"]
    made = relayed_client.create_key("door")
    assert made.secret is None and made.id in {key.id for key in relayed_client.keys()}  # noqa: SIM118
    assert relayed_client.revoke_key(made).state == "revoked"
