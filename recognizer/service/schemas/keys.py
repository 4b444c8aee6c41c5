"""API keys."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from db import keys

Role = Literal["read", "enrol", "admin"]


class Key(BaseModel):
    """An API key without its secret."""

    id: str = Field(description="The part of it that is public.", examples=["3f9a2b1c4d5e"])
    name: str = Field(examples=["door camera"])
    role: Role
    gallery: str | None = Field(description="The only gallery that it may be used with; null: all.")
    state: Literal["active", "revoked", "expired", "orphaned"] = Field(
        description="orphaned: its gallery was deleted. Only active ones are good."
    )
    created: datetime
    expires: datetime | None = Field(examples=[None])
    revoked: datetime | None = Field(examples=[None])
    last_used: datetime | None = Field(description="To the minute; stored once a minute.")


class KeyList(BaseModel):
    """API keys, oldest first."""

    keys: list[Key]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "door camera", "role": "read", "gallery": "staff"}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=255, description="What it is for.")]
    role: Role = Field("read", description="read finds and lists, enrol also changes people, admin does everything.")
    gallery: Annotated[str | None, Field(max_length=255)] = Field(None, description="The only one that it is for.")
    expires: AwareDatetime | None = Field(None, description="With a time zone. null: never.")


class MadeKey(Key):
    """A key that was just made."""

    secret: str | None = Field(
        description="The key as clients send it, this once: only a digest is stored. null where a request is repeated "
        "with its Idempotency-Key: revoke that key and make another one if its secret was lost.",
        examples=["rk_3f9a2b1c4d5e_" + "0" * 64],
    )


def described(key: keys.Key) -> Key:
    """A ``db.keys.Key`` as a :class:`Key`."""
    names = ("id", "name", "role", "gallery", "created", "expires", "revoked", "last_used")
    return Key(state=key.state(), **{name: getattr(key, name) for name in names})
