"""Verification sets as their makers publish them: lists of pairs, and folders of pictures.

A new form is a file here with one function and a line in ``RAW``.
"""

from inspect import signature
from pathlib import Path
from typing import Any

from common.errors import BadArgument, BadDataset
from common.registry import Registry
from eval.raw.rawset import RawSet

__all__ = ["RAW", "RawSet", "read"]

RAW = Registry(
    "raw form",
    {
        "lfw": "eval.raw.lfw:lfw",
        "lfw_people": "eval.raw.lfw_people:lfw_people",
        "cfp_ff": "eval.raw.cfp:cfp_ff",
        "cfp_fp": "eval.raw.cfp:cfp_fp",
        "agedb_30": "eval.raw.agedb:agedb_30",
        "calfw": "eval.raw.calfw:calfw",
        "cplfw": "eval.raw.calfw:cplfw",
        "csv": "eval.raw.csv_pairs:csv_pairs",
        "folder": "eval.raw.folder:folder",
    },
)


def read(form: str, source: Path, **options: Any) -> RawSet:
    """The pairs of a set in its raw form.

    Args:
        form: a key of ``RAW``.
        source: the folder it is published as; of "csv", the list.
        options: what the form takes: ``pairs_file``, ``pictures``, ``pairs``, ``seed``. None is as if not given.

    Raises:
        UnknownChoice: no such form. BadArgument: an option it does not take, or a value out of range.
        BadDataset: the list or pictures are missing or not in order; names the file, and the line within it.
    """
    reader = RAW[form]
    given = {name: value for name, value in options.items() if value is not None}
    known = [name for name in signature(reader).parameters if name != "source"]
    for name in given:
        if name not in known:
            takes = f"It takes: {', '.join(known)}." if known else "It takes none."
            raise BadArgument(f"The raw form {form} has no option {name}. {takes}")
    try:
        return reader(source, **given)
    except OSError as error:
        raise BadDataset(f"{error.filename or source} cannot be read: {error.strerror or error}.") from None
