"""Taking a deletion back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from recognizer.service import idempotency
from recognizer.service.auditing import audit
from recognizer.service.context import Recognizing, allow
from recognizer.service.schemas import people as schemas
from recognizer.service.schemas.people import described

router = APIRouter(prefix="/undo", tags=["people"], route_class=idempotency.Route)


@router.post("/{token}", dependencies=[Depends(allow("enrol"))])
def undo(
    request: Request,
    token: Annotated[str, Path(max_length=64, description="As the deletion was answered.")],
    found: Recognizing,
    _: idempotency.Once,
) -> schemas.Restored:
    """Bring back who was deleted: photos, crops, metadata and dates. 404 where its time is over."""
    people = found.gallery.undo(token)
    for person in people:
        audit(request, "person.undo", person.name)
    return schemas.Restored(people=[described(each) for each in people])
