"""The application a FastAPI and Beanie tutorial ends with: one model, typed answers, a query for each route."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from beanie import Document, PydanticObjectId, init_beanie
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel
from pymongo import AsyncMongoClient, IndexModel


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
        indexes = [IndexModel([("category", 1), ("price", -1)])]  # noqa: RUF012  # as Beanie's documentation has it


class ItemPatch(BaseModel):
    """What may change."""

    name: str | None = None
    category: str | None = None
    price: float | None = None
    stock: int | None = None
    active: bool | None = None
    description: str | None = None


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Connect while the application runs."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(os.environ["BENCH_MONGODB_URI"])
    await init_beanie(client[os.environ["BENCH_DATABASE"]], document_models=[Item])
    yield
    await client.close()


app = FastAPI(lifespan=lifespan)


@app.get("/items/{item_id}")
async def read_item(item_id: PydanticObjectId) -> Item:
    """Return one item."""
    item = await Item.get(item_id)
    if item is None:
        raise HTTPException(404)
    return item


@app.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    """Store one item."""
    return await item.insert()


@app.get("/items")
async def list_items(
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    category: str | None = None,
    sort: str | None = None,
) -> list[Item]:
    """Return a page of items."""
    found = Item.find(Item.category == category) if category else Item.find_all()
    if sort:
        found = found.sort(sort)
    return await found.skip(skip).limit(limit).to_list()


@app.patch("/items/{item_id}")
async def update_item(item_id: PydanticObjectId, patch: ItemPatch) -> Item:
    """Change one item."""
    item = await Item.get(item_id)
    if item is None:
        raise HTTPException(404)
    await item.set(patch.model_dump(exclude_unset=True))
    return item
