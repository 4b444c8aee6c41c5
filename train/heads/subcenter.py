"""Sub-center: several weight vectors for each class, of which the nearest counts (Deng et al. 2020, ECCV)."""

from typing import Any

from keras import ops

from common.errors import BadArgument
from train import arguments, heads
from train.heads import directions
from train.heads.base import Head, MarginHead, register


@register
class SubCenter(Head):
    """The cosine to a class is the largest of those to its centers; then another head's margin is applied.

    Args:
        centers: weight vectors for each class; the kernel is ``[classes, centers, d]``.
        head: name of a head that compares by cosines (all but softmax, multiface and subcenter).
        options: of that head, such as margin and scale.
    """

    def __init__(
        self,
        classes: int,
        centers: int = 3,
        head: str = "arcface",
        initial_std: float = 0.01,
        name: str | None = None,
        **options: Any,
    ):
        super().__init__(classes, initial_std, name)
        self.centers = arguments.whole("centers", centers, at_least=1)
        self.inner = heads.get(head, classes, **options)
        if not isinstance(self.inner, MarginHead):
            raise BadArgument(f"subcenter takes the largest of cosines, which the head {head} does not have.")
        self.head, self.options = head, options

    def class_shapes(self, embedding_size: int) -> dict[str, tuple[int, ...]]:
        """See :class:`Head`."""
        return {"kernel": (self.classes, self.centers, embedding_size)}

    def build_state(self) -> None:
        """See :class:`Head`."""
        self.inner.build_state()
        self.inner.built = True

    def observe(self, length: Any, training: bool) -> None:
        """See :class:`Head`."""
        self.inner.observe(length, training)

    def logits_of(self, direction: Any, length: Any, labels: Any, class_weights: list) -> Any:
        """See :class:`Head`."""
        kernel = class_weights[0]
        cosine = directions.cosines(direction, ops.reshape(kernel, (-1, kernel.shape[-1])))
        nearest = ops.max(ops.reshape(cosine, (ops.shape(cosine)[0], -1, self.centers)), axis=-1)
        return self.inner.with_margin(nearest, length, labels)

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        return {**super().get_config(), "centers": self.centers, "head": self.head, **self.options}
