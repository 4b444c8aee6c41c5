"""All that a training configuration can say; docs/training.md has a row for each key."""

from dataclasses import dataclass, field
from typing import Any, Literal

from common.errors import BadConfig
from train.config.choice import Choice
from train.config.durations import Duration


def _positive(value: float | None, where: str) -> None:
    if value is not None and value <= 0:
        raise BadConfig(f"{where} must be more than 0, not {value:g}.")


@dataclass(frozen=True)
class Data:
    """What is learned from, and how a picture is fed to the network."""

    train: str
    batch: int = 128
    image_size: tuple[int, int] = (112, 112)
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: float = 127.5
    scale: float = 127.5
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    augment: dict[str, Any] = field(default_factory=lambda: {"flip": True})
    threads: int | None = None

    def check(self, where: str) -> None:
        _positive(self.batch, f"{where}.batch")
        _positive(self.threads, f"{where}.threads")
        _positive(min(self.image_size), f"{where}.image_size")
        if self.scale == 0:
            raise BadConfig(f"{where}.scale must not be 0.")


@dataclass(frozen=True)
class Backbone:
    """The network that makes embeddings. ``weights``: a bundle, a name of the zoo or a file to start from."""

    name: str
    embedding_size: int = 512
    width: float = 1.0
    dropout: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None

    def check(self, where: str) -> None:
        _positive(self.embedding_size, f"{where}.embedding_size")
        _positive(self.width, f"{where}.width")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise BadConfig(f"{where}.dropout is a rate, 0 to below 1, not {self.dropout:g}.")


@dataclass(frozen=True)
class PartialFC:
    """Train on all classes of the batch and a sample of the others."""

    rate: float = 0.1

    def check(self, where: str) -> None:
        if not 0 < self.rate <= 1:
            raise BadConfig(f"{where}.rate is a share of the classes, above 0 to 1, not {self.rate:g}.")


@dataclass(frozen=True)
class Training:
    """How long, on what and in which arithmetic."""

    duration: Duration
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    accumulate: int = 1
    ema: float | None = None
    sync_batch_norm: bool = True
    deterministic: bool = True
    xla: bool = False

    def check(self, where: str) -> None:
        _positive(self.accumulate, f"{where}.accumulate")
        if self.ema is not None and not 0 < self.ema < 1:
            raise BadConfig(f"{where}.ema is the share of the old average, between 0 and 1 (0.9999), not {self.ema:g}.")


@dataclass(frozen=True)
class Checkpoints:
    """How often the state is kept, and how many of them."""

    every: Duration = Duration(1, "epochs")
    keep: int = 3

    def check(self, where: str) -> None:
        if self.keep < 2:
            raise BadConfig(f"{where}.keep must be 2 or more: were the last one damaged, the one before it is used.")
        if self.every.amount == 0:
            raise BadConfig(f"{where}.every must be more than 0.")


@dataclass(frozen=True)
class Verification:
    """What the network is measured on while it learns. ``sets``: names (NAME.bin in ``folder``), ``.bin`` files, or
    datasets of people who are not trained on, of whom all pairs are compared."""

    sets: list[str] = field(default_factory=list)
    folder: str | None = None
    every: Duration = Duration(1, "epochs")
    flip: Literal["none", "sum_raw", "sum_normalised"] = "sum_raw"
    far: float = 1e-3

    def check(self, where: str) -> None:
        if self.every.amount == 0:
            raise BadConfig(f"{where}.every must be more than 0.")
        if not 0 < self.far < 1:
            raise BadConfig(f"{where}.far is a rate between 0 and 1, not {self.far:g}.")


@dataclass(frozen=True)
class Log:
    """What is written while it runs."""

    every: Duration = Duration(20)
    pictures: Duration = Duration(2000)
    tensorboard: bool = True

    def check(self, where: str) -> None:
        for key in ("every", "pictures"):
            if getattr(self, key).amount == 0:
                raise BadConfig(f"{where}.{key} must be more than 0.")


@dataclass(frozen=True)
class Bundle:
    """What the run ends in. ``weights``: "best" by verification (the last where there was none), or "last"."""

    formats: list[str] = field(default_factory=lambda: ["keras", "onnx"])
    weights: Literal["best", "last"] = "best"
    flip: Literal["none", "sum_raw", "sum_normalised"] = "none"
    source: str = ""

    def check(self, where: str) -> None:
        if "keras" not in self.formats:
            raise BadConfig(f"{where}.formats must hold 'keras', from which a bundle is trained on.")


@dataclass(frozen=True)
class Config:
    """A whole training run."""

    name: str
    data: Data
    backbone: Backbone
    head: Choice
    optimizer: Choice
    schedule: Choice
    training: Training
    loss: Choice = Choice("cross_entropy")
    partial_fc: PartialFC | None = None
    checkpoints: Checkpoints = Checkpoints()
    verification: Verification = Verification()
    log: Log = Log()
    bundle: Bundle = Bundle()
    output: str = ""
    seed: int = 0

    def check(self, where: str) -> None:
        if not self.name or "/" in self.name:
            raise BadConfig(f"{where}: name must be a word without '/', not {self.name!r}.")
        if self.data.batch % self.training.accumulate:
            raise BadConfig(
                f"{where}: data.batch ({self.data.batch}) must be a multiple of training.accumulate "
                f"({self.training.accumulate})."
            )
        if self.loss.name == "focal_batch" and self.training.accumulate > 1:
            raise BadConfig(
                f"{where}: loss focal_batch weighs a whole batch by its mean, which is not known before the last part "
                "of it: set training.accumulate to 1, or take the loss focal."
            )
