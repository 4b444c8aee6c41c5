"""Photos of a person that are unlike the others: they may be of somebody else.

Measured on the 400 AT&T (ORL) faces: docs/pages.md.
"""

from collections.abc import Sequence
from statistics import median

FAR_BELOW = 0.3  # of a cosine


def unlike_others(similarities: Sequence[float | None], threshold: float | None) -> list[bool]:
    """Which of a person's photos are unlike the others.

    Such a photo is below the threshold, so that searching would not take it for the person whom the others show, or far
    below the median of all.

    Args:
        similarities: of each photo, the cosine to the mean of the others; None of a single one.
        threshold: from which a face is called by a name; None where nobody measured one.
    """
    known = [each for each in similarities if each is not None]
    lowest = max(
        -1.0 if threshold is None else threshold,
        median(known) - FAR_BELOW if known else -1.0,
    )
    return [each is not None and each < lowest for each in similarities]
