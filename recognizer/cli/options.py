"""The options that several commands share, each written down once."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from common.errors import BadArgument

if TYPE_CHECKING:
    from recognizer import Recognizer
    from recognizer.settings import Settings

PEOPLE = "Where the people are"
NETWORKS = "Networks"

AcceptLicense = Annotated[
    bool,
    typer.Option(
        "--accept-license", help="Accept the licence of models that ask for it.", rich_help_panel=NETWORKS
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output.", show_default=False)
]


def _option(kind: type, help: str, panel: str) -> Any:
    return Annotated[kind | None, typer.Option(help=help, rich_help_panel=panel, show_default=False)]


_Model = _option(str, "A name of `models list`, a bundle's folder, or a model file.", NETWORKS)
_Device = _option(str, "auto, cpu or gpu.", NETWORKS)
_Precision = _option(str, "f32, bf16 or f16.", NETWORKS)
_Threads = _option(int, "CPU threads; all when not given.", NETWORKS)


@dataclass(frozen=True, kw_only=True)
class DatabaseOptions:
    """Which database: None stands for what the settings file says."""

    database: _option(str, "sqlite:////path/people.db, or mysql://user@host/database.", PEOPLE) = None
    config: _option(Path, "Settings file in place of recognizer.yaml.", PEOPLE) = None

    def __post_init__(self):
        if self.database is not None:
            refuse_password(self.database)

    def settings(self, **given: Any) -> "Settings":
        """The settings with these options and others that are given."""
        from recognizer import settings

        return settings.read(self.config, database=self.database, **given)


@dataclass(frozen=True, kw_only=True)
class GalleryOptions(DatabaseOptions):
    """Which people."""

    gallery: _option(str, "Gallery within the database; it belongs to one model.", PEOPLE) = None

    def settings(self, **given: Any) -> "Settings":
        """The settings with these options and others that are given."""
        return super().settings(gallery=self.gallery, **given)


@dataclass(frozen=True, kw_only=True)
class ModelOptions(DatabaseOptions):
    """Which database, and which model."""

    model: _Model = None
    accept_license: AcceptLicense = False


@dataclass(frozen=True, kw_only=True)
class ReembedOptions(GalleryOptions):
    """Which gallery, and what its people are to be embedded with."""

    model: _Model = None
    device: _Device = None
    precision: _Precision = None
    threads: _Threads = None
    accept_license: AcceptLicense = False

    def chosen(self) -> "Settings":
        """The settings with these options."""
        return self.settings(
            model=self.model, device=self.device, precision=self.precision, threads=self.threads
        )


@dataclass(frozen=True, kw_only=True)
class RecognizerOptions(GalleryOptions):
    """What a Recognizer is made with."""

    model: _Model = None
    detector: _option(str, "Face detector: mtcnn, yunet, or another of `models list`.", NETWORKS) = None
    threshold: _option(float, "Cosine, -1 to 1, from which a face is called by a name.", NETWORKS) = None
    device: _Device = None
    precision: _Precision = None
    threads: _Threads = None
    matching: _option(str, "template: compare with the mean of a person's photos; photo: with each.", NETWORKS) = None
    index: _option(str, "Search index: auto, exact, int8, hnsw or milvus.", NETWORKS) = None
    accept_license: AcceptLicense = False

    def open(self) -> "Recognizer":
        """The Recognizer of these options; raises what its constructor raises."""
        from recognizer import Recognizer
        from recognizer.cli.progress import reading

        return Recognizer(**asdict(self), progress=reading)


@dataclass(frozen=True, kw_only=True)
class RecognitionOptions(RecognizerOptions):
    """What a Recognizer is made with that is shown people."""

    liveness: _option(str, "Persons told from pictures of persons: off, report or require.", NETWORKS) = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentOptions(RecognitionOptions):
    """What a Recognizer is made with that enrols people."""

    gates: _option(str, "Photos of poor quality: require refuses, report stores and notes them; off.", PEOPLE) = None
    duplicates: _option(str, "Note photos that are near to somebody else: auto, always or never.", PEOPLE) = None
    store_crops: Annotated[
        bool | None,
        typer.Option(
            "--store-crops/--no-store-crops",
            help="Keep aligned faces, for a later model.",
            rich_help_panel=PEOPLE,
            show_default=False,
        ),
    ] = None


def refuse_password(url: str) -> None:
    """Raise BadArgument where a database URL on the command line holds a password: `ps` shows it to everyone."""
    from db import urls

    if urls.holds_password(url):
        raise BadArgument(
            "A password on the command line is seen by everyone who lists processes. Leave it out of --database, and "
            "set RECOGNIZER_DATABASE_PASSWORD, or name a file with it in RECOGNIZER_DATABASE_PASSWORD_FILE or in the "
            "settings (database_password_file); or set RECOGNIZER_DATABASE to the whole URL."
        )


def spread(function: Callable) -> Callable:
    """A command whose parameter ``options`` is one of the classes above, whose fields it takes as options."""
    signature = inspect.signature(function)
    if "options" not in signature.parameters:
        return function
    kind = signature.parameters["options"].annotation
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    parameters = [each for each in signature.parameters.values() if each.name != "options"]
    parameters += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=getattr(kind, name), annotation=hints[name]
        )
        for name in names
    ]

    @wraps(function)
    def command(**given: Any) -> Any:
        chosen = kind(**{name: given.pop(name) for name in names})
        return function(options=chosen, **given)

    command.__signature__ = signature.replace(parameters=parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
