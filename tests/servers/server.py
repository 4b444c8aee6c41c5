"""A running server, and databases on it."""

import itertools
import os
from typing import Any

import sqlalchemy as sa

PREFIX = "recognizer_test"


class Server:
    """A MySQL or MariaDB server that databases are made on.

    Attributes:
        address: of the user who owns the galleries: a URL without database.
        keeper: of the user who makes and drops databases.
        version: such as "MariaDB 10.11.19" or "MySQL 9.7.4".
    """

    can_stop = False

    def __init__(self, address: sa.URL, keeper: sa.URL | None = None):
        self.address = address
        self.keeper = keeper or address
        self._numbers = itertools.count(1)

    @classmethod
    def of_url(cls, url: str) -> "Server":
        """A server that runs already."""
        address = sa.make_url(url)
        if address.get_backend_name() != "mysql" or address.database:
            raise ValueError("RECOGNIZER_TEST_DATABASE is mysql://user:password@host:port/, without a database.")
        return cls(address)

    @property
    def version(self) -> str:
        text = self.ask("SELECT VERSION()")[0][0]
        return f"{'MariaDB' if 'MariaDB' in text else 'MySQL'} {text.split('-')[0]}"

    @property
    def is_mariadb(self) -> bool:
        return self.version.startswith("MariaDB")

    def ask(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements one by one as the keeper; the rows that the last one finds."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.with_rows else []
            connection.commit()
            return rows
        finally:
            connection.close()

    def connect(self, database: str | None = None, **options: Any) -> Any:
        """A connection of the bare driver, as the keeper."""
        import mysql.connector

        url = self.keeper
        known = {"host": url.host, "port": url.port or 3306, "user": url.username, "password": url.password}
        fixed = {"charset": "utf8mb4", "collation": "utf8mb4_bin", "connection_timeout": 10}
        return mysql.connector.connect(database=database, **{**known, **fixed, **url.query, **options})

    def new_database(self) -> str:
        """Make an empty database of a new name."""
        name = f"{PREFIX}_{os.getpid()}_{next(self._numbers)}"
        self.ask(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return name

    def drop(self, database: str) -> None:
        self.ask(f"DROP DATABASE IF EXISTS {database}")

    def restore(self) -> None:
        """Make it run and answer, whatever a test left it in; a server that is not ours is never left otherwise."""

    def url(self, database: str, **parts: Any) -> str:
        """The URL that a user gives to reach ``database``; ``parts`` replace host, port, username, query..."""
        return self.address.set(database=database, **parts).render_as_string(hide_password=False)
