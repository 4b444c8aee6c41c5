"""Who may use the service: keys before bodies, roles, galleries, and what the routes of keys and audit log tell."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

import db
from common.errors import BadConfig, DatabaseError
from recognizer.service import cursors, listening
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.guarding import OUTSIDE, bearer, client, emptied, guarded


@pytest.fixture(scope="module")
def opened():
    with db.open("sqlite://") as database:
        database.create_gallery("staff", "model", "d", 4)
        yield database


@pytest.fixture
def database(opened):
    """Without keys and entries."""
    emptied(opened)
    return opened


@pytest.fixture
def app(database):
    return guarded(database, keys="required", max_body_mb=1)


@pytest.fixture
def admin(database):
    return bearer(database.keys.create("admin", "admin").secret)


def test_without_a_key_nothing_is_answered_and_the_answer_says_what_is_needed(app):
    answer = client(app).get("/v1/people/Ann")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthorized" and "recognizer keys create" in answer.json()["message"]


def test_addresses_that_are_not_there_are_not_told_apart_without_a_key(app):
    assert client(app).get("/v1/nothing").json() == client(app).get("/v1/people/Ann").json()


def test_load_balancers_need_no_key(app):
    assert client(app).get("/v1/health").status_code == 200
    for near in ("/v1/health/", "/v1/healthy", "/V1/HEALTH", "/v1//health"):
        assert client(app).get(near, follow_redirects=False).status_code == 401


@pytest.mark.parametrize("role", db.keys.ROLES)
def test_the_caller_of_a_request_is_its_key(app, database, role):
    made = database.keys.create("door", role, "staff")
    told = {"actor": "door", "role": role, "gallery": "staff", "address": OUTSIDE}
    for headers in (bearer(made.secret), {"X-API-Key": made.secret}, {"Authorization": f"bearer  {made.secret} "}):
        assert client(app, OUTSIDE).get("/v1/people/Ann", headers=headers).json() == told


def changed(secret):
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")


def test_what_is_not_the_key_is_refused(app, database):
    secret = database.keys.create("door", "read").secret
    other = database.keys.create("other", "read").secret
    wrong = [
        bearer(changed(secret)), bearer(secret[:-1]), bearer(secret + "0"), bearer(secret.upper()), bearer(""),
        bearer("x" * 10_000), bearer(secret[:16] + other[16:]), {"Authorization": f"Basic {secret}"},
        {"Authorization": secret}, {"X-API-Key": secret, "Authorization": f"Bearer {other}"},
        {"Cookie": f"key={secret}"},
    ]  # fmt: skip
    for at, headers in enumerate(wrong):
        answer = client(app, f"198.51.100.{at}").get("/v1/people/Ann", headers=headers)
        assert answer.status_code == 401, headers
        assert secret not in answer.text
    address = f"/v1/people/Ann?key={secret}&authorization=Bearer%20{secret}"
    assert client(app, OUTSIDE).get(address).status_code == 401


def test_revoked_and_expired_keys_are_refused(app, database):
    made = database.keys.create("door", "read")
    soon = database.keys.create("short", "read", expires=datetime.now(UTC) + timedelta(seconds=0.2))
    assert client(app).get("/v1/people/Ann", headers=bearer(made.secret)).status_code == 200
    database.keys.revoke(made.key.id)
    assert "is revoked" in client(app).get("/v1/people/Ann", headers=bearer(made.secret)).json()["message"]
    threading.Event().wait(0.25)
    assert client(app).get("/v1/people/Ann", headers=bearer(soon.secret)).status_code == 401


def test_the_key_is_checked_before_the_body_is_read(app):
    received = []

    async def count(scope, receive, send):
        async def counted():
            message = await receive()
            received.append(message)
            return message

        await app(scope, counted, send)

    answer = client(count).post("/v1/read", content=b"x" * 100_000, headers=bearer("rk_" + "0" * 12 + "_" + "0" * 64))
    assert answer.status_code == 401
    assert received == [] and app.state.read == 0


def test_a_check_of_a_key_that_was_read_lately_asks_neither_database_nor_thread(app, database, monkeypatch):
    secret = database.keys.create("door", "read").secret
    assert client(app).get("/v1/people/Ann", headers=bearer(secret)).status_code == 200
    monkeypatch.setattr(database.keys, "_connections", None)
    monkeypatch.setattr("recognizer.service.middleware.checking.to_thread", None)
    assert client(app).get("/v1/people/Ann", headers=bearer(secret)).status_code == 200


def test_while_the_database_is_away_the_answer_says_so_and_no_failure_is_counted(app, database, monkeypatch):
    def away(_presented):
        raise DatabaseError("cannot reach db.example:3306")

    right = bearer(database.keys.create("door", "read").secret)
    with monkeypatch.context() as patch:
        patch.setattr(database.keys, "check", away)
        for _ in range(20):
            answer = client(app, OUTSIDE).get("/v1/people/Ann", headers=right)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert "example" not in answer.text and int(answer.headers["retry-after"]) > 0
    assert client(app, OUTSIDE).get("/v1/people/Ann", headers=right).status_code == 200


def test_before_the_database_is_open_the_answer_is_that_it_starts(app, admin):
    del app.state.services
    answer = client(app).get("/v1/people/Ann", headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


def test_without_keys_this_machine_may_do_everything_by_its_own_name_alone(database):
    app = guarded(database)
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
        told = client(app, host=host).get("/v1/people/Ann").json()
        assert told == {"actor": "local", "role": "admin", "gallery": None, "address": "127.0.0.1"}
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "192.0.2.1"):
        assert client(app, host=host).get("/v1/people/Ann").status_code == 403  # DNS rebinding
    for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        assert client(app).get("/v1/people/Ann", headers={name: "192.0.2.9"}).status_code == 403


# Listening


def test_listening_to_other_machines_without_keys_is_refused_with_what_to_do(database):
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.1.example.org"):
        with pytest.raises(BadConfig, match="recognizer keys create NAME --role admin. Or listen on 127.0.0.1"):
            listening.check(ServiceSettings(host=host), database)
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        listening.check(ServiceSettings(host=host), database)


def test_listening_to_other_machines_is_refused_while_no_key_is_good(database):
    outside = ServiceSettings(host="0.0.0.0", keys="required")
    with pytest.raises(BadConfig, match="There is no API key"):
        listening.check(outside, database)
    made = database.keys.create("admin", "admin")
    listening.check(outside, database)
    database.keys.revoke(made.key.id)
    with pytest.raises(BadConfig, match="There is no API key"):
        listening.check(outside, database)


def test_a_proxy_in_front_needs_keys(database):
    with pytest.raises(BadConfig, match="keys: required"):
        listening.check(ServiceSettings(trusted_proxies=("10.0.0.1",)), database)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    trustme = pytest.importorskip("trustme")
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    for name in ("one", "other"):
        made = authority.issue_cert("localhost")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        made.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return folder


def test_a_certificate_that_is_missing_or_not_of_its_key_is_refused_before_listening(certificates):
    one = {"tls_certificate": str(certificates / "one.pem"), "tls_key": str(certificates / "one.key")}
    assert listening.options(ServiceSettings(**one))["ssl_certfile"] == one["tls_certificate"]
    wrong = [{"tls_key": str(certificates / "other.key")}, {"tls_certificate": "/nowhere.pem"}]
    wrong += [{"tls_key": one["tls_certificate"]}]
    for each in wrong:
        with pytest.raises(BadConfig, match="tls_certificate"):
            listening.options(ServiceSettings(**one | each))


def test_a_key_with_a_password_is_refused_instead_of_asked_for(certificates):
    from cryptography.hazmat.primitives import serialization as form

    plain = form.load_pem_private_key((certificates / "one.key").read_bytes(), None)
    locked = certificates / "locked.key"
    secret = form.BestAvailableEncryption(b"secret")
    locked.write_bytes(plain.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, secret))
    with pytest.raises(BadConfig, match="without one"):
        listening.options(ServiceSettings(tls_certificate=str(certificates / "one.pem"), tls_key=str(locked)))


# The routes


def test_an_admin_makes_lists_and_revokes_keys(app, database, admin):
    wanted = {"name": "door", "role": "enrol", "gallery": "staff", "expires": "2999-01-01T00:00:00+02:00"}
    answer = client(app).post("/v1/keys", json=wanted, headers=admin)
    made = answer.json()
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    assert database.keys.check(made["secret"]).allows("enrol", "staff")
    assert made["expires"] == "2998-12-31T22:00:00Z" and made["state"] == "active"

    listed = client(app).get("/v1/keys", headers=admin)
    assert [each["name"] for each in listed.json()["keys"]] == ["admin", "door"]
    assert made["secret"][16:] not in listed.text and "digest" not in listed.text

    revoked = client(app).delete(f"/v1/keys/{made['id']}", headers=admin).json()
    assert revoked["state"] == "revoked"
    assert client(app).get("/v1/people/Ann", headers=bearer(made["secret"])).status_code == 401


def test_a_repeated_request_for_a_key_makes_no_second_one_and_does_not_show_the_secret_again(app, database, admin):
    headers = admin | {"Idempotency-Key": "once"}
    first = client(app).post("/v1/keys", json={"name": "door"}, headers=headers).json()
    again = client(app).post("/v1/keys", json={"name": "door"}, headers=headers).json()
    assert first["secret"].startswith("rk_") and again == first | {"secret": None}
    assert len(database.keys.list()) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"name": ""}, {"name": "a" * 256}, {"name": "a\nb"}, {"name": "a", "role": "root"},
        {"name": "a", "expires": "2999-01-01T00:00:00"}, {"name": "a", "secret": "rk_mine"},
        {"name": "a", "gallery": ""},
    ],
)  # fmt: skip
def test_keys_that_cannot_be_are_refused(app, database, admin, wanted):
    assert client(app).post("/v1/keys", json=wanted, headers=admin).status_code == 422
    assert len(database.keys.list()) == 1


def test_a_key_for_a_gallery_that_is_not_there_is_refused(app, admin):
    answer = client(app).post("/v1/keys", json={"name": "a", "gallery": "nowhere"}, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_gallery")


@pytest.mark.parametrize("given", ["000000000000", "rk_" + "0" * 12 + "_" + "0" * 64, "%00", "door"])
def test_revoking_what_is_not_there_says_so_and_repeats_nothing(app, admin, given):
    answer = client(app).delete(f"/v1/keys/{given}", headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")
    assert "0" * 64 not in answer.text


@pytest.mark.parametrize("role, gallery", [("read", None), ("enrol", None), ("admin", "staff")])
def test_who_is_no_admin_of_everything_may_not_touch_keys_nor_read_the_audit_log(app, database, role, gallery):
    key, secret = database.keys.create("some", role, gallery)
    headers, asking = bearer(secret), client(app)
    answers = [
        asking.get("/v1/keys", headers=headers),
        asking.post("/v1/keys", json={"name": "more", "role": "admin"}, headers=headers),
        asking.delete(f"/v1/keys/{key.id}", headers=headers),
        asking.get("/v1/audit", headers=headers),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(403, "forbidden")] * 4
    assert [each.state() for each in database.keys.list()] == ["active"]


def test_what_happens_to_keys_is_in_the_audit_log_with_the_requests_id(app, database, admin):
    made = client(app).post("/v1/keys", json={"name": "door", "gallery": "staff"}, headers=admin)
    client(app).delete(f"/v1/keys/{made.json()['id']}", headers=admin)
    page = client(app).get("/v1/audit", headers=admin)
    revoke, create = page.json()["entries"]
    admin_id = database.keys.list()[0].id
    assert (create["action"], revoke["action"]) == ("key.create", "key.revoke")
    assert create["actor"] == revoke["actor"] == f"key {admin_id}"
    assert create["request_id"] == made.headers["x-request-id"]
    assert create["gallery"] == "staff" and create["details"] == {"key": made.json()["id"], "role": "read"}
    assert made.json()["secret"][16:] not in page.text


def test_keys_are_listed_page_by_page_the_oldest_first(app, database, admin):
    made = [database.keys.create(f"key {number}", "read").key.id for number in range(5)]
    database.keys.revoke(made[2])
    asking, pages, cursor = client(app), [], {}
    while cursor is not None:
        page = asking.get("/v1/keys", params={"limit": 2} | cursor, headers=admin).json()
        pages.append([each["id"] for each in page["keys"]])
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    own = database.keys.list(limit=1)[0].id
    assert pages == [[own, made[0]], made[1:3], made[3:5]]
    of_another_list = cursors.encode("galleries", own)
    refused = asking.get("/v1/keys", params={"cursor": of_another_list}, headers=admin)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_argument")


def test_the_audit_log_is_read_page_by_page_and_by_what_is_asked_for(app, database, admin):
    database.audit.append(*(db.audit.Entry("local", "person.add", person=f"P{at}") for at in range(5)))
    asking, seen, cursor = client(app), [], None
    while True:
        page = asking.get("/v1/audit", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}, headers=admin)
        seen += [each["person"] for each in page.json()["entries"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == ["P4", "P3", "P2", "P1", "P0"]
    only = asking.get("/v1/audit", params={"person": "P3", "since": "2020-01-01T00:00:00Z"}, headers=admin)
    assert [each["person"] for each in only.json()["entries"]] == ["P3"]
    assert asking.get("/v1/audit", params={"until": "2020-01-01T00:00:00Z"}, headers=admin).json()["entries"] == []


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "limit=0", "limit=1000000", "since=yesterday", "since=2020-01-01"]
)
def test_questions_that_the_audit_log_cannot_answer_are_refused(app, admin, query):
    assert client(app).get(f"/v1/audit?{query}", headers=admin).status_code == 422


def test_an_entry_that_cannot_be_stored_goes_to_the_log_and_the_request_is_answered(
    app, database, admin, monkeypatch, caplog
):
    def away(*_entries):
        raise DatabaseError("away")

    monkeypatch.setattr(database.audit, "append", away)
    made = client(app).post("/v1/keys", json={"name": "door"}, headers=admin).json()
    record = next(each for each in caplog.records if each.name == "recognizer.service.audit")
    entry = json.loads(record.getMessage().split(": ", 1)[1])
    assert entry["action"] == "key.create" and entry["details"]["key"] == made["id"]
    assert made["secret"] not in caplog.text
