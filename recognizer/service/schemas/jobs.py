"""Jobs: long work, its progress and its result."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Job(BaseModel):
    """Long work that was asked for."""

    id: int = Field(examples=[42])
    kind: str = Field(examples=["reembed"])
    gallery: str = Field(examples=["default"])
    owner: str | None = Field(description="Who asked for it.", examples=["key 3f9a2b1c4d5e"])
    state: Literal["queued", "running", "done", "failed", "cancelled"] = Field(examples=["running"])
    done: int = Field(description="How far it is, in a unit of its kind.", examples=[120])
    total: int | None = Field(description="null where nobody knows.", examples=[400])
    cancel_requested: bool
    error: str | None = Field(description="Of one that failed, in a sentence.")
    created: datetime
    started: datetime | None
    finished: datetime | None = Field(examples=[None])


class Jobs(BaseModel):
    """A page of jobs, the latest first."""

    jobs: list[Job]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class File(BaseModel):
    """A file that a job made."""

    name: str = Field(description="For GET jobs/{id}/result?file=NAME.", examples=["people.gallery"])
    bytes: int = Field(examples=[1_048_576])


class Tracks(BaseModel):
    """Who is in a video, and when: the file tracks.json."""

    tracks: list[dict[str, Any]]


class Result(BaseModel):
    """What a job led to."""

    result: dict[str, Any] = Field(
        description="As its kind has it.", examples=[{"file": "people.gallery", "bytes": 1_048_576, "people": 17}]
    )
    files: list[File]
