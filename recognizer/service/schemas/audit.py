"""The audit log."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from db import audit


class AuditEntry(BaseModel):
    """Who did what to whom, when, and what came of it."""

    id: int = Field(examples=[281])
    moment: datetime = Field(description="In UTC, by the database's clock.")
    actor: str = Field(examples=["key 3f9a2b1c4d5e"])
    action: str = Field(examples=["person.delete"])
    outcome: str = Field(examples=["ok"])
    gallery: str | None = Field(examples=["default"])
    person: str | None = Field(examples=["Ann Lee"])
    request_id: str | None = Field(description="As in X-Request-ID of the answer.", examples=["0c4e" * 8])
    details: dict[str, Any] | None = Field(examples=[{"undo_seconds": 60}])


class AuditPage(BaseModel):
    """A page of the log, the latest first."""

    entries: list[AuditEntry]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


def described(entry: audit.Entry) -> AuditEntry:
    """A ``db.audit.Entry`` as an :class:`AuditEntry`."""
    return AuditEntry(**{name: getattr(entry, name) for name in AuditEntry.model_fields})
