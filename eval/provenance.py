"""What a verification set was built from: a JSON file beside it, ``lfw.bin.json``."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.errors import BadDataset
from common.folders import write_whole

FORMAT = 1
MAX_BYTES = 256 * 2**20  # two hundred thousand long names take forty million
RULES = ("centre", "exclude")


@dataclass(frozen=True)
class Provenance:
    """Where the pictures of a set come from, and what became of them.

    Attributes:
        source: list and folder, in words without a path.
        detector: a key of ``mtcnn.DETECTORS``, or "none" where pictures were taken as aligned.
        enlarge, border: what photos went through before detection.
        date: of the day it was built, 2026-11-25.
        names: of the 2 n pictures, in order.
        missed: those in which no face was found, each once.
        rule: what was done with them: "centre", the centre of the picture stands for the face; "exclude", their pairs
            were left out.
        excluded_pairs: how many pairs were left out.
    """

    source: str
    detector: str
    enlarge: float
    border: int
    date: str
    names: list[str]
    missed: list[str]
    rule: str
    excluded_pairs: int


def beside(path: Path) -> Path:
    """The JSON file of a ``.bin``."""
    return path.with_name(f"{path.name}.json")


def write(path: Path, provenance: Provenance) -> Path:
    """Write what is known of the ``.bin`` at ``path``, with its SHA-256; the JSON's path."""
    document = {"format": FORMAT, "sha256": _sha256(path), **asdict(provenance)}
    write_whole(beside(path), json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return beside(path)


def read(path: Path, pictures: int) -> Provenance | None:
    """What is known of the ``.bin`` at ``path``, which has so many pictures; None where no JSON lies beside it.

    Raises:
        BadDataset: the JSON is damaged, or describes another file than the one it lies beside.
    """
    file = beside(path)
    try:
        if not file.is_file():
            return None
        if file.stat().st_size > MAX_BYTES:
            raise BadDataset(f"{file} is larger than {MAX_BYTES >> 20} MB: it describes no verification set.")
        document = json.loads(file.read_text("utf-8", "surrogateescape"))
    except OSError as error:
        raise BadDataset(f"{file} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise BadDataset(f"{file} is not valid JSON: {str(error)[:100]}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadDataset(f"{file} does not describe a verification set. Delete it, or build the set again.")
    if document.get("sha256") != _sha256(path):
        raise BadDataset(f"{file} describes another file than {path.name}. Delete it, or build the set again.")
    return _checked(document, file, pictures)


def _checked(document: dict[str, Any], file: Path, pictures: int) -> Provenance:
    stated = {name: document.get(name) for name in Provenance.__dataclass_fields__}
    fine = {
        **{name: isinstance(stated[name], str) for name in ("source", "detector", "date")},
        "enlarge": type(stated["enlarge"]) in (int, float),
        **{name: type(stated[name]) is int and stated[name] >= 0 for name in ("border", "excluded_pairs")},
        "names": _are_names(stated["names"]) and len(stated["names"]) == pictures,
        "missed": _are_names(stated["missed"]),
        "rule": stated["rule"] in RULES,
    }
    for name, good in fine.items():
        if not good:
            raise BadDataset(f"{file}: {name} is missing or not what it must be. Build the set again.")
    return Provenance(**stated)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror or error}.") from None
