"""The kinds of jobs. Each is a function of a :class:`recognizer.service.jobs.task.Task` that returns the result.

It must bear being begun twice: a worker that dies is followed by another one, which begins from the beginning.
"""

from common.registry import Registry

PACKAGE = "recognizer.service.jobs.kinds"
KINDS = Registry(
    "kind of job",
    {
        "enroll": f"{PACKAGE}.enroll:enroll",
        "import": f"{PACKAGE}.importing:import_",
        "export": f"{PACKAGE}.export:export",
        "reembed": f"{PACKAGE}.reembed:reembed",
        "calibrate": f"{PACKAGE}.calibrate:calibrate",
        "video": f"{PACKAGE}.video:video",
    },
)
FILED = ("enroll", "import", "export", "video")  # have files, so only who sees their folder can do them
