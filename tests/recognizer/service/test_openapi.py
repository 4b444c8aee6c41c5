"""The OpenAPI document is complete, true, and the one that is checked in.

``python -m tests.recognizer.service.test_openapi`` checks the present one in: do so where the API was meant to change.
"""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute

from recognizer.service import errors
from recognizer.service.app import create_app
from recognizer.service.context import PREFIX
from recognizer.service.downloads import BadRange
from recognizer.service.errors import STATUS, ServiceError
from recognizer.service.examples import example_of
from recognizer.service.middleware.limits import TooSlow
from recognizer.service.refusals import EXAMPLES, OWN, status_of
from recognizer.service.routers import ROUTERS
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.documented import undocumented

FROZEN = Path(__file__).with_name("openapi.json")
SERVICE = Path(errors.__file__).parent
ROLES = ("read", "enrol", "admin")
WIDTH = 120
IN_JOBS_ALONE = {"bad_video", "job_lost", "cancelled"}  # told of jobs, and never an answer
OF_NO_OPERATION = {"method_not_allowed"}


def document():
    return create_app(ServiceSettings(pages=False)).openapi()


DOCUMENT = document()
COMPONENTS = DOCUMENT["components"]
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def written(value, depth=0):
    """JSON that shows in a review what was changed: one line each, where it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or (depth and len(line) + 2 * depth <= WIDTH):
        return line
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        inner = [f"{pad}{json.dumps(key)}: {written(each, depth + 1)}" for key, each in value.items()]
        return "{\n" + ",\n".join(inner) + "\n" + pad[2:] + "}"
    return "[\n" + ",\n".join(pad + written(each, depth + 1) for each in value) + "\n" + pad[2:] + "]"


def resolved(value):
    while "$ref" in value and value["$ref"].startswith("#/components/") and "schemas" not in value["$ref"]:
        _, _, kind, name = value["$ref"].split("/")
        value = COMPONENTS[kind][name]
    return value


def answers(name):
    """Status and answer of an operation."""
    return [(int(status), resolved(each)) for status, each in OPERATIONS[name][2]["responses"].items()]


def problems(schema, value):
    """What a value breaks of a schema of the document."""
    whole = {
        "components": {"schemas": COMPONENTS["schemas"]},
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }
    return [str(each) for each in jsonschema_rs.Draft202012Validator({**whole, **schema}).iter_errors(value)]


def test_the_document_is_the_one_that_is_checked_in():
    frozen = json.loads(FROZEN.read_text("utf-8"))
    assert frozen == DOCUMENT, (
        "The API is another one than tests/recognizer/service/openapi.json has. Where that is meant, check it in: "
        "python -m tests.recognizer.service.test_openapi"
    )


def test_what_is_checked_in_is_written_as_this_writes_it():
    assert FROZEN.read_text("utf-8") == written(json.loads(FROZEN.read_text("utf-8"))) + "\n"


def test_the_document_is_openapi():
    definitions = pytest.importorskip("schemathesis.specs.openapi.definitions")
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [str(each) for each in definitions.OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []
    assert not definitions.OPENAPI_31_VALIDATOR.is_valid({**DOCUMENT, "paths": {"x": 1}})


def test_every_reference_leads_somewhere_and_every_component_is_used():
    found = set(re.findall(r'"\$ref": "#/components/(\w+)/([\w-]+)"', json.dumps(DOCUMENT)))
    there = {(kind, name) for kind in COMPONENTS if kind != "securitySchemes" for name in COMPONENTS[kind]}
    assert found == there


def test_every_route_is_in_it_once_and_has_a_name_of_its_own():
    routes = [
        (method, PREFIX + route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    assert sorted(routes) == sorted((method.upper(), path) for method, path, _ in OPERATIONS.values())
    assert len(OPERATIONS) == len(routes)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in OPERATIONS)


@each_operation
def test_an_operation_says_what_it_does_and_takes(name):
    _, path, operation = OPERATIONS[name]
    assert operation["summary"] and operation["description"].startswith(operation["summary"].split(":")[0][:20])
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    parameters = operation.get("parameters", [])
    assert {each["name"] for each in parameters if each["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
    for each in parameters:
        assert each["description"], each["name"]
        assert "null" not in json.dumps(each["schema"]), each["name"]
        if each["in"] == "header":
            assert each["name"] in ("If-Match", "If-None-Match", "Idempotency-Key")
        if each["in"] == "path":
            assert not problems(each["schema"], each["example"]), each["name"]


@each_operation
def test_an_operation_shows_a_good_request_and_a_good_answer(name):
    shown = list(OPERATIONS[name][2].get("requestBody", {}).get("content", {}).items())
    for status, answer in answers(name):
        assert answer["description"] not in ("", "Successful Response")
        if status < 400:
            assert resolved(answer["headers"]["X-Request-ID"])["required"]
            shown += answer.get("content", {}).items() if status < 300 else ()
    for kind, content in shown:
        if "schema" in content:
            assert not problems(content["schema"], content["example"]), (kind, content["example"])
        else:
            assert kind != "application/json" or name == "result", kind


@each_operation
def test_an_operation_names_each_of_its_errors_with_a_body_and_its_headers(name):
    refused = [(status, answer) for status, answer in answers(name) if status >= 400]
    assert {403, 413, 422, 429, 500} <= {status for status, _ in refused}
    for status, answer in refused:
        content = answer["content"]["application/json"]
        codes = content["schema"]["properties"]["code"]["enum"]
        assert list(content["examples"]) == codes
        for code, example in content["examples"].items():
            value = resolved(example)["value"]
            assert value.keys() == {"code", "message", "details"} and value["code"] == code
            assert not problems(content["schema"], value)
            assert status_of(code) == status
        headers = answer["headers"]
        assert "X-Request-ID" in headers
        assert ("WWW-Authenticate" in headers) == (status == 401)
        assert not {429, 503} & {status} or resolved(headers["Retry-After"])["required"]
        assert problems(content["schema"], {"code": "another", "message": "", "details": {}})


def test_what_can_only_happen_to_some_is_not_said_of_others():
    def codes(name):
        return {
            code
            for _, answer in answers(name)
            for code in answer.get("content", {}).get("application/json", {}).get("examples", ())
        }

    assert codes("health") == {"forbidden", "too_large", "unprocessable", "too_many_requests", "internal"}
    assert codes("ready") == codes("health") | {"not_ready"}
    assert "idempotency_conflict" in codes("delete_person") and "idempotency_conflict" not in codes("person")
    assert "precondition_failed" in codes("merge_people") and "precondition_failed" not in codes("add_person")
    assert {"no_name", "name_taken"} <= codes("add_person") and "no_photos" not in codes("recognize_video")
    assert {"no_file", "too_many_requests"} <= codes("import_gallery")


def test_no_error_has_the_shape_of_the_framework():
    assert "HTTPValidationError" not in json.dumps(DOCUMENT) and "ValidationError" not in COMPONENTS["schemas"]


def test_every_code_that_the_service_gives_is_described_with_its_status():
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ServiceError)]
    known = {(answer.code, answer.status) for answer in STATUS.values()}
    known |= {(each.code, each.status) for each in [*classes, TooSlow, BadRange]}
    known |= {(code, status) for status, code in errors._HTTP.items()}
    known |= {(code, 422) for path in SERVICE.rglob("*.py") for code in codes_given_to("Unprocessable", path)}
    known |= {("invalid_request", 422), ("http_error", 400)}
    described = {(code, status_of(code)) for code in EXAMPLES}
    assert {code for code, _ in known - described} == IN_JOBS_ALONE | OF_NO_OPERATION
    assert described <= known


def codes_given_to(name, path):
    """The texts that calls of a function have as their second argument."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name and len(node.args) > 1:
            yield node.args[1].value


def test_errors_are_entered_for_operations_that_are_there():
    assert OWN.keys() <= OPERATIONS.keys()


@each_operation
def test_an_operation_asks_for_the_key_that_the_document_names(guarded, name):
    method, path, operation = OPERATIONS[name]
    address = re.sub(r"{(\w+)}", lambda found: "17" if found[1] in ("photo", "job_id") else "nobody", path)

    def status(headers=None):
        return guarded.client.request(method.upper(), address, headers=headers or {}).status_code

    [*needed] = {role for each in operation["security"] for roles in each.values() for role in roles}
    assert [list(each) for each in operation["security"]] == (
        [["bearer"], ["api_key"], ["session"]] if needed else []
    )
    if not needed:
        assert status() == 200
        return
    assert status() == 401
    for role in ROLES[: ROLES.index(needed[0])]:
        assert status(guarded.of_role(role)) == 403
    enough = guarded.of_role(needed[0])
    assert status(enough) not in (401, 403)
    assert status({"X-API-Key": enough["Authorization"].split()[1]}) not in (401, 403)
    session = DOCUMENT["components"]["securitySchemes"]["session"]
    assert session["in"] == "cookie"
    shown = {"Cookie": f"{session['name']}={guarded.session_of(needed[0])}"}
    assert status(shown | {"Sec-Fetch-Site": "same-origin"}) not in (401, 403)
    if method != "get":
        assert status(shown) == 403, "no page of this service asks"


@pytest.fixture(scope="module")
def guarded(guarded):
    """With one key of each role."""
    keys = {role: guarded.as_(role).headers for role in ROLES}
    guarded.of_role = keys.get
    sessions = guarded.services.database.sessions
    guarded.session_of = lambda role: sessions.create(keys[role]["Authorization"].split("_")[1], 3600)
    return guarded


def test_an_example_is_made_of_those_of_the_fields_and_what_has_none_is_an_error():
    person = {"type": "object", "properties": {"name": {"type": "string", "examples": ["Ann"]}}}
    several = {"type": "array", "items": {"$ref": "#/components/schemas/Person"}, "minItems": 2}
    assert example_of(several, {"Person": person}) == [{"name": "Ann"}] * 2
    assert example_of({"anyOf": [{"type": "string"}, {"type": "null"}]}, {}) is None
    with pytest.raises(KeyError):
        example_of({"type": "object", "properties": {"name": {"type": "string"}}}, {})


def test_an_answer_that_the_document_does_not_have_is_noticed_in_every_test():
    def answer(code):
        return SimpleNamespace(json=lambda: {"code": code})

    assert undocumented("GET", "/v1/people/Ann", 404, answer("unknown_person")) is None
    assert "unknown_job" in undocumented("GET", "/v1/people/Ann", 404, answer("unknown_job"))
    assert "418" in undocumented("GET", "/v1/people/Ann%2FLee", 418, answer("x"))
    assert "crop" in undocumented("GET", "/v1/people/Ann/photos/7/crop", 201, None)
    assert "job" in undocumented("GET", "/v1/jobs/7", 401, answer("forbidden"))
    assert undocumented("GET", "/v1/nothing", 404, answer("not_found")) is None


if __name__ == "__main__":
    FROZEN.write_text(written(DOCUMENT) + "\n", encoding="utf-8")
