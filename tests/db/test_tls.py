"""Encrypted connections: who is refused, and that what asks for TLS never goes without."""

import time

import pytest
import sqlalchemy as sa
from gallery_process import faces, gallery_of

import db
from common.errors import BadArgument, DatabaseError
from tests.servers.private import CERTIFIED_HOST
from tests.servers.proxy import Proxy


@pytest.fixture
def tls_url(private_server, server_database):
    """A function from a host and what follows "?" to the URL of an empty database."""
    return lambda host=CERTIFIED_HOST, **query: private_server.url(server_database, host=host, query=query)


def cipher(url):
    """What a client's session is encrypted with; "" for nothing."""
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1))
        return database._connections.row("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[1]


@pytest.mark.parametrize("mode", ["REQUIRED", "PREFERRED", None])
def test_connections_are_encrypted_where_the_server_can(tls_url, mode):
    assert cipher(tls_url(**({"ssl_mode": mode} if mode else {})))


def test_encryption_can_be_switched_off(tls_url):
    db.open(tls_url()).close()  # MySQL takes a password without TLS only after it has seen it with
    assert not cipher(tls_url(ssl_mode="DISABLED"))


@pytest.mark.parametrize("mode", ["VERIFY_CA", "VERIFY_IDENTITY", None])
def test_a_server_with_a_certificate_of_ones_authority_is_accepted(private_server, tls_url, mode):
    assert cipher(tls_url(ssl_ca=str(private_server.authority), **({"ssl_mode": mode} if mode else {})))


@pytest.mark.parametrize("mode", ["VERIFY_CA", "VERIFY_IDENTITY", None])
def test_a_server_with_a_certificate_of_another_authority_is_refused(tls_url, tmp_path, mode):
    import trustme

    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    began = time.monotonic()
    with pytest.raises(DatabaseError, match="TLS.*ssl_ca"):
        db.open(tls_url(ssl_ca=str(tmp_path / "other.pem"), **({"ssl_mode": mode} if mode else {})))
    assert time.monotonic() - began < 5  # it will not get better, so it is not tried again


def test_a_server_with_a_certificate_for_another_host_is_refused_by_verify_identity(private_server, tls_url):
    authority = str(private_server.authority)
    assert cipher(tls_url(private_server.address.host, ssl_ca=authority, ssl_mode="VERIFY_CA"))
    with pytest.raises(DatabaseError, match="TLS.*for this host"):
        db.open(tls_url(private_server.address.host, ssl_ca=authority, ssl_mode="VERIFY_IDENTITY"))


@pytest.mark.parametrize("query", [{"ssl_mode": "REQUIRED"}, {"ssl_ca": "AUTHORITY"}])
def test_a_way_that_takes_tls_out_is_refused_where_tls_is_asked_for(private_server, tls_url, query):
    query = {key: value.replace("AUTHORITY", str(private_server.authority)) for key, value in query.items()}
    db.open(tls_url()).close()
    with Proxy(private_server.address.host, private_server.port) as proxy:
        through = lambda **query: (  # noqa: E731
            sa.make_url(tls_url("127.0.0.1", **query)).set(port=proxy.port).render_as_string(hide_password=False)
        )
        db.open(through()).close()
        with pytest.raises(DatabaseError, match="TLS"):
            db.open(through(**query))


def test_a_user_who_needs_a_certificate_gets_in_with_it_only(private_server, server_database, tls_url, tmp_path):
    client = private_server.ca.issue_cert("client@example.org")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    private_server.ask(
        "CREATE USER certified@'%' IDENTIFIED BY 'secret' REQUIRE X509",
        f"GRANT ALL ON {server_database}.* TO certified@'%'",
    )
    try:
        known = private_server.url(server_database, host=CERTIFIED_HOST, username="certified", password="secret")
        with pytest.raises(DatabaseError, match="user name or password"):
            db.open(known)
        files = {"ssl_cert": str(tmp_path / "certificate.pem"), "ssl_key": str(tmp_path / "key.pem")}
        for more in ({}, {"ssl_ca": str(private_server.authority), "ssl_mode": "VERIFY_IDENTITY"}):
            url = sa.make_url(known).set(query=files | more).render_as_string(hide_password=False)
            assert cipher(url)
    finally:
        private_server.ask("DROP USER certified@'%'")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"ssl_mode": "sometimes"}, "ssl_mode must be one of DISABLED"),
        ({"ssl_mode": "VERIFY_IDENTITY"}, "needs ssl_ca"),
        ({"ssl_ca": "/no/such/file.pem"}, "ssl_ca is no file"),
        ({"ssl_mode": "DISABLED", "ssl_ca": "/etc/hostname"}, "goes with ssl_mode=DISABLED"),
        ({"ssl_key": "/etc/hostname"}, "belong together"),
        ({"tls": "yes"}, "may follow"),
    ],
)
def test_what_tls_cannot_be_asked_for_by_is_refused_before_connecting(query, said):
    url = sa.URL.create("mysql", "user", "hunter2", "localhost", 1, "people", query)
    with pytest.raises(BadArgument, match=said) as caught:
        db.open(url.render_as_string(hide_password=False))
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_certificate_is_one_clear_error(tls_url, tmp_path):
    (tmp_path / "authority.pem").write_text("these are my holiday notes\n")
    with pytest.raises(DatabaseError, match="TLS.*ssl_ca"):
        db.open(tls_url(ssl_ca=str(tmp_path / "authority.pem")))
