"""The audit log, read by an admin whose own key is for all galleries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from recognizer.service import cursors
from recognizer.service.context import Services, allow, everywhere, services
from recognizer.service.schemas.audit import AuditPage, described

KIND = "audit"
router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[Depends(allow("admin")), Depends(everywhere)])
Text = Annotated[str | None, Query(max_length=255)]


@router.get("", operation_id="audit")
def read_audit(
    having: Annotated[Services, Depends(services)],
    person: Text = None,
    actor: Text = None,
    action: Text = None,
    gallery: Text = None,
    request_id: Text = None,
    since: Annotated[AwareDatetime | None, Query(description="Itself counts. With a time zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Itself does not count. With a time zone.")] = None,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> AuditPage:
    """Entries that match all that is asked for, the latest first."""
    found = having.database.audit.entries(
        person=person, actor=actor, action=action, gallery=gallery, request_id=request_id, since=since, until=until,
        before=cursors.decode(KIND, cursor, int), limit=limit + 1,
    )  # fmt: skip
    shown, following = cursors.page(KIND, found, limit, lambda entry: entry.id)
    return AuditPage(entries=[described(each) for each in shown], next_cursor=following)
