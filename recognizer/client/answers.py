"""What the service says: JSON, or why it did not do what was asked."""

from typing import Any

import requests

from recognizer.client.errors import BadAnswer, ServiceRefused


def content(answer: requests.Response) -> Any:
    """The JSON of an answer. Raises BadAnswer."""
    try:
        return answer.json()
    except ValueError:
        raise BadAnswer("The answer is no JSON: is that the address of the service?") from None


def refused(answer: requests.Response) -> ServiceRefused:
    """The error that an answer is."""
    try:
        body = answer.json()
        code, message, details = str(body["code"]), str(body["message"]), dict(body["details"])
    except (ValueError, TypeError, KeyError):
        code, details = "", {}
        message = f"HTTP {answer.status_code}, which the service does not say itself: is there a proxy in between?"
    retry_after = answer.headers.get("Retry-After", "")
    return ServiceRefused(
        answer.status_code,
        code,
        message,
        details,
        answer.headers.get("X-Request-ID"),
        float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
    )
