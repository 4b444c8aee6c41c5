"""Writes ``.rec`` and ``.idx`` as mxnet reads them, in InsightFace's layout or im2rec's."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import BadArgument, BadDataset
from common.folders import sync_folder
from train.data import frames

LAYOUTS = ("insightface", "im2rec")
HEADER = struct.Struct("<IfQQ")
EXACT = 2**24  # float32 holds whole numbers exactly up to here


class Writer:
    """Writes a ``.rec`` file; nothing stands under its name before ``close``, nor after an error.

    Use it as a context manager: an exception inside leaves the files as they were.

    Args:
        path: the ``.rec``; its index and, in InsightFace's layout, ``property`` are written beside it.
        layout: "insightface" (pictures of one identity after another, labels 0, 0, 1, 1, 2...; readers of that kind
            find each identity's pictures), or "im2rec" (any order, any labels).
        image_size: (height, width) for ``property``.
        first_key: the key of the first picture in im2rec's layout.

    Raises:
        BadArgument: no such layout, or the file cannot be created.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        layout: str = "insightface",
        image_size: tuple[int, int] = (112, 112),
        first_key: int = 0,
    ):
        if layout not in LAYOUTS:
            raise BadArgument(f"Unknown layout {layout!r}. Expected one of: {', '.join(LAYOUTS)}.")
        self.path = Path(path)
        if self.path.suffix != ".rec":
            raise BadArgument(f"{self.path} must end in .rec.")
        self._image_size = image_size
        self._insightface = layout == "insightface"
        self._next = 1 if self._insightface else first_key
        self._starts: list[int] = []  # each identity's first key
        self._parts = {kind: self.path.with_name(f".{self.path.stem}.{os.getpid()}.{kind}") for kind in ("rec", "idx")}
        try:
            self._rec = self._parts["rec"].open("wb")
            self._idx = self._parts["idx"].open("w", encoding="ascii", newline="\n")
        except OSError as error:
            raise BadArgument(f"{self.path} cannot be written: {error.strerror}.") from None

    def write(self, payload: bytes, label: float | Sequence[float], key: int | None = None) -> int:
        """Add a picture, and return its key.

        Args:
            payload: the encoded picture.
            label: its class, or several numbers of which the first is its class.
            key: its key in im2rec's layout; by default they count up.

        Raises:
            BadDataset: an empty payload, or a label out of turn in InsightFace's layout.
        """
        if not payload:
            raise BadDataset(f"{self.path}: a picture without a byte cannot be written.")
        if self._insightface:
            if key is not None:
                raise BadArgument("Keys can be chosen in im2rec's layout only.")
            self._check_turn(float(np.ravel(label)[0]))
        key = self._next if key is None else key
        self._append(key, label, payload)
        self._next = key + 1
        return key

    def close(self) -> None:
        """Write InsightFace's bookkeeping records, and put the files in their places."""
        if self._insightface:
            self._write_ranges()
            height, width = self._image_size
            property_part = self.path.with_name(f".{self.path.stem}.{os.getpid()}.property")
            property_part.write_text(f"{len(self._starts)},{height},{width}\n", encoding="ascii")
            self._parts["property"] = property_part
        for stream in (self._rec, self._idx):
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        self.path.with_suffix(".idx").unlink(missing_ok=True)  # an old index must not stand beside the new file
        self._parts["rec"].replace(self.path)
        self._parts["idx"].replace(self.path.with_suffix(".idx"))
        if "property" in self._parts:
            self._parts["property"].replace(self.path.with_name("property"))
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Give up: remove what was written."""
        for stream in (self._rec, self._idx):
            stream.close()
        for part in self._parts.values():
            part.unlink(missing_ok=True)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.discard()

    def _check_turn(self, label: float) -> None:
        last = len(self._starts) - 1
        if label not in (last, last + 1) or label < 0:
            raise BadDataset(
                f"{self.path}: label {label:g} after {max(last, 0)}: InsightFace's layout takes the pictures of one "
                "identity after another, labels 0, 0, 1, 1, 2... Sort them, or choose im2rec's layout."
            )
        if label > last:
            self._starts.append(self._next)

    def _write_ranges(self) -> None:
        identities = self._next
        end = identities + len(self._starts)
        if end > EXACT:
            raise BadDataset(
                f"{self.path}: {end - 1} records are too many for InsightFace's layout, whose float32 ranges are exact "
                f"up to {EXACT}. Write shards, or choose im2rec's layout."
            )
        for number, (start, stop) in enumerate(zip(self._starts, [*self._starts[1:], identities])):
            self._append(identities + number, (start, stop), b"")
        self._append(0, (identities, end), b"")

    def _append(self, key: int, label: float | Sequence[float], payload: bytes) -> None:
        labels = np.asarray(label, "<f4")
        if labels.ndim == 0:
            head = HEADER.pack(0, float(labels), key, 0)
        else:
            head = HEADER.pack(labels.size, 0, key, 0) + labels.tobytes()
        self._idx.write(f"{key}\t{self._rec.tell()}\n")
        self._rec.write(frames.encode(head + payload))
