"""Contracts in the database: every version there ever was, and the current one of each collection at hand.

A version is one document that is written once. The next one has the next number, and MongoDB takes each number once,
so whoever is second reads again and decides anew.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Literal, TypeAlias
from weakref import WeakValueDictionary

import orjson
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from documents.contracts.contract import Contract
from documents.contracts.counts import DiscardCounts
from documents.contracts.mirror import apply_mirror, has_foreign_validator
from documents.contracts.verdict import Lesson, Mode, Modes
from documents.database.connection import Connection
from documents.errors import ContractConflictError, WriteConflictError
from documents.types import SYSTEM_PREFIX, Document

VERSIONS: Final = f"{SYSTEM_PREFIX}contracts"
FRESH_SECONDS: Final = 1.0
"""After this time one caller looks for a newer version, while the others go on with the one at hand."""

STALE_SECONDS: Final = 2.0
"""After this time everybody looks."""

MAX_CACHED: Final = 10_000
ATTEMPTS: Final = 1000
LEARNING: Final = "learning"
_DIGITS: Final = 10

Cause: TypeAlias = Literal["set", "learned", "removed"]


@dataclass(frozen=True, slots=True)
class ContractVersion:
    """One version of the contract of a collection.

    Args:
        collection: Whose.
        version: From 1 on.
        contract: None from the version on that took it off.
        at: When it was written, in UTC.
        by: Under which policy, or `learning`.
        cause: Why.
    """

    collection: str
    version: int
    contract: Contract | None
    at: datetime
    by: str
    cause: Cause

    @property
    def etag(self) -> str:
        """The strong entity tag of this version, with its quotes."""
        return f'"{self.version}"'


@dataclass(slots=True)
class _Cached:
    contract: Contract | None
    since: float
    is_being_read: bool = False


class ContractStore:
    """The contracts of all collections.

    Args:
        connection: Where they are kept.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cache: dict[str, _Cached] = {}
        self._pending: dict[str, dict[Lesson, None]] = {}
        self._learning: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.discards: Final = DiscardCounts(connection)

    async def current(self, name: str) -> Contract | None:
        """Return the contract of a collection, at most two seconds old; None where it has none."""
        cached = self._cache.get(name)
        if cached is None:
            return self._remember(name, await self._latest(name))
        age = monotonic() - cached.since
        if age < FRESH_SECONDS or (cached.is_being_read and age < STALE_SECONDS):
            return cached.contract
        cached.is_being_read = True
        try:
            return self._remember(name, await self._latest(name))
        finally:
            cached.is_being_read = False

    def at_hand(self, name: str, known: Contract) -> Contract | None:
        """Return the newest version that was seen of a contract; None where it was seen to be off. Asks nobody."""
        cached = self._cache.get(name)
        if cached is None or (cached.contract is not None and cached.contract.version < known.version):
            return known
        return cached.contract

    async def read(self, name: str, version: int | None = None) -> ContractVersion | None:
        """Return a version of the contract, or the current one, as it is in the database now."""
        if version is None:
            latest = await self._latest(name)
            self._remember(name, latest)
            return latest
        record = await self._versions.find_one({"_id": _key(name, version)})
        return None if record is None else _from_record(record)

    async def write(
        self, name: str, contract: Contract | None, *, by: str, check: Callable[[ContractVersion | None], None]
    ) -> tuple[ContractVersion, bool]:
        """Set the contract of a collection, or take it off.

        Args:
            name: Of the collection.
            contract: None to take it off. The versions stay.
            by: Under which policy.
            check: Called with the current version, None where there is no contract; raises to have nothing done.

        Returns:
            The new version, and whether the collection had no contract before.

        Raises:
            ContractConflictError: It is to be mirrored, and the collection has a validator that is no mirror.
        """
        for _ in range(ATTEMPTS):
            latest = await self._latest(name)
            before = None if latest is None else latest.contract
            check(latest if before is not None else None)
            was_mirrored = before is not None and before.mirror
            if contract is not None and contract.mirror and not was_mirrored:
                await self._refuse_foreign_validator(name)
            written = await self._insert(name, latest, contract, by=by, cause="removed" if contract is None else "set")
            if written is None:
                continue
            if was_mirrored or (contract is not None and contract.mirror):
                newest = await self._latest(name)  # of two who set it at once, both mirror what the second has set
                await apply_mirror(self._connection, name, None if newest is None else newest.contract)
            return written, before is None
        raise WriteConflictError

    async def learn(self, name: str, lessons: Sequence[Lesson]) -> Contract | None:
        """Return the contract of a collection after it has learned what it may of `lessons`.

        Those who wait at the same moment are learned for in one version. Nobody's lessons take another's away: each is
        added to what the newest version says.
        """
        self._pending.setdefault(name, {}).update(dict.fromkeys(lessons))
        lock = self._learning.setdefault(name, asyncio.Lock())
        async with lock:
            pending = self._pending.pop(name, None)
            if pending is None:  # somebody else has learned them, too
                cached = self._cache.get(name)
                return cached.contract if cached is not None else await self.current(name)
            for _ in range(ATTEMPTS):
                latest = await self._latest(name)
                if latest is None or latest.contract is None:
                    return self._remember(name, latest)
                taught = latest.contract.taught(_allowed(tuple(pending), latest.contract.modes))
                if taught is latest.contract:
                    return self._remember(name, latest)
                written = await self._insert(name, latest, taught, by=LEARNING, cause="learned")
                if written is not None:
                    return written.contract
            raise WriteConflictError

    @property
    def _versions(self) -> Any:  # noqa: ANN401  # a collection of dicts
        return self._connection.collection(VERSIONS)

    async def _latest(self, name: str) -> ContractVersion | None:
        # A colon is in no name, and a semicolon comes after it.
        keys = {"$gt": f"{name}:", "$lt": f"{name};"}
        record = await self._versions.find_one({"_id": keys}, sort=[("_id", DESCENDING)])
        return None if record is None else _from_record(record)

    async def _insert(
        self, name: str, latest: ContractVersion | None, contract: Contract | None, *, by: str, cause: Cause
    ) -> ContractVersion | None:
        """Return the version after `latest`, written; None where another one has been."""
        version = 1 if latest is None else latest.version + 1
        contract = None if contract is None else replace(contract, version=version)
        now = datetime.now(UTC).replace(tzinfo=None)
        written = ContractVersion(name, version, contract, now, by, cause)
        try:
            await self._versions.insert_one(_to_record(written))
        except DuplicateKeyError:
            return None
        self._remember(name, written)
        return written

    def _remember(self, name: str, latest: ContractVersion | None) -> Contract | None:
        contract = None if latest is None else latest.contract
        cached = self._cache.get(name)
        known = None if cached is None else cached.contract
        if contract is not None and known is not None:
            if known.version == contract.version:
                contract = known  # which is compiled
            elif known.version > contract.version:
                return known  # somebody was faster
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[name] = _Cached(contract, monotonic())
        return contract

    async def _refuse_foreign_validator(self, name: str) -> None:
        if await has_foreign_validator(self._connection, name):
            raise ContractConflictError("The collection has a validator in MongoDB, which a mirror would take away.")


def _allowed(lessons: Sequence[Lesson], modes: Modes) -> list[Lesson]:
    """Return the lessons that the newest contract wants to learn, which may be another than they were made for."""
    wanted = {"field": modes.fields, "type": modes.types, "required": modes.required}
    return [lesson for lesson in lessons if wanted[lesson.kind] is Mode.EVOLVE]


def _key(name: str, version: int) -> str:
    return f"{name}:{version:0{_DIGITS}d}"


def _to_record(written: ContractVersion) -> Document:
    contract = written.contract
    return {
        "_id": _key(written.collection, written.version),
        "collection": written.collection,
        "version": written.version,
        "at": written.at,
        "by": written.by,
        "cause": written.cause,
        # As text, since a schema has keys that begin with $, and names with dots.
        "contract": None if contract is None else orjson.dumps(contract.to_dict()).decode(),
        "learned_fields": 0 if contract is None else contract.learned_fields,
    }


def _from_record(record: Document) -> ContractVersion:
    version = int(record["version"])
    stored = None if record["contract"] is None else orjson.loads(record["contract"])
    contract = (
        None
        if stored is None
        else Contract(
            schema=stored["schema"],
            modes=Modes(Mode(stored["fields"]), Mode(stored["types"]), Mode(stored["required"])),
            max_new_fields=stored["max_new_fields"],
            mirror=stored["mirror"],
            expect=stored.get("expect"),
            version=version,
            learned_fields=int(record["learned_fields"]),
        )
    )
    return ContractVersion(record["collection"], version, contract, record["at"], record["by"], record["cause"])
