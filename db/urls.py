"""Database URLs: what they may say, where their password comes from, how TLS is asked for."""

import os
import stat
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from common.errors import BadArgument

EXPECTED = "Expected sqlite:////path/people.db, sqlite:// (in memory) or mysql://user:password@host/database"
PASSWORD, PASSWORD_FILE = "RECOGNIZER_DATABASE_PASSWORD", "RECOGNIZER_DATABASE_PASSWORD_FILE"
MAX_PASSWORD_BYTES = 4096

# The names of MySQL's own clients, https://dev.mysql.com/doc/refman/8.4/en/connection-options.html
SSL_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
SSL_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
QUERY = {*SSL_FILES, "ssl_mode", "unix_socket"}


def parse(url: str) -> sa.URL:
    """A URL of a kind of database that is known; its driver name is "sqlite" or "mysql".

    Raises:
        BadArgument: it is not such a URL. The message does not repeat it: it may hold a password.
    """
    if not isinstance(url, str):
        raise BadArgument(f"{EXPECTED}, not {type(url).__name__}.")
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise BadArgument(f"This is not a database URL. {EXPECTED}.") from None
    kind = parsed.drivername
    if kind in ("mysql", "mysql+mysqlconnector", "mariadb", "mariadb+mysqlconnector"):
        _check_mysql(parsed)
        return parsed.set(drivername="mysql")
    if kind != "sqlite":
        raise BadArgument(f"Unknown kind of database {kind[:20]!r}. {EXPECTED}; MariaDB is mysql://, too.")
    if "?" in url or parsed.host or parsed.username:
        raise BadArgument(f"An SQLite URL holds a path only, without '?'. {EXPECTED}.")
    return parsed


def holds_password(url: str) -> bool:
    """Whether a URL shows a password to whoever can read it, such as a list of processes."""
    return bool(parse(url).password)


def place(url: sa.URL) -> str:
    """What errors call a server: without user and password."""
    port = f":{url.port}" if url.port else ""
    return f"mysql://{url.host or 'localhost'}{port}/{url.database}"


def password(url: sa.URL, file: str | Path | None = None) -> str | None:
    """The password of a URL, else that of the environment, else the first line of a file.

    Args:
        url: wins over all else.
        file: wins over the file that ``RECOGNIZER_DATABASE_PASSWORD_FILE`` names.

    Raises:
        BadArgument: a file is named that cannot be read or holds no password.
    """
    if url.password is not None:
        return str(url.password)
    if file is None and PASSWORD in os.environ:
        return os.environ[PASSWORD]
    file = file or os.environ.get(PASSWORD_FILE)
    return _read(Path(file)) if file else None


def _read(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadArgument(f"The password file {path} is no regular file.")
        with path.open("rb") as file:
            line = file.read(MAX_PASSWORD_BYTES + 1).split(b"\n", 1)[0].rstrip(b"\r").decode()
    except OSError as error:
        raise BadArgument(f"The password file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadArgument(f"The password file {path} is no UTF-8 text.") from None
    if not 0 < len(line.encode()) <= MAX_PASSWORD_BYTES:
        raise BadArgument(f"The first line of the password file {path} is empty or too long.")
    return line


def ssl_arguments(url: sa.URL) -> dict[str, str | bool]:
    """What a URL asks of TLS, as arguments of mysql-connector-python."""
    mode = url.query.get("ssl_mode", "VERIFY_CA" if "ssl_ca" in url.query else "PREFERRED")
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    files = {name: url.query[name] for name in SSL_FILES if name in url.query}
    return files | {
        "ssl_verify_cert": mode in ("VERIFY_CA", "VERIFY_IDENTITY"),
        "ssl_verify_identity": mode == "VERIFY_IDENTITY",
    }


def requires_tls(url: sa.URL) -> bool:
    """Whether a connection without TLS must not be used. The connector itself falls back to one silently."""
    return url.query.get("ssl_mode", "PREFERRED") not in ("DISABLED", "PREFERRED") or "ssl_ca" in url.query


def _check_mysql(url: sa.URL) -> None:
    if not url.database or not (url.host or "unix_socket" in url.query):
        raise BadArgument(f"A MySQL URL must name a host and a database. {EXPECTED}.")
    query = url.query
    if not set(query) <= QUERY or any(not isinstance(value, str) for value in query.values()):
        raise BadArgument(f"Only {', '.join(sorted(QUERY))} may follow '?', each once. {EXPECTED}.")
    mode = query.get("ssl_mode")
    if mode is not None and mode not in SSL_MODES:
        raise BadArgument(f"ssl_mode must be one of {', '.join(SSL_MODES)}.")
    if ("ssl_cert" in query) != ("ssl_key" in query):
        raise BadArgument("ssl_cert and ssl_key belong together: give both or none.")
    if mode in ("VERIFY_CA", "VERIFY_IDENTITY") and "ssl_ca" not in query:
        raise BadArgument(f"ssl_mode={mode} needs ssl_ca, the file of the authority that signed the server's key.")
    for name in SSL_FILES:
        if name in query and (mode == "DISABLED" or not Path(query[name]).is_file()):
            reason = "goes with ssl_mode=DISABLED, which uses none" if mode == "DISABLED" else "is no file here"
            raise BadArgument(f"{name} {reason}.")
