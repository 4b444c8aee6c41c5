"""Between the passes: which pictures are kept, under which labels, and where each is read from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from train.data.positioned import PositionedFile
from train.data.prepare import checking
from train.data.prepare.plan import Plan, Progress
from train.data.prepare.report import Report
from train.data.tfrecord import Example

AS_IT_IS = -1


@dataclass(frozen=True)
class Ready:
    """The pictures that are kept; pickles as the plan, and maps its arrays into memory.

    Attributes:
        plan: the list of all pictures.
    """

    plan: Plan

    @cached_property
    def kept(self) -> np.ndarray:
        """int64 ``[k]``, the kept items, identity by identity."""
        return self._array("kept")

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 ``[n]``, the final label of each item; identities without a picture are left out."""
        return self._array("final_labels")

    def read(self, item: int) -> Example:
        """A kept picture as it is to be stored."""
        name = self.plan.names[item] if self.plan.names else ""
        return Example(self._jpeg(item), int(self.labels[item]), name)

    def _jpeg(self, item: int) -> bytes:
        offset = int(self._offsets[item])
        if offset == AS_IT_IS:
            return self.plan.read(item)
        return self._chunk_file(item // self.plan.chunk).read_at(offset, int(self.lengths[item]))

    def _chunk_file(self, number: int) -> PositionedFile:
        """Items are read in order, so the file of one chunk is all that is kept open."""
        opened = self.__dict__.get("_opened")
        if opened is None or opened[0] != number:
            if opened:
                opened[1].close()
            opened = self.__dict__["_opened"] = (number, checking.made_file(self.plan, number))
        return opened[1]

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 ``[n]``, bytes of what was encoded anew, or 0."""
        return self._array("lengths")

    @cached_property
    def _offsets(self) -> np.ndarray:
        return self._array("offsets")

    def _array(self, name: str) -> np.ndarray:
        return np.load(_path(self.plan, name), mmap_mode="r")

    def __reduce__(self):
        return Ready, (self.plan,)


def gather(plan: Plan, jobs: int, strict: bool, progress: Progress) -> tuple[Ready, Report]:
    """Make the first pass, and put the results of all chunks together.

    Raises:
        BadDataset: the source is damaged, or nothing is left; or, if ``strict``, a picture was refused.
    """
    with progress("checking pictures", len(plan)) as advance:
        for done in checking.check(plan, jobs):
            advance(done)
    report = Report(pictures=len(plan), notes=plan.notes)
    kept = _collect(plan, report)
    _check_kept(report, kept, strict)
    counts = np.bincount(plan.labels[kept], minlength=len(plan.identities))
    report.names = [name for name, count in zip(plan.identities, counts) if count]
    report.without_pictures = [name for name, count in zip(plan.identities, counts) if not count]
    report.counts = counts[counts > 0].tolist()
    np.save(_path(plan, "kept"), np.flatnonzero(kept))
    np.save(_path(plan, "final_labels"), np.where(counts > 0, np.cumsum(counts > 0) - 1, -1)[plan.labels])
    return Ready(plan), report


def _collect(plan: Plan, report: Report) -> np.ndarray:
    """Fill the report, write down what was encoded anew, and return which items are kept, bool ``[n]``."""
    kept = np.ones(len(plan), bool)
    offsets, lengths = np.full(len(plan), AS_IT_IS), np.zeros(len(plan), np.int64)
    for result in checking.results(plan):
        for item, kind, reason in result["refused"]:
            kept[item] = False
            report.refuse(plan.name(item), kind, reason)
        for item, offset, length in result["made"]:
            offsets[item], lengths[item] = offset, length
        report.count(result["sizes"], len(result["several"]), len(result["made"]))
    np.save(_path(plan, "offsets"), offsets)
    np.save(_path(plan, "lengths"), lengths)
    return kept


def _check_kept(report: Report, kept: np.ndarray, strict: bool) -> None:
    if strict and report.refused:
        first = report.refused[0]
        raise BadDataset(
            f"{len(report.refused)} of {report.pictures} pictures cannot be used; the first is {first[0]} ({first[1]}: "
            f"{first[2]}). Without --strict they are left out and listed."
        )
    if not kept.any():
        reasons = ", ".join(f"{count} {kind}" for kind, count in report.kinds().items())
        raise BadDataset(f"None of the {report.pictures} pictures can be used: {reasons}.")


def _path(plan: Plan, name: str) -> Path:
    return plan.folder / f"ready.{name}.npy"
