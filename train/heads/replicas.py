"""State of a head that is the same in every replica of a ``tf.distribute`` strategy, with any strategy or none."""

from typing import Any

import keras


def state(layer: keras.layers.Layer, name: str, value: float, dtype: str = "float32") -> keras.Variable:
    """A scalar variable of ``layer`` that is not trained."""
    return layer.add_weight(
        name=name, shape=(), dtype=dtype, initializer=keras.initializers.Constant(value), trainable=False
    )


def gather(values: Any) -> Any:
    """``[n]`` of every replica as one ``[N]`` in each of them: the whole batch."""
    context = _replica_context()
    if context is None:
        return values
    import tensorflow as tf

    return context.all_gather(tf.identity(values), axis=0)  # an argument has no device that it could be sent from


def assign(variable: keras.Variable, value: Any) -> None:
    """Set a variable to a value that is the same in all replicas, which therefore need not ask one another."""
    if _replica_context():
        import tensorflow as tf

        tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)
    else:
        variable.assign(value)


def _replica_context() -> Any:
    """The context of this replica, where there are others; else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None
