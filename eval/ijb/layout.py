"""Where the files of IJB-B and IJB-C lie, in the layout of InsightFace's release."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common.errors import BadDataset, UnknownChoice

GALLERIES = {"IJBB": ("S1", "S2"), "IJBC": ("G1", "G2")}  # of each subset, as its files call them
REMEDY = (
    "The pictures are NIST's (face challenges), to be applied for there; loose_crop/ and meta/ are laid out as in "
    "InsightFace's release (recognition/_evaluation_/ijb of deepinsight/insightface). See docs/ijb.md."
)


@dataclass(frozen=True)
class Layout:
    """The files of a subset: ``loose_crop/`` and ``meta/`` in one folder.

    Attributes:
        folder: what holds both.
        subset: "IJBB" or "IJBC".
    """

    folder: Path
    subset: str

    @classmethod
    def find(cls, data: Path, subset: str, needed: Iterable[str]) -> "Layout":
        """The layout in ``data`` or in ``data/SUBSET``.

        Args:
            needed: names of the attributes whose files must be there, such as "pairs".

        Raises:
            UnknownChoice: no such subset. BadDataset: files are missing; all of them are named.
        """
        if subset not in GALLERIES:
            raise UnknownChoice(f"Unknown subset {subset!r}. Expected one of: {', '.join(GALLERIES)}.")
        folder = data if (data / "meta").is_dir() else data / subset
        found = cls(folder, subset)
        missing = [path for path in found._files(needed) if not path.exists()]
        if missing:
            names = "\n".join(f"  {path}" for path in missing)
            raise BadDataset(f"{subset} is not complete in {data}. Missing:\n{names}\n{REMEDY}")
        return found

    @property
    def pictures(self) -> Path:
        """Folder of the loosely cropped pictures."""
        return self.folder / "loose_crop"

    @property
    def faces(self) -> Path:
        """Of each picture: its name, five points and the detector's score."""
        return self._meta("name_5pts_score.txt")

    @property
    def media(self) -> Path:
        """Of each picture: its name, template and medium."""
        return self._meta("face_tid_mid.txt")

    @property
    def pairs(self) -> Path:
        """Pairs of templates, and whether they show one person."""
        return self._meta("template_pair_label.txt")

    @property
    def galleries(self) -> dict[str, Path]:
        """Name of each gallery -> its templates and their people."""
        return {name: self._meta(f"1N_gallery_{name}.csv") for name in GALLERIES[self.subset]}

    @property
    def probes(self) -> Path:
        """Templates that are searched, and their people."""
        return self._meta("1N_probe_mixed.csv")

    def _meta(self, name: str) -> Path:
        return self.folder / "meta" / f"{self.subset.lower()}_{name}"

    def _files(self, needed: Iterable[str]) -> list[Path]:
        given = [getattr(self, name) for name in needed]
        return [path for each in given for path in (each.values() if isinstance(each, dict) else [each])]
