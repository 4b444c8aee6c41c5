"""``recognizer health``: says in a sentence whether a service is ready, and exits by it."""

import json
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from common.errors import BadArgument
from recognizer.service import readiness
from recognizer.service.settings import ServiceSettings

READY = (200, {"status": "ready"})
NOT_READY = (503, {"code": "not_ready", "message": "Not ready: the index is being read.", "details": {}})


@contextmanager
def answering(status=200, body=None, wait=0.0, context=None):
    """Something that listens, and what it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            time.sleep(wait)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


@pytest.fixture
def told(command_line, monkeypatch):
    """What the command says of the service that is set to a port, and its exit code."""

    def told(port, *arguments):
        monkeypatch.setenv("RECOGNIZER_SERVICE_PORT", str(port))
        result = command_line("health", *arguments)
        return result.exit_code, result.stdout

    return told


def test_a_service_that_is_ready_is_0(told):
    with answering(*READY) as (port, asked):
        assert told(port) == (0, f"http://127.0.0.1:{port} is ready.\n")
    assert asked == ["/v1/ready"]


def test_a_service_that_is_not_is_1_and_says_in_its_own_words_why(told):
    with answering(*NOT_READY) as (port, _):
        assert told(port) == (1, f"http://127.0.0.1:{port} is not ready: Not ready: the index is being read.\n")
    assert told(port) == (1, f"http://127.0.0.1:{port} is not ready: Connection refused.\n")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""), (200, b"<html>"), (200, b"[1]"), (200, {"status": "ok"}), (404, b"<html>"),
        (404, {"status": "ready"}), (200, {"status": "ready", "more": "than is read of it" * 1000}),
    ],
)  # fmt: skip
def test_what_is_not_this_service_is_not_ready(told, status, body):
    with answering(status, body) as (port, _):
        code, sentence = told(port)
    assert code == 1 and f"status {status}, and is not this service's" in sentence


def test_what_answers_with_control_characters_does_not_steer_the_terminal(told):
    with answering(503, {"message": "\x1b[2J"}) as (port, _):
        assert "\x1b" not in told(port)[1]


def test_what_does_not_answer_is_not_waited_for(told, monkeypatch):
    monkeypatch.setattr(readiness, "SECONDS", 0.1)
    with answering(*READY, wait=0.5) as (port, _):
        assert told(port) == (1, f"http://127.0.0.1:{port} is not ready: no answer within 0.1 seconds.\n")


def test_a_path_of_a_proxy_goes_before_the_route(told):
    with answering(*READY) as (port, asked):
        assert told(1, "--url", f"http://127.0.0.1:{port}/faces/")[0] == 0
    assert asked == ["/faces/v1/ready"]


def test_its_own_certificate_may_be_for_any_name_another_ones_may_not(told, monkeypatch, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("faces.example.org").configure_cert(context)
    for name in ("CERTIFICATE", "KEY"):
        monkeypatch.setenv(f"RECOGNIZER_SERVICE_TLS_{name}", str(tmp_path / name))
    with answering(*READY, context=context) as (port, _):
        assert told(port) == (0, f"https://127.0.0.1:{port} is ready.\n")
        code, sentence = told(port, "--url", f"https://127.0.0.1:{port}")
    assert code == 1 and "CERTIFICATE_VERIFY_FAILED" in sentence


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("192.0.2.7", "192.0.2.7"),
        ("localhost", "localhost"),
    ],
)  # fmt: skip
def test_a_service_that_listens_everywhere_is_asked_on_this_machine(host, asked):
    assert readiness.own_address(ServiceSettings(host=host)) == f"http://{asked}:8000"


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://u:p@127.0.0.1", "http://127.0.0.1:0",
     "http://127.0.0.1:x", "http://127.0.0.1:8000/?a=b", "http://[::1"],
)  # fmt: skip
def test_an_address_that_is_none_is_an_error_that_shows_one(command_line, address):
    result = command_line("health", "--url", address)
    assert result.exit_code == 2 and "such as http://127.0.0.1:8000" in result.stderr


def test_of_any_free_port_nobody_knows_which(command_line, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_SERVICE_PORT", "0")
    assert "--url" in command_line("health").stderr
    with pytest.raises(BadArgument):
        readiness.own_address(ServiceSettings(port=0))
