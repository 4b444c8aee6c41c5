"""Some steps of a head alone on so many replicas: ``on_replicas.py REPLICAS OUT.npz``, for test_optimizers.py."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import keras
import numpy as np
import tensorflow as tf

from train import heads, losses, optimizers
from train.heads.partial_fc import PartialFC

CLASSES, SIZE, BATCH, STEPS = 40, 8, 12, 4


def main(replicas, out):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    strategy = tf.distribute.get_strategy()
    if replicas > 1:
        names = [f"CPU:{number}" for number in range(replicas)]
        strategy = tf.distribute.MirroredStrategy(names, cross_device_ops=tf.distribute.ReductionToOneDevice())
    np.savez(out, **{key: value for name in ("sgd", "adamw") for key, value in run(strategy, replicas, name).items()})


def run(strategy, replicas, name):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(CLASSES, SIZE)).astype(np.float32)
    dense = random.normal(size=(SIZE, SIZE)).astype(np.float32)
    with strategy.scope():
        head = heads.AdaFace(CLASSES)
        head.build_for(SIZE)
        head.class_variables[0].assign(kernel)
        matrix = keras.Variable(dense)
        optimizer = optimizers.get(name)
        optimizer.build([matrix, head.class_variables[0]])
    sampler, loss = PartialFC(head, 0.5), losses.get("cross_entropy")

    def step(x, labels, number):
        context = tf.distribute.get_replica_context()
        rows = sampler.sample(labels if replicas == 1 else context.all_gather(labels, axis=0), number)
        with tf.GradientTape() as tape:
            weights = tf.gather(head.class_variables[0].value, rows)
            tape.watch(weights)
            logits = head.logits(x @ matrix.value, sampler.remap(rows, labels), [weights])
            share = tf.reduce_sum(loss.per_sample(logits, labels=sampler.remap(rows, labels))) / BATCH
        gradients = tape.gradient(share, [matrix.value, weights])
        if replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        optimizer.apply(gradients, [matrix, head.class_variables[0]], 0.1, rows=[None, rows])
        return share

    step = tf.function(step)
    results = {}
    for number in range(STEPS):
        x = random.normal(size=(BATCH, SIZE)).astype(np.float32) * 5
        labels = random.integers(0, CLASSES, BATCH)

        def part(values):
            def cut(context, size=BATCH // replicas):
                return tf.constant(values[context.replica_id_in_sync_group * size :][:size])

            return strategy.experimental_distribute_values_from_function(cut)

        if replicas > 1:
            shares = strategy.run(step, (part(x), part(labels), tf.constant(number)))
            loss_value = strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)
        else:
            loss_value = step(tf.constant(x), tf.constant(labels), tf.constant(number))
        results[f"loss-{number}-{name}"] = float(loss_value)
    kernel, mean, std = head.class_variables[0], head.length_mean, head.length_std
    for key, variable in {"kernel": kernel, "matrix": matrix, "length_mean": mean, "length_std": std}.items():
        copies = variable.value.values if replicas > 1 else [variable.value]
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0])
        results[f"{key}-{name}"] = np.asarray(copies[0])
    return results


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
