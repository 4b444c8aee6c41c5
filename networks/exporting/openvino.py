"""OpenVINO IR, converted from a SavedModel; weights stay float32."""

import tempfile
from pathlib import Path

import numpy as np

from networks.exporting import saved_model
from networks.exporting.format import Format, run_openvino


def write(model, folder: Path, samples: np.ndarray) -> Path:
    """``model.xml`` and its weights, ``model.bin``."""
    import openvino

    import networks.engines  # noqa: F401  keeps OpenVINO's telemetry out

    path = folder / "model.xml"
    with tempfile.TemporaryDirectory() as temporary:
        graph = openvino.convert_model(saved_model.write(model, Path(temporary), samples))
        openvino.save_model(graph, path, compress_to_fp16=False)
    return path


FORMAT = Format(write, run_openvino)
