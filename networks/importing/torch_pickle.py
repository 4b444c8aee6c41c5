"""The pickle inside a PyTorch file, read without running anything: tensors, containers, numbers and text.

It is interpreted operation by operation, and only operations and names that state dicts and training checkpoints are
made of are known. Keys are text or whole numbers: a key of nested tuples could take forever to hash.
"""

import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.errors import BadModel

MAX_BYTES = 32 * 2**20  # of the pickle alone: names and shapes, some hundred bytes a tensor
DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("<u2"),  # the upper half of a float32
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = {"PROTO", "FRAME", "STOP"}


@dataclass(frozen=True)
class Storage:
    """Numbers in a file of their own: its key, their type and how many."""

    dtype: np.dtype
    bfloat16: bool
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage, in steps of elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a tuple or list begins on the stack."""


@dataclass(frozen=True)
class _Name:
    text: str


def read(content: bytes, where: str) -> Any:
    """What was pickled: dicts, lists, tuples, numbers, text, and ``Tensor`` for tensors.

    Raises:
        BadModel: it is damaged, too large, or holds anything else.
    """
    if len(content) > MAX_BYTES:
        raise BadModel(f"{where}: its pickle has {len(content)} bytes, more than the {MAX_BYTES} any state dict needs.")
    machine = _Machine(where)
    try:
        for operation, argument, _ in pickletools.genops(content):
            machine.run(operation.name, argument)
        return machine.result()
    except (ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
        raise BadModel(f"{where} is damaged or no PyTorch file ({type(error).__name__}: {str(error)[:200]}).") from None


class _Machine:
    def __init__(self, where: str):
        self._where, self._stack, self._memo = where, [], {}

    def result(self) -> Any:
        (value,) = self._stack
        return value

    def run(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in IGNORED:
            return
        if name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in NUMBERS:
            stack.append(argument)
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        else:
            method = getattr(self, f"_{name.lower()}", None)
            if method is None:
                raise BadModel(f"{self._where} holds what no state dict does: the pickle operation {name}.")
            method(argument)

    def _empty_tuple(self, _) -> None:
        self._stack.append(())

    def _empty_list(self, _) -> None:
        self._stack.append([])

    def _empty_dict(self, _) -> None:
        self._stack.append({})

    def _mark(self, _) -> None:
        self._stack.append(_Mark)

    def _tuple(self, _) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _append(self, _) -> None:
        value = self._stack.pop()
        _container(self._stack[-1], list).append(value)

    def _appends(self, _) -> None:
        values = self._since_mark()
        _container(self._stack[-1], list).extend(values)

    def _setitem(self, _) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set(key, value)

    def _setitems(self, _) -> None:
        values = self._since_mark()
        for key, value in zip(values[::2], values[1::2], strict=True):
            self._set(key, value)

    def _binput(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    _long_binput = _binput

    def _binget(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _long_binget = _binget

    def _memoize(self, _) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def _binpersid(self, _) -> None:
        kind, storage, key, _, count = self._stack.pop()
        name = storage.text.removeprefix("torch.") if isinstance(storage, _Name) else storage
        if kind != "storage" or name not in DTYPES or not isinstance(key, str) or not _is_count(count):
            raise ValueError(f"an unknown kind of storage: {str(name)[:50]}")
        self._stack.append(Storage(DTYPES[name], name == "BFloat16Storage", key, count))

    def _reduce(self, _) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        self._stack.append(CALLED[called.text](*arguments))

    def _build(self, _) -> None:
        self._stack.pop()  # attributes of the dict, such as the versions of its layers

    def _name(self, module: str, name: str) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is no text")
        text = f"{module}.{name}"
        if text not in CALLED and not (module == "torch" and name in DTYPES):
            raise BadModel(
                f"{self._where} names {text[:80]!r}, which no state dict needs, so it is not read. "
                "Save the weights alone: torch.save(model.state_dict(), path)."
            )
        self._stack.append(_Name(text))

    def _set(self, key: Any, value: Any) -> None:
        if type(key) not in (str, int):
            raise ValueError(f"a key that is {type(key).__name__}, neither text nor a number")
        _container(self._stack[-1], dict)[key] = value

    def _since_mark(self) -> list:
        start = len(self._stack) - 1 - self._stack[::-1].index(_Mark)
        values = self._stack[start + 1 :]
        del self._stack[start:]
        return values


def _container(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"a {kind.__name__} expected, {type(value).__name__} found")
    return value


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _tensor(storage: Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> Tensor:
    numbers = (offset, *shape, *strides)
    if type(storage) is not Storage or len(shape) != len(strides) or not all(map(_is_count, numbers)):
        raise ValueError("a tensor without a proper storage, shape and strides")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


def _ordered_dict(*arguments: Any) -> dict:
    if arguments:
        raise ValueError("an OrderedDict made of something")
    return {}


CALLED = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
