"""The public models and sample photos: what there is (``models.yaml``, ``samples.yaml``), and their files."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from common.config import check_keys, load
from common.errors import BadConfig, UnknownChoice
from networks import fetch, licenses
from networks.card import TASKS, ModelCard
from networks.fetch import RemoteFile
from networks.licenses import License

MODELS = "models.yaml"
SAMPLES = "samples.yaml"


@dataclass(frozen=True)
class Entry:
    """One public model.

    Attributes:
        card: how it is fed and read.
        files: its files by role: "model", or what its parts are called ("pnet").
        license: the terms it comes under.
    """

    card: ModelCard
    files: dict[str, RemoteFile]
    license: License

    @classmethod
    def from_mapping(cls, name: str, mapping: dict[str, Any], where: str) -> "Entry":
        """Build it from YAML.

        Raises:
            BadConfig, UnknownChoice: what is wrong, at ``where``.
        """
        check_keys(mapping, where, {"task", "license", "files", "card"})
        card_keys = set(ModelCard.__dataclass_fields__) - {"name", "task"}
        check_keys(mapping["card"], f"{where}: card", set(), card_keys)
        card = {"name": name, "task": mapping["task"], **mapping["card"]}
        if not isinstance(mapping["files"], dict) or not mapping["files"]:
            raise BadConfig(f"{where}: files must map at least one role to a file.")
        return cls(
            ModelCard.from_mapping(card, f"{where}: card"),
            {
                role: RemoteFile.from_mapping(file, f"{where}: files: {role}")
                for role, file in mapping["files"].items()
            },
            License.from_mapping(mapping["license"], f"{where}: license"),
        )


def names(task: str | None = None) -> list[str]:
    """Names of the models, of one task ("embedding", "detection", "antispoof") or of all.

    Raises:
        UnknownChoice: no such task.
    """
    if task is not None and task not in TASKS:
        raise UnknownChoice(f"Unknown task {task!r}. Expected one of: {', '.join(TASKS)}.")
    return [name for name in _listed(MODELS) if task in (None, entry(name).card.task)]


@lru_cache
def entry(name: str) -> Entry:
    """What is known of a model.

    Raises:
        UnknownChoice: no model of that name.
        BadConfig: its entry is not in order.
    """
    return Entry.from_mapping(name, _look_up(MODELS, "model", name), f"{MODELS}: {name}")


def pull(name: str, accept_license: bool = False, progress: bool = True) -> dict[str, Path]:
    """The model's files on this machine, by role: fetched where missing, each checked by SHA-256.

    Raises:
        UnknownChoice: no model of that name.
        LicenseNotAccepted: its licence is not permissive, and ``accept_license`` was never given.
        FetchFailed, ChecksumMismatch: see ``networks.fetch.fetch``.
    """
    model = entry(name)
    alike = (other for other in names() if entry(other).license == model.license)
    licenses.require(model.license, name, alike, accept_license)
    return {role: fetch.fetch(file, progress) for role, file in model.files.items()}


def state(name: str) -> dict[str, str]:
    """By role, whether the model's file is "missing", "ok" or "altered" on this machine; no network."""
    return {role: fetch.state(file) for role, file in entry(name).files.items()}


def samples() -> list[str]:
    """Names of the sample photos."""
    return list(_listed(SAMPLES))


def sample(name: str) -> Path:
    """The path of a sample photo, fetched where it is missing.

    Raises:
        UnknownChoice: no photo of that name.
        FetchFailed, ChecksumMismatch: see ``networks.fetch.fetch``.
    """
    file = RemoteFile.from_mapping(_look_up(SAMPLES, "sample photo", name), f"{SAMPLES}: {name}")
    return fetch.fetch(file)


@lru_cache
def _listed(file: str) -> dict[str, Any]:
    # By path: a file of that name in the working folder must not redefine what a model is.
    return load(Path(str(files("configs"))) / file)


def _look_up(file: str, kind: str, name: str) -> dict[str, Any]:
    listed = _listed(file)
    if name not in listed:
        raise UnknownChoice(f"Unknown {kind} {name!r}. Expected one of: {', '.join(listed)}.")
    return listed[name]
