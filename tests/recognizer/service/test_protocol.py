"""Connections: over TLS, of one address, and those of WebSockets, which may be silent for long."""

import asyncio
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import WebSocket

from recognizer.service import listening, protocol
from recognizer.service.protocol import GuardedProtocol
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.guarding import guarded


@contextmanager
def served(app, *, ending=None, **settings):
    """The port of a server, which has ``ending`` seconds to answer what it has accepted."""
    options = listening.options(ServiceSettings(**settings))
    options["timeout_graceful_shutdown"] = ending
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", **options))
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started:
            assert running.is_alive()
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        running.join()


def ask(connection, path="/v1/health"):
    """The head and body of an answer."""
    send(connection, path)
    return answer(connection)


def send(connection, path):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def answer(connection):
    said = b""
    while piece := connection.recv(65536):
        said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    return head.decode().lower(), body


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A certificate for localhost, and who vouches for it."""
    trustme = pytest.importorskip("trustme")
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "key.pem")
    made.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    files = {"tls_certificate": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}
    return SimpleNamespace(files=files, authority=authority)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_over_tls_it_answers_to_what_is_current_and_nothing_older(tls):
    trusting = ssl.create_default_context()
    tls.authority.configure_trust(trusting)
    with served(guarded(None), **tls.files) as port:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            connection = trusting.wrap_socket(plain, server_hostname="localhost")
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
            head, body = ask(connection)
            connection.close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port), 10) as plain, pytest.raises((ssl.SSLError, OSError)):
            old.wrap_socket(plain)
    assert head.startswith("http/1.1 200") and json.loads(body) == {"status": "ok"}
    assert "strict-transport-security" not in head  # of localhost, whose other ports have none


def test_the_server_does_not_say_what_it_is(tls):
    with served(guarded(None)) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        assert "server:" not in ask(connection)[0]


def test_a_slow_answer_and_a_silent_websocket_are_not_cut(monkeypatch):
    connect = pytest.importorskip("websockets.sync.client").connect
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.1)
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 0.1)
    app = guarded(None)

    @app.websocket("/v1/echo")
    async def echo(connection: WebSocket):
        await connection.accept()
        await connection.send_text(await connection.receive_text())

    with served(app) as port:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            assert ask(connection, "/v1/slow")[0].startswith("http/1.1 200")
        with connect(f"ws://localhost:{port}/v1/echo") as silent:
            time.sleep(0.4)
            silent.send("still here")
            assert silent.recv() == "still here"


class Transport:
    """A connection of an address."""

    def __init__(self, address):
        self.peer, self.is_cut = (address, 50000), False

    def get_extra_info(self, name, default=None):
        return {"peername": self.peer, "sockname": ("192.0.2.1", 80)}.get(name, default)

    def abort(self):
        self.is_cut = True

    def is_closing(self):
        return self.is_cut


@pytest.fixture
def connect():
    """A function from an address to whether its next connection was taken."""
    settings = {"keys": "required", "trusted_proxies": ("198.51.100.0/24",), "max_connections": 10}
    options = listening.options(ServiceSettings(**settings))
    config = uvicorn.Config(guarded(None, **settings), log_config=None, **options)
    config.load()
    state = uvicorn.server.ServerState()

    def made(address):
        transport = Transport(address)
        GuardedProtocol(config, state, {}, _loop=SimpleNamespace(call_later=lambda *_: None)).connection_made(transport)
        return not transport.is_cut

    return made


def test_who_is_cut_off_at_the_end_is_told_to_try_again_and_nothing_is_logged_as_a_failure(caplog):
    app, begun = guarded(None), threading.Event()

    @app.get("/v1/endless")
    async def endless():
        begun.set()
        await asyncio.sleep(60)

    with served(app, ending=0.1) as port:
        connection = socket.create_connection(("127.0.0.1", port), 10)
        send(connection, "/v1/endless")
        assert begun.wait(10)
    with connection:
        head, body = answer(connection)
    assert head.startswith("http/1.1 503") and "retry-after: " in head and "x-frame-options: deny" in head
    assert json.loads(body)["code"] == "overloaded"
    assert "Traceback" not in caplog.text and not [each for each in caplog.records if each.exc_info]


def test_one_address_has_at_most_half_of_the_connections(connect):
    assert [connect("203.0.113.7") for _ in range(7)] == [True] * 5 + [False] * 2
    assert connect("203.0.113.8")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "198.51.100.4"])
def test_this_machine_and_proxies_may_have_all_of_them_and_nobody_more(connect, address):
    assert [connect(address) for _ in range(21)] == [True] * 20 + [False]
    assert not connect("203.0.113.8")
