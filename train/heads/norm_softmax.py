"""Normalised softmax: scaled cosines without a margin (NormFace, Wang et al. 2017, arXiv:1704.06369)."""

from typing import Any

from train.heads.base import MarginHead, register


@register
class NormSoftmax(MarginHead):
    """Logits scale * cos(theta)."""

    def __init__(self, classes: int, scale: float = 64.0, initial_std: float = 0.01, name: str | None = None):
        super().__init__(classes, scale, initial_std, name)

    def with_margin(self, cosine: Any, length: Any, labels: Any) -> Any:
        """Nothing is changed: the cosines, scaled."""
        return self.scaled(cosine, length)
