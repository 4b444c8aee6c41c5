"""The model card: all that has to be known of a network to feed it and to read its answer."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from common.config import check_keys
from common.errors import BadConfig

TASKS = ("embedding", "detection", "antispoof")
FLIPS = ("none", "sum_raw", "sum_normalised")


@dataclass(frozen=True)
class Threshold:
    """A cosine above which two faces are called one person, and where that number comes from.

    Attributes:
        similarity: cosine, -1..1.
        far: false accept rate it was measured at; None where its source states none.
        measured_on: set, number of impostor pairs and date, or the publication it was taken from.
    """

    similarity: float
    far: float | None
    measured_on: str


@dataclass(frozen=True)
class MeasuredThreshold:
    """A threshold that an evaluation measured, and on what.

    Attributes:
        similarity: cosine, -1..1.
        far: false accept rate that it keeps on that set.
        set: name of the verification set.
        genuine, impostor: numbers of its pairs.
        date: of the measurement, YYYY-MM-DD.
        digest: SHA-256 hex of the weights and their feeding; another network's threshold is none of this one's.
    """

    similarity: float
    far: float
    set: str
    genuine: int
    impostor: int
    date: str
    digest: str


@dataclass(frozen=True)
class ModelCard:
    """How a network is fed and read.

    Attributes:
        name: what the model is called.
        task: one of ``TASKS``.
        input_size: (height, width) in pixels; None where any size goes (P-Net, SCRFD, YuNet).
        colour: "rgb" or "bgr", the channel order that the network expects.
        mean, scale: the network sees ``(x - mean) / scale`` of 0..255 values.
        embedding_size: length of an embedding; 0 for other tasks.
        flip: "none"; "sum_raw": f(x) + f(mirrored x); "sum_normalised": the sum of both after normalising each.
        threshold: the one that the recognizer uses; None where nobody stated one.
        measured: what ``eval/verify.py --calibrate`` measured, by set and false accept rate.
        source: where the network comes from and what it was trained on.
    """

    name: str
    task: str = "embedding"
    input_size: tuple[int, int] | None = (112, 112)
    colour: str = "rgb"
    mean: float = 127.5
    scale: float = 127.5
    embedding_size: int = 0
    flip: str = "none"
    threshold: Threshold | None = None
    measured: tuple[MeasuredThreshold, ...] = ()
    source: str = ""

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], where: str) -> "ModelCard":
        """Build a card from YAML; ``where`` names the file and part in errors.

        Raises:
            BadConfig: an unknown or missing key, or a value that makes no sense.
        """
        check_keys(mapping, where, {"name", "task"}, set(cls.__dataclass_fields__) - {"name", "task"})
        values = dict(mapping)
        if values.get("input_size") is not None and "input_size" in values:
            values["input_size"] = _size(values["input_size"], where)
        if values.get("threshold") is not None:
            check_keys(values["threshold"], f"{where}: threshold", {"similarity", "far", "measured_on"})
            values["threshold"] = Threshold(**values["threshold"])
        if "measured" in values:
            values["measured"] = _measured(values["measured"], f"{where}: measured")
        card = cls(**values)
        card._check(where)
        return card

    def to_mapping(self) -> dict[str, Any]:
        """The card as plain YAML values; ``from_mapping`` reads it back."""
        mapping = asdict(self)
        mapping["input_size"] = list(self.input_size) if self.input_size else None
        mapping["measured"] = [asdict(each) for each in self.measured]
        if not self.measured:
            del mapping["measured"]
        return mapping

    def _check(self, where: str) -> None:
        for key, choices in (("task", TASKS), ("colour", ("rgb", "bgr")), ("flip", FLIPS)):
            if getattr(self, key) not in choices:
                raise BadConfig(f"{where}: {key} is {getattr(self, key)!r}. Expected one of: {', '.join(choices)}.")
        for key in ("name", "source"):
            if not isinstance(getattr(self, key), str):
                raise BadConfig(f"{where}: {key} must be text, not {getattr(self, key)!r}.")
        for key in ("mean", "scale"):
            if not _is_number(getattr(self, key)):
                raise BadConfig(f"{where}: {key} must be a number, not {getattr(self, key)!r}.")
        if self.scale == 0:
            raise BadConfig(f"{where}: scale must not be 0.")
        if self.threshold:
            _check_rates(self.threshold.similarity, self.threshold.far, f"{where}: threshold")
        if self.task == "embedding":
            self._check_embedding(where)

    def _check_embedding(self, where: str) -> None:
        if type(self.embedding_size) is not int or self.embedding_size < 1:
            raise BadConfig(f"{where}: embedding_size must be a positive whole number, not {self.embedding_size!r}.")
        if self.input_size is None:
            raise BadConfig(f"{where}: input_size must be given: a recogniser takes faces of one size.")


def _measured(listed: Any, where: str) -> tuple[MeasuredThreshold, ...]:
    if not isinstance(listed, list):
        raise BadConfig(f"{where} must be a list, not {type(listed).__name__}.")
    for entry in listed:
        check_keys(entry, where, set(MeasuredThreshold.__dataclass_fields__))
        _check_rates(entry["similarity"], entry["far"], where)
        for key in ("genuine", "impostor"):
            if type(entry[key]) is not int or entry[key] < 0:
                raise BadConfig(f"{where}: {key} must be a whole number, not {entry[key]!r}.")
        for key in ("set", "date", "digest"):
            if not isinstance(entry[key], str):
                raise BadConfig(f"{where}: {key} must be text, not {entry[key]!r}.")
    return tuple(MeasuredThreshold(**entry) for entry in listed)


def _check_rates(similarity: Any, far: Any, where: str) -> None:
    if not _is_number(similarity) or not -1 <= similarity <= 1:
        raise BadConfig(f"{where}.similarity is a cosine, -1..1, not {similarity!r}.")
    if far is not None and not (_is_number(far) and 0 <= far <= 1):
        raise BadConfig(f"{where}.far is a rate, 0..1, or null, not {far!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _size(value: Any, where: str) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value, value]
    if not (isinstance(value, (list, tuple)) and len(value) == 2 and all(type(v) is int and v > 0 for v in value)):
        raise BadConfig(f"{where}: input_size must be one or two positive whole numbers, not {value!r}.")
    return (value[0], value[1])
