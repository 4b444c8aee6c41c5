"""Thresholds for the model card, measured on a verification set.

The threshold of a false accept rate is the least cosine at which not more than that share of the impostor pairs is
accepted, in steps of 0.0001: what ``recognizer gallery calibrate`` takes for a gallery. The table's thresholds are
those of the least similar genuine pair that is still accepted, which no stranger need come near: too strict to serve
as a rule, with the same TAR on the set.
"""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from common.errors import BadArgument
from eval.measuring import Measurement
from eval.roc import FARS
from networks import thresholds, zoo
from networks.card import MeasuredThreshold

LARGEST_FAR = 0.1
STEPS = 10_000  # to a cosine of 1


def check(model: str, far: float, bundle: Path | None) -> None:
    """Refuse what ``calibrate`` would refuse, before anything is measured.

    Raises:
        BadArgument: ``far`` is not above 0 and at most 0.1; a model of the zoo without a place for its bundle, or a
            place that is taken.
    """
    if not 0 < far <= LARGEST_FAR:
        raise BadArgument(f"The false accept rate must be above 0 and at most {LARGEST_FAR:g}, not {far:g}.")
    if bundle is not None and bundle.expanduser().exists():
        raise BadArgument(f"{bundle} is there already. Name a folder that is not, or give it as the model.")
    if bundle is None and model in zoo.names() and not Path(model).exists():
        raise BadArgument(f"The card of {model} is a part of this installation: name a new folder with --bundle DIR.")


def calibrate(
    model: str, measurements: Sequence[Measurement], far: float, bundle: Path | None = None
) -> tuple[MeasuredThreshold, Path]:
    """Write one model's thresholds into its card.

    Args:
        model: as it was loaded: a bundle, a model file, or a name of the zoo.
        measurements: of that model, one a set, embedded as its card says.
        far: the rate whose threshold the recognizer is to use. Of several sets the strictest one counts.
        bundle: for a name of the zoo, the folder of the new bundle.

    Returns:
        The threshold that the recognizer uses, and the file that holds the card.

    Raises:
        BadArgument: no set can tell the threshold of ``far``, or what ``networks.thresholds.write`` refuses.
    """
    measured = measured_thresholds(measurements, far)
    return measured[0], thresholds.write(model, measured, far=far, bundle=bundle)


def measured_thresholds(measurements: Sequence[Measurement], far: float) -> list[MeasuredThreshold]:
    """Thresholds for the rates of the table and ``far``, as far as the pairs carry them; the first is the strictest
    one for ``far``.

    Raises:
        BadArgument: no set can tell the threshold of ``far``.
    """
    rates = sorted({*FARS, far}, reverse=True)
    found = [each for measurement in measurements for each in _of_set(measurement, rates)]
    chosen = [each for each in found if each.far == far]
    if not chosen:
        raise BadArgument(_why_none(measurements, far))
    strictest = max(chosen, key=lambda each: each.similarity)
    return [strictest, *(each for each in found if each is not strictest)]


def _of_set(measurement: Measurement, rates: list[float]) -> list[MeasuredThreshold]:
    judged = measurement.verification
    impostor = np.sort(judged.similarities[~judged.issame])[::-1]
    today = date.today().isoformat()
    found = []
    for far in rates:
        similarity = _threshold(impostor, far)
        if similarity is not None:
            found.append(
                MeasuredThreshold(
                    similarity, far, measurement.set_name, judged.genuine, judged.impostor, today, measurement.digest
                )
            )
    return found


def _threshold(impostor: np.ndarray, far: float) -> float | None:
    """The least cosine that at most a share ``far`` of the impostors (falling) reach; None where there is none."""
    allowed = int(far * len(impostor) + 1e-9)
    if not 0 < allowed < len(impostor):
        return None
    similarity = (math.floor(impostor[allowed] * STEPS + 1e-6) + 1) / STEPS
    return similarity if similarity < 1 else None


def _why_none(measurements: Sequence[Measurement], far: float) -> str:
    most = max((each.verification.impostor for each in measurements), default=0)
    if int(far * most + 1e-9) > 0:
        return f"More impostor pairs than FAR {far:g} allows are the same picture, so no threshold reaches this rate."
    can = 1 / most if most else 1
    hint = f"--far {_rounded_up(can):g} can be measured" if can <= LARGEST_FAR else "no rate can be measured yet"
    return f"FAR {far:g} takes {math.ceil(1 / far - 1e-9)} impostor pairs; the largest set has {most}: {hint}."


def _rounded_up(rate: float) -> float:
    """To two digits."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.ceil(rate / step - 1e-9) * step
