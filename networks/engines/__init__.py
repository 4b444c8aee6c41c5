"""Engines: run a network on a batch of any size. Each is called with arrays and returns a list of arrays."""

from common.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "openvino": "networks.engines.openvino:OpenVINOEngine",
        "keras": "networks.engines.keras:KerasEngine",
    },
)
