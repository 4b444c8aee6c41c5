"""The arithmetic that layers are made with."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Layers made inside have this dtype policy: "float32", "mixed_float16" or "mixed_bfloat16"."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
