"""Licences of models: those that are not permissive must be accepted once."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.config import check_keys
from common.errors import BadConfig, LicenseNotAccepted
from common.folders import data_folder

ACCEPT_VARIABLE = "RECOGNIZER_ACCEPT_LICENSE"


@dataclass(frozen=True)
class License:
    """Under which terms a model may be used.

    Attributes:
        name: "MIT", "Apache-2.0", or what its makers call it.
        permissive: True where it allows any use.
        url: where its makers state it.
        terms: the condition in one sentence; given where it is not permissive.
    """

    name: str
    permissive: bool
    url: str
    terms: str = ""

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], where: str) -> "License":
        """Build it from YAML.

        Raises:
            BadConfig: what is wrong, at ``where``.
        """
        check_keys(mapping, where, {"name", "permissive", "url"}, {"terms"})
        for key, kind in (("name", str), ("permissive", bool), ("url", str), ("terms", str)):
            if key in mapping and not isinstance(mapping[key], kind):
                raise BadConfig(f"{where}: {key} must be {kind.__name__}, not {mapping[key]!r}.")
        if not mapping["permissive"] and not mapping.get("terms"):
            raise BadConfig(f"{where}: terms are needed where the licence is not permissive.")
        return cls(**mapping)


def require(license: License, model: str, same_license: Iterable[str], accept: bool) -> None:
    """Return if ``license`` is permissive, or the user accepted it before or now.

    Args:
        license: the licence of ``model``.
        model: the model's name.
        same_license: names of all models under this licence; accepting it for one accepts it for all.
        accept: the user accepts it now; remembered in ``data_folder()``.

    Raises:
        LicenseNotAccepted: the user did not accept it; the message holds its terms and how to accept.
    """
    if license.permissive or _remembered(license) or _in_environment({"all", model, *same_license}):
        return
    if not accept:
        raise LicenseNotAccepted(
            f"{model} is under the licence {license.name!r}: {license.terms} ({license.url})\n"
            f"To accept it: pass accept_license=True once, or set {ACCEPT_VARIABLE}={model} (or =all)."
        )
    _remember(license)


def _in_environment(names: set[str]) -> bool:
    accepted = {name.strip() for name in os.environ.get(ACCEPT_VARIABLE, "").split(",")}
    return bool(accepted & names)


def _file() -> Path:
    return data_folder() / "accepted_licenses.txt"


def _line(license: License) -> str:
    """What is remembered: the words that were accepted, so that changed ones are asked for anew."""
    return f"{license.name}: {license.terms} ({license.url})"


def _remembered(license: License) -> bool:
    try:
        return _line(license) in _file().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False


def _remember(license: License) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with _file().open("a", encoding="utf-8") as out:
            out.write(_line(license) + "\n")
    except OSError:
        return  # accepted for this call all the same; the next one asks again
