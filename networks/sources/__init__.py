"""Where a file can be had: one line of YAML, ``{kind: {argument: text, ...}}``.

A kind is one function ``kind(delivery, argument, ...)`` that writes the file to ``delivery.target``, and one
line in ``KINDS``. Its arguments are text, annotated with the regular expression they must match (``forms``).
Text in place of the arguments stands for the first one: ``{url: https://...}``, ``{file: ~/weights/x.onnx}``.
With ``member`` and ``archive_sha256`` beside the arguments, the source is an archive that holds the file.
"""

import inspect
import re
from dataclasses import dataclass, replace
from typing import Any

from common.config import check_keys
from common.errors import BadConfig
from common.registry import Registry
from networks.sources.delivery import Delivery
from networks.sources.forms import MEMBER, SHA256, without_secrets

KINDS = Registry(
    "kind of source",
    {
        "github": "networks.sources.hosts:github",
        "github_release": "networks.sources.hosts:github_release",
        "huggingface": "networks.sources.hosts:huggingface",
        "npm": "networks.sources.packages:npm",
        "pypi": "networks.sources.packages:pypi",
        "url": "networks.sources.hosts:url",
        "file": "networks.sources.local:file",
    },
)


@dataclass(frozen=True)
class Source:
    """One place to get a file from.

    Attributes:
        kind: a key of ``KINDS``.
        arguments: what the kind's function takes after the delivery, in its order.
        member: name of the wanted file inside the archive that the source delivers; None: the file itself.
        archive_sha256: SHA-256 of that archive, 64 hexadecimal digits.
    """

    kind: str
    arguments: tuple[str, ...]
    member: str | None = None
    archive_sha256: str | None = None

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], where: str) -> "Source":
        """Build a source from YAML; ``where`` names the file and part in errors.

        Raises:
            BadConfig: not one kind, an unknown or missing argument, or one of the wrong form.
            UnknownChoice: no such kind.
        """
        if not isinstance(mapping, dict) or len(mapping) != 1:
            raise BadConfig(f"{where}: a source is one {{kind: arguments}}, not {mapping!r}.")
        [(kind, given)] = mapping.items()
        forms = _argument_forms(kind)
        if isinstance(given, str):
            given = {next(iter(forms)): given}
        check_keys(given, f"{where}: {kind}", set(forms), {"member", "archive_sha256"})
        if ("member" in given) != ("archive_sha256" in given):
            raise BadConfig(f"{where}: {kind}: member and archive_sha256 go together.")
        for key, form in {**forms, "member": MEMBER, "archive_sha256": SHA256}.items():
            if key in given and not (isinstance(given[key], str) and re.fullmatch(form, given[key])):
                raise BadConfig(f"{where}: {kind}: {key} {given[key]!r} does not have the form {form}")
        return cls(kind, tuple(given[key] for key in forms), given.get("member"), given.get("archive_sha256"))

    @property
    def file_name(self) -> str:
        """What the delivered file is called: the end of the last argument."""
        return without_secrets(self.arguments[-1]).rstrip("/").rpartition("/")[2]

    def of_archive(self) -> "Source":
        """The same source for the archive as a whole."""
        return replace(self, member=None, archive_sha256=None)

    def deliver(self, delivery: Delivery) -> None:
        """Write the file, or the archive around it, to ``delivery.target``, unverified.

        Raises:
            FetchFailed: the reason, in a few words.
            OSError: the target cannot be written.
        """
        KINDS[self.kind](delivery, *self.arguments)

    def __str__(self) -> str:
        place = " ".join(without_secrets(argument) for argument in self.arguments)
        return f"{self.kind} {place}" + (f" ({self.member})" if self.member else "")


def _argument_forms(kind: Any) -> dict[str, str]:
    _, *parameters = inspect.signature(KINDS[kind]).parameters.values()
    return {parameter.name: parameter.annotation.__metadata__[0] for parameter in parameters}
