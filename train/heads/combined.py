"""The combined margin of ArcFace's authors: SphereFace's, ArcFace's and CosFace's at once (arXiv:1801.07698)."""

from math import pi
from typing import Any

from keras import ops

from train import arguments
from train.heads import directions
from train.heads.base import MarginHead, register, through


@register
class Combined(MarginHead):
    """Own class: scale * (cos(m1 * theta + m2) - m3); the others: scale * cos(theta).

    (1, 0, 0) is the normalised softmax, (1, 0, m) CosFace, (1, m, 0) ArcFace with the branch "none".

    Args:
        straight_through: leave the margin out of the gradient.
    """

    def __init__(
        self,
        classes: int,
        m1: float = 1.0,
        m2: float = 0.3,
        m3: float = 0.2,
        scale: float = 64.0,
        straight_through: bool = False,
        initial_std: float = 0.01,
        name: str | None = None,
    ):
        super().__init__(classes, scale, initial_std, name)
        self.m1 = arguments.number("m1", m1, above=0)
        self.m2 = arguments.number("m2", m2, at_least=0, below=pi)
        self.m3 = arguments.number("m3", m3, at_least=0, at_most=2)
        self.straight_through = arguments.flag("straight_through", straight_through)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        moved = ops.cos(self.m1 * directions.angle(cosine) + self.m2) - self.m3
        return through(cosine, moved, self.straight_through)

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        own = {"m1": self.m1, "m2": self.m2, "m3": self.m3, "straight_through": self.straight_through}
        return {**super().get_config(), **own}
