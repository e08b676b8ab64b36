"""API keys as they are stored: their digests, never the keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson import Binary
from pymongo import ReturnDocument

from documents.access.key_format import ApiKey, make_key
from documents.access.principal import Principal
from documents.database.connection import Connection
from documents.errors import KeyNotFoundError
from documents.types import EMPTY, SYSTEM_PREFIX, Document

KEYS: Final = f"{SYSTEM_PREFIX}keys"
VERSIONS: Final = f"{SYSTEM_PREFIX}versions"
ADMIN: Final = "admin"
"""The role that may do everything. No policy has to name it."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A stored key.

    Args:
        id: Its lookup, which is no secret.
        name: What its maker calls it.
        roles: Whose rules apply.
        variables: What `$name` stands for in policies.
        created: When, in UTC.
        expires: When it stops being valid; None for never.
        revoked: When it was revoked; None while it is not.
        last_used: When it was last used, to the minute; None before that.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    created: datetime
    variables: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it lets somebody in now."""
        return self.revoked is None and (self.expires is None or self.expires > _now())

    @property
    def principal(self) -> Principal:
        """Return who holds it."""
        expires = None if self.expires is None else self.expires.replace(tzinfo=UTC).timestamp()
        return Principal(f"key:{self.id}", self.roles, self.variables, expires, is_trusted=ADMIN in self.roles)


class KeyStore:
    """Makes, finds and revokes keys. Await its methods inside `Running`.

    Args:
        connection: To MongoDB.
    """

    def __init__(self, connection: Connection) -> None:
        self._keys = connection.collection(KEYS)
        self._versions = connection.collection(VERSIONS)

    async def create(
        self,
        name: str,
        roles: Sequence[str],
        *,
        variables: Mapping[str, Any] = EMPTY,
        lifetime: timedelta | None = None,
    ) -> tuple[ApiKey, KeyRecord]:
        """Make a key and return it. It cannot be shown again."""
        key, now = make_key(), _now()
        record = KeyRecord(key.lookup, name, tuple(roles), now, dict(variables), now + lifetime if lifetime else None)
        await self._keys.insert_one({**_written(record), "digest": Binary(key.digest)})
        return key, record

    async def find(self, key: ApiKey) -> KeyRecord | None:
        """Return the valid record of a key, or None."""
        found = await self._keys.find_one({"_id": key.lookup, "digest": Binary(key.digest)})
        record = None if found is None else _read(found)
        return record if record is not None and record.is_valid else None

    async def list_all(self) -> list[KeyRecord]:
        """Return all keys, the oldest first."""
        return [_read(found) async for found in self._keys.find().sort("created", 1)]

    async def get(self, lookup: str) -> KeyRecord:
        """Return one key.

        Raises:
            KeyNotFoundError: There is none.
        """
        found = await self._keys.find_one({"_id": lookup})
        if found is None:
            raise KeyNotFoundError(lookup)
        return _read(found)

    async def revoke(self, lookup: str) -> KeyRecord:
        """Revoke a key. Every process refuses it within a second.

        Raises:
            KeyNotFoundError: There is none.
        """
        found = await self._keys.find_one_and_update(
            {"_id": lookup},
            [{"$set": {"revoked": {"$ifNull": ["$revoked", "$$NOW"]}}}],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            raise KeyNotFoundError(lookup)
        await self._versions.update_one({"_id": "keys"}, {"$inc": {"version": 1}}, upsert=True)
        return _read(found)

    async def version(self) -> int:
        """Return a number that rises whenever a key is revoked."""
        found = await self._versions.find_one({"_id": "keys"})
        return 0 if found is None else int(found["version"])

    async def note_use(self, lookups: Sequence[str]) -> None:
        """Write down that keys were used."""
        await self._keys.update_many({"_id": {"$in": list(lookups)}}, {"$set": {"last_used": _now()}})


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _written(record: KeyRecord) -> Document:
    return {
        "_id": record.id,
        "name": record.name,
        "roles": list(record.roles),
        "variables": dict(record.variables),
        "created": record.created,
        "expires": record.expires,
        "revoked": record.revoked,
        "last_used": record.last_used,
    }


def _read(found: Mapping[str, Any]) -> KeyRecord:
    return KeyRecord(
        id=found["_id"],
        name=found["name"],
        roles=tuple(found["roles"]),
        created=found["created"],
        variables=found["variables"],
        expires=found["expires"],
        revoked=found["revoked"],
        last_used=found["last_used"],
    )
