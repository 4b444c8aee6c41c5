"""Nothing that a verification set holds is run, and little memory is enough to refuse it."""

import io
import pickle
import struct
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

import eval
from common.errors import BadDataset
from eval.unpickling import OPCODES, Refused, load

ROOT = Path(__file__).parents[2]


class Calls:
    """Pickled as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def attacks(marker):
    """Pickles that would leave a file ``marker`` behind."""
    import builtins
    import os

    touch, python = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    yield "os.system", pickle.dumps(Calls(os.system, touch))
    yield "subprocess", pickle.dumps(Calls(subprocess.getoutput, touch))
    for protocol in range(6):
        yield f"eval {protocol}", pickle.dumps(Calls(builtins.eval, python), protocol)
    yield "exec", pickle.dumps(Calls(builtins.exec, python))
    yield "open", pickle.dumps(Calls(open, str(marker), "w"))
    yield "getattr", b"cbuiltins\ngetattr\n(cos\n__dict__\nS'x'\ntR."
    yield "inside a list", pickle.dumps(([b"x", Calls(os.system, touch)], [True]))
    yield "old name", b"c__builtin__\neval\n(S" + repr(python).encode() + b"\ntR."
    yield "posix", b"cposix\nsystem\n(S" + repr(touch).encode() + b"\ntR."
    yield "instance", b"(S" + repr(touch).encode() + b"\nios\nsystem\n."
    yield "object", b"(cos\nsystem\nS" + repr(touch).encode() + b"\no."
    yield "new object", b"\x80\x02cos\n_wrap_close\n)\x81."
    yield "dotted name", b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.tofile.x\x93."
    yield "persistent", b"Pos.system\n."
    yield "extension", b"\x80\x02\x82\x01."
    yield "numpy's shell", pickle.dumps(Calls(np.fromfile, str(marker)))
    yield from numpy_tricks(marker)
    yield "numpy of a foreign type", foreign_type()
    yield "an array of objects", pickle.dumps(np.array([Calls(os.system, touch)], dtype=object))
    yield "a memory map", pickle.dumps(Calls(np.memmap, str(marker), "u1", "w+", 0, 10))
    yield "a codec", b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR."
    yield "another codec", pickle.dumps(Calls(__import__("_codecs").encode, "x", "punycode"))
    yield "setting a function", b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}U\x0c__defaults__N\x86\x86b."
    yield "stating a function", b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nNU\x01x\x86b."
    yield "stating a class", b"\x80\x02cnumpy\ndtype\n]b."
    yield "making an array", b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R."


def numpy_tricks(marker):
    """Code run by names that all begin with numpy: what a list of trusted packages would let through."""
    from numpy.f2py.crackfortran import myeval
    from numpy.testing._private.utils import runstring

    python = f"open({str(marker)!r}, 'w')"
    yield "numpy's eval", pickle.dumps(Calls(myeval, python))
    yield "numpy's exec", pickle.dumps(Calls(runstring, python, {}))
    inner = pickle.dumps(Calls(open, str(marker), "w"))
    nested = b"\x8c\x14numpy._core._methods\x8c\x0cpickle.loads\x93"
    yield "numpy's pickle", b"\x80\x04" + nested + b"C" + bytes([len(inner)]) + inner + b"\x85R."
    state = (1, (1,), np.dtype("O"), False, [Calls(open, str(marker), "w")])
    array = pickle.dumps(Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b"))
    yield "an array's state", array[:-1] + pickle.dumps(state, 2)[2:-1] + b"b."
    yield "a type that asks for more", pickle.dumps(Calls(np.dtype, [("x", Calls(open, str(marker), "w"))]))


def foreign_type():
    """``_reconstruct`` of something that is no array: with NumPy's own, of any class."""
    return b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncsubprocess\nPopen\nK\x00\x85U\x01b\x87R."


WORKING = {
    "os.system", "subprocess", "eval 0", "eval 5", "exec", "open", "inside a list", "old name", "posix", "instance",
    "an array of objects", "a memory map", "numpy's eval", "numpy's exec", "numpy's pickle", "an array's state",
    "a type that asks for more",
}  # fmt: skip


def test_real_attacks_are_refused_and_run_nothing(tmp_path):
    marker, tried = tmp_path / "ran", 0
    for name, content in attacks(marker):
        (tmp_path / "set.bin").write_bytes(content)
        with pytest.raises(BadDataset, match="refused"):
            eval.read_bin(tmp_path / "set.bin")
        assert not marker.exists(), name
        tried += 1
    assert tried >= 35


def test_the_attacks_of_this_test_work_where_nothing_hinders_them(tmp_path):
    """Otherwise the test above would show nothing."""
    worked = 0
    for name, content in attacks(tmp_path / "ran"):
        if name in WORKING:
            with suppress(Exception):  # some fail once they have run
                pickle.loads(content)
            assert (tmp_path / "ran").exists(), name
            worked += 1
            (tmp_path / "ran").unlink()
    assert worked == len(WORKING)


def laughs(depth=12, width=10):
    """A list within a list ...: ``width ** depth`` items in a few hundred bytes."""
    content = b"\x80\x02\x88q\x000"
    for level in range(depth):
        content += b"]q" + bytes([level + 1]) + b"(" + (b"h" + bytes([level])) * width + b"e0"
    return content + b"h" + bytes([depth]) + b"."


def nested(depth=200_000):
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def tuples(depth=12, width=10):
    """The same with tuples."""
    content = b"\x80\x02\x88q\x000"
    for level in range(depth):
        content += b"(" + (b"h" + bytes([level])) * width + b"tq" + bytes([level + 1]) + b"0"
    return content + b"h" + bytes([depth]) + b"."


def large_picture(times=2000, side=1800):
    """One picture of a few kilobytes, named so often that it would fill 18 GiB decoded."""
    picture = cv2.imencode(".png", np.zeros((side, side, 3), np.uint8))[1].tobytes()
    return pickle.dumps(([picture] * times, [True] * (times // 2)))


def in_a_set(item):
    """``item`` as issame, and as a picture, of a set whose other half is in order."""
    body = item[2:-1]
    return [b"\x80\x02](C\x01xC\x01xe" + body + b"\x86.", b"\x80\x02](" + body + b"C\x01xe]\x88a\x86."]


BOMBS = {
    "a list of lists of lists": laughs(),
    "such a list of the right length": b"\x80\x02](" + b"C\x01x" * 20 + b"e" + laughs()[2:-1] + b"\x86.",
    "tuples of tuples of tuples": tuples(),
    "a list within itself": b"\x80\x02]q\x00h\x00a.",
    "lists nested deeply": nested(),
    "one large picture many times": large_picture(),
    "a memo slot of four billion": b"\x80\x02]r" + struct.pack("<I", 2**32 - 1) + b".",
    "a memo slot written out": b"\x80\x02]p99999999999\n.",
    "bytes announced": b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "a byte array announced": b"\x80\x05\x96" + struct.pack("<Q", 2**38) + b"x.",
    "a frame announced": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
    "text announced": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "bytes of a length": b"c__builtin__\nbytes\n(I100000000000\ntR.",
    "an array that is not filled": b"\x80\x03cnumpy.core.numeric\n_frombuffer\n(C\x01x"
    b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R(\x8a\x06" + (10**12).to_bytes(6, "little") + b"tX\x01\x00\x00\x00CtR.",
    "a number of many digits": b"L" + b"9" * 100_000 + b"L\n.",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_little_memory_and_time(tmp_path, name):
    contents = [BOMBS[name], *in_a_set(BOMBS[name])]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.bin").write_bytes(content)
    script = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
import eval
from common.errors import BadDataset
eval.read_bin
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for number in range({len(contents)}):
    try:
        eval.read_bin(f"{tmp_path}/{{number}}.bin")
        sys.exit("was read")
    except BadDataset as error:
        assert len(str(error)) < 400, len(str(error))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000  # KiB


def test_every_opcode_that_is_known_is_needed_by_plain_data():
    """No opcode that makes objects, sets items of mappings or reaches out of the file."""
    assert not {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"} & set(OPCODES)
    assert not {"SETITEM", "SETITEMS", "DICT", "NEXT_BUFFER", "READONLY_BUFFER"} & set(OPCODES)


@pytest.mark.parametrize("dtype", ["f4", "O", "U3", "S3", ">i4", [("a", "u1")], "M8[s]"])
def test_arrays_of_other_types_are_refused(dtype):
    for protocol in (2, 5):
        with pytest.raises(Refused):
            load(pickle.dumps(np.zeros(3, dtype), protocol))


def test_files_of_other_kinds_are_refused():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x", "y")
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    for content in (archive.getvalue(), array.getvalue(), b"\x89PNG\r\n", bytes(1000)):
        with pytest.raises(Refused):
            load(content)


def test_random_damage_never_escapes_as_another_error():
    good = pickle.dumps(([b"abc", np.arange(5, dtype=np.uint8)], [True, np.bool_(0)]), 2)
    random = np.random.default_rng(0)
    for _ in range(3000):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), random.integers(1, 6)):
            damaged[place] = random.integers(256)
        try:
            load(bytes(damaged))
        except Refused as refused:
            assert len(str(refused)) < 400
