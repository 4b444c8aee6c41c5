"""ONNX, by tf2onnx. Inputs stay channels last, ``[n, h, w, 3]``."""

from pathlib import Path

import numpy as np

from common.errors import MissingDependency
from networks.exporting.format import OUTPUT, Format, require_tensorflow, run_openvino, signature


def write(model, folder: Path, samples: np.ndarray) -> Path:
    """Opset 15; run by OpenVINO 2026.4, ONNX Runtime 1.32 and OpenCV 5.0 with the same outputs."""
    tensorflow = require_tensorflow()
    try:
        import tf2onnx
    except ImportError as error:
        raise MissingDependency(f"Writing ONNX needs tf2onnx ({error}). Install it: pip install '.[train]'") from None

    path = folder / "model.onnx"
    function = tensorflow.function(lambda faces: {OUTPUT: model(faces, training=False)}, signature(model))
    tf2onnx.convert.from_function(function, signature(model), opset=15, output_path=str(path))
    return path


FORMAT = Format(write, run_openvino)
