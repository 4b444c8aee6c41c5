"""SavedModel: TensorFlow's format for serving; the other graphs are made from it."""

from pathlib import Path

import numpy as np

from networks.exporting.format import OUTPUT, Format, require_tensorflow, run_openvino, signature


def write(model, folder: Path, samples: np.ndarray) -> Path:
    """One function, "serve" and the default signature: embeddings of a batch of any size."""
    require_tensorflow()
    import keras

    path = folder / "saved_model"
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda faces: {OUTPUT: model(faces, training=False)}, signature(model))
    archive.write_out(path, verbose=False)
    return path


FORMAT = Format(write, run_openvino)
