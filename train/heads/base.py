"""What all heads share: the class weights, and the one path from embeddings to scaled logits."""

from typing import Any

import keras
from keras import ops

from train import arguments
from train.heads import directions, target

register = keras.saving.register_keras_serializable(package="insightface_tensorflow")


class Head(keras.layers.Layer):
    """A layer from ``[embeddings [n, d] of any float type, labels int [n]]`` to logits float32 ``[n, classes]``.

    It computes in float32 whatever the dtype policy. Each of ``class_variables`` has the class as its first axis.

    Args:
        classes: how many people there are.
        initial_std: standard deviation of the fresh class weights, which are normally distributed around 0.

    Raises:
        BadArgument: an argument of the wrong type or out of its range.
    """

    def __init__(self, classes: int, initial_std: float = 0.01, name: str | None = None):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.classes = arguments.whole("classes", classes, at_least=1)
        self.initial_std = arguments.number("initial_std", initial_std, at_least=0)

    def class_shapes(self, embedding_size: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the class variables by name, in their order."""
        return {"kernel": (self.classes, embedding_size)}

    def build_state(self) -> None:
        """Make the variables that are not of a class."""
        pass

    def observe(self, length: Any, training: bool) -> None:
        """Move what follows the training along, once a step, by the lengths ``[n]`` of the embeddings."""
        pass  # AutoGraph cannot read a function of a docstring alone, and warns

    def logits_of(self, direction: Any, length: Any, labels: Any, class_weights: list) -> Any:
        """Logits of embeddings given as unit vectors ``[n, d]`` and lengths ``[n]``; labels are int32."""
        raise NotImplementedError

    @property
    def class_variables(self) -> list[keras.Variable]:
        """The trainable variables with a row for each class, in the order in which ``logits`` takes their values."""
        return list(self._class_variables)

    def build_for(self, embedding_size: int) -> None:
        """Make the variables for embeddings of that length, if that was not done."""
        if not self.built:
            self.build([(None, arguments.whole("embedding_size", embedding_size, at_least=1)), (None,)])

    def build(self, input_shape: Any) -> None:
        """Keras' hook: make the variables."""
        shapes = self.class_shapes(input_shape[0][-1])
        self._class_variables = [self._class_weight(name, shape) for name, shape in shapes.items()]
        self.build_state()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Logits by the head's own class weights."""
        embeddings, labels = inputs
        weights = [ops.convert_to_tensor(variable) for variable in self.class_variables]
        return self.logits(embeddings, labels, weights, training)

    def logits(self, embeddings: Any, labels: Any, class_weights: list, training: bool = True) -> Any:
        """The same with given class weights in the order of ``class_variables``, such as rows of a sample of classes.

        Args:
            embeddings: ``[n, d]`` of any float type, not normalised.
            labels: int ``[n]``, numbers of rows in ``class_weights``.
            class_weights: tensors like ``class_variables``, with any number of classes.
            training: let running statistics and iterations of the head move on.
        """
        direction, length = directions.split(embeddings)
        self.observe(length, training)
        return self.logits_of(direction, length, ops.cast(labels, "int32"), class_weights)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """``[n, classes]``."""
        return (input_shape[0][0], self.classes)

    def get_config(self) -> dict[str, Any]:
        """All arguments of the constructor; a subclass adds its own."""
        return {"name": self.name, "classes": self.classes, "initial_std": self.initial_std}

    def _class_weight(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        initializer = "zeros" if name == "bias" else _normal(self.initial_std)
        return self.add_weight(name=name, shape=shape, initializer=initializer, dtype="float32")


def _normal(std: float) -> Any:
    """Normally distributed fresh weights, made with as little memory besides them as can be."""
    initializer = keras.initializers.RandomNormal(stddev=std)
    if keras.backend.backend() != "tensorflow":
        return initializer
    import tensorflow as tf

    def initialize(shape: Any, dtype: Any = None) -> Any:
        # Eagerly, random numbers and their multiple by std lie beside the result; TensorFlow keeps what was freed.
        # In a graph a kernel of 0.4 GB leaves 0.4 GB less behind.
        return tf.function(lambda: initializer(shape, dtype))()

    return initialize


class MarginHead(Head):
    """A head that compares by cosines. A subclass says what the margin makes of the cosine to the own class."""

    def __init__(self, classes: int, scale: float, initial_std: float, name: str | None):
        super().__init__(classes, initial_std, name)
        self.scale = arguments.number("scale", scale, above=0)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """What stands in the place of the cosine ``[n]`` to the own class, which lies in -1..1."""
        raise NotImplementedError

    def logits_of(self, direction: Any, length: Any, labels: Any, class_weights: list) -> Any:
        """See :class:`Head`."""
        return self.with_margin(directions.cosines(direction, class_weights[0]), length, labels)

    def with_margin(self, cosine: Any, length: Any, labels: Any) -> Any:
        """Scaled logits ``[n, classes]`` from the cosines to all classes: the one place where margins are applied."""
        own = ops.clip(target.take(cosine, labels), -1.0, 1.0)  # rounding takes cosines past 1
        return self.scaled(target.put(cosine, labels, self.margin_cosine(own, length)), length)

    def scaled(self, cosine: Any, length: Any) -> Any:
        """Logits from cosines and margin cosines ``[n, classes]``."""
        return cosine * self.scale

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        return {**super().get_config(), "scale": self.scale}


def through(cosine: Any, changed: Any, straight: bool) -> Any:
    """``changed``, with its own gradient or, ``straight``, with that of ``cosine`` as if nothing had changed it."""
    return cosine + ops.stop_gradient(changed - cosine) if straight else changed
