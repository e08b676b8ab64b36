"""A collection full of the documents of `dataset`, for the benchmarks of what works through one."""

from typing import Final

from benchmarks.dataset import make_documents
from documents.database.connection import Connection

NAME: Final = "items"
BATCH: Final = 10_000


async def fill(connection: Connection, documents: int) -> None:
    """Insert the first so many documents into the collection `NAME`."""
    for start in range(0, documents, BATCH):
        several = make_documents(range(start, min(start + BATCH, documents)))
        await connection.collection(NAME).insert_many(several, ordered=False)
