"""``recognizer rename``, ``merge``, ``move`` and ``metadata``: putting right who is who; no network is loaded."""

import json
from typing import Annotated

import typer

from common.cli.tables import show, show_json
from common.errors import BadArgument
from recognizer.cli.auditing import audit, entry
from recognizer.cli.options import GalleryOptions
from recognizer.cli.people import required

Name = Annotated[str, typer.Argument(metavar="NAME", help="The person.")]


def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW-NAME", help="What the person is called from now on.")],
    options: GalleryOptions,
) -> None:
    """Give a person another name."""
    with required(options) as (database, gallery):
        person = gallery.rename(name, new_name)
        audit(database, entry("person.change", gallery.name, name, metadata=False, to=person.name))
    print(f"{name} is now {person.name}.")


def merge(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="People who are really the one of --into.")],
    into: Annotated[str, typer.Option(help="The person who gets all photos.", show_default=False)],
    options: GalleryOptions,
) -> None:
    """Make one person of several: all photos go to one, the other names are forgotten."""
    from db.names import distinct
    from recognizer.index import forget_snapshots

    with required(options) as (database, gallery):
        person = gallery.merge(names, into)
        forget_snapshots(gallery.uid)
        audit(database, *[entry("person.merge", gallery.name, each, into=person.name) for each in distinct(names)])
    show(("Name", "Photos"), [(person.name, str(person.count))])


def move(
    photos: Annotated[list[int], typer.Argument(metavar="ID", help="Photos, by the ids of `recognizer photos`.")],
    to: Annotated[str, typer.Option(help="The person they are of.", show_default=False)],
    options: GalleryOptions,
    create: Annotated[bool, typer.Option("--create", help="The person may be a new one.")] = False,
) -> None:
    """Give photos to another person. Who has no photo left is forgotten."""
    from recognizer.index import forget_snapshots

    with required(options) as (database, gallery):
        person = gallery.move(photos, to, create)
        forget_snapshots(gallery.uid)
        audit(database, entry("photo.move", gallery.name, person.name, photos=len(set(photos))))
    show(("Name", "Photos"), [(person.name, str(person.count))])


def metadata(
    name: Name,
    options: GalleryOptions,
    set_to: Annotated[
        str | None, typer.Option("--set", help="A JSON object to keep in place of the one so far.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Keep nothing.")] = False,
) -> None:
    """Show what is kept with a person, as JSON, or keep something else."""
    if clear and set_to is not None:
        raise BadArgument("Give either --set or --clear.")
    with required(options) as (database, gallery):
        if clear or set_to is not None:
            person = gallery.set_metadata(name, None if clear else _parsed(set_to))
            audit(database, entry("person.change", gallery.name, person.name, metadata=True))
        else:
            person = gallery.person(name)
    show_json(person.metadata)


def _parsed(text: str) -> dict:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadArgument(f"--set takes a JSON object, such as '{{\"team\": \"A\"}}': {error}.") from None
    if not isinstance(value, dict):
        raise BadArgument(f"--set takes a JSON object, not {type(value).__name__}.")
    return value
