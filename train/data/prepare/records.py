"""The second pass into a ``.rec`` file."""

import shutil
from pathlib import Path

from common.errors import BadArgument, BadDataset
from train.data.prepare.plan import Progress, Recipe, alone, plan, silent
from train.data.prepare.ready import gather
from train.data.prepare.report import REFUSED, Report
from train.data.recordio import Writer

USUAL_SIZE = (112, 112)


def prepare_records(
    recipe: Recipe,
    path: Path,
    *,
    layout: str = "insightface",
    jobs: int = 1,
    strict: bool = False,
    progress: Progress = silent,
) -> Report:
    """Write a ``.rec`` with its ``.idx`` and, in InsightFace's layout, ``property``; identity by identity.

    An interrupted call goes on behind the pictures that were looked at; the file itself is written in one go.

    Args:
        recipe: which pictures, and what is done with them.
        path: the ``.rec``; must not exist.
        layout: "insightface" or "im2rec"; see ``recordio.Writer``.
        jobs, strict, progress: as for ``prepare_shards``.

    Raises:
        BadArgument: the file exists, or there is no such layout.
        BadDataset: the source is damaged, no picture can be used, or the disk is full.
    """
    if path.exists():
        raise BadArgument(f"{path} exists already. Choose another name, or remove it.")
    if path.suffix != ".rec":
        raise BadArgument(f"{path} must end in .rec.")
    try:
        with alone(path):
            listed = plan(path.with_name(f".{path.stem}.unfinished"), recipe)
            ready, report = gather(listed, jobs, strict, progress)
            with (
                progress("writing records", len(ready.kept)) as advance,
                Writer(path, layout, report.image_size() or USUAL_SIZE) as writer,
            ):
                for item in ready.kept:
                    example = ready.read(int(item))
                    writer.write(example.jpeg, example.label)
                    advance(1)
            report.write_refused(path.with_name(f"{path.stem}.{REFUSED}"))
            shutil.rmtree(listed.folder)
            return report
    except OSError as error:
        raise BadDataset(f"{path} cannot be written: {error.strerror or error}.") from None
