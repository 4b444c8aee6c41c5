"""mxnet 1.9.1, in an environment of its own: the file's first half runs here, the second half there."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

PACKAGES = ("mxnet==1.9.1", "numpy<1.24", "opencv-python-headless<4.9")
INTERPRETERS = ("python3.11", "python3.10", "python3.9")


class NoPeer(Exception):
    """mxnet cannot be installed here; says why."""


def interpreter():
    """The Python of mxnet's environment, made once in the user's cache."""
    from filelock import FileLock

    from common.folders import cache_folder

    folder = cache_folder() / "peers" / "mxnet-1.9.1"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        mark = folder / "installed.json"
        if not (mark.is_file() and json.loads(mark.read_text()) == list(PACKAGES)):
            _call([_base(), "-m", "venv", "--clear", folder], "no virtual environment")
            _call([python, "-m", "pip", "install", "-q", *PACKAGES], "mxnet 1.9.1 cannot be installed")
            _call([python, "-c", "import cv2, mxnet"], "mxnet 1.9.1 does not run here")
            mark.write_text(json.dumps(PACKAGES))
    return python


def ask(command, *arguments):
    """What a function below answers, run there."""
    environment_free = [interpreter(), "-I", Path(__file__), command, *arguments]
    done = subprocess.run([str(each) for each in environment_free], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _base():
    from shutil import which

    if sys.version_info < (3, 12):
        return sys.executable
    found = next((path for path in map(which, INTERPRETERS) if path), None)
    if found is None:
        raise NoPeer(f"mxnet 1.9.1 needs NumPy < 1.24 and so one of {', '.join(INTERPRETERS)}; none is here")
    return found


def _call(command, what):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NoPeer(f"{what}: {lines[-1] if lines else 'no message'}")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def indexed(path):
    """All records by the index, as mxnet's own classes read them."""
    from mxnet import recordio

    reader = recordio.MXIndexedRecordIO(str(Path(path).with_suffix(".idx")), path, "r")
    return [_described(recordio, key, reader.read_idx(key)) for key in reader.keys]


def streamed(path):
    """All records one after another."""
    from mxnet import recordio

    reader, found = recordio.MXRecordIO(path, "r"), []
    while True:
        data = reader.read()
        if data is None:
            return found
        found.append(_described(recordio, None, data))


def decoded(path, batch, height, width):
    """Labels and mean colour of the pictures, as mxnet's C++ iterator decodes them."""
    import mxnet as mx

    iterator = mx.io.ImageRecordIter(
        path_imgrec=path,
        path_imgidx=str(Path(path).with_suffix(".idx")),
        data_shape=(3, int(height), int(width)),
        batch_size=int(batch),
        preprocess_threads=1,
    )
    found = []
    for each in iterator:
        count = int(batch) - each.pad
        means = each.data[0].asnumpy()[:count].mean(axis=(2, 3))
        found += list(zip(each.label[0].asnumpy()[:count].tolist(), means.tolist()))
    return found


def write_insightface(path, recipe):
    """Write identities [[[hex, label], ...], ...] as InsightFace's face2rec2 does: pictures, ranges, record 0 last."""
    from mxnet import recordio

    writer = recordio.MXIndexedRecordIO(str(Path(path).with_suffix(".idx")), path, "w")
    key, ranges = 1, []
    for pictures in json.loads(Path(recipe).read_text()):
        start = key
        for text, label in pictures:
            header = recordio.IRHeader(0, label, key, 0)
            writer.write_idx(key, recordio.pack(header, bytes.fromhex(text)))
            key += 1
        ranges.append((start, key))
    first = key
    for start, end in ranges:
        writer.write_idx(key, recordio.pack(recordio.IRHeader(2, [start, end], key, 0), b""))
        key += 1
    writer.write_idx(0, recordio.pack(recordio.IRHeader(2, [first, key], 0, 0), b""))
    writer.close()
    return [first, key]


def im2rec(prefix, root):
    """A list and a ``.rec`` of a folder's pictures by the tool that mxnet brings."""
    import mxnet

    tool = str(Path(mxnet.__file__).parent / "tools" / "im2rec.py")
    for options in (["--list", "--recursive"], ["--pass-through"]):
        subprocess.run([sys.executable, tool, *options, prefix, root], check=True, capture_output=True)
    return Path(f"{prefix}.lst").read_text()


def _described(recordio, key, data):
    header, payload = recordio.unpack(data)
    label = header.label if isinstance(header.label, float) else header.label.tolist()
    return {"key": key, "flag": header.flag, "label": label, "id": header.id, "sha256": sha256(payload)}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
