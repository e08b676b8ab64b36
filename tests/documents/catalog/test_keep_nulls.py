from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from beanie import (
    Document,
    init_beanie,  # pyright: ignore[reportUnknownVariableType]  # partly untyped in Beanie
)
from bson import ObjectId
from pydantic import BaseModel, Field
from pymongo import AsyncMongoClient, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from documents.catalog.declared import DeclaredModel


class Place(BaseModel):
    city: str | None = None


class Member(Document):
    name: str
    email: str | None = None
    places: list[Place] = Field(default_factory=list[Place])

    class Settings:
        name = "members"
        keep_nulls = False
        indexes = (IndexModel([("email", 1)], unique=True, sparse=True),)


@pytest_asyncio.fixture
async def database(mongo_uri: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_uri)
    database = client[f"nulls_{ObjectId()}"]
    await init_beanie(database, document_models=[Member])
    yield database
    await client.drop_database(database.name)
    await client.close()


@pytest.mark.parametrize("sent", [{"name": "Ada"}, {"name": "Ada", "email": None}])
async def test_two_without_an_optional_unique_field(
    database: AsyncDatabase[dict[str, Any]], sent: dict[str, Any]
) -> None:
    for _ in range(2):
        document = DeclaredModel(Member).validate(sent)
        assert document == {"name": "Ada", "places": []} | ({"_id": None} if "_id" in document else {})
        await database["members"].insert_one({**document, "_id": ObjectId()})
    assert await database["members"].count_documents({}) == 2


@pytest.mark.usefixtures("database")
def test_nulls_inside_go_and_those_of_others_stay() -> None:
    sent = {"name": "Ada", "places": [{"city": None}, {"city": "Rome"}], "other": None}
    validated = DeclaredModel(Member).validate(sent, before={"other": None})
    assert (validated["places"], validated["other"]) == ([{}, {"city": "Rome"}], None)
