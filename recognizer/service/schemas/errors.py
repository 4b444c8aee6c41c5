"""The one shape of errors, and what the routes may answer instead of what they are for."""

from typing import Any

from pydantic import BaseModel, Field

from recognizer.service.errors import STATUS


class Error(BaseModel):
    """What went wrong. Branch on ``code``; ``message`` is for people."""

    code: str = Field(description="Stable.", examples=["unknown_person"])
    message: str = Field(examples=["Nobody is called 'Ann' in the gallery."])
    details: dict[str, Any] = Field(description="More of it, for programs.", examples=[{}])


def _described(status: int, text: str) -> dict[str, Any]:
    codes = sorted({answer.code for answer in STATUS.values() if answer.status == status})
    also = f" Codes, among others: {', '.join(codes)}." if codes else ""
    return {"model": Error, "description": text + also}


# What every route may answer.
ERRORS: dict[int | str, dict[str, Any]] = {
    status: _described(status, text)
    for status, text in {
        400: "The request is not HTTP, multipart or JSON.",
        401: "No API key, or one that is not good.",
        403: "The key may not do this, or not with this gallery.",
        404: "What is named is not there.",
        408: "The body did not arrive in time.",
        409: "It contradicts what is there, or what is under way.",
        412: "``If-Match`` names another version than the present one.",
        413: "Too many bytes, photos, pixels or faces.",
        422: "The request is understood and cannot be done.",
        429: "Too many wrong keys from this address.",
        500: "Something went wrong in the service; its log says what.",
        503: "The queue is full, or the database cannot be used: try again after Retry-After.",
    }.items()
}
