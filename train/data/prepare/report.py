"""What became of the pictures."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.folders import write_whole
from train.data.shards import one_line

REFUSED = "refused.tsv"  # in a dataset of shards


@dataclass
class Report:
    """What became of the pictures of a source.

    Attributes:
        pictures: how many there were.
        refused: (picture, "damaged" or "no face", reason) of each that could not be used.
        several: photos with several faces, of which the most prominent was taken.
        encoded: pictures that had to be encoded anew.
        sizes: pictures by size, "112x112".
        names, counts: the identities that have pictures, by label, and how many.
        without_pictures: identities that were left out since no picture of theirs could be used.
        notes: what was passed over, in sentences.
    """

    pictures: int
    notes: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    several: int = 0
    encoded: int = 0
    sizes: Counter = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    without_pictures: list[str] = field(default_factory=list)

    def refuse(self, picture: str, kind: str, reason: str) -> None:
        """Note a picture that cannot be used."""
        self.refused.append((picture, kind, reason))

    def count(self, sizes: dict[str, int], several: int, encoded: int) -> None:
        """Add what a chunk brought."""
        self.sizes.update(sizes)
        self.several += several
        self.encoded += encoded

    def kinds(self) -> dict[str, int]:
        """How many pictures were refused, by kind."""
        return dict(Counter(kind for _, kind, _ in self.refused))

    def image_size(self) -> tuple[int, int] | None:
        """(height, width) if all pictures have that size."""
        if len(self.sizes) != 1:
            return None
        height, width = next(iter(self.sizes)).split("x")
        return int(height), int(width)

    def to_mapping(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pictures": self.pictures,
            "kept": sum(self.counts),
            "identities": len(self.names),
            "refused": self.kinds(),
            "several_faces": self.several,
            "encoded": self.encoded,
            "sizes": dict(self.sizes),
            "without_pictures": self.without_pictures,
            "notes": self.notes,
        }

    def write_refused(self, path: Path) -> None:
        """A line ``picture TAB kind TAB reason`` for each that could not be used; no file where there is none."""
        if not self.refused:
            return
        lines = ("\t".join(one_line(part).replace("\t", " ") for part in each) + "\n" for each in self.refused)
        write_whole(path, "".join(lines))
