"""What a part has measured, and where it measures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report import Table


@dataclass(frozen=True)
class Place:
    """Where a part works.

    Attributes:
        folder: its own, empty.
        url: of the database with the gallery that is searched.
        photo: of the known person, as JPEG.
        seconds: that one measurement of load lasts.
        rounds: how often each is made, in turn.
        minutes: of mixed load.
    """

    folder: Path
    url: str
    photo: bytes
    seconds: float
    rounds: int
    minutes: float


@dataclass
class Outcome:
    """What a part has to say.

    Attributes:
        tables: for reading.
        data: the raw measurements, JSON values only.
        facts: what has to be known to judge them.
    """

    tables: list[Table]
    data: dict[str, Any]
    facts: dict[str, str] = field(default_factory=dict)
