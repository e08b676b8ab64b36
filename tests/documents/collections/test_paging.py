"""Pages by every way that leads to them, against MongoDB's own order."""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from bson import Code, Decimal128, Int64, Regex
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from documents.codec.plain import CODEC_OPTIONS
from documents.collections.paging import PageRead, PageReader, Question, Source
from documents.collections.read import ROW
from documents.errors import InvalidParameterError
from documents.query.paging.cursor import Cursor, open_cursor, seal
from documents.query.paging.index_order import gives_order
from documents.query.paging.sort import Sort, parse_sort
from documents.query.paging.sort_values import sort_values
from documents.types import Document
from tests.documents.query.filters import DATABASE
from tests.documents.query.paging.test_keyset import MIXED_IDS, SCALARS

pytestmark = pytest.mark.slow

OPTIONS: Final[CodecOptions[Document]] = CODEC_OPTIONS
EQUALS: Final[list[Any]] = [1, 1.0, Int64(1), Decimal128("1"), Decimal128("1.0"), -0.0, 0, 0.0]
ODD: Final[list[Any]] = [
    Regex("a"),
    Regex("a", "i"),
    Regex("b"),
    Code("x"),
    Code("y"),
    Code("x", {}),
    Code("x", {"n": 1}),
]
PATHS: Final = ["a", "b", "c", "a.x", "b.y", "_id"]


def _value(chance: random.Random, depth: int, *, arrays: bool) -> Any:
    kind = chance.random()
    if arrays and kind < 0.2 and depth < 2:
        return [_value(chance, depth + 1, arrays=arrays) for _ in range(chance.randrange(3))]
    if kind < 0.3 and depth < 2:
        return {name: _value(chance, depth + 1, arrays=arrays) for name in chance.sample("xy", chance.randrange(3))}
    return chance.choice(chance.choice([EQUALS, EQUALS, SCALARS, ODD]))


def _documents(chance: random.Random, *, arrays: bool) -> list[Document]:
    ids: list[Any] = chance.choice([list(range(60)), MIXED_IDS])
    chance.shuffle(ids := [*ids])
    return [
        {"_id": key, "c": chance.randrange(2)}
        | {name: _value(chance, 0, arrays=arrays) for name in "ab" if chance.random() < 0.85}
        for key in ids
    ]


def _sort(chance: random.Random) -> Sort | None:
    try:
        return parse_sort([chance.choice(["", "-"]) + path for path in chance.sample(PATHS, chance.randrange(1, 4))])
    except InvalidParameterError:
        return None


def source_of(stored: Collection[Document]) -> Source:
    raw = stored.with_options(codec_options=OPTIONS)

    async def find(asked: Question) -> tuple[bytes, bool]:
        if asked.by_row:
            sort = {**dict(asked.order.to_mongo()), ROW: asked.order.keys[-1][1]}
            steps: list[Document] = [{"$match": asked.where or {}}, {"$set": {ROW: "$$ROOT"}}, {"$sort": sort}]
            steps += [{"$skip": asked.skip}] if asked.skip else []
            rows = raw.aggregate_raw_batches([*steps, {"$limit": asked.size}, {"$unset": ROW}])
        else:
            rows = raw.find_raw_batches(asked.where or {}, sort=asked.order.to_mongo(), limit=asked.size)
        return b"".join(rows), False  # type: ignore[arg-type]

    async def count(where: Document) -> int:
        return stored.count_documents(where)

    return Source(find, count, None)


def _again(cursor: Cursor) -> Cursor:
    return open_cursor(seal(cursor, secret=b"s", scope=b""), secret=b"s", scope=b"")


async def walked(
    source: Source, sort: Sort, sizes: Sequence[int], chance: random.Random, way: str, *, backwards: bool = False
) -> list[Document]:
    """Return the documents of all pages, each read in one of the ways."""
    order = sort.reversed() if backwards else sort
    found: list[Document] = []
    cursor: Cursor | None = None
    for turn in range(500):
        reader = PageReader(source, order, sizes[turn % len(sizes)], cursor)
        if backwards and cursor is None:
            reader._backwards = True  # as from behind the end  # pyright: ignore[reportPrivateUsage]
        page = await reader.read(by_index=chance.random() < 0.5 if way == "either" else way == "by index")
        found += page.batch.read[: len(page.batch.documents)]
        if page.far is None:
            return found
        cursor = _again(page.far)
    pytest.fail("the pages have no end")


@pytest.mark.parametrize("way", ["by index", "ranked", "either"])
@pytest.mark.parametrize("seed", range(25))
async def test_pages_are_the_list(mongo_uri: str, seed: int, way: str) -> None:
    chance = random.Random(seed)
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["paging"]
        stored.drop()
        stored.insert_many(_documents(chance, arrays=chance.random() < 0.5))
        for _ in range(2):
            sort = _sort(chance)
            if sort is None:
                continue
            if chance.random() < 0.5 and sort.leading.keys:
                try:
                    stored.create_index(sort.leading.to_mongo())
                except OperationFailure:
                    continue
            for backwards in (False, True):
                order = sort.reversed() if backwards else sort
                try:
                    whole = [each["_id"] for each in stored.find().sort(order.to_mongo())]
                except OperationFailure as refused:
                    if "parallel arrays" not in str(refused):
                        raise
                    continue
                sizes = [chance.choice([1, 2, 3, 7, 50]) for _ in range(3)]
                found = await walked(source_of(stored), sort, sizes, chance, way, backwards=backwards)
                assert repr([each["_id"] for each in found]) == repr(whole), sort


COUNT: Final = 3000
LISTS: Final[list[tuple[str, Document, list[tuple[str, int]]]]] = [
    ("price", {}, [("price", 1)]),
    ("-price", {}, [("price", 1)]),
    ("-created", {"status": "a"}, [("status", 1), ("created", 1)]),
    ("created", {"status": "a"}, [("status", 1), ("created", 1)]),
    ("cat,-price", {}, [("cat", 1), ("price", -1)]),
    ("-cat,price", {}, [("cat", 1), ("price", -1)]),
    ("cat,price", {"status": "a"}, [("status", 1), ("cat", 1), ("price", 1)]),
    ("status,-created", {"status": "a"}, [("status", 1), ("created", -1)]),
    ("sparse", {}, [("sparse", 1)]),
    ("-sparse", {}, [("sparse", 1)]),
    ("m.x", {}, [("m.x", 1)]),
    ("price,_id", {}, [("price", 1)]),
]
LIMIT: Final = 10


class Explained:
    """Asks MongoDB, and keeps how many keys it examined and whether it sorted all it found."""

    def __init__(self, stored: Collection[Document], where: Document) -> None:
        self._stored = stored.with_options(codec_options=OPTIONS)
        self._where = where
        self.keys = 0
        self.trips = 0
        self.sorts = 0

    async def find(self, asked: Question) -> tuple[bytes, bool]:
        where = {"$and": [self._where, asked.where]} if asked.where else self._where
        command: Document = {"find": self._stored.name, "filter": where, "limit": asked.size}
        command["sort"] = dict(asked.order.to_mongo())
        plan = self._stored.database.command("explain", command, verbosity="executionStats", codec_options=OPTIONS)
        self.trips += 1
        self.keys += plan["executionStats"]["totalKeysExamined"]
        self.sorts += "'SORT'" in repr(plan["queryPlanner"]["winningPlan"]) and len(asked.order.keys) > 0
        rows = self._stored.find_raw_batches(where, sort=asked.order.to_mongo(), limit=asked.size)
        return b"".join(rows), False  # type: ignore[arg-type]

    async def count(self, where: Document) -> int:
        raise AssertionError(where)

    @property
    def source(self) -> Source:
        return Source(self.find, self.count, None)


@pytest.fixture(scope="module")
def shelf(mongo_uri: str) -> Iterator[Collection[Document]]:
    chance = random.Random(1)
    kinds: list[Any] = [None, 5, "s", float("nan")]
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["paging_plans"]
        stored.drop()
        for _, _, keys in LISTS:
            stored.create_index(keys)
        stored.create_index("same")
        stored.create_index("tags")
        stored.insert_many([
            {
                "_id": n, "price": chance.random(), "created": chance.random(), "status": "ab"[n % 2], "same": 1,
                "cat": chance.randrange(3), "m": {"x": chance.choice(kinds)} if n % 9 else {},
                "tags": [chance.random(), 2] if n % 100 == 0 else chance.random(),
                **({} if n % 10 else {"sparse": chance.random()}),
            }
            for n in range(COUNT)
        ])  # fmt: skip
        yield stored


async def _page(explained: Explained, sort: Sort, cursor: Cursor | None, *, backwards: bool = False) -> PageRead:
    order = sort.reversed() if backwards else sort
    return await PageReader(explained.source, order, LIMIT, cursor).read(by_index=True)


@pytest.mark.parametrize(("text", "where", "keys"), LISTS, ids=[text for text, _, _ in LISTS])
async def test_a_page_reads_a_page_of_an_index(
    shelf: Collection[Document], text: str, where: Document, keys: list[tuple[str, int]]
) -> None:
    sort = parse_sort(text)
    assert gives_order(keys, sort.leading.keys, frozenset(where))
    total = shelf.count_documents(where)
    for skip in (0, 20, total // 2, total - 2 * LIMIT):
        [here] = shelf.find(where).sort(sort.to_mongo()).skip(skip).limit(1)
        for backwards in (False, True):
            order = sort.reversed() if backwards else sort
            place = Cursor(tuple(sort_values(here, order)), backwards, tied=False) if skip else None
            if backwards and place is None:
                continue
            explained = Explained(shelf, where)
            await _page(explained, sort, place, backwards=backwards)
            repeats = text in ("sparse", "-sparse", "m.x")
            assert explained.trips == 1 or repeats
            assert explained.sorts == 0 or repeats
            assert explained.keys <= 3 * LIMIT or repeats


@pytest.mark.parametrize("skip", [0, 10, COUNT // 2, COUNT - 20])
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_page_inside_equal_keys_does_not_read_them_all(
    shelf: Collection[Document], skip: int, *, backwards: bool
) -> None:
    sort = parse_sort("same")
    explained = Explained(shelf, {})
    at = COUNT - 1 - skip if backwards else skip
    page = await _page(explained, sort, Cursor((1, at), backwards), backwards=backwards)
    wanted = range(at - 1, at - 1 - LIMIT, -1) if backwards else range(at + 1, at + 1 + LIMIT)
    assert [each["_id"] for each in page.batch.read[:LIMIT]] == [each for each in wanted if 0 <= each < COUNT][:LIMIT]
    assert explained.keys <= 3 * LIMIT


async def test_keys_that_do_not_repeat_take_one_trip_a_page(shelf: Collection[Document]) -> None:
    sort, cursor, pages = parse_sort("price"), None, 0
    explained = Explained(shelf, {})
    while pages < 20:
        page = await _page(explained, sort, cursor)
        pages += 1
        cursor = page.far
    assert explained.trips == pages
    assert explained.keys <= pages * 3 * LIMIT


INDEXES: Final = [
    [("a", 1)], [("a", -1)], [("a", 1), ("b", 1)], [("a", 1), ("b", -1)], [("b", 1), ("a", 1), ("c", -1)],
    [("c", 1), ("a", 1), ("b", 1)], [("a", 1), ("c", 1), ("b", 1)],
]  # fmt: skip


@pytest.mark.parametrize("index", INDEXES, ids=repr)
def test_what_gives_an_order_is_what_mongodb_explains(mongo_uri: str, index: list[tuple[str, int]]) -> None:
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["paging_orders"]
        stored.drop()
        stored.insert_many([{"a": n % 3, "b": n % 5, "c": n % 7} for n in range(50)])
        stored.create_index(index)
        for length in (1, 2, 3):
            for paths in itertools.permutations("abc", length):
                for ways in itertools.product((1, -1), repeat=length):
                    for equal in ((), ("a",), ("b",), ("c",), ("b", "c"), ("a", "c")):
                        sort = list(zip(paths, ways, strict=True))
                        plan = stored.find(dict.fromkeys(equal, 1)).sort(sort).explain()["queryPlanner"]
                        gives = "'SORT'" not in repr(plan["winningPlan"])
                        assert gives_order(index, sort, equal) == gives, (sort, equal)
