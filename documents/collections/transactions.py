"""Sessions: transactions, which are all or none, and work that ends when its caller goes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern

from documents.collections.services import Services
from documents.database.connection import DURABLE

T = TypeVar("T")


async def transact(services: Services, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
    """Return what `work` gives inside a transaction.

    When the transaction runs into another one, or its commit is lost, it is done again, within the deadline that
    the driver was given. `work` must therefore let the driver's transient errors pass.
    """
    async with services.connection.client.start_session() as session:
        return await session.with_transaction(work, read_concern=ReadConcern("snapshot"), write_concern=DURABLE)


async def revocably(services: Services, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
    """Return what `work` gives, and see that MongoDB gives it up when the caller is cancelled.

    MongoDB ends a query by itself when its connection closes, but not an update or a delete. The session is kept from
    others until that is done, so nobody else's work is ended with it.
    """
    async with services.connection.client.start_session() as session:
        try:
            return await work(session)
        except asyncio.CancelledError:
            await services.connection.end_work(session)
            raise
