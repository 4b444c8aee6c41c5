"""A model as it is exported: the same layers in float32, free of any distribution strategy."""

from common.errors import BadArgument


def plain(model):
    """A float32 copy of a Keras functional model whose weights are ordinary variables.

    Layers under a mixed policy compute in float32 again, and batch normalisation is not synchronised. Not to be
    called inside a strategy's scope, which would make the copy's variables its own.

    Raises:
        BadArgument: not a functional model with one picture in and one embedding out.
    """
    import keras

    if not isinstance(model, keras.Model) or not hasattr(model, "_nodes_by_depth"):
        raise BadArgument(f"Only a Keras functional model can be exported, not {type(model).__name__}.")
    shapes = [tuple(each.shape) for each in (*model.inputs, *model.outputs)]
    if [len(shape) for shape in shapes] != [4, 2] or shapes[0][3] != 3 or None in (*shapes[0][1:], *shapes[1][1:]):
        raise BadArgument(f"Expected a network from faces [n, h, w, 3] to embeddings [n, d]; its shapes are {shapes}.")
    copy = keras.models.clone_model(model, clone_function=_plain_layer, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def _plain_layer(layer):
    config = layer.get_config()
    if "dtype" in config:
        config["dtype"] = "float32"
    if "synchronized" in config:
        config["synchronized"] = False  # Keras has it on TensorFlow only
    return layer.__class__.from_config(config)
