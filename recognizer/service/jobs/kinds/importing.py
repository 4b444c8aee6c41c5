"""Stores what a gallery's file holds, after all of it has been verified."""

from typing import Any

from common.errors import UnknownGallery
from db.portable_file import GalleryFile
from recognizer.index import forget_snapshots
from recognizer.service.jobs.task import Task

FILE = "people.gallery"


def import_(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``mode`` ("new", "merge", "replace"), ``folder``."""
    database, name, mode = task.services.database, task.parameters["gallery"], task.parameters["mode"]
    with GalleryFile(task.folder.inputs / FILE, task.over) as content:
        content.verify(task.over)
        old = _uid(database, name) if mode == "replace" else None
        done = database.import_gallery(content, name, mode == "merge", mode == "replace", task.over)
        if old is not None:
            forget_snapshots(old)
    return {"gallery": name, "people": done.people, "photos": done.photos, "known": done.known}


def _uid(database, name: str) -> str | None:
    try:
        return database.find(name).uid
    except UnknownGallery:
        return None
