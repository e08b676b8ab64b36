"""What is known of each collection. The API asks here, and nowhere else, what a collection is."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from documents.catalog.declared import DeclaredModel
from documents.catalog.fields import id_coercion, read_time
from documents.catalog.ids import admit_id, id_type_of, keep_id
from documents.catalog.metadata import PLAIN, REFUSALS, Deed, Kind, Metadata, list_metadata
from documents.catalog.sort_indexes import SortIndexes
from documents.contracts.contract import Contract
from documents.contracts.store import ContractStore
from documents.contracts.verdict import Admitted, Lesson, Rejected
from documents.database.connection import Connection
from documents.database.failures import translate
from documents.errors import CollectionNotFoundError, Fault, InvalidDocumentError, QueryRefusedError, StoreError
from documents.types import COLLECTION_NAME, MISSING, SYSTEM_PREFIX, Coerce, Document, IdType, child

RECORDS: Final = f"{SYSTEM_PREFIX}collections"
FRESH_SECONDS: Final = 30.0
SUMMARIES_AT_ONCE: Final = 16
"""Collections that are asked about side by side, so that a list of thousands does not take a trip after the other."""

_NAME: Final = re.compile(COLLECTION_NAME)


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One collection as the store knows it.

    Args:
        name: Its name in MongoDB and in the URL.
        id_type: The type of its ids; None while no document has fixed it.
        model: What was declared for it; None for a flexible collection.
        contract: What was set for it at run time; never beside a model.
        metadata: What MongoDB says that it is: its kind, its collation.
    """

    name: str
    id_type: IdType | None
    model: DeclaredModel | None = None
    contract: Contract | None = None
    metadata: Metadata = PLAIN

    @property
    def kind(self) -> Kind:
        """What sort of collection it is."""
        return self.metadata.kind

    @property
    def collation(self) -> Mapping[str, Any] | None:
        """Its default collation; None where strings compare byte by byte."""
        return self.metadata.collation

    def check_kind(self, deed: Deed) -> None:
        """Refuse what MongoDB does not do with a collection of this kind.

        Raises:
            QueryRefusedError: It does not.
        """
        refusal = REFUSALS.get((self.kind, deed))
        if refusal is not None:
            raise QueryRefusedError(refusal)

    @property
    def is_judged(self) -> bool:
        """Whether a model or a contract has to agree with what is stored."""
        return self.model is not None or self.contract is not None

    def coerce(self, path: str) -> Coerce | None:
        """Return how values at a dotted path are read (see `FieldTypes`)."""
        if self.model is not None:
            return self.model.coerce(path)
        if path == "_id" and self.id_type:
            return id_coercion(self.id_type)
        if path == self.metadata.time_field:
            return read_time
        return self.contract.coerce(path) if self.contract is not None else None

    def admit(self, document: Document, *, before: Document | None = None, stored_id: object = MISSING) -> Admitted:
        """Return the document as it is to be stored; a flexible collection without a contract takes it as it is.

        Args:
            document: As Python values.
            before: The stored document that it takes the place of by a patch or an update.
            stored_id: The `_id` of the stored document that it takes the place of, which need not be of the
                collection's type: another program may have made it.

        Raises:
            InvalidDocumentError: With a fault for each thing that does not fit.
            InvalidIdError: Its `_id` is not of the collection's type.
        """
        document = self._with_time(document)
        if before is not None and stored_id is MISSING:
            stored_id = before.get("_id", MISSING)
        if self.model is not None:
            return Admitted(self._with_id(self.model.validate(document, before=before), stored_id))
        if self.contract is None:
            return Admitted(self._with_id(document, stored_id))
        verdict = self.contract.admit(self._with_id(document, stored_id), before)
        if isinstance(verdict, Rejected):
            raise InvalidDocumentError("The document does not fit the collection's contract.", verdict.faults)
        return verdict

    def _with_time(self, document: Document) -> Document:
        """Return a document of a time series with its time as a date, which MongoDB insists on."""
        path = self.metadata.time_field
        if path is None:
            return document
        try:
            return document | {path: read_time(document.get(path))}
        except ValueError as error:
            fault = Fault(child("", path), "wrong-type", f"This is a time series, and here is its time: {error}.")
            raise InvalidDocumentError("The document has no time.", [fault]) from None

    def _with_id(self, document: Document, stored_id: object) -> Document:
        kept = None if stored_id is MISSING else keep_id(document, stored_id)
        if kept is not None:
            return kept
        return admit_id(document, self.id_type) if self.id_type else document


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A row of the list of collections.

    Args:
        name: Of the collection.
        declared: Whether a model says what its documents look like.
        id_type: The type of its ids; None where no document has fixed it, and of views.
        estimated_count: Of its documents; None of a view, which would have to be run to be counted.
        kind: What sort of collection it is.
        fault: Why nothing more is known of it; None where all is well.
    """

    name: str
    declared: bool
    id_type: IdType | None
    estimated_count: int | None
    kind: Kind = Kind.COLLECTION
    fault: StoreError | None = None


@dataclass(slots=True)
class _Cached:
    entry: CollectionEntry
    until: float = field(default_factory=lambda: time.monotonic() + FRESH_SECONDS)


class Catalog:
    """Looks collections up and remembers them for half a minute.

    Args:
        connection: Where the collections are.
        models: The declared ones.
    """

    def __init__(self, connection: Connection, models: Iterable[DeclaredModel]) -> None:
        self._connection = connection
        self.contracts: Final = ContractStore(connection)
        self.sort_indexes: Final = SortIndexes(connection)
        self.models: Mapping[str, DeclaredModel] = {model.name: model for model in models}
        self._declared = {name: CollectionEntry(name, model.id_type, model) for name, model in self.models.items()}
        self._cache: dict[str, _Cached] = {}
        self.lookups = 0
        """Times that MongoDB was asked for a collection."""

        self._fixing = asyncio.Lock()
        self._unique: dict[str, tuple[float, list[frozenset[str]]]] = {}

    async def get(self, name: str) -> CollectionEntry:
        """Return what is known of a collection.

        Raises:
            CollectionNotFoundError: Nothing has that name, or the name is not one a client may use.
        """
        entry = await self.get_or_none(name)
        if entry is None:
            raise CollectionNotFoundError(name)
        return entry

    async def get_or_none(self, name: str) -> CollectionEntry | None:
        """Return what is known of a collection, or None when it does not exist yet."""
        entry = await self.get_bare_or_none(name)
        return entry if entry is None else await self._with_contract(entry)

    async def get_or_new(self, name: str) -> CollectionEntry:
        """Return what is known of a collection, which may have no more than a contract, or nothing at all yet."""
        return await self._with_contract(await self.get_bare_or_none(name) or CollectionEntry(name, None))

    async def get_bare(self, name: str) -> CollectionEntry:
        """Return what is known of a collection apart from its contract, which a get by id does not need.

        Raises:
            CollectionNotFoundError: Nothing has that name, or the name is not one a client may use.
        """
        entry = await self.get_bare_or_none(name)
        if entry is None:
            raise CollectionNotFoundError(name)
        return entry

    def get_known_or_none(self, name: str) -> CollectionEntry | None:
        """Return the same if it is known without asking MongoDB, else None."""
        cached = self._cache.get(name)
        return cached.entry if cached is not None and cached.until > time.monotonic() else None

    async def get_bare_or_none(self, name: str) -> CollectionEntry | None:
        """Return the same, or None when the collection does not exist yet."""
        known = self.get_known_or_none(name)
        if known is not None:
            return known
        if not _NAME.fullmatch(name):
            raise CollectionNotFoundError(name)
        self.lookups += 1
        return await self._look_up(name)

    async def learn(self, entry: CollectionEntry, lessons: Sequence[Lesson]) -> CollectionEntry:
        """Return the entry with its contract after that has learned what it may. Stored, whatever becomes of the write.

        Never part of a transaction: what a contract has learned, it does not forget.
        """
        return replace(entry, contract=await self.contracts.learn(entry.name, lessons))

    def at_hand(self, entry: CollectionEntry) -> CollectionEntry:
        """Return the entry with the newest version of its contract that this process has seen. Asks nobody."""
        if entry.contract is None:
            return entry
        contract = self.contracts.at_hand(entry.name, entry.contract)
        return entry if contract is entry.contract else replace(entry, contract=contract)

    async def renewed(self, entry: CollectionEntry) -> CollectionEntry:
        """Return the entry with the contract that holds now, at most two seconds old."""
        if entry.model is not None:
            return entry
        contract = await self.contracts.current(entry.name)
        return entry if contract is entry.contract else replace(entry, contract=contract)

    async def _with_contract(self, entry: CollectionEntry) -> CollectionEntry:
        contract = None if entry.model is not None else await self.contracts.current(entry.name)
        return entry if contract is None else replace(entry, contract=contract)

    async def look_again(self, name: str, *, session: AsyncClientSession | None) -> CollectionEntry:
        """Return what is known of a collection that a write just before, in the same transaction too, may have made.

        Raises:
            CollectionNotFoundError: None has.
        """
        recorded = await self._recorded(name, session) if session is not None else None
        return await self._with_contract(recorded) if recorded else await self.get(name)

    async def fix_id_type(
        self, name: str, id_type: IdType, *, session: AsyncClientSession | None = None
    ) -> CollectionEntry:
        """Return the entry of a collection, whose ids are of `id_type` from now on unless they were fixed before.

        Without its contract. Atomic among all processes: the first one decides. In a transaction it is fixed with it,
        or not at all.
        """
        if session is not None:
            return await self._fixed(name, id_type, session)
        async with self._fixing:  # of a thousand first documents one asks, and the others wait for what it hears
            entry = await self.get_bare_or_none(name)
            if entry is not None and entry.id_type is not None:
                return entry
            return self._remember(await self._fixed(name, id_type, None))

    async def _fixed(self, name: str, id_type: IdType, session: AsyncClientSession | None) -> CollectionEntry:
        records = self._connection.collection(RECORDS)
        wanted = {"$setOnInsert": {"id_type": str(id_type)}}
        with suppress(DuplicateKeyError):  # another process was first, and the next line reads what it decided
            await records.update_one({"_id": name}, wanted, upsert=True, session=session)
        entry = await self._recorded(name, session) or CollectionEntry(name, id_type)
        return replace(entry, metadata=await self._metadata(name) or PLAIN)

    async def unique_keys(self, name: str) -> list[frozenset[str]]:
        """Return, for each unique index that covers every document of a collection, the fields it is over."""
        cached = self._unique.get(name)
        if cached is None or cached[0] < time.monotonic():
            found = await self._connection.collection(name).index_information()
            keys = [
                frozenset(path for path, _ in index["key"])
                for index in found.values()
                if index.get("unique") and "partialFilterExpression" not in index
            ]
            cached = self._unique[name] = (time.monotonic() + (FRESH_SECONDS if keys else 0), keys)
        return cached[1]

    async def summaries(
        self, *, after: str = "", limit: int | None = None, may_see: Callable[[str], bool] = lambda _: True
    ) -> list[CollectionSummary]:
        """Return a row for each collection that a client may see, by name.

        Args:
            after: The name that they follow.
            limit: How many at most. Of the others, only the names are read.
            may_see: Tells whether this client may see one of that name.
        """
        found = {name: each async for name, each in list_metadata(self._connection, name={"$gt": after})}
        existing = {name: each for name, each in found.items() if _NAME.fullmatch(name)}
        declared = {name for name in self._declared if name > after}
        names = sorted(name for name in existing.keys() | declared if may_see(name))[:limit]
        slots = asyncio.Semaphore(SUMMARIES_AT_ONCE)

        async def summarise(name: str) -> CollectionSummary:
            async with slots:
                return await self._summary(name, existing.get(name))

        return await asyncio.gather(*map(summarise, names))

    async def _summary(self, name: str, metadata: Metadata | None) -> CollectionSummary:
        declared, kind = name in self._declared, (metadata or PLAIN).kind
        try:
            entry = self.get_known_or_none(name) or await self._look_up(name, metadata)
            count = await self._estimate(name, metadata)
        except PyMongoError as error:
            if isinstance(error, ConnectionFailure) or error.timeout:
                raise
            return CollectionSummary(name, declared, None, None, kind, translate(error, writes=False))
        return CollectionSummary(name, declared, entry.id_type if entry else None, count, kind)

    async def _estimate(self, name: str, metadata: Metadata | None) -> int | None:
        if metadata is None:
            return 0
        # The estimate of a view, as that of a time series, runs it.
        if metadata.kind in (Kind.VIEW, Kind.TIMESERIES):
            return None
        return await self._connection.collection(name).estimated_document_count()

    async def _look_up(self, name: str, metadata: Metadata | None = None) -> CollectionEntry | None:
        if metadata is None:
            metadata = await self._metadata(name)
        known = self._declared.get(name) or await self._recorded(name)
        if known is None and metadata is not None:
            known = CollectionEntry(name, await self._find_id_type(name, metadata))
        return None if known is None else self._remember(replace(known, metadata=metadata or PLAIN))

    async def _metadata(self, name: str) -> Metadata | None:
        return next(iter([found async for _, found in list_metadata(self._connection, name=name)]), None)

    async def _recorded(self, name: str, session: AsyncClientSession | None = None) -> CollectionEntry | None:
        record = await self._connection.collection(RECORDS).find_one({"_id": name}, session=session)
        return CollectionEntry(name, IdType(record["id_type"])) if record else None

    async def _find_id_type(self, name: str, metadata: Metadata) -> IdType | None:
        """Look at the ids of a collection that Sheaf did not make; never at those of a view, which would run it."""
        if metadata.kind is Kind.VIEW:
            return None
        if metadata.kind is Kind.TIMESERIES:  # no index is over its ids, and nothing keeps them apart
            return IdType.ANY
        # Ids sort by type first, so where the smallest and the largest are of one type, all are.
        collection = self._connection.collection(name)
        ends = [
            await collection.find_one({}, {"_id": 1}, sort=[("_id", direction)])
            for direction in (ASCENDING, DESCENDING)
        ]
        found = {id_type_of(end["_id"]) for end in ends if end is not None}
        if not found:
            return None
        return found.pop() if len(found) == 1 else IdType.ANY

    def _remember(self, entry: CollectionEntry) -> CollectionEntry:
        if entry.id_type is not None or entry.kind is not Kind.COLLECTION:
            self._cache[entry.name] = _Cached(entry)
        return entry
