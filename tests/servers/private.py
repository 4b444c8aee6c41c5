"""A server of the tests' own: started with an empty data folder on a free port of this machine, gone at the end."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from tests.servers import guard
from tests.servers.programs import NoServer, Program
from tests.servers.server import PREFIX, Server

HOST = "127.0.0.1"
CERTIFIED_HOST = "localhost"  # the name in the server's certificate, so that HOST is a wrong one
PORTS = (20_000, 32_000)  # below those that clients get: a client could meet itself on the port of a stopped server
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 2**30
START_SECONDS = 90
STOP_SECONDS = 60

KEEPER = ("keeper", "k33per")
USER = ("tester", "p@ss:w/rd%2f#?&'\\")  # what a URL or a statement could take apart
# What docs/databases.md tells people to grant; the whole suite runs with no more.
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"

OPTIONS = (
    f"--bind-address={HOST}",
    "--skip-name-resolve",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=1",  # what was reported as committed is on disk, as in production
    "--performance-schema=OFF",
    "--max-connections=200",
)
MARIADB_OPTIONS = ("--innodb-log-file-size=16M",)
MYSQL_OPTIONS = ("--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-log-bin", "--innodb-redo-log-capacity=32M")


class PrivateServer(Server):
    """A server that the tests start, stop, kill and pause; a context manager that leaves nothing behind.

    Its certificate is for CERTIFIED_HOST, issued by the authority in ``authority`` (a PEM file).
    """

    can_stop = True

    def __init__(self, program: Program):
        self._program = program
        self._guard: subprocess.Popen | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="recognizer-", dir=_place(program.tree)))
        self.authority = self.folder / "authority.pem"
        self.port = _free_port()
        super().__init__(_address(USER, self.port), _address(KEEPER, self.port))

    def __enter__(self) -> "PrivateServer":
        try:
            self._certify()
            self._fill()
            self.start("--init-file=" + self._inside("users.sql"))
            (self.folder / "users.sql").unlink()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *options: str) -> None:
        """Start on the same port and data; returns once it answers.

        Raises:
            NoServer: it does not start, with the end of its log.
        """
        assert not self.running
        with (self.folder / "output").open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, guard.__file__, str(self.folder), *self._command(*options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests
            )
        self._pid = int(self._guard.stdout.readline())
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                raise NoServer(f"The server does not start:\n{self.log()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop as an administrator does; returns once it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """From now on it accepts connections (the system does) and answers nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.running:
            os.kill(self._pid, signal.SIGCONT)

    def restore(self) -> None:
        """Make it run and answer, whatever a test left it in."""
        self.resume()
        if not self.running:
            self.start()

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def log(self) -> str:
        """What it printed and logged so far."""
        paths = [self.folder / name for name in ("output", "log")]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())

    def _end(self, how: signal.Signals) -> None:
        if self.running:
            self.resume()
            os.kill(self._pid, how)
            self._guard.wait(STOP_SECONDS)
        if self._guard is not None:
            self._guard.stdin.close()
            self._guard.stdout.close()
            self._guard = None

    def _answers(self) -> bool:
        import mysql.connector

        try:
            self.ask("SELECT 1")
        except mysql.connector.Error:
            return False
        return True

    def _inside(self, name: str) -> str:
        """The path of a file of ours as the server sees it."""
        path = self.folder / name
        return str(path if self._program.tree == Path("/") else Path("/") / path.relative_to(self._program.tree))

    def _command(self, *options: str) -> list[str]:
        return self._program.command(
            *(["--user=root"] if os.geteuid() == 0 else []),  # servers refuse to be root without being told
            f"--datadir={self._inside('data')}",
            f"--tmpdir={self._inside('temporary')}",  # servers that share one delete each other's files as they start
            f"--socket={self._inside('socket')}",
            f"--pid-file={self._inside('pid')}",
            f"--log-error={self._inside('log')}",
            f"--port={self.port}",
            f"--ssl-ca={self._inside('authority.pem')}",
            f"--ssl-cert={self._inside('certificate.pem')}",
            f"--ssl-key={self._inside('key.pem')}",
            *OPTIONS,
            *(MARIADB_OPTIONS if self._program.is_mariadb else MYSQL_OPTIONS),
            *options,
        )

    def _certify(self) -> None:
        import trustme

        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(self.authority)
        certificate = self.ca.issue_cert(CERTIFIED_HOST)
        certificate.cert_chain_pems[0].write_to_path(self.folder / "certificate.pem")
        certificate.private_key_pem.write_to_path(self.folder / "key.pem")

    def _fill(self) -> None:
        """Make the data folder with the server's own tables, and the statements that make the users."""
        for name in ("data", "temporary"):
            (self.folder / name).mkdir(mode=0o700)
        if self._program.is_mariadb:
            # What mariadb-install-db does; that script needs a program of the client's package.
            options, statements = ["--bootstrap"], _system_tables(self._program.tree)
        else:
            options, statements = ["--initialize-insecure"], b""
        done = subprocess.run(
            self._command(*options), input=statements, capture_output=True, timeout=START_SECONDS, check=False
        )
        if done.returncode:
            raise NoServer(f"The data folder cannot be made:\n{self.log()[-2000:]}{done.stderr[-2000:]!r}")
        rights = {KEEPER: "ALL PRIVILEGES ON *.*", USER: f"{RIGHTS} ON `{PREFIX}\\_%`.*"}
        lines = []
        for (name, password), right in rights.items():
            quoted = password.replace("\\", "\\\\").replace("'", "''")
            lines.append(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{quoted}';")
            lines.append(f"GRANT {right} TO '{name}'@'%'{' WITH GRANT OPTION' if name == KEEPER[0] else ''};")
        (self.folder / "users.sql").write_text("\n".join(lines) + "\n")


def _system_tables(tree: Path) -> bytes:
    statements = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
    for name in ("system_tables", "system_tables_data"):
        found = sorted((tree / "usr/share").glob(f"m[ay]*/m*_{name}.sql"))
        if not found:
            raise NoServer(f"The server's {name}.sql is not below {tree}/usr/share.")
        statements += found[0].read_bytes() + b"\n"
    return statements


def _place(tree: Path) -> Path | None:
    """Memory where there is enough: a server that is killed loses as little there as on a disk, ten times as fast."""
    if tree != Path("/"):
        return tree / "tmp"
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
    return MEMORY if usable else None


def _free_port() -> int:
    while True:
        port = random.randint(*PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue


def _address(user: tuple[str, str], port: int) -> sa.URL:
    return sa.URL.create("mysql", *user, host=HOST, port=port)
