"""One training step of a backbone with ArcFace, on Keras' TensorFlow or JAX backend: what ``bench/train.py`` times.

Run as a script it times steps in a process of its own and prints JSON. On JAX nothing of TensorFlow is imported.

    KERAS_BACKEND=jax python bench/train_step.py '{"network": "iresnet50", "batch": 256, "precision": "mixed_bfloat16"}'
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

EMBEDDING = 512
MOMENTUM, DECAY, RATE = 0.9, 5e-4, 0.01


def batch_of(batch: int, size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures uint8 ``[batch, size, size, 3]`` and labels int32 ``[batch]``."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (batch, size, size, 3), np.uint8)
    return pictures, random.integers(0, classes, batch).astype(np.int32)


def parts(network: str, classes: int, size: int, width: float) -> tuple[Any, Any, Any]:
    """Backbone, ArcFace and cross entropy."""
    from networks import backbones
    from train import heads, losses

    model = backbones.get(network, embedding_size=EMBEDDING, input_size=(size, size), width=width)
    head = heads.ArcFace(classes)
    head.build_for(EMBEDDING)
    return model, head, losses.get("cross_entropy")


def on_tensorflow(
    network: str, batch: int, classes: int, size: int, width: float = 1.0, compile: bool = False
) -> Callable:
    """Our trainer's step; a call makes one and returns its loss."""
    import tensorflow as tf

    from train import optimizers
    from train.optimizers.decay import rule
    from train.step import Feeding, Step

    model, head, loss = parts(network, classes, size, width)
    optimizer = optimizers.get("sgd", momentum=MOMENTUM, weight_decay=DECAY)
    decays = rule(optimizer.decay_rule, model, head)
    made = Step(model, head, loss, optimizer, decays=decays, feed=Feeding(), batch=batch, compile=compile)
    pictures, labels = (tf.constant(array) for array in batch_of(batch, size, classes))
    run = tf.function(made)
    rate, number = tf.constant(RATE), tf.constant(0, tf.int64)
    return lambda: float(run(pictures, labels, rate, number)["loss"])


def on_jax(network: str, batch: int, classes: int, size: int, width: float = 1.0) -> Callable:
    """The same backbone, head, loss and update rule in one compiled function."""
    import jax

    model, head, loss = parts(network, classes, size, width)
    count = len(model.trainable_variables)
    trained = [variable.value for variable in [*model.trainable_variables, *head.class_variables]]
    state = [[value * 0 for value in trained], [variable.value for variable in model.non_trainable_variables]]
    pictures, labels = (jax.device_put(array) for array in batch_of(batch, size, classes))

    def loss_of(values, rest):
        scaled = (pictures.astype("float32") - 127.5) / 127.5
        embeddings, rest = model.stateless_call(values[:count], rest, scaled, training=True)
        return loss(head.logits(embeddings, labels, values[count:]), labels), rest

    def step(values, momenta, rest):
        (value, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(values, rest)
        momenta = [MOMENTUM * m - RATE * (g + DECAY * v) for m, g, v in zip(momenta, gradients, values)]
        return [v + m for v, m in zip(values, momenta)], momenta, rest, value

    compiled = jax.jit(step, donate_argnums=(0, 1, 2))

    def run() -> float:
        nonlocal trained, state
        trained, momenta, rest, value = compiled(trained, *state)
        state = [momenta, rest]
        return float(value)

    return run


def keras_fit(network: str, batch: int, classes: int, size: int, width: float = 1.0, xla: bool = True) -> Callable:
    """Keras' own ``fit`` on the backbone and a dense layer; a call fits one batch and returns the loss."""
    import keras

    from networks import backbones

    backbone = backbones.get(network, embedding_size=EMBEDDING, input_size=(size, size), width=width)
    model = keras.Sequential([backbone, keras.layers.Dense(classes)])
    model.compile(
        keras.optimizers.SGD(RATE, momentum=MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile="auto" if xla else False,
    )
    pictures, labels = batch_of(batch, size, classes)
    scaled = (pictures.astype(np.float32) - 127.5) / 127.5
    return lambda: model.fit(scaled, labels, batch_size=batch, epochs=1, verbose=0).history["loss"][0]


def device() -> str:
    """What Keras' backend computes on."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "cpu"


def main(options: dict[str, Any]) -> dict[str, Any]:
    """Seconds of ``steps`` steps after three that do not count, their median, the last loss and the device."""
    import keras

    keras.config.set_dtype_policy(options.pop("precision", "float32"))
    steps = options.pop("steps", 30)
    backend = keras.backend.backend()
    run = on_jax(**options) if backend == "jax" else on_tensorflow(**options, compile=True)
    warmup = [run() for _ in range(3)]
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - started)
    return {
        "backend": f"Keras {keras.__version__} on {backend}", "device": device(), "seconds": seconds,
        "median": median(seconds), "first_loss": warmup[0], "last_loss": value,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
