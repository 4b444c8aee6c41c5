"""What can go wrong between a client and the service. None of it holds the key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from common.errors import FaceError

if TYPE_CHECKING:
    from recognizer.client.results import Job


class ServiceRefused(FaceError):
    """The service answered, and did not do what was asked.

    Attributes:
        status: of HTTP.
        code: stable, for programs, such as "unknown_person"; empty where the answer is not the service's own, but of
            a proxy in between.
        message: for people.
        details: more of it, for programs.
        request_id: by which the service's log and audit log have it.
        retry_after: seconds after which the service asks to be tried again; None where it says nothing of it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ):
        super().__init__(status, code, message, details, request_id, retry_after)
        self.status, self.code, self.message, self.details = status, code, message, dict(details or {})
        self.request_id, self.retry_after = request_id, retry_after

    def __str__(self) -> str:
        return self.message


class ServiceUnreachable(FaceError):
    """No answer: nobody listens, the connection was cut, TLS failed, or it took too long."""


class JobEnded(FaceError):
    """A job that was waited for and has failed, or was cancelled.

    Attributes:
        job: as it ended.
    """

    def __init__(self, message: str, job: "Job"):
        super().__init__(message, job)
        self.job = job

    def __str__(self) -> str:
        return str(self.args[0])


class StillRunning(FaceError):
    """A job that has not ended within the time that it was waited for. It goes on."""


class BadAnswer(FaceError):
    """An answer that is not what this release of the client knows, as of a service of another release."""
