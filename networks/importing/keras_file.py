"""``.keras`` files of ours: weights by the name of their layer."""

from pathlib import Path

from common.errors import BadModel
from networks.backbones import BACKBONES
from networks.engines.keras import _load
from networks.importing.describe import of_layers
from networks.importing.results import Backbone
from networks.importing.weights import Weights


class KerasFile:
    """A backbone as it was saved after training. Raises BadModel where it cannot be loaded."""

    def __init__(self, path: Path):
        self.where = str(path)
        self._model = _load(path)

    def weights_for(self, model) -> Weights:
        """All weights of the file; the model may have no fewer layers."""
        if self._model.name in BACKBONES and self._model.name != model.name:
            raise BadModel(f"{self.where} holds a {self._model.name}; the model to be filled is a {model.name}.")
        found = {layer.name: layer.get_weights() for layer in self._model.layers if layer.weights}
        more = sorted(set(found) - {layer.name for layer in model.layers})
        if more:
            raise BadModel(
                f"{self.where} does not hold the weights of {model.name}: it has {len(more)} layers more, such as "
                f"{more[0]}. Build the backbone that networks.importing.backbone_of names."
            )
        return Weights(found)

    def describe(self) -> Backbone:
        """Told by the model's name and its layers."""
        return of_layers(self._model, self.where)

    def difference(self, model) -> None:
        """Not compared: what is equal by name and shape was written by us."""
        return
