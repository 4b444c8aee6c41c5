"""The whole merge, from paths to a dataset and its report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from common.errors import BadArgument
from networks.network import Network
from train.data.merge.decisions import decide
from train.data.merge.profiles import profile
from train.data.merge.references import references
from train.data.merge.report import MergeReport
from train.data.merge.source import MergedSource
from train.data.prepare.options import Options
from train.data.prepare.plan import Progress, Recipe, silent
from train.data.prepare.records import prepare_records
from train.data.prepare.shards import prepare_shards
from train.data.sources import open_source


@dataclass(frozen=True)
class Rule:
    """How it is decided who is who; see ``decisions.decide`` and ``profiles.profile``.

    Attributes:
        threshold: a cosine above it says: the same person.
        on_match: "join" or "drop".
        across_only: compare with identities of other datasets only.
        exclude_threshold: for people of a test set.
        clean_angle: in degrees; None drops no picture.
    """

    threshold: float
    on_match: str = "join"
    across_only: bool = False
    exclude_threshold: float = 0.4
    clean_angle: float | None = None


@dataclass(frozen=True)
class Output:
    """Where the dataset goes.

    Attributes:
        path: a ``.rec``, or the folder of a dataset of shards.
        shards, seed: of shards, see ``prepare_shards``.
        layout: of a ``.rec``, see ``prepare_records``.
        jobs: processes.
    """

    path: Path
    shards: int | None = None
    seed: int = 0
    layout: str = "insightface"
    jobs: int = 1

    def check(self) -> None:
        """Refuse what ``write`` would refuse after hours.

        Raises:
            BadArgument: something is there already.
        """
        if self.path.is_file() or (self.path / "dataset.json").is_file():
            raise BadArgument(f"{self.path} exists already. Choose another place, or remove it.")

    def write(self, source: MergedSource, progress: Progress) -> None:
        """Write the dataset, or go on where an interrupted call was."""
        recipe = Recipe(source, Options())
        if self.path.suffix == ".rec":
            prepare_records(recipe, self.path, layout=self.layout, jobs=self.jobs, progress=progress)
        else:
            prepare_shards(
                recipe, self.path, count=self.shards, seed=self.seed, jobs=self.jobs, progress=progress
            )  # fmt: skip


def examine(
    inputs: Sequence[Path],
    network: Network,
    rule: Rule,
    *,
    exclude: Sequence[Path] = (),
    batch: int = 128,
    progress: Progress = silent,
) -> MergeReport:
    """Embed the datasets and decide what becomes of each identity, without writing anything but the cache.

    Args:
        inputs: what ``open_source`` takes, in order: what comes earlier is kept.
        network: what embeds them.
        rule: who is who.
        exclude: test sets, see ``references.references``.
        batch, progress: see ``profiles.profile``.

    Raises:
        BadArgument, BadDataset: see ``decide`` and ``profile``.
    """
    sources = [open_source(path) for path in inputs]
    people = [references(path, network, batch, progress) for path in exclude]
    profiles = [
        profile(source, network, clean_angle=rule.clean_angle, batch=batch, progress=progress) for source in sources
    ]
    decisions = decide(
        profiles,
        rule.threshold,
        on_match=rule.on_match,
        across_only=rule.across_only,
        test_people=np.concatenate(people) if people else None,
        exclude_threshold=rule.exclude_threshold,
        progress=progress,
    )
    asked = {"inputs": [str(path) for path in inputs], "model": network.name, "model_digest": network.digest,
             **asdict(rule), "exclude": [str(path) for path in exclude]}  # fmt: skip
    return MergeReport(profiles, decisions, asked)


def merged_source(report: MergeReport) -> MergedSource:
    """The merged dataset, to be written."""
    labels = [report.decisions.labels_of(number) for number in range(len(report.profiles))]
    return MergedSource(report.profiles, labels, report.decisions.names)
