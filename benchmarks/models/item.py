"""The model that the textbook peers declare, for Sheaf: the same fields, collection and index."""

from typing import ClassVar

from beanie import Document
from pydantic import BaseModel
from pymongo import IndexModel


class Dimensions(BaseModel):
    """Centimetres."""

    width: int
    height: int
    depth: int


class Item(Document):
    """What the shop sells."""

    name: str
    sku: str
    category: str
    price: float
    stock: int
    rating: float
    active: bool
    tags: list[str]
    dimensions: Dimensions
    description: str

    class Settings:
        """Where items are kept."""

        name = "items"
        indexes: ClassVar = [IndexModel([("category", 1), ("price", -1)])]
