"""Files of jobs in parts: what cannot be given is told as all errors are."""

import pytest


@pytest.fixture
def file(service):
    """A function that asks for the bytes of a job's file, and its size."""
    job = service.ended(service.ask("POST", f"galleries/{service.gallery}/export"))
    path, query = f"/v1/jobs/{job['id']}/result", {"file": "people.gallery"}

    def ask(wanted):
        return service.client.get(path, params=query, headers={"Range": wanted})

    return ask, len(service.client.get(path, params=query).content)


def test_a_part_is_given(file):
    ask, size = file
    answer = ask("bytes=10-19")
    assert (answer.status_code, len(answer.content)) == (206, 10)
    assert answer.headers["content-range"] == f"bytes 10-19/{size}"


@pytest.mark.parametrize("wanted", ["bytes=999999999-", "bytes=5-1", "bytes=-0x1", "nonsense"])
def test_a_part_that_is_not_there_is_refused_in_the_shape_of_all_errors(file, wanted):
    ask, size = file
    answer = ask(wanted)
    assert answer.status_code == 416 and answer.json()["code"] == "bad_range"
    assert answer.json()["details"] == {"bytes": size} and answer.headers["content-range"] == f"bytes */{size}"
    assert answer.headers["content-type"] == "application/json" and answer.headers["x-request-id"]
