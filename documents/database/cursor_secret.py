"""The secret that page cursors are signed with: the same in all processes of a deployment, made when first needed."""

import logging
import secrets
from contextlib import suppress
from typing import Final

from pymongo.errors import DuplicateKeyError, OperationFailure

from documents.database.connection import Connection
from documents.database.failures import UNAUTHORIZED
from documents.types import SYSTEM_PREFIX, Document

SECRETS: Final = f"{SYSTEM_PREFIX}secrets"
SECRET_BYTES: Final = 32
_log = logging.getLogger("sheaf")


class CursorSecret:
    """Reads the stored secret, or makes it, the first time that a cursor is sealed or opened.

    Args:
        connection: Where it is stored.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._value: bytes | None = None

    async def read(self) -> bytes:
        """Return the secret. Where MongoDB lets Sheaf store none, it is one of this process alone."""
        if self._value is None:
            self._value = await self._find() or await self._make()
        return self._value

    async def _find(self) -> bytes | None:
        found = await self._connection.collection(SECRETS).find_one({"_id": "cursor"})
        return bytes(found["value"]) if found else None

    async def _make(self) -> bytes:
        made: Document = {"_id": "cursor", "value": secrets.token_bytes(SECRET_BYTES)}
        try:
            with suppress(DuplicateKeyError):  # another process made it at this moment
                await self._connection.collection(SECRETS).insert_one(made)
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise
            _log.warning("MongoDB does not let Sheaf store the secret of page cursors: each process has its own.")
            return made["value"]
        return await self._find() or made["value"]
