"""``recognizer people`` and ``recognizer forget``: the gallery alone, no network is loaded."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import BadArgument, UnknownGallery, UnknownPerson
from recognizer.cli.failures import NO
from recognizer.cli.options import GalleryOptions, Json
from recognizer.cli.tables import show, show_json

if TYPE_CHECKING:
    from db.gallery import Gallery


def people(options: GalleryOptions, as_json: Json = False) -> None:
    """List who is enrolled."""
    with _opened(options) as (name, gallery):
        persons = gallery.people() if gallery else []
    if as_json:
        show_json(
            [{"name": each.name, "photos": each.count, "since": each.created.isoformat()} for each in persons]
        )
    elif persons:
        rows = [(each.name, str(each.count), f"{each.created:%Y-%m-%d %H:%M} UTC") for each in persons]
        show(("Name", "Photos", "Since"), rows)
    else:
        print(f"Nobody is enrolled in gallery {name!r}.")


def forget(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="The people to forget.")],
    options: GalleryOptions,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
    ] = False,
) -> None:
    """Forget people entirely: names, embeddings and all.

    Asks first. If one of them is not in the gallery, nobody is forgotten. Exits 1 when the answer is no.
    """
    with _opened(options) as (gallery_name, gallery):
        if gallery is None:
            raise UnknownPerson(f"Nobody is enrolled in gallery {gallery_name!r}.")
        persons = {person.name: person for person in map(gallery.person, names)}
        if not yes and not _agreed(len(persons), sum(person.count for person in persons.values())):
            print("Nobody was forgotten.")
            raise typer.Exit(NO)
        forgotten = gallery.delete(list(persons))
    show(("Forgotten", "Photos"), [(name, str(persons[name].count)) for name in forgotten])


def _agreed(people: int, photos: int) -> bool:
    if not sys.stdin.isatty():
        raise BadArgument("Forgetting asks first, and there is no terminal to ask on: add --yes.")
    what = (
        f"{people} {'person' if people == 1 else 'people'} ({photos} {'photo' if photos == 1 else 'photos'})"
    )
    return typer.confirm(f"Forget {what} for good?")


@contextmanager
def _opened(options: GalleryOptions) -> Iterator[tuple[str, "Gallery | None"]]:
    """The gallery's name, and the gallery, None where nobody was ever enrolled in it."""
    import db
    from db.names import clean
    from recognizer import settings

    chosen = settings.read(options.config, database=options.database, gallery=options.gallery)
    name = clean(chosen.gallery, "gallery")
    with db.open(chosen.database, chosen.database_timeout, chosen.database_password_file) as database:
        try:
            yield name, database.find(name)
        except UnknownGallery:
            yield name, None
