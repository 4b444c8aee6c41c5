"""Photos in, names out.

    from recognizer import Recognizer

    recognizer = Recognizer()
    recognizer.add_customs("Ann", ["ann1.jpg", "ann2.jpg"])
    recognizer.recognize("party.jpg")

The names below are imported when they are first used, so that :mod:`recognizer.client` loads no network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from common.errors import FaceError

if TYPE_CHECKING:
    from recognizer.recognizer import Recognizer
    from recognizer.results import Candidate, Enrolment, Recognition, Refusal, Verification

__all__ = ["Candidate", "Enrolment", "FaceError", "Recognition", "Recognizer", "Refusal", "Verification"]
_PLACES = dict.fromkeys(("Candidate", "Enrolment", "Recognition", "Refusal", "Verification"), "recognizer.results")
_PLACES["Recognizer"] = "recognizer.recognizer"


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
