"""Engines: run a network on a batch of any size. Each is called with arrays and returns a list of arrays."""

import sys

from common.registry import Registry

# Importing OpenVINO would start its telemetry, which writes an identifier into the home folder and reports to a
# server. Blocked before the first import, OpenVINO goes on without it.
sys.modules.setdefault("openvino_telemetry", None)

ENGINES = Registry(
    "engine",
    {
        "openvino": "networks.engines.openvino:OpenVINOEngine",
        "keras": "networks.engines.keras:KerasEngine",
    },
)
