"""Signing in to the pages: who gets a session, what its cookie is good for, what ends it, and who cannot use it."""

import logging
import re
import secrets
import threading
from datetime import timedelta
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from fastapi import Request, WebSocket
from starlette.websockets import WebSocketDisconnect

import db
from db import clock, keys, schema, sessions
from recognizer.service.context import Gallery
from recognizer.service.middleware import cookie
from recognizer.service.pages import sign_in
from tests.recognizer.pages.sites import htmx_file
from tests.recognizer.service.guarding import OUTSIDE, bearer, client, emptied, guarded

__all__ = ["htmx_file"]

OWN = {"Sec-Fetch-Site": "same-origin"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
NAME = "recognizer_session"
WRONG = "rk_" + "0" * 12 + "_" + "0" * 64


@pytest.fixture(scope="module")
def opened(htmx_file):
    with db.open("sqlite://") as database:
        for name in ("staff", "guests"):
            database.create_gallery(name, "model", "d", 4)
        yield database


@pytest.fixture
def database(opened):
    """Without keys, sessions and entries."""
    emptied(opened)
    return opened


def with_pages(database, **settings):
    """The guarded application with the page for signing in, and something to see and change."""
    app = guarded(database, **{"keys": "required"} | settings)
    app.include_router(sign_in.router, include_in_schema=False)

    @app.get("/people")
    @app.post("/people")
    @app.get("/people/{name}")
    @app.get("/v1/who")
    @app.api_route("/v1/change", methods=["POST", "PUT", "PATCH", "DELETE"])
    def who(request: Request):
        found = request.scope["state"].get("caller")
        return None if found is None else vars(found)

    @app.get("/v1/gallery")
    async def which(gallery: Gallery):
        return gallery

    @app.get("/static/{path:path}")
    def static(path: str):
        return path

    @app.websocket("/v1/live")
    async def live(socket: WebSocket):
        await socket.accept()
        await socket.close()

    return app


@pytest.fixture
def app(database):
    return with_pages(database)


@pytest.fixture
def made(database):
    return database.keys.create("door", "enrol", "staff")


@pytest.fixture
def token(database, made):
    return database.sessions.create(made.key.id, 3600)


@pytest.fixture
def pass_time(database, monkeypatch):
    """Lets seconds pass; rows are then read anew."""

    def let_pass(seconds):
        read = clock.read
        monkeypatch.setattr(clock, "read", lambda connection: read(connection) + timedelta(seconds=seconds))
        database.sessions._held._entries.clear()

    return let_pass


def shown(token, name=NAME):
    """The header with the cookie of a session."""
    return {"Cookie": f"{name}={token}"}


def ask(app, method, path, headers, address=OUTSIDE, host="localhost", **request):
    asking = client(app, address, host, follow_redirects=False, raise_server_exceptions=False)
    return asking.request(method, path, headers=headers, **request)


def signed_in(app, key, next_page=None, headers=None, **options):
    """The answer to the form."""
    fields = {"key": key} | ({} if next_page is None else {"next": next_page})
    return ask(app, "POST", "/sign-in", {**OWN, **(headers or {})}, data=fields, **options)


def given(answer):
    """The token that an answer gives to the browser."""
    (header,) = answer.headers.get_list("set-cookie")
    (morsel,) = SimpleCookie(header).values()
    return morsel.value


def is_let_in(app, token):
    return ask(app, "GET", "/v1/who", shown(token)).status_code == 200


def count(database):
    counted = sa.select(sa.func.count()).select_from(schema.sessions)
    return database._connections.read(lambda connection: connection.scalar(counted))


# Signing in


def test_who_shows_a_key_gets_a_session_that_is_that_key(app, made):
    answer = signed_in(app, made.secret)
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    found = ask(app, "GET", "/people", shown(given(answer))).json()
    expected = {"actor": "door", "key_id": made.key.id, "role": "enrol", "gallery": "staff", "address": OUTSIDE}
    assert found == expected | {"session": True}
    assert ask(app, "GET", "/people", bearer(made.secret)).json() == expected | {"session": False}


def test_spaces_that_came_with_a_copied_key_do_not_matter(app, made):
    assert signed_in(app, f" {made.secret}\r\n").status_code == 303


@pytest.mark.parametrize(
    "scheme, name, secure",
    [("http", "recognizer_session", []), ("https", "__Host-recognizer_session", ["Secure"])],
)
def test_the_cookie_is_for_this_host_alone_and_for_no_script(app, made, scheme, name, secure):
    asking = client(app, OUTSIDE, "faces.example", follow_redirects=False)
    asking.base_url = f"{scheme}://faces.example"
    answer = asking.post("/sign-in", data={"key": made.secret}, headers=OWN)
    first, *rest = answer.headers.get_list("set-cookie")[0].split("; ")
    assert re.fullmatch(f"{name}=rs_[0-9a-f]{{64}}", first)
    assert sorted(rest) == sorted(["Max-Age=43200", "Path=/", "HttpOnly", "SameSite=Strict", *secure])
    assert asking.get("/v1/who").json()["session"]  # the client shows it by itself
    assert asking.post("/sign-out", headers=OWN).status_code == 303
    assert asking.get("/v1/who").status_code == 401 and len(asking.cookies) == 0


def test_over_tls_only_a_cookie_that_none_but_this_host_can_have_set_counts(app, token):
    asking = client(app, OUTSIDE, "faces.example")
    asking.base_url = "https://faces.example"
    assert asking.get("/v1/who", headers=shown(token)).status_code == 401
    assert asking.get("/v1/who", headers=shown(token, f"__Host-{NAME}")).status_code == 200
    assert ask(app, "GET", "/v1/who", shown(token, f"__Host-{NAME}")).status_code == 401


def test_the_form_has_one_labelled_field_that_shows_and_keeps_nothing(app):
    page = ask(app, "GET", "/sign-in", BROWSER)
    assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
    (field,) = re.findall(r"<input[^>]*type=\"password\"[^>]*>", page.text)
    assert 'name="key"' in field and 'autocomplete="off"' in field and '<label for="key">API key</label>' in page.text
    assert 'role="alert"' not in page.text and "Set-Cookie" not in page.headers
    assert 'name="next"' not in page.text
    for wanted in ("/people?gallery=a&b", '/people/"><script>'):
        page = ask(app, "GET", "/sign-in", BROWSER, params={"next": wanted})
        assert unescape(re.search(r'name="next" value="([^"<>]*)">', page.text)[1]) == wanted


def test_every_wrong_key_gets_the_form_again_in_the_same_words_and_is_not_repeated(app, made):
    other_digit = "1" if made.secret[-1] == "0" else "0"
    wrong = [
        "", "x", WRONG, made.secret[:-1], made.secret + "0", made.secret[:-1] + other_digit,
        made.secret.upper(), "<script>", "\0", "\udc80".encode("utf-8", "surrogatepass"),
    ]  # fmt: skip
    answers = [signed_in(app, each, address=f"198.51.100.{at}") for at, each in enumerate(wrong)]
    assert {each.status_code for each in answers} == {401} and len({each.text for each in answers}) == 1
    assert f'role="alert" id="wrong">{keys.REFUSED}' in answers[0].text
    assert not any("set-cookie" in each.headers for each in answers)
    missing = ask(app, "POST", "/sign-in", OWN, data={"next": "/"}, address="198.51.100.50")
    assert missing.status_code == 401
    as_file = ask(app, "POST", "/sign-in", OWN, files={"key": made.secret.encode()}, address="198.51.100.51")
    assert as_file.status_code == 401


def test_wrong_keys_in_the_form_count_like_all_others(database, made, monkeypatch):
    app = with_pages(database, failures_per_minute=3)
    assert [signed_in(app, WRONG).status_code for _ in range(2)] == [401, 401]
    assert ask(app, "GET", "/v1/who", bearer(WRONG)).status_code == 401
    with monkeypatch.context() as patched:
        patched.setattr(database.keys, "check", None)  # nobody asks it
        answer = signed_in(app, made.secret)
    assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 20
    assert 'role="alert"' in answer.text and "Too many wrong keys" in answer.text
    assert ask(app, "GET", "/v1/who", bearer(made.secret)).status_code == 429
    assert signed_in(app, made.secret, address="198.51.100.1").status_code == 303


def test_who_has_signed_in_is_not_kept_waiting_by_a_neighbour_who_guesses(database, made, token):
    app = with_pages(database, failures_per_minute=3)
    assert is_let_in(app, token)
    for _ in range(4):
        signed_in(app, WRONG)
    assert is_let_in(app, token)
    assert not is_let_in(app, database.sessions.create(made.key.id, 3600))  # not seen from there before


def test_a_key_that_is_over_does_not_sign_in_and_is_no_guess(database, made):
    app = with_pages(database, failures_per_minute=2)
    database.keys.revoke(made.key.id)
    answers = [signed_in(app, made.secret) for _ in range(5)]
    assert {each.status_code for each in answers} == {401} and "is revoked" in answers[0].text
    assert count(database) == 0


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:3000"},
     {"Sec-Fetch-Site": "none", "Origin": "http://localhost"}],
)  # fmt: skip
def test_nobody_is_signed_in_by_a_page_of_elsewhere(app, database, made, headers):
    answer = ask(app, "POST", "/sign-in", headers, data={"key": made.secret})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert count(database) == 0


def test_where_browsers_do_not_tell_the_site_the_origin_is_enough(app, made):
    answer = ask(app, "POST", "/sign-in", {"Origin": "http://localhost"}, data={"key": made.secret})
    assert answer.status_code == 303


def test_a_token_that_was_there_before_is_never_taken_over(app, database, made):
    chosen = "rs_" + secrets.token_hex(32)
    first = given(signed_in(app, made.secret, headers=shown(chosen)))
    assert first != chosen and not is_let_in(app, chosen) and is_let_in(app, first)
    second = given(signed_in(app, made.secret, headers=shown(first)))
    assert second != first and is_let_in(app, second)
    assert not is_let_in(app, first)  # whoever had it before has nothing


def test_without_keys_nobody_signs_in(database):
    app = with_pages(database, keys="off")
    local = {"address": "127.0.0.1"}
    for answer in (ask(app, "GET", "/sign-in", BROWSER, **local), signed_in(app, WRONG, **local)):
        assert (answer.status_code, answer.headers["location"]) == (303, "/people")
        assert "set-cookie" not in answer.headers
    assert not ask(app, "GET", "/v1/who", shown("rs_" + "0" * 64), **local).json()["session"]


@pytest.mark.parametrize("as_files", [False, True])
def test_more_than_a_key_is_not_read(app, as_files):
    fields = {"files" if as_files else "data": {"key": "x" * 9000}}
    answer = ask(app, "POST", "/sign-in", OWN, **fields)
    assert (answer.status_code, answer.json()["details"]) == (413, {"most_bytes": 8192})
    assert "at most 8 KB" in answer.json()["message"]


# Where to then


@pytest.mark.parametrize(
    "wanted", ["/", "/people", "/people/Ann%20Lee?gallery=a&photo=1", "/people/a%2F%2Fb", "/video/3#end", "/.//evil"]
)
def test_the_reader_comes_to_the_page_that_was_wanted(app, made, wanted):
    assert signed_in(app, made.secret, wanted).headers["location"] == wanted


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example", "/people\\..\\x",
     "https://evil.example", "https:evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "people",
     "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example", "//", "", ".",
     "/people\r\nSet-Cookie: a=b", "/people\nLocation: //evil.example", "/\0/evil", "/\u2215evil",
     "/\uff0fevil.example", "/" + "a" * 2000, "http:///localhost/people", "/\x7f/evil.example"],
)  # fmt: skip
def test_no_address_of_elsewhere_is_gone_to_and_no_header_is_written(app, made, wanted):
    answer = signed_in(app, made.secret, wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    assert len(answer.headers.get_list("set-cookie")) == 1 and "a=b" not in str(answer.headers)
    page = ask(app, "GET", "/sign-in", BROWSER, params={"next": wanted})
    assert 'name="next"' not in page.text
    assert 'name="next"' not in signed_in(app, WRONG, wanted).text


@pytest.mark.parametrize("path", ["/people?gallery=a%26b&x=1", "/people/Ann%2FLee%20%C3%A9", "/", "/nothing?a=//b"])
def test_a_browser_without_a_session_is_led_to_sign_in_and_back(app, made, path):
    answer = ask(app, "GET", path, BROWSER)
    assert answer.status_code == 303 and "www-authenticate" not in answer.headers
    led = urlsplit(answer.headers["location"])
    assert (led.path, led.netloc) == ("/sign-in", "")
    (wanted,) = parse_qs(led.query)["next"]
    assert wanted == path
    assert signed_in(app, made.secret, wanted).headers["location"] == path


@pytest.mark.parametrize("path", ["//evil.example/x", "/%5Cevil\\x", "/people?" + "a" * 3000])
def test_what_would_not_be_gone_to_is_not_asked_for(app, path):
    async def raw(scope, receive, send):
        plain, _, query = path.partition("?")
        scope |= {"path": plain, "raw_path": plain.encode(), "query_string": query.encode()}
        await app(scope, receive, send)

    answer = ask(raw, "GET", "/", BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_a_part_of_a_page_leads_the_whole_page_to_sign_in(app):
    answer = ask(app, "GET", "/people", BROWSER | {"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")
    answer = ask(app, "POST", "/people", OWN | {"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


@pytest.mark.parametrize(
    "method, path, headers",
    [("GET", "/people", {}), ("GET", "/people", {"Accept": "*/*"}), ("POST", "/people", BROWSER),
     ("GET", "/v1/who", BROWSER), ("GET", "/v1", BROWSER), ("GET", "/v1/who", {"HX-Request": "true"}),
     ("HEAD", "/people", BROWSER), ("GET", "/people", BROWSER | bearer(WRONG)),
     ("GET", "/people", BROWSER | {"HX-Request": "true"} | bearer(WRONG))],
)  # fmt: skip
def test_programs_and_rest_are_answered_as_without_pages(app, method, path, headers):
    answer = ask(app, method, path, headers)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert not {"location", "hx-redirect"} & set(answer.headers)


def test_where_there_are_no_pages_nobody_is_led_there(database):
    app = with_pages(database, pages=False)
    for path in ("/people", "/sign-in", "/static/x.css"):
        assert ask(app, "GET", path, BROWSER).status_code == 401


def test_only_what_the_form_needs_and_what_load_balancers_ask_is_open(app):
    for path in ("/sign-in", "/static/style.css", "/v1/health"):
        assert ask(app, "GET", path, {}).status_code == 200
    near = ["/sign-in/", "/sign-in/x", "/sign-inx", "/SIGN-IN", "/static", "/staticx", "/x/static/y", "/"]
    near += ["/v1/static/x", "//static/x", "/v1/sign-in", "/people?/static/", "/v1/who?x=/sign-in"]
    for path in near:
        assert ask(app, "GET", path, {}).status_code == 401, path


# What a session is good for


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_with_a_session_only_our_own_pages_change_things(app, made, token, method):
    for missing in ({}, {"Sec-Fetch-Site": "none"}):
        answer = ask(app, method, "/v1/change", shown(token) | missing)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    for foreign in ("https://evil.example", "null", "http://localhost:3000", "http://localhost.evil.example"):
        assert ask(app, method, "/v1/change", shown(token) | {"Origin": foreign}).status_code == 403
        assert ask(app, method, "/v1/change", shown(token) | OWN | {"Origin": foreign}).status_code == 200  # a proxy's
    for site in ("cross-site", "same-site"):
        assert ask(app, method, "/v1/change", shown(token) | {"Sec-Fetch-Site": site}).status_code == 403
    for own in (OWN, {"Origin": "http://localhost"}):
        assert ask(app, method, "/v1/change", shown(token) | own).json()["session"]
    assert ask(app, method, "/v1/change", bearer(made.secret)).status_code == 200  # programs do not say whence
    assert ask(app, "GET", "/v1/who", shown(token)).status_code == 200


def test_over_tls_a_page_without_tls_is_not_our_own(app, token):
    asking = client(app, OUTSIDE, "faces.example")
    asking.base_url = "https://faces.example"
    headers = shown(token, f"__Host-{NAME}")
    assert asking.post("/v1/change", headers=headers | {"Origin": "http://faces.example"}).status_code == 403
    assert asking.post("/v1/change", headers=headers | {"Origin": "https://faces.example"}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "none"}])
def test_with_a_session_only_our_own_pages_open_a_websocket(app, made, token, headers):
    address = "ws://localhost/v1/live"
    with pytest.raises(WebSocketDisconnect), client(app).websocket_connect(address, headers=shown(token) | headers):
        pass
    for own in (shown(token) | {"Origin": "http://localhost"}, shown(token) | OWN, bearer(made.secret)):
        with client(app).websocket_connect(address, headers=own) as socket:
            assert socket.receive()["type"] == "websocket.close"  # by the route


def test_a_key_that_is_shown_wins_and_a_wrong_one_is_not_rescued_by_a_session(app, database, token):
    admin = database.keys.create("admin", "admin")
    assert ask(app, "GET", "/v1/who", shown(token) | bearer(admin.secret)).json()["actor"] == "admin"
    wrong = [
        bearer(WRONG), bearer(""), {"X-API-Key": ""}, {"X-API-Key": "x"}, {"Authorization": "Basic eDp5"},
        {"Authorization": f"Bearer {token}"}, {"X-API-Key": WRONG, "Authorization": f"Bearer {admin.secret}"},
    ]  # fmt: skip
    for at, headers in enumerate(wrong):
        answer = ask(app, "GET", "/v1/who", shown(token) | headers, address=f"198.51.100.{at}")
        assert answer.status_code == 401, headers
        assert "set-cookie" not in answer.headers  # the session stays
    assert is_let_in(app, token)


def test_a_session_is_kept_to_the_gallery_of_its_key(app, token):
    assert ask(app, "GET", "/v1/gallery", shown(token)).json() == "staff"
    answer = ask(app, "GET", "/v1/gallery?gallery=guests", shown(token))
    assert (answer.status_code, answer.json()["details"]) == (403, {"gallery": "staff"})


def test_what_is_no_session_is_refused_and_forgotten_by_the_browser(app, database, made, token):
    other = database.sessions.create(made.key.id, 3600)
    wrong = [
        f"{NAME}=x", f"{NAME}={made.secret}", f"{NAME}=rs_{'0' * 64}", f'{NAME}="{token}"', f"{NAME}={token}x",
        f"{NAME}={token}; {NAME}={other}", f"{NAME}={token}, x", f"{NAME}={token.upper()}",
    ]  # fmt: skip
    for at, each in enumerate(wrong):
        answer = ask(app, "GET", "/v1/who", {"Cookie": each}, address=f"198.51.100.{at}")
        assert answer.status_code == 401, each
        assert answer.headers["set-cookie"].startswith(f"{NAME}=; Max-Age=0; Path=/")
        page = ask(app, "GET", "/people", BROWSER | {"Cookie": each}, address=f"198.51.100.{at}")
        assert page.status_code == 303 and "Max-Age=0" in page.headers["set-cookie"]
    for none in (f"x{NAME}={token}", f"{NAME}2={token}", f"{NAME}=", NAME, f"a={NAME}={token}", ""):
        answer = ask(app, "GET", "/v1/who", {"Cookie": none})
        assert answer.status_code == 401 and "set-cookie" not in answer.headers
    among = {"Cookie": f"a=b;{NAME}={token} ; {NAME}={token}; c"}
    assert ask(app, "GET", "/v1/who", among).status_code == 200


def test_unknown_tokens_are_guesses_and_those_that_are_over_are_not(database, made, monkeypatch):
    app = with_pages(database, failures_per_minute=3)
    over = database.sessions.create(made.key.id, 3600)
    database.sessions.end(over)
    for _ in range(5):
        assert ask(app, "GET", "/v1/who", shown(over)).status_code == 401
    for _ in range(3):
        assert ask(app, "GET", "/v1/who", shown("rs_" + secrets.token_hex(32))).status_code == 401
    monkeypatch.setattr(database.sessions, "check", None)
    answer = ask(app, "GET", "/v1/who", shown("rs_" + secrets.token_hex(32)))
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert ask(app, "GET", "/sign-in", shown(over)).status_code == 200


def test_a_check_of_a_session_that_was_read_lately_asks_neither_database_nor_thread(app, database, token, monkeypatch):
    assert is_let_in(app, token)
    for each in (database.keys, database.sessions):
        monkeypatch.setattr(each, "_connections", None)
    monkeypatch.setattr("recognizer.service.middleware.checking.to_thread", None)
    assert is_let_in(app, token)


def test_a_session_is_checked_before_the_body_is_read(app):
    received = []

    async def counting(scope, receive, send):
        async def counted():
            received.append(await receive())
            return received[-1]

        await app(scope, counted, send)

    answer = ask(counting, "POST", "/v1/read", OWN | shown("rs_" + "0" * 64), content=b"x" * 100_000)
    assert answer.status_code == 401 and received == []


# What ends it


def test_a_revoked_key_ends_its_sessions_at_once(app, database, made, token):
    assert is_let_in(app, token)
    database.keys.revoke(made.key.id)
    answer = ask(app, "GET", "/v1/who", shown(token))
    assert answer.status_code == 401 and "Max-Age=0" in answer.headers["set-cookie"]
    assert ask(app, "GET", "/people", BROWSER | shown(token)).headers["location"] == "/sign-in?next=%2Fpeople"


def test_a_session_ends_after_twelve_hours(app, made, pass_time, monkeypatch):
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 1e9)
    token = given(signed_in(app, made.secret))
    pass_time(12 * 3600 - 60)
    assert is_let_in(app, token)
    pass_time(61)
    assert not is_let_in(app, token)


def test_a_session_that_is_not_used_ends_after_two_hours(app, made, pass_time):
    token = given(signed_in(app, made.secret))
    pass_time(2 * 3600 - 60)
    assert is_let_in(app, token)
    pass_time(120)
    assert is_let_in(app, token)  # used two minutes ago
    unused = given(signed_in(app, made.secret))
    pass_time(2 * 3600 + 1)
    assert not is_let_in(app, unused)


def test_who_signs_out_is_out_and_nobody_else(app, database, made):
    mine, other = (given(signed_in(app, made.secret)) for _ in range(2))
    answer = ask(app, "POST", "/sign-out", OWN | shown(mine))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert answer.headers["set-cookie"].startswith(f"{NAME}=; Max-Age=0; Path=/")
    database.sessions._held._entries.clear()  # the database says so, too
    assert not is_let_in(app, mine) and is_let_in(app, other)
    again = ask(app, "POST", "/sign-out", OWN | shown(mine) | BROWSER)
    assert (again.status_code, again.headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in again.headers["set-cookie"]
    assert ask(app, "POST", "/sign-out", OWN).headers["location"] == "/sign-in"


def test_nobody_is_signed_out_by_a_page_of_elsewhere(app, token):
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(app, "POST", "/sign-out", shown(token) | headers).status_code == 403
    assert ask(app, "GET", "/sign-out", shown(token)).status_code == 405
    assert is_let_in(app, token)


def test_a_program_that_signs_out_has_nothing_to_end(app, database, made, token):
    for more in ({}, shown(token)):
        assert ask(app, "POST", "/sign-out", bearer(made.secret) | more).status_code == 303
    assert is_let_in(app, token) and database.audit.entries() == []


# What is told of it


def test_the_audit_log_says_who_signed_in_and_out(app, database, made):
    before = signed_in(app, made.secret)
    after = ask(app, "POST", "/sign-out", OWN | shown(given(before)))
    signed_in(app, WRONG)
    end, start = database.audit.entries()
    assert (start.action, end.action) == ("session.start", "session.end")
    assert start.actor == end.actor == f"key {made.key.id}" and start.gallery == "staff"
    assert start.request_id == before.headers["x-request-id"] and end.request_id == after.headers["x-request-id"]


def test_neither_key_nor_token_is_in_a_log_nor_in_a_page(app, made, caplog):
    caplog.set_level(logging.DEBUG)
    answer = signed_in(app, made.secret, "/people/Ann")
    token = given(answer)
    headers = OWN | shown(token)
    answers = [
        answer, ask(app, "GET", "/people/Ann", headers), ask(app, "GET", "/v1/broken", headers),
        ask(app, "GET", "/v1/nothing", headers), ask(app, "POST", "/v1/change", shown(token)),
        signed_in(app, made.secret[:-1], headers=shown(token)), ask(app, "POST", "/sign-out", headers),
        ask(app, "GET", "/v1/who", headers),
    ]  # fmt: skip
    assert [each.status_code for each in answers] == [303, 200, 500, 404, 403, 401, 303, 401]
    ours = [record for record in caplog.records if record.name.startswith(("recognizer", "uvicorn"))]
    assert sum(record.name == "recognizer.service.access" for record in ours) == len(answers)
    for secret in (token[3:], made.secret[16:-1]):
        assert secret not in caplog.text
        assert not any(secret in each.text + each.headers.get("location", "") for each in answers)


def test_readers_who_sign_in_at_once_get_sessions_of_their_own(app, made):
    found, together = [], threading.Barrier(4)

    def work():
        together.wait()
        found.append(given(signed_in(app, made.secret)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 4 and all(is_let_in(app, token) for token in found)


def test_a_cookie_is_read_from_several_headers():
    scope = {"scheme": "http", "headers": [(b"cookie", b"a=b"), (b"cookie", f"{NAME}=t".encode())]}
    assert cookie.read(scope) == "t"
    assert cookie.read(scope | {"scheme": "wss"}) is None
