"""What to do before a shot is taken for enrolment, as :func:`recognizer.quality.assess` sees the face."""

from collections.abc import Iterator
from dataclasses import dataclass

from mtcnn import Detections, read_picture
from mtcnn.detector import most_prominent
from recognizer.quality import PORTRAIT, Shortfall, assess
from recognizer.recognizer import Recognizer


@dataclass(frozen=True)
class Advice:
    """One thing that stands in the way of a good photo.

    Attributes:
        code: stable, for programs.
        message: what to do about it, a sentence to the person before the camera.
    """

    code: str
    message: str


NO_FACE = Advice("no_face", "Look into the camera, and come closer.")
SEVERAL_FACES = Advice("several_faces", "Let only one person be in the picture.")
# How the reason of a shortfall begins, and its code; of a rule that is not here, its measure.
CODES = {
    "face too small": "too_small",
    "hardly a face": "covered",
    "too dark": "too_dark",
    "too bright": "too_bright",
    "too little contrast": "low_contrast",
    "lit from one side": "side_light",
    "face turned aside": "turned_aside",
    "face looks up or down": "looks_up_or_down",
    "head leans to a side": "leaning",
    "not sharp": "not_sharp",
}


@dataclass(frozen=True, eq=False)
class Advised:
    """What is seen in a picture, and what to do.

    Attributes:
        size: width and height in pixels.
        detections: best first.
        chosen: the index of the face that would be enrolled; None without one.
        advice: the worst hindrance first; nothing where the shot may be taken.
    """

    size: tuple[int, int]
    detections: Detections
    chosen: int | None
    advice: tuple[Advice, ...]


def advise(recognizer: Recognizer, picture: bytes) -> Advised:
    """Find the faces of an encoded picture, and compare the most prominent with what a camera can ask for.

    Raises:
        BadPicture: it cannot be read.
    """
    pixels = read_picture(picture)
    detections = recognizer.detector.detect(pixels)
    size = pixels.shape[1], pixels.shape[0]
    if not len(detections):
        return Advised(size, detections, None, (NO_FACE,))
    chosen = most_prominent(detections, pixels.shape)
    several = [SEVERAL_FACES] if len(detections) > 1 else []
    found = several + list(_of_face(assess(pixels, detections, chosen, PORTRAIT).shortfalls))
    return Advised(size, detections, chosen, tuple(found))


def _of_face(shortfalls: tuple[Shortfall, ...]) -> Iterator[Advice]:
    """Each sentence once, with the code of the first shortfall that it is about."""
    told = set()
    for shortfall in shortfalls:
        if shortfall.advice not in told:
            told.add(shortfall.advice)
            yield Advice(code_of(shortfall), shortfall.advice)


def code_of(shortfall: Shortfall) -> str:
    """The stable code of a shortfall."""
    return next((code for start, code in CODES.items() if shortfall.reason.startswith(start)), shortfall.measure)
