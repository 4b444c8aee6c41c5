"""``recognizer enroll`` and ``recognizer enroll-folder``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.failures import say
from common.cli.tables import show, show_json
from recognizer.cli.auditing import audit, entry
from recognizer.cli.options import EnrolmentOptions, Json
from recognizer.cli.progress import bar

if TYPE_CHECKING:
    from db.audit import Entry
    from recognizer import Enrolment, Recognizer


def enroll(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person, in any script.")],
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos, or folders of photos.")],
    options: EnrolmentOptions,
    as_json: Json = False,
) -> None:
    """Put a person in, or add photos to one who is there.

    Of a photo with several faces the most prominent is taken. Photos that cannot be used are reported and
    left out; it is an error if none is left, and then nothing is stored.
    """
    from recognizer.cli.photos import expand

    paths = expand(photos)
    with options.open() as recognizer:
        enrolment = recognizer.add_customs(name, paths, progress=bar)
        note(recognizer, enrolment)
    _report(enrolment, as_json)


def enroll_folder(
    facebank: Annotated[Path, typer.Argument(metavar="FACEBANK", help="One folder of photos per person.")],
    options: EnrolmentOptions,
    as_json: Json = False,
) -> None:
    """Put in everyone of a facebank: FACEBANK/NAME/photo.jpg.

    Stored in batches, while the next is being read. Photos that a person has already are passed over, so an
    interrupted call is simply made again. Photos that cannot be used are reported and left out.
    """
    with options.open() as recognizer:

        def stored(photos: dict[str, int]) -> None:
            audit(recognizer.database, *[_added(recognizer, *each) for each in photos.items()])

        enrolment = recognizer.add_facebank(facebank, progress=bar, stored=stored)
    _report(enrolment, as_json)


def note(recognizer: "Recognizer", enrolment: "Enrolment") -> None:
    """Write who was enrolled into the audit log."""
    refused = len(enrolment.refused)
    audit(recognizer.database, *[_added(recognizer, *each, refused=refused) for each in enrolment.added.items()])


def _added(recognizer: "Recognizer", name: str, photos: int, **more: int) -> "Entry":
    return entry("person.add", recognizer.gallery.name, name, photos=photos, **more)


def _report(enrolment: "Enrolment", as_json: bool) -> None:
    for refusal in enrolment.refused:
        say("warning", f"{refusal.source or refusal.name}: not used: {refusal.reason}")
    for note in enrolment.notes:
        say("note", f"{note.source}: {note.reason}")
    if as_json:
        show_json(enrolment.to_mapping())
        return
    if enrolment.added:
        show(("Enrolled", "Photos"), [(name, str(count)) for name, count in enrolment.added.items()])
    if enrolment.seen:
        say("note", f"{enrolment.seen} photos were enrolled already.")
    if enrolment.refused:
        total = sum(enrolment.added.values()) + enrolment.seen + len(enrolment.refused)
        say("note", f"{len(enrolment.refused)} of {total} photos were not used; the warnings say why.")
