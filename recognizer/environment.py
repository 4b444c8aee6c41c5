"""Settings from the environment: variables hold text, settings have types."""

from typing import Any

import yaml


def parsed(text: str, *kinds: Any) -> Any:
    """What a variable stands for: text as it is where that is asked for, a list with commas, else YAML's value.

    Args:
        kinds: the types that the setting may have. Whether the value has one of them is for the caller to check.
    """
    if str in kinds and not (type(None) in kinds and text == "null"):
        return text
    if tuple in kinds:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
