"""Jobs that change hands: whoever had one before writes nothing more."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack, aclosing

import pytest
from pymongo.asynchronous.client_session import AsyncClientSession

from documents.codec.records import Format
from documents.database.deadline import Deadline, Running
from documents.errors import JobConflictError, JobLostError, UniqueViolationError
from documents.ingest.batches import Outcome, Span
from documents.ingest.claim import Claim, hold_job
from documents.ingest.jobs import Job, Load, Origin
from documents.lifecycle import Store
from tests.documents.ingest.loading import SECONDS, Bytes, ndjson, open_job, report, run, stored

RECORDS = [{"_id": number} for number in range(7000)]


async def expire(store: Store, job: Job) -> None:
    moved = [{"$set": {"expires": {"$subtract": ["$$NOW", 1]}}}]
    await store.ingestion.stores.jobs.records.update_one({"_id": job.id}, moved)


async def hold(stack: AsyncExitStack, store: Store, job: Job) -> Claim:
    return await stack.enter_async_context(hold_job(store.connection, store.ingestion.stores.jobs, job.id))


async def write(store: Store, held: Claim, collection: str, document_id: int) -> None:
    """Write a document and a batch, as a load does."""
    outcome = Outcome(Span(document_id, document_id + 1))

    async def work(session: AsyncClientSession) -> None:
        await store.connection.collection(collection).insert_one({"_id": document_id}, session=session)
        try:
            await store.ingestion.stores.batches.write(
                held.job.id, collection, outcome, slot=0, number=held.number(0), session=session
            )
        except UniqueViolationError:
            held.lose()

    with Running(Deadline(SECONDS), writes=True):
        await held.transact(0, work)
    held.committed(0)


async def test_one_at_a_time(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON))
    async with AsyncExitStack() as stack:
        await hold(stack, store, job)
        with pytest.raises(JobConflictError):
            await hold(stack, store, job)
    async with AsyncExitStack() as stack:
        await hold(stack, store, job)  # it was given back


async def test_who_comes_back_too_late_writes_nothing_more(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON))
    await store.connection.database.create_collection(collection)
    async with AsyncExitStack() as stack:
        first = await hold(stack, store, job)
        await write(store, first, collection, 1)
        await expire(store, job)
        second = await hold(stack, store, job)
        with pytest.raises(JobLostError):
            await write(store, first, collection, 2)
        await write(store, second, collection, 3)
        with pytest.raises(JobLostError):
            await write(store, first, collection, 4)
    assert await stored(store, collection) == [{"_id": 1}, {"_id": 3}]


async def test_a_transaction_left_open_does_not_hold_the_next_one_up(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON))
    await store.connection.database.create_collection(collection)
    is_open, may_end = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        first = await hold(stack, store, job)

        async def dawdle(session: AsyncClientSession) -> None:
            await store.connection.collection(collection).insert_one({"_id": 1}, session=session)
            outcome = Outcome(Span(0, 1))
            await store.ingestion.stores.batches.write(
                job.id, collection, outcome, slot=0, number=first.number(0), session=session
            )
            is_open.set()
            await may_end.wait()

        slow = asyncio.create_task(first.transact(0, dawdle))
        await is_open.wait()
        await expire(store, job)
        async with asyncio.timeout(SECONDS / 2):  # and not the minute after which MongoDB ends it by itself
            second = await hold(stack, store, job)
        await write(store, second, collection, 1)
        may_end.set()
        outcome = (await asyncio.gather(slow, return_exceptions=True))[0]
        assert isinstance(outcome, Exception)
    assert await stored(store, collection) == [{"_id": 1}]


async def test_a_load_that_is_left_goes_on_elsewhere(store: Store, collection: str) -> None:
    """It is left after the first batch, taken over, and the first runner wakes in the middle of that."""
    job = await open_job(store, Load(collection, Format.NDJSON))
    data = ndjson(RECORDS)
    async with aclosing(store.ingestion.run(job.id, Bytes(data))) as first:
        await anext(first)
        await anext(first)
        await expire(store, job)
        await run(store, job, data)
        with pytest.raises(JobLostError):
            async for _ in first:
                pass
    assert await stored(store, collection) == RECORDS
    counts = (await report(store, job)).books.counts
    assert (counts.received, counts.inserted) == (len(RECORDS), len(RECORDS))


def a_dead_number() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


async def test_a_dead_process_is_not_waited_for(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON, origin=Origin.UPLOAD))
    jobs = store.ingestion.stores.jobs
    await jobs.complete_upload(job.id, size_bytes=0, digest="")
    async with AsyncExitStack() as stack:
        await hold(stack, store, job)
        assert job.id not in {each.id for each in await jobs.waiting()}
        await jobs.records.update_one({"_id": job.id}, {"$set": {"holder.pid": a_dead_number()}})
        assert job.id in {each.id for each in await jobs.waiting()}
        await hold(stack, store, job)


async def test_of_a_process_elsewhere_nobody_says_that_it_is_dead(store: Store, collection: str) -> None:
    """As of one in another container, which may have the same name of a host, and the same kernel."""
    job = await open_job(store, Load(collection, Format.NDJSON))
    async with AsyncExitStack() as stack:
        await hold(stack, store, job)
        elsewhere = {"holder.pid": a_dead_number(), "holder.space": "of another container"}
        await store.ingestion.stores.jobs.records.update_one({"_id": job.id}, {"$set": elsewhere})
        with pytest.raises(JobConflictError):
            await hold(stack, store, job)
