"""The key sets of identity providers: read from a file or an https address, kept, and read again when they change."""

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import HTTPSHandler, OpenerDirector, Request

from joserfc.jwk import KeySet

from documents.access.issuer import InvalidTokenError, Issuer, usable_keys

FRESH_SECONDS: Final = 600.0
AGAIN_SECONDS: Final = 10.0
"""Between two readings: tokens with made-up key names shall not hammer the provider."""

FETCH_SECONDS: Final = 5.0
MAX_BYTES: Final = 256 * 1024
OPENER: Final = OpenerDirector()
"""Speaks https and follows nothing: the operator named an address, and no other one is asked."""

OPENER.add_handler(HTTPSHandler())
_log = logging.getLogger("sheaf")


class KeySets:
    """Knows the keys of each issuer. One reading at a time for each; the old set is kept when a reading fails."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, KeySet]] = {}
        self._tried: dict[str, float] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def of(self, issuer: Issuer, *, is_unknown: bool = False) -> KeySet:
        """Return the keys of an issuer.

        Args:
            issuer: Whose.
            is_unknown: Whether a token names a key that is not in the set that is known.

        Raises:
            InvalidTokenError: There are none, as the set could never be read.
        """
        async with self._reading.setdefault(issuer.issuer, asyncio.Lock()):
            known, now = self._known.get(issuer.issuer), time.monotonic()
            is_old = known is None or is_unknown or now - known[0] > FRESH_SECONDS
            if is_old and now - self._tried.get(issuer.issuer, -AGAIN_SECONDS) >= AGAIN_SECONDS:
                self._tried[issuer.issuer] = now
                known = await self._read(issuer) or known
            if known is None:
                raise InvalidTokenError("The keys of its issuer cannot be read.")
            return known[1]

    async def _read(self, issuer: Issuer) -> tuple[float, KeySet] | None:
        try:
            keys = usable_keys(json.loads(await asyncio.to_thread(_load, issuer.jwks)))
        except (OSError, URLError, ValueError, InvalidTokenError) as error:
            _log.warning("The keys of %s cannot be read: %s", issuer.issuer, type(error).__name__)
            return None
        self._known[issuer.issuer] = (time.monotonic(), keys)
        return self._known[issuer.issuer]


def _load(place: str) -> bytes:
    """Return the content of a file or an https address."""
    if not place.startswith("https://"):
        return Path(place).read_bytes()[:MAX_BYTES]
    request = Request(place, headers={"Accept": "application/json"})  # noqa: S310  # https, and from the operator
    with OPENER.open(request, timeout=FETCH_SECONDS) as response:
        return response.read(MAX_BYTES)
