"""The service's log: each entry is one line of JSON, whoever wrote it."""

import json
import subprocess
import sys

import pytest

# A process of the service in which everything goes wrong that is said on standard error.
TROUBLED = """
import gc, logging.config, threading, warnings
from recognizer.service import logs

logging.config.dictConfig(logs.config())
logs.take_over()
log = logging.getLogger("recognizer.service")
log.info("two\\nlines, \\ud800, \\u2028 and \\u00e9")
log.debug("not shown")
logging.getLogger("elsewhere").info("not shown either")
logging.getLogger("elsewhere").warning("shown")
logging.getLogger(logs.ACCESS).info('{"status": 200, "route": "/v1/ready"}')
try:
    raise ValueError("first\\nsecond")
except ValueError:
    log.exception("Request %s failed", "abc")
warnings.warn("what a library warns of", stacklevel=1)

def fail():
    raise RuntimeError("in a thread")

def leave():
    raise SystemExit(1)

for target in (fail, leave):
    thread = threading.Thread(target=target, name=target.__name__)
    thread.start()
    thread.join()

class Last:
    def __del__(self):
        raise OSError("while it is removed")

Last()
gc.collect()
raise LookupError("nobody catches this")
"""


@pytest.fixture(scope="module")
def written():
    """The entries of standard output and standard error."""
    environment = {"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", TROUBLED], capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    return [[json.loads(line) for line in stream.splitlines()] for stream in (done.stdout, done.stderr)]


def entry(written, beginning):
    [found] = [each for each in written[1] if each["message"].startswith(beginning)]
    return found


def test_every_entry_says_when_how_bad_and_from_where(written):
    for each in written[0] + written[1]:
        assert each["time"].endswith("+00:00") and each["level"] and each["logger"]


def test_requests_are_alone_on_standard_output(written):
    assert [(each["logger"], each["status"], each["route"]) for each in written[0]] == [
        ("recognizer.service.access", 200, "/v1/ready")
    ]


def test_an_entry_is_one_line_that_any_encoding_takes(written):
    assert entry(written, "two")["message"] == "two\nlines, \ud800, \u2028 and \u00e9"


def test_an_exception_is_part_of_its_entry(written):
    found = entry(written, "Request abc failed")
    assert found["level"] == "error" and found["exception"].startswith("Traceback (most recent call last):\n")
    assert found["exception"].endswith("ValueError: first\nsecond")


@pytest.mark.parametrize(
    ("beginning", "level", "told"),
    [
        ("Uncaught exception in the thread fail", "error", "RuntimeError: in a thread"),
        ("Exception ignored", "error", "OSError: while it is removed"),
        ("Uncaught exception", "critical", "LookupError: nobody catches this"),
    ],
)
def test_what_python_itself_would_print_is_an_entry(written, beginning, level, told):
    found = [each for each in written[1] if each["message"].startswith(beginning) and told in each["exception"]]
    assert [each["level"] for each in found] == [level]


def test_a_warning_of_a_library_is_an_entry_and_its_chat_is_none(written):
    assert [each["logger"] for each in written[1] if "what a library warns of" in each["message"]] == ["py.warnings"]
    assert entry(written, "shown")["logger"] == "elsewhere"
    assert not any("not shown" in each["message"] or "leave" in each["message"] for each in written[1])


def test_a_process_that_cannot_make_the_service_says_why_in_an_entry():
    trying = "import logging.config; from recognizer.service import logs; logging.config.dictConfig(logs.config())\n"
    trying += "from recognizer.cli.serve import application; application()"
    environment = {"RECOGNIZER_SERVICE_PORT": "x", "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", trying], capture_output=True, text=True, env=environment)
    assert done.returncode == 3  # by which uvicorn knows that another try would be in vain
    assert "RECOGNIZER_SERVICE_PORT" in json.loads(done.stderr)["message"]
