"""What a live connection may be for, and what each picture is answered with. A new task is a line in ``TASKS``."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from common.errors import UnknownChoice
from recognizer.recognizer import Recognizer
from recognizer.service import described
from recognizer.service.context import Services
from recognizer.service.live.advice import advise
from recognizer.service.uploads import Upload


@dataclass(frozen=True)
class Task:
    """One kind of work.

    Attributes:
        name: of ``?task=``.
        role: that a key needs.
        answer: from the services, the gallery's recognizer and name, and an encoded picture, to plain values.
    """

    name: str
    role: str
    answer: Callable[[Services, Recognizer, str, Upload], Awaitable[dict[str, Any]]]


async def recognize(services: Services, recognizer: Recognizer, gallery: str, picture: Upload) -> dict[str, Any]:
    """Who is in it: what ``POST /v1/search`` says of the same picture."""
    found = await services.inference.search(recognizer, [picture.data], 1)
    told = described.searched(recognizer, gallery, [picture], found).model_dump(exclude={"embeddings"})
    [photo] = told.pop("photos")
    return {"size": [photo["width"], photo["height"]], **told, "faces": photo["faces"]}


async def enrol(services: Services, recognizer: Recognizer, gallery: str, picture: Upload) -> dict[str, Any]:
    """Where faces are, and what to do before a shot is taken. Nothing is stored."""
    found = await services.inference.run(advise, recognizer, picture.data)
    [photo] = described.detected([picture], [(found.size, found.detections)]).model_dump()["photos"]
    return {
        "size": list(found.size),
        "faces": photo["faces"],
        "chosen": found.chosen,
        "ready": not found.advice,
        "advice": [asdict(each) for each in found.advice],
    }


TASKS = {task.name: task for task in (Task("recognize", "read", recognize), Task("enrol", "enrol", enrol))}


def task_of(name: str) -> Task:
    """The task of that name. Raises UnknownChoice."""
    if name not in TASKS:
        raise UnknownChoice(f"Unknown task {name[:40]!r}. Expected one of: {', '.join(TASKS)}.")
    return TASKS[name]
