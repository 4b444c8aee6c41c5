"""CosFace: an additive margin on the cosine (Wang et al. 2018, arXiv:1801.09414)."""

from typing import Any

from train import arguments
from train.heads.base import MarginHead, register


@register
class CosFace(MarginHead):
    """Own class: scale * (cos(theta) - margin); the others: scale * cos(theta)."""

    def __init__(
        self,
        classes: int,
        margin: float = 0.35,
        scale: float = 64.0,
        initial_std: float = 0.01,
        name: str | None = None,
    ):
        super().__init__(classes, scale, initial_std, name)
        self.margin = arguments.number("margin", margin, at_least=0, at_most=2)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        return cosine - self.margin

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        return {**super().get_config(), "margin": self.margin}
