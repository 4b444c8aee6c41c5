"""Measures the threshold of a gallery on its own people, and keeps it with the gallery."""

from typing import Any

from recognizer.calibrate import calibrate as measure
from recognizer.service.jobs.task import Task


def calibrate(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``far``, ``dry_run``."""
    gallery = task.services.database.find(task.parameters["gallery"])
    found = measure(gallery, task.parameters["far"], task.over)
    task.check()
    if not task.parameters["dry_run"]:
        gallery.set_threshold(found.threshold, found.far, found.low, found.high)
    return {
        "threshold": found.threshold,
        "low": found.low,
        "high": found.high,
        "wanted_far": found.wanted,
        "far": found.far,
        "tar": found.tar,
        "tar_low": found.tar_low,
        "tar_high": found.tar_high,
        "people": found.people,
        "of_people": found.of,
        "genuine": found.genuine,
        "impostor": found.impostor,
        "nearest": [
            {"names": [first, second], "similarity": similarity} for first, second, similarity in found.nearest
        ],
        "stored": not task.parameters["dry_run"],
    }
