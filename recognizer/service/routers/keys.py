"""API keys: listed, made and revoked by an admin whose own key is for all galleries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from recognizer.service import cursors, idempotency
from recognizer.service.auditing import audit
from recognizer.service.context import Services, allow, everywhere, services
from recognizer.service.schemas.keys import Key, KeyList, MadeKey, NewKey, described

router = APIRouter(
    prefix="/keys",
    tags=["keys"],
    route_class=idempotency.Route,
    dependencies=[Depends(allow("admin")), Depends(everywhere)],
)
KIND = "keys"
Having = Annotated[Services, Depends(services)]


@router.get("", operation_id="keys")
def list_keys(
    having: Having,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> KeyList:
    """All keys, oldest first, those that are revoked or expired among them. No secrets."""
    found = having.database.keys.list(after=cursors.decode(KIND, cursor, str), limit=limit + 1)
    shown, following = cursors.page(KIND, found, limit, lambda key: key.id)
    return KeyList(keys=[described(each) for each in shown], next_cursor=following)


@router.post("", status_code=201)
def create_key(request: Request, response: Response, wanted: NewKey, having: Having, _: idempotency.Once) -> MadeKey:
    """Make a key. Its secret is in this answer and nowhere else."""
    made = having.database.keys.create(wanted.name, wanted.role, wanted.gallery, wanted.expires)
    audit(request, "key.create", gallery=made.key.gallery, key=made.key.id, role=made.key.role)
    plain = described(made.key)
    idempotency.keep_instead(request, plain.model_dump(mode="json") | {"secret": None})
    response.headers["Cache-Control"] = "no-store"
    return MadeKey(**plain.model_dump(), secret=made.secret)


@router.delete("/{key_id}")
def revoke_key(request: Request, key_id: str, having: Having, _: idempotency.Once) -> Key:
    """Refuse a key from now on: this process at once, others within five seconds. It stays listed."""
    key = having.database.keys.revoke(key_id)
    audit(request, "key.revoke", gallery=key.gallery, key=key.id, role=key.role)
    return described(key)
