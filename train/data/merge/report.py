"""What a merge did, for people and programs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.folders import write_whole
from train.data.merge.decisions import Decisions
from train.data.merge.profiles import Profile
from train.data.merge.sheets import pairs_sheet
from train.data.shards import one_line
from train.data.sheets import write_sheet

JOINED, APART = "same.png", "different.png"
COLUMNS = ("Dataset", "Identities", "New", "Same as another", "In a test set", "Empty", "Pictures", "Kept", "Left out",
           "Damaged")  # fmt: skip


@dataclass(frozen=True)
class MergeReport:
    """What a merge did, or would do.

    Attributes:
        profiles: the sources.
        decisions: what became of their identities.
        asked: the options.
    """

    profiles: Sequence[Profile]
    decisions: Decisions
    asked: dict[str, Any]

    def rows(self) -> list[list[str]]:
        """A row for each dataset and one for all, under ``COLUMNS``."""
        counts = [self._counts(number) for number in range(len(self.profiles))]
        table = [[str(profile.source.path), *map(str, row)] for profile, row in zip(self.profiles, counts)]
        return [*table, ["together", *map(str, np.sum(counts, axis=0))]]

    def to_mapping(self) -> dict[str, Any]:
        """For JSON: the options, the table, and every identity that is the same as another or of a test set."""
        decisions = self.decisions
        same = [
            {"identity": self.name(each), "same_as": self.name(decisions.partner[each]), "cosine": self._cosine(each)}
            for each in np.flatnonzero(decisions.same)
        ]
        excluded = [
            {"identity": self.name(each), "cosine": round(float(decisions.test_cosine[each]), 4)}
            for each in np.flatnonzero(decisions.excluded)
        ]
        keys = [column.lower().replace(" ", "_") for column in COLUMNS]
        table = [dict(zip(keys, [row[0], *map(int, row[1:])])) for row in self.rows()]
        return {"options": self.asked, "datasets": table, "identities": len(decisions.names), "same": same,
                "in_test_sets": excluded}  # fmt: skip

    def name(self, number: int) -> str:
        """An identity's dataset and name."""
        profile = self.profiles[self.decisions.sources[number]]
        return f"{profile.title}: {profile.names[self.decisions.identities[number]]}"

    def nearest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Of those taken for the same the ``count`` least similar, of the others the most similar ones: numbers."""
        decisions = self.decisions
        same = np.flatnonzero(decisions.same)
        apart = np.flatnonzero(~decisions.same & (decisions.partner >= 0))
        by_cosine = same[np.argsort(decisions.cosine[same], kind="stable")]
        return by_cosine[:count], apart[np.argsort(-decisions.cosine[apart], kind="stable")][:count]

    def write(self, folder: Path, pairs: int) -> list[Path]:
        """Write ``report.json``, ``dropped.tsv`` and the sheets of the pairs nearest the threshold; returns them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JOINED, APART, "dropped.tsv"):  # of an earlier call
            (folder / name).unlink(missing_ok=True)
        written = [folder / "report.json"]
        write_whole(written[0], json.dumps(self.to_mapping(), ensure_ascii=False, indent=1) + "\n")
        dropped = self._dropped()
        if dropped:
            written.append(folder / "dropped.tsv")
            write_whole(written[-1], "".join(dropped))
        for name, numbers in zip((JOINED, APART), self.nearest(pairs)):
            if len(numbers):
                written.append(folder / name)
                write_sheet(written[-1], pairs_sheet(self.profiles, self.decisions, numbers))
        return written

    def _counts(self, number: int) -> list[int]:
        profile, decisions = self.profiles[number], self.decisions
        own = decisions.sources == number
        labels = decisions.labels[own][profile.items.labels]
        kept, damaged = profile.kept & (labels >= 0), profile.damaged
        same, excluded = decisions.same[own], decisions.excluded[own]
        new = (decisions.labels[own] >= 0) & ~same
        empty = len(profile.names) - int(new.sum() + same.sum() + excluded.sum())
        return [len(profile.names), int(new.sum()), int(same.sum()), int(excluded.sum()), empty,
                len(profile.kept), int(kept.sum()), int((~kept & ~damaged).sum()), int(damaged.sum())]  # fmt: skip

    def _dropped(self) -> list[str]:
        """A line for each picture that its own identity does not keep: dataset, identity, picture, cosine."""
        lines = []
        for profile in self.profiles:
            for item in np.flatnonzero(~profile.kept):
                picture = profile.picture_name(item) or f"place {profile.items.places[item]}"
                reason = "damaged" if profile.damaged[item] else f"{profile.cosines[item]:.4f}"
                parts = (profile.title, profile.names[profile.items.labels[item]], picture, reason)
                lines.append("\t".join(one_line(part).replace("\t", " ") for part in parts) + "\n")
        return lines

    def _cosine(self, number: int) -> float:
        return round(float(self.decisions.cosine[number]), 4)
