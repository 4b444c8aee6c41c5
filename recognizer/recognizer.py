"""The recognizer: detect, align, embed, search, enrol."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import db
import mtcnn
import networks
from common.errors import BadArgument, FaceError
from db import Face, Person, Photo
from db.names import clean
from mtcnn import Detections, Detector, Picture, read_picture
from recognizer import settings as settings_file
from recognizer.duplicates import Duplicates
from recognizer.enrolment import Enroller
from recognizer.facebank import FacebankEnrolment
from recognizer.faces import FaceReader
from recognizer.forms import Pictures, are_embeddings, as_list, each, is_many, people_and_pictures, ready_rows
from recognizer.gates import Gates
from recognizer.index import GalleryIndex, forget_snapshots
from recognizer.liveness import Antispoof
from recognizer.matcher import Matcher
from recognizer.results import Enrolment, Progress, Recognition, Verification

Done = TypeVar("Done")


class Recognizer:
    """Finds, aligns, embeds and names faces; its people live in a database.

    Arguments that are None come from ``configs/recognizer.yaml``. Safe to use from several threads.

    Args:
        model: a name of the zoo, a bundle's folder or the path of a model file (see ``networks.load``).
        database: ``sqlite://`` (in memory), ``sqlite:////path/people.db`` or ``mysql://user:password@host/database``;
            see :func:`db.open`.
        detector: a key of ``mtcnn.DETECTORS``, or a ``Detector``.
        gallery: name of the gallery within the database; it belongs to one model.
        threshold: cosine, -1..1, from which a face is called by a name; otherwise the gallery's, else the card's.
        device: "auto", "cpu" (OpenVINO) or "gpu" (Keras on TensorFlow).
        precision: "f32", "bf16" or "f16".
        threads: CPU threads.
        store_crops: whether enrolment keeps aligned faces, so that a later model can be given the same people.
        matching: "template": a face is compared with the mean of a person's photos; "photo": with each photo, of
            which the best counts.
        index: "auto" (by the number of people), "exact", "int8", "hnsw" or "milvus".
        gates: what becomes of photos whose quality is below the limits of the settings at enrolment: "require" refuses
            them, "report" stores them with a note, "off" does not measure it.
        liveness: "report" says of each face that is recognised or enrolled whether it is a person before the camera;
            "require" also calls nobody else by a name, and enrols nobody else; "off". ``verify`` and ready embeddings
            are not concerned.
        duplicates: whether enrolment notes photos that are as near to somebody else as photos of one person are:
            "always", "never", or "auto": while the gallery has at most 100,000 people, or its index is in memory.
        config: another settings file than ``recognizer.yaml``.
        accept_license: accept the licences of models that ask for it.
        progress: wraps the reading of a large gallery: called with an iterable and its length.

    Attributes:
        model, detector: the networks.
        database, gallery: where the people are.
        index: searches the gallery.
        reader, matcher, gates, enroller: what it is made of: see their classes.

    Raises:
        FaceError: one of its subclasses says what is wrong and what to do.
    """

    def __init__(
        self,
        model: str | PathLike | None = None,
        database: str | None = None,
        detector: str | Detector | None = None,
        gallery: str | None = None,
        threshold: float | None = None,
        device: str | None = None,
        precision: str | None = None,
        *,
        threads: int | None = None,
        store_crops: bool | None = None,
        matching: str | None = None,
        index: str | None = None,
        gates: str | None = None,
        liveness: str | None = None,
        duplicates: str | None = None,
        config: str | PathLike | None = None,
        accept_license: bool = False,
        progress: Progress | None = None,
    ):
        chosen = settings_file.read(
            config, model=model, database=database, gallery=gallery, threshold=threshold, device=device,
            precision=precision, threads=threads, store_crops=store_crops, matching=matching, index=index,
            gates=gates, liveness=liveness, duplicates=duplicates,
        )  # fmt: skip
        _check_threshold(chosen.threshold)
        self.model, self.detector, antispoof = _networks(chosen, detector, accept_license)
        self.database = db.open(chosen.database, chosen.database_timeout, chosen.database_password_file)
        try:
            self.gallery = self.database.gallery(chosen.gallery, self.model.name, self.model.digest, self.model.dim)
        except FaceError:
            self.database.close()
            raise
        self.index = GalleryIndex(
            self.database, self.gallery, chosen.index, chosen.matching, chosen.snapshot, chosen.index_options, progress
        )
        self._compose(chosen, antispoof)

    def _compose(self, chosen: settings_file.Settings, antispoof: Antispoof | None) -> None:
        live_only = chosen.liveness == "require"
        limits = chosen.quality_limits() if chosen.gates != "off" else None
        self.gates = Gates(limits, antispoof, chosen.gates == "require", live_only)
        self.reader = FaceReader(self.detector, self.model, antispoof)
        self.matcher = Matcher(self.index, self.gallery, self.model, chosen.threshold, live_only)
        duplicates = Duplicates(self.index, self.gallery, self.matcher.threshold, chosen.duplicates)
        self.enroller = Enroller(self.detector, self.model, self.gates, duplicates, chosen.store_crops)

    def __repr__(self) -> str:
        return f"<Recognizer {self.model.name}, gallery {self.gallery.name!r}>"

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Keep the snapshot of a large index, and close the database."""
        self.index.close()
        self.database.close()

    @property
    def threshold(self) -> float:
        """The cosine from which a face is called by a name: the argument's, else the gallery's, else the card's."""
        return self.matcher.threshold_now().similarity

    def detect(self, img: Pictures) -> Detections | list[Detections]:
        """The faces of a picture; a list of pictures gives a list."""
        return each(img, self.detector.detect)

    def align_face(self, img: Pictures, detections: Detections | None = None) -> np.ndarray | list[np.ndarray]:
        """Aligned faces uint8 ``[n, 112, 112, 3]`` BGR of a picture; a list of pictures gives a list."""
        if detections is not None and is_many(img):
            raise BadArgument("detections belong to one picture; give a single picture with them.")
        return each(img, lambda one: self._aligned(read_picture(one), detections))

    def get_embd(self, img: Pictures) -> np.ndarray | list[np.ndarray]:
        """Embeddings float32 ``[n, d]``, L2-normalised, of all faces of a picture, in the order of ``detect``.

        A list of pictures gives a list. An array uint8 ``[n, 112, 112, 3]`` is taken as aligned faces.
        """
        if isinstance(img, np.ndarray) and img.ndim == 4:
            return self.model.embed(img)
        if not is_many(img):
            return self.model.embed(self.align_face(img))
        return self.reader.embed(self.align_face(img))

    def recognize(self, img: Pictures) -> list[Recognition] | list[list[Recognition]]:
        """Who is in a picture: one ``Recognition`` per face, best detection first; a list of pictures gives a list."""
        if not is_many(img):
            return self._recognize([img])[0]
        return self._recognize(as_list(img))

    def verify(self, img_a: Picture, img_b: Picture) -> Verification:
        """Whether two pictures are about one person: their most prominent faces are compared.

        Raises:
            NoFace: a picture without a face.
        """
        crops = []
        for img in (img_a, img_b):
            picture = read_picture(img)
            crops.append(self.reader.crops(picture, self.detector.detect_single(picture))[0])
        first, second = self.model.embed(np.stack(crops))
        similarity = float(np.clip(first @ second, -1, 1))
        threshold = self.threshold
        return Verification(similarity >= threshold, similarity, threshold)

    def add_customs(
        self,
        name: str | Mapping[str, Pictures] | PathLike,
        imgs: Pictures | None = None,
        *,
        progress: Progress | None = None,
    ) -> Enrolment:
        """Enrol a person, or add photos to one who is there: all of the call is stored, or nothing.

        Args:
            name: the person, with ``imgs`` the photos; or a mapping ``{name: photos}``; or a facebank folder
                (``FOLDER/NAME/*.jpg``).
            imgs: a photo or several. Of a photo with several faces the most prominent is taken. A ``NamedPicture``
                is called by its ``source`` in reports and in the database, others by their path or number.
            progress: wraps the iteration over photos: called with the iterable and its length.

        Returns:
            What was stored, and which photos were refused and why.

        Raises:
            NothingEnrolled: no photo was usable.
            BadName: a name that is empty, too long or has control characters.
        """
        return self.enroller.enrol(people_and_pictures(name, imgs), self.gallery.add_many, progress)

    def add_embds(
        self,
        name: str | Mapping[str, Pictures | np.ndarray] | PathLike,
        imgs: Pictures | np.ndarray | None = None,
        *,
        progress: Progress | None = None,
    ) -> Enrolment:
        """Average photos, or ready embeddings float ``[d]`` or ``[n, d]`` or a list of them, into people who are there.

        Raises:
            UnknownPerson: a person who is not there. NothingEnrolled, BadEmbedding: nothing was stored.
        """
        people = people_and_pictures(name, imgs)
        ready = [are_embeddings(given) for _, given in people]
        if not any(ready):
            return self.enroller.enrol(people, self._add_to_known, progress)
        if not all(ready):
            raise BadArgument("Give either pictures or embeddings for all people of a call.")
        faces = {each: [Face(row) for row in ready_rows(given, self.model.dim)] for each, given in people}
        names = [clean(each) for each, rows in faces.items() for _ in rows]
        sources = [f"embedding {number}" for rows in faces.values() for number in range(1, len(rows) + 1)]
        embeddings = np.stack([face.embedding for rows in faces.values() for face in rows])
        notes = self.enroller.duplicates.notes(names, sources, embeddings)
        stored = self._add_to_known(faces)
        return Enrolment({each: len(rows) for each, rows in faces.items()}, [], notes, people=tuple(stored))

    def update_customs(
        self,
        name: str | Mapping[str, Pictures] | PathLike,
        imgs: Pictures | None = None,
        *,
        progress: Progress | None = None,
    ) -> Enrolment:
        """Replace all photos of people by new ones, in one step: other processes see all old or all new.

        Raises:
            UnknownPerson: a person who is not there. NothingEnrolled: no photo was usable; the old ones stay.
        """
        people = people_and_pictures(name, imgs)
        return self._without_trace(self.enroller.enrol(people, self.gallery.replace, progress))

    def del_customs(self, names: str | Iterable[str]) -> list[str]:
        """Forget people entirely; returns their names.

        Raises:
            UnknownPerson: someone who is not there; then nobody is forgotten.
        """
        return self._without_trace(self.gallery.delete(names if isinstance(names, Iterable) else [names]))

    def add_facebank(
        self,
        folder: str | PathLike,
        *,
        progress: Progress | None = None,
        stored: Callable[[dict[str, int]], None] | None = None,
    ) -> Enrolment:
        """Enrol thousands of people, ``FOLDER/NAME/*.jpg``, stored batch by batch while the next is being embedded.

        Photos that a person has already are passed over, so an interrupted call is simply made again.

        Args:
            folder: see above.
            progress: wraps the iteration over photos: called with the iterable and its length.
            stored: called with the photos that were added, by person, after each batch, in a thread of its own.

        Raises:
            NothingEnrolled: nothing was usable, and nothing had been enrolled before.
        """
        return FacebankEnrolment(self.gallery, self.enroller, stored).run(Path(folder), progress)

    def customs(self, prefix: str = "", after: str | None = None, limit: int | None = None) -> list[Person]:
        """Who is in the gallery, by name, with the number of photos (``.name``, ``.count``, ``.metadata``).

        Args:
            prefix: only names that begin so; case and accents count.
            after: only names that come after this one: the last of the page before.
            limit: at most so many.
        """
        return self.gallery.people(prefix, after, limit)

    def photos(self, name: str) -> list[Photo]:
        """A person's photos, oldest first: ``.id``, ``.source``, ``.score``, ``.created``. Raises UnknownPerson."""
        return self.gallery.photos(name)

    def rename_custom(self, name: str, new_name: str) -> Person:
        """Give a person another name. Raises UnknownPerson; NameTaken where somebody else has it."""
        return self.gallery.rename(name, new_name)

    def merge_customs(self, names: str | Iterable[str], into: str) -> Person:
        """Make one person of several: all photos go to ``into``, the others are forgotten. Raises UnknownPerson."""
        return self._without_trace(self.gallery.merge(names, into))

    def move_photos(self, photos: int | Iterable[int], to: str, create: bool = False) -> Person:
        """Give photos (their ``.id``) to another person; who has none left is forgotten.

        Raises:
            UnknownPerson: ``to`` is not there, without ``create``. BadArgument: no such photo.
        """
        return self._without_trace(self.gallery.move(photos, to, create))

    def del_photos(self, photos: int | Iterable[int]) -> None:
        """Forget photos (their ``.id``). Raises BadArgument: no such photo, or the last one of a person."""
        self._without_trace(self.gallery.remove_photos(photos))

    def set_metadata(self, name: str, metadata: dict[str, Any] | None) -> Person:
        """Keep JSON values with a person in place of those kept so far; None keeps nothing. Raises UnknownPerson."""
        return self.gallery.set_metadata(name, metadata)

    def _without_trace(self, done: Done) -> Done:
        """The result of a call after which snapshots must not hold what was there before."""
        forget_snapshots(self.gallery.uid)
        return done

    def _aligned(self, picture: np.ndarray, detections: Detections | None) -> np.ndarray:
        return self.reader.crops(picture, self.detector.detect(picture) if detections is None else detections)

    def _recognize(self, imgs: list[Picture]) -> list[list[Recognition]]:
        seen = [self.reader.see(read_picture(img)) for img in imgs]
        embeddings = self.reader.embed([each.crops for each in seen])
        return [named.recognitions for named in self.matcher.name(seen, embeddings)]

    def _add_to_known(self, faces: Mapping[str, list[Face]]) -> list[Person]:
        return self.gallery.add_many(faces, create=False)


def _networks(
    chosen: settings_file.Settings, detector: str | Detector | None, accept_license: bool
) -> tuple[networks.Network, Detector, Antispoof | None]:
    """All networks, and SQLAlchemy's import, side by side: a command took 1.9 s instead of 2.3 on two cores."""
    with ThreadPoolExecutor() as pool:
        model = pool.submit(
            networks.load, chosen.model, threads=chosen.threads, precision=chosen.precision, device=chosen.device,
            accept_license=accept_license,
        )  # fmt: skip
        finder = pool.submit(_detector, detector, chosen, accept_license)
        antispoof = pool.submit(_antispoof, chosen)
        pool.submit(import_module, "db.database")
        return model.result(), finder.result(), antispoof.result()


def _detector(given: str | Detector | None, chosen: settings_file.Settings, accept_license: bool) -> Detector:
    if isinstance(given, Detector):
        return given
    options = {"accept_license": accept_license, **chosen.detector_options}
    if chosen.threads is not None:
        options.setdefault("threads", chosen.threads)
    return mtcnn.create(given or chosen.detector, **options)


def _antispoof(chosen: settings_file.Settings) -> Antispoof | None:
    return None if chosen.liveness == "off" else Antispoof(chosen.liveness_limits(), chosen.threads)


def _check_threshold(threshold: float | None) -> None:
    if threshold is None:
        return
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not -1 <= threshold <= 1:
        raise BadArgument(f"threshold is a cosine between -1 and 1, not {threshold!r}.")
