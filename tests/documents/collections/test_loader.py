"""Gets that wait at the same moment are one find, and nobody can tell."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from bson import Int64, ObjectId

from documents.codec.stored import StoredDocument
from documents.collections.loader import LIMITS, Loader
from documents.database.deadline import Deadline
from documents.database.embedded import EmbeddedMongo
from documents.errors import DeadlineExceededError, QueryRefusedError
from tests.documents.collections.conftest import Watched
from tests.faults import ALWAYS, GROUP, FailPoints

NAME = "things"


@pytest.fixture
async def loader(watched: Watched) -> AsyncIterator[Loader]:
    opened = Loader(watched.connection)
    yield opened
    await opened.close()


async def load(
    loader: Loader, document_id: object, *, name: str = NAME, policy: str = "full", seconds: float = 10
) -> dict[str, Any] | None:
    found = await loader.load(name, document_id, policy=policy, deadline=Deadline(seconds))
    return None if found is None else found.decode()


async def store(watched: Watched, *documents: dict[str, Any], name: str = NAME) -> None:
    await watched.connection.collection(name).insert_many(documents)
    watched.commands.sent.clear()


async def test_gets_of_one_moment_are_one_find(watched: Watched, loader: Loader) -> None:
    await store(watched, *({"_id": number} for number in range(64)))
    found = await asyncio.gather(*(load(loader, number) for number in range(64)))
    assert found == [{"_id": number} for number in range(64)]
    assert len(watched.commands.of("find")) == 1


async def test_a_stream_of_gets_is_a_few_finds(watched: Watched, loader: Loader) -> None:
    await store(watched, *({"_id": number} for number in range(64)))

    async def ask(number: int) -> None:
        for _ in range(10):
            assert await load(loader, number) == {"_id": number}

    await asyncio.gather(*map(ask, range(64)))
    assert len(watched.commands.of("find")) < 640 / 4


async def test_who_asks_for_the_same_gets_the_same(watched: Watched, loader: Loader) -> None:
    await store(watched, {"_id": "a", "n": 1})
    found = await asyncio.gather(*(load(loader, "a") for _ in range(10)))
    assert found == [{"_id": "a", "n": 1}] * 10
    assert [command["filter"] for command in watched.commands.of("find")] == [{"_id": {"$eq": "a"}}]


async def test_what_is_not_there_is_none_and_the_rest_is_found(watched: Watched, loader: Loader) -> None:
    await store(watched, {"_id": "a"}, {"_id": "c"})
    assert await asyncio.gather(*(load(loader, each) for each in "abcd")) == [{"_id": "a"}, None, {"_id": "c"}, None]


IDS: list[Any] = [
    ObjectId("65a1f0c2d4b5e6f708192a3b"),
    "65a1f0c2d4b5e6f708192a3b",
    1,
    "1",
    Int64(2**40),
    True,
    None,
    2.5,
    UUID(int=7),
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    "",
]


async def test_each_id_finds_its_own_document(watched: Watched, loader: Loader) -> None:
    await store(watched, *({"_id": each, "n": number} for number, each in enumerate(IDS)))
    found = await asyncio.gather(*(load(loader, each) for each in IDS))
    assert [document and document["n"] for document in found] == list(range(len(IDS)))


async def test_a_write_that_was_acknowledged_is_seen(watched: Watched, loader: Loader) -> None:
    """However many read the same document at that moment, and whatever they were told."""
    await store(watched, {"_id": "a", "n": 0})
    collection = watched.connection.collection(NAME)
    done = asyncio.Event()

    async def keep_reading() -> None:
        while not done.is_set():
            await load(loader, "a")

    readers = [asyncio.ensure_future(keep_reading()) for _ in range(20)]
    for number in range(1, 101):
        await collection.update_one({"_id": "a"}, {"$set": {"n": number}})
        assert await load(loader, "a") == {"_id": "a", "n": number}
    done.set()
    await asyncio.gather(*readers)


async def test_policies_and_collections_never_share_a_find(watched: Watched, loader: Loader) -> None:
    await store(watched, {"_id": "a", "n": 1})
    await store(watched, {"_id": "a", "n": 2}, name="others")
    found = await asyncio.gather(
        *(load(loader, "a", policy=policy, name=name) for policy in ("full", "poor") for name in (NAME, "others"))
    )
    assert [document and document["n"] for document in found] == [1, 2, 1, 2]
    assert sorted(command["find"] for command in watched.commands.of("find")) == ["others"] * 2 + [NAME] * 2


async def test_a_find_has_a_limit(watched: Watched, loader: Loader) -> None:
    count = LIMITS.items * 3
    await store(watched, *({"_id": number} for number in range(count)))
    found = await asyncio.gather(*(load(loader, number) for number in range(count)))
    assert found == [{"_id": number} for number in range(count)]
    finds = watched.commands.of("find")
    assert [len(command["filter"]["_id"]["$in"]) for command in finds] == [LIMITS.items] * 3


async def test_large_documents_do_not_all_travel_at_once(watched: Watched, loader: Loader) -> None:
    await store(watched, *({"_id": number, "text": "x" * 1024 * 1024} for number in range(30)))
    await load(loader, 0)  # what documents of this collection weigh is known from the ones before
    watched.commands.sent.clear()
    found = await asyncio.gather(*(load(loader, number) for number in range(30)))
    assert [document and document["_id"] for document in found] == list(range(30))
    assert max(len(command["filter"]["_id"]["$in"]) for command in watched.commands.of("find")) <= 16


async def test_a_caller_that_leaves_takes_nothing_from_the_others(watched: Watched, loader: Loader) -> None:
    await store(watched, {"_id": "a"}, {"_id": "b"})
    staying, going = (asyncio.ensure_future(load(loader, each)) for each in "ab")
    await asyncio.sleep(0)
    going.cancel()
    assert await staying == {"_id": "a"}
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_etags_are_those_of_the_stored_bytes(watched: Watched, loader: Loader) -> None:
    await store(watched, {"_id": 1, "b": 1, "a": [1.0, {"c": None}]})
    found = await loader.load(NAME, 1, policy="full", deadline=Deadline(10))
    raw = await watched.connection.raw_collection(NAME).find_one({"_id": 1})
    assert found is not None
    assert raw is not None
    assert (found.raw, found.etag) == (bytes(raw.raw), StoredDocument(bytes(raw.raw)).etag)


@pytest.mark.xdist_group(GROUP)
class TestFaults:
    @pytest.fixture
    def faults(self, failing_mongo: EmbeddedMongo) -> Iterator[FailPoints]:
        opened = FailPoints(failing_mongo)
        yield opened
        opened.close()

    @pytest.fixture
    async def loader(self, failing: Watched) -> AsyncIterator[Loader]:
        opened = Loader(failing.connection)
        yield opened
        await opened.close()

    async def test_one_callers_haste_costs_the_others_nothing(
        self, failing: Watched, loader: Loader, faults: FailPoints
    ) -> None:
        await store(failing, {"_id": "a"}, {"_id": "b"})
        with faults.failing("find", blockConnection=True, blockTimeMS=500):
            hasty, patient = await asyncio.gather(
                load(loader, "a", seconds=0.1), load(loader, "b"), return_exceptions=True
            )
        assert isinstance(hasty, DeadlineExceededError)
        assert hasty.outcome is None
        assert patient == {"_id": "b"}

    async def test_an_error_reaches_those_whom_it_concerns(
        self, failing: Watched, loader: Loader, faults: FailPoints
    ) -> None:
        await store(failing, {"_id": "a"}, {"_id": "b"})
        await store(failing, {"_id": "a"}, name="others")
        namespace = f"{failing.connection.database.name}.{NAME}"
        with faults.failing("find", times=ALWAYS, namespace=namespace, errorCode=2):
            outcomes = await asyncio.gather(
                load(loader, "a"), load(loader, "b"), load(loader, "a", name="others"), return_exceptions=True
            )
        assert [type(outcome) for outcome in outcomes] == [QueryRefusedError, QueryRefusedError, dict]
        assert await load(loader, "a") == {"_id": "a"}
