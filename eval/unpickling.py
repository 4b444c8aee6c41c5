"""Pickles of plain data and small-number arrays, read so that nothing in them is ever run.

The unpickler knows only the opcodes that plain data need: none makes an object or a mapping. The few names that NumPy
and Python 2 files mention stand for harmless functions of this file, every other name is refused. Arrays are put
together here from bytes whose number is checked, not by NumPy's own reconstructors, which take any type, any shape and
arrays of objects.
"""

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET",
    "BINGET", "LONG_BINGET", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
)  # fmt: skip
DTYPES = {"u1": np.uint8, "b1": np.bool_, "i4": np.int32, "i8": np.int64}


class Refused(Exception):
    """What a pickle asks for that plain data never do, or why it cannot be read."""


def load(content: bytes) -> Any:
    """What a pickle of any protocol holds: lists, tuples, numbers, booleans, text and bytes; text of Python 2 as bytes.

    Arrays (uint8, bool, int32, int64) come as ``Array``.

    Raises:
        Refused: it asks for anything else, or is damaged.
    """
    file = _File(content)
    try:
        return _Unpickler(file, encoding="bytes").load()
    except Refused:
        raise
    except KeyError as error:
        raise Refused(f"the opcode {error} before byte {file.tell()} has no place in plain data") from None
    except Exception as error:  # a damaged pickle makes the unpickler raise nearly anything
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise Refused(f"it is damaged or cut short before byte {file.tell()} ({reason})") from None


class Array:
    """An array of a pickle; ``array`` is it, not to be written to, once the pickle has stated its content."""

    array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5:
            raise Refused("it states an array in an unknown form")
        _, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C")


class _Dtype:
    def __init__(self, code: Any, *_: Any):
        name = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(name, str) or name.lstrip("|<=") not in DTYPES:
            raise Refused(f"it holds an array of {str(name)[:40]!r}; expected one of: {', '.join(DTYPES)}")
        self.dtype = np.dtype(DTYPES[name.lstrip("|<=")])

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] in (">", b">"):
            raise Refused("it holds an array in an unknown byte order")


class _File(io.BytesIO):
    def readinto(self, buffer) -> int:
        read = super().readinto(buffer)
        if read < len(buffer):
            raise Refused(f"it is cut short: {len(buffer)} bytes are announced before byte {self.tell()}")
        return read


# The one written in Python: it can be told which opcodes exist, and its memo is a dict. The one in C reserves memory
# up to the largest memo slot that is named.
class _Unpickler(pickle._Unpickler):
    dispatch = {opcode: pickle._Unpickler.dispatch[opcode] for opcode in (getattr(pickle, n)[0] for n in OPCODES)}

    def find_class(self, module: str, name: str) -> Callable:
        home = module.replace("numpy.core.", "numpy._core.").replace("__builtin__", "builtins")
        if (home, name) not in NAMES:
            raise Refused(f"it asks for {str(module)[:60]}.{str(name)[:60]}")
        return NAMES[home, name]


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    kind = _dtype(dtype)
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise Refused("it holds an array whose shape is not whole numbers")
    if not isinstance(content, bytes | bytearray) or math.prod(shape) * kind.itemsize != len(content):
        raise Refused(f"it holds an array of shape {str(list(shape))[:60]} with content that does not fill it")
    flat = np.frombuffer(content, kind) if len(content) else np.empty(0, kind)
    return flat.reshape(shape[::-1]).T if order in ("F", b"F") else flat.reshape(shape)


def _dtype(dtype: Any) -> np.dtype:
    if not isinstance(dtype, _Dtype):
        raise Refused("it holds an array without a type")
    return dtype.dtype


def _reconstruct(*_: Any) -> Array:
    return Array()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Array:
    made = Array()
    made.array = _array(content, dtype, shape, order)
    return made


def _scalar(dtype: Any, content: Any) -> Any:
    return _array(content, dtype, (), "C")[()]


def _bytes(*given: Any) -> bytes:
    if not given:
        return b""
    if len(given) == 1 and isinstance(given[0], bytes | bytearray):
        return bytes(given[0])
    raise Refused("it makes bytes from something else than bytes")


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", b"latin1"):
        raise Refused("it encodes something else than bytes written as text")
    return text.encode("latin1")


def _not_called(*_: Any) -> None:
    raise Refused("it calls numpy.ndarray")


NAMES = {
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): _not_called,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytes,
}
