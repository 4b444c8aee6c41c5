"""Jobs: each is done once by one of all workers, can be followed and cancelled, and leaves no file behind."""

import io
import json
import threading
import time
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import db
from common.errors import BadArgument, DatabaseError
from recognizer.service.jobs import folders, task
from recognizer.service.jobs.folders import Folders
from recognizer.service.jobs.kinds import calibrate, enroll
from recognizer.service.jobs.runner import OURS, Runner
from recognizer.service.settings import ServiceSettings


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A database and what does its jobs, without networks; ``does(function)`` is what the kind "calibrate" does."""
    monkeypatch.setattr(task, "BEAT_SECONDS", 0.02)
    with db.open(f"sqlite:///{tmp_path}/people.db") as database:
        services = SimpleNamespace(database=database, settings=ServiceSettings(jobs_folder=str(tmp_path / "jobs")))
        yield SimpleNamespace(
            jobs=database.jobs,
            new=lambda: Runner(services),
            folders=Folders(tmp_path / "jobs"),
            does=partial(monkeypatch.setattr, calibrate, "calibrate"),
        )


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def filed(worker, kind="calibrate"):
    """A job that has a file."""
    folder = worker.folders.new()
    folder.take_in(io.BytesIO(b"handed in"), "file")
    return worker.jobs.create(worker.folders.queue_of(kind), {"folder": folder.token}), folder


def test_a_job_is_done_and_what_was_handed_in_is_removed(worker):
    def work(task):
        assert (task.folder.inputs / "file").read_bytes() == b"handed in"
        (task.folder.outputs / "made").write_bytes(b"1234")
        return {"answer": 42}

    worker.does(work)
    job, folder = filed(worker)
    assert worker.new().run_one() and not worker.new().run_one()
    done = worker.jobs.get(job.id)
    assert (done.state, done.result) == ("done", {"answer": 42})
    assert not folder.inputs.exists() and folder.files() == {"made": 4}


def test_it_is_told_how_far_a_job_is(worker):
    seen = []

    def work(task):
        for number in task.over(range(5), 5):
            if number == 3:
                wait_for(lambda: worker.jobs.get(job.id).done == 3)
                seen.append(worker.jobs.get(job.id).total)

    worker.does(work)
    job, _ = filed(worker)
    worker.new().run_one()
    done = worker.jobs.get(job.id)
    assert seen == [5] and (done.done, done.total) == (5, 5)


def test_a_cancelled_job_stops_at_its_next_step_and_leaves_no_file(worker):
    steps = []

    def work(task):
        (task.folder.outputs / "half").write_bytes(b"1234")
        for number in task.over(range(10_000), 10_000):
            steps.append(number)
            time.sleep(0.005)

    worker.does(work)
    job, folder = filed(worker)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(worker.new().run_one)
        wait_for(lambda: steps)
        worker.jobs.cancel(job.id)
        running.result(10)
    assert worker.jobs.get(job.id).state == "cancelled" and len(steps) < 5000 and not folder.path.exists()


def test_a_service_that_ends_gives_its_job_back_and_another_one_begins_it_anew(worker):
    begun = []

    def work(task):
        begun.append((task.folder.inputs / "file").exists())
        for _ in task.over(range(10_000), 10_000) if len(begun) == 1 else []:
            time.sleep(0.005)

    worker.does(work)
    job, folder = filed(worker)
    ending = worker.new()
    ending.start()
    wait_for(lambda: begun)
    ending.stop(10)
    assert (worker.jobs.get(job.id).state, worker.jobs.get(job.id).attempts) == ("queued", 0)
    worker.new().run_one()
    assert worker.jobs.get(job.id).state == "done" and begun == [True, True]


def test_a_job_whose_worker_died_is_taken_up_again(worker):
    worker.does(lambda task: {"attempt": task.job.attempts})
    job, _ = filed(worker)
    assert worker.jobs.claim("killed", worker.folders.queues(), lease_seconds=0.05)
    assert not worker.new().run_one()
    time.sleep(0.1)
    assert worker.new().run_one()
    assert worker.jobs.get(job.id).result == {"attempt": 2}


def test_who_lost_a_job_neither_ends_it_nor_takes_its_files_away(worker, monkeypatch):
    monkeypatch.setattr(task, "BEAT_SECONDS", 60)  # it hangs

    def work(task):
        time.sleep(0.1)
        assert worker.jobs.claim("other", worker.folders.queues())

    worker.does(work)
    job, folder = filed(worker)
    worker.new()._do(worker.jobs.claim("slow", worker.folders.queues(), lease_seconds=0.05))
    found = worker.jobs.get(job.id)
    assert (found.state, found.worker) == ("running", "other") and (folder.inputs / "file").exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("a secret"), OURS),
        (DatabaseError("server db.example: a secret"), OURS),
        (BadArgument("FOLDER/in/file: is no gallery"), "file: is no gallery"),
        (BadArgument("FOLDER/out is full"), "the file is full"),
    ],
)
def test_a_failed_job_says_why_without_the_particulars_of_the_machine(worker, error, told):
    def work(task):
        raise type(error)(str(error).replace("FOLDER", str(task.folder.path)))

    worker.does(work)
    job, folder = filed(worker)
    worker.new().run_one()
    found = worker.jobs.get(job.id)
    assert (found.state, found.error) == ("failed", told) and not folder.path.exists()


def test_a_result_that_is_too_large_fails_the_job(worker):
    worker.does(lambda task: {"large": "x" * 2**21})
    job, _ = filed(worker)
    worker.new().run_one()
    assert worker.jobs.get(job.id).state == "failed" and "1048576" in worker.jobs.get(job.id).error


def test_a_result_with_long_lists_is_cut_short_rather_than_lost(worker):
    rows = [f"{number} {'x' * 2000}" for number in range(1000)]
    worker.does(lambda task: {"rows": rows, "added": dict.fromkeys(rows, 1), "photos": 1000})
    job, _ = filed(worker)
    worker.new().run_one()
    found = worker.jobs.get(job.id)
    assert (found.state, found.result["photos"], found.result["shortened"]) == ("done", 1000, True)
    assert found.result["rows"] == rows[:100] and list(found.result["added"]) == rows[:100]


@pytest.mark.parametrize(("broken", "work"), [("finish", lambda task: {}), ("fail", lambda task: 1 / 0)])
def test_where_the_end_of_a_job_cannot_be_stored_its_files_stay_for_who_takes_it_up(worker, monkeypatch, broken, work):
    worker.does(work)
    job, folder = filed(worker)
    monkeypatch.setattr(type(worker.jobs), broken, raising(DatabaseError("away")))
    with pytest.raises(DatabaseError):
        worker.new().run_one()
    assert worker.jobs.get(job.id).state == "running" and (folder.inputs / "file").exists()


def raising(error):
    def function(*_, **__):
        raise error

    return function


def test_a_job_whose_files_are_gone_fails_with_a_sentence(worker):
    job, folder = filed(worker, "export")
    folder.remove()
    worker.new().run_one()
    assert "files of this job are gone" in worker.jobs.get(job.id).error


def test_a_job_of_a_later_release_fails_with_a_sentence(worker):
    job = worker.jobs.create("calibrate.later")
    lease = worker.jobs.claim("worker", ["calibrate.later"])
    object.__setattr__(lease.job, "kind", "hologram")
    worker.new()._do(lease)
    assert "hologram" in worker.jobs.get(job.id).error


def test_only_who_sees_the_files_takes_a_job_that_has_some(worker, tmp_path):
    elsewhere = Folders(tmp_path / "another machine")
    assert worker.jobs.claim("there", elsewhere.queues()) is None
    job, _ = filed(worker, "video")
    assert job.kind == f"video.{worker.folders.id}" != elsewhere.queue_of("video")
    assert worker.jobs.claim("there", elsewhere.queues()) is None
    assert worker.jobs.claim("here", worker.folders.queues()).job.id == job.id


def test_of_all_who_use_a_new_folder_at_the_same_time_each_gets_the_same_id(tmp_path):
    for number in range(20):
        start = threading.Barrier(4)

        def find(path=tmp_path / str(number), start=start):
            start.wait()
            return Folders(path).id

        with ThreadPoolExecutor(4) as pool:
            assert len({each.result() for each in [pool.submit(find) for _ in range(4)]}) == 1


def test_files_are_for_their_owner_only_and_go_with_their_job(worker, monkeypatch):
    (_, kept), (_, gone), young = filed(worker), filed(worker), worker.folders.new()
    assert [path.stat().st_mode & 0o777 for path in (kept.path, kept.inputs, kept.inputs / "file")] == [
        0o700, 0o700, 0o600,
    ]  # fmt: skip
    connections = worker.jobs._connections
    connections.write(lambda connection: connection.exec_driver_sql(f"DELETE FROM jobs WHERE id = {2}") and None)
    worker.new().sweep()
    assert gone.path.exists() and young.path.exists()  # they may be about to become a job's
    monkeypatch.setattr(folders, "YOUNG_SECONDS", -1)
    worker.new().sweep()
    assert kept.path.exists() and not gone.path.exists() and not young.path.exists()


@pytest.mark.parametrize("token", ["../jobs", "", None, 7, "0" * 32, "..", "id"])
def test_a_token_finds_nothing_else_than_the_folder_of_a_job(worker, token):
    assert worker.folders.find(token) is None


def archive(members):
    """A ZIP archive of contents by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def enrol(service, packed):
    return service.ended(service.ask("POST", "jobs/enroll", files={"archive": ("photos.zip", packed)}))


def result_of(service, job):
    return service.client.get(f"/v1/jobs/{job['id']}/result").json()["result"]


def test_people_of_an_archive_are_enrolled_and_a_second_time_passed_over(service, pictures):
    packed = archive({
        "facebank/Ann/1.png": pictures.obama, "facebank/Ann/2.png": pictures.obama2,
        "facebank/Bob/1.png": pictures.biden, "facebank/Eve/wall.png": pictures.wall, "loose.png": pictures.obama,
        "facebank/readme.txt": b"no picture", "__MACOSX/Ann/1.png": b"no picture", "facebank/.hidden/1.png": b"x",
    })  # fmt: skip
    job = enrol(service, packed)
    assert job["state"] == "done", job["error"]
    first = result_of(service, job)
    assert (first["added"], first["seen"]) == ({"Ann": 2, "Bob": 1}, 0)
    assert {each["source"]: each["reason"][:20] for each in first["refused"]} == {
        "wall.png": "no face found", "loose.png": "It is in no folder t",
    }  # fmt: skip
    assert [photo["source"] for photo in service.photos("Ann")] == ["1.png", "2.png"]
    assert service.search(pictures.obama3) == ["Ann"]
    told = [(each.person, each.details["photos"], each.details["job"]) for each in service.audited("person.add")]
    assert sorted(told) == [("Ann", 2, job["id"]), ("Bob", 1, job["id"])]
    assert {each.actor for each in service.audited("person.add")} == {service.audited("job.create")[0].actor}
    second = result_of(service, enrol(service, packed))
    assert len(service.audited("person.add")) == 2  # of nobody who was passed over
    assert (second["added"], second["seen"]) == ({"Ann": 0, "Bob": 0}, 3) and len(service.photos("Ann")) == 2


def bomb():
    """100 MB in 100 KB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Ann/1.png", bytes(100_000_000))
    return packed.getvalue()


def with_lie():
    """A bomb that claims to be small."""
    packed = bytearray(bomb())
    size = (100_000_000).to_bytes(4, "little")
    while size in packed:
        packed[packed.index(size) : packed.index(size) + 4] = (1000).to_bytes(4, "little")
    return bytes(packed)


def with_long_directory():
    packed = bytearray(archive({"Ann/1.png": b"x"}))
    at = packed.rindex(enroll.END)
    packed[at + 12 : at + 16] = (2**31).to_bytes(4, "little")
    return bytes(packed)


def with_zip64():
    packed = archive({"Ann/1.png": b"x"})
    at = packed.rindex(enroll.END)
    return packed[:at] + enroll.LOCATOR + bytes(16) + packed[at:]


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (bomb, "too large, or it cannot"), (with_lie, "too large, or it cannot"), (with_long_directory, "too long"),
        (with_zip64, "ZIP64"), (lambda: b"nonsense", "no ZIP archive"), (lambda: b"", "no ZIP archive"),
        (lambda: archive({"Ann/1.png": b"x"})[:-10], "no ZIP archive"),
        (lambda: archive({"readme": b"x"}), "No usable picture"),
    ],
)  # fmt: skip
def test_a_hostile_or_damaged_archive_enrols_nobody(service, packed, said):
    job = enrol(service, packed())
    assert job["state"] == "failed" and said in job["error"], job
    assert service.names() == []


def test_an_archive_that_lies_about_its_sizes_takes_no_more_memory_than_it_says(tmp_path):
    (tmp_path / "photos.zip").write_bytes(with_lie())
    with zipfile.ZipFile(tmp_path / "photos.zip") as file:
        tracemalloc.start()
        try:
            assert enroll._read(file, file.infolist()[0], 10**6) is None
            assert tracemalloc.get_traced_memory()[1] < 5 * 10**6  # it holds 100 MB
        finally:
            tracemalloc.stop()


def test_a_member_with_too_many_pixels_is_not_decoded(service, pictures):
    wide = cv2.imencode(".png", np.zeros((1_700, 30_000), np.uint8))[1].tobytes()
    job = enrol(service, archive({"Ann/1.png": pictures.obama, "Bob/1.png": wide}))
    [refused] = result_of(service, job)["refused"]
    assert (refused["name"], refused["reason"][:9]) == ("Bob", "too large") and service.names() == ["Ann"]


def test_a_video_is_named_drawn_and_removed(service, pictures, portraits, tmp_path):
    clips = pytest.importorskip("tests.recognizer.video.clips")
    service.enrol("Ann", pictures.obama2, pictures.obama3)
    scenes = [clips.scene((320, 240), (portraits.obama, (120 + 4 * number, 120), 160)) for number in range(10)]
    film = clips.write(tmp_path / "party.mp4", scenes).read_bytes()
    answer = service.ask("POST", "jobs/video", {"every": 2}, files={"video": ("party.mp4", film)})
    job = service.ended(answer)
    assert job["state"] == "done", job["error"]
    told = service.client.get(f"/v1/jobs/{job['id']}/result").json()
    assert [track["name"] for track in told["result"]["tracks"]] == ["Ann"]
    assert str(service.folder) not in json.dumps(told)
    assert sorted(file["name"] for file in told["files"]) == ["annotated.mp4", "tracks.json"]
    drawn = service.client.get(
        f"/v1/jobs/{job['id']}/result", params={"file": "annotated.mp4"}, headers={"Range": "bytes=0-99"}
    )
    assert drawn.status_code == 206 and len(drawn.content) == 100
    folder = next(path for path in (service.folder / "jobs").iterdir() if (path / "out" / "annotated.mp4").exists())
    assert not (folder / "in").exists()
    service.client.delete(f"/v1/jobs/{job['id']}")  # of one that has ended, the files
    gone = service.client.get(f"/v1/jobs/{job['id']}/result", params={"file": "annotated.mp4"})
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found") and not folder.exists()


@pytest.mark.parametrize("name", ["../in/video", "..", "/etc/passwd", ".", "../../id"])
def test_only_files_that_a_job_made_are_given_out(service, name):
    job = service.ended(service.ask("POST", f"galleries/{service.gallery}/export"))
    asked = service.client.get(f"/v1/jobs/{job['id']}/result", params={"file": name})
    assert (asked.status_code, asked.json()["code"]) == (404, "not_found")


def test_a_video_that_is_none_fails_with_a_sentence(service):
    job = service.ended(service.ask("POST", "jobs/video", files={"video": ("x.mp4", b"no video" * 100)}))
    assert job["state"] == "failed" and str(service.folder) not in job["error"], job["error"]


def test_a_job_that_is_sent_again_with_its_key_is_queued_once(service, pictures):
    key = {"Idempotency-Key": f"job of {service.gallery}"}
    packed = archive({"Ann/1.png": pictures.obama})
    answers = [service.ask("POST", "jobs/enroll", files={"archive": ("a.zip", packed)}, headers=key) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = service.ask("POST", "jobs/enroll", files={"archive": ("a.zip", packed + b"x")}, headers=key)
    assert other.json()["code"] == "idempotency_conflict"
    service.ended(answers[0])


def test_as_many_jobs_wait_as_may_and_the_next_is_refused_before_its_file_is_read(guarded):
    key, most = guarded.as_("read"), guarded.services.settings.max_jobs
    for _ in range(most):
        guarded.services.database.jobs.create("waiting")  # a kind that nobody does
    try:
        refused = key.ask("POST", "jobs/video", content=b"no form")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["retry-after"]) > 0
    finally:
        for job in guarded.services.database.jobs.list(state="queued"):
            guarded.services.database.jobs.cancel(job.id)


def test_a_job_is_seen_by_who_asked_for_it_and_by_admins_of_its_gallery(guarded):
    mine, others, admin = guarded.as_("read"), guarded.as_("read"), guarded.as_("admin")
    asked = mine.ask("POST", "jobs/video", files={"video": ("x.mp4", b"no video")})
    assert asked.status_code == 202
    number = asked.json()["id"]
    for who in (mine, admin, guarded.as_("admin", "staff")):
        assert who.client.get(f"/v1/jobs/{number}", headers=who.headers).status_code == 200
        assert number in [job["id"] for job in who.ask("GET", "jobs").json()["jobs"]]
    for who in (others, guarded.as_("enrol"), guarded.as_("admin", "guests")):
        for method, where in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
            hidden = who.client.request(method, f"/v1/jobs/{number}{where}", headers=who.headers)
            assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown_job")
        assert who.ask("GET", "jobs").json()["jobs"] == []
    assert asked.json()["owner"].startswith("key ")


def test_jobs_are_told_by_their_kind_whatever_machine_has_their_files(guarded):
    admin, jobs = guarded.as_("admin"), guarded.services.database.jobs
    folders = Folders(guarded.folder / "jobs")
    made = {kind: jobs.create(folders.queue_of(kind)) for kind in ("calibrate", "export", "reembed")}
    try:
        for kind, job in made.items():
            found = admin.ask("GET", "jobs", {"kind": kind}).json()["jobs"]
            assert job.id in [each["id"] for each in found] and {each["kind"] for each in found} == {kind}
        assert made["export"].kind != "export"  # it has files
        assert admin.ask("GET", "jobs", {"kind": "exp"}).json()["code"] == "invalid_request"
    finally:
        for job in made.values():
            jobs.cancel(job.id)


def test_pages_of_jobs_follow_each_other(worker, guarded):
    admin = guarded.as_("admin")
    numbers = [guarded.services.database.jobs.create("waiting").id for _ in range(5)]
    try:
        found, cursor = [], {}
        while cursor is not None:
            page = admin.ask("GET", "jobs", {"limit": 2, "state": "queued"} | cursor).json()
            found += [job["id"] for job in page["jobs"]]
            cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
        assert found == numbers[::-1]
    finally:
        for number in numbers:
            guarded.services.database.jobs.cancel(number)
