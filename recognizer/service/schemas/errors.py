"""The one shape of errors."""

from typing import Any

from pydantic import BaseModel, Field


class Error(BaseModel):
    """What went wrong. Branch on ``code``; ``message`` is for people."""

    code: str = Field(description="Stable.", examples=["unknown_person"])
    message: str = Field(examples=["Nobody is called 'Ann' in the gallery."])
    details: dict[str, Any] = Field(description="More of it, for programs.", examples=[{}])
