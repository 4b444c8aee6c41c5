"""ArcFace: an additive margin on the angle (Deng et al. 2019, arXiv:1801.07698)."""

from math import cos, pi, sin
from typing import Any

from keras import ops

from train import arguments
from train.heads import directions
from train.heads.base import MarginHead, register, through

BRANCHES = ("classic", "none", "smooth", "easy")


@register
class ArcFace(MarginHead):
    """Own class: scale * cos(theta + margin); the others: scale * cos(theta).

    Past theta = pi - margin, cos(theta + margin) grows again. What stands there instead is the ``branch``:

    - "classic": cos(theta) - margin * sin(margin), which jumps there but keeps falling;
    - "none": nothing else, as in today's official code;
    - "smooth": -2 - cos(theta + margin), which neither jumps nor grows;
    - "easy": cos(theta + margin) only where cos(theta) > 0, and plain cos(theta) elsewhere.

    Args:
        margin: in radians.
        straight_through: leave the margin out of the gradient (arcface_torch), which otherwise carries
            sin(theta + margin) / sin(theta).
    """

    def __init__(
        self,
        classes: int,
        margin: float = 0.5,
        scale: float = 64.0,
        branch: str = "classic",
        straight_through: bool = False,
        initial_std: float = 0.01,
        name: str | None = None,
    ):
        super().__init__(classes, scale, initial_std, name)
        self.margin = arguments.number("margin", margin, at_least=0, below=pi)
        self.branch = arguments.one_of("branch", branch, BRANCHES)
        self.straight_through = arguments.flag("straight_through", straight_through)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        moved = cosine * cos(self.margin) - directions.sine(cosine) * sin(self.margin)
        return through(cosine, self._branched(cosine, moved), self.straight_through)

    def _branched(self, cosine: Any, moved: Any) -> Any:
        turning = cos(pi - self.margin)
        if self.branch == "classic":
            return ops.where(cosine > turning, moved, cosine - self.margin * sin(self.margin))
        if self.branch == "smooth":
            return ops.where(cosine > turning, moved, -2.0 - moved)
        if self.branch == "easy":
            return ops.where(cosine > 0, moved, cosine)
        return moved

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        own = {"margin": self.margin, "branch": self.branch, "straight_through": self.straight_through}
        return {**super().get_config(), **own}
