"""Faces of photos, and what a gallery says of them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Box = Annotated[
    list[float],
    Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels.", examples=[[104.2, 60.1, 190.8, 172.3]]),
]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Embedding = Annotated[
    list[float], Field(description="Of length 1, as long as the model's dimension.", examples=[[0.6, 0.0, -0.8]])
]
Cosine = Annotated[float, Field(ge=-1, le=1, examples=[0.7134])]


class Face(BaseModel):
    """A face of a photo."""

    box: Box
    landmarks: list[Point] = Field(
        description="Left eye, right eye, nose, left and right mouth corner, as seen in the photo.",
        examples=[[[126.4, 104.0], [168.9, 103.2], [148.1, 128.7], [129.6, 147.9], [166.0, 147.1]]],
    )
    score: float = Field(ge=0, le=1, description="The detector's confidence.", examples=[0.9987])


class Photo(BaseModel):
    """A photo of the request."""

    photo: str = Field(description="The name of its file, or which one it was.", examples=["party.jpg"])
    width: int = Field(description="Pixels, upright.", examples=[640])
    height: int = Field(examples=[480])


class DetectedPhoto(Photo):
    """A photo and its faces, best first."""

    faces: list[Face]


class Detected(BaseModel):
    """The faces of photos, in the order of the request."""

    photos: list[DetectedPhoto]


class EmbeddedFace(Face):
    """A face and its embedding."""

    embedding: Embedding


class EmbeddedPhoto(Photo):
    """A photo and its faces, best first."""

    faces: list[EmbeddedFace]


class Embedded(BaseModel):
    """The embeddings of photos' faces. Those of different models cannot be compared."""

    model: str = Field(examples=["mobilefacenet"])
    dimension: int = Field(examples=[192])
    photos: list[EmbeddedPhoto]


class Verified(BaseModel):
    """Whether the most prominent faces of two photos are one person's."""

    same: bool = Field(description="Whether the similarity is at least the threshold.", examples=[True])
    similarity: Cosine
    threshold: Cosine = Field(examples=[0.47])
    model: str = Field(examples=["mobilefacenet"])


class Candidate(BaseModel):
    """A person of the gallery."""

    name: str = Field(examples=["Ann Lee"])
    similarity: Cosine


class Match(BaseModel):
    """What the gallery says of a face."""

    name: str | None = Field(description="The person; null for a stranger.", examples=["Ann Lee"])
    similarity: Cosine = Field(description="To the nearest person, also for a stranger; -1 in an empty gallery.")
    runner_up: Candidate | None = Field(
        description="The second nearest person.", examples=[{"name": "Bob Ray", "similarity": 0.2934}]
    )
    margin: float | None = Field(description="How much nearer the nearest is than the second.", examples=[0.42])
    candidates: list[Candidate] = Field(description="The nearest people, best first, as many as ``top`` says.")


class Liveness(BaseModel):
    """Whether a face is a person before the camera; there where the settings ask for it."""

    live: bool = Field(examples=[True])
    score: float = Field(description="Of the network, about 0 (live) to 1 (a picture of a face).", examples=[0.031])
    sharpness: int = Field(description="Pixels with detail; with few of them it is not taken for live.", examples=[970])
    reason: str | None = Field(description="Why it is not taken for live.")


class NamedFace(Face, Match):
    """A face of a photo, and who it is."""

    liveness: Liveness | None = Field(description="null where it was not asked.")


class SearchedPhoto(Photo):
    """A photo and its faces, best detection first."""

    faces: list[NamedFace]


class Searched(BaseModel):
    """What was compared, and with what threshold.

    One of ``photos`` and ``embeddings`` is null: as the request was made.
    """

    gallery: str = Field(examples=["default"])
    model: str = Field(examples=["mobilefacenet"])
    threshold: Cosine = Field(examples=[0.47])
    threshold_far: float | None = Field(
        description="The false accept rate that the threshold was measured at; null where that is not known.",
        examples=[0.0001],
    )
    photos: list[SearchedPhoto] | None
    embeddings: list[Match] | None = Field(examples=[None])


class Embeddings(BaseModel):
    """Ready embeddings to be searched."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"embeddings": [[0.6, 0.0, -0.8]]}]}
    )

    embeddings: list[list[float]] = Field(
        min_length=1, max_length=1000, description="Of the gallery's model and dimension; they need not have length 1."
    )
