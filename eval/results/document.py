"""A measurement as plain values, with the names that JSON and CSV use. Rates are shares of 1, times are seconds."""

import math
from typing import Any

from eval.bootstrap import Intervals
from eval.comparing import Failure
from eval.measuring import Measurement


def far_name(far: float) -> str:
    """1e-3 for 0.001, 5e-4 for 0.0005."""
    digits, exponent = f"{far:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def measurement_document(measurement: Measurement) -> dict[str, Any]:
    """Everything but the similarities; None where the pairs do not tell it."""
    judged = measurement.verification
    return {
        "model": measurement.model,
        "backend": measurement.backend,
        "set": measurement.set_name,
        "flip": measurement.flip,
        "digest": measurement.digest,
        "genuine": judged.genuine,
        "impostor": judged.impostor,
        "pictures": measurement.pictures,
        "seconds": measurement.seconds,
        "pictures_per_second": measurement.rate,
        "accuracy": judged.accuracy,
        "std": judged.std,
        "threshold": judged.threshold,
        "far": judged.far,
        "auc": judged.auc,
        "eer": judged.eer,
        "validation_rate": _finite(judged.validation_rate),
        "validation_std": _finite(judged.validation_std),
        "validation_far": _finite(judged.validation_far),
        "tar": _by_name(judged.tar),
        "thresholds": _by_name(judged.thresholds),
        "intervals": _intervals(judged.intervals),
        "accuracies": judged.accuracies.tolist(),
        "fold_thresholds": judged.fold_thresholds.tolist(),
        "card": measurement.card.to_mapping(),
    }


def failure_document(failure: Failure) -> dict[str, Any]:
    """What failed and why; None for what it does not concern."""
    return {
        "model": failure.model,
        "backend": failure.backend,
        "set": failure.set_name,
        "error": failure.reason,
    }


def _intervals(intervals: Intervals | None) -> dict[str, Any] | None:
    if intervals is None:
        return None
    return {
        "accuracy": list(intervals.accuracy),
        "auc": list(intervals.auc),
        "eer": list(intervals.eer),
        "tar": _by_name(intervals.tar),
    }


def _by_name(values: dict[float, Any]) -> dict[str, Any]:
    return {far_name(far): list(value) if isinstance(value, tuple) else value for far, value in values.items()}


def _finite(value: float | None) -> float | None:
    """JSON has no NaN, which a mean over no folds is."""
    return value if value is not None and math.isfinite(value) else None
