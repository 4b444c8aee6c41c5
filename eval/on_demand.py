"""Verification sets by name, read when they are asked for: seven of them decoded at once would fill 4 GB."""

from collections.abc import Iterator, Mapping, Sequence

from common.errors import BadArgument
from eval.sets import Located, VerificationSet, read


class SetsOnDemand(Mapping):
    """The sets in their order; only the one that was asked for last stays in memory.

    Args:
        located: what ``eval.sets.find`` found.
        progress: whether reading shows a bar on a terminal.

    Raises:
        BadArgument: two sets have the same name.
    """

    def __init__(self, located: Sequence[Located], *, progress: bool = False):
        self._located: dict[str, Located] = {}
        for each in located:
            other = self._located.setdefault(each.name, each)
            if other is not each:
                raise BadArgument(f"Two sets are called {each.name}: {other.path} and {each.path}. Rename one.")
        self._progress = progress
        self._held: VerificationSet | None = None
        self._name = ""

    def __getitem__(self, name: str) -> VerificationSet:
        if name not in self._located:
            raise KeyError(name)
        if self._held is None or self._name != name:
            self._held = None  # before the next one is read, not after
            self._held, self._name = read(self._located[name], progress=self._progress), name
        return self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._located)

    def __len__(self) -> int:
        return len(self._located)
