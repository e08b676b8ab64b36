"""How far the profile of a whole collection is, and what it has seen so far, kept in the database.

A profile can be larger than a document may be, so it is kept compressed and in parts. The parts are written before the
record that names them, and those before them are deleted afterwards, so that it can be killed at any moment.
"""

import asyncio
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, cast
from uuid import uuid4

import bson
import orjson
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from documents.codec.plain import CODEC_OPTIONS
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.database.failures import UNAUTHORIZED
from documents.profile.accumulator import Profile
from documents.profile.storage import VERSION, from_dict, to_dict
from documents.types import SYSTEM_PREFIX, Document

PROFILES: Final = f"{SYSTEM_PREFIX}profiles"
PARTS: Final = f"{SYSTEM_PREFIX}profile_parts"
PART_BYTES: Final = 8 * 1024 * 1024
SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a profile is.

    Args:
        profile: Of the documents before `place`.
        place: The id to go on at, as a document of it alone.
        done: Documents walked past.
    """

    profile: Profile
    place: RawBSONDocument
    done: int


class ProfileCheckpoints:
    """The checkpoints of one profile. Of two processes that make it at once, the last to write is gone on from.

    Args:
        connection: Where they are kept.
        key: Of the profile: see `key_of`.
        part_bytes: Of the largest part.
    """

    def __init__(self, connection: Connection, key: str, *, part_bytes: int = PART_BYTES) -> None:
        self._records = connection.collection(PROFILES)
        self._parts = connection.collection(PARTS)
        self._key = key
        self._part_bytes = part_bytes
        self._current: str | None = None
        self._may_write = True

    async def read(self) -> Checkpoint | None:
        """Return the last one; None if there is none, or it is not whole."""
        with Running(Deadline(SECONDS), writes=False):
            record = await self._records.find_one({"_id": self._key})
            if record is None:
                return None
            wanted = {"_id": {"$gte": f"{record['parts']}:", "$lt": f"{record['parts']};"}}
            parts = await self._parts.find(wanted).sort("_id").to_list()
        if len(parts) != record["count"]:
            return None  # another process has finished the same profile at this moment
        self._current = record["parts"]
        profile = await asyncio.to_thread(_unpacked, b"".join(part["data"] for part in parts))
        place = RawBSONDocument(cast("bytes", record["place"]))
        return Checkpoint(profile, place, int(record["done"]))

    async def write(self, checkpoint: Checkpoint, collection: str) -> None:
        """Write one in place of the one before."""
        packed = await asyncio.to_thread(_packed, checkpoint.profile)
        name = f"{self._key}:{uuid4().hex}"
        chunks = [packed[start : start + self._part_bytes] for start in range(0, len(packed), self._part_bytes)]
        record: Document = {
            "collection": collection,
            "place": bytes(checkpoint.place.raw),
            "done": Int64(checkpoint.done),
            "parts": name,
            "count": len(chunks),
        }
        if not self._may_write:
            return
        with Running(Deadline(SECONDS), writes=True), self._if_allowed():
            for number, data in enumerate(chunks):
                part = {"_id": f"{name}:{number:04d}", "profile": self._key, "data": data}
                await self._parts.insert_one(part)
            changes = {"$set": record, "$currentDate": {"at": True}}
            await self._records.update_one({"_id": self._key}, changes, upsert=True)
            if self._current is not None:
                await self._parts.delete_many({"_id": {"$gte": f"{self._current}:", "$lt": f"{self._current};"}})
            self._current = name

    async def forget(self) -> None:
        """Delete them all."""
        if not self._may_write:
            return
        with Running(Deadline(SECONDS), writes=True), self._if_allowed():
            await self._records.delete_one({"_id": self._key})
            await self._parts.delete_many({"_id": {"$gte": f"{self._key}:", "$lt": f"{self._key};"}})

    @contextmanager
    def _if_allowed(self) -> Generator[None]:
        """Write nothing from now on if MongoDB's user may not: a profile does not depend on its checkpoints."""
        try:
            yield
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise
            self._may_write = False


async def key_of(connection: Connection, collection: str, where: Document, profile: Profile) -> str:
    """Return a name for the profile of a collection as it is now, which another one of the same name would not have."""
    with Running(Deadline(SECONDS), writes=False):
        found = await (await connection.database.list_collections(filter={"name": collection})).to_list()
    described: Document = {
        "uuid": cast("Any", found[0]).get("info", {}).get("uuid") if found else None,
        "where": where,
        "version": VERSION,
        "limits": profile.limits.to_dict(),
        "redact": profile.growth.redact,
    }
    data = bson.encode(described, codec_options=CODEC_OPTIONS)
    return f"{collection}:{blake2b(data, digest_size=12).hexdigest()}"


def _packed(profile: Profile) -> bytes:
    return zlib.compress(orjson.dumps(to_dict(profile)))


def _unpacked(data: bytes) -> Profile:
    return from_dict(orjson.loads(zlib.decompress(data)))
