"""A gallery as one file, for keeping it elsewhere or taking it to another database, of another engine.

Members of the file: ``people.jsonl`` has a line for each person, by name, followed by a line for each of the person's
photos; ``embeddings.f32`` (little-endian float32) and ``crops.bin`` hold what belongs to these photos, one behind the
other in their order; ``manifest.json`` says which model it is of, how much there is, and the SHA-256 of each.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import sqlalchemy as sa

from common.errors import BadArgument, FaceError, ModelMismatch, UnknownGallery
from db import checks, people, restored, vectors
from db import names as naming
from db.gallery import Gallery
from db.portable_archive import Damaged, Part, Reader, Writer, parsed, require_keys
from db.records import Face, Threshold
from db.restored import Member
from db.schema import faces, persons, templates
from db.write import Write

if TYPE_CHECKING:
    from db.database import Database

FORMAT, VERSION = "insightface-tensorflow gallery", 1
PEOPLE, EMBEDDINGS, CROPS = PARTS = ("people.jsonl", "embeddings.f32", "crops.bin")
BATCH_PEOPLE, BATCH_PHOTOS = 1000, 500  # held in memory at a time; crops of 25 KB make 12 MB of them
MAX_LINE = 2**17  # bytes; metadata has at most half of that
MAX_CROP = 2**24  # bytes; what MySQL takes in one packet by default
MAX_DIMENSION = 2**16
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
DIGITS = 12  # of a digest, as errors show it

_columns = (persons.c.id, persons.c.name, persons.c.metadata, persons.c.created, templates.c.count)

Progress = Callable[[Iterable, int], Iterable]


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        people: added, who were not there.
        photos: added.
        known: photos that were there already.
    """

    people: int
    photos: int
    known: int = 0


def export(gallery: Gallery, path: str | Path, force: bool = False, progress: Progress | None = None) -> int:
    """Write a gallery, as it is at one moment, to a file that only its owner may read.

    The file has its name when it is complete and on the disk. Memory does not grow with the gallery.

    Args:
        path: of the file, which must not be there yet, unless ``force``.
        progress: wraps the steps: called with an iterable and its length.

    Returns:
        Bytes written.

    Raises:
        BadArgument: there is such a file already, or it cannot be written.
        UnknownGallery, ModelMismatch, DatabaseError: as the methods of the gallery.
    """
    with _replaced(Path(path), force) as file, gallery._connections.reading() as connection:
        writer = Writer(file)
        threshold = gallery._state_in(connection, "template").threshold
        here = persons.c.gallery_id == gallery._id
        counted = sa.select(sa.func.count(), sa.func.sum(templates.c.count)).join_from(persons, templates)
        number, photos = (int(each or 0) for each in connection.execute(counted.where(here)).one())
        steps = _write_parts(connection, gallery, writer)
        for _ in progress(steps, len(PARTS) * number) if progress else steps:
            pass
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "gallery": gallery.name,
            "model": {"name": gallery.model_name, "digest": gallery.model_digest, "dimension": gallery.dimension},
            "threshold": threshold and threshold._asdict(),
            "people": number,
            "photos": photos,
        }
        writer.finish(manifest, progress)
        return file.tell()


class GalleryFile:
    """A file that :func:`export` wrote. A context manager; nothing of the file is trusted before :meth:`verify`.

    Attributes:
        path: of the file.
        gallery: the name that the gallery had.
        model_name, model_digest, dimension: the model of its embeddings.
        threshold: None where none was set.
        people, photos: how many it holds.

    Raises:
        BadArgument: it is no such file, or it was altered; or it cannot be read.
    """

    def __init__(self, path: str | Path, progress: Progress | None = None):
        self.path = Path(path)
        self._verified = False
        with ExitStack() as opened:
            self._file = opened.enter_context(self._opened())
            with self._refused():
                self._reader = Reader(self._file, PARTS, progress)
                self._read_manifest(self._reader.manifest)
            self._closing = opened.pop_all()

    def __repr__(self) -> str:
        return f"GalleryFile({str(self.path)!r})"

    def __enter__(self) -> "GalleryFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing.close()

    def verify(self, progress: Progress | None = None) -> None:
        """Read it from beginning to end, and look at everything in it.

        Raises:
            BadArgument: something of it is not in order.
        """
        if not self._verified:
            for _ in progress(self.members(), self.people) if progress else self.members():
                pass
            self._verified = True

    def members(self) -> Iterator[Member]:
        """Its people, by name; each is looked at as it is read, and the whole at the end.

        Raises:
            BadArgument: something of it is not in order.
        """
        with self._refused(), ExitStack() as opened:
            parts = [opened.enter_context(self._reader.part(name)) for name in PARTS]
            before, photos = "", 0
            for number in range(1, self.people + 1):
                try:
                    member = _read_member(*parts, self.dimension, self.photos - photos)
                except (FaceError, Damaged) as error:
                    raise Damaged(f"person {number}: {error}") from None
                if member.name <= before:
                    raise Damaged(f"person {number}: names must be in order, each once")
                before, photos = member.name, photos + len(member.faces)
                yield member
            for part in parts:
                part.finish()
            if photos != self.photos:
                raise Damaged(f"it holds {photos} photos; its manifest says {self.photos}")

    def _opened(self) -> BinaryIO:
        try:
            if not self.path.is_file():
                raise BadArgument(f"{self.path}: no such file." if not self.path.exists() else f"{self.path}: no file.")
            return self.path.open("rb")
        except (OSError, ValueError) as error:
            raise BadArgument(f"{self.path}: cannot be read ({getattr(error, 'strerror', error)}).") from None

    @contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BadArgument(f"{self.path}: cannot be read ({error.strerror}). Nothing of it was stored.") from None
        except (Damaged, FaceError) as error:
            raise BadArgument(
                f"{self.path}: cannot be imported: {str(error).rstrip('.')}. Nothing of it was stored; fetch the file "
                "anew, or export the gallery again."
            ) from None

    def _read_manifest(self, manifest: dict[str, Any]) -> None:
        if manifest.get("format") != FORMAT:
            raise Damaged("it is no gallery")
        if manifest.get("version") != VERSION:
            raise Damaged("a newer insightface-tensorflow wrote it: upgrade this one")
        keys = {"format", "version", "gallery", "model", "threshold", "people", "photos"}
        require_keys(manifest, keys, "manifest.json")
        require_keys(manifest["model"], {"name", "digest", "dimension"}, "manifest.json: model")
        self.gallery = naming.clean(manifest["gallery"], "gallery")
        self.model_name, self.model_digest, dimension = manifest["model"].values()
        self.dimension = _number(dimension, 1, MAX_DIMENSION, "dimension")
        self.people = _number(manifest["people"], 0, 2**40, "number of people")
        self.photos = _number(manifest["photos"], 0, 2**40, "number of photos")
        self.threshold = None
        if manifest["threshold"] is not None:
            require_keys(manifest["threshold"], set(Threshold._fields), "manifest.json: threshold")
            self.threshold = Threshold(**manifest["threshold"])
            for name, value in self.threshold._asdict().items():
                if value is not None or name == "similarity":
                    checks.number(value, 0 if name == "far" else -1, 1, f"Its threshold's {name}")


def store(
    database: "Database",
    file: GalleryFile,
    name: str,
    merge: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Store the people of a file in the gallery of that name, which is made where there is none.

    A new gallery, or one that is to replace another one, is made beside it, under the name "NAME (import, not
    finished)", and gets its name in one step when it is complete. Into a gallery that is there, all goes in one
    transaction: other writers to it wait for that.

    Args:
        file: is verified from beginning to end before anything is written.
        merge: whether people may be there already. Their photos are added, except those of which they have the
            embedding already; metadata is taken where they have none.
        replace: whether the people who are there are to be forgotten.
        progress: wraps the people: called with an iterable and its length.

    Raises:
        BadArgument: the file is damaged; or somebody is in the gallery, without ``merge`` or ``replace``.
        ModelMismatch: the gallery belongs to another model than the file.
        BadName, DatabaseError.
    """
    if merge and replace:
        raise BadArgument("Merge with the people who are there, or replace them: give one of the two.")
    name = naming.clean(name, "gallery")
    with database.alone("import"):
        gallery = _there(database, name)
        if gallery is not None:
            _require_model(gallery, file)
            if not merge and not replace:
                _require_empty(name, gallery.count()[0])
        file.verify(progress)
        if gallery is not None and not replace:
            return _merge(gallery, file, None if merge else name, progress)
        return _build(database, file, name, gallery is not None, progress)


def _build(database: "Database", file: GalleryFile, name: str, replace: bool, progress: Progress | None) -> Imported:
    """Make a gallery beside the others, and give it its name at the end."""
    staging = f"{name[:200]} (import, not finished)"
    if _there(database, staging) is not None:
        database.delete_gallery(staging)  # of an import that was interrupted
    gallery = database.create_gallery(staging, file.model_name, file.model_digest, file.dimension)
    members = file.members()
    for batch in _batches(progress(members, file.people) if progress else members):
        gallery._write(lambda write, batch=batch: restored.put(write, batch))
    if file.threshold is not None:
        gallery.set_threshold(*file.threshold)
    if replace:
        database.replace_gallery(name, staging)
    else:
        database.rename_gallery(staging, name)
    return Imported(file.people, file.photos)


def _merge(gallery: Gallery, file: GalleryFile, empty: str | None, progress: Progress | None) -> Imported:
    """Add everyone in one transaction; ``empty`` is the name of a gallery in which nobody may be."""

    def work(write: Write) -> Imported:
        if empty is not None:
            here = sa.select(sa.func.count()).where(persons.c.gallery_id == write.gallery_id)
            _require_empty(empty, write.connection.scalar(here))
        members, added = file.members(), Imported(0, 0)
        for batch in _batches(progress(members, file.people) if progress else members):
            some = _add(write, batch)
            added = Imported(added.people + some.people, added.photos + some.photos, added.known + some.known)
        return added

    added = gallery._write(work)
    if file.threshold is not None and gallery.threshold is None:
        gallery.set_threshold(*file.threshold)
    return added


def _add(write: Write, members: list[Member]) -> Imported:
    ids = people.find(write.connection, write.gallery_id, [member.name for member in members])
    new = [member for member in members if member.name not in ids]
    restored.put(write, new)
    known = [member for member in members if member.name in ids]
    there = _embeddings(write.connection, ids.values())
    unseen = {member.name: _unseen(member.faces, there[ids[member.name]]) for member in known}
    some = {name: faces for name, faces in unseen.items() if faces}
    people.stamp(write, [ids[name] for name in some])
    people.put_faces(write, ids, restored.face_rows(some, write.dimension))
    _add_metadata(write, {ids[member.name]: member.metadata for member in known if member.metadata is not None})
    photos = sum(len(member.faces) for member in members)
    added = sum(len(member.faces) for member in new) + sum(map(len, some.values()))
    return Imported(len(new), added, photos - added)


def _embeddings(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Counter]:
    """How often persons have each embedding."""
    found = {each: Counter() for each in ids}
    for batch in people.batches(found):
        stored = sa.select(faces.c.person_id, faces.c.embedding).where(faces.c.person_id.in_(batch))
        for person_id, embedding in connection.execute(stored):
            found[person_id][bytes(embedding)] += 1
    return found


def _unseen(some: Iterable[Face], there: Counter) -> list[Face]:
    unseen = []
    for face in some:
        stored = face.embedding.astype(vectors.STORED).tobytes()
        there[stored] -= 1
        if there[stored] < 0:
            unseen.append(face)
    return unseen


def _add_metadata(write: Write, metadata: dict[int, dict]) -> None:
    for batch in people.batches(metadata):
        without = sa.select(persons.c.id).where(persons.c.id.in_(batch), persons.c.metadata.is_(None))
        for person_id in write.connection.scalars(without).all():
            values = {"metadata": metadata[person_id], "revision": write.revision}
            write.connection.execute(sa.update(persons).where(persons.c.id == person_id).values(values))


def _there(database: "Database", name: str) -> Gallery | None:
    try:
        return database.find(name)
    except UnknownGallery:
        return None


def _require_model(gallery: Gallery, file: GalleryFile) -> None:
    if (gallery.model_digest, gallery.dimension) != (file.model_digest, file.dimension):
        raise ModelMismatch(
            f"{file.path} holds embeddings of {_model(file)}; gallery {naming.excerpt(gallery.name)} holds those of "
            f"{_model(gallery)}. Import it into another gallery."
        )


def _model(of: Gallery | GalleryFile) -> str:
    return f"{naming.excerpt(of.model_name)} (digest {of.model_digest[:DIGITS]}, dimension {of.dimension})"


def _require_empty(name: str, count: int) -> None:
    if count:
        raise BadArgument(
            f"Gallery {naming.excerpt(name)} holds {count} people: import into another one, or choose whether to "
            "merge with them or to replace them."
        )


def _write_parts(connection: sa.Connection, gallery: Gallery, writer: Writer) -> Iterator[int]:
    """Write the members that hold people, each in one go over all of them; one step for each person."""
    with writer.part(PEOPLE) as append:
        for batch in _pages(connection, gallery):
            photos = _photos(connection, batch)
            for person in batch:
                append(_line(_person(person)))
                for photo in photos[person.id]:
                    append(_line(photo))
                yield 1
    for name, column in ((EMBEDDINGS, faces.c.embedding), (CROPS, faces.c.crop)):
        with writer.part(name) as append:
            for batch in _pages(connection, gallery):
                for stored in _blobs(connection, batch, column):
                    append(stored)
                yield from range(len(batch))


def _pages(connection: sa.Connection, gallery: Gallery) -> Iterator[list[sa.Row]]:
    """All persons by name, so many at a time that their photos fit in memory."""
    selected = sa.select(*_columns).join_from(persons, templates).where(persons.c.gallery_id == gallery._id)
    last = ""
    while True:
        page = connection.execute(
            selected.where(persons.c.name > last).order_by(persons.c.name).limit(BATCH_PEOPLE)
        ).all()
        if not page:
            return
        for batch in _batches(page, lambda row: row.count):
            yield batch
        last = page[-1].name


def _photos(connection: sa.Connection, batch: list[sa.Row]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list] = {person.id: [] for person in batch}
    columns = (
        faces.c.person_id, faces.c.source, faces.c.score, faces.c.picture, faces.c.created, sa.func.length(faces.c.crop)
    )  # fmt: skip
    for ids in people.batches(found):
        selected = sa.select(*columns).where(faces.c.person_id.in_(ids)).order_by(faces.c.person_id, faces.c.id)
        for person_id, source, score, picture, created, crop in connection.execute(selected):
            values = {"source": source, "score": score, "picture": picture, "created": _text(created), "crop": crop}
            found[person_id].append(values)
    return found


def _blobs(connection: sa.Connection, batch: list[sa.Row], column: sa.Column) -> Iterator[bytes]:
    """Embeddings or crops in the order of persons and of their photos."""
    found: dict[int, list[bytes]] = {person.id: [] for person in batch}
    for ids in people.batches(found, people.FACES_BATCH):
        here = faces.c.person_id.in_(ids) & column.is_not(None)
        for person_id, stored in connection.execute(
            sa.select(faces.c.person_id, column).where(here).order_by(faces.c.person_id, faces.c.id)
        ):
            found[person_id].append(stored)
    for person in batch:
        yield from found[person.id]


def _person(row: sa.Row) -> dict[str, Any]:
    return {"name": row.name, "metadata": row.metadata, "created": _text(row.created), "photos": row[-1]}


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="microseconds")


def _read_member(lines: Part, embeddings: Part, crops: Part, dimension: int, most: int) -> Member:
    """The next person of a file, with at most ``most`` photos. Raises Damaged or FaceError."""
    values = parsed(lines.line(MAX_LINE), PEOPLE)
    require_keys(values, {"name", "metadata", "created", "photos"}, f"{PEOPLE}: a person")
    name = naming.clean(values["name"])
    if name != values["name"]:
        raise Damaged("the name is not in the form in which names are stored")
    count = _number(values["photos"], 1, most, "number of photos")
    some = [_read_face(lines, embeddings, crops, dimension) for _ in range(count)]
    checks.face_rows({name: some}, dimension)
    return Member(name, checks.metadata(values["metadata"]), _moment(values["created"]), some)


def _read_face(lines: Part, embeddings: Part, crops: Part, dimension: int) -> Face:
    values = parsed(lines.line(MAX_LINE), PEOPLE)
    require_keys(values, {"source", "score", "picture", "created", "crop"}, f"{PEOPLE}: a photo")
    source, crop = values["source"], None
    if isinstance(source, str) and source.encode("utf-8", "replace").decode() != source:
        raise Damaged("the source of a photo holds lone surrogates")
    if values["crop"] is not None:
        crop = crops.read(_number(values["crop"], 1, MAX_CROP, "size of a crop"))
    stored = embeddings.read(dimension * vectors.STORED.itemsize)
    embedding = np.frombuffer(stored, vectors.STORED).astype(np.float32)
    return Face(embedding, source, values["score"], crop, values["picture"], created=_moment(values["created"]))


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.utcoffset() == timedelta(0) and moment >= EARLIEST and _text(moment) == text:
            return moment
    except (TypeError, ValueError):
        pass
    raise Damaged("a date is not written as it must be")


def _number(value: Any, low: int, high: int, what: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise Damaged(f"the {what} is not a whole number of {low} to {high}")
    return value


def _batches(
    items: Iterable[Any], photos: Callable[[Any], int] = lambda member: len(member.faces)
) -> Iterator[list[Any]]:
    """Persons in lists that have not much more than ``BATCH_PHOTOS`` photos."""
    batch, count = [], 0
    for item in items:
        batch.append(item)
        count += photos(item)
        if count >= BATCH_PHOTOS:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


@contextmanager
def _replaced(path: Path, force: bool) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well, and until then is another, hidden one beside it."""
    path = path.expanduser()
    if path.is_dir() or not path.name:
        raise BadArgument(f"{path}: is a folder: give the name of a file.")
    if not force:
        _require_new(path)
    with _writing(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)  # 0600
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if force:
                temporary.replace(path)
            else:
                _link(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name, without ever taking it away from another one."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        _require_new(path)
    except OSError:  # a file system without hard links
        _require_new(path)
        temporary.replace(path)


def _require_new(path: Path) -> None:
    if os.path.lexists(path):
        raise BadArgument(f"{path} is there already: choose another name, or say that it may be overwritten (--force).")


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadArgument(f"{path}: cannot be written ({error.strerror}). No file was left there.") from None
