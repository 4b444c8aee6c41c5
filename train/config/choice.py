"""A part of the configuration that names one of a registry's choices and gives its options beside the name."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from common.errors import BadConfig, FaceError
from train.config.durations import is_duration
from train.config.typed import convert


@dataclass(frozen=True)
class Choice:
    """``{name: arcface, margin: 0.5}``: the name, and everything else as options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, value: Any, where: str) -> "Choice":
        """From a mapping with a name, or from a name alone."""
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise BadConfig(f"{where} must be a name, or a mapping with a name, not {value!r}.")
        options = {key: option for key, option in value.items() if key != "name"}
        return cls(value["name"], options)

    def to_mapping(self) -> dict[str, Any]:
        """What ``from_mapping`` reads back."""
        return {"name": self.name, **self.options}

    def found(self, registry: Mapping[str, Callable], where: str) -> Callable:
        """What the registry has under the name. Raises BadConfig, which lists the choices."""
        try:
            return registry[self.name]
        except FaceError as error:
            raise BadConfig(f"{where}.name: {error}") from None

    def checked(self, target: Callable, where: str, given: Collection[str] = ()) -> dict[str, Any]:
        """The options, each checked against the signature of ``target``; ``given`` are arguments the trainer passes.

        Raises:
            BadConfig: an option that ``target`` does not take, lacks, or takes of another type.
        """
        parameters = signature(target)
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        known = {
            name: parameter
            for name, parameter in parameters.items()
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name not in given
        }
        hints = _hints(target)
        for key in self.options:
            if key not in known and not open_ended:
                raise BadConfig(
                    f"{where}: {self.name} has no option {key!r}. It has: {', '.join(sorted(known)) or 'none'}."
                )
        for key, parameter in known.items():
            if parameter.default is parameter.empty and key not in self.options:
                raise BadConfig(f"{where}: {self.name} needs the option {key!r}.")
        return {key: self._converted(key, hints, where) for key in self.options}

    def _converted(self, key: str, hints: dict, where: str) -> Any:
        value = self.options[key]
        if key not in hints or is_duration(value):
            return value
        return convert(value, hints[key], f"{where}.{key}")


def signature(target: Callable) -> dict[str, inspect.Parameter]:
    """The parameters of a class's constructor or of a function, without ``self`` and what Keras adds by itself."""
    return {name: each for name, each in inspect.signature(target).parameters.items() if name not in ("self", "dtype")}


def _hints(target: Callable) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function)
    except (NameError, TypeError):  # annotations that only a type checker can resolve
        return {}
