"""Milliseconds per face of MobileFaceNet: our engine beside TFLite and ONNX Runtime on the same weights.

Examples:

    python bench/embed.py --rounds 30
    python bench/embed.py --batches 1 32 --markdown

Ours takes uint8 BGR faces and returns normalised embeddings; the peers get ready float32 input and return raw
outputs, so preprocessing and normalisation are in our times only.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import openvino

import mtcnn
import networks
from bench import machine
from bench.pairs import unit
from bench.peers import ENVIRONMENT, PeerProcess, run_in_environment, start
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.rounding import rounded
from bench.timing import interleave, medians, ratios, timed
from common.errors import BadArgument, MissingDependency
from networks import zoo

BURST = 5  # timed calls in a turn, after one that warms the caches
MODEL = "mobilefacenet"
PRECISIONS = ("f32", "bf16", "f16")
PICTURES = ("t1", "sample1", "sample2", "sample3", "obama", "biden")
REFERENCE = "TFLite reference kernels"


def load_ours(threads: int) -> tuple[dict[str, object], dict[str, str]]:
    """Our network in every precision this CPU has, by label, and why the others are absent."""
    loaded, reasons = {}, {}
    for precision in PRECISIONS:
        label = f"this project, {precision}"
        try:
            loaded[label] = networks.load(MODEL, threads=threads, precision=precision)
        except BadArgument as error:
            reasons[label] = str(error)
    return loaded, reasons


def add_rounded_cosines(reasons: dict[str, str], model: Path, faces: np.ndarray) -> None:
    """Say of each precision this CPU lacks what rounding to it does to the embeddings."""
    prepared = network_input(faces)
    exact = rounded(model, "f32", prepared)
    for label, reason in reasons.items():
        lowest = cosines(rounded(model, label.split()[-1], prepared), exact).min()
        reasons[label] = f"{reason} With operands rounded to it, the lowest cosine to f32 is {lowest:.6f}."


def sample_faces() -> np.ndarray:
    """Aligned faces of the sample photos, uint8 ``[n, 112, 112, 3]`` BGR."""
    detector = mtcnn.create("mtcnn")
    return np.concatenate([detector.align(zoo.sample(name)) for name in PICTURES])


def network_input(faces: np.ndarray) -> np.ndarray:
    """What the public file takes: RGB, (x - 127.5) / 128, float32."""
    return (faces[..., ::-1].astype(np.float32) - 127.5) / 128


def multiply_adds(model: openvino.Model) -> int:
    """Multiply-accumulate operations of the convolutions and matrix products of one input."""
    total = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        shape, weights = list(node.get_output_shape(0)), list(node.get_input_shape(1))
        if kind == "MatMul":
            inner = list(node.get_input_shape(0))[-2 if node.get_attributes()["transpose_a"] else -1]
        else:
            inner = int(np.prod(weights[1:] if kind == "Convolution" else weights[2:]))
        total += int(np.prod(shape[1:])) * inner
    return total


def cosines(embeddings: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosine of each row with the row of the reference."""
    return np.sum(unit(embeddings) * unit(reference), axis=1)


def measure(
    loaded: dict, peers: dict[str, PeerProcess], faces: np.ndarray, rounds: int
) -> dict[str, list[float]]:
    """Seconds of every contestant on one batch, warm-up first."""
    prepared = network_input(faces)
    contestants: dict[str, Callable[[], float]] = {
        label: lambda network=network: timed(network.embed, faces) for label, network in loaded.items()
    }
    for label, process in peers.items():
        contestants[label] = lambda process=process: process(prepared)[0]
    return interleave(contestants, rounds, BURST)


def table(
    seconds: dict[int, dict[str, list[float]]], lowest: dict[str, float], own: set[str], work: float
) -> Table:
    """ms/face and ratio to the fastest peer per batch, GFLOP/s at the largest batch, lowest cosine."""
    batches = list(seconds)
    middle = {batch: medians(seconds[batch]) for batch in batches}
    ratio = {batch: ratios(middle[batch], own) for batch in batches}
    rows = []
    for name in middle[batches[0]]:
        row = [name]
        for batch in batches:
            row.append(f"{middle[batch][name] / batch * 1e3:.2f}")
            row.append(f"{ratio[batch][name]:.2f}" if ratio[batch] else "-")
        rate = 2 * work * batches[-1] / middle[batches[-1]][name] / 1e9
        rows.append([*row, f"{rate:.0f}", f"{lowest[name]:.6f}" if name in lowest else "-"])
    columns = ["engine"]
    for batch in batches:
        columns += [f"batch {batch}: ms/face", "to fastest peer"]
    return Table("Embedding, MobileFaceNet", [*columns, f"GFLOP/s at {batches[-1]}", "lowest cosine"], rows)


def start_peers(stack: ExitStack, model: Path, threads: int) -> tuple[dict[str, PeerProcess], dict[str, str]]:
    """The peers and the reference; the ONNX file is written anew into the peers' environment."""
    wanted = {REFERENCE: ("tflite", {"model": str(model), "threads": threads, "reference": True}),
              "TFLite, XNNPACK": ("tflite", {"model": str(model), "threads": threads})}  # fmt: skip
    reasons = {}
    converted = ENVIRONMENT / f"{MODEL}.onnx"
    try:
        run_in_environment("onnxruntime", ["bench/to_onnx.py", model, converted])
        wanted["ONNX Runtime"] = ("onnxruntime", {"model": str(converted), "threads": threads})
    except MissingDependency as error:
        reasons["ONNX Runtime"] = str(error)
    running, failed = start(wanted, stack)
    return running, reasons | failed


def run(batches: list[int], rounds: int, threads: int) -> Report:
    """Measure and put the report together."""
    facts = machine.facts()
    facts["threads"] = f"{threads} for each contestant"
    model = zoo.pull(MODEL)["model"]
    work, peak = multiply_adds(openvino.Core().read_model(model)), machine.gemm_peak(threads)
    facts["work"] = f"{work / 1e6:.0f} MMAC per face; medians of {rounds} interleaved turns of {BURST} calls"
    facts["NumPy float32 GEMM peak"] = (
        f"{peak:.0f} GFLOP/s, at which a face would take {2 * work / peak / 1e6:.2f} ms"
    )
    loaded, absent = load_ours(threads)
    faces = sample_faces()
    add_rounded_cosines(absent, model, faces)
    with ExitStack() as stack:
        peers, reasons = start_peers(stack, model, threads)
        facts |= {label: process.description for label, process in peers.items()} | absent | reasons
        reference = peers.pop(REFERENCE, None)
        lowest = _lowest_cosines(loaded, peers, reference, faces) if reference else {}
        facts["lowest cosine"] = f"to the {REFERENCE} in float32, over {len(faces)} aligned faces"
        seconds = {}
        for batch in batches:
            progress(f"measuring batches of {batch}")
            seconds[batch] = measure(loaded, peers, np.resize(faces, (batch, *faces.shape[1:])), rounds)
    data = {"gemm_gflops": peak, "macs": work, "lowest_cosine": lowest,
            "seconds": {str(batch): values for batch, values in seconds.items()}}  # fmt: skip
    return Report(facts, [table(seconds, lowest, set(loaded), work)], data)


def _lowest_cosines(loaded: dict, peers: dict, reference: PeerProcess, faces: np.ndarray) -> dict[str, float]:
    progress(f"comparing with the {REFERENCE}")
    prepared = network_input(faces)
    truth = reference(prepared)[1]
    outputs = {label: network.embed(faces) for label, network in loaded.items()}
    outputs |= {label: process(prepared)[1] for label, process in peers.items()}
    return {label: float(cosines(output, truth).min()) for label, output in outputs.items()}


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--batches", type=positive, nargs="+", default=[1, 8, 32], help="faces per call")
    parser.add_argument("--rounds", type=positive, default=10, help="turns of each contestant per batch")
    parser.add_argument("--threads", type=positive, default=2, help="CPU threads of each contestant")
    arguments = parser.parse_args()
    run(arguments.batches, arguments.rounds, arguments.threads).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
