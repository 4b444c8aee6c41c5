"""How good is this model? Protocols and metrics on embeddings, and the field's verification sets.

    pictures, issame = eval.read_bin("lfw.bin")
    eval.verification(eval.embed(networks.load("mobilefacenet"), pictures), issame).accuracy

Names are imported when first asked for.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "read_bin": "eval.bins",
    "write_bin": "eval.bins",
    "embed": "eval.embedding",
    "verification": "eval.protocols.verification",
    "all_pairs": "eval.protocols.pairs",
    "identification": "eval.protocols.identification",
}

__all__ = ["all_pairs", "embed", "identification", "read_bin", "verification", "write_bin"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eval' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
