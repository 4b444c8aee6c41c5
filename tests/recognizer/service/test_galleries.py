"""Galleries over REST, and the long work on them."""

import numpy as np
import pytest

import networks
from db import Face
from recognizer.service.jobs.kinds import reembed
from tests.recognizer.service.serving import Service, form


@pytest.fixture
def ann(service, pictures):
    """The service, with Ann."""
    assert service.enrol("Ann", ("ann1.png", pictures.obama)).status_code == 201
    return service


def gallery_of(service):
    return service.services.database.find(service.gallery)


def path(service, rest=""):
    return f"galleries/{service.gallery}{rest}"


def other(service, name):
    """The same service, asked about another gallery."""
    changed = Service.__new__(Service)
    changed.__dict__ = service.__dict__ | {"gallery": name}
    return changed


def test_a_gallery_is_told_with_its_model_people_and_threshold(ann):
    told = ann.ask("GET", path(ann)).json()
    model = ann.services.recognizers.of(ann.gallery).model
    assert (told["model"], told["digest"], told["dimension"]) == (model.name, model.digest, model.dim)
    assert (told["people"], told["photos"], told["threshold"], told["source"]) == (1, 1, None, None)


def test_pages_of_galleries_follow_each_other(service):
    found, cursor = [], {}
    while cursor is not None:
        page = service.ask("GET", "galleries", {"limit": 1} | cursor).json()
        found += [gallery["name"] for gallery in page["galleries"]]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    assert found == [each.name for each in service.services.database.summaries()] and service.gallery in found


def test_a_name_is_given_once(service):
    refused = service.ask("POST", "galleries", json={"name": service.gallery})
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    renamed = service.ask("PATCH", path(service), json={"name": "default"})
    assert (renamed.status_code, renamed.json()["code"]) == (409, "name_taken")
    assert service.ask("POST", "galleries", json={"name": "a\nb"}).json()["code"] == "bad_name"


@pytest.mark.parametrize("model", ["/etc/passwd", "../models/x.onnx", "mtcnn", ""])
def test_a_request_names_no_file_of_the_machine_as_a_model(ann, model):
    refused = ann.ask("POST", "galleries", json={"name": f"of {model}", "model": model})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_choice")
    assert ann.ask("POST", path(ann, "/reembed"), json={"model": model}).json()["code"] == "unknown_choice"


def test_a_renamed_gallery_keeps_its_people_and_the_old_name_is_free(ann, pictures):
    renamed = f"{ann.gallery} renamed/"
    assert ann.ask("PATCH", path(ann), json={"name": renamed}).json()["name"] == renamed
    assert ann.ask("GET", path(ann)).json()["code"] == "unknown_gallery"
    assert ann.ask("GET", f"galleries/{ann.gallery} renamed%2F").json()["people"] == 1
    assert other(ann, renamed).search(pictures.obama2) == ["Ann"]


def test_a_process_that_had_a_gallery_open_serves_it_under_its_new_name_alone(ann, pictures):
    assert ann.search(pictures.obama2) == ["Ann"]
    ann.services.database.rename_gallery(ann.gallery, f"{ann.gallery} elsewhere")  # as another process does
    assert ann.ask("POST", "search", files=form(pictures.obama2)).json()["code"] == "unknown_gallery"
    assert other(ann, f"{ann.gallery} elsewhere").search(pictures.obama2) == ["Ann"]


def test_a_threshold_counts_from_the_next_face_on(ann, pictures):
    similarity = ann.ask("POST", "search", files=form(pictures.obama2)).json()["photos"][0]["faces"][0]["similarity"]
    for threshold, name in ((similarity + 0.01, None), (similarity - 0.01, "Ann")):
        done = ann.ask("PATCH", path(ann), json={"threshold": {"similarity": threshold}})
        assert done.json()["threshold"]["similarity"] == pytest.approx(threshold)
        assert ann.search(pictures.obama2) == [name]


def test_a_threshold_that_is_cleared_gives_way_to_that_of_the_card(ann, pictures):
    card = ann.services.recognizers.of(ann.gallery).model.card.threshold
    ann.ask("PATCH", path(ann), json={"threshold": {"similarity": 0.99, "far": 1e-5}})
    assert ann.search(pictures.obama2) == [None]
    assert ann.ask("PATCH", path(ann), json={"threshold": None}).json()["threshold"] is None
    answer = ann.ask("POST", "search", files=form(pictures.obama2)).json()
    assert (answer["threshold"], answer["threshold_far"]) == (card.similarity, card.far)
    assert answer["photos"][0]["faces"][0]["name"] == "Ann"
    assert [entry.details["similarity"] for entry in ann.audited("gallery.threshold")] == [None, 0.99]


@pytest.mark.parametrize(
    "change",
    [
        {}, {"name": "x", "threshold": {"similarity": 0.5}}, {"name": "x", "threshold": None}, {"name": None},
        {"threshold": {"similarity": 2}}, {"model": "x"},
    ],
)  # fmt: skip
def test_a_change_that_says_nothing_or_too_much_is_refused(service, change):
    before = service.ask("GET", path(service)).json()
    assert service.ask("PATCH", path(service), json=change).status_code == 422
    assert service.ask("GET", path(service)).json() == before


def test_a_deleted_gallery_is_gone_with_its_people(ann):
    assert ann.ask("DELETE", path(ann)).json() == {"name": ann.gallery, "people": 1, "photos": 1}
    assert ann.ask("GET", "people").json()["code"] == "unknown_gallery"
    assert ann.audited("gallery.delete")[0].details == {"people": 1, "photos": 1}


def test_calibrating_measures_the_threshold_and_keeps_it(service):
    rng = np.random.default_rng(0)
    gallery = gallery_of(service)
    centres = rng.normal(size=(15, gallery.dimension))
    rows = centres[:, None] + 0.5 * rng.normal(size=(15, 2, gallery.dimension))
    rows = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    gallery.add_many({f"p{number}": [Face(row) for row in some] for number, some in enumerate(rows)})
    dry = service.ended(service.ask("POST", path(service, "/calibrate"), json={"far": 0.05, "dry_run": True}))
    assert dry["state"] == "done" and gallery.threshold is None
    done = service.ended(service.ask("POST", path(service, "/calibrate"), json={"far": 0.05}))
    result = service.client.get(f"/v1/jobs/{done['id']}/result").json()["result"]
    means = rows.sum(axis=1) / np.linalg.norm(rows.sum(axis=1), axis=-1, keepdims=True)
    impostors = np.array([photo @ means[b] for a in range(15) for photo in rows[a] for b in range(15) if a != b])
    assert result["impostor"] == len(impostors) and result["stored"]
    assert (impostors > result["threshold"] + 1e-5).mean() <= 0.05 <= (impostors > result["threshold"] - 1e-5).mean()
    assert result["far"] <= 0.05
    assert gallery.threshold.similarity == pytest.approx(result["threshold"])


def test_too_few_people_to_calibrate_is_told_as_the_reason(ann):
    job = ann.ended(ann.ask("POST", path(ann, "/calibrate"), json={}))
    assert job["state"] == "failed" and "100000 comparisons" in job["error"]
    result = ann.client.get(f"/v1/jobs/{job['id']}/result")
    assert (result.status_code, result.json()["code"]) == (409, "conflict")


def test_an_exported_gallery_is_imported_elsewhere_the_same(ann, pictures):
    ann.ask("PATCH", "people/Ann", json={"metadata": {"team": "A"}})
    job = ann.ended(ann.ask("POST", path(ann, "/export")))
    told = ann.client.get(f"/v1/jobs/{job['id']}/result").json()
    [file] = told["files"]
    content = ann.client.get(f"/v1/jobs/{job['id']}/result", params={"file": file["name"]})
    assert len(content.content) == file["bytes"] == told["result"]["bytes"]
    assert "no-store" in content.headers["cache-control"] and "attachment" in content.headers["content-disposition"]
    copy = other(ann, f"copy of {ann.gallery}")
    upload = {"files": {"file": ("x.gallery", content.content)}}
    assert ann.ended(ann.ask("POST", f"galleries/{copy.gallery}/import", **upload))["state"] == "done"
    assert copy.ask("GET", "people").json() == ann.ask("GET", "people").json()
    assert copy.search(pictures.obama3) == ["Ann"]
    twice = ann.ended(ann.ask("POST", f"galleries/{copy.gallery}/import", **upload))
    assert twice["state"] == "failed" and "merge" in twice["error"]
    merged = ann.ended(ann.ask("POST", f"galleries/{copy.gallery}/import", {"mode": "merge"}, **upload))
    assert ann.client.get(f"/v1/jobs/{merged['id']}/result").json()["result"]["known"] == 1
    copy.ask("DELETE", "people/Ann")
    copy.enrol("Bob", pictures.biden)
    replaced = ann.ended(ann.ask("POST", f"galleries/{copy.gallery}/import", {"mode": "replace"}, **upload))
    assert replaced["state"] == "done" and copy.names() == ["Ann"] and copy.search(pictures.obama3) == ["Ann"]


def test_a_damaged_file_is_refused_without_a_path_of_the_machine_and_changes_nothing(ann):
    job = ann.ended(ann.ask("POST", path(ann, "/import"), {"mode": "replace"}, files={"file": b"PK nonsense"}))
    assert job["state"] == "failed" and "people.gallery: cannot be imported" in job["error"]
    assert str(ann.folder) not in job["error"] and ann.names() == ["Ann"]
    assert ann.ask("POST", path(ann, "/import"), files={"wrong": b"x"}).json()["code"] == "no_file"
    assert ann.ask("POST", path(ann, "/import"), json={}).json()["code"] == "no_file"


def test_another_model_is_built_beside_compared_and_switched_to(ann, pictures, monkeypatch):
    """The other model is a wrapper whose embeddings are turned about: nothing here needs a second one."""
    model = ann.services.recognizers.of(ann.gallery).model
    turned = Turned(model)
    monkeypatch.setattr(reembed, "load", lambda services, name: turned)
    job = ann.ended(ann.ask("POST", path(ann, "/reembed"), json={"model": "sface"}))
    assert job["state"] == "done", job["error"]
    made = ann.client.get(f"/v1/jobs/{job['id']}/result").json()["result"]
    assert (made["people"], made["photos"], made["lacking"]) == (1, 1, [])
    assert ann.ask("GET", f"galleries/{made['gallery']}").json()["source"] == ann.gallery
    switched = ann.ask("POST", path(ann, "/switch"), json={"other": made["gallery"]}).json()["galleries"]
    assert [(each["name"], each["model"]) for each in switched] == [
        (ann.gallery, "turned"), (made["gallery"], model.name),
    ]  # fmt: skip
    assert other(ann, made["gallery"]).search(pictures.obama2) == ["Ann"]  # the old gallery, under the other name
    back = ann.ask("POST", path(ann, "/switch"), json={"other": made["gallery"]})
    assert back.status_code == 200 and ann.search(pictures.obama2) == ["Ann"]


class Turned:
    """A recogniser of other embeddings."""

    name, digest = "turned", "f" * 64

    def __init__(self, model: networks.Network):
        self._model, self.card, self.dim = model, model.card, model.dim

    def embed(self, crops):
        return self._model.embed(crops)[:, ::-1].copy()


def test_a_key_of_one_gallery_sees_and_does_nothing_elsewhere(guarded):
    mine = guarded.as_("admin", "staff")
    assert [each["name"] for each in mine.ask("GET", "galleries").json()["galleries"]] == ["staff"]
    for method, where, body in (
        ("GET", "galleries/guests", None), ("DELETE", "galleries/guests", None),
        ("PATCH", "galleries/guests", {"threshold": {"similarity": 0.5}}), ("PATCH", "galleries/staff", {"name": "x"}),
        ("POST", "galleries", {"name": "x"}), ("POST", "galleries/staff/switch", {"other": "guests"}),
        ("POST", "galleries/guests/export", {}), ("POST", "galleries/staff/reembed", {"model": "sface"}),
    ):  # fmt: skip
        refused = mine.ask(method, where, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), where
    for where in ("people", "people/Ann", "people/Ann/photos"):
        assert mine.ask("GET", where, {"gallery": "guests"}).status_code == 403
    assert {each.name for each in guarded.services.database.summaries()} == {"staff", "guests"}


ROLES = {  # who may, at least
    "enrol": [
        ("POST", "people"), ("PATCH", "people/Ann"), ("DELETE", "people/Ann"), ("POST", "people/Ann/photos"),
        ("DELETE", "people/Ann/photos"), ("DELETE", "people/Ann/photos/1"), ("POST", "people/Ann/merge"),
        ("POST", "people/Ann/move"), ("POST", "undo/x"), ("POST", "jobs/enroll"),
    ],
    "admin": [
        ("POST", "people/Ann/erase"), ("POST", "galleries"), ("PATCH", "galleries/staff"),
        ("DELETE", "galleries/staff"), ("POST", "galleries/staff/switch"), ("POST", "galleries/staff/calibrate"),
        ("POST", "galleries/staff/reembed"), ("POST", "galleries/staff/export"), ("POST", "galleries/staff/import"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("role", ["read", "enrol"])
def test_a_role_does_no_more_than_it_may(guarded, role):
    key = guarded.as_(role)
    refused = ROLES["admin"] + (ROLES["enrol"] if role == "read" else [])
    for method, where in refused:
        answer = key.ask(method, where)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), where
    for method, where in ROLES["enrol"] if role == "enrol" else []:
        assert key.ask(method, where).status_code in (404, 422), where
