"""The gallery that is searched: people of random vectors, and one whose photos are there."""

import numpy as np

from common.errors import NothingEnrolled
from db import Face
from networks import zoo
from recognizer import Recognizer

BULK = 5000
KNOWN, ENROLLED, ASKED = "Barack Obama", ("obama2", "obama3"), "obama"


def fill(url: str, people: int) -> None:
    """Enrol so many people of random unit vectors, and the known one by photos that are not asked about.

    Raises:
        FaceError.
    """
    with Recognizer(database=url) as recognizer:
        random = np.random.default_rng(0)
        for start in range(0, people, BULK):
            vectors = random.standard_normal((min(BULK, people - start), recognizer.model.dim), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            recognizer.gallery.add_many({f"Person {start + i}": [Face(vector)] for i, vector in enumerate(vectors)})
        recognizer.add_customs(KNOWN, [zoo.sample(name) for name in ENROLLED])


def require_known(names: list[str | None]) -> None:
    """Refuse to measure a search that does not find whom it should.

    Raises:
        NothingEnrolled.
    """
    if names != [KNOWN]:
        raise NothingEnrolled(f"The photo shows {KNOWN}, and was answered with {names}.")
