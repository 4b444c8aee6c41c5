"""Says who is in a video, and when; draws their names into a copy."""

import json
from pathlib import Path
from typing import Any

from recognizer.service.jobs.task import Task

SOURCE, COPY, BOXES = "video", "annotated.mp4", "tracks.json"
STAGES = ("finding faces", "writing")
PARTS = 1000  # in which progress is told
MOST_TRACKS = 1000  # in the result; BOXES has all


def video(task: Task) -> dict[str, Any]:
    """Parameters: ``gallery``, ``annotate``, ``every``, ``start``, ``end``, ``max_side``, ``folder``."""
    from recognizer.video import VideoProgress, recognize_video

    given = task.parameters
    stages = STAGES if given["annotate"] else STAGES[:1]

    def tell(progress: VideoProgress) -> None:
        if progress.fraction is not None and not task.is_over:
            share = stages.index(progress.stage) + min(1.0, progress.fraction)
            task.tell(int(PARTS * share / len(stages)), PARTS)

    result = recognize_video(
        task.services.recognizers.of(given["gallery"]),
        _source(task),
        task.folder.outputs / COPY if given["annotate"] else None,
        every=given["every"], start=given["start"], end=given["end"], max_side=given["max_side"],
        overwrite=True, progress=tell, cancel=lambda: task.is_over,
    )  # fmt: skip
    task.check()
    mapping = result.to_mapping(boxes=True)
    mapping.pop("annotated", None)  # a path of this machine
    (task.folder.outputs / BOXES).write_text(json.dumps(mapping, ensure_ascii=False), encoding="utf-8")
    shown = result.to_mapping()
    shown.pop("annotated", None)
    return shown | {"tracks": shown["tracks"][:MOST_TRACKS]}


def _source(task: Task) -> Path:
    return task.folder.inputs / SOURCE
