"""``recognizer camera`` and ``recognizer take-pic``."""

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.failures import printable, say
from common.cli.tables import show, show_json
from recognizer.cli.enroll import note as note_enrolment
from recognizer.cli.options import EnrolmentOptions, Json, RecognitionOptions
from recognizer.cli.video import MaxSide

if TYPE_CHECKING:
    from recognizer.results import Recognition
    from recognizer.video import Camera, LiveRecognizer
    from recognizer.video.mjpeg import LiveServer
    from recognizer.video.window import Window

Source = Annotated[
    str | None,
    typer.Option(
        help="0, 1, ...: a camera of this machine; rtsp://, rtsps://, http:// or https://; or a video file. "
        "RECOGNIZER_CAMERA when not given, else 0.",
        metavar="CAMERA",
        show_default=False,
    ),
]


def camera(
    options: RecognitionOptions,
    source: Source = None,
    port: Annotated[int, typer.Option(help="Where a browser of this machine finds it.", min=0, max=65535)] = 8765,
    window: Annotated[bool, typer.Option("--window", help="Show a window instead.")] = False,
    seconds: Annotated[float | None, typer.Option(help="End after so long.", min=0, show_default=False)] = None,
    max_side: MaxSide = None,
) -> None:
    """Recognise live: the camera's picture with boxes and names, in a browser of this machine.

    Says on standard output who comes into sight. A camera that is lost is opened again. Ctrl-C ends it.
    """
    from recognizer.video import LiveRecognizer

    with options.open() as recognizer, _opened(source) as opened:
        live = LiveRecognizer(recognizer, max_side)
        opened.shot()  # one that cannot be opened is an error before anything is shown
        with closing(_display(window, port)) as display:
            _run(opened, live, display, seconds)


def take_pic(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person, in any script.")],
    options: EnrolmentOptions,
    source: Source = None,
    pictures: Annotated[int, typer.Option(help="Take the best of so many pictures with a face.", min=1)] = 10,
    seconds: Annotated[float, typer.Option(help="Do not wait for them longer than this.", min=0.1)] = 10.0,
    as_json: Json = False,
) -> None:
    """Enrol a person from a camera: the best face of several pictures, or of those there are in time.

    Asks nothing. Who has photos already gets one more.
    """
    from recognizer.video import take_pic

    with options.open() as recognizer, _opened(source) as opened:
        taken = take_pic(recognizer, opened, name, pictures, seconds)
        note_enrolment(recognizer, taken.enrolment)
    width, height = (round(float(value)) for value in taken.box[2:] - taken.box[:2])
    say("note", f"took the best of {taken.pictures} pictures: a face of {width}x{height} pixels, at {taken.time:.1f} s")
    for note in taken.enrolment.notes:
        say("note", note.reason)
    if as_json:
        show_json(taken.enrolment.to_mapping())
    else:
        show(("Enrolled", "Photos"), [(name, str(count)) for name, count in taken.enrolment.added.items()])


def _opened(source: str | None) -> "Camera":
    from recognizer.video import Camera
    from recognizer.video.sources import holds_password

    if source is not None and holds_password(source):
        say(
            "warning", "the password in --source is seen by everyone who lists processes; set RECOGNIZER_CAMERA instead"
        )
    return Camera(source or os.environ.get("RECOGNIZER_CAMERA") or "0", report=lambda sentence: say("note", sentence))


def _display(window: bool, port: int) -> "LiveServer | Window":
    if window:
        from recognizer.video.window import Window

        return Window()
    from recognizer.video.mjpeg import LiveServer

    server = LiveServer(port)
    say("note", f"look at {server.url} in a browser of this machine; Ctrl-C ends it")
    return server


def _run(opened: "Camera", live: "LiveRecognizer", display: "LiveServer | Window", seconds: float | None) -> None:
    from recognizer.draw import annotate
    from recognizer.video.live import Arrivals

    arrivals, pictures, began = Arrivals(), 0, time.monotonic()
    for shot in opened:
        faces = live.look(shot.time, shot.picture)
        for face in arrivals.of(shot.time, faces):
            _announce(face)
        pictures += 1
        if not display.show(annotate(shot.picture, faces)):
            break
        if seconds is not None and time.monotonic() - began >= seconds:
            break
    say("note", f"{pictures} pictures, {pictures / max(time.monotonic() - began, 1e-6):.1f} a second")


def _announce(face: "Recognition") -> None:
    print(f"{time.strftime('%H:%M:%S')} {printable(face.name)} {face.similarity:.3f}", flush=True)
