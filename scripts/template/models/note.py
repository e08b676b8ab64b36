"""A first model. Its collection, `notes`, takes only what fits it."""

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from documents.models.fields import Moment, now


class Note(Document):
    """Something to remember."""

    text: str = Field(min_length=1, max_length=10_000, examples=["Buy tea"])
    tags: list[str] = Field(default_factory=list)
    is_done: bool = False
    created_at: Moment = Field(default_factory=now)

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "notes"
        indexes = (IndexModel([("tags", 1)]), IndexModel([("created_at", -1)]))
