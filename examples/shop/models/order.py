"""What was bought."""

from enum import StrEnum

from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import IndexModel

from documents.models.fields import Timestamps

from .lines import Line


class OrderStatus(StrEnum):
    """How far an order has come."""

    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Order(Timestamps, Document):
    """What a customer has bought."""

    customer_id: PydanticObjectId = Field(description="`_id` of the customer.")
    lines: list[Line] = Field(min_length=1, description="What was bought, at the price of that day.")
    status: OrderStatus = Field(OrderStatus.PENDING, description="How far the order has come.")

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "orders"
        indexes = (
            IndexModel([("customer_id", 1), ("created_at", -1), ("_id", 1)]),
            # Partial: few orders are pending, and only those are looked for by age.
            IndexModel([("created_at", 1)], partialFilterExpression={"status": "pending"}, name="pending"),
        )
