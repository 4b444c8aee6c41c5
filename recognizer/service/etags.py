"""ETags of people: ``If-Match`` lets a write happen only where nobody else was faster.

The version is compared in the transaction that writes (:mod:`db.conditional`), so of two clients that read the same
version and write, one gets 412. ``If-None-Match`` saves the answer to who has it already.
"""

import copy
import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Response

from common.errors import BadArgument, DatabaseError, UnknownPerson
from db.conditional import expecting, version_of
from recognizer.service.context import recognizer

if TYPE_CHECKING:
    from db.gallery import Gallery
    from recognizer.recognizer import Recognizer

ANY = "*"
LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
ONE = re.compile(r'(W/)?"([^"]*)"')


def parse(text: str | None, weak: bool = False) -> list[str] | None:
    """The versions that a condition names; None where there is none, or any version is good.

    Args:
        weak: whether weak ones (``W/"..."``) count. Writes compare strongly (RFC 9110, 13.1.1).

    Raises:
        BadArgument: it is no list of entity tags.
    """
    if text is None or text.strip() == ANY:
        return None
    if not LIST.fullmatch(text):
        raise BadArgument('If-Match and If-None-Match take entity tags in quotes, such as "7-12", or *.')
    return [value for is_weak, value in ONE.findall(text) if weak or not is_weak]


class Condition:
    """What a request expects of a person.

    Attributes:
        recognizer: of the gallery that is meant.
    """

    def __init__(self, recognizer: "Recognizer", if_match: str | None):
        self.recognizer, self._any, self._versions = recognizer, (if_match or "").strip() == ANY, parse(if_match)

    def of(self, name: str) -> "Recognizer":
        """The recognizer, whose writes raise VersionConflict unless the person is as expected.

        Raises:
            UnknownPerson: any version is good, and there is nobody.
        """
        if self._any:
            self.recognizer.gallery.person(name)
        if self._versions is None:
            return self.recognizer
        return with_gallery(self.recognizer, expecting(self.recognizer.gallery, name, self._versions))

    def absent(self, name: str) -> "Recognizer":
        """The recognizer, whose writes raise NameTaken where there is somebody of that name."""
        return with_gallery(self.recognizer, expecting(self.recognizer.gallery, name, None))


async def condition(
    found: Annotated["Recognizer", Depends(recognizer)],
    if_match: Annotated[
        str | None, Header(max_length=1024, description="The ETag that the person has to have.", examples=['"7-12"'])
    ] = None,
) -> Condition:
    """A dependency: the gallery that is meant, and what is expected of the person there."""
    return Condition(found, if_match)


Conditional = Annotated[Condition, Depends(condition)]


def with_gallery(recognizer: "Recognizer", gallery: "Gallery") -> "Recognizer":
    """A recognizer that writes through another view of its gallery, and shares everything else."""
    changed = copy.copy(recognizer)
    changed.gallery, changed.original = gallery, recognizer  # who has no user left is closed
    return changed


def stamp(response: Response, recognizer: "Recognizer", name: str) -> None:
    """Give an answer about a person the ETag of now, after a write: where somebody was faster, none."""
    try:
        response.headers["ETag"] = f'"{version_of(recognizer.gallery, name)}"'
    except (UnknownPerson, DatabaseError):
        return


def is_known(recognizer: "Recognizer", name: str, if_none_match: str | None) -> tuple[str, bool]:
    """The ETag of a person, and whether a client has that version already. Raises UnknownPerson."""
    version = version_of(recognizer.gallery, name)
    known = if_none_match is not None and (
        if_none_match.strip() == ANY or version in (parse(if_none_match, weak=True) or [])
    )
    return f'"{version}"', known
