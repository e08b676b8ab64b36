"""The application a FastAPI and Motor tutorial ends with: dicts from the driver, a response model for each route."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from bson import ObjectId
from fastapi import FastAPI, HTTPException, Query
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pymongo import ReturnDocument

ObjectIdText = Annotated[str, BeforeValidator(str)]


class Dimensions(BaseModel):
    """Centimetres."""

    width: int
    height: int
    depth: int


class Item(BaseModel):
    """What the shop sells."""

    model_config = ConfigDict(populate_by_name=True)

    id: ObjectIdText | None = Field(alias="_id", default=None)
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


class ItemPatch(BaseModel):
    """What may change."""

    name: str | None = None
    category: str | None = None
    price: float | None = None
    stock: int | None = None
    active: bool | None = None
    description: str | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect while the application runs."""
    client: Any = AsyncIOMotorClient(os.environ["BENCH_MONGODB_URI"])
    app.state.items = client[os.environ["BENCH_DATABASE"]]["items"]
    yield
    client.close()


app = FastAPI(lifespan=lifespan)


def object_id(text: str) -> ObjectId:
    """Return the id that a path names."""
    if not ObjectId.is_valid(text):
        raise HTTPException(404)
    return ObjectId(text)


@app.get("/items/{item_id}", response_model=Item)
async def read_item(item_id: str) -> Any:  # noqa: ANN401  # FastAPI makes the model
    """Return one item."""
    item = await app.state.items.find_one({"_id": object_id(item_id)})
    if item is None:
        raise HTTPException(404)
    return item


@app.post("/items", response_model=Item, status_code=201)
async def create_item(item: Item) -> Any:  # noqa: ANN401  # FastAPI makes the model
    """Store one item."""
    document = item.model_dump(by_alias=True, exclude={"id"})
    await app.state.items.insert_one(document)
    return document


@app.get("/items", response_model=list[Item])
async def list_items(
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    category: str | None = None,
    sort: str | None = None,
) -> Any:  # noqa: ANN401  # FastAPI makes the models
    """Return a page of items."""
    found = app.state.items.find({"category": category} if category else {})
    if sort:
        found = found.sort(sort.lstrip("-"), -1 if sort.startswith("-") else 1)
    return await found.skip(skip).limit(limit).to_list(limit)


@app.patch("/items/{item_id}", response_model=Item)
async def update_item(item_id: str, patch: ItemPatch) -> Any:  # noqa: ANN401  # FastAPI makes the model
    """Change one item."""
    item = await app.state.items.find_one_and_update(
        {"_id": object_id(item_id)},
        {"$set": patch.model_dump(exclude_unset=True)},
        return_document=ReturnDocument.AFTER,
    )
    if item is None:
        raise HTTPException(404)
    return item
