"""Loads while the database fails: back-pressure, and every record once all the same."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from documents.codec.records import Format
from documents.database.embedded import EmbeddedMongo
from documents.errors import UnavailableError
from documents.ingest import writing
from documents.ingest.batches import BATCHES
from documents.ingest.jobs import Job, Load, State
from documents.lifecycle import Store, open_store
from documents.settings import Settings
from tests.documents.ingest.loading import Bytes, ndjson, open_job, report, stored
from tests.faults import ALWAYS, GROUP, FailPoints, ReplyThief, failing_mongo
from tests.shop import SHOP

__all__ = ["failing_mongo"]

pytestmark = [pytest.mark.xdist_group(GROUP), pytest.mark.slow]
RECORDS = [{"_id": number, "text": "x" * 50} for number in range(9000)]


@pytest.fixture(scope="module")
def faults(failing_mongo: EmbeddedMongo) -> Iterator[FailPoints]:
    points = FailPoints(failing_mongo)
    yield points
    points.close()


@pytest.fixture(scope="module")
def thief(failing_mongo: EmbeddedMongo) -> Iterator[ReplyThief]:
    opened = ReplyThief(failing_mongo.uri)
    yield opened
    opened.close()


def settings_for(uri: str) -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it
        mongodb_uri=SecretStr(uri),
        database="ingest_faults",
        project=SHOP.root,
    )


@pytest.fixture
async def failing_store(failing_mongo: EmbeddedMongo) -> AsyncGenerator[Store]:
    async with open_store(settings_for(failing_mongo.uri)) as opened:
        yield opened


async def load_all(store: Store, job: Job) -> list[str]:
    """Load, and return why it stood still."""
    reasons = [progress.pace.waiting_for async for progress in store.ingestion.run(job.id, Bytes(ndjson(RECORDS)))]
    told = await report(store, job)
    assert told.job.state is State.DONE
    assert (told.books.counts.inserted, told.books.counts.quarantined) == (len(RECORDS), 0)
    assert await stored(store, job.load.collection) == RECORDS
    return [reason for reason in reasons if reason]


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("insert", {"times": 3, "closeConnection": True}),
        ("commitTransaction", {"times": 3, "closeConnection": True}),
        (
            "commitTransaction",
            {"times": 3, "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
        ),
        ("find", {"times": 1, "closeConnection": True}),
    ],
)
async def test_a_command_that_fails_a_few_times(
    failing_store: Store, faults: FailPoints, collection: str, command: str, how: dict[str, Any]
) -> None:
    job = await open_job(failing_store, Load(collection, Format.NDJSON))
    with faults.failing(command, **how):
        await load_all(failing_store, job)


async def test_a_database_that_is_away_for_a_while(failing_store: Store, faults: FailPoints, collection: str) -> None:
    job = await open_job(failing_store, Load(collection, Format.NDJSON))
    with faults.failing("commitTransaction", times=ALWAYS, closeConnection=True):
        before = faults.hits()
        loading = asyncio.create_task(load_all(failing_store, job))
        while faults.hits() < before + 6:  # noqa: ASYNC110  # MongoDB tells nobody of it
            await asyncio.sleep(0.05)
    await loading


async def test_it_does_not_wait_for_ever(
    failing_store: Store, faults: FailPoints, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "STEP_SECONDS", 1.0)
    job = await open_job(failing_store, Load(collection, Format.NDJSON))
    running = failing_store.ingestion.run(job.id, Bytes(ndjson(RECORDS)), patience_seconds=1.0)
    with faults.failing("commitTransaction", times=ALWAYS, errorCode=11602), pytest.raises(UnavailableError):
        async for _ in running:
            pass
    assert (await report(failing_store, job)).job.state is State.OPEN
    async for _ in failing_store.ingestion.run(job.id, Bytes(ndjson(RECORDS))):
        pass
    assert await stored(failing_store, collection) == RECORDS
    assert (await report(failing_store, job)).books.counts.inserted == len(RECORDS)


@pytest.mark.parametrize(("command", "name"), [("insert", None), ("insert", BATCHES)])
async def test_an_answer_that_is_lost(thief: ReplyThief, collection: str, command: str, name: str | None) -> None:
    async with open_store(settings_for(thief.uri)) as store:
        job = await open_job(store, Load(collection, Format.NDJSON))
        thief.steal(command, name or collection)
        await load_all(store, job)
    assert thief.stolen
