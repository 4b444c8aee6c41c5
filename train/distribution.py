"""Where a run computes: the GPUs of this machine, chosen ones, the CPU, or several machines through ``TF_CONFIG``."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import tensorflow as tf

from common.errors import BadArgument


@dataclass(frozen=True)
class Devices:
    """The strategy and this process's place in it.

    Attributes:
        strategy: a ``tf.distribute.Strategy``.
        workers, worker: how many processes take part, and which of them this is; worker 0 writes the files.
        replicas: copies of the network in this process.
        name: what to print ("2 GPUs", "CPU").
    """

    strategy: tf.distribute.Strategy
    workers: int
    worker: int
    replicas: int
    name: str

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what all share."""
        return self.worker == 0

    @property
    def all_replicas(self) -> int:
        """Copies of the network in all processes together."""
        return self.workers * self.replicas

    def any(self, flag: bool) -> bool:
        """Whether it is so in any of the workers; all must ask."""
        return self._summed(float(flag)) > 0

    def agree(self, number: int, wanted: str) -> None:
        """Raise BadArgument unless all workers have the same number; all must ask."""
        if self.workers > 1 and self._summed(float(number)) != number * self.all_replicas:
            raise BadArgument(f"The {self.workers} workers must {wanted}.")

    def wait_for_all(self) -> None:
        """Return when all workers have come here: a process that ends earlier takes the others down."""
        if self.workers > 1:
            self._summed(0.0)

    def _summed(self, number: float) -> float:
        return float(self._sum(tf.constant(number, tf.float64)))

    @cached_property
    def _sum(self) -> Callable[[tf.Tensor], tf.Tensor]:
        def add(number: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(number))  # on this device

        def on_all(number: tf.Tensor) -> tf.Tensor:
            return self.strategy.experimental_local_results(self.strategy.run(add, args=(number,)))[0]

        return tf.function(on_all, autograph=False)


def find(gpus: str | None = None, virtual_cpus: int = 1) -> Devices:
    """Choose devices; call it before TensorFlow has used any.

    Args:
        gpus: None for all that are visible, "none" for the CPU, or numbers such as "0,1".
        virtual_cpus: cut the CPU into so many devices and mirror over them, to try out or test what several GPUs do.

    Raises:
        BadArgument: a GPU that is not there, or a ``TF_CONFIG`` that cannot be read.
    """
    chosen = _chosen(gpus)
    tf.config.set_visible_devices(chosen, "GPU")
    for gpu in chosen:
        tf.config.experimental.set_memory_growth(gpu, True)
    if os.environ.get("TF_CONFIG"):
        return _several_workers()
    if chosen:
        return _mirrored([f"GPU:{i}" for i in range(len(chosen))], _count(len(chosen), "GPU"))
    if virtual_cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * virtual_cpus)
        return _mirrored([f"CPU:{i}" for i in range(virtual_cpus)], f"{virtual_cpus} virtual CPUs")
    return Devices(tf.distribute.get_strategy(), 1, 0, 1, "CPU")


def _mirrored(names: list[str], shown: str) -> Devices:
    if len(names) == 1:
        return Devices(tf.distribute.OneDeviceStrategy(names[0]), 1, 0, 1, shown)
    # NCCL is the default for GPUs; virtual CPUs have no collectives of their own.
    reduction = tf.distribute.ReductionToOneDevice() if names[0].startswith("CPU") else None
    return Devices(tf.distribute.MirroredStrategy(names, cross_device_ops=reduction), 1, 0, len(names), shown)


def _several_workers() -> Devices:
    try:
        description = json.loads(os.environ["TF_CONFIG"])
        count, index = len(description["cluster"]["worker"]), int(description["task"]["index"])
        kind = description["task"]["type"]
    except (ValueError, KeyError, TypeError):
        raise BadArgument(
            'TF_CONFIG must be JSON such as {"cluster": {"worker": ["host:port", ...]}, '
            '"task": {"type": "worker", "index": 0}}.'
        ) from None
    if kind != "worker" or not 0 <= index < count:
        raise BadArgument(f"TF_CONFIG: the task must be a worker with an index below {count}, not {kind} {index}.")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    replicas = strategy.num_replicas_in_sync // count
    return Devices(strategy, count, index, replicas, f"worker {index + 1} of {count}, {_count(replicas, 'replica')}")


def _chosen(gpus: str | None) -> list:
    there = tf.config.list_physical_devices("GPU")
    if gpus is None:
        return there
    if gpus.strip().lower() == "none":
        return []
    try:
        numbers = [int(part) for part in gpus.split(",")]
    except ValueError:
        raise BadArgument(f"--gpus takes numbers such as 0,1, or none, not {gpus!r}.") from None
    for number in numbers:
        if not 0 <= number < len(there) or numbers.count(number) > 1:
            raise BadArgument(
                f"--gpus {gpus}: TensorFlow sees {_count(len(there), 'GPU')} here, numbered from 0, each to be named "
                "once."
            )
    return [there[number] for number in numbers]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
