"""Weights in: fill one of our backbones with what another file holds, to go on training from there.

A *source* is a bundle's folder or a ``.keras`` file of ours, a name of the zoo (``mobilefacenet``), an ONNX file of
IResNet or MobileFaceNet (batch normalisations folded or not), or a PyTorch state dict (``.pth``, ``.pt``,
``.safetensors``) of arcface_torch's or TreB1eN's networks. See docs/networks.md.
"""

from pathlib import Path

from networks.importing.results import Backbone, Imported

__all__ = ["Backbone", "Imported", "backbone_of", "load_into", "recalibrate"]


def load_into(model, source: str | Path) -> Imported:
    """Give ``model`` (from ``networks.backbones.get``) the weights of a source of the same network.

    Another embedding size, or another input size, leaves out the layers that make the embedding, from the first that
    differs on; everything else must fit. Where nothing was left out of a graph (ONNX, TFLite), both networks are run on
    the same random faces, and must agree.

    Returns:
        What was taken and what was not.

    Raises:
        BadModel: no such source, not readable, or not of this network; the model is then unchanged.
        UnknownChoice, FetchFailed, LicenseNotAccepted, ChecksumMismatch, BadConfig: see ``networks.load``.
    """
    from networks.importing.sources import opened
    from networks.importing.weights import assign

    opened_source = opened(source)
    weights = opened_source.weights_for(model)
    before = model.get_weights()
    left_out = assign(model, weights, opened_source.where)
    try:
        difference = None if left_out else opened_source.difference(model)
    except Exception:
        model.set_weights(before)
        raise
    return Imported(
        source=opened_source.where,
        matched=tuple(name for name in weights.arrays if name not in left_out),
        left_out=tuple(left_out),
        unused=weights.unused,
        folded=tuple(name for name in weights.folded if name not in left_out),
        difference=difference,
    )


def backbone_of(source: str | Path) -> Backbone:
    """Which of our backbones a source holds: the name and arguments for ``networks.backbones.get``.

    Raises:
        BadModel: none of ours, or not readable.
    """
    from networks.importing.sources import opened

    return opened(source).describe()


def recalibrate(model, faces) -> tuple[str, ...]:
    """Unfold batch normalisations that came folded, by what the layers give on some faces; outputs stay as they are.

    A file whose normalisations are folded into the convolutions no longer tells the statistics they had. Such a layer
    comes in as one that does nothing, and training would at its first step normalise what never was normalised. Here
    it gets the mean and variance of what reaches it for ``faces``, and the gamma and beta that undo them. Do so once,
    after ``load_into`` and before training.

    Args:
        model: a backbone.
        faces: float32 ``[n, h, w, 3]`` as the network is fed; some hundred aligned faces.

    Returns:
        Names of the layers that could not be changed: those without a gamma of their own.

    Raises:
        BadArgument: fewer than two faces.
    """
    from networks.importing.recalibration import recalibrate as run

    return run(model, faces)
