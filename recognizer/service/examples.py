"""Examples of whole answers and requests, put together from those of their fields."""

from collections.abc import Mapping
from typing import Any

FORMATS = {"date-time": "2026-11-25T08:30:00Z", "binary": "(the bytes of a file)"}


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """A value that a JSON schema allows: its own example, else one made of those of its parts.

    Args:
        schema: as FastAPI makes them.
        components: the schemas that ``$ref`` names.

    Raises:
        KeyError: a part has neither an example nor a type that needs none.
    """
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return _of_choice(schema["anyOf"], components)
    return _of_type(schema, components)


def _of_choice(choices: list[Mapping[str, Any]], components: Mapping[str, Any]) -> Any:
    """The first; null of plain texts and numbers that may be null, and of which nothing is said."""
    first = choices[0]
    is_told = first.get("type") in (None, "array", "object") or "format" in first or "examples" in first
    return example_of(first, components) if is_told or {"type": "null"} not in choices else None


def _of_type(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    if "format" in schema:
        return FORMATS[schema["format"]]
    kind = schema["type"]
    if kind == "object":
        return {name: example_of(each, components) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema["items"], components)] * schema.get("minItems", 1)
    return {"boolean": schema.get("default", False), "null": None}[kind]
