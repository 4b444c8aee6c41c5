"""What weights can come from: opened by name, folder or suffix."""

from os import PathLike
from pathlib import Path
from typing import Protocol

from common.errors import BadArgument, BadModel
from common.registry import Registry
from networks import zoo
from networks.importing.results import Backbone
from networks.importing.weights import Weights

SOURCES = Registry(
    "kind of weights",
    {
        ".keras": "networks.importing.keras_file:KerasFile",
        ".onnx": "networks.importing.graph:Graph",
        ".tflite": "networks.importing.graph:Graph",
        ".xml": "networks.importing.graph:Graph",
        ".pth": "networks.importing.state_dict:StateDict",
        ".pt": "networks.importing.state_dict:StateDict",
        ".safetensors": "networks.importing.state_dict:StateDict",
    },
)


class Source(Protocol):
    """A file of weights; ``where`` names it in errors."""

    where: str

    def weights_for(self, model) -> Weights:
        """Its weights, by the layers of ``model``. Raises BadModel where it holds another network."""

    def describe(self) -> Backbone:
        """Which backbone it holds. Raises BadModel where it is none of ours."""

    def difference(self, model) -> float | None:
        """The largest difference of outputs, checked; None where the file cannot be run."""


def opened(source: str | Path) -> Source:
    """The source that a name of the zoo, a bundle's folder or a path stands for.

    Raises:
        BadModel: no such file, or of no kind that weights are read from.
    """
    if not isinstance(source, (str, PathLike)):
        raise BadArgument(f"A source of weights is a name or a path, not {type(source).__name__}.")
    path = Path(source).expanduser()
    if str(source) in zoo.names("embedding") and not path.exists():
        path = zoo.pull(str(source))["model"]
    elif (path / "model.yaml").is_file():
        path = _keras_file_of(path)
    if path.suffix not in SOURCES:
        expected = ", ".join(SOURCES)
        raise BadModel(f"{path} is no source of weights: give a name of the zoo, a bundle, or a file of {expected}.")
    if not path.is_file():
        raise BadModel(f"No such file: {path}")
    return SOURCES[path.suffix](path)


def _keras_file_of(bundle: Path) -> Path:
    from networks.load import _bundle  # checks every file's SHA-256

    files, _, _ = _bundle(bundle)
    for path in files:
        if path.suffix == ".keras":
            return path
    raise BadModel(f"The bundle {bundle} has no .keras file, from which training could go on.")
