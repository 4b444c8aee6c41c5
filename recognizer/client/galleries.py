"""Galleries: list, make, rename, delete, switch; and the long work on them, as jobs."""

from collections.abc import Iterator
from dataclasses import asdict
from types import EllipsisType
from typing import Any, Literal

from recognizer.client.addresses import path
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.forms import File, Form
from recognizer.client.reading import read
from recognizer.client.results import Deleted, Gallery, Job, Switched, Threshold


class Galleries(Asking):
    """See :class:`recognizer.client.Client`."""

    def galleries(self, *, page_size: int = 100) -> Iterator[Gallery]:
        """The galleries that the key may use, by name."""
        return self._pages(Gallery, path("galleries"), "galleries", {"limit": page_size})

    def gallery(self, name: str) -> Gallery:
        """One gallery. Raises ServiceRefused: unknown_gallery."""
        return self._get(Gallery, path("galleries", name))

    def create_gallery(self, name: str, model: str | None = None, *, idempotency_key: str | None = None) -> Gallery:
        """Make an empty gallery for a model of the zoo, or that of the default gallery."""
        wanted = {"name": name, "model": model}
        return read(Gallery, content(self._write("POST", path("galleries"), None, idempotency_key, json=wanted)))

    def change_gallery(
        self,
        name: str,
        *,
        new_name: str | None = None,
        threshold: Threshold | float | None | EllipsisType = ...,
        idempotency_key: str | None = None,
    ) -> Gallery:
        """Another name or another threshold (None: that of the model's card), one at a time."""
        change: dict[str, Any] = {} if new_name is None else {"name": new_name}
        if threshold is not ...:
            change["threshold"] = _described(threshold)
        answer = self._write("PATCH", path("galleries", name), None, idempotency_key, json=change)
        return read(Gallery, content(answer))

    def delete_gallery(self, name: str, *, idempotency_key: str | None = None) -> Deleted:
        """Forget a gallery and all of its people, for good."""
        answer = self._write("DELETE", path("galleries", name), None, idempotency_key)
        return read(Deleted, content(answer))

    def switch_galleries(self, name: str, other: str, *, idempotency_key: str | None = None) -> Switched:
        """Exchange the names of two galleries, in one step; the same again takes it back."""
        answer = self._write("POST", path("galleries", name, "switch"), None, idempotency_key, json={"other": other})
        return read(Switched, content(answer))

    def calibrate_gallery(
        self, name: str, *, far: float = 1e-4, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Job:
        """A job: measure the threshold for a false accept rate on the gallery's own people, and keep it."""
        wanted = {"far": far, "dry_run": dry_run}
        return self._ask_for_job(path("galleries", name, "calibrate"), None, idempotency_key, json=wanted)

    def reembed_gallery(
        self, name: str, model: str, *, into: str | None = None, idempotency_key: str | None = None
    ) -> Job:
        """A job: the same people under another model, in a new gallery, from the crops that were kept."""
        wanted = {"model": model, "into": into}
        return self._ask_for_job(path("galleries", name, "reembed"), None, idempotency_key, json=wanted)

    def export_gallery(self, name: str, *, idempotency_key: str | None = None) -> Job:
        """A job: all of it in one file, which ``download(job, "people.gallery", path)`` fetches."""
        return self._ask_for_job(path("galleries", name, "export"), None, idempotency_key)

    def import_gallery(
        self,
        name: str,
        file: File,
        *,
        mode: Literal["new", "merge", "replace"] = "new",
        idempotency_key: str | None = None,
    ) -> Job:
        """A job: store what is in a gallery's file, after all of it has been verified."""
        form = Form({}, [("file", file)])
        address = path("galleries", name, "import")
        return self._ask_for_job(address, {"mode": mode}, idempotency_key, form=form)


def _described(threshold: Threshold | float | None) -> dict[str, float | None] | None:
    if threshold is None:
        return None
    return asdict(threshold if isinstance(threshold, Threshold) else Threshold(threshold))
