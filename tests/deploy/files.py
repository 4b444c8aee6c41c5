"""What is shipped, read: the Dockerfile by stages, compose.yaml, the unit, and the variables that they set."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from recognizer.liveness import LivenessLimits
from recognizer.quality import QualityLimits
from recognizer.service.settings import ServiceSettings
from recognizer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = re.compile("PASSWORD|SECRET|TOKEN|API_KEY")


def text(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def instructions(content: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: word and argument, on one line each, without comments."""
    lines = [line for line in content.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages(content: str) -> list[list[tuple[str, str]]]:
    """The same by stages, each of which begins with FROM; what stands before the first one comes first."""
    found: list[list[tuple[str, str]]] = [[]]
    for word, argument in instructions(content):
        if word == "FROM":
            found.append([])
        found[-1].append((word, argument))
    return found


def pairs(stage: list[tuple[str, str]], word: str) -> dict[str, str]:
    """What ENV or LABEL instructions of a stage set, or ARG gives where nothing else is said."""
    given = [part for name, argument in stage if name == word for part in shlex.split(argument)]
    return {key: value for key, _, value in (part.partition("=") for part in given)}


def image() -> list[tuple[str, str]]:
    """The last stage of the Dockerfile: what is in the image."""
    return stages(text("Dockerfile"))[-1]


def image_environment() -> dict[str, str]:
    """The variables of the image."""
    return pairs(image(), "ENV")


def compose() -> dict[str, Any]:
    """compose.yaml."""
    return yaml.safe_load(text("compose.yaml"))


def unit(content: str) -> dict[str, list[str]]:
    """The values of a systemd unit by key, whatever their section."""
    found: dict[str, list[str]] = {}
    for line in content.splitlines():
        if line.strip() and line[0] not in "#;[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def seconds(duration: str) -> float:
    """A duration such as 90s."""
    return float(duration.removesuffix("s"))


def known_variables() -> set[str]:
    """Each variable that means something: the settings', those of their parts, and those that the page lists."""
    names = {field.name for field in fields(Settings)}
    for part, kind in (("quality", QualityLimits), ("liveness_options", LivenessLimits), ("service", ServiceSettings)):
        names |= {f"{part}_{field.name}" for field in fields(kind)}
    listed = re.findall(r"^\| `(RECOGNIZER_[A-Z_]+)`", text("docs/settings.md"), re.MULTILINE)
    return {f"RECOGNIZER_{name.upper()}" for name in names} | set(listed)
