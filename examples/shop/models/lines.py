"""What carts and orders consist of."""

from pydantic import BaseModel, Field

from documents.models.fields import Price


class Line(BaseModel):
    """One product in a cart or an order."""

    sku: str = Field(min_length=1, max_length=64, description="The product's SKU.", examples=["MUG-BLUE"])
    quantity: int = Field(ge=1, le=10_000, description="Pieces.", examples=[2])
    price: Price = Field(description="Price of one piece when it was chosen.")
