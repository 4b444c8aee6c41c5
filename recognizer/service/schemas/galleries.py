"""Galleries, and the work on them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

GalleryName = Annotated[str, Field(min_length=1, max_length=1024, examples=["staff"])]
Cosine = Annotated[float, Field(ge=-1, le=1)]
Rate = Annotated[float, Field(ge=1e-12, le=0.1, examples=[1e-4])]


class Threshold(BaseModel):
    """From which cosine on a face is called by a name."""

    similarity: Cosine = Field(examples=[0.47])
    far: float | None = Field(
        None, ge=0, le=1, description="The false accept rate that it was measured at.", examples=[1e-4]
    )
    low: Cosine | None = Field(None, description="Its 95 % confidence interval.", examples=[0.45])
    high: Cosine | None = Field(None, examples=[0.49])


class Gallery(BaseModel):
    """The people whom one model's embeddings describe."""

    name: str = Field(examples=["staff"])
    model: str = Field(examples=["mobilefacenet"])
    digest: str = Field(description="Of the model.", examples=["3f9a" * 16])
    dimension: int = Field(examples=[512])
    people: int = Field(examples=[17])
    photos: int = Field(examples=[44])
    revision: int = Field(description="Grows with every write.", examples=[61])
    threshold: Threshold | None = Field(description="null: that of the model's card counts.")
    since: datetime
    source: str | None = Field(description="The gallery that it is being re-embedded from.")
    pending: int = Field(description="People of the source who are still to come.", examples=[0])


class Galleries(BaseModel):
    """A page of galleries, by name."""

    galleries: list[Gallery]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class NewGallery(BaseModel):
    """A gallery to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "visitors"}]})

    name: GalleryName
    model: str | None = Field(None, max_length=255, description="Of the zoo; without it the service's own.")


class GalleryChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "guests"}, {"threshold": {"similarity": 0.5}}, {"threshold": None}]},
    )

    name: GalleryName | None = Field(None, description="The new name.")
    threshold: Threshold | None = Field(None, description="null: that of the model's card counts again.")


class Deleted(BaseModel):
    """What is gone."""

    name: str = Field(examples=["staff"])
    people: int = Field(examples=[17])
    photos: int = Field(examples=[44])


class Calibrate(BaseModel):
    """How the threshold is to be measured."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"far": 1e-4}]})

    far: Rate = Field(1e-4, description="The false accept rate to be reached.")
    dry_run: bool = Field(False, description="Measure only.")


class Reembed(BaseModel):
    """For which model the people are to be embedded again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"model": "buffalo_l"}]})

    model: str = Field(max_length=255, description="Of the zoo.", examples=["buffalo_l"])
    into: GalleryName | None = Field(None, description="Name of the new gallery; GALLERY-MODEL when not given.")


class Switch(BaseModel):
    """With which gallery names are exchanged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"other": "default-buffalo_l"}]})

    other: GalleryName


class Switched(BaseModel):
    """Both galleries, as they are called now."""

    galleries: list[Gallery]


def described(gallery: Any) -> dict[str, Any]:
    """A ``db.Summary`` as a :class:`Gallery`."""
    return {
        "name": gallery.name,
        "model": gallery.model_name,
        "digest": gallery.model_digest,
        "dimension": gallery.dimension,
        "people": gallery.people,
        "photos": gallery.photos,
        "revision": gallery.revision,
        "threshold": gallery.threshold and gallery.threshold._asdict(),
        "since": gallery.created,
        "source": gallery.source,
        "pending": gallery.pending,
    }
