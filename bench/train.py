"""What training costs: a step beside Keras' fit and PyTorch, heads of many classes with and without Partial FC, a GPU.

Examples:

    python bench/train.py                                   # the step and the heads, on the CPU
    python bench/train.py --parts heads --classes 10000 100000 1000000 --markdown
    python bench/train.py --device gpu --backend jax        # where TensorFlow is not installed

On the CPU a step takes 16 pictures of 112x112 and 1000 classes in float32, and is that of the trainer
(``train/step.py``). On a GPU the same networks and the same head compute in bfloat16, each in a process of its own, one
after the other, and so does PyTorch's r50. That part needs keras, numpy, pyyaml, platformdirs and the chosen backend;
PyTorch is taken from the same environment where it is installed.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

from bench import machine, peers
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import interleave, medians, timed
from bench.train_step import EMBEDDING, batch_of
from common.errors import BadArgument, MissingDependency

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {"resnet_v2_m_50": "ResNet-v2-M-50", "iresnet50": "IResNet-50"}
GMAC = {"resnet_v2_m_50": 5.43, "iresnet50": 6.31}  # of one picture of 112x112, forward
TRAINING = 3  # a step computes three times what the forward pass does
TORCH = "PyTorch, IResNet-50 + ArcFace"
RATE = 0.1  # of Partial FC
# Dense bfloat16 TFLOP/s as NVIDIA's data sheets have them, by a part of the name.
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125, "T4": 65}


def step_seconds(batch: int, classes: int, size: int, width: float, rounds: int, threads: int) -> tuple[dict, dict]:
    """Seconds of every contestant's steps on the CPU, in turn; and what has to be known of them."""
    from bench import train_step

    given = {"batch": batch, "classes": classes, "size": size, "width": width}
    contestants, facts = {}, {}
    for network, label in NETWORKS.items():
        made = {
            f"{label}, our trainer": lambda n=network: train_step.on_tensorflow(n, **given),
            f"{label}, Keras fit": lambda n=network: train_step.keras_fit(n, **given),
            f"{label}, Keras fit without XLA": lambda n=network: train_step.keras_fit(n, **given, xla=False),
        }
        for name, make in made.items():
            progress(f"preparing {name}")
            run = make()
            run()  # traces and compiles
            contestants[name] = lambda run=run: timed(run)
    with ExitStack() as stack:
        wanted = {TORCH: ("pytorch-r50", {"threads": threads, "classes": classes, "size": size, "width": width})}
        running, reasons = peers.start(wanted, stack)
        pictures = batch_of(batch, size, classes)[0]
        for name, process in running.items():
            process(pictures)
            contestants[name] = lambda process=process: process(pictures)[0]
            facts[name] = process.description
        progress(f"timing {len(contestants)} contestants, {rounds} steps each")
        return interleave(contestants, rounds), facts | reasons


def step_table(seconds: dict[str, list[float]], batch: int, classes: int, size: int) -> Table:
    """Images/s and the ratio to Keras' faster fit on the same network."""
    middle = medians(seconds)
    rows = []
    for name, value in middle.items():
        label = name.split(",")[0]
        fits = [other for key, other in middle.items() if key.startswith(f"{label}, Keras fit")]
        ratio = f"{min(fits) / value:.2f}" if fits else "-"
        rows.append([name, f"{value:.2f}", f"{batch / value:.2f}", ratio])
    title = f"Training step on the CPU, batch {batch}, {size}x{size}, {classes} classes, float32"
    return Table(title, ["contestant", "s/step", "images/s", "speed to the faster fit"], rows)


def head_costs(classes: list[int], batch: int) -> dict[str, dict[str, dict[str, float]]]:
    """Head cost by number of classes, with all of them ("all") and with Partial FC ("sampled")."""
    costs = {}
    for count in classes:
        costs[str(count)] = {}
        for kind, rate in (("all", 1), ("sampled", RATE)):
            progress(f"head of {count} classes, {kind}")
            options = {"classes": count, "rate": rate, "batch": batch}
            costs[str(count)][kind] = worker("head_cost.py", options)
    return costs


def head_table(costs: dict[str, dict[str, dict[str, float]]], batch: int) -> Table:
    """Time and memory by number of classes, and by how much they grow from the smallest on."""
    columns = [
        "classes", "all: ms", f"Partial FC {RATE}: ms", "growth of it to growth of all", "weights and momentum, MB",
        "all: MB", "Partial FC: MB", "all: growth besides weights", "Partial FC", "growth of it to growth of all",
    ]  # fmt: skip
    smallest = next(iter(costs.values()))
    rows = []
    for count, cost in costs.items():
        every, sampled = cost["all"], cost["sampled"]
        time = [each["seconds"] - smallest[kind]["seconds"] for kind, each in cost.items()]
        besides = [
            each["megabytes"] - each["held"] - smallest[kind]["megabytes"] + smallest[kind]["held"]
            for kind, each in cost.items()
        ]
        rows.append([
            f"{int(count):,}", f"{every['seconds'] * 1e3:.0f}", f"{sampled['seconds'] * 1e3:.0f}", _share(time),
            f"{every['held']:.0f}", f"{every['megabytes']:.0f}", f"{sampled['megabytes']:.0f}",
            f"{besides[0]:.0f}", f"{besides[1]:.0f}", _share(besides),
        ])  # fmt: skip
    return Table(f"A step of ArcFace alone, batch {batch}, embeddings of {EMBEDDING}, float32", columns, rows)


def _share(growths: list[float]) -> str:
    return f"{growths[1] / growths[0]:.3f}" if growths[0] > 0 else "-"


def worker(
    script: str, options: dict[str, Any], backend: str = "tensorflow", python: Path | str = ""
) -> dict[str, Any]:
    """What a script of this folder prints as JSON, from a process of its own.

    Raises:
        MissingDependency: it failed; the message holds its last line.
    """
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [python or sys.executable, ROOT / "bench" / script, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise MissingDependency(f"{script} failed: {lines[-1] if lines else 'no message'}")
    return json.loads(done.stdout.splitlines()[-1])


def accelerated(
    backend: str, device: str, batch: int, classes: int, size: int, width: float, steps: int
) -> tuple[dict[str, dict], dict[str, str]]:
    """Steps in bfloat16 of our networks on ``backend`` and of PyTorch's r50 on ``device``, and why one is absent."""
    given = {"batch": batch, "classes": classes, "size": size, "width": width, "steps": steps}
    tasks: dict[str, Callable[[], dict]] = {
        f"{label}, this project": lambda n=network: worker(
            "train_step.py", {"network": n, "precision": "mixed_bfloat16", **given}, backend
        )
        for network, label in NETWORKS.items()
    }
    for name, compiled in ((TORCH, False), (f"{TORCH}, torch.compile", True)):
        options = {**given, "device": device, "bfloat16": True, "compile": compiled}
        tasks[name] = lambda options=options: worker("peer_r50.py", options, python=_torch_python())
    results, reasons = {}, {}
    for name, run in tasks.items():
        progress(f"timing {name}")
        try:
            result = run()
        except MissingDependency as error:
            reasons[name] = str(error)
            continue
        if device != "cpu" and result["device"] == "cpu":
            reasons[name] = f"{result['backend']} sees no GPU here"
        else:
            results[name] = result
    return results, reasons


def _torch_python() -> Path | str:
    if find_spec("torch"):
        return sys.executable
    peers.install("pytorch-r50")
    return peers.python()


def accelerated_table(results: dict[str, dict], batch: int, classes: int, size: int, width: float = 1.0) -> Table:
    """Images/s, TFLOP/s and the share of the chip's peak of each; narrow networks have no known number of FLOPs."""
    rows = []
    for name, result in results.items():
        network = next((key for key, label in NETWORKS.items() if label in name), "iresnet50")
        flops = 2e9 * TRAINING * (GMAC[network] * (size / 112) ** 2 + classes * EMBEDDING / 1e9)
        rate = batch / result["median"]
        peak = next((value for key, value in PEAKS.items() if key in result["device"]), None)
        tera = f"{rate * flops / 1e12:.1f}" if width == 1 else "-"
        share = f"{rate * flops / peak / 1e12:.1%}" if peak and width == 1 else "-"
        rows.append([name, result["backend"], f"{result['median'] * 1e3:.1f}", f"{rate:.0f}",
                     tera, share])  # fmt: skip
    columns = ["contestant", "on", "ms/step", "images/s", "TFLOP/s", "of the peak"]
    return Table(f"Training step in bfloat16, batch {batch}, {size}x{size}, {classes} classes", columns, rows)


def on_cpu(arguments: Any) -> Report:
    """The step and the heads."""
    facts, tables, data = machine.facts(), [], {}
    if "step" in arguments.parts:
        batch, classes, size = arguments.batch or 16, 1000, arguments.size
        seconds, about = step_seconds(batch, classes, size, arguments.width, arguments.rounds or 5, arguments.threads)
        facts |= about
        tables.append(step_table(seconds, batch, classes, size))
        data["step"] = seconds
    if "heads" in arguments.parts:
        batch = arguments.batch or 64
        costs = head_costs(arguments.classes, batch)
        facts["memory"] = "the most the process held during the steps; growth is from the smallest number of classes"
        tables.append(head_table(costs, batch))
        data["heads"] = costs
    return Report(facts, tables, data)


def on_gpu(arguments: Any) -> Report:
    """Our networks and PyTorch's on the accelerator."""
    if not find_spec(arguments.backend):
        raise BadArgument(f"--backend {arguments.backend}: {arguments.backend} is not installed here.")
    batch, classes, size = arguments.batch or 256, 1000, arguments.size
    device = "cuda" if arguments.device == "gpu" else "cpu"
    steps = arguments.rounds or 30
    results, reasons = accelerated(arguments.backend, device, batch, classes, size, arguments.width, steps)
    devices = {name: result["device"] for name, result in results.items()}
    facts = {**machine.facts(), **reasons, "device": ", ".join(sorted(set(devices.values())))}
    facts["work"] = "FLOPs of a step are three times those of the forward pass; seconds are medians after three steps"
    return Report(facts, [accelerated_table(results, batch, classes, size, arguments.width)], {"accelerated": results})


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=["step", "heads"], default=["step", "heads"], help="on the CPU")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="where the networks compute")
    text = "Keras' backend of the bfloat16 part, which --device gpu runs; with --device cpu it is tried out there"
    parser.add_argument("--backend", choices=["jax", "tensorflow"], help=text)
    parser.add_argument("--batch", type=positive, help="pictures (CPU 16, heads 64, GPU 256)")
    parser.add_argument(
        "--classes", type=positive, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the heads"
    )
    parser.add_argument("--rounds", type=positive, help="steps of each contestant (CPU 5, GPU 30)")
    parser.add_argument(
        "--threads", type=positive, default=2, help="CPU threads of PyTorch; TensorFlow takes all cores"
    )
    parser.add_argument("--size", type=positive, default=112, help="side of a picture, a multiple of 16")
    parser.add_argument("--width", type=float, default=1.0, help="factor on all channels, to try the script out")
    arguments = parser.parse_args()
    if arguments.device == "gpu" and not arguments.backend:
        arguments.backend = "tensorflow"
    report = on_gpu(arguments) if arguments.backend else on_cpu(arguments)
    report.print(arguments.form)


if __name__ == "__main__":
    run_command(main)
