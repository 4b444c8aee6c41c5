"""The configuration of a training run: one YAML file says everything, and is checked when it is read."""

from train.config.load import from_mapping, load, to_mapping
from train.config.sections import Config

__all__ = ["Config", "from_mapping", "load", "to_mapping"]
