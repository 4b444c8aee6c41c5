"""The key of a client, as requests show it."""

import requests
from requests.auth import AuthBase

from common.errors import BadArgument


class Bearer(AuthBase):
    """Shows the key, or none. Requests always have one, and so requests never looks into ~/.netrc.

    Attributes:
        is_there: whether there is a key.

    Raises:
        BadArgument: a key that cannot stand in a header.
    """

    def __init__(self, key: str | None):
        if key is not None and not (isinstance(key, str) and key.isascii() and key.isprintable() and key.strip()):
            raise BadArgument("That is no API key: it reads rk_... in one line.")
        self._key, self.is_there = key, key is not None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key.strip()}"
        return request
