"""The files of the pages: style, scripts, htmx. They are read once, and their addresses change with their content."""

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Response

from recognizer.service.errors import NotFound
from recognizer.service.pages import htmx

FOLDER = files("recognizer.service.pages") / "static"
KINDS = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
YEAR = 31_536_000  # seconds
DIGITS = 12  # of the hash that stands in an address

router = APIRouter()


class File(NamedTuple):
    """What is given out under a name."""

    content: bytes
    kind: str
    digest: str


@router.get("/static/{digest}/{name}")
def get_file(digest: str, name: str) -> Response:
    """A file, by the address that :func:`address` gives. Browsers keep it for good: new content has another one."""
    found = _files().get(name)
    if found is None:
        raise NotFound("There is no such file.")
    is_current = digest == version()
    kept = f"public, max-age={YEAR}, immutable" if is_current else "no-cache"
    return Response(found.content, media_type=found.kind, headers={"Cache-Control": kept, "ETag": f'"{found.digest}"'})


def address(name: str) -> str:
    """Where a file is given out. Raises KeyError: there is no such file."""
    _files()[name]
    return f"/static/{version()}/{name}"


@lru_cache
def version() -> str:
    """Stands for the content of all files: scripts import each other by their names, so that they change together."""
    return hashlib.sha256("".join(each.digest for each in _files().values()).encode()).hexdigest()[:DIGITS]


@lru_cache
def _files() -> dict[str, File]:
    contents = {each.name: each.read_bytes() for each in FOLDER.iterdir() if each.name.rpartition(".")[2] in KINDS}
    contents[htmx.remote().name] = htmx.fetch().read_bytes()
    return {
        name: File(content, KINDS[name.rpartition(".")[2]], hashlib.sha256(content).hexdigest())
        for name, content in sorted(contents.items())
    }
