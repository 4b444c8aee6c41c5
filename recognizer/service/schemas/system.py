"""The state of the service."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    version: str = Field(examples=["0.2.0"])


class Ready(BaseModel):
    """Requests can be served."""

    status: Literal["ready"]
