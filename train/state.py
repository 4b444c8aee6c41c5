"""All variables of a run, by name, out of memory and back."""

import keras
import numpy as np

from common.errors import BadCheckpoint


class State:
    """Variables in groups ("model", "head", "optimizer", ...), each in a fixed order."""

    def __init__(self, groups: dict[str, list[keras.Variable]]):
        self._variables = {
            f"{group}/{number:04d}/{variable.name}": variable  # its path has a number of Keras' own
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of all values."""
        return {name: value_of(variable) for name, variable in self._variables.items()}

    def restore(self, arrays: dict[str, np.ndarray], where: str) -> None:
        """Give all variables their values. Raises BadCheckpoint, before any is changed, where one does not fit."""
        for name, variable in self._variables.items():
            came = arrays[name].shape if name in arrays else "nothing"
            if came != tuple(variable.shape):
                raise BadCheckpoint(
                    f"{where} is of another network: for {name}, {tuple(variable.shape)} was expected and {came} came."
                )
        for name, variable in self._variables.items():
            variable.assign(arrays[name])


def value_of(variable: keras.Variable) -> np.ndarray:
    """The value of a variable, of its first replica where it has several."""
    return np.array(variable.value.numpy())
