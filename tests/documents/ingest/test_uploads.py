"""Uploads: they go on where they broke off, and are one thing in the end."""

import asyncio
from contextlib import aclosing
from hashlib import blake2b

import pytest

from documents.access.policy import FULL
from documents.codec.records import Format
from documents.database.deadline import Deadline, Running
from documents.errors import DocumentTooLargeError, JobConflictError, UploadConflictError
from documents.ingest.jobs import Doing, Job, Load, Mode, Origin, State
from documents.ingest.quarantine import PAGE_BYTES, Chosen
from documents.ingest.requests import ContinueUpload, FindQuarantined
from documents.ingest.uploads import CHUNK_BYTES
from documents.lifecycle import Store
from tests.documents.ingest.loading import SECONDS, load, ndjson, open_job, report

BODY = ndjson([{"n": number, "text": "x" * 500} for number in range(5000)])


async def open_upload(store: Store, collection: str, key: str | None = None) -> Job:
    return await open_job(store, Load(collection, Format.NDJSON, origin=Origin.UPLOAD, key=key))


async def work(store: Store, job: Job) -> None:
    async with aclosing(store.ingestion.run(job.id)) as progresses:
        async for _ in progresses:
            pass


async def send(store: Store, job: Job, data: bytes, offset: int, *, is_all: bool = False) -> None:
    plan = await store.ingestion.upload(ContinueUpload(job.id, offset), FULL)
    receiver = await plan.run(Deadline(SECONDS))
    for start in range(0, len(data), CHUNK_BYTES // 4):
        await receiver.take(data[start : start + CHUNK_BYTES // 4])
    await (receiver.complete() if is_all else receiver.flush())


async def test_what_comes_in_parts_has_the_hash_of_the_whole(store: Store, collection: str) -> None:
    job = await open_upload(store, collection)
    await send(store, job, BODY[:1000], 0)
    await send(store, job, BODY[1000:2_000_000], 1000)
    with pytest.raises(UploadConflictError) as conflict:
        await send(store, job, BODY[1000:], 1000)
    assert conflict.value.offset == 2_000_000
    await send(store, job, BODY[2_000_000:], 2_000_000, is_all=True)
    await work(store, job)
    told = await report(store, job)
    assert (told.job.state, told.books.counts.inserted) == (State.DONE, 5000)
    assert told.job.upload is not None
    assert told.job.upload.digest == blake2b(BODY, digest_size=16).hexdigest()
    with pytest.raises(JobConflictError):
        await send(store, job, b"", len(BODY))


async def test_a_load_that_waits_for_more_can_be_cancelled(store: Store, collection: str) -> None:
    job = await open_upload(store, collection)
    await send(store, job, BODY[:CHUNK_BYTES], 0)
    working = asyncio.create_task(work(store, job))
    while not (told := await report(store, job)).job.holder:
        pass  # asks again
    assert told.state == "receiving"
    await (await store.ingestion.cancel(job.id, FULL)).run(Deadline(SECONDS))
    await asyncio.wait_for(working, SECONDS)
    assert (await report(store, job)).job.state is State.CANCELLED


async def test_what_is_refused_is_forgotten_and_its_key_free(store: Store, collection: str) -> None:
    job = await open_upload(store, collection, "k")
    await send(store, job, BODY[:CHUNK_BYTES], 0)
    with Running(Deadline(SECONDS), writes=True):
        await store.ingestion.refuse(job.id, DocumentTooLargeError("Too much."))
        assert await store.ingestion.stores.uploads.offset(job.id) == (0, 0)
    told = await report(store, job)
    assert told.job.error == {"code": "document-too-large", "detail": "Too much."}
    again = await open_upload(store, collection, "k")
    assert again.id != job.id


async def test_open_jobs_are_found_by_what_is_being_done(store: Store, collection: str) -> None:
    receiving, waiting = await open_upload(store, collection), await open_upload(store, collection)
    await send(store, waiting, b"", 0, is_all=True)
    jobs = store.ingestion.stores.jobs
    for doing, ids in ((Doing.RECEIVING, [receiving.id]), (Doing.WAITING, [waiting.id]), (Doing.RUNNING, [])):
        assert [job.id for job in await jobs.find(collection=collection, state=doing)] == ids
    assert len(await jobs.find(collection=collection, state=State.OPEN)) == 2


async def test_large_records_of_the_quarantine_are_not_held_all_at_once(store: Store, collection: str) -> None:
    line = b'{"a": "' + b"x" * (7 * 1024 * 1024)
    told = await load(store, collection, b"\n".join([line] * 5), Mode.INSERT)
    assert told.books.counts.quarantined == 5
    quarantine = store.ingestion.stores.quarantine
    assert len(await quarantine.find(collection, Chosen())) == PAGE_BYTES // len(line) + 1
    heads = await quarantine.find(collection, Chosen(), head_bytes=10)
    assert [each.raw for each in heads] == [line[:10]] * 5
    plan = await store.ingestion.quarantined_all(FindQuarantined(collection), FULL)
    async with aclosing(plan.run(seconds=SECONDS)) as records:
        assert [each.raw == line async for each in records] == [True] * 5
    assert await quarantine.discard(collection, Chosen(), limit=3) == 3
    assert await quarantine.count(collection, Chosen()) == 2
