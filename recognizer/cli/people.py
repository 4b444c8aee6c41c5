"""``recognizer people``, ``photos`` and ``forget``: the gallery alone, no network is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.failures import NO, say
from common.cli.tables import show, show_json
from common.errors import UnknownGallery, UnknownPerson
from recognizer.cli.auditing import audit, entry
from recognizer.cli.confirm import Yes, agreed
from recognizer.cli.database import opened as database_of
from recognizer.cli.options import GalleryOptions, Json

if TYPE_CHECKING:
    from db import Person
    from db.database import Database
    from db.gallery import Gallery


def people(
    options: GalleryOptions,
    prefix: Annotated[str, typer.Option(help="Only names that begin so; case counts.", show_default=False)] = "",
    after: Annotated[
        str | None, typer.Option(help="Only names after this one: the last of the page before.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1, show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List who is enrolled, by name."""
    with opened(options) as (_, name, gallery):
        persons = gallery.people(prefix, after, limit) if gallery else []
    if as_json:
        show_json([_person(each) for each in persons])
    elif persons:
        rows = [(each.name, str(each.count), f"{each.created:%Y-%m-%d %H:%M} UTC") for each in persons]
        show(("Name", "Photos", "Since"), rows)
    elif prefix or after:
        print(f"Nobody of gallery {name!r} has such a name.")
    else:
        print(f"Nobody is enrolled in gallery {name!r}.")
    if limit and len(persons) == limit:
        say("note", f"there may be more: add --after {persons[-1].name!r}")


def photos(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person.")],
    options: GalleryOptions,
    as_json: Json = False,
) -> None:
    """List a person's photos, oldest first, with the ids that `move` takes."""
    with required(options) as (_, gallery):
        found = gallery.photos(name)
    if as_json:
        show_json([asdict(each) | {"created": each.created.isoformat()} for each in found])
        return
    rows = [
        (
            str(each.id),
            each.source or "-",
            "-" if each.score is None else f"{each.score:.3f}",
            f"{each.created:%Y-%m-%d %H:%M} UTC",
            "yes" if each.has_crop else "no",
        )
        for each in found
    ]
    show(("Id", "Source", "Score", "Added", "Crop kept"), rows)


def forget(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="The people to forget.")],
    options: GalleryOptions,
    yes: Yes = False,
) -> None:
    """Forget people entirely: names, embeddings and all.

    Asks first. If one of them is not in the gallery, nobody is forgotten. Exits 1 when the answer is no.
    """
    from recognizer.index import forget_snapshots

    with required(options) as (database, gallery):
        persons = {person.name: person for person in map(gallery.person, names)}
        if not yes and not agreed(_question(len(persons), sum(each.count for each in persons.values())), "Forgetting"):
            print("Nobody was forgotten.")
            raise typer.Exit(NO)
        forgotten = gallery.delete(list(persons))
        forget_snapshots(gallery.uid)
        audit(database, *[entry("person.delete", gallery.name, name, undo_seconds=0) for name in forgotten])
    show(("Forgotten", "Photos"), [(name, str(persons[name].count)) for name in forgotten])


def _question(people: int, photos: int) -> str:
    what = f"{people} {'person' if people == 1 else 'people'} ({photos} {'photo' if photos == 1 else 'photos'})"
    return f"Forget {what} for good?"


def _person(person: "Person") -> dict[str, Any]:
    return {
        "name": person.name,
        "photos": person.count,
        "since": person.created.isoformat(),
        "metadata": person.metadata,
    }


@contextmanager
def required(options: GalleryOptions) -> Iterator[tuple["Database", "Gallery"]]:
    """The database and the gallery. Raises UnknownPerson where nobody was ever enrolled in it."""
    with opened(options) as (database, name, gallery):
        if gallery is None:
            raise UnknownPerson(f"Nobody is enrolled in gallery {name!r}.")
        yield database, gallery


@contextmanager
def opened(options: GalleryOptions) -> Iterator[tuple["Database", str, "Gallery | None"]]:
    """The database, the gallery's name, and the gallery, None where nobody was ever enrolled in it."""
    from db.names import clean

    chosen = options.settings()
    name = clean(chosen.gallery, "gallery")
    with database_of(chosen) as database:
        try:
            gallery = database.find(name)
        except UnknownGallery:
            gallery = None
        yield database, name, gallery
