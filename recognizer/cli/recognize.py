"""``recognizer recognize`` and ``recognizer verify``."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.failures import ERROR, NO, say
from common.cli.tables import show, show_json
from common.errors import BadPicture
from recognizer.cli.options import Json, RecognitionOptions, RecognizerOptions
from recognizer.cli.progress import bar

if TYPE_CHECKING:
    from recognizer import Recognition, Recognizer
    from recognizer.cli.annotated import AnnotatedFolder

COLUMNS = ("Photo", "Who", "Similarity", "Runner-up", "Margin", "Score", "Box")
Photo = Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo.")]


@dataclass
class Examined:
    """What became of one photo; ``error`` says why it could not be examined."""

    photo: Path
    faces: list["Recognition"] = field(default_factory=list)
    annotated: Path | None = None
    error: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        if self.error:
            return {"photo": str(self.photo), "error": self.error}
        mapping = {"photo": str(self.photo), "faces": [face.to_mapping() for face in self.faces]}
        return mapping | ({"annotated": str(self.annotated)} if self.annotated else {})

    def to_rows(self) -> list[tuple[str, ...]]:
        """One row of ``COLUMNS`` per face."""
        if self.error:
            return []
        empty = ("",) * (len(COLUMNS) - 2)
        rows = [_row(face) for face in self.faces] or [("no face found", *empty)]
        return [(str(self.photo), *row) for row in rows]


def recognize(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos, or folders of photos.")],
    options: RecognitionOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for annotated copies; photos are never overwritten.", metavar="FOLDER"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say who is in photos: one line per face, best detection first.

    A stranger is "unknown"; the similarity is then the one to the nearest person. A photo that cannot be
    read is reported, the others are examined all the same, and the exit code is 2.
    """
    from recognizer.cli.photos import expand

    paths = expand(photos)
    with options.open() as recognizer:
        folder = _annotated_folder(out, paths) if out else None
        results = [examine(recognizer, path, folder) for path in bar(paths, len(paths))]
        threshold = recognizer.threshold
    if any(face.similarity == -1 for result in results for face in result.faces):
        say("note", "nobody is enrolled, so every face is a stranger. `recognizer enroll` puts people in.")
    if as_json:
        show_json([result.to_mapping() for result in results])
    elif any(not result.error for result in results):
        show_results(results)
        say("note", f"faces are called by a name from a similarity of {threshold:g}.")
    if folder:
        say("note", f"annotated photos are in {out}")
    if any(result.error for result in results):
        raise typer.Exit(ERROR)


def verify(photo_a: Photo, photo_b: Photo, options: RecognizerOptions, as_json: Json = False) -> None:
    """Say whether two photos are about one person: exits 0 if so, 1 if not."""
    with options.open() as recognizer:
        verification = recognizer.verify(photo_a, photo_b)
    if as_json:
        show_json({**asdict(verification), "similarity": round(verification.similarity, 4)})
    else:
        answer = "same person" if verification.same else "different people"
        print(f"{answer}: similarity {verification.similarity:.3f}, threshold {verification.threshold:g}")
    if not verification.same:
        raise typer.Exit(NO)


def examine(recognizer: "Recognizer", photo: Path, folder: "AnnotatedFolder | None") -> Examined:
    """Recognise the faces of one photo, and write its annotated copy; a bad one is reported at once."""
    from mtcnn import read_picture

    try:
        picture = read_picture(photo)
        faces = recognizer.recognize(picture)
        annotated = folder.write(photo, picture, faces) if folder else None
    except BadPicture as error:
        say("error", error)
        return Examined(photo, error=str(error))
    return Examined(photo, faces, annotated)


def _annotated_folder(out: Path, photos: list[Path]) -> "AnnotatedFolder":
    from recognizer.cli.annotated import AnnotatedFolder

    return AnnotatedFolder(out, photos)


def show_results(results: list[Examined]) -> None:
    """Print what was found, as a table."""
    show(COLUMNS, [row for result in results for row in result.to_rows()], whole=("Box",))


def _row(face: "Recognition") -> tuple[str, ...]:
    left, top, right, bottom = (round(float(value)) for value in face.box)
    box = f"{left},{top}-{right},{bottom}"
    who, runner_up = face.name or "unknown", face.runner_up
    if face.liveness and not face.liveness.live:
        who += " (not live)"
    if face.similarity == -1:
        return (who, "-", "-", "-", f"{face.score:.3f}", box)
    second = f"{runner_up.name} {runner_up.similarity:.3f}" if runner_up else "-"
    margin = f"{face.similarity - runner_up.similarity:.3f}" if runner_up else "-"
    return (who, f"{face.similarity:.3f}", second, margin, f"{face.score:.3f}", box)
