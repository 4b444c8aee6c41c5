"""Whatever a test asks the service, the answer is one that the OpenAPI document has."""

import re
from functools import cache

import pytest
from fastapi.testclient import TestClient

from recognizer.service.app import Service, create_app
from recognizer.service.settings import ServiceSettings


@pytest.fixture(autouse=True)
def answers_are_documented(monkeypatch):
    """Fails where a status, or the code of an error, is not one that the operation is said to have."""
    plain = TestClient.request

    def watched(client, method, url, *arguments, **options):
        answer = plain(client, method, url, *arguments, **options)
        if isinstance(client.app, Service):
            path = answer.request.url.raw_path.decode("ascii").partition("?")[0]
            assert not undocumented(str(method).upper(), path, answer.status_code, answer)
        return answer

    monkeypatch.setattr(TestClient, "request", watched)


def undocumented(method, path, status, answer):
    """What of an answer the document does not have; None where all is well, or there is no such operation."""
    document, operations = _document()
    operation = next((each for each, found, address in operations if found == method and address.match(path)), None)
    if operation is None:
        return None
    described = operation["responses"].get(str(status))
    if described is None:
        return f"{operation['operationId']} is not said to answer {status}"
    if status < 400:
        return None
    name = described.get("$ref", "").rpartition("/")[2]
    content = (document["components"]["responses"][name] if name else described)["content"]["application/json"]
    code = answer.json()["code"]
    return None if code in content["examples"] else f"{operation['operationId']} is not said to answer {code}"


@cache
def _document():
    """The document, and its operations with methods and patterns of addresses, those without names in them first."""
    document = create_app(ServiceSettings(pages=False)).openapi()
    paths = sorted(document["paths"].items(), key=lambda each: each[0].count("{"))
    return document, [
        (operation, method.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + r"\Z"))
        for path, methods in paths
        for method, operation in methods.items()
    ]
