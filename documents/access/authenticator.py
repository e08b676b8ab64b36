"""From credentials to the policy of their holder. What is known already costs no trip to MongoDB."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from documents.access.issuer import MAX_TOKEN_BYTES, InvalidTokenError, read_claims
from documents.access.key_format import PREFIX, read_key_or_none
from documents.access.key_sets import KeySets
from documents.access.key_store import KeyStore
from documents.access.policy import Policy
from documents.access.principal import ANONYMOUS, Principal
from documents.access.rules import Policies
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError, UnauthenticatedError

MAX_KNOWN: Final = 10_000
POLL_SECONDS: Final = 0.5
"""How often each process asks whether a key was revoked; so within a second all refuse it."""

USES_SECONDS: Final = 30.0
_log = logging.getLogger("sheaf")


class Authenticator:
    """Finds out who a caller is.

    Args:
        keys: The stored API keys.
        policies: Whose rules apply.
        read_only: Whether the server takes no writes.
    """

    def __init__(self, keys: KeyStore, policies: Policies, *, read_only: bool) -> None:
        self._keys = keys
        self._policies = policies
        self._read_only = read_only
        self._sets = KeySets()
        self._known: OrderedDict[bytes, Policy] = OrderedDict()
        self._version: int | None = None
        self._used: set[str] = set()
        is_welcome = ANONYMOUS.roles[0] in policies.roles
        self.anonymous: Final = self._policy(ANONYMOUS) if is_welcome else None

    def get_known_or_none(self, token: str) -> Policy | None:
        """Return the policy of credentials that were seen before and are still valid. No I/O."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is None:
            return None
        expires = known.principal.expires
        if expires is not None and expires <= time.time():
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        self._note(known.principal)
        return known

    async def authenticate(self, token: str, *, deadline: Deadline) -> Policy:
        """Return the policy of the holder of a key or a bearer token.

        Raises:
            UnauthenticatedError: It is not valid. The message does not say in which way.
            StoreError: MongoDB cannot be asked.
        """
        known = self.get_known_or_none(token)
        if known is not None:
            return known
        version = self._version
        is_key = token.startswith(f"{PREFIX}_")
        principal = await (self._of_key(token, deadline) if is_key else self._of_token(token))
        policy = self._policy(principal)
        if version == self._version:  # nothing was revoked meanwhile
            self._remember(token, policy)
        return policy

    async def _of_key(self, token: str, deadline: Deadline) -> Principal:
        key = read_key_or_none(token)
        if key is not None:
            with Running(deadline, writes=False):
                record = await self._keys.find(key)
            if record is not None:
                self._note(record.principal)
                return record.principal
        raise UnauthenticatedError

    async def _of_token(self, token: str) -> Principal:
        try:
            named = read_claims(token).get("iss")
            issuer = next((each for each in self._policies.issuers if each.issuer == named), None)
            if issuer is None:
                raise UnauthenticatedError
            kid = extract_compact(token.encode()).headers().get("kid")
            keys = await self._sets.of(issuer)
            if kid is not None and all(key.kid != kid for key in keys):
                keys = await self._sets.of(issuer, is_unknown=True)
            return await asyncio.to_thread(issuer.verify, token, keys)
        except (InvalidTokenError, JoseError, ValueError):
            raise UnauthenticatedError from None

    def _policy(self, principal: Principal) -> Policy:
        return Policy(principal, self._policies, read_only=self._read_only)

    def _remember(self, token: str, policy: Policy) -> None:
        if len(token) <= MAX_TOKEN_BYTES:
            self._known[hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()] = policy
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _note(self, principal: Principal) -> None:
        if principal.id.startswith("key:"):
            self._used.add(principal.id.removeprefix("key:"))

    async def watch(self, stopping: asyncio.Event) -> None:
        """Forget what is known whenever a key is revoked, and write down which keys were used, until told to stop."""
        noted = time.monotonic()
        while not stopping.is_set():
            try:
                with Running(Deadline(POLL_SECONDS * 4), writes=False):
                    version = await self._keys.version()
                if version != self._version:
                    self._known.clear()
                    self._version = version
                if self._used and time.monotonic() - noted >= USES_SECONDS:
                    noted, used = time.monotonic(), sorted(self._used)
                    self._used.clear()
                    with Running(Deadline(POLL_SECONDS * 4), writes=True):
                        await self._keys.note_use(used)
            except StoreError as error:
                # Whether a key was revoked is not known now, so each is looked up again once MongoDB answers.
                self._known.clear()
                _log.warning("Keys cannot be watched: %s", error.detail)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await stopping.wait()


@asynccontextmanager
async def watching(authenticator: Authenticator | None) -> AsyncGenerator[None]:
    """Have revoked keys forgotten while this lasts."""
    if authenticator is None:
        yield
        return
    stopping = asyncio.Event()
    task = asyncio.create_task(authenticator.watch(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task
