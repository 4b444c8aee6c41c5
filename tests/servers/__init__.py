"""Database servers for the tests: a private one that they start and stop, or one that is named to them.

    RECOGNIZER_TEST_SERVER     the program to start (a path such as /usr/sbin/mysqld), or the folder of a Debian tree
                               that holds one; not given: the one on this machine, else apt-get installs MariaDB's
    RECOGNIZER_TEST_DATABASE   mysql://user:password@host:port/ of a server that runs already, and that is neither
                               stopped nor paused; the user must be allowed to create and drop databases

docs/databases.md says how to get servers and which the tests were run on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.private import PrivateServer
from tests.servers.programs import NoServer, find
from tests.servers.server import Server

__all__ = ["NoServer", "PrivateServer", "Server", "started"]


@contextmanager
def started() -> Iterator[Server]:
    """The server to test on, running and without any database of ours; stopped at the end if it is a private one.

    Raises:
        NoServer: there is none, with what to do.
    """
    url = os.environ.get("RECOGNIZER_TEST_DATABASE")
    if url:
        yield Server.of_url(url)
        return
    with PrivateServer(find(os.environ.get("RECOGNIZER_TEST_SERVER"))) as server:
        yield server
