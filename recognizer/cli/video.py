"""``recognizer video``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.failures import ERROR, say
from common.cli.tables import show, show_json
from recognizer.cli.options import Json, RecognitionOptions

if TYPE_CHECKING:
    from recognizer.video import Track, VideoProgress, VideoResult

COLUMNS = ("Who", "Similarity", "Runner-up", "Margin", "From", "To", "Best", "Examined")
MaxSide = Annotated[
    int | None,
    typer.Option(
        help="Look for faces in pictures shrunk to so many pixels in the longer side.", min=64, show_default=False
    ),
]


def video(
    path: Annotated[Path, typer.Argument(metavar="IN", help="A video file.")],
    options: RecognitionOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Annotated copy: .mp4, .m4v, .mov or .mkv.", metavar="FILE", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="The file of --out may be overwritten.")] = False,
    every: Annotated[int, typer.Option(help="Look for faces in every so many frames.", min=1)] = 3,
    start: Annotated[float, typer.Option(help="Begin at this second.", min=0)] = 0.0,
    end: Annotated[float | None, typer.Option(help="End at this second.", show_default=False)] = None,
    max_side: MaxSide = None,
    as_json: Json = False,
    boxes: Annotated[bool, typer.Option("--boxes", help="With --json: where each face is, frame by frame.")] = False,
) -> None:
    """Say who is in a video, and when: one line per track, a face followed as long as it is in sight.

    Each track is named once, by its best frames. A video that is damaged or cut short is recognised as far as it can
    be read; that is said in a warning, and the exit code is 2. Interrupted, it writes nothing.
    """
    from recognizer.video import recognize_video

    with options.open() as recognizer, _bar() as progress:
        result = recognize_video(
            recognizer, path, out, every=every, start=start, end=end, max_side=max_side, overwrite=force,
            progress=progress,
        )  # fmt: skip
    if any(track.recognition.similarity == -1 for track in result.tracks):
        say("note", "nobody is enrolled, so every face is a stranger. `recognizer enroll` puts people in.")
    if as_json:
        show_json({"video": str(path), **result.to_mapping(boxes)})
    else:
        _show(result)
    for note in result.notes:
        say("note", note)
    if out:
        say("note", f"the annotated video is {out}")
    for damage in result.damage:
        say("warning", f"{path} is damaged: {damage}")
    if result.damage:
        raise typer.Exit(ERROR)


def _show(result: "VideoResult") -> None:
    if result.tracks:
        show(COLUMNS, [_row(track) for track in result.tracks])
    else:
        print("no face found")
    say("note", f"{result.frames} frames, {result.seconds:.2f} s; faces were looked for in {result.examined} frames.")
    say("note", f"faces are called by a name from a similarity of {result.threshold:g}.")


def _row(track: "Track") -> tuple[str, ...]:
    best, second = track.recognition, track.recognition.runner_up
    times = (_clock(track.first), _clock(track.last), _clock(track.best_time), str(len(track.times)))
    if best.similarity == -1:
        return ("unknown", "-", "-", "-", *times)
    runner_up = f"{second.name} {second.similarity:.3f}" if second else "-"
    margin = f"{best.similarity - second.similarity:.3f}" if second else "-"
    return (best.name or "unknown", f"{best.similarity:.3f}", runner_up, margin, *times)


def _clock(seconds: float) -> str:
    """1:02:03.40, or 2:03.40 within the first hour."""
    minutes, rest = divmod(round(seconds * 100), 6000)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{rest / 100:05.2f}"


@contextmanager
def _bar() -> Iterator[Callable[["VideoProgress"], None] | None]:
    """What moves a bar on standard error, with frames per second and the time left; None where it is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[frames]} frames, {task.fields[rate]:.1f}/s, {task.fields[left]} left"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, int] = {}

        def move(progress: "VideoProgress") -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = shown.add_task(progress.stage, total=None, frames=0, rate=0.0, left="?")
            shown.update(
                tasks[progress.stage], frames=progress.frames, rate=progress.rate,
                total=None if progress.fraction is None else 1.0, completed=progress.fraction or 0.0,
                left="?" if progress.left is None else _clock(progress.left),
            )  # fmt: skip

        yield move
