"""One recognizer for each gallery in use, opened once and kept."""

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from starlette.concurrency import run_in_threadpool

from common.errors import BadModel, FaceError, ModelMismatch, UnknownChoice, UnknownGallery
from recognizer.recognizer import Recognizer
from recognizer.service.errors import Overloaded

if TYPE_CHECKING:
    from db.database import Database
    from recognizer.index import GalleryIndex

log = logging.getLogger("recognizer.service")


class Recognizers:
    """The recognizers of a database's galleries. Safe to use from several threads.

    Networks are loaded once per process whatever the number of galleries. A gallery is served with the model that it
    belongs to, also where the settings name another one. Of more than ``most`` galleries, the one that was not used
    for the longest time is closed, as soon as nobody works with it; the default gallery stays.

    Args:
        database: that the galleries lie in.
        default: the name of the default gallery.
        most: how many are kept open.
        arguments: of ``Recognizer``, such as ``config``.

    Attributes:
        default: see above.
        config: the settings file of ``arguments``, if any.
    """

    def __init__(self, database: "Database", default: str, most: int, arguments: Mapping[str, Any]):
        self.default, self.config = default, arguments.get("config")
        self._database, self._most = database, most
        self._arguments = {key: each for key, each in arguments.items() if key != "gallery"}
        self._open: OrderedDict[str, Recognizer] = OrderedDict()
        self._living: list[weakref.finalize] = []
        self._lock = threading.Lock()
        self._closed = False

    def of(self, gallery: str) -> Recognizer:
        """The recognizer of a gallery; the default one is made where it is not there yet. It may take seconds.

        Raises:
            UnknownGallery: there is no such gallery. ModelMismatch: its model cannot be loaded here. DatabaseError.
        """
        with self._lock:
            held = self._open.get(gallery)
        if held is not None and _is_current(held):
            with self._lock:
                if gallery in self._open:
                    self._open.move_to_end(gallery)
            return held
        with self._lock:
            if self._open.get(gallery) is held:
                self._open.pop(gallery, None)
            return self._open.get(gallery) or self._opened(gallery)

    async def get(self, gallery: str) -> Recognizer:
        """:meth:`of`, off the event loop."""
        return await run_in_threadpool(self.of, gallery)

    def warm(self) -> None:
        """Load the networks and the index of the default gallery, so that the first request takes no longer."""
        ready = self.of(self.default)
        ready.recognize(cv2.imencode(".png", np.zeros((240, 320, 3), np.uint8))[1].tobytes())  # it reads one, too
        ready.model.embed(np.zeros((1, *ready.model.card.input_size, 3), np.uint8))
        ready.index.search(np.eye(1, ready.model.dim, dtype=np.float32), 1)

    def opened(self) -> dict[str, Recognizer]:
        """Those that are open now, by the name that they were opened under."""
        with self._lock:
            return dict(self._open)

    def close(self) -> None:
        """Close all, those that are still worked with as well: to be called when nothing is accepted any more."""
        with self._lock:
            self._closed = True
            self._open.clear()
            living, self._living = self._living, []
        for finalizer in living:
            finalizer()

    def _opened(self, gallery: str) -> Recognizer:
        if self._closed:
            raise Overloaded("The service is ending.")
        if gallery != self.default:
            self._database.find(gallery)  # Recognizer would make it
        made = self._made(gallery)
        self._arguments["detector"] = made.detector
        self._living = [each for each in self._living if each.alive]
        self._living.append(weakref.finalize(made, _close, made.index, made.database))
        self._open[gallery] = made
        spare = [name for name in self._open if name not in (gallery, self.default)]
        for name in spare[: max(0, len(self._open) - self._most)]:
            del self._open[name]
        return made

    def _made(self, gallery: str) -> Recognizer:
        """With the model of the settings or, where the gallery belongs to another one, with that."""
        try:
            return Recognizer(gallery=gallery, **self._arguments)
        except ModelMismatch as mismatch:
            model = self._database.find(gallery).model_name
            try:
                made = Recognizer(gallery=gallery, **self._arguments | {"model": model})
            except (UnknownChoice, BadModel, ModelMismatch):
                raise mismatch from None
        log.warning("Gallery %r is served with its own model, %s, not with that of the settings.", gallery, model)
        return made


def _is_current(held: Recognizer) -> bool:
    """Whether its gallery is still there, under its name. Raises DatabaseError."""
    try:
        return held.gallery.name_now() == held.gallery.name
    except (UnknownGallery, ModelMismatch):
        return False


def _close(index: "GalleryIndex", database: "Database") -> None:
    """What ``Recognizer.close`` does, of a recognizer that nobody holds any more."""
    with suppress(FaceError):
        index.close()
    database.close()
