"""Writes a gallery to one file."""

from typing import Any

from recognizer.service.jobs.task import Task

FILE = "people.gallery"


def export(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``folder``."""
    gallery = task.services.database.find(task.parameters["gallery"])
    size = gallery.export(task.folder.outputs / FILE, force=True, progress=task.over)
    people, photos = gallery.count()
    return {"file": FILE, "bytes": size, "people": people, "photos": photos}
