"""Training data: reading and writing records, preparing datasets, and the pipeline that feeds the trainer."""

from common.registry import Registry

__all__ = ["open_dataset"]
_NAMES = Registry("name in train.data", {"open_dataset": "train.data.dataset:open_dataset"})


def __getattr__(name: str):
    """Names imported when first asked for."""
    if name not in _NAMES:
        raise AttributeError(f"train.data has no attribute {name!r}")
    return _NAMES[name]
