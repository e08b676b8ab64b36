"""A walk meets every document once, whatever its id, and a profile that was stopped goes on."""

from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument

from documents.codec.plain import CODEC_OPTIONS
from documents.collections import profile_checkpoints
from documents.collections.profile_checkpoints import PARTS, PROFILES, Checkpoint, ProfileCheckpoints
from documents.collections.profile_walk import profile_all
from documents.collections.profiling import sample_into
from documents.collections.walk import walk
from documents.lifecycle import Store
from documents.profile.accumulator import Profile
from documents.profile.storage import to_dict

IDS: list[Any] = [
    *(MinKey(), None, -1, 0.5, 1, Int64(2**40), float("nan"), Decimal128("7"), "", "a", "é", {"a": 1}, {}),
    *(Binary(b"x", 5), b"", ObjectId(), True, False, Timestamp(1, 1), MaxKey()),
]
ALWAYS = timedelta(0)


async def filled(store: Store, collection: str) -> list[Any]:
    await store.connection.collection(collection).insert_many([{"_id": each, "n": n} for n, each in enumerate(IDS)])
    return [found["n"] async for found in store.connection.collection(collection).find().sort("_id")]


async def walked(store: Store, collection: str, **options: Any) -> tuple[list[int], list[RawBSONDocument | None]]:
    numbers: list[int] = []
    places: list[RawBSONDocument | None] = []
    async for stride in walk(store.connection, collection, **options):
        numbers += [document.decode()["n"] for document in stride.documents]
        if stride.passed:
            places.append(stride.place)
    return numbers, places


@pytest.mark.parametrize("page", [1, 2, 3, 7, 19, 20, 21, 1000])
async def test_every_document_once_in_the_order_of_ids(store: Store, collection: str, page: int) -> None:
    expected = await filled(store, collection)
    numbers, places = await walked(store, collection, page=page)
    assert numbers == expected
    for done, place in enumerate(places[:-1], start=1):
        rest, _ = await walked(store, collection, page=page, place=place)
        assert rest == expected[done * page :]


async def test_a_filter(store: Store, collection: str) -> None:
    expected = await filled(store, collection)
    numbers, _ = await walked(store, collection, page=3, where={"n": {"$gte": 15}})
    assert numbers == [number for number in expected if number >= 15]


async def test_nothing(store: Store, collection: str) -> None:
    assert await walked(store, collection) == ([], [])


async def test_documents_larger_than_a_reply_together(store: Store, collection: str) -> None:
    large = [{"_id": number, "n": number, "x": "x" * 9_000_000} for number in range(3)]
    for document in large:
        await store.connection.collection(collection).insert_one(document)
    assert (await walked(store, collection, page=2))[0] == [0, 1, 2]


async def whole(store: Store, collection: str) -> Profile:
    profile = Profile()
    profile.add_all([found async for found in store.connection.collection(collection).find().sort("_id")])
    return profile


async def kept(store: Store, collection: str) -> tuple[int, int]:
    records = store.connection.collection(PROFILES)
    parts = store.connection.collection(PARTS)
    mine = {"_id": {"$regex": f"^{collection}:"}}
    return await records.count_documents(mine), await parts.count_documents(mine)


async def test_a_profile_that_was_stopped_goes_on(store: Store, collection: str) -> None:
    await filled(store, collection)
    async with aclosing(profile_all(store.connection, collection, page=3, checkpoint_every=ALWAYS)) as steps:
        async for step in steps:
            if step.done == 9:
                break
    assert await kept(store, collection) == (1, 1)
    steps = [step async for step in profile_all(store.connection, collection, page=4, checkpoint_every=ALWAYS)]
    assert (steps[0].done, steps[0].resumed, steps[-1].done, steps[-1].is_done) == (9, 9, len(IDS), True)
    assert to_dict(steps[-1].profile) == to_dict(await whole(store, collection))
    assert await kept(store, collection) == (0, 0)


async def test_one_that_asks_for_something_else_begins_anew(store: Store, collection: str) -> None:
    await filled(store, collection)
    async with aclosing(profile_all(store.connection, collection, page=3, checkpoint_every=ALWAYS)) as steps:
        async for step in steps:
            if step.done == 9:
                break
    others: list[dict[str, Any]] = [{"redact": True}, {"where": {"n": {"$gt": 1}}}, {"fresh": True}]
    for options in others:
        first = await anext(aiter(profile_all(store.connection, collection, **options)))
        assert (first.done, first.resumed) == (0, 0)
    await store.connection.collection(collection).drop()
    await filled(store, collection)
    assert (await anext(aiter(profile_all(store.connection, collection)))).done == 0


async def test_a_large_profile_is_kept_in_parts(store: Store, collection: str) -> None:
    profile = Profile()
    profile.add_all({"n": number, "text": f"text {number}"} for number in range(500))
    place = RawBSONDocument(
        b"\x0e\0\0\0\x10_id\0\x05\0\0\0\0", CODEC_OPTIONS.with_options(document_class=RawBSONDocument)
    )
    checkpoints = ProfileCheckpoints(store.connection, f"{collection}:x", part_bytes=100)
    await checkpoints.write(Checkpoint(profile, place, 5), collection)
    records, parts = await kept(store, collection)
    assert (records, parts > 3) == (1, True)
    await checkpoints.write(Checkpoint(profile, place, 6), collection)
    assert await kept(store, collection) == (1, parts), "the parts before them are gone"
    again = ProfileCheckpoints(store.connection, f"{collection}:x")
    found = await again.read()
    assert found is not None
    assert (to_dict(found.profile), found.place.raw, found.done) == (to_dict(profile), place.raw, 6)
    await store.connection.collection(PARTS).delete_one({"profile": f"{collection}:x"})
    assert await again.read() is None
    await again.forget()
    assert await kept(store, collection) == (0, 0)


@pytest.mark.parametrize(("size", "documents"), [(1, 1), (50, 50), (299, 299), (300, 300), (1000, 300)])
async def test_samples(store: Store, collection: str, size: int, documents: int) -> None:
    stored = store.connection.collection(collection)
    await stored.insert_many([{"n": number, "half": number % 2} for number in range(300)])
    profile = Profile()
    assert await sample_into(profile, store.connection, collection, {}, size=size) == 300
    assert profile.documents == documents
    chosen = Profile()
    assert await sample_into(chosen, store.connection, collection, {"half": 1}, size=size) == 150
    assert chosen.documents == min(documents, 150)
    assert set(chosen.root.fields) == {"_id", "n", "half"}


def test_the_parts_are_smaller_than_documents_may_be() -> None:
    assert profile_checkpoints.PART_BYTES < 16 * 1024 * 1024
