"""Weights out: a Keras model written in the formats that others run, each checked against the model itself.

============  ============================  =====================================================
format        files                         run by
============  ============================  =====================================================
keras         model.keras                   Keras, on any of its backends; fine-tuning
saved_model   saved_model/                  TensorFlow, TensorFlow Serving, OpenVINO
onnx          model.onnx                    ONNX Runtime, OpenVINO, OpenCV
openvino      model.xml, model.bin          OpenVINO
tflite        model.tflite                  TensorFlow Lite (LiteRT), OpenVINO
tflite_int8   model_int8.tflite             the same, weights and activations in 8 bits
============  ============================  =====================================================
"""

from common.registry import Registry

EXPORTERS = Registry(
    "export format",
    {
        "keras": "networks.exporting.keras:FORMAT",
        "saved_model": "networks.exporting.saved_model:FORMAT",
        "onnx": "networks.exporting.onnx:FORMAT",
        "openvino": "networks.exporting.openvino:FORMAT",
        "tflite": "networks.exporting.tflite:FLOAT",
        "tflite_int8": "networks.exporting.tflite:INT8",
    },
)
