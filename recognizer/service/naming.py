"""Names that somebody has already: 409, where a name that cannot be one is 422."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import BadName, NameTaken
from db.names import clean


@contextmanager
def free(name: str, what: str = "person") -> Iterator[None]:
    """Within it, BadName is about ``name`` being taken, and raised as NameTaken. Raises BadName: it cannot be one."""
    clean(name, what)
    try:
        yield
    except BadName as error:
        raise NameTaken(str(error)) from None
