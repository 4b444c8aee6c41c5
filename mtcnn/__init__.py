"""Photo in, faces out: boxes, five landmarks and aligned crops."""

import threading
from inspect import signature
from typing import Any

from common.errors import BadArgument
from common.registry import Registry
from mtcnn.align import align
from mtcnn.detections import Detections
from mtcnn.detector import Detector
from mtcnn.pictures import Picture, read_picture
from networks import zoo

__all__ = ["DETECTORS", "Detections", "Detector", "Picture", "align", "create", "read_picture"]

DETECTORS = Registry(
    "detector",
    {
        "mtcnn": "mtcnn.cascade:Mtcnn",
        "scrfd_10g": "mtcnn.scrfd:Scrfd",
        "scrfd_2.5g": "mtcnn.scrfd:Scrfd",
        "scrfd_500m": "mtcnn.scrfd:Scrfd",
        "yunet": "mtcnn.yunet:YuNet",
    },
)
_created: dict[tuple, Detector] = {}
_lock = threading.Lock()


def create(name: str = "mtcnn", /, *, accept_license: bool = False, **options: Any) -> Detector:
    """The detector of that name with its public weights, made once per process for the same options.

    Args:
        name: a key of ``DETECTORS``.
        accept_license: accept the licence of weights that ask for it.
        options: what its class takes, such as ``min_face_size`` and ``threads``.

    Raises:
        UnknownChoice: no such detector. BadArgument: an option it does not take, or a value out of range.
        FetchFailed, LicenseNotAccepted: its weights cannot be had.
    """
    detector_class = DETECTORS[name]
    _check_options(name, detector_class, options)
    files = zoo.pull(name, accept_license=accept_license)
    key = (name, repr(sorted(options.items())))
    with _lock:
        if key not in _created:
            _created[key] = detector_class(files if len(files) > 1 else files["model"], **options)
        return _created[key]


def _check_options(name: str, detector_class: type[Detector], options: dict[str, Any]) -> None:
    expected = [each.name for each in signature(detector_class).parameters.values() if each.kind is each.KEYWORD_ONLY]
    for option in options:
        if option not in expected:
            raise BadArgument(f"{name} has no option {option!r}. Expected some of: {', '.join(expected)}.")
