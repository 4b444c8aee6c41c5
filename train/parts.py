"""The parts of a run, made as its configuration says; a wrong option is named before anything long is begun."""

from typing import Any

import keras

from common.errors import BadConfig, FaceError
from networks import backbones
from train import heads, losses, optimizers, schedules
from train.config import Config
from train.config.choice import Choice
from train.config.durations import Duration, is_duration

REGISTRIES = {
    "head": heads.HEADS,
    "loss": losses.LOSSES,
    "optimizer": optimizers.OPTIMIZERS,
    "schedule": schedules.SCHEDULES,
}
GIVEN = {"head": {"classes", "name"}, "schedule": {"batch", "total"}}  # what the trainer passes by itself
ANY_SIZE = 1_000_000  # pictures or classes of a dataset that is not known yet


def check(config: Config) -> None:
    """Try every choice: a name that is not there, an option it does not have or a value of another type.

    Raises:
        BadConfig: the message names the key.
    """
    try:
        known = backbones.options_of(config.backbone.name)
    except FaceError as error:
        raise BadConfig(f"backbone.name: {error}") from None
    for key in config.backbone.options:
        if key not in known:
            raise BadConfig(
                f"backbone.options: {config.backbone.name} has no option {key!r}. It has: {', '.join(known) or 'none'}."
            )
    _made("head", config.head, ANY_SIZE)
    loss(config)
    optimizer(config)
    schedule(config, ANY_SIZE, total=config.training.duration.steps(config.data.batch, ANY_SIZE))


def backbone(config: Config) -> keras.Model:
    """A fresh network, under the dtype policy that is in force."""
    part, size = config.backbone, config.data.image_size
    return _named(
        "backbone",
        backbones.get,
        part.name,
        embedding_size=part.embedding_size,
        input_size=size,
        width=part.width,
        dropout=part.dropout,
        **part.options,
    )


def head(config: Config, classes: int) -> keras.layers.Layer:
    """The head, built for the embedding size."""
    layer = _made("head", config.head, classes)
    layer.build_for(config.backbone.embedding_size)
    return layer


def loss(config: Config) -> Any:
    """The loss."""
    return _made("loss", config.loss)


def optimizer(config: Config) -> Any:
    """The optimizer, without its variables."""
    return _made("optimizer", config.optimizer)


def schedule(config: Config, images: int, total: int) -> Any:
    """The learning rate by step; durations among its options become steps of ``images`` an epoch."""
    return _made("schedule", _scheduled(config, images), batch=config.data.batch, total=total)


def _scheduled(config: Config, images: int) -> Choice:
    """The schedule, its durations in steps."""
    options = {
        key: _in_steps(value, config.data.batch, images, f"schedule.{key}")
        for key, value in config.schedule.options.items()
    }
    return Choice(config.schedule.name, options)


def _in_steps(value: Any, batch: int, images: int, where: str) -> Any:
    if isinstance(value, list):
        return [_in_steps(each, batch, images, where) for each in value]
    return Duration.read(value, where).steps(batch, images) if is_duration(value) else value


def _made(key: str, choice: Choice, *arguments: Any, **given: Any) -> Any:
    target = choice.found(REGISTRIES[key], key)
    options = choice.checked(target, key, given=GIVEN.get(key, ()))
    return _named(key, target, *arguments, **options, **given)


def _named(key: str, target: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return target(*arguments, **options)
    except FaceError as error:
        raise BadConfig(f"{key}: {error}") from None
