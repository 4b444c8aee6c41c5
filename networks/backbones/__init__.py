"""Backbones: networks from an aligned face to its embedding, as Keras functional models.

Each takes float32 ``[n, height, width, 3]``, scaled as its training has it, and returns float32
``[n, embedding_size]``, not normalised, under any dtype policy. Only layers and operations of Keras itself are used:
the models run on its TensorFlow, JAX and PyTorch backends, and a ``.keras`` file of one needs no code of this project.

Layers are called by what they are: ``..._conv``, ``..._norm``, ``..._activation``, and ``embedding_...`` for the layers
that make the embedding of the last map, of which ``embedding_dense`` is the matrix and ``embedding_norm`` the last.
"""

import inspect

from common.errors import BadArgument, MissingDependency
from common.registry import Registry
from networks.backbones.settings import Settings

BACKBONES = Registry(
    "backbone",
    {
        **{
            f"resnet_v2_m_{layers}": f"networks.backbones.resnet_v2_m:resnet_v2_m_{layers}"
            for layers in (50, 101, 152, 200)
        },
        **{f"resnet_v2_{layers}": f"networks.backbones.resnet_v2:resnet_v2_{layers}" for layers in (50, 101, 152, 200)},
        **{
            f"iresnet{layers}": f"networks.backbones.iresnet:iresnet{layers}"
            for layers in (18, 34, 50, 100, 101, 152, 200)
        },
        **{f"ir_{layers}": f"networks.backbones.ir:ir_{layers}" for layers in (50, 100, 152)},
        **{f"ir_se_{layers}": f"networks.backbones.ir:ir_se_{layers}" for layers in (50, 100, 152)},
        "mobilefacenet": "networks.backbones.mobilefacenet:mobilefacenet",
        "mobilefacenet_public": "networks.backbones.mobilefacenet_public:mobilefacenet_public",
        **{f"vit_{size}": f"networks.backbones.vit:vit_{size}" for size in ("t", "s", "b", "l")},
    },
)


def get(
    name: str,
    embedding_size: int = 512,
    input_size: tuple[int, int] = (112, 112),
    width: float = 1.0,
    dropout: float | None = None,
    **options,
):
    """A backbone with fresh weights, a ``keras.Model`` called ``name``.

    Args:
        name: one of ``BACKBONES``.
        embedding_size: length of an embedding.
        input_size: (height, width) in pixels; both multiples of 16, but for the ViT, which takes any from 9 up.
        width: factor on all numbers of channels, which become multiples of 8 and at least 8.
        dropout: rate of units dropped before the embedding (in the ViT: throughout); None: as in the network's source.
        options: what this backbone alone has (see docs/networks.md).

    Raises:
        UnknownChoice: no backbone of that name.
        BadArgument: an argument out of its range, or an option that this backbone does not have.
        MissingDependency: Keras or its backend is not installed.
    """
    builder = _builder(name)
    _check_options(name, builder, options)
    return builder(Settings(embedding_size, input_size, width, dropout), **options)


def options_of(name: str) -> dict:
    """The options that a backbone has besides those of all, with their defaults.

    Raises:
        UnknownChoice, MissingDependency: see :func:`get`.
    """
    parameters = inspect.signature(_builder(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def _builder(name: str):
    try:
        return BACKBONES[name]
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"Backbones need Keras and TensorFlow ({error}). Install them: pip install '.[train]'"
        ) from None


def _check_options(name: str, builder, options: dict) -> None:
    known = options_of(name)
    for option in options:
        if option not in known:
            expected = f"Expected one of: {', '.join(known)}." if known else "It has none."
            raise BadArgument(f"The backbone {name} has no option {option!r}. {expected}")
