"""Every error that the API can answer with, and which operation can: what the OpenAPI document says of errors.

What an operation can be refused for comes from what stands before all of them, from its dependencies, parameters and
body, and from ``OWN``, where a new operation that has errors of its own is entered.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant

from recognizer.service import context, errors, etags, idempotency, uploads
from recognizer.service.errors import STATUS, ServiceError
from recognizer.service.jobs import asking

JSON = "application/json"


class Example(NamedTuple):
    """What an error says, for instance."""

    message: str
    details: Mapping[str, Any] = {}


EXAMPLES = {
    "http_error": Example("There was an error parsing the body"),
    "unauthorized": Example("This needs an API key: Authorization: Bearer rk_..."),
    "forbidden": Example("This needs a key of the role enrol; yours has read.", {"role": "enrol"}),
    "license_not_accepted": Example("buffalo_l is under the licence 'insightface-non-commercial': for research only."),
    "not_found": Example("Job 42 has no file of that name here: it was removed, or is on another machine."),
    "unknown_person": Example("Not in the gallery: 'Ann Lee'. Nothing was changed."),
    "unknown_photo": Example("'Ann Lee' has no photo 17."),
    "unknown_gallery": Example("There is no gallery 'staff'."),
    "unknown_key": Example("There is no API key '3f9a2b1c4d5e': see recognizer keys list."),
    "unknown_job": Example("There is no job 42 of yours."),
    "nothing_to_undo": Example("That deletion cannot be undone: its time is over, or it has been undone already."),
    "too_slow": Example("The body did not arrive within 30 seconds."),
    "conflict": Example("Job 42 is running: it has no result yet", {"state": "running"}),
    "name_taken": Example("There is a 'Ann Lee' already. Nothing was changed."),
    "model_mismatch": Example(
        "Gallery 'staff' holds embeddings of 'own' (digest 3f9a2b1c, dimension 512); that is not here."
    ),
    "precondition_failed": Example(
        "'Ann Lee' has changed since you read it: read it again, then decide. Nothing was changed."
    ),
    "too_large": Example("At most 32 photos a request.", {"most": 32}),
    "bad_range": Example("Ask for bytes that the file has: it has 1024.", {"bytes": 1024}),
    "invalid_request": Example(
        "The request is not valid. query.limit: Input should be less than or equal to 500.",
        {"problems": [{"where": "query.limit", "problem": "Input should be less than or equal to 500"}]},
    ),
    "unprocessable": Example("multipart/form-data needs a boundary of 1 to 70 characters."),
    "no_photos": Example("Send photos as multipart/form-data, in the field photos."),
    "two_photos": Example("Send two photos to be compared, not 1.", {"photos": 1}),
    "no_name": Example("Say whom the photos are of: the form needs a field 'name'."),
    "no_file": Example("Send one file as multipart/form-data, in the field video."),
    "bad_form": Example("The form cannot be read: Missing boundary in multipart."),
    "bad_picture": Example("Photo 2: this is no picture that can be read.", {"photo": 2}),
    "no_face": Example("No face found. Use a photo in which the face is at least 40 pixels high and not covered."),
    "bad_embedding": Example("Embeddings must be finite and not zero; nothing was stored."),
    "bad_name": Example("The name of a person must not be empty or blank."),
    "bad_argument": Example("That is no cursor of this list: take next_cursor as the page before gave it."),
    "unknown_choice": Example("Unknown model 'resnet'. Expected one of: mobilefacenet, buffalo_l."),
    "nothing_enrolled": Example(
        "No usable picture: ann1.jpg: no face found", {"refused": [{"source": "ann1.jpg", "reason": "no face found"}]}
    ),
    "idempotency_conflict": Example(
        "This idempotency key was used for another request: take a new one for each request."
    ),
    "too_many_requests": Example("Too many wrong keys came from your address. Wait, and check the key."),
    "internal": Example("Something went wrong in the service. Its log says what, under the id of this request."),
    "overloaded": Example("More requests wait than can be done soon. Try again.", {"waiting": 64}),
    "not_ready": Example("The service is starting. Try again."),
    "database_unavailable": Example("The database cannot be used at the moment. Try again."),
}

# Where errors have no class of their own.
PLAIN = {"http_error": 400, "not_found": 404, "too_slow": 408, "bad_range": 416} | dict.fromkeys(
    ("invalid_request", "no_photos", "two_photos", "no_name", "no_file", "bad_form"), 422
)

ALWAYS = ("forbidden", "too_large", "unprocessable", "too_many_requests", "internal")  # by the middleware
WITH_BODY = ("too_slow", "overloaded")
OF_DEPENDENCY: dict[Callable[..., Any], tuple[str, ...]] = {
    context.caller: ("unauthorized", "not_ready", "database_unavailable"),
    context.services: ("not_ready",),
    context.room: ("overloaded",),
    context.recognizer: ("unknown_gallery", "bad_name", "model_mismatch", "overloaded"),
    etags.condition: ("bad_argument",),
    idempotency.once: ("idempotency_conflict", "conflict", *WITH_BODY),
    asking.room: ("too_many_requests",),
}
_CHANGED = ("unknown_person", "bad_name", "precondition_failed")
OWN: dict[str, tuple[str, ...]] = {
    "detect": ("bad_picture",),
    "embed": ("bad_picture",),
    "verify": ("two_photos", "bad_picture", "no_face", "bad_argument"),
    "search": ("invalid_request", "bad_picture", "bad_embedding", "bad_argument"),
    "add_person": ("name_taken", "nothing_enrolled", "bad_argument"),
    "person": ("unknown_person", "bad_name", "bad_argument"),
    "change_person": (*_CHANGED, "name_taken", "bad_argument"),
    "delete_person": _CHANGED,
    "merge_people": (*_CHANGED, "bad_argument"),
    "move_photos": (*_CHANGED, "bad_argument"),
    "erase_person": _CHANGED,
    "photos": ("unknown_person", "bad_name"),
    "add_photos": (*_CHANGED, "invalid_request", "nothing_enrolled", "bad_embedding", "bad_argument"),
    "delete_photos": _CHANGED,
    "delete_photo": (*_CHANGED, "unknown_photo", "bad_argument"),
    "crop": ("unknown_person", "unknown_photo", "bad_name"),
    "undo": ("nothing_to_undo", "name_taken"),
    "create_gallery": ("bad_name", "name_taken", "unknown_choice", "license_not_accepted"),
    "gallery": ("unknown_gallery", "bad_name"),
    "change_gallery": ("unknown_gallery", "bad_name", "name_taken", "bad_argument"),
    "delete_gallery": ("unknown_gallery", "bad_name"),
    "switch_galleries": ("unknown_gallery", "bad_name", "bad_argument"),
    "calibrate_gallery": ("unknown_gallery", "bad_name"),
    "reembed_gallery": ("unknown_gallery", "bad_name", "unknown_choice"),
    "export_gallery": ("unknown_gallery", "bad_name"),
    "import_gallery": ("bad_name",),
    "job": ("unknown_job",),
    "cancel_job": ("unknown_job",),
    "result": ("unknown_job", "conflict", "not_found", "bad_range"),
    "create_key": ("unknown_gallery", "bad_name", "bad_argument"),
    "revoke_key": ("unknown_key",),
}


def status_of(code: str) -> int:
    """The status that a code comes with."""
    if code in PLAIN:
        return PLAIN[code]
    return next(status for status, known in (*STATUS.values(), errors.INTERNAL, *_of_classes()) if known == code)


def codes_of(dependant: Dependant, operation: Mapping[str, Any]) -> list[str]:
    """What an operation can be refused for, as ``EXAMPLES`` has them.

    Args:
        dependant: of its route.
        operation: as FastAPI describes it, with its own ``operationId``.
    """
    found = {*ALWAYS, *OWN.get(operation["operationId"], ()), *_of_parameters(operation), *_of_body(operation)}
    for call in calls_of(dependant):
        found.update(OF_DEPENDENCY.get(call, ()))
    return [code for code in EXAMPLES if code in found]


def _of_parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].keys() - {"type", "title"} or parameter["schema"]["type"] != "string":
            yield "invalid_request"
        if parameter["name"] == "cursor":
            yield "bad_argument"


def _of_body(operation: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        yield from WITH_BODY
    if uploads.MULTIPART in content:
        fields = content[uploads.MULTIPART]["schema"]["properties"]
        yield "bad_form"
        yield "no_photos" if uploads.FIELD in fields else "no_file"
        yield from ("no_name", "bad_name") if "name" in fields else ()
    elif JSON in content:
        yield from ("invalid_request", "http_error")


def calls_of(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    """What is called for a request: the function of the route, and all of its dependencies, each as often as it is."""
    yield dependant.call
    for each in dependant.dependencies:
        yield from calls_of(each)


def _of_classes(kind: type[ServiceError] = ServiceError) -> Iterator[tuple[int, str]]:
    for each in kind.__subclasses__():
        yield each.status, each.code
        yield from _of_classes(each)
