"""Whether the service says that it can be used, and what it has done by then."""

import gc

from fastapi.testclient import TestClient

from common import cores
from networks.engines import several
from recognizer.service.app import create_app
from recognizer.service.settings import ServiceSettings


def test_after_the_default_gallery_was_exchanged_it_is_ready_before_anybody_searches(guarded):
    admin = guarded.as_("admin")
    assert guarded.client.get("/v1/ready").status_code == 200
    try:
        assert admin.ask("POST", "galleries/staff/switch", json={"other": "guests"}).status_code == 200
        assert guarded.client.get("/v1/ready").json() == {"status": "ready"}
    finally:
        admin.ask("POST", "galleries/staff/switch", json={"other": "guests"})


def test_networks_have_their_copies_for_requests_at_the_same_time_before_it_is_ready(
    mobilefacenet_files, mtcnn_files, tmp_path, monkeypatch
):
    prepare, loaded = several.prepare, []

    def noted(threads):
        loaded.append((threads, len(several._living)))
        prepare(threads)

    monkeypatch.setattr(several, "prepare", noted)
    settings = ServiceSettings(pages=False, jobs_folder=str(tmp_path / "jobs"), inference_threads=3)
    with TestClient(create_app(settings, database=f"sqlite:///{tmp_path}/people.db")):
        [(threads, networks)] = loaded
    assert threads == 3
    assert networks >= 4 * (cores.usable() > 1), "MTCNN has three networks, and there is another one"


def test_what_was_loaded_is_spared_by_the_garbage_collector_until_the_end(mobilefacenet_files, mtcnn_files, tmp_path):
    gc.unfreeze()  # what other services of this process have spared
    settings = ServiceSettings(pages=False, jobs_folder=str(tmp_path / "jobs"))
    with TestClient(create_app(settings, database=f"sqlite:///{tmp_path}/people.db")):
        assert gc.get_freeze_count() > 50_000 and len(gc.get_objects()) < gc.get_freeze_count()
    assert gc.get_freeze_count() == 0
