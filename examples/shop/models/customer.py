"""People who buy."""

from beanie import Document
from pydantic import BaseModel, EmailStr, Field
from pymongo import IndexModel

from documents.models.fields import Point


class Address(BaseModel):
    """Where parcels go. Embedded in a customer, so it has no collection of its own."""

    label: str = Field("home", description="What the customer calls it.", examples=["home"])
    street: str = Field(min_length=1, examples=["Torstraße 1"])
    city: str = Field(min_length=1, examples=["Berlin"])
    postal_code: str = Field(min_length=1, examples=["10119"])
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.", examples=["DE"])


class Customer(Document):
    """Someone who buys."""

    email: EmailStr = Field(description="Unique.", examples=["ada@example.com"])
    name: str = Field(min_length=1, max_length=200, examples=["Ada Lovelace"])
    addresses: list[Address] = Field(default_factory=list[Address], description="The first one is the usual one.")
    location: Point | None = Field(None, description="Where the customer is, for `near` and `within`.")

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "customers"
        indexes = (
            IndexModel([("email", 1)], unique=True),
            IndexModel([("location", "2dsphere")]),
        )
