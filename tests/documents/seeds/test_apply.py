from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
import pytest
import pytest_asyncio
from beanie import (
    Document,
    init_beanie,  # pyright: ignore[reportUnknownVariableType]  # partly untyped in Beanie
)
from bson import Decimal128, ObjectId
from pydantic import Field
from pymongo import IndexModel, MongoClient
from pymongo.asynchronous.database import AsyncDatabase

from documents.catalog.declared import DeclaredModel
from documents.database.connection import Connection
from documents.seeds.apply import apply_seeds
from documents.seeds.files import Seed, SeedError, load_seeds
from documents.seeds.prepare import STATES, natural_key
from documents.seeds.report import Outcome, SeedEvent, SeedReport
from examples.shop.models.product import Product
from tests.shop import SHOP, shop_models

Database = AsyncDatabase[dict[str, Any]]


class Person(Document):
    name: str
    born: datetime | None = None
    boss: Annotated[Any, Field(default=None)] = None
    made: datetime = Field(default_factory=lambda: datetime.now(UTC))

    class Settings:
        name = "people"
        indexes = (IndexModel([("born", 1)]), IndexModel([("name", 1)], unique=True))


class Badge(Document):
    id: UUID = Field(default_factory=uuid4)  # pyright: ignore[reportIncompatibleVariableOverride]  # as Beanie has it
    code: str
    person: Annotated[Any, Field(default=None)] = None

    class Settings:
        name = "badges"
        indexes = (IndexModel([("code", 1)], unique=True),)


class Tag(Document):
    id: str = Field()  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # as Beanie has it
    text: str = ""

    class Settings:
        name = "tags"


@pytest_asyncio.fixture
async def database(mongo_uri: str) -> AsyncIterator[Database]:
    connection = Connection(mongo_uri, database=f"seeds_{ObjectId()}", max_pool_size=4)
    yield connection.database
    await connection.client.drop_database(connection.database.name)
    await connection.close()


@pytest_asyncio.fixture
async def models(database: Database) -> dict[str, DeclaredModel]:
    """Declare models of its own, so that those of the store stay bound as they are."""
    classes = [Person, Badge, Tag]
    await init_beanie(database, document_models=classes, skip_indexes=True)
    return {declared.name: declared for declared in map(DeclaredModel, classes)}


Models = dict[str, DeclaredModel]


def people(*values: dict[str, Any]) -> list[Seed]:
    return [Seed("people", f"people.json#/{number}", value) for number, value in enumerate(values)]


async def plant(database: Database, models: Models, seeds: list[Seed], **options: Any) -> SeedReport:
    return await apply_seeds(database, models, seeds, environment="development", **options)


async def contents(database: Database) -> dict[str, list[Any]]:
    return {name: await database[name].find().sort("_id").to_list() for name in await database.list_collection_names()}


async def test_a_second_run_changes_nothing(database: Database, models: Models) -> None:
    seeds = people({"name": "Ada", "born": "1815-12-10T00:00:00Z"}, {"name": "Bob"})
    first = await plant(database, models, seeds)
    assert first.to_dict() == {"counts": {"people": {"inserted": 2}}, "kept": [], "dry_run": False}
    before = await contents(database)
    second = await plant(database, models, seeds)
    assert second.counts == {"people": {Outcome.UNCHANGED: 2}}
    assert (first.is_unchanged, second.is_unchanged) == (False, True)
    assert await contents(database) == before
    ada = await database["people"].find_one({"name": "Ada"})
    assert ada
    assert ada["born"] == datetime(1815, 12, 10)  # noqa: DTZ001  # as the driver reads it


async def test_a_dry_run_writes_nothing(database: Database, models: Models) -> None:
    report = await plant(database, models, people({"name": "Ada"}), dry_run=True)
    assert report.counts == {"people": {Outcome.INSERTED: 1}}
    assert await database.list_collection_names() == []


async def test_ids_are_the_same_everywhere(database: Database, models: Models) -> None:
    seeds = [*people({"name": "Ada"}), Seed("badges", "", {"code": "x"}), Seed("tags", "", {"_id": "t"})]
    await plant(database, models, seeds)
    ids = [(await database[name].find_one({}) or {})["_id"] for name in ("people", "badges", "tags")]
    assert ids[0].generation_time == datetime(2024, 1, 1, tzinfo=UTC)
    assert isinstance(ids[1], UUID)
    await database["people"].drop()
    assert (await plant(database, models, seeds)).counts["people"] == {Outcome.INSERTED: 1}
    assert (await database["people"].find_one({}) or {})["_id"] == ids[0]


async def test_a_changed_seed_updates(database: Database, models: Models) -> None:
    await plant(database, models, people({"name": "Ada"}))
    before = await database["people"].find_one({})
    report = await plant(database, models, people({"name": "Ada", "born": "1815-12-10T00:00:00Z"}))
    assert report.counts == {"people": {Outcome.UPDATED: 1}}
    after = await database["people"].find_one({})
    assert before
    assert after
    assert after["_id"] == before["_id"]
    assert after["born"]


async def test_what_a_user_changed_is_kept(database: Database, models: Models) -> None:
    await plant(database, models, people({"name": "Ada"}))
    await database["people"].update_one({}, {"$set": {"note": "mine"}})
    assert (await plant(database, models, people({"name": "Ada"}))).counts == {"people": {Outcome.UNCHANGED: 1}}
    report = await plant(database, models, people({"name": "Ada", "born": "1815-12-10T00:00:00Z"}))
    assert report.counts == {"people": {Outcome.KEPT: 1}}
    assert report.kept == ("people.json#/0",)
    stored = await database["people"].find_one({})
    assert stored
    assert (stored["note"], stored["born"]) == ("mine", None)


async def test_what_was_there_before_is_kept(database: Database, models: Models) -> None:
    await database["people"].insert_one({"_id": 7, "name": "Ada"})
    report = await plant(
        database, models, people({"name": "Ada"}, {"name": "Bob", "boss": {"$seed": "people", "name": "Ada"}})
    )
    assert report.counts == {"people": {Outcome.KEPT: 1, Outcome.INSERTED: 1}}
    assert await database["people"].find_one({"name": "Ada"}) == {"_id": 7, "name": "Ada"}
    assert (await database["people"].find_one({"name": "Bob"}) or {})["boss"] == 7


async def test_a_deleted_document_comes_back(database: Database, models: Models) -> None:
    await plant(database, models, people({"name": "Ada"}, {"name": "Bob"}))
    await database["people"].delete_one({"name": "Bob"})
    report = await plant(database, models, people({"name": "Ada"}, {"name": "Bob"}))
    assert report.counts == {"people": {Outcome.UNCHANGED: 1, Outcome.INSERTED: 1}}


async def test_killed_between_record_and_write(database: Database, models: Models) -> None:
    seeds = people({"name": "Ada"})
    await plant(database, models, seeds)
    before = await contents(database)
    changed = people({"name": "Ada", "born": "1815-12-10T00:00:00Z"})
    await plant(database, models, changed)
    await database["people"].replace_one({}, before["people"][0])  # the record says changed, the document is as before
    assert (await plant(database, models, changed)).counts == {"people": {Outcome.UPDATED: 1}}
    await database["people"].delete_many({})
    assert (await plant(database, models, changed)).counts == {"people": {Outcome.INSERTED: 1}}
    assert (await plant(database, models, changed)).is_unchanged


async def test_changed_while_planting(mongo_uri: str, database: Database, models: Models) -> None:
    await plant(database, models, people({"name": "Ada"}, {"name": "Bob"}))
    changed = people({"name": "Ada", "born": "1815-12-10T00:00:00Z"}, {"name": "Bob", "born": "1815-12-10T00:00:00Z"})
    events: list[SeedEvent] = []
    with MongoClient[dict[str, Any]](mongo_uri) as client:

        def meddle(event: SeedEvent) -> None:
            events.append(event)
            client[database.name]["people"].update_one({"name": "Bob"}, {"$set": {"note": "mine"}})

        report = await plant(database, models, changed, on_progress=meddle)
    assert report.counts == {"people": {Outcome.UPDATED: 1, Outcome.KEPT: 1}}
    assert [(event.done, event.total) for event in events] == [(1, 2), (2, 2)]
    assert orjson.dumps([event.to_dict() for event in events])
    assert (await database["people"].find_one({"name": "Bob"}) or {})["note"] == "mine"


async def test_environments(database: Database, models: Models) -> None:
    seeds = [
        Seed("people", "a", {"name": "Ada"}, frozenset({"development", "demo"})),
        Seed("people", "b", {"name": "Bob"}, frozenset({"production"})),
        Seed("people", "c", {"name": "Cid"}),
    ]
    await plant(database, models, seeds)
    assert sorted(await database["people"].distinct("name")) == ["Ada", "Cid"]


async def test_references_to_seeds_and_to_what_is_stored(database: Database, models: Models) -> None:
    await database["elsewhere"].insert_one({"_id": 5, "key": "k"})
    seeds = [
        Seed("badges", "", {"code": "1", "person": {"$seed": "people", "name": "Bob"}}),
        Seed("badges", "", {"code": "2", "person": {"$seed": "elsewhere", "key": "k"}}),
        *people({"name": "Ada"}, {"name": "Bob", "boss": {"$seed": "people", "name": "Ada"}}),
    ]
    await plant(database, models, seeds)
    ids = {person["name"]: person["_id"] async for person in database["people"].find()}
    assert (await database["people"].find_one({"name": "Bob"}) or {})["boss"] == ids["Ada"]
    assert await database["badges"].distinct("person") == [5, ids["Bob"]]
    assert (await plant(database, models, seeds)).is_unchanged


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (people({"name": 1}), "people.json#/0/name"),
        (people({"name": "Ada"}, {"name": "Bob", "nmae": "x"}), "people.json#/1/nmae: The model has no such field"),
        (people({"name": "Ada", "born": "yesterday"}), "people.json#/0/born"),
        (people({"name": "Ada"}, {"name": "Ada"}), "people.json#/1: Another seed has the same name"),
        (
            people({"name": "Ada", "boss": {"$seed": "people", "name": "Zed"}}),
            'No document of people has {"name":"Zed"}',
        ),
        (people({"name": "Ada", "boss": {"$seed": "people", "born": "x"}}), "The reference cannot be read"),
        (people({"name": "Ada", "boss": {"a.b": 1}}), "must not contain a dot"),
        (people({"name": "Ada", "_id": "x"}), "_id"),
        ([Seed("persons", "", {})], "No model declares persons. Declared are badges, people, tags."),
        ([Seed("tags", "tags.json#/0", {"text": "x"})], "tags.json#/0"),
    ],
)
async def test_nothing_is_planted_when_something_is_wrong(
    database: Database, models: Models, seeds: list[Seed], expected: str
) -> None:
    fine = Seed("badges", "", {"code": "fine"})
    with pytest.raises(SeedError) as caught:
        await plant(database, models, [fine, *seeds])
    assert expected in str(caught.value)
    assert await database.list_collection_names() == []


async def test_an_ambiguous_reference(database: Database, models: Models) -> None:
    await database["people"].insert_many([{"name": "Ada"}, {"name": "Ada"}])
    with pytest.raises(SeedError, match="More than one document"):
        await plant(database, models, people({"name": "Bob", "boss": {"$seed": "people", "name": "Ada"}}))


async def test_another_id_than_the_stored_one(database: Database, models: Models) -> None:
    await database["people"].insert_one({"name": "Ada"})
    with pytest.raises(SeedError, match="has another _id"):
        await plant(database, models, people({"name": "Ada", "_id": str(ObjectId())}))


async def test_a_violated_index(database: Database, models: Models) -> None:
    await database["people"].create_index("born", unique=True)
    seeds = people({"name": "Ada"}, {"name": "Bob"})
    with pytest.raises(SeedError, match=r"people.json#/1: Another document has the same born"):
        await plant(database, models, seeds)
    await database["people"].drop_indexes()
    assert (await plant(database, models, seeds)).counts == {"people": {Outcome.UNCHANGED: 1, Outcome.INSERTED: 1}}


def test_natural_keys() -> None:
    assert natural_key(Product) == ("sku",)
    assert natural_key(Person) == ("name",)
    assert natural_key(Tag) == ("_id",)


async def test_the_shop(mongo_uri: str) -> None:
    connection = Connection(mongo_uri, database=f"seeds_{ObjectId()}", max_pool_size=4)
    classes = shop_models()
    await init_beanie(connection.database, document_models=classes, skip_indexes=True)
    declared = {model.name: model for model in map(DeclaredModel, classes)}
    try:
        report = await plant(connection.database, declared, load_seeds(SHOP.seeds))
        assert report.to_dict()["counts"] == {
            "customers": {"inserted": 12},
            "products": {"inserted": 40},
            "carts": {"inserted": 3},
            "orders": {"inserted": 30},
        }
        assert (await plant(connection.database, declared, load_seeds(SHOP.seeds))).is_unchanged
        mug = await connection.database["products"].find_one({"sku": "MUG-BLUE"})
        assert mug
        assert mug["price"] == Decimal128("14.90")
        customers = await connection.database["customers"].distinct("_id")
        assert set(await connection.database["orders"].distinct("customer_id")) <= set(customers)
        assert await connection.database[STATES].count_documents({}) == 85
    finally:
        await connection.client.drop_database(connection.database.name)
        await connection.close()
