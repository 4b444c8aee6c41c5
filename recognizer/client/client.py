"""The client: all parts on one connection."""

from os import PathLike

from recognizer.client.connection import Connection
from recognizer.client.faces import Faces
from recognizer.client.galleries import Galleries
from recognizer.client.jobs import Jobs
from recognizer.client.keys import Keys
from recognizer.client.people import People
from recognizer.client.photos import Photos
from recognizer.client.system import System


class Client(Faces, People, Photos, Galleries, Jobs, Keys, System):
    """A service, whose operations are the methods: one each, of the same name. For one thread at a time.

    What got no answer, and what the service asks to be tried again (429, 503), is sent again after a pause. Each write
    has an ``Idempotency-Key``, so that it is done once however often it has to be sent; give ``idempotency_key`` to
    send the same one again later, even from another process.

    Args:
        url: of the service, such as ``https://faces.example.org``.
        key: an API key, ``rk_...``; None where the service asks for none.
        gallery: the one that is meant where a call names none; None: the key's, else the default one.
        timeout: seconds for connecting, and for each piece of an answer to come.
        retries: how often a request is sent again, at most.
        verify: whether the certificate of an ``https`` service is checked.
        ca: a file or folder of certificates that are trusted in place of the usual ones.

    Raises:
        BadArgument: an argument that cannot be used. Every call raises ServiceRefused where the service says no,
            ServiceUnreachable where no answer comes, BadArgument or BadName where nothing was sent, and BadAnswer
            where the answer is not one of this release; all are FaceError.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        gallery: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        verify: bool = True,
        ca: str | PathLike[str] | None = None,
    ):
        super().__init__(Connection(url, key, timeout, retries, verify, ca), gallery)

    def __repr__(self) -> str:
        key = "a key" if self._connection.has_key else "no key"
        return f"<Client {self._connection.url}, {key}, gallery {self._gallery!r}>"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections that are kept open."""
        self._connection.close()
