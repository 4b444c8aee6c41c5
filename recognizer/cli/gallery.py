"""``recognizer gallery``: galleries as a whole. Only create and reembed load a network."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.failures import NO, say
from common.cli.progress import counted
from common.cli.tables import show, show_json
from common.errors import UnknownGallery
from recognizer.cli.auditing import audit, entry
from recognizer.cli.confirm import Yes, agreed
from recognizer.cli.database import opened
from recognizer.cli.options import DatabaseOptions, GalleryOptions, Json, ModelOptions, ReembedOptions

if TYPE_CHECKING:
    from db import Summary, Threshold
    from db.database import Database
    from networks import Network
    from recognizer.calibrate import Calibration
    from recognizer.settings import Settings

SHOWN = 20  # people that a warning lists

Name = Annotated[str, typer.Argument(metavar="NAME", help="The gallery.")]
NewName = Annotated[str, typer.Argument(metavar="NEW-NAME", help="A name that no gallery has.")]


def list_galleries(options: DatabaseOptions, as_json: Json = False) -> None:
    """List the galleries: model, people, photos, threshold, and how far those have come that are being made."""
    with opened(options.settings()) as database:
        found = database.summaries()
    if as_json:
        show_json([_described(each) for each in found])
    elif found:
        columns = ("Gallery", "Model", "People", "Photos", "Threshold", "Made from")
        rows = [
            (each.name, each.model_name, str(each.people), str(each.photos), _threshold(each.threshold), _made(each))
            for each in found
        ]
        show(columns, rows)
    else:
        print("The database holds no gallery.")


def create(name: NewName, options: ModelOptions) -> None:
    """Make an empty gallery for a model. Enrolling makes one by itself, too."""
    settings = options.settings()
    with opened(settings) as database:
        model = _load(options.model or settings.model, settings, options.accept_license)
        gallery = database.create_gallery(name, model.name, model.digest, model.dim)
        audit(database, entry("gallery.create", gallery.name, model=model.name))
    print(f"Made {gallery.name!r} for {model.name}.")


def delete(name: Name, options: DatabaseOptions, yes: Yes = False) -> None:
    """Forget a gallery and all of its people. Asks first; exits 1 when the answer is no."""
    from recognizer.index import forget_snapshots

    with opened(options.settings()) as database:
        gallery = database.find(name)
        people, photos = gallery.count()
        question = f"Delete gallery {gallery.name!r} with {_many(people, photos)} for good?"
        if not yes and not agreed(question, "Deleting"):
            print("Nothing was deleted.")
            raise typer.Exit(NO)
        database.delete_gallery(gallery.name, partial(counted, what="deleting"))
        forget_snapshots(gallery.uid)
        audit(database, entry("gallery.delete", gallery.name, people=people, photos=photos))
    print(f"Deleted {gallery.name!r}: {_many(people, photos)}.")


def rename(name: Name, new_name: NewName, options: DatabaseOptions) -> None:
    """Give a gallery another name. Programs that have it open go on."""
    from db.names import clean

    with opened(options.settings()) as database:
        database.rename_gallery(name, new_name)
        audit(database, entry("gallery.rename", name, to=clean(new_name, "gallery")))
    print(f"{name!r} is now {new_name!r}.")


def copy(name: Name, new_name: NewName, options: DatabaseOptions) -> None:
    """Make a second gallery with the same people, photos and threshold.

    It has its name when it is complete. An interrupted copy goes on when the command is given again.
    """
    with opened(options.settings()) as database:
        gallery = database.copy_gallery(name, new_name, partial(counted, what="copying"))
        counts = gallery.count()
        audit(database, entry("gallery.copy", name, to=gallery.name))
    print(f"Made {gallery.name!r}: {_many(*counts)}.")


def switch(
    name: Name,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The gallery to exchange names with.")],
    options: DatabaseOptions,
) -> None:
    """Exchange the names of two galleries, in one step. The same command again takes it back.

    Programs that have one of the two open get an error from then on and must be started again, with the model of
    the gallery that has the name now.
    """
    with opened(options.settings()) as database:
        database.switch_galleries(name, other)
        now = database.find(name)
        audit(database, entry("gallery.switch", now.name, other=other))
    print(f"{now.name!r} holds embeddings of {now.model_name} now. Start programs that use it again, with that model.")


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    options: GalleryOptions,
    force: Annotated[bool, typer.Option("--force", help="The file may be overwritten.")] = False,
) -> None:
    """Write a gallery to one file: people, metadata, embeddings, crops, threshold.

    Any database of any engine can import it. Only you may read the file: keep it as you keep the gallery.
    """
    settings = options.settings()
    with opened(settings) as database:
        gallery = database.find(settings.gallery)
        size = gallery.export(file, force, partial(counted, what="exporting"))
        audit(database, entry("gallery.export", gallery.name, bytes=size))
    print(f"Wrote {gallery.name!r} to {file}: {size / 1e6:.1f} MB.")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `gallery export` wrote.")],
    options: GalleryOptions,
    merge: Annotated[bool, typer.Option("--merge", help="Add to the people who are there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Forget the people who are there.")] = False,
) -> None:
    """Store what is in a gallery's file, after all of it has been verified.

    The gallery must be new or empty, unless --merge or --replace is given. With --merge, people are put together
    by their names; what is there already is not added again, so that importing twice changes nothing.
    """
    from db.portable_file import GalleryFile
    from recognizer.index import forget_snapshots

    settings = options.settings()
    checking = partial(counted, what="verifying")
    with opened(settings) as database, GalleryFile(file, checking) as content:
        content.verify(checking)
        old = _uid(database, settings.gallery) if replace else None
        done = database.import_gallery(content, settings.gallery, merge, replace, partial(counted, what="importing"))
        if old is not None:
            forget_snapshots(old)
        mode = "replace" if replace else "merge" if merge else "new"
        audit(database, entry("gallery.import", settings.gallery, mode=mode, people=done.people, photos=done.photos))
    known = f"; {_number(done.known, 'photo')} there already" if done.known else ""
    print(f"Imported into {settings.gallery!r}: {_many(done.people, done.photos)} added{known}.")


def reembed(
    options: ReembedOptions,
    into: Annotated[
        str | None, typer.Option(help="Name of the new gallery; GALLERY-MODEL when not given.", show_default=False)
    ] = None,
    background: Annotated[bool, typer.Option("--background", help="Return at once; go on at low priority.")] = False,
) -> None:
    """Build the same people under another model, in a new gallery, from the crops that were kept.

    May be stopped at any time; the same command goes on, and takes over what has changed since. `gallery list`
    shows how far it is, `gallery switch` puts the new gallery in the old one's place.
    """
    from recognizer import reembed as work

    settings = options.chosen()
    with opened(settings) as database:
        source = database.find(settings.gallery)
        model = _load(settings.model, settings, options.accept_license)
        following = work.begin(database, source, model, into)
        name = following.target.name
        if background:
            pid, log = work.start_in_background(_arguments(options, source.name, name), name)
            print(f"Re-embedding goes on in the background, as process {pid}; what happens is written to {log}")
            return
        print(f"Re-embedding {source.name!r} with {model.name} into {name!r}.", flush=True)
        done = work.run(following, model, _warn, partial(_rated, what="re-embedding"))
        counts = {"people": done.people, "photos": done.photos}
        audit(database, entry("gallery.reembed", source.name, model=model.name, into=name, **counts))
    for person in done.lacking[:SHOWN]:
        say("warning", f"{person.name}: {person.taken} of {person.photos} photos came along")
    if done.lacking:
        total = _number(len(done.lacking), "person", "people")
        say("warning", f"{total} did not come along with every photo: photos without a crop cannot be embedded.")
    print(f"{name!r} has {_many(done.people, done.photos)} now.")


def calibrate(
    options: GalleryOptions,
    far: Annotated[float, typer.Option(help="False accept rate to be reached.")] = 1e-4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only; store nothing.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw both distributions, as PNG.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the threshold on the gallery's own people, and keep it with the gallery.

    Every photo is compared with the mean of its person's other photos, and with those of all other people. The
    threshold is the least cosine at which not more than --far of the strangers are accepted.
    """
    from recognizer import calibrate as work

    settings = options.settings()
    with opened(settings) as database:
        gallery = database.find(settings.gallery)
        found = work.calibrate(gallery, far, partial(counted, what="comparing"))
        if plot is not None:
            from recognizer.calibrate_plot import plot as draw

            draw(found, plot)
        if not dry_run:
            gallery.set_threshold(found.threshold, found.far, found.low, found.high)
            audit(database, entry("gallery.threshold", gallery.name, similarity=found.threshold))
    if as_json:
        show_json(_measured(found) | {"gallery": gallery.name, "stored": not dry_run})
        return
    _show_measured(found)
    print(f"Kept with gallery {gallery.name!r}." if not dry_run else "Nothing was stored.")


def _uid(database: "Database", name: str) -> str | None:
    try:
        return database.find(name).uid
    except UnknownGallery:
        return None


def _load(model: str, settings: "Settings", accept_license: bool) -> "Network":
    import networks

    return networks.load(
        model, threads=settings.threads, precision=settings.precision, device=settings.device,
        accept_license=accept_license,
    )  # fmt: skip


def _arguments(options: ReembedOptions, gallery: str, into: str) -> list[str]:
    """The command line that does the same in the foreground. It never holds a password: such a URL was refused."""
    given = asdict(options) | {"gallery": gallery, "into": into}
    accepted = ["--accept-license"] if given.pop("accept_license") else []
    options_given = [f"--{name}={value}" for name, value in given.items() if value is not None]
    return ["gallery", "reembed", *options_given, *accepted]


def _many(people: int, photos: int) -> str:
    return f"{_number(people, 'person', 'people')}, {_number(photos, 'photo')}"


def _number(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def _warn(name: str, source: str, reason: str) -> None:
    say("warning", f"{name}: {source or 'a photo'}: its crop cannot be used: {reason}")


def _rated(items: Iterable, total: int, what: str) -> Iterable:
    """``items`` again, counted by a bar that also shows how many a second, and the time that is left."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    return _shown(bar, items, total, what)


def _shown(bar: Any, items: Iterable, total: int, what: str) -> Iterable:
    with bar:
        task = bar.add_task(what, total=total, rate="")
        for item in items:
            yield item
            speed = bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{speed:.0f}/s" if speed else "")


def _described(gallery: "Summary") -> dict[str, Any]:
    return {
        "name": gallery.name,
        "model": gallery.model_name,
        "digest": gallery.model_digest,
        "dimension": gallery.dimension,
        "people": gallery.people,
        "photos": gallery.photos,
        "revision": gallery.revision,
        "threshold": gallery.threshold and gallery.threshold._asdict(),
        "since": gallery.created.isoformat(),
        "source": gallery.source,
        "pending": gallery.pending,
    }


def _threshold(threshold: "Threshold | None") -> str:
    if threshold is None:
        return "-"
    rate = "FAR not stated" if threshold.far is None else f"FAR {threshold.far:.2g}"
    return f"{threshold.similarity:.4f} ({rate})"


def _made(gallery: "Summary") -> str:
    if gallery.source is None:
        return "-"
    if not gallery.pending:
        return f"{gallery.source}, up to date"
    return f"{gallery.source}, {_number(gallery.pending, 'person', 'people')} to come"


def _measured(found: "Calibration") -> dict[str, Any]:
    return {
        "threshold": found.threshold,
        "low": found.low,
        "high": found.high,
        "wanted_far": found.wanted,
        "far": found.far,
        "tar": found.tar,
        "tar_low": found.tar_low,
        "tar_high": found.tar_high,
        "people": found.people,
        "of_people": found.of,
        "genuine": found.genuine,
        "impostor": found.impostor,
        "nearest": [
            {"names": [first, second], "similarity": similarity} for first, second, similarity in found.nearest
        ],
    }


def _show_measured(found: "Calibration") -> None:
    sampled = "" if found.people == found.of else f" (a sample of {found.of})"
    rows = [
        ("threshold", f"{found.threshold:.4f}", f"{found.low:.4f} to {found.high:.4f}"),
        ("FAR", f"{found.far:.3g}", f"{found.impostor} comparisons of strangers, {found.people} people{sampled}"),
    ]
    if found.tar is None:
        rows.append(("TAR", "-", "nobody has two photos"))
    else:
        interval = f"{found.tar_low:.4f} to {found.tar_high:.4f}, {found.genuine} photos of people who have others"
        rows.append(("TAR", f"{found.tar:.4f}", interval))
    show(("Measured", "Value", "95 % interval, from"), rows)
    for first, second, similarity in found.nearest:
        say("note", f"the most similar strangers: {first} and {second}, {similarity:.4f}")
