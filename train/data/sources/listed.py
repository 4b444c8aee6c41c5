"""Lists of pictures: a text file with a line ``path label`` each, or im2rec's ``.lst`` (number, label, path)."""

from array import array
from functools import cached_property
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from common.folders import natural
from train.data.sources.folders import read_file
from train.data.sources.source import Items, Source, file_state
from train.data.texts import TextsBuilder


class ListSource(Source):
    """Pictures by a list; paths are relative to the list's folder. The label, any word, is the identity's name."""

    @staticmethod
    def fits(path: Path) -> bool:
        return path.suffix in (".txt", ".lst") and path.is_file()

    def identities(self) -> list[str]:
        return self._contents[0]

    def items(self, chosen: np.ndarray) -> Items:
        names, numbers, paths = self._contents
        new = np.full(len(names), -1)
        new[chosen] = np.arange(len(chosen))
        labels = new[numbers]
        order = np.argsort(labels, kind="stable")[(labels < 0).sum() :]
        ordered = TextsBuilder()
        for place in order:
            ordered.append(paths[place])
        return Items(labels[order], np.arange(len(order)), ordered.build())

    def read(self, place: int, name: str | None) -> bytes:
        return read_file(self.path.parent / name)

    def state(self) -> str:
        return file_state(self.path)

    @cached_property
    def _contents(self):
        """Names of the identities, and of all lines the identity's number and the path."""
        labels: dict[str, int] = {}
        numbers, paths = array("q"), TextsBuilder()
        try:
            with self.path.open(encoding="utf-8", errors="surrogateescape") as lines:
                for count, line in enumerate(lines, 1):
                    if line.strip():
                        path, label = self._split(line, count)
                        numbers.append(labels.setdefault(label, len(labels)))
                        paths.append(path)
        except OSError as error:
            raise BadDataset(f"{self.path} cannot be read: {error.strerror}.") from None
        if not labels:
            raise BadDataset(f"{self.path} lists no pictures.")
        names = sorted(labels, key=natural)
        place = {name: number for number, name in enumerate(names)}
        new = np.array([place[name] for name in labels])
        return names, new[np.array(numbers, np.int64)], paths.build()

    def _split(self, line: str, count: int) -> tuple[str, str]:
        """Path and label of a line."""
        if self.path.suffix == ".lst":
            parts = line.rstrip("\r\n").split("\t")
            if len(parts) >= 3:
                return parts[-1], _number(parts[1])
        else:
            parts = line.rstrip("\r\n").rsplit("\t", 1) if "\t" in line else line.rsplit(maxsplit=1)
            if len(parts) == 2 and all(part.strip() for part in parts):
                return parts[0].strip(), parts[1].strip()
        expected = "number TAB label TAB path" if self.path.suffix == ".lst" else "path and label"
        raise BadDataset(f"{self.path}, line {count}: expected {expected}.")

    def __reduce__(self):
        return ListSource, (self.path,)


def _number(label: str) -> str:
    """im2rec writes labels as 3.000000."""
    whole, _, rest = label.partition(".")
    return whole if not rest.strip("0") else label
