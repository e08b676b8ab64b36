"""Whether the documents of a collection fit a model that is to declare it. Nothing is written."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson

from documents.catalog.declared import DeclaredModel
from documents.codec.extended import dump_extended_value
from documents.codec.stored import StoredDocument
from documents.collections.profile_checkpoints import SECONDS
from documents.collections.walk import walk
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidDocumentError

SHOWN: Final = 10
"""Documents that do not fit and are named, the first of them."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A document that does not fit."""

    id: object
    faults: Sequence[Fault]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, its id as Extended JSON."""
        faults = [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in self.faults]
        return {"_id": orjson.loads(dump_extended_value(self.id, canonical=False)), "faults": faults}


@dataclass(frozen=True, slots=True)
class Conformance:
    """How many documents fit so far.

    Args:
        checked: Documents looked at.
        total: About how many there are.
        misfits: How many of them do not fit.
        first: Some of those.
        is_done: Whether all were looked at.
    """

    checked: int
    total: int
    misfits: int
    first: tuple[Misfit, ...]
    is_done: bool = False

    def to_dict(self) -> Mapping[str, Any]:
        """Return the conformance as JSON values."""
        return {"checked": self.checked, "misfits": self.misfits, "first": [misfit.to_dict() for misfit in self.first]}


async def check_documents(connection: Connection, model: DeclaredModel) -> AsyncGenerator[Conformance]:
    """Validate every stored document as it would be on its next change, and yield how far it is.

    Raises:
        StoreError: MongoDB cannot answer.
    """
    with Running(Deadline(SECONDS), writes=False):
        total = await connection.collection(model.name).estimated_document_count()
    checked = misfits = 0
    first: list[Misfit] = []
    async with aclosing(walk(connection, model.name)) as strides:
        async for stride in strides:
            for document in stride.documents:
                misfit = _misfit(model, document)
                if misfit is not None:
                    misfits += 1
                    first += [misfit][: SHOWN - len(first)]
            checked += len(stride.documents)
            if stride.documents:
                yield Conformance(checked, max(total, checked), misfits, tuple(first))
    yield Conformance(checked, checked, misfits, tuple(first), is_done=True)


def _misfit(model: DeclaredModel, document: StoredDocument) -> Misfit | None:
    stored = document.decode()
    try:
        model.validate(stored, before=stored)
    except InvalidDocumentError as error:
        return Misfit(document.id, error.faults)
    return None
