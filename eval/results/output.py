"""Where a comparison goes: standard output, and a file beside it."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from common.errors import BadArgument
from common.folders import write_whole
from eval.comparing import Comparison
from eval.results import FORMATS, SUFFIXES


def check_file(path: Path) -> None:
    """Refuse what cannot be written to, before anything is measured.

    Raises:
        BadArgument: an ending that stands for no format, or no such folder.
    """
    if path.suffix not in SUFFIXES:
        raise BadArgument(f"{path}: the ending says the format. Expected one of: {', '.join(SUFFIXES)}.")
    if path.is_dir() or not path.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise BadArgument(f"{path} cannot be written: {reason}.")


def write_file(comparison: Comparison, path: Path) -> None:
    """Write it whole, in the format of the file's ending.

    Raises:
        BadArgument: the file cannot be written.
    """
    with redirect_stdout(StringIO()) as text:
        FORMATS[SUFFIXES[path.suffix]](comparison)
    try:
        write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise BadArgument(f"{path} cannot be written: {error.strerror or error}.") from None
