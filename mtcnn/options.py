"""Checks of the options that detectors take."""

from common.errors import BadArgument


def check_options(min_face_size: float, score_threshold: float, nms_threshold: float) -> None:
    """Refuse, for one-stage detectors, a size that is no number of pixels and thresholds outside 0..1.

    Raises:
        BadArgument: the first option that is out of its range.
    """
    if not is_number(min_face_size) or not min_face_size >= 0:
        raise BadArgument(f"min_face_size must be a number of pixels, 0 or more, not {min_face_size!r}.")
    for name, value in (("score_threshold", score_threshold), ("nms_threshold", nms_threshold)):
        if not is_number(value) or not 0 <= value <= 1:
            raise BadArgument(f"{name} must be a number from 0 to 1, not {value!r}.")


def is_number(value: object) -> bool:
    """Whether a value is a whole or floating-point number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
