"""Loads that break off anywhere and are run again: every record is there once, whatever the records are like."""

from collections.abc import Sequence
from contextlib import aclosing
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.access.policy import FULL
from documents.codec.records import Format
from documents.database.deadline import Deadline
from documents.ingest import reading
from documents.ingest.batches import Span
from documents.ingest.jobs import Load, State
from documents.ingest.reading import Done
from documents.ingest.requests import FindQuarantined
from documents.lifecycle import Store
from tests.documents.ingest.loading import SECONDS, Bytes, open_job, report, stored

BAD = st.sampled_from([b"{", b"[1]", b'{"a": NaN}', b'{"$a": 1}', b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 2000, b"nul"])
GOOD = st.integers(0, 30).map(lambda number: orjson.dumps({"_id": number, "text": "x" * number}))
LINES = st.lists(st.one_of(GOOD, BAD, st.just(b"")), max_size=40)


async def go_on(store: Store, job_id: str, data: bytes, *, step: int, batches: int | None) -> None:
    """Run a load, until so many batches are committed, or to its end."""
    async with aclosing(store.ingestion.run(job_id, Bytes(data, step=step))) as progresses:
        seen = 0
        async for _ in progresses:
            seen += 1
            if seen == batches:
                return


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, step=st.integers(1, 200), breaks=st.lists(st.integers(1, 4), max_size=4))
async def test_every_record_once(store: Store, lines: Sequence[bytes], step: int, breaks: Sequence[int]) -> None:
    collection = f"c{uuid4().hex}"
    data = b"\n".join(lines)
    job = await open_job(store, Load(collection, Format.NDJSON))
    for batches in breaks:
        told = await report(store, job)
        if told.job.state is State.OPEN:
            await go_on(store, job.id, data, step=step, batches=batches)
    if (await report(store, job)).job.state is State.OPEN:
        await go_on(store, job.id, data, step=step, batches=None)

    told = await report(store, job)
    counts = told.books.counts
    records = [line for line in lines if line]
    good = [line for line in records if line.startswith(b'{"_id"')]
    assert told.job.state is State.DONE
    assert counts.received == len(records) == counts.written + counts.duplicates + counts.quarantined
    assert counts.inserted == len(set(good))
    assert counts.duplicates == len(good) - len(set(good))
    found = [orjson.dumps(document) for document in await stored(store, collection)]
    assert sorted(found) == sorted(set(good))
    plan = await store.ingestion.quarantined(FindQuarantined(collection, limit=100), FULL)
    kept = [(each.line, each.raw) for each in await plan.run(Deadline(SECONDS))]
    assert kept == [(line, text) for line, text in enumerate(lines, 1) if text and text not in good]


def test_what_is_committed_is_passed_over() -> None:
    done = Done([Span(0, 10), Span(10, 20), Span(30, 40), Span(50, 60, is_last=True)])
    assert (done.up_to, done.is_all) == (20, False)
    assert [done.find(place) is not None for place in (20, 29, 30, 39, 40, 49, 50, 60, 70)] == [
        False, False, True, True, False, False, True, True, True,
    ]  # fmt: skip
    assert not Done([]).is_all
    assert Done([Span(0, 10), Span(10, 10, is_last=True)]).is_all
    assert not Done([Span(10, 20, is_last=True)]).is_all
