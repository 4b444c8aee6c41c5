"""What the commands that take a folder of identities share: their options, and its embeddings."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli import failures
from common.cli.progress import advancing
from common.errors import BadArgument

if TYPE_CHECKING:
    import numpy as np

    from eval.folder_embedding import Embedded
    from networks.network import Network

SHOWN = 5  # pictures that are named on the terminal

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of identities: FOLDER/NAME/picture.jpg.")]
Model = Annotated[str, typer.Option(metavar="MODEL", help="A model's name, a bundle, or a model file.")]
Align = Annotated[
    bool, typer.Option("--align", help="FOLDER holds photos: find the face and align it. Else they are aligned faces.")
]
Detector = Annotated[str, typer.Option(metavar="NAME", help="What finds faces: mtcnn, yunet, scrfd_10g...")]
Enlarge = Annotated[float, typer.Option(metavar="K", help="Enlarge photos K times before looking for faces.")]
Border = Annotated[
    int, typer.Option(metavar="PIXELS", help="Then add a border that repeats the edges: for tight crops.")
]
Missing = Annotated[
    str,
    typer.Option(
        metavar="centre|exclude|fail",
        help="Photos without a face: their centre stands for it; they are left out; or an error.",
    ),
]
Flip = Annotated[
    str, typer.Option(metavar="RULE", help="sum_raw, sum_normalised, none, or card: as the model's card says.")
]
Batch = Annotated[int, typer.Option(metavar="N", help="Pictures in a call of the model.")]
Embeddings = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep embeddings there: an interrupted run goes on, and they are made once."),
]
Backend = Annotated[
    str | None, typer.Option(metavar="NAME", help="openvino or keras.", show_default="what the device takes")
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What the model runs on.")]
Precision = Annotated[str, typer.Option(metavar="f32|bf16|f16", help="Arithmetic, where the hardware has it.")]
Threads = Annotated[int | None, typer.Option(metavar="N", help="CPU threads of OpenVINO.", show_default="all")]
Jobs = Annotated[
    int | None, typer.Option(metavar="N", help="Threads that read pictures.", show_default="one for each CPU")
]
AcceptLicense = Annotated[
    bool, typer.Option("--accept-license", help="Accept the licence of the weights, of model and detector.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]


@dataclass(frozen=True)
class Wanted:
    """What was asked for, by the options' names."""

    folder: Path
    model: str
    align: bool
    detector: str
    enlarge: float
    border: int
    missing: str
    flip: str
    batch: int
    embeddings: Path | None
    backend: str | None
    device: str
    precision: str
    threads: int | None
    jobs: int | None
    accept_license: bool

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Wanted":
        """From all parameters of a command."""
        return cls(**{field.name: params[field.name] for field in fields(cls)})

    def __post_init__(self):
        for name in ("batch", "threads", "jobs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadArgument(f"--{name} must be 1 or more, not {value}.")


@contextmanager
def embedded(wanted: Wanted, check: Callable[["np.ndarray"], object]) -> Iterator[tuple["Embedded", "Network", str]]:
    """The embeddings of a folder, the network they are of, and the flip rule. What was left out has been told.

    Args:
        check: called with the identity of each picture before the long work; raises where nothing can come of it.
    """
    import networks
    from eval.faces import Options
    from eval.folder_embedding import embed_folder
    from eval.identities import Identities
    from networks.card import FLIPS

    if wanted.flip not in ("card", *FLIPS):
        raise BadArgument(f"Unknown flip {wanted.flip!r}. Expected one of: {', '.join(FLIPS)}, card.")
    check(Identities.of(wanted.folder).labels)
    loading = {"backend": wanted.backend, "device": wanted.device, "precision": wanted.precision}
    network = networks.load(
        wanted.model, threads=wanted.threads, accept_license=wanted.accept_license, **loading
    )  # fmt: skip
    flip = network.card.flip if wanted.flip == "card" else wanted.flip
    options = Options(
        detector=wanted.detector,
        aligned=not wanted.align,
        size=network.card.input_size,
        enlarge=wanted.enlarge,
        border=wanted.border,
        missing=wanted.missing,
        accept_license=wanted.accept_license,
        jobs=wanted.jobs or os.cpu_count() or 1,
    )
    engine = f"{wanted.backend or wanted.device} {wanted.precision}"
    with tempfile.TemporaryDirectory(prefix="embeddings-") as temporary:
        keep = wanted.embeddings or Path(temporary)
        found = embed_folder(
            wanted.folder, network, options, keep,
            engine=engine, flip=flip, batch=wanted.batch, progress=advancing,
        )  # fmt: skip
        _tell(found)
        yield found, network, flip


def document(found: "Embedded", network: "Network", flip: str) -> dict[str, Any]:
    """What was embedded, as JSON values."""
    return {
        "model": network.name,
        "digest": network.digest,
        "flip": flip,
        "identities": len(set(found.labels.tolist())),
        "pictures": found.pictures,
        "embedded": len(found.labels),
        "missing": found.missing,
        "missed": found.missed,
        "unreadable": [{"picture": picture, "reason": reason} for picture, reason in found.unreadable],
    }


def heading(found: "Embedded", network: "Network", flip: str) -> str:
    """A line that says what was embedded."""
    identities = len(set(found.labels.tolist()))
    return f"{failures.printable(network.name)}, flip {flip}: {len(found.labels)} pictures of {identities} identities"


def _tell(found: "Embedded") -> None:
    for picture, reason in found.unreadable[:SHOWN]:
        failures.say("warning", f"{picture} is left out: {reason}")
    if found.unreadable:
        failures.say("warning", f"{len(found.unreadable)} of {found.pictures} pictures cannot be read: left out.")
    if found.missed:
        names = ", ".join(found.missed[:SHOWN]) + (", ..." if len(found.missed) > SHOWN else "")
        rule = "the centre of the picture stands for it" if found.missing == "centre" else "they are left out"
        failures.say("warning", f"{len(found.missed)} of {found.pictures} pictures show no face; {rule}: {names}.")
