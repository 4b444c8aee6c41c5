"""Files in the format of ``torch.save``, written without PyTorch: a pickle put together operation by operation."""

import struct
import zipfile

import numpy as np

STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    return b"J" + struct.pack("<i", value)


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def several(*parts):
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


ORDERED_DICT = name("collections", "OrderedDict") + b")R"


def tensor(
    key, shape, strides, count, offset=0, storage="FloatStorage", rebuild=("torch._utils", "_rebuild_tensor_v2")
):
    """One tensor as PyTorch pickles it: a call with its storage, offset, shape and strides."""
    stored = several(text("storage"), name("torch", storage), text(key), text("cpu"), number(count)) + b"Q"
    shape, strides = several(*map(number, shape)), several(*map(number, strides))
    return name(*rebuild) + several(stored, number(offset), shape, strides, b"\x89", ORDERED_DICT) + b"R"


def entries(*pairs):
    """An OrderedDict of (name, pickled value)."""
    return ORDERED_DICT + b"(" + b"".join(text(key) + value for key, value in pairs) + b"u"


def pickled(value):
    return b"\x80\x02" + value + b"."


def write(path, pickle, storages=None, root="archive", compression=zipfile.ZIP_STORED):
    """A file of a pickle and the bytes of its storages."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(f"{root}/data.pkl", pickle)
        archive.writestr(f"{root}/byteorder", b"little")
        for key, raw in (storages or {}).items():
            archive.writestr(f"{root}/data/{key}", raw)
        archive.writestr(f"{root}/version", b"3\n")
    return path


def save(path, parameters, wrap=lambda state: state, prefix=""):
    """What ``torch.save(model.state_dict(), path)`` writes."""
    pairs, storages = [], {}
    for index, (key, array) in enumerate(parameters.items()):
        strides = [step // array.itemsize for step in array.strides]
        kind = STORAGES[array.dtype.str[1:]]
        pairs.append((prefix + key, tensor(str(index), array.shape, strides, array.size, storage=kind)))
        storages[str(index)] = np.ascontiguousarray(array).tobytes()
    return write(path, pickled(wrap(entries(*pairs))), storages)
