"""Entries of the audit log about requests: who did what to whom, and what came of it."""

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import Request

from common.errors import FaceError
from db.audit import Entry
from recognizer.service import context

if TYPE_CHECKING:
    from db.database import Database

log = logging.getLogger("recognizer.service.audit")


def audit(
    request: Request,
    action: str,
    person: str | None = None,
    outcome: str = "ok",
    *,
    gallery: str | None = None,
    **details: Any,
) -> None:
    """Say what a request did; it blocks for one write of the database.

    What was done is done: where the entry cannot be stored it goes to the log ``recognizer.service.audit`` as an error,
    and the request is answered all the same.

    Args:
        action: such as "person.delete".
        person: whom it was about.
        outcome: "ok", or what came of it instead, such as "refused".
        gallery: in which; None: as the request says, where a person is given.
        details: a few numbers, truth values and short texts. Never lists.
    """
    who = context.caller_of(request)
    if gallery is None and person is not None:
        gallery = request.query_params.get("gallery") or who.gallery or context.services_of(request).recognizers.default
    entry = Entry(
        actor=actor(who), action=action, outcome=outcome, gallery=gallery, person=person,
        request_id=context.request_id(request), details=details or None,
    )  # fmt: skip
    store(context.services_of(request).database, entry)


def store(database: "Database", *entries: Entry) -> None:
    """Store entries, or log them as errors: what they are about was done."""
    try:
        database.audit.append(*entries)
    except FaceError as error:
        for entry in entries:
            log.error("An entry was not stored (%s): %s", error, json.dumps(asdict(entry), default=str))


def actor(who: context.Caller) -> str:
    """How the audit log names somebody: a key by its id, as its name may be given twice."""
    return who.actor if who.key_id is None else f"key {who.key_id}"
