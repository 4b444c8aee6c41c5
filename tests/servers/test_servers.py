"""The servers of the tests themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import servers
from tests.servers.programs import find
from tests.servers.proxy import Proxy

ROOT = Path(servers.__file__).parents[2]
HOLD = """
from tests import servers
with servers.started() as server:
    print(server.folder, server._pid, server._guard.pid, flush=True)
    input()
"""


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc, which is not here")
@pytest.mark.parametrize("victim", ["tests", "guard"])
def test_no_server_outlives_the_tests_that_started_it(private_server, victim):
    tests = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    folder, server, guard = tests.stdout.readline().split()
    assert is_running(server) and Path(folder).is_dir()
    os.kill({"tests": tests.pid, "guard": int(guard)}[victim], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(server) or (victim == "tests" and Path(folder).exists()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    tests.communicate()
    assert not Path(folder).exists()


def test_a_server_keeps_its_port_and_data_through_stop_kill_and_pause(private_server):
    database = private_server.new_database()
    private_server.ask("CREATE TABLE kept (value INT)", database=database)
    for number, end in enumerate((private_server.stop, private_server.kill)):
        private_server.ask(f"INSERT INTO kept VALUES ({number})", database=database)
        end()
        assert not private_server.running
        private_server.start()
        assert len(private_server.ask("SELECT * FROM kept", database=database)) == number + 1
    private_server.pause()
    assert private_server.running
    private_server.restore()
    private_server.drop(database)


def test_the_user_of_the_tests_has_no_rights_elsewhere(private_server):
    import mysql.connector

    address = private_server.address
    connection = mysql.connector.connect(
        host=address.host, port=address.port, user=address.username, password=address.password,
        charset="utf8mb4", collation="utf8mb4_bin",
    )  # fmt: skip
    with pytest.raises(mysql.connector.Error):
        connection.cursor().execute("CREATE DATABASE another")
    connection.close()


def test_a_place_without_a_server_says_what_to_do(tmp_path):
    with pytest.raises(servers.NoServer, match="RECOGNIZER_TEST_DATABASE"):
        find(str(tmp_path))
    with pytest.raises(servers.NoServer, match="--version fails"):
        find("/bin/false")


def test_a_way_to_a_stopped_server_is_closed_and_opens_again(private_server):
    with Proxy(private_server.address.host, private_server.port) as proxy:
        through = {"host": "127.0.0.1", "port": proxy.port}
        private_server.connect(**through).close()
        private_server.stop()
        with pytest.raises(Exception, match="Lost connection|Can't connect|handshake"):
            private_server.connect(**through)
        private_server.start()
        private_server.connect().close()
        private_server.connect(**through).close()
