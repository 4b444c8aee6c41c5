"""The client has what the API has, under the same names, and nothing that it has not."""

import inspect
import re
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from recognizer.client import Client
from tests.recognizer.service.test_openapi import COMPONENTS, OPERATIONS

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
BESIDES = {"wait", "download", "close"}  # made of operations, or of none
METHODS = {name: each for name, each in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
RENAMED = {
    "If-Match": "etag", "If-None-Match": "etag", "Idempotency-Key": "idempotency_key", "limit": "page_size",
    "job_id": "job", "key_id": "key",
}  # fmt: skip
FOLLOWED = "cursor"  # by the iterators
NEW = {("change_person", "name"): "new_name", ("change_gallery", "name"): "new_name"}  # of a body, beside the address
ELSEWHERE = {("result", "file")}  # is download's
SEVERAL = {("verify", "photos"): ("first", "second")}
EITHER = {("search", "photos"), ("add_photos", "photos"), ("search", "embeddings"), ("add_photos", "embeddings")}
OWN_DEFAULT = {("add_photos", "mode")}  # by what is given
SIMPLE = {"string": str, "integer": int, "number": float, "boolean": bool}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def resolved(schema):
    name = schema.get("$ref", "").rpartition("/")[2]
    return COMPONENTS["schemas"][name] if name else schema


def taken(name):
    """What an operation takes: as the client calls it, whether it must be given, and its default."""
    _, _, operation = OPERATIONS[name]
    for each in operation.get("parameters", ()):
        if each["name"] != FOLLOWED and (name, each["name"]) not in ELSEWHERE:
            yield RENAMED.get(each["name"], each["name"]), each["required"], each["schema"].get("default")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = resolved(content["schema"])
        for field, each in schema["properties"].items():
            required = field in schema.get("required", ()) and (name, field) not in EITHER
            for called in SEVERAL.get((name, field), (NEW.get((name, field), field),)):
                yield called, required, each.get("default") if kind == "application/json" else None


def test_every_operation_is_a_method_and_every_method_an_operation():
    assert METHODS.keys() - BESIDES == OPERATIONS.keys() and METHODS.keys() >= BESIDES
    assert {"job", "file", "path"} <= inspect.signature(Client.download).parameters.keys()


@each_operation
def test_a_method_takes_what_its_operation_takes_and_nothing_else(name):
    parameters = dict(inspect.signature(METHODS[name]).parameters)
    del parameters["self"]
    wanted = list(taken(name))
    assert parameters.keys() == {called for called, _, _ in wanted}
    for called, required, default in wanted:
        mine = parameters[called].default
        assert (mine is inspect.Parameter.empty) == required, called
        if default is not None and (name, called) not in OWN_DEFAULT:
            assert mine == default, called


@each_operation
def test_a_choice_is_the_one_that_the_operation_has(name):
    mine = get_type_hints(METHODS[name])
    for each in OPERATIONS[name][2].get("parameters", ()):
        if "enum" in each["schema"]:
            assert list(get_args(without_none(mine[each["name"]]))) == each["schema"]["enum"]


@each_operation
def test_a_method_returns_what_its_operation_answers(name):
    answers = OPERATIONS[name][2]["responses"]
    content = next(each for status, each in answers.items() if status < "300")["content"]
    returned = get_type_hints(METHODS[name])["return"]
    if "application/json" not in content:
        assert returned in (bytes, str)
        return
    schema = content["application/json"]["schema"]
    schema = resolved(schema.get("anyOf", [schema])[0])
    if get_origin(returned) is not None and get_origin(returned).__name__ == "Iterator":
        [items] = [each for each in schema["properties"].values() if each.get("type") == "array"]
        schema, returned = items["items"], get_args(returned)[0]
    assert problems(without_none(returned), schema) == []


def without_none(kind):
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return kinds[0] if NoneType in get_args(kind) else kind


def problems(kind, schema, where="it"):
    """How a type differs from a schema."""
    schema = resolved(schema)
    if "anyOf" in schema:
        if NoneType not in get_args(kind):
            return [f"{where} may be null"]
        return problems(without_none(kind), schema["anyOf"][0], where)
    if NoneType in get_args(kind):
        return [f"{where} is never null"]
    if is_dataclass(kind):
        mine = get_type_hints(kind)
        mine.pop("etag", None)
        if mine.keys() != schema["properties"].keys():
            return [f"{where}: {mine.keys() ^ schema['properties'].keys()}"]
        return [each for key in mine for each in problems(mine[key], schema["properties"][key], f"{where}.{key}")]
    if get_origin(kind) is tuple:
        inner = problems(get_args(kind)[0], schema["items"], f"{where}[]") if "items" in schema else ["no list"]
        fixed = len(get_args(kind)) if Ellipsis not in get_args(kind) else None
        return inner + ([f"{where}: {fixed}"] if fixed != schema.get("maxItems") else [])
    return [] if is_like(kind, schema) else [f"{where} is {schema}"]


def is_like(kind, schema):
    if get_origin(kind) is Literal:
        return list(get_args(kind)) == schema.get("enum")
    if kind is datetime:
        return schema.get("format") == "date-time"
    if get_origin(kind) is dict:
        of = get_args(kind)[1]
        return schema["type"] == "object" and (of is Any or of is SIMPLE[schema["additionalProperties"]["type"]])
    return kind is SIMPLE.get(schema.get("type")) and "format" not in schema


def test_results_differ_where_they_do():
    whole = COMPONENTS["schemas"]["Job"]
    from recognizer.client.results import Face, Job

    assert problems(Job, whole) == []
    for key, wrong in (("id", {"type": "string"}), ("owner", {"type": "string"}), ("state", {"enum": ["queued"]})):
        assert len(problems(Job, {"properties": whole["properties"] | {key: wrong}})) == 1
    assert problems(Face, whole) and {each.name for each in fields(Face)} == {"box", "landmarks", "score"}


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"close"}))
def test_every_method_stands_in_the_page_with_its_route(name):
    rows = re.findall(rf"^\| `{name}\((.*)\)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE)
    assert len(rows) == 1, rows
    if name in OPERATIONS:
        method, path, _ = OPERATIONS[name]
        assert rows[0][1].strip("`") == f"{method.upper()} {re.sub(r'{(photo|job_id|key_id)}', '{id}', path[4:])}"
    named = {each.split("=")[0].strip(" *") for each in rows[0][0].split(",")} - {"", "..."}
    assert named <= inspect.signature(METHODS[name]).parameters.keys()


def test_the_page_is_linked_and_names_no_method_that_is_not_there():
    assert "(client.md)" in (Path(__file__).parents[3] / "docs" / "service.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    assert listed == METHODS.keys() - {"close"}
