"""The OpenAPI document: what FastAPI knows of the routes, with names, keys, headers, examples, and every error.

    install(app)    lets ``GET /v1/openapi.json`` answer with it

The ``operationId`` of an operation is the name of its method in :mod:`recognizer.client`.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from db.keys import ROLES
from recognizer.service.context import PREFIX
from recognizer.service.examples import example_of
from recognizer.service.middleware import cookie
from recognizer.service.refusals import EXAMPLES, JSON, calls_of, codes_of, status_of
from recognizer.service.routers import ROUTERS
from recognizer.service.schemas.errors import Error

STATUSES = {
    400: "The body is no JSON.",
    401: "No API key, or one that is not good.",
    403: "The key may not do this, or not with this gallery; or a page of another site asked for it.",
    404: "What is named is not there.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there, or what is under way.",
    412: "The person has another version than `If-Match` names.",
    413: "Too many bytes, parts, photos, pixels or faces.",
    416: "The file does not have the bytes that `Range` names.",
    422: "The request is understood and cannot be done.",
    429: "Too many wrong keys from this address, or too many jobs that wait.",
    500: "Something went wrong in the service; its log says what.",
    503: "The service cannot do it at the moment: send it again.",
}
HEADERS = {
    "X-Request-ID": ("The id of the request, in the log and in the audit log.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to show a key.", {"const": "Bearer"}),
    "ETag": ("The version of the person, for `If-Match`.", {"type": "string", "pattern": '^".+"$'}),
    "Idempotency-Replayed": ("Where it is the first answer once more.", {"const": "true"}),
    "Content-Range": ("Which bytes of how many.", {"type": "string", "pattern": "^bytes "}),
}
SOMETIMES = ("ETag", "Idempotency-Replayed")
OF_STATUS = {401: "WWW-Authenticate", 416: "Content-Range", 429: "Retry-After", 503: "Retry-After"}
PARAMETERS = {
    "gallery": "The gallery.",
    "cursor": "Where the page begins: `next_cursor` of the page before, unread.",
    "limit": "So many at most.",
    "name": "Percent-encoded, a slash as `%2F`.",
    "job_id": "The number of the job.",
    "key_id": "The public part of the key: the 12 characters after `rk_`.",
    "state": "Only jobs in this state.",
    "person": "Only entries about this person.",
    "actor": "Only what this key or user did, such as `key 3f9a2b1c4d5e`.",
    "action": "Only this, such as `person.delete`.",
    "request_id": "Only this request, by its `X-Request-ID`.",
    "If-None-Match": "The ETag that is known already: where it is the one of now, the answer is 304.",
}
IN_ADDRESS = {
    "name": "Ann Lee", "photo": 17, "token": "6f1c2f0a9e1d4f7b8a3c5d2e1f0b9a8c", "job_id": 42, "key_id": "3f9a2b1c4d5e",
}  # fmt: skip
SPELT = {"if-match": "If-Match", "if-none-match": "If-None-Match", "idempotency-key": "Idempotency-Key"}
VERSIONED = ("Person", "Enrolment")  # answers that have an ETag
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer rk_...`"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    "session": {
        "type": "apiKey", "in": "cookie", "name": cookie.NAME,
        "description": "Of somebody who has signed in to the pages, which alone may change things with it. Over TLS it "
        f"is called `{cookie.SECURE_NAME}`.",
    },
}
DESCRIPTION = """Find the faces in photos and say whose they are.

Where the service asks for keys (`keys: required`), each operation but `health` and `ready` needs one, of the role that
its security names, or of one that includes it: `read`, `enrol`, `admin`. Every error has the shape of `Error`: programs
branch on `code`, which stays; `message` is for people.
"""
TAGS = {
    "faces": "Faces in photos, and whose they are. Nothing is stored.",
    "people": "Who is enrolled.",
    "photos": "What people were enrolled with.",
    "galleries": "People under one model, and the long work on them.",
    "jobs": "Long work: how far it is, and what came of it.",
    "keys": "API keys.",
    "audit": "Who did what to whom, and when.",
    "system": "Whether the service works, and what it has counted.",
}

Json = dict[str, Any]


def install(app: FastAPI) -> None:
    """Let an application tell the whole document, which is made when it is first asked for."""
    plain = app.openapi

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = completed(plain())
        return app.openapi_schema

    app.openapi = document


def completed(plain: Json) -> Json:
    """FastAPI's document with what it does not know."""
    document = copy.deepcopy(plain)  # parts of it are the routes' own
    components, linked = document["components"], set()
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"]["Error"] = Error.model_json_schema()
    for path, method, route in _routes():
        operation = document["paths"][path][method]
        _complete(operation, path, route, components["schemas"])
        linked.update(answer.get("$ref", "").rpartition("/")[2] for answer in operation["responses"].values())
    document["info"]["description"] = DESCRIPTION
    document["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    components["securitySchemes"] = SCHEMES
    components["headers"] = {name: _header(name) for name in HEADERS}
    components["examples"] = {code: {"value": _error(code)} for code in EXAMPLES}
    components["responses"] = {code: _refusal(status_of(code), [code]) for code in EXAMPLES if code in linked}
    return document


def _routes() -> Iterator[tuple[str, str, APIRoute]]:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):  # not a WebSocket
                for method in route.methods:
                    yield PREFIX + route.path, method.lower(), route


def _complete(operation: Json, path: str, route: APIRoute, schemas: Json) -> None:
    operation["operationId"] = route.operation_id or route.name
    operation["summary"] = _first_sentence(operation["description"])
    for parameter in operation.get("parameters", ()):
        _describe(parameter, path)
    role = _role(route)
    operation["security"] = [{name: [role]} for name in SCHEMES] if role else []
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = example_of(content["schema"], schemas)
    is_write = "Idempotency-Key" in (each["name"] for each in operation.get("parameters", ()))
    answers = {status: each for status, each in operation["responses"].items() if status < "400"}
    for status, answer in answers.items():
        _describe_answer(status, answer, is_write, schemas)
    operation["responses"] = answers | _refusals(codes_of(route.dependant, operation), is_write)


def _describe(parameter: Json, path: str) -> None:
    """A parameter is left out, and never null."""
    name = parameter["name"] = SPELT.get(parameter["name"], parameter["name"])
    schema = parameter["schema"]
    choices = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    for each in choices:
        schema.update(each)
    for said_of_parameter in ("title", "description"):
        schema.pop(said_of_parameter, None)
    parameter.setdefault("description", PARAMETERS.get(name))
    if parameter["in"] == "path":
        parameter["example"] = "staff" if path.startswith(f"{PREFIX}/galleries") else IN_ADDRESS[name]


def _role(route: APIRoute) -> str | None:
    """The role that a route needs; None where it needs no key."""
    roles = [call.role for call in calls_of(route.dependant) if hasattr(call, "role")]
    return max(roles, key=ROLES.index, default=None)


def _describe_answer(status: str, answer: Json, is_write: bool, schemas: Json) -> None:
    content = answer.get("content", {}).get(JSON)
    schema = content.get("schema", {}) if content else {}
    schema = schema.get("anyOf", [schema])[0]
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        content["example"] = example_of(schema, schemas)
        answer["description"] = _first_sentence(schemas[name]["description"]) + "."
    headers = {"X-Request-ID": True, "ETag": name in VERSIONED or status == "304", "Idempotency-Replayed": is_write}
    answer["headers"] = _links("headers", [header for header, is_there in headers.items() if is_there])


def _refusals(codes: Iterable[str], is_write: bool) -> Json:
    """The answers to what an operation can be refused for, by status."""
    by_status = defaultdict(list)
    for code in codes:
        by_status[status_of(code)].append(code)
    found = {}
    for status, group in sorted(by_status.items()):
        waits = is_write and "conflict" in group
        shared = len(group) == 1 and not waits
        found[str(status)] = _link("responses", group[0]) if shared else _refusal(status, group, waits)
    return found


def _refusal(status: int, codes: list[str], waits: bool = False) -> Json:
    """One answer.

    Args:
        waits: whether it may say when to send the request again.
    """
    headers = _links("headers", ["X-Request-ID", *([OF_STATUS[status]] if status in OF_STATUS else [])])
    if waits:
        headers["Retry-After"] = _header("Retry-After") | {"required": False}
    schema = _link("schemas", "Error") | {"properties": {"code": {"enum": codes}}}
    content = {"schema": schema, "examples": _links("examples", codes)}
    return {"description": STATUSES[status], "headers": headers, "content": {JSON: content}}


def _header(name: str) -> Json:
    described, schema = HEADERS[name]
    return {"description": described, "required": name not in SOMETIMES, "schema": schema}


def _error(code: str) -> Json:
    return {"code": code, "message": EXAMPLES[code].message, "details": dict(EXAMPLES[code].details)}


def _link(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _links(kind: str, names: Iterable[str]) -> Json:
    return {name: _link(kind, name) for name in names}


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].removesuffix(".")
