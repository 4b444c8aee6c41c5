"""MultiFace: the embedding cut into slices, each of which is to tell the classes apart by itself (Xu et al. 2021)."""

from typing import Any

from keras import ops

from common.errors import BadArgument
from train import arguments, heads
from train.heads import directions
from train.heads.base import Head, register
from train.losses import REDUCTIONS


@register
class MultiFace(Head):
    """Logits ``[n, slices, classes]``: the normalised embedding in equal parts, each with class weights of its own.

    The embedding is used whole when faces are compared.

    Args:
        head: name of the head that makes logits of a slice (any but multiface).
        slices: into how many parts the embedding is cut; the kernel is ``[classes, slices, d / slices]``.
        renormalise: bring every slice to length 1 again; otherwise its length is its share of the whole.
        reduce: what the loss does with the slices, "sum" or "mean"; the trainer passes it on to the loss.
        options: of that head, such as margin and scale.
    """

    def __init__(
        self,
        classes: int,
        head: str = "arcface",
        slices: int = 2,
        renormalise: bool = False,
        reduce: str = "sum",
        initial_std: float = 0.01,
        name: str | None = None,
        **options: Any,
    ):
        super().__init__(classes, initial_std, name)
        if head == "multiface":
            raise BadArgument("multiface cuts the embedding once: its head cannot be multiface again.")
        self.slices = arguments.whole("slices", slices, at_least=1)
        self.renormalise = arguments.flag("renormalise", renormalise)
        self.reduce = arguments.one_of("reduce", reduce, REDUCTIONS)
        self.inner = heads.get(head, classes, **options)
        self.head, self.options = head, options

    def class_shapes(self, embedding_size: int) -> dict[str, tuple[int, ...]]:
        """See :class:`Head`."""
        if embedding_size % self.slices:
            raise BadArgument(
                f"An embedding of {embedding_size} numbers cannot be cut into {self.slices} equal slices: choose a "
                "number that divides it."
            )
        shapes = self.inner.class_shapes(embedding_size // self.slices)
        return {name: (shape[0], self.slices, *shape[1:]) for name, shape in shapes.items()}

    def build_state(self) -> None:
        """See :class:`Head`."""
        self.inner.build_state()
        self.inner.built = True

    def observe(self, length: Any, training: bool) -> None:
        """See :class:`Head`."""
        self.inner.observe(length, training)

    def logits_of(self, direction: Any, length: Any, labels: Any, class_weights: list) -> Any:
        """See :class:`Head`."""
        parts = ops.split(direction, self.slices, axis=1)
        if self.renormalise:
            parts = [directions.split(part)[0] for part in parts]
        return ops.stack(
            [
                self.inner.logits_of(part, length, labels, [weights[:, number] for weights in class_weights])
                for number, part in enumerate(parts)
            ],
            axis=1,
        )

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """``[n, slices, classes]``."""
        return (input_shape[0][0], self.slices, self.classes)

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        own = {"head": self.head, "slices": self.slices, "renormalise": self.renormalise, "reduce": self.reduce}
        return {**super().get_config(), **own, **self.options}
