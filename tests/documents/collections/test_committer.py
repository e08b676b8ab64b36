"""Inserts that wait at the same moment are one command, and each caller has its own outcome."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import bson
import pytest

from documents.collections.committer import LIMITS, Committer
from documents.database.deadline import Deadline
from documents.database.embedded import EmbeddedMongo
from documents.errors import (
    DeadlineExceededError,
    InvalidDocumentError,
    OverloadedError,
    StoreError,
    UnavailableError,
    UniqueViolationError,
)
from tests.documents.collections.conftest import Watched
from tests.faults import ALWAYS, GROUP, FailPoints

NAME = "things"
MIB = 1024 * 1024


@pytest.fixture
async def committer(watched: Watched) -> AsyncIterator[Committer]:
    opened = Committer(watched.connection)
    yield opened
    await opened.close()


async def insert(committer: Committer, document: dict[str, Any], *, name: str = NAME, seconds: float = 30) -> None:
    await committer.insert(name, bson.encode(document), deadline=Deadline(seconds))


async def outcomes(committer: Committer, *documents: dict[str, Any]) -> list[StoreError | None]:
    """Return what each document's caller is told, all of them inserted at the same moment."""
    told = await asyncio.gather(*(insert(committer, each) for each in documents), return_exceptions=True)
    unexpected = [each for each in told if not isinstance(each, StoreError | None)]
    assert not unexpected
    return [each for each in told if isinstance(each, StoreError | None)]


async def stored(watched: Watched, name: str = NAME) -> list[dict[str, Any]]:
    return await watched.connection.collection(name).find().sort("_id").to_list()


async def test_inserts_of_one_moment_are_one_command(watched: Watched, committer: Committer) -> None:
    documents = [{"_id": number, "n": -number} for number in range(64)]
    assert await outcomes(committer, *documents) == [None] * 64
    assert await stored(watched) == documents
    [command] = watched.commands.of("insert")
    assert command["writeConcern"] == {"w": "majority", "j": True}
    assert command["ordered"] is False


async def test_a_stream_of_inserts_is_a_few_commands(watched: Watched, committer: Committer) -> None:
    async def write(caller: int) -> None:
        for number in range(10):
            await insert(committer, {"_id": caller * 10 + number})

    await asyncio.gather(*map(write, range(64)))
    assert len(await stored(watched)) == 640
    assert len(watched.commands.of("insert")) < 640 / 4


async def test_what_is_acknowledged_is_there(watched: Watched, committer: Committer) -> None:
    async def write(number: int) -> None:
        await insert(committer, {"_id": number})
        assert await watched.connection.collection(NAME).find_one({"_id": number})

    await asyncio.gather(*map(write, range(100)))


async def test_only_those_fail_that_others_were_before(watched: Watched, committer: Committer) -> None:
    await watched.connection.collection(NAME).create_index("sku", unique=True)
    await insert(committer, {"_id": 0, "sku": "taken"})
    told = await outcomes(
        committer,
        {"_id": 1, "sku": "a"},
        {"_id": 0, "sku": "b"},
        {"_id": 2, "sku": "taken"},
        {"_id": 3, "sku": "c"},
        {"_id": 3, "sku": "d"},
    )
    assert [each is None for each in told] == [True, False, False, True, False]
    assert [each.fields for each in told if isinstance(each, UniqueViolationError)] == [("_id",), ("sku",), ("_id",)]
    assert [each["_id"] for each in await stored(watched)] == [0, 1, 3]


async def test_only_those_fail_that_the_validator_refuses(watched: Watched, committer: Committer) -> None:
    await watched.connection.database.create_collection(NAME, validator={"n": {"$gte": 0}})
    told = await outcomes(committer, {"_id": 1, "n": 1}, {"_id": 2, "n": -1}, {"_id": 3, "n": 3})
    assert [each and type(each) for each in told] == [None, InvalidDocumentError, None]
    assert [each["_id"] for each in await stored(watched)] == [1, 3]


async def test_an_error_stays_in_its_collection(watched: Watched, committer: Committer) -> None:
    await watched.connection.database.create_collection(NAME, validator={"n": 1})
    bad, good = await asyncio.gather(
        insert(committer, {"_id": 1}), insert(committer, {"_id": 1}, name="others"), return_exceptions=True
    )
    assert isinstance(bad, InvalidDocumentError)
    assert good is None
    assert await stored(watched, "others") == [{"_id": 1}]


async def test_a_command_has_a_limit_of_documents(watched: Watched, committer: Committer) -> None:
    count = LIMITS.items * 2 + 1
    assert await outcomes(committer, *({"_id": number} for number in range(count))) == [None] * count
    assert [len(command["documents"]) for command in watched.commands.of("insert")] == [LIMITS.items, LIMITS.items, 1]


async def test_a_command_has_a_limit_of_bytes(watched: Watched, committer: Committer) -> None:
    documents = [{"_id": number, "text": "x" * 3 * MIB} for number in range(5)]
    assert await outcomes(committer, *documents, {"_id": 5, "text": "x" * 12 * MIB}) == [None] * 6
    assert [len(command["documents"]) for command in watched.commands.of("insert")] == [2, 2, 1, 1]


async def test_a_caller_that_leaves_takes_nothing_from_the_others(watched: Watched, committer: Committer) -> None:
    staying, going = (asyncio.ensure_future(insert(committer, {"_id": number})) for number in (1, 2))
    await asyncio.sleep(0)
    going.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await going
    assert {"_id": 1} in await stored(watched)


@pytest.mark.xdist_group(GROUP)
class TestFaults:
    @pytest.fixture
    def faults(self, failing_mongo: EmbeddedMongo) -> Iterator[FailPoints]:
        opened = FailPoints(failing_mongo)
        yield opened
        opened.close()

    @pytest.fixture
    async def committer(self, failing: Watched) -> AsyncIterator[Committer]:
        opened = Committer(failing.connection)
        yield opened
        await opened.close()

    async def test_a_connection_that_breaks_costs_nobody_an_answer(
        self, failing: Watched, committer: Committer, faults: FailPoints
    ) -> None:
        with faults.failing("insert", closeConnection=True):
            assert await outcomes(committer, *({"_id": number} for number in range(10))) == [None] * 10
        assert len(await stored(failing)) == 10

    async def test_a_write_that_is_not_confirmed_is_unknown_but_one_that_was_refused_is_refused(
        self, committer: Committer, faults: FailPoints
    ) -> None:
        await insert(committer, {"_id": 0})
        unconfirmed = {"code": 100, "codeName": "UnsatisfiableWriteConcern", "errmsg": "not enough nodes"}
        with faults.failing("insert", writeConcernError=unconfirmed):
            told = await outcomes(committer, {"_id": 1}, {"_id": 0}, {"_id": 2})
        assert isinstance(told[1], UniqueViolationError)
        assert [isinstance(each, UnavailableError) and each.outcome for each in (told[0], told[2])] == ["unknown"] * 2

    async def test_one_callers_haste_costs_the_others_nothing(
        self, failing: Watched, committer: Committer, faults: FailPoints
    ) -> None:
        with faults.failing("insert", blockConnection=True, blockTimeMS=500):
            hasty, patient = await asyncio.gather(
                insert(committer, {"_id": 1}, seconds=0.1), insert(committer, {"_id": 2}), return_exceptions=True
            )
        assert isinstance(hasty, DeadlineExceededError)
        assert hasty.outcome == "unknown"
        assert patient is None
        assert await stored(failing) == [{"_id": 1}, {"_id": 2}], "unknown, and in this case applied"

    async def test_who_never_left_knows_that_nothing_was_applied(
        self, failing: Watched, committer: Committer, faults: FailPoints
    ) -> None:
        with faults.failing("insert", times=LIMITS.in_flight, blockConnection=True, blockTimeMS=500):
            before = faults.hits()
            away = [asyncio.ensure_future(insert(committer, {"_id": 1}))]
            while faults.hits() < before + LIMITS.in_flight:  # until every slot is taken
                away.append(asyncio.ensure_future(insert(committer, {"_id": 1 + len(away)})))
                await asyncio.sleep(0.01)
            with pytest.raises(DeadlineExceededError) as late:
                await insert(committer, {"_id": "late"}, seconds=0.05)
            assert late.value.outcome == "not-applied"
            await asyncio.gather(*away)
        assert "late" not in [each["_id"] for each in await stored(failing)]

    async def test_beyond_what_may_wait_callers_are_refused_at_once(
        self, failing: Watched, committer: Committer, faults: FailPoints
    ) -> None:
        text = "x" * 15 * MIB
        with faults.failing("insert", times=LIMITS.in_flight, blockConnection=True, blockTimeMS=1000):
            waiting = [asyncio.ensure_future(insert(committer, {"_id": number, "text": text})) for number in range(12)]
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            told = [each.exception() for each in done]
            assert told
            assert all(isinstance(each, OverloadedError) and each.outcome == "not-applied" for each in told)
            rest = [each for each in await asyncio.gather(*waiting, return_exceptions=True) if each is None]
        assert len(await stored(failing)) == len(rest) == 12 - len(told)

    async def test_a_database_that_stays_away_leaves_everybody_in_the_dark(
        self, committer: Committer, faults: FailPoints
    ) -> None:
        with faults.failing("insert", times=ALWAYS, closeConnection=True):
            told = await asyncio.gather(
                *(insert(committer, {"_id": number}, seconds=1) for number in range(5)), return_exceptions=True
            )
        assert [isinstance(each, UnavailableError) and each.outcome for each in told] == ["unknown"] * 5
