"""The client is light: who uses a service from afar needs none of what it does itself."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "cv2", "openvino", "fastapi", "starlette", "uvicorn", "pydantic", "sqlalchemy", "numpy", "PIL", "yaml",
    "tensorflow", "recognizer.recognizer", "recognizer.service", "recognizer.cli", "networks", "mtcnn", "db",
}  # fmt: skip


def modules_after(statement):
    """What a fresh process has imported after a statement."""
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_client_imports_neither_networks_nor_the_service():
    found = modules_after("from recognizer.client import Client; Client(key='rk_0123456789ab')")
    assert "requests" in found and found & HEAVY == set()


def test_the_recognizer_is_there_as_before():
    found = modules_after(
        "from recognizer import FaceError, Recognizer, Recognition; import recognizer; dir(recognizer)"
    )
    assert {"cv2", "recognizer.recognizer", "recognizer.results"} <= found and "recognizer.client" not in found
