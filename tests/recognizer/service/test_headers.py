"""What each answer carries, whose address counts, what other sites' pages may not do, and what is logged."""

import json
import logging

import pytest

import db
from common.errors import BadConfig
from recognizer.service import middleware
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.guarding import OUTSIDE, bearer, client, guarded

PROXY = "10.0.0.5"


@pytest.fixture(scope="module")
def database():
    with db.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def app(database):
    return guarded(database)


@pytest.fixture
def behind(database):
    """An application behind a proxy, and what it takes for a client's address."""
    app = guarded(database, keys="required", trusted_proxies=(PROXY, "10.1.0.0/16"))
    headers = bearer(database.keys.create("any", "read").secret)

    def address(forwarded, peer=PROXY):
        told = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return client(app, peer).get("/v1/people/Ann", headers=headers | told).json()["address"]

    return address


EVERY = ("/v1/people/Ann", "/v1/nothing", "/v1/broken", "/v1/refused", "/v1/health?" + "a" * 20_000)


@pytest.mark.parametrize("path", EVERY)
def test_every_answer_has_the_headers_that_protect_and_an_id_of_its_own(app, path):
    asking = client(app, raise_server_exceptions=False)
    answer, next_one = asking.get(path), asking.get(path)
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == policy["connect-src"] == "'self'"
    assert not any("unsafe" in each or "*" in each or "http" in each for each in policy.values())
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"] != next_one.headers["x-request-id"]


def test_a_route_may_let_its_answer_be_kept(app):
    assert client(app).get("/v1/own").headers.get_list("cache-control") == ["max-age=60"]


def test_a_clients_own_request_id_is_not_taken(app):
    assert client(app).get("/v1/health", headers={"X-Request-ID": "mine"}).headers["x-request-id"] != "mine"


def test_only_over_tls_and_not_under_localhost_browsers_are_bound_to_tls(app, database):
    secure = guarded(database, keys="required", trusted_proxies=(PROXY,))
    told = {"X-Forwarded-Proto": "https"}
    assert "strict-transport-security" not in client(app).get("/v1/health").headers
    assert (
        "strict-transport-security" not in client(secure, OUTSIDE, "a.example").get("/v1/health", headers=told).headers
    )
    assert "strict-transport-security" in client(secure, PROXY, "a.example").get("/v1/health", headers=told).headers
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "[::1]"):
        assert "strict-transport-security" not in client(secure, PROXY, host).get("/v1/health", headers=told).headers


def test_a_route_that_fails_is_answered_without_particulars_and_logged_with_them(app, caplog):
    answer = client(app).get("/v1/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret particulars" not in answer.text
    assert "secret particulars" in caplog.text and answer.headers["x-request-id"] in caplog.text


# Whose address counts


def test_proxies_that_are_not_trusted_are_not_believed(behind):
    assert behind("192.0.2.1", peer=OUTSIDE) == OUTSIDE
    assert behind("192.0.2.1", peer="10.2.0.1") == "10.2.0.1"
    assert behind(None) == PROXY


@pytest.mark.parametrize(
    "forwarded, address",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.66, 192.0.2.1", "192.0.2.1"),  # the first was written by the client
        ("192.0.2.1, 10.1.2.3", "192.0.2.1"),  # two proxies of ours
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", PROXY),
        ("<script>", PROXY),
        ("", PROXY),
    ],
)
def test_the_address_is_the_one_that_the_last_trusted_proxy_saw(behind, forwarded, address):
    assert behind(forwarded) == address


def test_a_client_that_writes_addresses_does_not_escape_the_limit_on_wrong_keys(database):
    app = guarded(database, keys="required", trusted_proxies=(PROXY,), failures_per_minute=3)
    wrong = bearer("rk_" + "0" * 12 + "_" + "0" * 64)
    statuses = [
        client(app, PROXY).get("/v1/x", headers=wrong | {"X-Forwarded-For": f"198.51.100.{at}, {OUTSIDE}"}).status_code
        for at in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("entry", ["*", "proxy.example", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.1/8"])
def test_proxies_are_addresses_and_networks_and_never_everybody(database, entry):
    from fastapi import FastAPI

    app = FastAPI()
    middleware.install(app, ServiceSettings(keys="required", trusted_proxies=(entry,)))
    with pytest.raises(BadConfig, match="trusted_proxies"):
        client(app).get("/v1/health")


# Other sites' pages

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method, path", [("DELETE", "/v1/people/Ann"), ("POST", "/v1/form"), ("POST", "/v1/keys")])
def test_a_page_of_another_site_changes_nothing(app, headers, method, path):
    answer = client(app).request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_request_for_no_host_is_not_of_a_page_of_no_origin(database):
    app = guarded(database, keys="required")
    assert client(app).delete("/v1/people/Ann", headers={"Host": "", "Origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Origin": "http://LOCALHOST:80"}, {"Sec-Fetch-Site": "same-origin"},
     {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}],
)  # fmt: skip
def test_its_own_pages_and_programs_change_things(app, headers):
    assert client(app).delete("/v1/people/Ann", headers=headers).status_code == 200


def test_no_other_site_is_told_that_it_may_ask(app):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = client(app).options("/v1/people/Ann", headers=asked)
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_websocket_of_another_sites_page_is_refused(app):
    from fastapi import WebSocket
    from starlette.websockets import WebSocketDisconnect

    @app.websocket("/v1/live")
    async def live(socket: WebSocket):
        await socket.accept()
        await socket.close()

    with client(app).websocket_connect("ws://localhost/v1/live", headers={"Origin": "http://localhost"}) as socket:
        assert socket.receive()["type"] == "websocket.close"
    with (
        pytest.raises(WebSocketDisconnect),
        client(app).websocket_connect("ws://localhost/v1/live", headers=FOREIGN[0]),
    ):
        pass


def test_a_websocket_needs_a_key_like_everything_else(database):
    from starlette.websockets import WebSocketDisconnect

    app = guarded(database, keys="required")
    with pytest.raises(WebSocketDisconnect), client(app).websocket_connect("ws://localhost/v1/live"):
        pass


# The log


def lines(caplog):
    return [json.loads(each.getMessage()) for each in caplog.records if each.name == "recognizer.service.access"]


def test_a_request_is_a_line_that_says_who_and_what_and_holds_no_name_query_or_key(database, caplog):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    app = guarded(database, keys="required")
    key, secret = database.keys.create("door", "read")
    answer = client(app, OUTSIDE).get("/v1/people/Ann%20Smith?gallery=private", headers=bearer(secret))
    (line,) = lines(caplog)
    assert line.pop("seconds") >= 0
    assert line == {
        "request_id": answer.headers["x-request-id"], "address": OUTSIDE, "key": key.id, "method": "GET",
        "route": "/v1/people/{name}", "status": 200, "bytes_in": 0, "bytes_out": len(answer.content),
    }  # fmt: skip
    for text in ("Ann", "Smith", "private", secret[16:]):
        assert text not in caplog.text


@pytest.mark.parametrize("path, status", [("/v1/people/Ann", 401), ("/v1/nothing", 401), ("/v1/health", 200)])
def test_what_was_refused_is_logged_too(database, caplog, path, status):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    client(guarded(database, keys="required"), OUTSIDE).get(path)
    (line,) = lines(caplog)
    assert (line["status"], line["address"], line["key"]) == (status, OUTSIDE, None)


def test_a_line_of_the_log_cannot_be_forged(app, caplog):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    client(app).request("GE\u0054", "/v1/health%0A%7B%22status%22:200%7D", headers={"User-Agent": 'a"}'})
    assert len(caplog.records) >= 1
    assert all("\n" not in each.getMessage() for each in caplog.records if each.name == "recognizer.service.access")
