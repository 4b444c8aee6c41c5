"""Writes the report: one file, whole or not at all."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import BadArgument, MissingDependency

if TYPE_CHECKING:
    from eval.measuring import Measurement
    from eval.sets import VerificationSet

NAME = "index.html"
NEEDED = ("matplotlib", "jinja2")


def check(folder: Path) -> None:
    """See that a report can be written, before anything long is measured for it; makes the folder.

    Raises:
        MissingDependency: matplotlib or Jinja2 is not installed. BadArgument: the folder cannot be made.
    """
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        raise MissingDependency(f"A report needs {' and '.join(missing)}. Install them: pip install '.[eval]'")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(Path(folder), error) from None


def write(
    folder: Path,
    measurements: Sequence["Measurement"],
    sets: Mapping[str, "VerificationSet"],
    *,
    command: str,
    gallery: int = 24,
) -> Path:
    """Write ``folder/index.html``, which holds everything it shows, and return its path.

    Args:
        folder: is made where it does not exist; a report in it is replaced, other files are left alone.
        measurements: of any number of models on any number of sets, in the order they are shown.
        sets: by name, at least those that were measured on.
        command: that was called, shown as it is.
        gallery: pairs shown at most of each kind of mistake, the worst; fewer where there are very many galleries.

    Raises:
        BadArgument: no measurements, one on a set that is not among ``sets``, a negative ``gallery``, or a folder
            that cannot be written to. MissingDependency: matplotlib or Jinja2 is not installed.
    """
    folder = Path(folder)
    _check(measurements, sets, gallery)
    check(folder)
    from common.folders import write_whole
    from eval.report.page import render

    page = render(measurements, sets, command=command, gallery=gallery, written=datetime.now(UTC))
    try:
        # Names of files need not be valid text: what cannot be encoded is written out.
        write_whole(folder / NAME, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder / NAME


def _check(measurements: Sequence["Measurement"], sets: Mapping[str, "VerificationSet"], gallery: int) -> None:
    if not measurements:
        raise BadArgument("There are no measurements to report.")
    unknown = sorted({each.set_name for each in measurements} - set(sets))
    if unknown:
        raise BadArgument(f"Measured on {', '.join(unknown)}, but the pictures of these sets are not given.")
    if type(gallery) is not int or gallery < 0:
        raise BadArgument(f"gallery must be a whole number, 0 or more, not {gallery!r}.")


def _unwritable(folder: Path, error: OSError) -> BadArgument:
    return BadArgument(f"{folder}: the report cannot be written ({error.strerror or error}). Name another folder.")
