"""The recognizer: detect, align, embed, search, enrol."""

from collections.abc import Iterable, Mapping
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
from common.errors import BadArgument, BadEmbedding, FaceError
from db import Face, Person, Photo, Threshold
from db.names import clean
from mtcnn import Detections, Detector, Picture, read_picture
from mtcnn.align import align
from recognizer import settings as settings_file
from recognizer.duplicates import Duplicates
from recognizer.enrolment import Gathered, look
from recognizer.facebank import FacebankEnrolment
from recognizer.forms import Pictures, are_embeddings, as_list, each, is_many, people_and_pictures, source_of
from recognizer.gates import Gates
from recognizer.index import GalleryIndex, forget_snapshots
from recognizer.liveness import Antispoof, Liveness
from recognizer.results import Enrolment, Progress, Recognition, Refusal, Verification

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
        self.model, self.detector, self._antispoof = _networks(chosen, detector, accept_license)
        self._liveness_required = chosen.liveness == "require"
        self.gates = Gates(
            chosen.quality_limits() if chosen.gates != "off" else None, self._antispoof,
            chosen.gates == "require", self._liveness_required,
        )  # fmt: skip
        self._index = None
        self._database = db.open(chosen.database, chosen.database_timeout, chosen.database_password_file)
        try:
            self._gallery = self._database.gallery(chosen.gallery, self.model.name, self.model.digest, self.model.dim)
        except FaceError:
            self.close()
            raise
        self._index = GalleryIndex(
            self._database, self._gallery, chosen.index, chosen.matching, chosen.snapshot, chosen.index_options,
            progress,
        )  # fmt: skip
        self._threshold, self._store_crops = chosen.threshold, chosen.store_crops
        self._duplicates = Duplicates(self._index, self._gallery, self._threshold_of_search, chosen.duplicates)

    def __repr__(self) -> str:
        return f"<Recognizer {self.model.name}, gallery {self._gallery.name!r}>"

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Keep the snapshot of a large index, and close the database."""
        if self._index is not None:
            self._index.close()
        self._database.close()

    @property
    def threshold(self) -> float:
        """The cosine from which a face is called by a name: the argument's, else the gallery's, else the card's."""
        return self._threshold if self._threshold is not None else self._stored_threshold(self._gallery.threshold)

    def _stored_threshold(self, of_gallery: Threshold | None) -> float:
        stored = of_gallery or self.model.card.threshold
        if stored is None:
            raise BadArgument(f"Nobody measured a threshold for {self.model.name}: give Recognizer(threshold=...).")
        return stored.similarity

    def _threshold_of_search(self) -> float:
        """The threshold as it was at the last search."""
        return self._threshold if self._threshold is not None else self._stored_threshold(self._index.threshold)

    def detect(self, img: Pictures) -> Detections | list[Detections]:
        """The faces of a picture; a list of pictures gives a list."""
        return each(img, self.detector.detect)

    def align_face(self, img: Pictures, detections: Detections | None = None) -> np.ndarray | list[np.ndarray]:
        """Aligned faces uint8 ``[n, 112, 112, 3]`` BGR of a picture; a list of pictures gives a list."""
        if detections is not None and is_many(img):
            raise BadArgument("detections belong to one picture; give a single picture with them.")
        return each(img, lambda one: self._align(read_picture(one), detections))

    def get_embd(self, img: Pictures) -> np.ndarray | list[np.ndarray]:
        """Embeddings float32 ``[n, d]``, L2-normalised, of all faces of a picture, in the order of ``detect``.

        A list of pictures gives a list. An array uint8 ``[n, 112, 112, 3]`` is taken as aligned faces.
        """
        if isinstance(img, np.ndarray) and img.ndim == 4:
            return self.model.embed(img)
        if not is_many(img):
            return self.model.embed(self.align_face(img))
        return self._embed_many(self.align_face(img))

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
            crops.append(self._align(picture, self.detector.detect_single(picture))[0])
        first, second = self.model.embed(np.stack(crops))
        similarity = float(np.clip(first @ second, -1, 1))
        return Verification(similarity >= self.threshold, similarity, self.threshold)

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
            imgs: a photo or several. Of a photo with several faces the most prominent is taken.
            progress: wraps the iteration over photos: called with the iterable and its length.

        Returns:
            What was stored, and which photos were refused and why.

        Raises:
            NothingEnrolled: no photo was usable.
            BadName: a name that is empty, too long or has control characters.
        """
        return self._enrol(people_and_pictures(name, imgs), self._gallery.add_many, progress)

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
            return self._enrol(people, self._add_to_known, progress)
        if not all(ready):
            raise BadArgument("Give either pictures or embeddings for all people of a call.")
        faces = {each: [Face(row) for row in self._checked(given)] for each, given in people}
        names = [clean(each) for each, rows in faces.items() for _ in rows]
        sources = [f"embedding {number}" for rows in faces.values() for number in range(1, len(rows) + 1)]
        embeddings = np.stack([face.embedding for rows in faces.values() for face in rows])
        notes = self._duplicates.notes(names, sources, embeddings)
        self._add_to_known(faces)
        return Enrolment({each: len(rows) for each, rows in faces.items()}, [], notes)

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
        return self._without_trace(self._enrol(people_and_pictures(name, imgs), self._gallery.replace, progress))

    def del_customs(self, names: str | Iterable[str]) -> list[str]:
        """Forget people entirely; returns their names.

        Raises:
            UnknownPerson: someone who is not there; then nobody is forgotten.
        """
        return self._without_trace(self._gallery.delete(names if isinstance(names, Iterable) else [names]))

    def add_facebank(self, folder: str | PathLike, *, progress: Progress | None = None) -> Enrolment:
        """Enrol thousands of people, ``FOLDER/NAME/*.jpg``, stored batch by batch while the next is being embedded.

        Photos that a person has already are passed over, so an interrupted call is simply made again.

        Raises:
            NothingEnrolled: nothing was usable, and nothing had been enrolled before.
        """
        enrolment = FacebankEnrolment(
            self._gallery, self.model, self.detector, self._store_crops, self.gates, self._duplicates
        )
        return enrolment.run(Path(folder), progress)

    def customs(self, prefix: str = "", after: str | None = None, limit: int | None = None) -> list[Person]:
        """Who is in the gallery, by name, with the number of photos (``.name``, ``.count``, ``.metadata``).

        Args:
            prefix: only names that begin so; case and accents count.
            after: only names that come after this one: the last of the page before.
            limit: at most so many.
        """
        return self._gallery.people(prefix, after, limit)

    def photos(self, name: str) -> list[Photo]:
        """A person's photos, oldest first: ``.id``, ``.source``, ``.score``, ``.created``. Raises UnknownPerson."""
        return self._gallery.photos(name)

    def rename_custom(self, name: str, new_name: str) -> Person:
        """Give a person another name. Raises UnknownPerson; BadName where somebody else has it."""
        return self._gallery.rename(name, new_name)

    def merge_customs(self, names: str | Iterable[str], into: str) -> Person:
        """Make one person of several: all photos go to ``into``, the others are forgotten. Raises UnknownPerson."""
        return self._without_trace(self._gallery.merge(names, into))

    def move_photos(self, photos: int | Iterable[int], to: str, create: bool = False) -> Person:
        """Give photos (their ``.id``) to another person; who has none left is forgotten.

        Raises:
            UnknownPerson: ``to`` is not there, without ``create``. BadArgument: no such photo.
        """
        return self._without_trace(self._gallery.move(photos, to, create))

    def del_photos(self, photos: int | Iterable[int]) -> None:
        """Forget photos (their ``.id``). Raises BadArgument: no such photo, or the last one of a person."""
        self._without_trace(self._gallery.remove_photos(photos))

    def set_metadata(self, name: str, metadata: dict[str, Any] | None) -> Person:
        """Keep JSON values with a person in place of those kept so far; None keeps nothing. Raises UnknownPerson."""
        return self._gallery.set_metadata(name, metadata)

    def _without_trace(self, done: Done) -> Done:
        """The result of a call after which snapshots must not hold what was there before."""
        forget_snapshots(self._gallery.uid)
        return done

    def _align(self, picture: np.ndarray, detections: Detections | None) -> np.ndarray:
        if detections is None:
            detections = self.detector.detect(picture)
        return align(picture, detections.landmarks, self.model.card.input_size)

    def _embed_many(self, crops: list[np.ndarray]) -> list[np.ndarray]:
        if not crops:
            return []
        embeddings = self.model.embed(np.concatenate(crops))
        return np.split(embeddings, np.cumsum([len(each) for each in crops])[:-1])

    def _recognize(self, imgs: list[Picture]) -> list[list[Recognition]]:
        found, crops, alive = [], [], []
        for img in imgs:
            picture = read_picture(img)
            found.append(self.detector.detect(picture))
            crops.append(self._align(picture, found[-1]))
            alive.append(self._antispoof(picture, found[-1]) if self._antispoof else [None] * len(found[-1]))
        return [self._name(*each) for each in zip(found, self._embed_many(crops), alive)]

    def _name(self, faces: Detections, embeddings: np.ndarray, alive: list[Liveness | None]) -> list[Recognition]:
        results, found = [], self._index.search(embeddings, 2)
        threshold = self._threshold_of_search()
        for i, candidates in enumerate(found):
            best = candidates[0] if candidates else None
            known = best is not None and best.similarity >= threshold
            results.append(
                Recognition(
                    name=best.name if known and (not self._liveness_required or alive[i].live) else None,
                    similarity=best.similarity if best else -1.0,
                    runner_up=candidates[1] if len(candidates) > 1 else None,
                    box=faces.boxes[i],
                    landmarks=faces.landmarks[i],
                    score=float(faces.scores[i]),
                    liveness=alive[i],
                )
            )
        return results

    def _enrol(self, people: list[tuple[str, list[Picture]]], store, progress: Progress | None) -> Enrolment:
        work = [(clean(name), img, number) for name, imgs in people for number, img in enumerate(imgs, 1)]
        gathered = Gathered()
        for name, img, number in progress(work, len(work)) if progress else work:
            source, size = source_of(img, number), self.model.card.input_size
            gathered.take(look(name, source, img, self.detector, size, gates=self.gates))
        empty = [Refusal(clean(name), "", "no pictures given") for name, imgs in people if not imgs]
        gathered.refused.extend(empty)
        gathered.require_some()
        embeddings = self.model.embed(np.stack([sighting.crop for sighting in gathered.usable]))
        faces = gathered.faces(embeddings, self._store_crops)
        notes = gathered.notes + gathered.compared(embeddings, self._duplicates)
        store(faces)
        return Enrolment({name: len(rows) for name, rows in faces.items()}, gathered.refused, notes)

    def _add_to_known(self, faces: Mapping[str, list[Face]]) -> None:
        self._gallery.add_many(faces, create=False)

    def _checked(self, embeddings: list[np.ndarray]) -> np.ndarray:
        """Embeddings of a caller, each ``[d]`` or ``[n, d]``, as rows of length 1."""
        for given in embeddings:
            if given.ndim == 0 or given.shape[-1] != self.model.dim or given.size == 0:
                raise BadEmbedding(f"Expected embeddings [n, {self.model.dim}], got {list(given.shape)}.")
        rows = np.concatenate([np.atleast_2d(given) for given in embeddings]).astype(np.float32)
        if not np.isfinite(rows).all() or not rows.any(axis=1).all():
            raise BadEmbedding("Embeddings must be finite and not zero; nothing was stored.")
        return networks.network.normalise(rows)


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
