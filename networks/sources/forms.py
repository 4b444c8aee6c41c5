"""The forms that arguments of sources must have: text, annotated with a regular expression for all of it."""

from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

SHA256 = r"[0-9a-f]{64}"
FILE_NAME = r"[A-Za-z0-9][\w.+!-]*"
MEMBER = r"(?!/)(?!.*(^|/)\.\.(/|$))[^\\\x00-\x1f]+"  # relative, no step upwards

Repository = Annotated[str, r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"]
Revision = Annotated[str, r"[A-Za-z0-9][\w.-]*"]
FilePath = Annotated[str, MEMBER]
FileName = Annotated[str, FILE_NAME]
Url = Annotated[str, r"https?://[^\s]+"]
LocalPath = Annotated[str, r"[^\x00]+"]
# Exact versions only. Whatever npm could take for an option, a folder or a Git address is refused: preparing
# those would run their scripts.
NpmPackage = Annotated[str, r"(@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*@[0-9]+\.[0-9]+\.[0-9]+[\w.+-]*"]
PypiPackage = Annotated[str, r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!-]*"]


def without_secrets(place: str) -> str:
    """``place`` as it may be shown: an http address loses user, password, query and fragment."""
    if "://" not in place:
        return place
    parts = urlsplit(place)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
