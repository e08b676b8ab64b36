"""What may be bought."""

from datetime import datetime, timedelta

from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import IndexModel

from documents.models.fields import Moment, now

from .lines import Line


def _in_a_week() -> datetime:
    return now() + timedelta(days=7)


class Cart(Document):
    """What a visitor has put aside. MongoDB deletes it when it has expired."""

    customer_id: PydanticObjectId | None = Field(None, description="`_id` of the customer, once known.")
    lines: list[Line] = Field(default_factory=list[Line], description="What the visitor has chosen.")
    expires_at: Moment = Field(default_factory=_in_a_week, description="When it may be deleted.")

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "carts"
        indexes = (IndexModel([("expires_at", 1)], expireAfterSeconds=0),)
