"""Detect, embed, verify and search: what REST says is what the recognizer says."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from recognizer import Recognizer
from tests.recognizer.service.serving import form


@pytest.fixture(scope="module")
def recognizer(application):
    with Recognizer(database=f"sqlite:///{application.folder}/people.db") as opened:
        yield opened


def test_detect_gives_the_boxes_of_the_detector(service, recognizer, portraits, pictures):
    answer = service.ask("POST", "detect", files=form(pictures.obama, pictures.wall))
    first, second = answer.json()["photos"]
    found = recognizer.detect(portraits.obama)
    height, width = portraits.obama.shape[:2]
    assert (first["width"], first["height"], first["photo"]) == (width, height, "1.png")
    np.testing.assert_allclose([face["box"] for face in first["faces"]], found.boxes, atol=0.1)
    np.testing.assert_allclose([face["landmarks"] for face in first["faces"]], found.landmarks, atol=0.1)
    assert second["faces"] == []


def test_embed_gives_the_embeddings_of_the_recognizer(service, recognizer, portraits, pictures):
    found = service.ask("POST", "embed", files=form(pictures.obama)).json()
    rows = np.array([face["embedding"] for face in found["photos"][0]["faces"]])
    np.testing.assert_allclose(rows, recognizer.get_embd(portraits.obama), atol=1e-4)
    assert (found["model"], found["dimension"]) == ("mobilefacenet", 192)


def test_verify_compares_two_photos(service, recognizer, portraits, pictures):
    for other in ("obama2", "biden"):
        answer = service.ask("POST", "verify", files=form(pictures.obama, getattr(pictures, other))).json()
        expected = recognizer.verify(portraits.obama, getattr(portraits, other))
        assert answer["same"] == expected.same
        assert answer["similarity"] == pytest.approx(expected.similarity, abs=1e-3)
        assert answer["threshold"] == recognizer.threshold


def test_search_names_all_faces_of_all_photos_with_runner_up_and_margin(service, portraits, pictures):
    service.enrol("Obama", pictures.obama)
    service.enrol("Biden", pictures.biden)
    answer = service.ask(
        "POST", "search", {"top": 5}, files=form(pictures.obama2, pictures.wall, pictures.biden)
    ).json()
    assert (answer["gallery"], answer["model"], answer["embeddings"]) == (service.gallery, "mobilefacenet", None)
    first, empty, second = (photo["faces"] for photo in answer["photos"])
    assert empty == [] and [face["name"] for face in first] == ["Obama"] and second[0]["name"] == "Biden"
    [face] = first
    assert [each["name"] for each in face["candidates"]] == ["Obama", "Biden"]
    assert face["runner_up"] == face["candidates"][1]
    assert face["margin"] == pytest.approx(face["similarity"] - face["runner_up"]["similarity"], abs=2e-4)
    assert face["similarity"] >= answer["threshold"] > face["runner_up"]["similarity"]


def test_a_stranger_has_no_name_and_an_empty_gallery_no_candidates(service, pictures):
    [face] = service.ask("POST", "search", files=form(pictures.obama)).json()["photos"][0]["faces"]
    assert (face["name"], face["similarity"], face["candidates"], face["margin"]) == (None, -1, [], None)
    service.enrol("Biden", pictures.biden)
    [face] = service.ask("POST", "search", files=form(pictures.obama)).json()["photos"][0]["faces"]
    assert face["name"] is None and face["candidates"][0]["name"] == "Biden" and face["runner_up"] is None


def test_ready_embeddings_are_searched_whatever_their_length(service, pictures):
    service.enrol("Obama", pictures.obama)
    [face] = service.ask("POST", "embed", files=form(pictures.obama2)).json()["photos"][0]["faces"]
    rows = [face["embedding"], [3 * value for value in face["embedding"]]]
    answer = service.ask("POST", "search", json={"embeddings": rows}).json()
    first, second = answer["embeddings"]
    assert first["name"] == second["name"] == "Obama" and answer["photos"] is None
    assert first["similarity"] == pytest.approx(second["similarity"], abs=1e-4)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"embeddings": []}, "invalid_request"),
        ({"embeddings": [[1.0, 2.0]]}, "bad_embedding"),
        ({"embeddings": [[0.0] * 192]}, "bad_embedding"),
        ({"embeddings": [["a"] * 192]}, "invalid_request"),
        ({"embedding": [[1.0] * 192]}, "invalid_request"),
    ],
)
def test_embeddings_that_are_none_are_refused_and_not_told_back(service, body, code):
    answer = service.ask("POST", "search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "2.0" not in answer.text


def test_what_is_no_photo_is_refused_in_one_shape(service, pictures):
    answers = {
        "bad_picture": service.ask("POST", "search", files=form(b"no picture")),
        "no_photos": service.ask("POST", "search", content=b"x", headers={"content-type": "text/plain"}),
    }
    for code, answer in answers.items():
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert set(answer.json()) == {"code", "message", "details"} and answer.headers["x-request-id"]
    missing = service.ask("POST", "verify", files=form(pictures.obama, pictures.wall))
    assert (missing.status_code, missing.json()["code"]) == (422, "no_face")


def test_too_many_photos_and_too_many_pixels_are_refused_before_they_are_decoded(service, pictures):
    assert service.ask("POST", "detect", files=form(*[pictures.wall] * 9)).status_code == 413
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    answer = service.ask("POST", "detect", files=form(("huge.png", buffer.getvalue())))
    assert answer.status_code == 413 and "huge.png has 9000x9000 pixels" in answer.json()["message"]


def test_concurrent_requests_get_the_answers_of_single_ones(service, pictures):
    service.enrol("Obama", pictures.obama)
    service.enrol("Biden", pictures.biden)
    photos = [pictures.obama2, pictures.biden, pictures.obama3] * 4
    with ThreadPoolExecutor(6) as clients:
        assert list(clients.map(service.search, photos)) == [["Obama"], ["Biden"], ["Obama"]] * 4


def test_health_ready_and_metrics_say_how_it_is(service, pictures):
    assert service.ask("GET", "health").json()["status"] == "ok"
    assert service.ask("GET", "ready").json() == {"status": "ready"}
    before = samples(service)
    service.enrol("Obama", pictures.obama)
    service.search(pictures.obama2)
    service.search(pictures.biden)
    after = samples(service)

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown('recognizer_faces_total{outcome="known"}') == grown('recognizer_faces_total{outcome="stranger"}') == 1
    assert grown("recognizer_enrolled_photos_total") == 1
    assert grown('recognizer_requests_total{method="POST",route="/v1/search",status="200"}') == 2
    assert after[f'recognizer_index_size{{gallery="{service.gallery}"}}'] == 1
    assert after["recognizer_queue"] == 0 and "Obama" not in service.ask("GET", "metrics").text


def samples(service):
    lines = service.ask("GET", "metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
