"""The folder of a run: what lies where, and whether a run may begin or go on in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import config as files
from common.errors import BadArgument, BadCheckpoint
from common.folders import write_whole
from train.config import Config, from_mapping, to_mapping

# What may change between the parts of a run; everything else decides the numbers.
FREE = (
    "training.duration",
    "checkpoints",
    "verification",
    "log",
    "bundle",
    "output",
    "data.threads",
    "data.train",
    "name",
)


@dataclass(frozen=True)
class RunFolder:
    """Paths inside the folder of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The weights that verified best."""
        return self.checkpoints / "best.npz"

    @property
    def bundle(self) -> Path:
        """What the run ends in."""
        return self.path / "bundle"

    def begin(self, config: Config) -> None:
        """Start a new run. Raises BadArgument where the folder holds one already."""
        if self.config.exists():
            raise BadArgument(f"{self.path} holds a run already: go on with --resume, or choose another --output.")
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.config, files.text(to_mapping(config)))

    def go_on(self, config: Config) -> None:
        """Continue the run with a configuration that may differ in what does not decide its numbers.

        Raises:
            BadCheckpoint: there is no run, or the configuration differs in something else, which is named.
        """
        if not self.config.exists():
            raise BadCheckpoint(f"{self.path} holds no run to go on with: start without --resume.")
        before = to_mapping(from_mapping(files.load(self.config), str(self.config)))
        differing = sorted(_differences(before, to_mapping(config)))
        if differing:
            raise BadCheckpoint(
                f"The run in {self.path} was begun with another {differing[0]}. Continue with the configuration it "
                f"has, {self.config}, or begin another run with --output."
            )
        write_whole(self.config, files.text(to_mapping(config)))


def _differences(before: Any, after: Any, key: str = "") -> list[str]:
    if key in FREE:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            each
            for name in before.keys() | after.keys()
            for each in _differences(before.get(name), after.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if before == after else [key]
