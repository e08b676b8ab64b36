"""MongoDB without a server: `mongomock-motor`, made to look like PyMongo Async as far as the store uses it.

The adapter translates and never decides: bytes become documents on the way in and bytes again on the way out,
options that the mock does not know are left out, and nothing that it answers wrongly is put right here. What it
answers wrongly stands in WRONG.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, cast

import bson
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from documents.codec.plain import CODEC_OPTIONS
from documents.codec.stored import StoredDocument
from documents.database.connection import RAW_OPTIONS, Connection

_NO_SESSIONS: Final = "it has no sessions, so no transactions"
WRONG: Final[Mapping[str, str]] = {
    "test_dialects[mul]": "$mul is missing",
    "test_misfits": "an operator on a field of the wrong type fails in Python, or is passed over",
    "test_filters_by_decimal": "it does not compare Decimal128",
    "test_pages_of_mixed_values[-v]": "a condition on an array does not agree with the place it sorts the array to",
    "test_update_by_merge": _NO_SESSIONS,
    "test_max_affected": _NO_SESSIONS,
    "test_atomic": _NO_SESSIONS,
    "test_validates_operators": _NO_SESSIONS,
    "test_all_or_none": _NO_SESSIONS,
}
"""Tests of the contract that the mock does not pass, each with the reason."""

UNHELD: Final = frozenset({"minKey", "maxKey", "regex", "dbPointer", "javascript", "javascriptWithScope"})
"""Types that the mock cannot tell from others. Nothing of them is stored, so a condition on them is never met."""


class MockConnection(Connection):
    """A connection to nothing."""

    def __init__(self, uri: str, *, database: str, max_pool_size: int, mock: Any) -> None:
        del uri, max_pool_size
        self._mock = mock
        self.client = cast("Any", MockClient())
        self.database = cast("Any", MockDatabase(mock[database]))

    def collection(self, name: str) -> Any:
        return self.database[name]

    def is_reachable(self, *, writes: bool) -> bool:  # noqa: ARG002  # as the real one
        return True

    async def ping(self) -> dict[str, Any]:
        return {"isWritablePrimary": True}

    async def close(self) -> None:
        self._mock.close()


class MockClient:
    """A client whose sessions mean nothing: what is read or written in one is as without."""

    @asynccontextmanager
    async def start_session(self) -> AsyncGenerator[None]:
        yield None


class MockDatabase:
    """A database of the mock."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.client = database.client
        self.name = database.name

    def __getitem__(self, name: str) -> "MockCollection":
        return MockCollection(self._database[name])

    def get_collection(self, name: str, codec_options: object = CODEC_OPTIONS) -> "MockCollection":
        return MockCollection(self._database[name], raw=codec_options is RAW_OPTIONS)

    async def list_collection_names(self, **_: object) -> list[str]:
        names: list[str] = await self._database.list_collection_names()
        return names

    async def list_collections(self, filter: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:  # noqa: A002  # as PyMongo names it
        names = await self.list_collection_names()

        async def each() -> AsyncIterator[dict[str, Any]]:
            for name in names:
                if name == filter.get("name", name):
                    yield {"name": name, "type": "collection"}

        return each()

    async def command(self, command: object) -> Any:
        if isinstance(command, dict) and "listIndexes" in command:  # which the mock has not: as if there were none
            return {"cursor": {"firstBatch": []}}
        return await self._database.command(command)


class MockCollection:
    """A collection of the mock.

    Args:
        collection: As the mock has it.
        raw: Whether documents are read as bytes.
    """

    def __init__(self, collection: Any, *, raw: bool = False) -> None:
        self._collection = collection
        self._raw = raw
        self.name = collection.name

    async def find_one(self, *wanted: object, **options: Any) -> Any:
        return self._read(await self._collection.find_one(*map(_plain, wanted), **_known(options, "sort")))

    async def _found(self, wanted: Sequence[object], options: Mapping[str, Any]) -> list[dict[str, Any]]:
        cursor = self._collection.find(*map(_plain, wanted), **_known(options, "sort", "limit"))
        return await cursor.to_list(None)

    async def find(self, *wanted: object, **options: Any) -> AsyncIterator[Any]:
        for document in await self._found(wanted, options):
            yield self._read(document)

    def find_raw_batches(self, *wanted: object, **options: Any) -> "RawCursor":
        return RawCursor(self._found(wanted, options))

    async def aggregate_raw_batches(self, pipeline: Sequence[object], **_: object) -> "RawCursor":
        return RawCursor(self._collection.aggregate(_plain(pipeline)).to_list(None))

    async def insert_one(self, document: object, **_: object) -> Any:
        return await self._collection.insert_one(_plain(document))

    async def insert_many(self, documents: Sequence[object], *, ordered: bool = True) -> Any:
        try:
            return await self._collection.insert_many(_plain(documents), ordered=ordered)
        except BulkWriteError as error:
            for failure in (error.details or {})["writeErrors"]:
                failure["keyPattern"] = await self._violated(failure["op"])
            raise

    async def _violated(self, document: Mapping[str, Any]) -> dict[str, int]:
        """Return the unique index that a document runs into, which a bulk error of the mock does not tell."""
        indexes = (await self._collection.index_information()).values()
        for index in sorted(indexes, key=lambda index: index["key"] != [("_id", 1)]):
            values = {path: document.get(path) for path, _ in index["key"]}
            if (index.get("unique") or "_id" in values) and await self._collection.find_one(values):
                return dict(index["key"])
        return {}

    async def replace_one(self, wanted: object, document: object, **options: Any) -> Any:
        return await self._collection.replace_one(_plain(wanted), _plain(document), **_known(options, "upsert"))

    async def update_one(self, wanted: object, update: object, **options: Any) -> Any:
        return await self._collection.update_one(_plain(wanted), _plain(update), **_known(options, "upsert"))

    async def update_many(self, wanted: object, update: object, **_: object) -> Any:
        return await self._collection.update_many(_plain(wanted), _plain(update))

    async def find_one_and_update(self, wanted: object, update: object, **options: Any) -> Any:
        known = _known(options, "return_document")
        return self._read(await self._collection.find_one_and_update(_plain(wanted), _plain(update), **known))

    async def delete_one(self, wanted: object, **_: object) -> Any:
        return await self._collection.delete_one(_plain(wanted))

    async def delete_many(self, wanted: object, **_: object) -> Any:
        return await self._collection.delete_many(_plain(wanted))

    async def bulk_write(self, requests: Iterable[ReplaceOne[Any] | UpdateOne], **_: object) -> Any:
        return [await self._write(request) for request in requests]

    async def _write(self, request: ReplaceOne[Any] | UpdateOne) -> Any:
        write = self.replace_one if isinstance(request, ReplaceOne) else self.update_one
        return await write(request._filter, request._doc, upsert=bool(request._upsert))  # pyright: ignore[reportPrivateUsage]  # PyMongo has no other name for them

    async def create_indexes(self, indexes: Iterable[IndexModel]) -> Any:
        return [await self._collection.create_index(list(index.document["key"].items())) for index in indexes]

    async def count_documents(self, wanted: object, **options: Any) -> int:
        return await self._collection.count_documents(_plain(wanted), **_known(options, "limit"))

    async def estimated_document_count(self) -> int:
        return await self._collection.estimated_document_count()

    async def index_information(self) -> Any:
        return await self._collection.index_information()

    def _read(self, document: dict[str, Any] | None) -> Any:
        return RawBSONDocument(_encoded([document]), RAW_OPTIONS) if self._raw and document is not None else document


class RawCursor:
    """Documents as one reply of bytes.

    Args:
        documents: Gives them all.
    """

    alive = False

    def __init__(self, documents: Awaitable[list[dict[str, Any]]]) -> None:
        self._documents = documents

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _encoded(await self._documents)

    async def close(self) -> None:
        """Nothing is open."""


def _known(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}


def _encoded(documents: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(bson.encode(document, codec_options=CODEC_OPTIONS) for document in documents)


def _plain(value: Any) -> Any:
    """Return a value as the mock reads it: bytes as documents, and some conditions in words that it knows."""
    if isinstance(value, RawBSONDocument):
        return StoredDocument(bytes(value.raw)).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in map(_condition, cast("Mapping[str, Any]", value).items())}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return datetime.min if isinstance(value, DatetimeMS) else value  # noqa: DTZ901  # the least that the mock can hold


def _condition(member: tuple[str, Any]) -> tuple[str, Any]:
    match member:
        case ("_id", {"$eq": value, **rest}) if not rest:
            return "_id", value  # to the mock, replacing where {"_id": {"$eq": 1}} would change the id
        case ("$type", [*names]) if UNHELD.issuperset(cast("list[str]", names)):
            return "$in", []
        case ("$type", str(name)) if name in UNHELD:
            return "$in", []
        case ("$gte" | "$lte", Timestamp()):
            return "$in", []
        case _:
            return member
