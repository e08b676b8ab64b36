"""What stops a load: wrong words about its source, and too much that must be put aside."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.errors import (
    InvalidParameterError,
    NothingFitsError,
    QuarantineFullError,
    SourceMisreadError,
    StoreError,
    TooManyBadError,
)
from documents.ingest import gates, reading
from documents.ingest.batches import Counts
from documents.ingest.gates import are_too_many
from documents.ingest.jobs import Job, Load, Mode, State
from documents.ingest.limit import Limit
from documents.lifecycle import Store, open_store
from documents.settings import Settings
from tests.documents.ingest.loading import load, ndjson, open_job, report, run, stored

GOOD = [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]
BAD = b"{\n"


async def fails(store: Store, wanted: Load, data: bytes) -> tuple[Job, StoreError]:
    job = await open_job(store, wanted)
    with pytest.raises(StoreError) as caught:
        await run(store, job, data)
    told = (await report(store, job)).job
    assert (told.state, told.error) == (State.FAILED, {"code": caught.value.code, "detail": caught.value.detail})
    return job, caught.value


async def is_untouched(store: Store, collection: str) -> bool:
    database = store.connection.database
    aside = await store.ingestion.stores.quarantine.counts(collection)
    return collection not in await database.list_collection_names() and not aside


@pytest.mark.parametrize(
    ("form", "data", "mode", "on", "options", "names"),
    [
        (Format.NDJSON, ndjson(GOOD), Mode.UPSERT, ("skus",), {}, ["Did you mean sku?", "sku, n"]),
        (Format.NDJSON, ndjson(GOOD), Mode.MERGE, ("_id",), {}, ["sku, n"]),
        (Format.NDJSON, ndjson([{"a": {"b": 1}}]), Mode.DELETE, ("a.c",), {}, ["Did you mean a.b?"]),
        (Format.NDJSON, ndjson([{"a": {"b": 1}}]), Mode.UPSERT, ("a",), {}, ["a.b"]),
        (Format.CSV, b"sku,n\na,1\n", Mode.INSERT, ("_id",), {"types": {"m": "int"}}, ["m"]),
        (Format.CSV, b"sku,n\na,1\n", Mode.INSERT, ("_id",), {"header": ["sku"]}, ["2 cells"]),
        (Format.CSV, b"sku,\na,1\n", Mode.INSERT, ("_id",), {}, ["''"]),
        (Format.JSON, b'{"rows": [{"a": 1}]}', Mode.INSERT, ("_id",), {"items": "row"}, ["row"]),
    ],
)
async def test_wrong_words_stop_a_load_before_it_writes(  # noqa: PLR0917  # columns of the table
    store: Store,
    collection: str,
    form: Format,
    data: bytes,
    mode: Mode,
    on: tuple[str, ...],
    options: Mapping[str, Any],
    names: list[str],
) -> None:
    wanted = Load(collection, form, mode, on, ReadOptions(**options))
    _, error = await fails(store, wanted, data)
    assert isinstance(error, SourceMisreadError)
    assert all(name in error.detail for name in names), error.detail
    assert await is_untouched(store, collection)


async def test_the_next_load_finds_no_index_of_a_mistake(store: Store, collection: str) -> None:
    await fails(store, Load(collection, Format.NDJSON, Mode.UPSERT, ("skus",)), ndjson(GOOD))
    told = await load(store, collection, ndjson(GOOD), Mode.UPSERT, on=("sku",))
    assert told.job.notes == ("The empty collection got a unique index over sku.",)
    assert set(await store.connection.collection(collection).index_information()) == {"_id_", "sku_1"}


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (Format.NDJSON, ReadOptions(items="a")),
        (Format.NDJSON, ReadOptions(infer=True)),
        (Format.BSON, ReadOptions(types={"a": "int"})),
        (Format.JSON, ReadOptions(nested=True)),
        (Format.CSV, ReadOptions(items="a")),
    ],
)
async def test_an_option_without_effect_is_refused(
    store: Store, collection: str, form: Format, options: ReadOptions
) -> None:
    with pytest.raises(InvalidParameterError, match=f"and this is {form}"):
        await open_job(store, Load(collection, form, options=options))


async def test_a_file_in_which_nothing_is_a_record_writes_nothing(store: Store, collection: str) -> None:
    _, error = await fails(store, Load(collection, Format.NDJSON), gzip.compress(BAD * 2_000_000))
    assert isinstance(error, NothingFitsError)
    assert await is_untouched(store, collection)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 5)
    monkeypatch.setattr(gates, "JUDGED", 50)


@pytest.mark.usefixtures("small")
class TestLimits:
    @pytest.mark.parametrize("limit", ["10", "20%"])
    async def test_too_many_bad_ones_stop_a_load_that_goes_on_with_another_limit(
        self, store: Store, collection: str, limit: str
    ) -> None:
        data = (ndjson([{"a": 1}]) + BAD) * 100
        wanted = Load(collection, Format.NDJSON, key="k")
        job, error = await fails(store, replace(wanted, max_bad=limit), data)
        assert isinstance(error, TooManyBadError)
        assert len(await stored(store, collection)) < 60
        again = await open_job(store, replace(wanted, max_bad="60%"))
        assert again.id == job.id
        await run(store, again, data)
        counts = (await report(store, job)).books.counts
        assert (counts.inserted, counts.quarantined) == (100, 100)

    async def test_a_share_is_judged_at_the_end(self, store: Store, collection: str) -> None:
        _, error = await fails(store, Load(collection, Format.NDJSON, max_bad="40%"), ndjson(GOOD) + BAD * 3)
        assert "3 of 5" in error.detail
        assert len(await stored(store, collection)) == 2

    @pytest.mark.parametrize(
        ("name", "most"), [("load", "records"), ("load", "bytes"), ("collection", "records"), ("collection", "bytes")]
    )
    async def test_the_quarantine_has_a_budget(
        self, settings: Settings, store: Store, collection: str, name: str, most: str
    ) -> None:
        await load(store, collection, BAD * 4)
        narrow = settings.model_copy(update={f"quarantine_{name}_{most}": 20})
        async with open_store(narrow) as opened:
            job, error = await fails(opened, Load(collection, Format.NDJSON, key="k"), ndjson(GOOD) + BAD * 1000)
        assert isinstance(error, QuarantineFullError)
        assert f"SHEAF_QUARANTINE_{name.upper()}_RECORDS" in error.detail
        aside = sum(count for *_, count in await store.ingestion.stores.quarantine.counts(collection))
        assert 20 < aside < 60
        counts = (await report(store, job)).books.counts
        assert counts.received == counts.written + counts.quarantined


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "101%", "%", "1 %"])
def test_a_limit_is_a_number_or_a_share(text: str) -> None:
    with pytest.raises(InvalidParameterError):
        Limit.parse("max_bad", text)


@pytest.mark.parametrize(
    ("text", "received", "bad", "is_end", "is_exceeded"),
    [
        ("0", 10, 0, False, False),
        ("0", 10, 1, False, True),
        ("100%", 10, 10, True, False),
        ("1%", 99, 1, True, True),
        ("1%", 100, 1, True, False),
        ("1%", 99, 9, False, False),
        ("1%", 20_000, 201, False, True),
        ("0.5%", 1000, 6, True, True),
    ],
)
def test_limits(text: str, received: int, bad: int, is_end: bool, is_exceeded: bool) -> None:  # noqa: FBT001  # a column of the table
    counts = Counts(received=received, quarantined=bad)
    assert are_too_many(Limit.parse("max_bad", text), counts, is_end=is_end) is is_exceeded
