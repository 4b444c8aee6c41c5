"""Builds the same people under another model, in a new gallery, from the crops that were kept."""

from typing import Any

import networks
from recognizer import reembed as work
from recognizer import settings as settings_file
from recognizer.service.context import Services
from recognizer.service.jobs.task import Task

LISTED = 1000  # people and crops that the result names


def reembed(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``model``, ``into``."""
    database, damaged = task.services.database, []
    source = database.find(task.parameters["gallery"])
    model = load(task.services, task.parameters["model"])
    following = work.begin(database, source, model, task.parameters["into"])
    done = work.run(following, model, lambda *each: damaged.append(each), task.over)
    return {
        "gallery": done.gallery,
        "people": done.people,
        "photos": done.photos,
        "lacking": [each._asdict() for each in done.lacking[:LISTED]],
        "lacking_people": len(done.lacking),
        "damaged": [{"name": name, "source": source, "reason": reason} for name, source, reason in damaged[:LISTED]],
    }


def load(services: Services, model: str) -> networks.Network:
    """A network of the zoo, loaded once, on the device that the settings say."""
    settings = settings_file.read(services.recognizers.config)
    return networks.load(model, threads=settings.threads, precision=settings.precision, device=settings.device)
