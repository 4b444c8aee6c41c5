"""Whether the service works, and what it has counted."""

from recognizer.client.addresses import path
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.connection import Request
from recognizer.client.reading import read
from recognizer.client.results import Health, Ready


class System(Asking):
    """See :class:`recognizer.client.Client`."""

    def health(self) -> Health:
        """That the process answers. It needs no key."""
        return self._get(Health, path("health"))

    def ready(self) -> Ready:
        """That requests can be served, asked once. Raises ServiceRefused: not_ready, and says what is missing."""
        return read(Ready, content(self._connection.ask(Request("GET", path("ready")), retries=0)))

    def metrics(self) -> str:
        """What was counted, in Prometheus' text format."""
        return self._connection.ask(Request("GET", path("metrics"))).text
