"""The profile of a collection, or of the documents that a filter selects, from a sample of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.codec.stored import StoredDocument, split_batch
from documents.collections.operations import Selection
from documents.collections.services import Services
from documents.collections.transactions import revocably
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.profile.accumulator import Profile
from documents.profile.report import Report, read_profile
from documents.query.filter.filter import Filter
from documents.types import Document

DEFAULT_SAMPLE: Final = 1000
MAX_SAMPLE: Final = 10_000
"""Documents of a sample that a request may ask for."""

SLICE_BYTES: Final = 16 * 1024
"""Of documents that are decoded and looked at before others get their turn: a few milliseconds."""

BATCH: Final = 1000
RANDOM_SHARE: Final = 20
"""MongoDB picks documents at random places if they are less than one in so many; else it sorts all of them."""


@dataclass(frozen=True, slots=True)
class ReadProfile:
    """Look at some documents of a collection.

    Args:
        collection: Name of the collection.
        selection: Of which documents.
        sample: How many to look at, chosen at random if there are more.
        examples: Whether to keep values as examples.
    """

    collection: str
    selection: Selection = field(default_factory=Selection)
    sample: int = DEFAULT_SAMPLE
    examples: bool = False


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """Look at a sample."""

    services: Services
    collection: str
    filter: Filter
    sample: int
    examples: bool

    async def run(self, deadline: Deadline) -> Report:
        """Return what was seen, and what it cannot tell."""
        profile = Profile(redact=not self.examples)
        connection, where = self.services.connection, self.filter.to_mongo()

        async def look(session: AsyncClientSession) -> int:
            return await sample_into(profile, connection, self.collection, where, size=self.sample, session=session)

        with Running(deadline, writes=False):
            population = await revocably(self.services, look)
        return await asyncio.to_thread(read_profile, profile, population=population)


async def sample_into(
    profile: Profile,
    connection: Connection,
    collection: str,
    where: Document,
    *,
    size: int,
    session: AsyncClientSession | None = None,
) -> int:
    """Add documents to a profile: all of them, or a random sample if there are more than `size`.

    Await it inside `Running`. Writes nothing.

    Args:
        profile: What the documents are added to.
        connection: To MongoDB.
        collection: Name of the collection.
        where: Which of its documents; may be empty.
        size: Documents.
        session: Where to read.

    Returns:
        How many documents there are; if they were counted rather than read, and without a filter, about.

    Source:
        MongoDB manual, $sample (aggregation): when it sorts, and that it may give a document twice.
    """
    stored = connection.collection(collection)
    if where:
        population = await stored.count_documents(where, session=session)
    else:
        population = await stored.estimated_document_count()
    if population <= size:
        await _add_all(profile, stored.find_raw_batches(where, limit=size, batch_size=BATCH, session=session))
        return profile.documents if profile.documents < size else population
    cursor = await stored.aggregate_raw_batches(
        _pipeline(collection, where, size, population), batchSize=BATCH, allowDiskUse=False, session=session
    )
    await _add_all(profile, cursor)
    return population


def _pipeline(collection: str, where: Document, size: int, population: int) -> list[Document]:
    sample = {"$sample": {"size": size}}
    if not where and size * RANDOM_SHARE < population:
        return [sample]
    # MongoDB holds what it sorts in memory. Ids fit there, whatever the size of their documents.
    return [
        *([{"$match": where}] if where else []),
        {"$project": {"_id": 1}},
        sample,
        {"$lookup": {"from": collection, "localField": "_id", "foreignField": "_id", "as": "found"}},
        {"$unwind": "$found"},
        {"$replaceRoot": {"newRoot": "$found"}},
    ]


async def _add_all(profile: Profile, cursor: Any) -> None:  # noqa: ANN401  # one of two classes of PyMongo's
    try:
        # PyMongo types what a raw cursor yields as documents; it is bytes, several documents long.
        async for data in cast("AsyncIterator[bytes]", cursor):
            await add_slowly(profile, split_batch(data))
    finally:
        await cursor.close()


async def add_slowly(profile: Profile, documents: list[StoredDocument]) -> None:
    """Add documents to a profile a few at a time, so that others are not kept waiting."""
    for several in _sliced(documents):
        if sum(len(document.raw) for document in several) > SLICE_BYTES:
            await asyncio.to_thread(_add, profile, several)  # one large document
        else:
            _add(profile, several)
            await asyncio.sleep(0)


def _add(profile: Profile, documents: list[StoredDocument]) -> None:
    profile.add_all([document.decode() for document in documents])


def _sliced(documents: list[StoredDocument]) -> Iterator[list[StoredDocument]]:
    several: list[StoredDocument] = []
    size = 0
    for document in documents:
        if several and size + len(document.raw) > SLICE_BYTES:
            yield several
            several, size = [], 0
        several.append(document)
        size += len(document.raw)
    if several:
        yield several
