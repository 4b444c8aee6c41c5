"""People and their photos."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=1024, examples=["Ann Lee"])]
PhotoId = Annotated[int, Field(ge=1, lt=2**31, examples=[17])]
Mode = Literal["add", "average", "replace"]


class Person(BaseModel):
    """Somebody of a gallery."""

    name: str = Field(examples=["Ann Lee"])
    photos: int = Field(description="How many.", examples=[3])
    since: datetime = Field(description="When the person was first enrolled, in UTC.")
    metadata: dict[str, Any] | None = Field(description="What is kept with the person.", examples=[{"team": "A"}])


class People(BaseModel):
    """A page of people, by name."""

    people: list[Person]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class PersonChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ann Lee", "metadata": {"team": "A"}}]}
    )

    name: Name | None = Field(None, description="The new name.")
    metadata: dict[str, Any] | None = Field(
        None, description="In place of what is kept so far; null keeps nothing. At most 65,535 bytes."
    )


class Remark(BaseModel):
    """What is said of one photo."""

    name: str = Field(examples=["Ann Lee"])
    source: str = Field(description="The photo: its file's name, or which one it was.", examples=["ann3.jpg"])
    reason: str = Field(examples=["no face found"])
    near: str | None = Field(None, description="Who else the face is too near to, where the remark is of that.")


class Enrolment(BaseModel):
    """What an enrolment did."""

    added: dict[str, int] = Field(description="Photos that were stored, by person.", examples=[{"Ann Lee": 2}])
    refused: list[Remark] = Field(description="Photos that could not be used, and why.")
    notes: list[Remark] = Field(
        description="What was decided on photos that were used, and what is doubtful of them.",
        examples=[[{"name": "Ann Lee", "source": "ann2.jpg", "reason": "2 faces; the most prominent one was taken"}]],
    )
    person: Person


class Photo(BaseModel):
    """A photo that a person was enrolled with; the picture itself is not kept."""

    id: int = Field(examples=[17])
    source: str | None = Field(examples=["ann1.jpg"])
    score: float | None = Field(description="The detector's confidence, 0 to 1.", examples=[0.998])
    picture: str | None = Field(description="SHA-256 of the photo's bytes.", examples=["9b1c" * 16])
    created: datetime = Field(description="When it was added, in UTC.")
    has_crop: bool = Field(description="Whether the aligned face was kept.", examples=[True])
    similarity: float | None = Field(
        None,
        description="Cosine to the mean of the person's other photos, where that was asked; null of a single one.",
        examples=[0.8127],
    )


class Photos(BaseModel):
    """A page of photos, oldest first."""

    photos: list[Photo]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class Merge(BaseModel):
    """People who are really the one of the address."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"names": ["Ann L."]}]})

    names: list[Name] = Field(min_length=1, max_length=1000)


class Move(BaseModel):
    """Photos that are really of the person of the address."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"photos": [17, 18], "create": True}]})

    photos: list[PhotoId] = Field(min_length=1, max_length=1000)
    create: bool = Field(False, description="Whether the person may be a new one.")


class Undo(BaseModel):
    """How a deletion can be undone."""

    token: str = Field(description="For POST undo/{token}.", examples=["6f1c2f0a9e1d4f7b8a3c5d2e1f0b9a8c"])
    until: datetime = Field(description="In UTC.")


class Forgotten(BaseModel):
    """Who was forgotten."""

    names: list[str] = Field(examples=[["Ann Lee"]])
    undo: Undo | None = Field(description="null where it was for good.")


class Restored(BaseModel):
    """Who is back."""

    people: list[Person]


class Receipt(BaseModel):
    """What was erased, and how; see "Erasing people" in docs/security.md."""

    place: str = Field(description="The database.", examples=["people.db"])
    engine: str = Field(examples=["SQLite 3.45.1"])
    gallery: str = Field(examples=["default"])
    gallery_uid: str = Field(description="What it is, whatever it is called.", examples=["5d2e" * 8])
    people: list[str] = Field(examples=[["Ann Lee"]])
    erased: datetime
    rows: dict[str, int] = Field(description="How many were deleted, by table.", examples=[{"persons": 1, "faces": 3}])
    statements: list[str] = Field(description="With which the files were rewritten.", examples=[["VACUUM"]])
    problem: str | None = Field(description="Why that could not be finished; the rows are deleted all the same.")
    looked_for: int | None = Field(description="Pieces that were looked for in the files afterwards.", examples=[32])
    found: int = Field(description="How many of these were found.", examples=[0])
    still_held: int = Field(description="How many of these others have as well, such as a copy.", examples=[0])
    other_galleries: list[str] = Field(description="That have somebody of that name.", examples=[["staff copy"]])
    limits: list[str] = Field(description="What an erasure cannot reach.", examples=[["backups and exported files"]])
    complete: bool = Field(examples=[True])
    digest: str = Field(description="SHA-256 of all this, as the audit log has it.", examples=["c0ff" * 16])


def described(person: Any) -> Person:
    """A ``db.Person``."""
    return Person(name=person.name, photos=person.count, since=person.created, metadata=person.metadata)


def remarks(refusals: list[Any]) -> list[Remark]:
    """``recognizer.results.Refusal`` each."""
    return [Remark(**vars(each)) for each in refusals]
