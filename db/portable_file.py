"""Reading a gallery's file: whoever wrote it, what comes out is in order, or one clear error."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from common.errors import BadArgument, FaceError
from db import checks, vectors
from db import names as naming
from db.portable import FORMAT, PARTS, PEOPLE, VERSION, moment_text
from db.portable_archive import Damaged, Part, Progress, Reader, parsed, require_keys
from db.records import Face, Threshold
from db.restored import Member

MAX_LINE = 2**17  # bytes; metadata has at most half of that
MAX_CROP = 2**24  # bytes; what MySQL takes in one packet by default
MAX_DIMENSION = 2**16
MAX_WORD = 255  # characters
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class GalleryFile:
    """A file that :meth:`db.gallery.Gallery.export` wrote, as a context manager.

    Opening it checks its SHA-256 and its manifest; :meth:`verify` looks at everybody in it.

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
        self.model_name, self.model_digest = (_word(manifest["model"][key], key) for key in ("name", "digest"))
        self.dimension = _number(manifest["model"]["dimension"], 1, MAX_DIMENSION, "dimension")
        self.people = _number(manifest["people"], 0, 2**40, "number of people")
        self.photos = _number(manifest["photos"], 0, 2**40, "number of photos")
        self.threshold = None
        if manifest["threshold"] is not None:
            require_keys(manifest["threshold"], set(Threshold._fields), "manifest.json: threshold")
            self.threshold = Threshold(**manifest["threshold"])
            for name, value in self.threshold._asdict().items():
                if value is not None or name == "similarity":
                    checks.number(value, 0 if name == "far" else -1, 1, f"Its threshold's {name}")


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
        if moment.utcoffset() == timedelta(0) and moment >= EARLIEST and moment_text(moment) == text:
            return moment
    except (TypeError, ValueError):
        pass
    raise Damaged("a date is not written as it must be")


def _number(value: Any, low: int, high: int, what: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise Damaged(f"the {what} is not a whole number of {low} to {high}")
    return value


def _word(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_WORD or not value.isprintable():
        raise Damaged(f"the {what} of its model is no printable text of 1 to {MAX_WORD} characters")
    return value
