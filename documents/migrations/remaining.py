"""Whether documents are still as before a backfill, so that it is too early to contract. Writes nothing."""

from typing import Final

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import DeadlineExceededError
from documents.migrations.compile import compile_operation
from documents.migrations.errors import DocumentsRemainError
from documents.migrations.graph import Revision
from documents.migrations.operations import FieldOperation, Filter, IndexOperation
from documents.migrations.steps import find_first
from documents.migrations.wording import describe

COUNT_SECONDS: Final = 10.0


async def refuse_remaining(connection: Connection, revision: Revision) -> None:
    """Let a revision not be contracted while there are documents that its backfill is for. Writes nothing.

    Raises:
        DocumentsRemainError: There are some. Says how many, and what to do.
        StoreError: MongoDB cannot be reached.
    """
    fields = [operation for operation in revision.backfill if not isinstance(operation, IndexOperation)]
    remaining = [text for operation in fields if (text := await _remaining(connection, operation))]
    if remaining:
        raise DocumentsRemainError(
            f"The contract phase of {revision} has to wait: {'; '.join(remaining)}. They came in after the backfill, "
            "or have what it leaves alone. Stop what still writes them, then sweep them up with: "
            f"sheaf migrate upgrade --to {revision.id} --phase backfill"
        )


async def _remaining(connection: Connection, operation: FieldOperation) -> str:
    remains = compile_operation(operation).remains
    if remains is None or await find_first(connection, operation.collection, remains) is None:
        return ""
    count = await count_matching(connection, operation.collection, remains, seconds=COUNT_SECONDS)
    number = "some documents" if count is None else f"{count:,} document{'' if count == 1 else 's'}"
    return f"{number} of {operation.collection} still wait{'s' if count == 1 else ''} for “{describe(operation)}”"


async def count_matching(connection: Connection, collection: str, where: Filter, *, seconds: float) -> int | None:
    """Return how many documents match; None if counting takes longer than it may. Writes nothing."""
    try:
        with Running(Deadline(seconds), writes=False):
            return await connection.collection(collection).count_documents(where)
    except DeadlineExceededError:
        return None
