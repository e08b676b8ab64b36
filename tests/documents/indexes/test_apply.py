"""Plans carried out on a real MongoDB: every kind of index, and every option that can change."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from bson import ObjectId
from pymongo import AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from documents.errors import DuplicateValuesError, IndexConflictError, InvalidIndexError, StoreError
from documents.indexes.actual import read_indexes
from documents.indexes.apply import IndexEvent, State, apply_plan
from documents.indexes.changes import Action, IndexPlan, Permission, Permissions
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import declared_indexes, parse_declared
from tests.shop import shop_models

Database = AsyncDatabase[dict[str, Any]]
Collection = AsyncCollection[dict[str, Any]]

QUICK = timedelta(milliseconds=20)
ALL_ALLOWED = ["a_1", "a_1_2", "a_text", "a_2d", "$**_1", "a_1_b_1"]
PERMITTED = Permissions(rebuild=ALL_ALLOWED, shorten_ttl=ALL_ALLOWED)


@pytest_asyncio.fixture(scope="module")
async def database(mongo_uri: str) -> AsyncIterator[Database]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_uri)
    name = f"indexes_{ObjectId()}"
    yield client[name]
    await client.drop_database(name)
    await client.close()


@pytest.fixture
def collection(database: Database) -> Collection:
    return database[f"c{ObjectId()}"]


async def plan(collection: Collection, *models: IndexModel, permissions: Permissions = PERMITTED) -> IndexPlan:
    return await compare_indexes(collection, parse_declared(models), permissions=permissions)


async def apply(collection: Collection, *models: IndexModel, permissions: Permissions = PERMITTED) -> list[IndexEvent]:
    planned = await plan(collection, *models, permissions=permissions)
    return [event async for event in apply_plan(collection, planned, poll=QUICK)]


KINDS: dict[str, IndexModel] = {
    "ascending": IndexModel([("a", 1)]),
    "descending": IndexModel([("a", -1)]),
    "compound": IndexModel([("a", 1), ("b.c", -1), ("_id", 1)]),
    "unique": IndexModel([("a", 1)], unique=True),
    "sparse": IndexModel([("a", 1)], sparse=True),
    "unique sparse": IndexModel([("a", 1)], unique=True, sparse=True),
    "hidden": IndexModel([("a", 1)], hidden=True),
    "ttl": IndexModel([("a", 1)], expireAfterSeconds=0),
    "partial": IndexModel([("a", 1)], partialFilterExpression={"b": {"$gt": 1, "$lt": 5}, "c": "x"}),
    "unique partial": IndexModel([("a", 1)], unique=True, partialFilterExpression={"b": {"$exists": True}}),
    "collation": IndexModel([("a", 1)], collation={"locale": "en", "strength": 2}),
    "canadian collation": IndexModel([("a", 1)], collation={"locale": "fr_CA"}),
    "simple collation": IndexModel([("a", 1)], collation={"locale": "simple"}),
    "hashed": IndexModel([("a", "hashed")]),
    "compound hashed": IndexModel([("a", 1), ("b", "hashed")]),
    "text": IndexModel([("b", "text"), ("a", "text")]),
    "text with everything": IndexModel(
        [("t", 1), ("b", "text"), ("a", "text"), ("z", -1)],
        weights={"a": 10, "c": 5},
        default_language="german",
        language_override="idioma",
        partialFilterExpression={"x": 1},
    ),
    "text of all": IndexModel([("$**", "text")]),
    "text without language": IndexModel([("a", "text")], default_language="none"),
    "2dsphere": IndexModel([("a", "2dsphere")]),
    "compound 2dsphere": IndexModel([("b", 1), ("a", "2dsphere")]),
    "2d": IndexModel([("a", "2d")]),
    "2d with bounds": IndexModel([("a", "2d")], bits=20, min=-10, max=10.5),
    "wildcard": IndexModel([("$**", 1)]),
    "wildcard below": IndexModel([("a.$**", 1)]),
    "wildcard projection": IndexModel([("$**", 1)], wildcardProjection={"a": 1, "b.c": 1}),
    "wildcard exclusion": IndexModel([("$**", 1)], wildcardProjection={"a": 0}),
    "storage engine": IndexModel([("a", 1)], storageEngine={"wiredTiger": {"configString": "prefix_compression=true"}}),
    "named": IndexModel([("a", 1)], name="my own"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_declared_applied_and_planned_again(collection: Collection, kind: str) -> None:
    events = await apply(collection, KINDS[kind])
    assert [(event.action, event.state) for event in events if event.state is not State.PROGRESS] == [
        (Action.CREATE, State.STARTED),
        (Action.CREATE, State.DONE),
    ]
    again = await plan(collection, KINDS[kind])
    assert again.is_empty, again.to_dict()
    assert [str(change.action) for change in again.changes] == ["keep"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "simple collation"])
async def test_the_same_on_a_collection_with_a_collation(database: Database, kind: str) -> None:
    collection = await database.create_collection(f"c{ObjectId()}", collation={"locale": "fr", "strength": 1})
    await apply(collection, KINDS[kind])
    assert (await plan(collection, KINDS[kind])).is_empty


A = [("a", 1)]
CHANGES: dict[str, tuple[IndexModel, IndexModel, list[str]]] = {
    "longer ttl": (IndexModel(A, expireAfterSeconds=5), IndexModel(A, expireAfterSeconds=50), ["modify"]),
    "shorter ttl": (IndexModel(A, expireAfterSeconds=50), IndexModel(A, expireAfterSeconds=5), ["modify"]),
    "new ttl": (IndexModel(A), IndexModel(A, expireAfterSeconds=5), ["modify"]),
    "no ttl": (IndexModel(A, expireAfterSeconds=5), IndexModel(A), ["rebuild"]),
    "hidden": (IndexModel(A), IndexModel(A, hidden=True), ["modify"]),
    "not hidden": (IndexModel(A, hidden=True), IndexModel(A), ["modify"]),
    "unique": (IndexModel(A), IndexModel(A, unique=True), ["modify"]),
    "unique, ttl and hidden": (
        IndexModel(A),
        IndexModel(A, unique=True, hidden=True, expireAfterSeconds=5),
        ["modify"],
    ),
    "not unique": (IndexModel(A, unique=True), IndexModel(A), ["rebuild"]),
    "sparse": (IndexModel(A), IndexModel(A, sparse=True), ["rebuild"]),
    "not sparse": (IndexModel(A, sparse=True), IndexModel(A), ["rebuild"]),
    "sparse and hidden": (IndexModel(A), IndexModel(A, sparse=True, hidden=True), ["rebuild"]),
    "collation": (IndexModel(A), IndexModel(A, collation={"locale": "en"}), ["create", "extra"]),
    "collation strength": (
        IndexModel(A, collation={"locale": "en"}),
        IndexModel(A, collation={"locale": "en", "strength": 1}),
        ["create", "extra"],
    ),
    "partial": (IndexModel(A), IndexModel(A, partialFilterExpression={"b": 1}), ["create", "extra"]),
    "other partial": (
        IndexModel(A, partialFilterExpression={"b": 1}),
        IndexModel(A, partialFilterExpression={"b": 2}),
        ["create", "extra"],
    ),
    "direction": (IndexModel(A), IndexModel([("a", -1)], name="a_1"), ["create", "extra"]),
    "order": (IndexModel([("a", 1), ("b", 1)]), IndexModel([("b", 1), ("a", 1)]), ["create", "extra"]),
    "name": (IndexModel(A), IndexModel(A, name="other"), ["keep"]),
    "weights": (IndexModel([("a", "text")]), IndexModel([("a", "text")], weights={"a": 3}), ["rebuild"]),
    "text fields": (
        IndexModel([("a", "text")]),
        IndexModel([("a", "text"), ("b", "text")], name="a_text"),
        ["rebuild"],
    ),
    "text prefix": (IndexModel([("a", "text")]), IndexModel([("t", 1), ("a", "text")]), ["rebuild"]),
    "language": (IndexModel([("a", "text")]), IndexModel([("a", "text")], default_language="none"), ["rebuild"]),
    "language field": (IndexModel([("a", "text")]), IndexModel([("a", "text")], language_override="l"), ["rebuild"]),
    "2d bits": (IndexModel([("a", "2d")]), IndexModel([("a", "2d")], bits=20), ["rebuild"]),
    "projection": (
        IndexModel([("$**", 1)]),
        IndexModel([("$**", 1)], wildcardProjection={"a": 1}),
        ["create", "extra"],
    ),
    "storage engine": (
        IndexModel(A),
        IndexModel(A, storageEngine={"wiredTiger": {"configString": "prefix_compression=true"}}),
        ["rebuild"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_option(collection: Collection, change: str) -> None:
    before, after, actions = CHANGES[change]
    await collection.insert_one({"a": 1.0 if "2d" not in change else [1, 1]})
    await apply(collection, before)
    planned = await plan(collection, after)
    assert [str(change.action) for change in planned.changes] == actions
    events = await apply(collection, after)
    assert not [event for event in events if event.state is State.BLOCKED]
    again = await plan(collection, after)
    assert again.is_empty, again.to_dict()


async def test_what_beanie_loses_is_all_there(collection: Collection) -> None:
    models = [
        IndexModel([("tenant", 1), ("created", -1)]),
        IndexModel([("created", -1), ("tenant", 1)]),
        IndexModel([("email", 1)], unique=True),
        IndexModel([("email", "text")]),
    ]
    await apply(collection, *models)
    names = {"tenant_1_created_-1", "created_-1_tenant_1", "email_1", "email_text"}
    assert set(await collection.index_information()) == {"_id_", *names}
    assert (await plan(collection, *models)).is_empty


async def test_the_sample_shop(database: Database) -> None:
    for model in shop_models():
        collection = database[f"shop_{model.__name__}"]
        for is_empty in (False, True):
            planned = await compare_indexes(collection, declared_indexes(model))
            assert planned.is_empty is is_empty
            assert [event async for event in apply_plan(collection, planned)] or is_empty


async def test_one_command_builds_them_all(collection: Collection) -> None:
    events = await apply(collection, IndexModel(A), IndexModel([("b", 1)]), IndexModel([("c", 1)], unique=True))
    assert {event.names for event in events} == {("a_1", "b_1", "c_1")}


async def test_blocked_changes_are_reported_and_left_alone(collection: Collection) -> None:
    await apply(collection, IndexModel(A, sparse=True), IndexModel([("b", 1)], expireAfterSeconds=9))
    wanted = [IndexModel(A), IndexModel([("b", 1)], expireAfterSeconds=5), IndexModel([("c", 1)])]
    events = await apply(collection, *wanted, permissions=Permissions())
    assert [(event.names, event.state) for event in events if event.state is not State.PROGRESS] == [
        (("a_1",), State.BLOCKED),
        (("b_1",), State.BLOCKED),
        (("c_1",), State.STARTED),
        (("c_1",), State.DONE),
    ]
    assert orjson.loads(orjson.dumps([event.to_dict() for event in events]))[0]["state"] == "blocked"
    information = await collection.index_information()
    assert information["a_1"]["sparse"]
    assert information["b_1"]["expireAfterSeconds"] == 9


async def test_drop(collection: Collection) -> None:
    await apply(collection, IndexModel(A), IndexModel([("b", 1)]))
    events = await apply(collection, IndexModel(A), permissions=Permissions(drop=["b_1"]))
    assert [(event.action, event.names) for event in events] == [(Action.DROP, ("b_1",))] * 2
    assert set(await collection.index_information()) == {"_id_", "a_1"}


async def test_hide_and_unhide(collection: Collection) -> None:
    await apply(collection, IndexModel([("b", 1)]))
    for permissions, hidden in ((Permissions(hide=["b_1"]), True), (Permissions(unhide=["b_1"]), False)):
        await apply(collection, permissions=permissions)
        assert (await collection.index_information())["b_1"].get("hidden", False) is hidden


async def test_a_missing_collection_has_no_indexes(collection: Collection) -> None:
    assert await read_indexes(collection) == []
    assert (await plan(collection)).is_empty


async def test_a_view_has_none(database: Database, collection: Collection) -> None:
    await database.command("create", collection.name, viewOn="other", pipeline=[])
    with pytest.raises(InvalidIndexError, match="is a view"):
        await plan(collection, IndexModel(A))


DUPLICATES: dict[str, tuple[IndexModel, list[dict[str, Any]], list[Any]]] = {
    "values": (IndexModel(A, unique=True), [{"a": 1}, {"a": 1}, {"a": 2}], [{"a": 1}]),
    "null and missing": (IndexModel(A, unique=True), [{"a": None}, {}], [{"a": None}]),
    "pairs": (
        IndexModel([("a", 1), ("b.c", -1)], unique=True),
        [{"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2}}, {"a": 1}],
        [{"a": 1, "b.c": 2}],
    ),
    "elements": (IndexModel(A, unique=True), [{"a": [1, 2]}, {"a": [2, 3, 3]}, {"a": 3}], [{"a": 2}, {"a": 3}]),
    "below arrays": (IndexModel([("a.b", 1)], unique=True), [{"a": [{"b": 1}]}, {"a": {"b": 1}}], [{"a.b": 1}]),
    "collation": (
        IndexModel(A, unique=True, collation={"locale": "en", "strength": 2}),
        [{"a": 1}, {"a": "x"}, {"a": "X"}, {"a": 1}],
        [{"a": 1}, {"a": "x"}],
    ),
    "partial": (
        IndexModel(A, unique=True, partialFilterExpression={"live": True}),
        [{"a": 1}, {"a": 1}, {"a": 2, "live": True}, {"a": 2, "live": True}],
        [{"a": 2}],
    ),
    "sparse": (IndexModel(A, unique=True, sparse=True), [{}, {}, {"a": None}, {"a": None}], [{"a": None}]),
}
FINE: dict[str, tuple[IndexModel, list[dict[str, Any]]]] = {
    "one array": (IndexModel(A, unique=True), [{"a": [1, 1]}, {"a": 2}, {"a": []}, {}]),
    "sparse": (IndexModel(A, unique=True, sparse=True), [{}, {}, {"a": None}]),
    "partial": (IndexModel(A, unique=True, partialFilterExpression={"live": True}), [{"a": 1}, {"a": 1}]),
    "case": (IndexModel(A, unique=True), [{"a": "X"}, {"a": "x"}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}]),
}


@pytest.mark.parametrize("case", DUPLICATES)
async def test_duplicates_are_listed_before_anything_is_done(collection: Collection, case: str) -> None:
    model, documents, keys = DUPLICATES[case]
    await collection.insert_many(documents)
    with pytest.raises(DuplicateValuesError) as caught:
        await apply(collection, IndexModel([("other", 1)]), model)
    (groups,) = caught.value.groups.values()
    found = [{field: str(value).lower() for field, value in group["key"].items()} for group in groups]
    assert sorted(found, key=str) == [{field: str(value).lower() for field, value in key.items()} for key in keys]
    assert all(group["count"] == len(group["ids"]) == 2 for group in groups)
    assert set(await collection.index_information()) == {"_id_"}
    with pytest.raises(Exception, match="E11000"):
        await collection.create_indexes([model])


@pytest.mark.parametrize("case", FINE)
async def test_what_is_no_duplicate(collection: Collection, case: str) -> None:
    model, documents = FINE[case]
    await collection.insert_many(documents)
    assert await apply(collection, model)


async def test_the_list_of_duplicates_is_bounded(collection: Collection) -> None:
    await collection.insert_many([{"a": number % 20} for number in range(200)])
    with pytest.raises(DuplicateValuesError) as caught:
        await apply(collection, IndexModel(A, unique=True))
    groups = caught.value.groups["a_1"]
    assert len(groups) == 10
    assert {(group["count"], len(group["ids"])) for group in groups} == {(10, 5)}


async def test_duplicates_that_only_the_build_finds(collection: Collection) -> None:
    await collection.insert_many([{"a": []}, {"a": []}])
    with pytest.raises(DuplicateValuesError, match="unique indexes: a"):
        await apply(collection, IndexModel(A, unique=True))


async def test_a_failed_conversion_is_undone(collection: Collection) -> None:
    await collection.insert_many([{"a": []}, {"a": []}])
    await apply(collection, IndexModel(A))
    with pytest.raises(DuplicateValuesError):
        await apply(collection, IndexModel(A, unique=True))
    assert "prepareUnique" not in (await collection.index_information())["a_1"]


async def test_an_interrupted_conversion_is_finished_or_undone(database: Database, collection: Collection) -> None:
    await apply(collection, IndexModel(A))
    for model in (IndexModel(A), IndexModel(A, unique=True)):
        await database.command("collMod", collection.name, index={"name": "a_1", "prepareUnique": True})
        assert await apply(collection, model)
        assert (await plan(collection, model)).is_empty


@pytest.mark.parametrize(
    "model",
    [
        IndexModel([("a", "nonsense")]),
        IndexModel(A, bogus=1),
        IndexModel(A, collation={"locale": "qq"}),
        IndexModel(A, expireAfterSeconds=-1),
        IndexModel(A, partialFilterExpression={"b": {"$ne": 1}}),
    ],
)
async def test_what_mongodb_refuses(collection: Collection, model: IndexModel) -> None:
    with pytest.raises(InvalidIndexError, match="MongoDB does not accept the index"):
        await apply(collection, model)


@pytest.mark.parametrize(
    "theirs", [IndexModel(A, expireAfterSeconds=1), IndexModel([("b", 1)], name="a_1"), IndexModel(A, name="x")]
)
async def test_a_plan_that_time_has_overtaken(collection: Collection, theirs: IndexModel) -> None:
    planned = await plan(collection, IndexModel(A))
    await collection.create_indexes([theirs])
    with pytest.raises(IndexConflictError, match="plan again"):
        [event async for event in apply_plan(collection, planned)]


async def test_dropping_what_is_gone(collection: Collection) -> None:
    await apply(collection, IndexModel(A))
    planned = await plan(collection, permissions=Permissions(drop=["a_1"]))
    await collection.drop_indexes()
    with pytest.raises(IndexConflictError, match="gone"):
        [event async for event in apply_plan(collection, planned)]


async def test_an_unreachable_server() -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        "mongodb://%2Fnowhere%2Fmongod.sock", serverSelectionTimeoutMS=50
    )
    with pytest.raises(StoreError):
        await read_indexes(client["x"]["y"])
    await client.close()


async def test_a_ttl_index_that_would_delete_at_once_is_held_back(collection: Collection) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    kept: list[dict[str, Any]] = [
        {"at": past + timedelta(hours=2)},
        {"at": "text"},
        {"at": None},
        {},
        {"at": past, "kind": "other"},
    ]
    await collection.insert_many([{"at": past, "kind": "cart"}, {"at": [past], "kind": "cart"}, *kept])
    only = {"partialFilterExpression": {"kind": "cart"}}
    wanted = parse_declared([IndexModel([("at", 1)], expireAfterSeconds=60, **only)])
    [change] = (await compare_indexes(collection, wanted)).changes
    assert (change.is_pending, change.needs) == (False, (Permission.SHORTEN_TTL,))
    assert "2 documents would be deleted at once" in (change.blocked or "")
    [change] = (await compare_indexes(collection, wanted, permissions=Permissions(shorten_ttl={"at_1"}))).changes
    assert change.is_pending
    assert "deletes 2 documents at once" in (change.note or "")
    later = parse_declared([IndexModel([("at", 1)], expireAfterSeconds=86_400, **only)])
    assert (await compare_indexes(collection, later)).changes[0].is_pending, "nobody's time is over yet"
