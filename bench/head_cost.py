"""What a head of many classes costs a step: one measurement in a process of its own, printed as JSON.

    python bench/head_cost.py '{"classes": 1000000, "rate": 0.1}'

A step takes random embeddings to ArcFace's logits, the loss, the gradients of embeddings and class weights, and the
update with momentum. Memory is the most this process held during steps after the first, which traces the graph.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import ctypes
import json
import time
from contextlib import suppress
from statistics import median
from typing import Any

import numpy as np

MB = 1e6


def main(options: dict[str, Any]) -> dict[str, float]:
    """Measure.

    Args:
        options: classes; rate of Partial FC, 1 without; batch, embedding, steps and head.

    Returns:
        seconds (median), megabytes (peak of the process), held (weights and momentum, MB).
    """
    import tensorflow as tf

    classes, rate = options["classes"], options.get("rate", 1)
    batch, size, steps = options.get("batch", 64), options.get("embedding", 512), options.get("steps", 5)
    step, head = _step(options.get("head", "arcface"), classes, rate, size)
    random = np.random.default_rng(0)

    def once(number: int) -> float:
        embeddings = tf.constant(random.normal(size=(batch, size)).astype(np.float32))
        labels = tf.constant(random.integers(0, classes, batch))
        started = time.perf_counter()
        float(step(embeddings, labels, tf.constant(number)))
        return time.perf_counter() - started

    once(0)
    forget_peak()
    seconds = [once(number) for number in range(1, steps + 1)]
    held = sum(2 * 4 * np.prod(variable.shape) for variable in head.class_variables)
    return {"seconds": median(seconds), "megabytes": peak(), "held": float(held) / MB}


def _step(name: str, classes: int, rate: float, size: int) -> tuple[Any, Any]:
    import tensorflow as tf

    from train import heads, losses, optimizers
    from train.heads.partial_fc import PartialFC

    head, loss, optimizer = heads.get(name, classes), losses.get("cross_entropy"), optimizers.get("sgd")
    head.build_for(size)
    optimizer.build(head.class_variables)
    sampler = PartialFC(head, rate) if rate < 1 else None

    @tf.function
    def step(embeddings: tf.Tensor, labels: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        rows, weights = None, [tf.convert_to_tensor(variable.value) for variable in head.class_variables]
        if sampler:
            rows = sampler.sample(labels, number)
            labels = sampler.remap(rows, labels)
            weights = [tf.gather(variable.value, rows) for variable in head.class_variables]
        with tf.GradientTape() as tape:
            tape.watch([embeddings, *weights])
            value = loss(head.logits(embeddings, labels, weights), labels)
        of_embeddings, *gradients = tape.gradient(value, [embeddings, *weights])
        optimizer.apply(gradients, head.class_variables, 0.1, rows=[rows] * len(gradients))
        return value + 0 * tf.reduce_sum(of_embeddings)

    return step, head


def forget_peak() -> None:
    """Give back what is free and begin to follow the peak anew (Linux; elsewhere it is that of the whole process)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """The most MB this process has held since ``forget_peak``."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / MB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB  # bytes on macOS


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
