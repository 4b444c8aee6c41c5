"""The model card: all that has to be known of a network to feed it and to read its answer."""

from dataclasses import asdict, dataclass
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
        threshold: None where nobody stated one.
        source: where the network comes from and what it was trained on.
        direct_kernels: whether it runs faster with oneDNN's direct kernels where the CPU lacks AVX-512.
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
    source: str = ""
    direct_kernels: bool = False

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
        card = cls(**values)
        card._check(where)
        return card

    def to_mapping(self) -> dict[str, Any]:
        """The card as plain YAML values; ``from_mapping`` reads it back."""
        mapping = asdict(self)
        mapping["input_size"] = list(self.input_size) if self.input_size else None
        return mapping

    def _check(self, where: str) -> None:
        for key, choices in (("task", TASKS), ("colour", ("rgb", "bgr")), ("flip", FLIPS)):
            if getattr(self, key) not in choices:
                raise BadConfig(f"{where}: {key} is {getattr(self, key)!r}. Expected one of: {', '.join(choices)}.")
        for key in ("mean", "scale"):
            if isinstance(getattr(self, key), bool) or not isinstance(getattr(self, key), (int, float)):
                raise BadConfig(f"{where}: {key} must be a number, not {getattr(self, key)!r}.")
        if not isinstance(self.direct_kernels, bool):
            raise BadConfig(f"{where}: direct_kernels must be true or false, not {self.direct_kernels!r}.")
        if self.scale == 0:
            raise BadConfig(f"{where}: scale must not be 0.")
        if self.threshold and not -1 <= self.threshold.similarity <= 1:
            raise BadConfig(f"{where}: threshold.similarity is a cosine, -1..1, not {self.threshold.similarity!r}.")
        if self.task == "embedding" and not (isinstance(self.embedding_size, int) and self.embedding_size > 0):
            raise BadConfig(f"{where}: embedding_size must be a positive whole number, not {self.embedding_size!r}.")


def _size(value: Any, where: str) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value, value]
    if not (isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value)):
        raise BadConfig(f"{where}: input_size must be one or two positive whole numbers, not {value!r}.")
    return (value[0], value[1])
