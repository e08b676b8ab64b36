"""Things for sale."""

from typing import Any

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from documents.models.fields import Price


class Product(Document):
    """A thing for sale. Copy this file to declare a collection of your own."""

    sku: str = Field(min_length=1, max_length=64, description="Stock-keeping unit, unique.", examples=["MUG-BLUE"])
    name: str = Field(min_length=1, max_length=200, description="What customers read.", examples=["Blue mug"])
    description: str = Field("", description="A few sentences; searched together with the name.")
    price: Price = Field(description="Price of one piece, in euros.")
    tags: list[str] = Field(default_factory=list, description="Categories and themes.", examples=[["kitchen", "gift"]])
    stock: int = Field(0, ge=0, description="Pieces in the warehouse.", examples=[12])
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="Whatever else is worth knowing.", examples=[{"colour": "blue", "ml": 350}]
    )

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "products"
        indexes = (
            IndexModel([("sku", 1)], unique=True),
            IndexModel([("name", "text"), ("description", "text")], name="search"),
            IndexModel([("price", 1), ("_id", 1)]),  # ends in _id, so that pages sorted by price need no sort
            IndexModel([("tags", 1), ("_id", 1)]),
        )
