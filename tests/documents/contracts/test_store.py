"""Contracts in the database: versions, what is at hand, learning and counting."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import AutoReconnect

from documents.contracts import store as stores
from documents.contracts.contract import Contract, parse_contract
from documents.contracts.counts import MAX_PATHS, OTHERS, DiscardCounts, Discarded
from documents.contracts.mirror import apply_mirror, mirror_of
from documents.contracts.store import ContractStore, ContractVersion
from documents.contracts.verdict import Lesson
from documents.errors import PreconditionFailedError
from tests.documents.collections.conftest import Watched, watching

Json = dict[str, Any]
OPEN = parse_contract({"schema": {}, "fields": "evolve", "types": "evolve"})
FROZEN = parse_contract({"schema": {"properties": {"a": {}}}})


@pytest.fixture(scope="module")
async def watched(mongo_uri: str) -> AsyncGenerator[Watched]:
    async with watching(mongo_uri) as opened:
        yield opened


@pytest.fixture
def contracts(watched: Watched) -> ContractStore:
    return ContractStore(watched.connection)


@pytest.fixture
def name() -> str:
    return f"c{uuid4().hex}"


def anything(_: ContractVersion | None) -> None:
    """Allow a change whatever there was before."""


async def put(contracts: ContractStore, name: str, contract: Contract | None) -> ContractVersion:
    written, _ = await contracts.write(name, contract, by="test", check=anything)
    return written


def field(name: str, *types: str) -> Lesson:
    return Lesson("field", (), name, types or ("long",))


async def test_versions_are_written_once(contracts: ContractStore, name: str) -> None:
    assert await contracts.read(name) is None
    for contract in (OPEN, FROZEN, None, OPEN):
        await put(contracts, name, contract)
    kept = [await contracts.read(name, version) for version in range(1, 6)]
    assert [each.cause if each else None for each in kept] == ["set", "set", "removed", "set", None]
    assert kept[1] is not None
    assert kept[1].contract is not None
    assert kept[1].contract.to_dict() == FROZEN.to_dict()
    assert (kept[1].contract.version, kept[1].by, kept[1].etag) == (2, "test", '"2"')


async def test_a_name_that_begins_like_another_is_another(contracts: ContractStore, name: str) -> None:
    await put(contracts, f"{name}-more", OPEN)
    assert await contracts.read(name) is None
    assert await contracts.read(f"{name}-mor") is None


async def test_the_check_sees_the_newest(contracts: ContractStore, watched: Watched, name: str) -> None:
    await put(contracts, name, OPEN)
    other = ContractStore(watched.connection)

    def only_the_first(current: ContractVersion | None) -> None:
        if current is None or current.version != 1:
            raise PreconditionFailedError(None if current is None else current.etag)

    writes = [each.write(name, FROZEN, by="test", check=only_the_first) for each in (contracts, other, contracts)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, PreconditionFailedError) for result in results) == 2
    assert await contracts.read(name, 3) is None


async def test_what_is_at_hand_is_asked_for_once_a_second(
    contracts: ContractStore, watched: Watched, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(stores, "monotonic", lambda: now)
    other = ContractStore(watched.connection)
    await put(contracts, name, OPEN)
    first = await other.current(name)
    assert first is not None
    await put(contracts, name, FROZEN)
    before = len(watched.commands.of("find"))
    now += stores.FRESH_SECONDS / 2
    assert await other.current(name) is first
    assert len(watched.commands.of("find")) == before
    now += stores.FRESH_SECONDS
    answers = await asyncio.gather(*(other.current(name) for _ in range(20)))
    assert len(watched.commands.of("find")) == before + 1, "one asks, and the others go on"
    assert [None if each is None else each.version for each in answers] == [2, *[1] * 19]


async def test_an_unchanged_contract_stays_compiled(contracts: ContractStore, watched: Watched, name: str) -> None:
    await put(contracts, name, OPEN)
    other = ContractStore(watched.connection)
    first = await other.current(name)
    await other.read(name)
    assert await other.current(name) is first


async def test_learners_lose_nothing(contracts: ContractStore, watched: Watched, name: str) -> None:
    await put(contracts, name, OPEN)
    other = ContractStore(watched.connection)
    lessons = [(each, field(f"f{number}")) for number in range(20) for each in (contracts, other)]
    await asyncio.gather(*(each.learn(name, [lesson]) for each, lesson in lessons))
    newest = await contracts.read(name)
    assert newest is not None
    assert newest.contract is not None
    assert set(newest.contract.schema["properties"]) == {f"f{number}" for number in range(20)}
    assert newest.contract.learned_fields == 20
    assert newest.version < 10, "those who come together are learned for together"


async def test_learning_heeds_what_was_set_in_between(contracts: ContractStore, watched: Watched, name: str) -> None:
    await put(contracts, name, OPEN)
    other = ContractStore(watched.connection)
    await put(other, name, FROZEN)
    learned = await contracts.learn(name, [field("x")])
    assert learned is not None
    assert (learned.version, dict(learned.schema)) == (2, dict(FROZEN.schema))
    await put(other, name, None)
    assert await contracts.learn(name, [field("x")]) is None
    assert await contracts.current(name) is None


async def test_the_second_type_of_a_field_is_for_its_document_to_learn(contracts: ContractStore, name: str) -> None:
    await put(contracts, name, OPEN)
    first, second = await asyncio.gather(
        contracts.learn(name, [field("x", "long")]), contracts.learn(name, [field("x", "string")])
    )
    assert first is not None
    assert second is not None
    assert first.schema["properties"]["x"] == second.schema["properties"]["x"]


class TestCounts:
    async def test_counts_each_path(self, watched: Watched, name: str) -> None:
        counts = DiscardCounts(watched.connection)
        before = len(watched.commands.sent)
        adding = [counts.add([Discarded(name, ("/a", "/list/7/x", "/list/12"))]) for _ in range(10)]
        await asyncio.gather(*adding)
        assert len(watched.commands.sent) - before < 10, "those who wait are counted together"
        assert await counts.of(name) == {"/a": 10, "/list/*/x": 10, "/list/*": 10}

    async def test_names_so_many(self, watched: Watched, name: str) -> None:
        counts = DiscardCounts(watched.connection)
        pointers = tuple(f"/f{letter}{number}" for number in range(MAX_PATHS) for letter in "ab")
        await counts.add([Discarded(name, pointers)])
        found = await counts.of(name)
        assert len(found) == MAX_PATHS + 1
        assert (found[OTHERS], sum(found.values())) == (MAX_PATHS, 2 * MAX_PATHS)

    async def test_what_cannot_be_counted_is_counted_later(
        self, watched: Watched, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        counts = DiscardCounts(watched.connection)

        async def lost(_: Any) -> None:
            raise AutoReconnect("gone")

        with monkeypatch.context() as patch:
            patch.setattr(counts, "_write", lost)
            await counts.add([Discarded(name, ("/a",))])
        assert "1 discarded fields are not counted yet" in caplog.text
        assert await counts.of(name) == {"/a": 1}


async def test_mongodb_takes_every_mirror(watched: Watched, name: str) -> None:
    every: Json = {
        "bsonType": ["string", "uuid", "symbol", "minKey", "number"],
        "minLength": 1,
        "exclusiveMinimum": 1.5,
    }
    inner: Json = {
        "properties": {"x": {"type": "object", "minProperties": 1}},
        "required": ["x"],
        "additionalProperties": False,
    }
    schema: Json = {
        "properties": {"a": every, "b": {"items": inner, "maxItems": 3}, "c": {"type": "string", "bsonType": "bool"}},
        "required": ["a"],
        "patternProperties": {"^x": {}},
    }
    contract = parse_contract({"schema": schema, "mirror": True})
    assert mirror_of(contract)["properties"]["c"] == {"not": {}}
    for _ in range(2):  # makes the collection, and changes it
        await apply_mirror(watched.connection, name, contract)
    collection = watched.connection.collection(name)
    assert await collection.count_documents({"$jsonSchema": mirror_of(contract)}) == 0
    await apply_mirror(watched.connection, name, None)
    await collection.insert_one({"anything": "goes"})
