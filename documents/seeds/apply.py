"""Plants seeds: writes what is new or has changed, and leaves alone what others have changed."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.database import AsyncDatabase

from documents.catalog.declared import DeclaredModel
from documents.database.connection import RAW_OPTIONS
from documents.errors import Fault, UniqueViolationError
from documents.seeds.files import Seed, SeedError
from documents.seeds.prepare import STATES, PreparedSeed, Preparer, hash_of, raw_collection, running
from documents.seeds.report import WRITTEN, Outcome, SeedEvent, SeedReport, summarise
from documents.types import Document

Progress = Callable[[SeedEvent], None]
_SILENT: Final[Progress] = lambda _: None  # noqa: E731  # a default that does nothing


async def apply_seeds(
    database: AsyncDatabase[Document],
    models: Mapping[str, DeclaredModel],
    seeds: Iterable[Seed],
    *,
    environment: str,
    dry_run: bool = False,
    on_progress: Progress = _SILENT,
) -> SeedReport:
    """Plant the seeds of an environment. A second run changes nothing, and a killed one can be run again.

    All seeds are validated before the first is written. A document is found by its natural key (see
    `natural_key`). It is replaced only while it is as this function last left it; a deleted one comes back.

    Args:
        database: Where. What was planted is recorded in `_sheaf.seeds`.
        models: The declared ones, by collection; Beanie is initialised.
        seeds: As `load_seeds` returns them.
        environment: Seeds that name environments are planted only if this is one of them.
        dry_run: Write nothing, and report what would be done.
        on_progress: Told of each seed when it has been dealt with.

    Raises:
        SeedError: A seed does not fit its model, refers to nothing, or violates a unique index.
        StoreError: MongoDB cannot be reached.
    """
    chosen = [seed for seed in seeds if not seed.environments or environment in seed.environments]
    prepared = await Preparer(database, models).prepare(chosen)
    events: list[SeedEvent] = []
    for done, one in enumerate(prepared, 1):
        outcome = one.outcome if dry_run else await _plant(database, models, one)
        events.append(SeedEvent(one.seed.collection, one.seed.source, outcome, done, len(prepared)))
        on_progress(events[-1])
    return summarise(events, dry_run=dry_run)


async def _plant(
    database: AsyncDatabase[Document], models: Mapping[str, DeclaredModel], prepared: PreparedSeed
) -> Outcome:
    if prepared.outcome not in WRITTEN:
        return prepared.outcome
    try:
        await _record(database, prepared)
        return await _write(database, prepared)
    except UniqueViolationError as error:
        # Another process may have planted the same seed at this moment: then there is nothing left to do.
        with suppress(SeedError):
            (again,) = await Preparer(database, models).prepare([prepared.seed])
            if again.outcome not in WRITTEN:
                return again.outcome
        fault = Fault(prepared.seed.source, error.code, error.detail)
        raise SeedError("A seed violates a unique index.", [fault]) from error


async def _record(database: AsyncDatabase[Document], prepared: PreparedSeed) -> None:
    """Record what is about to be written. Recorded first, a document is never mistaken for another's work."""
    record = {
        "document_id": prepared.document_id,
        "seed": prepared.seed_hash,
        "document": hash_of(prepared.raw),
        "before": hash_of(prepared.existing.raw) if prepared.existing else None,
    }
    with running(writes=True):
        await database[STATES].update_one({"_id": prepared.state_id}, {"$set": record}, upsert=True)


async def _write(database: AsyncDatabase[Document], prepared: PreparedSeed) -> Outcome:
    collection = raw_collection(database, prepared.seed.collection)
    document = RawBSONDocument(prepared.raw, RAW_OPTIONS)
    with running(writes=True):
        if prepared.existing is None:
            await collection.insert_one(document)
            return Outcome.INSERTED
        unchanged = {"$expr": {"$eq": ["$$ROOT", {"$literal": prepared.existing}]}}
        result = await collection.replace_one({"_id": prepared.document_id, **unchanged}, document)
        return Outcome.UPDATED if result.matched_count else Outcome.KEPT
