"""Loads, as the tests of ingestion ask for them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from documents.access.policy import FULL
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.database.deadline import Deadline
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Job, Load, Mode
from documents.ingest.meter import Progress
from documents.ingest.quarantine import EVERYTHING, Chosen
from documents.ingest.requests import ChangeQuarantine, UndoJob
from documents.lifecycle import Store

SECONDS = 30.0


class Bytes:
    """A source in memory, which gives a few bytes at a time."""

    def __init__(self, data: bytes, *, step: int = 1 << 16) -> None:
        self._data = data
        self._step = step
        self.read_bytes = 0
        self.total_bytes: int | None = len(data)

    async def chunks(self) -> AsyncGenerator[bytes]:
        for start in range(0, len(self._data), self._step):
            chunk = self._data[start : start + self._step]
            self.read_bytes += len(chunk)
            yield chunk


def ndjson(documents: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(document) + b"\n" for document in documents)


async def open_job(store: Store, load: Load) -> Job:
    plan = await store.ingestion.load(load, FULL)
    job, _ = await plan.run(Deadline(SECONDS))
    return job


async def run(store: Store, job: Job, data: bytes, *, step: int = 1 << 16) -> Progress:
    last: Progress | None = None
    async with aclosing(store.ingestion.run(job.id, Bytes(data, step=step))) as progresses:
        async for progress in progresses:
            last = progress
    assert last is not None
    return last


async def report(store: Store, job: Job) -> JobReport:
    return await (await store.ingestion.job(job.id, FULL)).run(Deadline(SECONDS))


async def load(
    store: Store,
    collection: str,
    data: bytes,
    mode: Mode = Mode.INSERT,
    *,
    on: tuple[str, ...] = ("_id",),
    form: Format = Format.NDJSON,
    options: ReadOptions | None = None,
    key: str | None = None,
) -> JobReport:
    """Load some data, and return what became of it."""
    wanted = Load(collection, form, mode, on, options or ReadOptions(), key=key)
    job = await open_job(store, wanted)
    await run(store, job, data)
    told = await report(store, job)
    counts = told.books.counts
    assert counts.received == counts.written + counts.duplicates + counts.quarantined
    assert counts.received == counts.valid + counts.quarantined
    return told


async def undo(store: Store, job: Job, *, force: bool = False) -> JobReport:
    await (await store.ingestion.undo(UndoJob(job.id, force), FULL)).run(Deadline(SECONDS))
    async with aclosing(store.ingestion.take_back(job.id)) as undones:
        async for _ in undones:
            pass
    return await report(store, job)


async def replay(store: Store, collection: str, chosen: Chosen = EVERYTHING) -> JobReport:
    plan = await store.ingestion.replay(ChangeQuarantine(collection, chosen, is_all=True), FULL)
    job = await plan.run(Deadline(SECONDS))
    async with aclosing(store.ingestion.run(job.id)) as progresses:
        async for _ in progresses:
            pass
    return await report(store, job)


async def stored(store: Store, collection: str) -> list[dict[str, Any]]:
    return await store.connection.collection(collection).find(sort={"_id": 1}).to_list()


def without_ids(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in document.items() if key != "_id"} for document in documents]
