"""The benchmark of the service: the load counts what it gets, verdicts follow from what was seen, its parts run."""

import asyncio
import io
import json
import threading
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from bench import service
from bench.serving import attacks, forms, keys, mixed, overload, search, video
from bench.serving.load import measured
from bench.serving.outcome import Outcome, Place
from bench.serving.people import ASKED, KNOWN, fill, require_known
from bench.serving.photos import SIZE, portrait
from bench.serving.running import Service
from bench.serving.workers import percentile
from common.errors import FaceError, NothingEnrolled
from mtcnn import read_picture
from recognizer import Recognizer
from recognizer.results import Recognition
from recognizer.service.uploads import size_of
from recognizer.video.results import Track, VideoResult


@pytest.fixture
def server():
    """A function that starts a server, which answers as a function of the number of the request says; its port."""
    servers = []

    def start(answer: Callable[[int], tuple[int, float, bool]]):
        count, lock = iter(range(1_000_000)), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 (as http.server calls it)
                self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    status, seconds, closes = answer(next(count))
                time.sleep(seconds)
                self.send_response(status)
                self.send_header("Content-Length", "3")
                if closes:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"yes")

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

        servers.append(Server(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,)).start()
        return servers[-1].server_port

    yield start
    for each in servers:
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="module")
def place(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """Where parts are measured for moments, among thirty people."""
    folder = tmp_path_factory.mktemp("place")
    url = f"sqlite:///{folder}/people.db"
    fill(url, 30)
    return Place(folder, url, portrait(ASKED), 0.4, 1, 0.07)


@pytest.fixture
def task(tmp_path):
    (tmp_path / "request").write_bytes(forms.request("POST", "/", b"x" * 300_000))
    return {"requests": [str(tmp_path / "request")], "seconds": 0.6, "warm": 0.1}


def test_clients_wait_for_answers_and_ask_again_also_where_the_connection_was_closed(server, task):
    found = measured({**task, "port": server(lambda number: (200, 0.05, number % 3 == 0)), "clients": 3})
    assert not found["failures"] and found["done"].keys() == {"200"}
    assert 4 <= found["done"]["200"] <= 3 * 0.6 / 0.05 + 3
    assert min(found["answers"]["200"]) >= 0.05 and 0 < found["cpu"] < 1


def test_answers_are_told_apart_by_status_and_timed_from_the_sending(server, task):
    port = server(lambda number: (503, 0.0, False) if number % 2 else (200, 0.4, False))
    found = measured({**task, "port": port, "rate": 60, "connections": 50})
    assert found["unsent"] == 0 and not found["failures"]
    assert len(found["answers"]["200"]) + len(found["answers"]["503"]) == pytest.approx(0.6 * 60, abs=12)
    assert percentile(found["answers"]["200"], 0.5) >= 400 > percentile(found["answers"]["503"], 0.5)


def test_a_rate_is_kept_while_answers_are_waited_for_as_far_as_there_are_connections(server, task):
    port = server(lambda _: (200, 1.0, False))
    enough = measured({**task, "port": port, "rate": 40, "connections": 40})
    assert enough["unsent"] == 0
    few = measured({**task, "port": port, "rate": 40, "connections": 5})
    assert few["unsent"] == pytest.approx(0.7 * 40 - 5, abs=8)


def test_connections_that_are_refused_or_lost_are_failures(task):
    found = measured({**task, "port": 9, "clients": 1, "seconds": 0.1})
    assert found["failures"] and set(found["failures"]) == {"ConnectionRefusedError"}
    assert not found["answers"] and not found["done"]


def test_a_form_is_read_as_it_was_meant():
    body = forms.form([b"one\r\n", b"two"], {"name": "Zoë"})

    async def receive():
        return {"type": "http.request", "body": body}

    async def told():
        headers = [(b"content-type", forms.FORM.encode())]
        form = await Request({"type": "http", "method": "POST", "headers": headers}, receive).form()
        return form["name"], [await each.read() for each in form.getlist("photos")]

    assert asyncio.run(told()) == ("Zoë", [b"one\r\n", b"two"])
    whole = forms.request("POST", "/v1/search", body, {"Content-Type": forms.FORM})
    head, _, rest = whole.partition(b"\r\n\r\n")
    assert rest == body and f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


def test_the_gallery_knows_the_one_who_is_asked_about_by_other_photos(place):
    assert read_picture(place.photo).shape == (SIZE[1], SIZE[0], 3)
    with Recognizer(database=place.url) as recognizer:
        assert len(recognizer.customs()) == 31
        names = [face.name for face in recognizer.recognize(place.photo)]
    require_known(names)
    assert names == [KNOWN]
    for wrong in ([], [None], [KNOWN, None]):
        with pytest.raises(NothingEnrolled):
            require_known(wrong)


def test_the_service_is_compared_with_the_best_of_the_bare_ones():
    runs = {search._bare(callers): [{"rate": rate, "cpu": 1.5}] * 3 for callers, rate in zip((1, 2, 4), (30, 40, 35))}
    seconds = [0.1] * 98 + [0.2, 0.3]
    for clients, rate in ((1, 20), (8, 36), (32, 38)):
        turn = {"rate": rate, "seconds": seconds, "failures": 1, "service_cpu": 1.5, "load_cpu": 0.02}
        runs[search._clients(clients)] = [turn, turn | {"rate": 1000}, turn | {"rate": 1}]
    rows = {row[0]: row[1:] for row in search.table(runs).rows}
    assert rows["service, 8 clients"][:5] == ["36.0", "90 %", "100", "300", "3.00"]
    assert rows["bare `Recognizer.recognize`, 1 thread"][:2] == ["30.0", "75 %"]
    assert search.facts(runs) == {"bare": "the best of 1, 2, 4 threads: 2", "searches that failed": "9"}


def test_of_overload_it_is_told_what_was_done_and_how_fast_the_others_were_refused():
    capacity = {"counted": 2, "done": {"200": 80}, "answers": {}, "cpu": 0.01, "unsent": 0, "failures": []}
    over = {
        "counted": 2, "done": {"200": 76, "503": 700, "500": 1}, "answers": {"503": [0.01] * 99 + [0.04]},
        "cpu": 0.05, "unsent": 3, "failures": ["x"],
    }  # fmt: skip
    runs = [{"capacity": capacity, "offered": 400.0, "over": over}]
    assert overload.table(runs).rows[1] == [
        "10 times as many", "400", "38.0", "95 %", "350", "10.0", "40.0", "40", "0.05"
    ]  # fmt: skip
    assert overload.facts(runs)["overload"].startswith("3 requests could not be sent")
    assert overload.facts(runs)["overload"].endswith("1 connections failed, other answers: 500")


def test_keys_are_checked_where_they_are_held_and_read_where_they_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "HELD", 200)
    monkeypatch.setattr(keys, "READ", 20)
    found = keys.checks(f"sqlite:///{tmp_path}/keys.db")
    middle = {name: percentile(seconds, 0.5) for name, seconds in found.items()}
    held, read, wrong, unknown, other = middle.values()
    assert max(held, wrong, other) < min(read, unknown)
    assert len(keys.table(found).rows) == 5


def test_memory_is_compared_between_the_beginning_and_the_end():
    class Sampled:
        def between(self, first, last):
            return [100.0] if (first, last) == (60, 180) else [103.0] if (first, last) == (540, 600) else []

    rows = mixed.memory(Sampled(), 600, 120.0).rows
    assert [row[1:] for row in rows] == [["100", "-"], ["103", "+3.0 %"], ["120", "-"]]


def test_pictures_of_attacks_are_what_they_claim_to_be():
    assert zlib.decompress(attacks.zeros(3 * attacks.MEGABYTE)) == bytes(3 * attacks.MEGABYTE)
    whole = attacks.png(1000, 1000, attacks.zeros(attacks.MEGABYTE))
    assert Image.open(io.BytesIO(whole)).size == (1000, 1000) and len(whole) < 3000
    sizes = [size_of(bomb) for bomb in attacks.bombs()]
    assert sum(size is not None and max(size) > 30_000 for size in sizes) == 5
    assert all(len(bomb) < 2 * attacks.MEGABYTE for bomb in attacks.bombs())


def track(name, boxes):
    recognition = Recognition(name, 0.9 if name else 0.1, None, boxes[0], np.zeros((5, 2), np.float32), 0.99)
    times = np.arange(len(boxes)) / video.RATE
    landmarks = np.zeros((len(boxes), 5, 2), np.float32)
    return Track(recognition, 0.0, times, np.array(boxes, np.float32), landmarks, times[0], times[-1])


def test_a_face_is_named_right_only_where_it_is_and_a_name_elsewhere_is_wrong(tmp_path):
    here, there = np.array([10, 10, 50, 60.0]), np.array([200, 10, 240, 60.0])
    cast = [video.Actor("Ann", np.zeros((1, 1, 3)), []), video.Actor(None, np.zeros((1, 1, 3)), [])]
    clip = video.Clip(tmp_path, cast, [{0: here, 1: there}] * 4)

    def judged(*tracks):
        return video.judge(clip, VideoResult(list(tracks), 0.5, 4, 4, 0.2, (300, 100), [], []))

    right = judged(track("Ann", [here] * 4), track(None, [there] * 4))
    assert right["Ann"] == {"frames": 4, "found": 4, "right": 4, "wrong": 0}
    assert right["stranger 1"]["right"] == 4 and right["nobody"]["wrong"] == 0
    wrong = judged(track(None, [here] * 4), track("Ann", [there] * 2))
    assert wrong["Ann"] == {"frames": 4, "found": 4, "right": 0, "wrong": 0}
    assert wrong["stranger 1"] == {"frames": 4, "found": 2, "right": 0, "wrong": 2}
    assert judged(track("Ann", [there + [40, 0, 40, 0]] * 4))["nobody"]["wrong"] == 4


def test_everybody_in_the_clip_is_where_it_is_said(mobilefacenet_files, mtcnn_files, tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    monkeypatch.setattr(video, "SECONDS", 1)
    with Recognizer(database="sqlite://") as recognizer:
        cast = video.actors(tmp_path)
        clip = video.made(tmp_path, cast, lambda photo: recognizer.detector.detect_single(photo).boxes[0])
        with av.open(str(clip.path)) as file:
            pictures = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
        assert len(pictures) == len(clip.boxes) == video.RATE and pictures[0].shape == (*video.SIZE[::-1], 3)
        for number in (0, 24):
            found = recognizer.detect(pictures[number]).boxes
            for box in clip.boxes[number].values():
                assert video.intersection_over_union(box[None], found).max() > 0.6
    assert len(video.actors(tmp_path)) == 3 and cast[0].name == KNOWN


def test_a_part_that_fails_is_told_and_the_others_are_measured(mobilefacenet_files, mtcnn_files, monkeypatch):
    seen: list[Place] = []

    def fails(place):
        seen.append(place)
        raise FaceError("no such thing")

    def works(place):
        seen.append(place)
        return Outcome([search.Table("Works", ["a"], [["1"]])], {"value": 1}, {"works": "yes"})

    monkeypatch.setattr(service, "PARTS", {"fails": fails, "works": works})
    report = service.run(["fails", "works"], 5, 1.0, 1, 1.0)
    assert report.facts["fails"] == "not measured: FaceError: no such thing" and report.facts["works"] == "yes"
    assert [table.title for table in report.tables] == ["Works"] and report.data == {"works": {"value": 1}}
    assert seen[0].url != seen[1].url, "what one part enrols concerns no other"


def test_searches_are_answered_by_a_real_service_and_all_parts_of_the_day_by_another(place, monkeypatch):
    monkeypatch.setattr(mixed, "LAST_JOB", 3.0)
    monkeypatch.setattr(mixed, "JOBS_EVERY", 0.2)
    monkeypatch.setattr(search, "CALLERS", (1,))
    monkeypatch.setattr(search, "CLIENTS", (2,))
    found = search.measure(place)
    assert found.facts["searches that failed"] == "0" and len(found.tables[0].rows) == 2
    day = mixed.measure(place)
    assert day.data["errors"] == []
    assert day.data["seconds"].keys() >= {"search", "verify", "list", "enrol", "job"}
    json.dumps(day.data)


def test_a_service_that_cannot_start_says_why(tmp_path):
    with pytest.raises(FaceError, match="did not start.*KEYS must be one of"):
        Service(tmp_path, f"sqlite:///{tmp_path}/people.db", service_keys="perhaps")
