"""Long work: asked for, waited for, and its files fetched whole or not at all."""

import io
import zipfile

import pytest

from common.errors import BadArgument
from recognizer.client import Client, JobEnded, ServiceRefused, StillRunning, jobs
from recognizer.client import connection as connections
from tests.recognizer.client.relays import relayed


@pytest.fixture
def exported(client, photos):
    """A job that has written a gallery with Ann to a file."""
    client.add_person("Ann", [photos.obama, photos.obama2])
    return client.wait(client.export_gallery("staff"))


def test_a_gallery_is_written_to_a_file_fetched_and_read_into_another_one(client, exported, tmp_path):
    [file] = client.result(exported).files
    path = client.download(exported, file.name, tmp_path)
    assert path == tmp_path / "people.gallery" and path.stat().st_size == file.bytes
    assert [each.name for each in tmp_path.iterdir()] == ["people.gallery"]
    imported = client.wait(client.import_gallery("copy / of staff", path))
    assert client.result(imported.id).result["people"] == 1
    assert client.person("Ann", gallery="copy / of staff").photos == 2
    with pytest.raises(JobEnded) as ended:
        client.wait(client.import_gallery("copy / of staff", path.read_bytes()))
    assert ended.value.job.state == "failed" and ended.value.job.error in str(ended.value)
    assert client.wait(client.import_gallery("copy / of staff", path.open("rb"), mode="replace")).state == "done"
    client.delete_gallery("copy / of staff")


def test_a_file_that_is_there_is_not_written_over_unless_that_is_asked_for(client, exported, tmp_path):
    kept = tmp_path / "mine"
    kept.write_text("mine")
    with pytest.raises(BadArgument):
        client.download(exported, "people.gallery", kept)
    assert kept.read_text() == "mine"
    assert client.download(exported, "people.gallery", kept, overwrite=True).stat().st_size > 1000
    for wrong in ("none.mp4", "../people.gallery"):
        with pytest.raises(ServiceRefused) as refused:
            client.download(exported, wrong, tmp_path)
        assert refused.value.code == "not_found"
    assert jobs._target("../../people.gallery", tmp_path) == tmp_path / "people.gallery"  # wherever the service says
    for wrong in ("", "..", "a/.."):
        with pytest.raises(BadArgument):
            client.download(exported, wrong, tmp_path)
    with pytest.raises(BadArgument):
        client.download(exported, "people.gallery", tmp_path / "no folder" / "file")
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_download_that_is_cut_is_begun_again_and_leaves_no_part(client, exported, server, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "FIRST_PAUSE", 0.01)
    whole = client.download(exported, "people.gallery", tmp_path / "whole").read_bytes()
    with relayed(server) as relay, Client(relay.url, server.keys["admin"], retries=2) as cut:
        relay.half = len(whole) // 2
        relay.plan += ["half", "half"]
        assert cut.download(exported, "people.gallery", tmp_path / "again").read_bytes() == whole
        relay.plan += ["half"] * 3
        with pytest.raises(connections.ServiceUnreachable):
            cut.download(exported, "people.gallery", tmp_path / "never")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again", "whole"]


def test_progress_is_told_until_the_job_is_done(client, photos):
    client.add_person("Ann", photos.obama)
    told = []
    done = client.wait(client.export_gallery("staff"), told.append, timeout=20)
    assert told[-1] == done and done.state == "done" and {each.id for each in told} == {done.id}


def test_everyone_of_an_archive_is_enrolled(client, photos):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(photos.obama, "Ann/1.jpg")
        archive.write(photos.biden, "Bob/1.jpg")
    packed.seek(0)
    job = client.enroll_archive(packed)
    assert (job.kind, job.gallery) == ("enroll", "staff") and job in [client.job(job), job]
    client.wait(job)
    assert [each.name for each in client.people()] == ["Ann", "Bob"]
    assert job.id in [each.id for each in client.jobs("done", "enroll", page_size=1)]
    assert job.id not in [each.id for each in client.jobs(kind="video")]


def test_a_job_that_fails_or_takes_too_long_is_told(client, tmp_path):
    video = tmp_path / "no.mp4"
    video.write_bytes(b"no video" * 100_000)
    asked = client.recognize_video(video, annotate=False, every=2, end=1.5)
    with pytest.raises(JobEnded) as ended:
        client.wait(asked)
    assert ended.value.job.id == asked.id and "failed" in str(ended.value)
    with pytest.raises(ServiceRefused) as refused:
        client.result(asked)
    assert (refused.value.code, refused.value.details) == ("conflict", {"state": "failed"})
    assert client.cancel_job(asked).state == "failed"


def test_a_job_that_nobody_does_is_waited_for_as_long_as_that_and_cancelled(client, server):
    job = server.database.jobs.create("waiting", {"gallery": "staff"})
    looked = []
    with pytest.raises(StillRunning):
        client.wait(job.id, looked.append, timeout=0.2)
    assert 1 <= len(looked) <= 3
    assert client.cancel_job(job.id).state == "cancelled"
    with pytest.raises(JobEnded):
        client.wait(job.id)
    with pytest.raises(ServiceRefused) as refused:
        client.job(2**31 - 1)
    assert refused.value.code == "unknown_job"


def test_other_work_on_galleries_is_a_job(client, photos):
    client.add_person("Ann", [photos.obama, photos.obama2])
    with pytest.raises(JobEnded) as ended:
        client.wait(client.calibrate_gallery("staff", far=0.1, dry_run=True))
    assert ended.value.job.kind == "calibrate"
    with pytest.raises(ServiceRefused) as refused:
        client.reembed_gallery("staff", "/etc/passwd")
    assert refused.value.code == "unknown_choice"
    with pytest.raises(JobEnded):
        client.wait(client.reembed_gallery("staff", "mobilefacenet", into="staff"))
