"""Generates documents of declared models: plausible, the same every time, and as many as wanted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

import orjson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from documents.catalog.declared import DeclaredModel
from documents.codec.encode import encode
from documents.codec.plain import dump
from documents.database.connection import RAW_OPTIONS
from documents.database.failures import DUPLICATE_KEY_CODES, of_write_error
from documents.errors import DatabaseUnavailableError, Fault, InvalidDocumentError
from documents.seeds.files import SeedError
from documents.seeds.makers import MakerBuilder
from documents.seeds.prepare import raw_collection, running
from documents.seeds.relations import Reference, Relations
from documents.seeds.report import GeneratedEvent, GeneratedReport, Outcome
from documents.seeds.scene import DEFAULT_SEED, MAX_COUNT, Numbering, Scene
from documents.types import Document

BATCH: Final = 500
"""Documents in one round trip. No more than two batches are in memory at once."""

POOL: Final = 1000
"""Documents of another collection among which references choose."""

EXAMPLES: Final = 3
ATTEMPTS: Final = 100
"""How often a document is made anew when others have its unique values."""

DRAWS: Final = 20
"""How often a document is made anew when the model's own validators refuse it."""

Progress = Callable[[GeneratedEvent], None]
_SILENT: Final[Progress] = lambda _: None  # noqa: E731  # a default that does nothing


async def generate(
    database: AsyncDatabase[Document],
    models: Mapping[str, DeclaredModel],
    counts: Mapping[str, int],
    *,
    random_seed: int = DEFAULT_SEED,
    dry_run: bool = False,
    on_progress: Progress = _SILENT,
) -> GeneratedReport:
    """Insert generated documents, unless they are there. A second run changes nothing, and a killed one goes on.

    A document is found again by its `_id`, which follows from collection, seed and position; whatever became of it
    since, it is left alone. A larger count adds to what a smaller one has made.

    Args:
        database: Where.
        models: The declared ones, by collection; Beanie is initialised.
        counts: For each collection, how many documents there shall be of this seed; 1 to `MAX_COUNT`.
        random_seed: Another one makes other documents, with other ids and other unique values.
        dry_run: Write nothing, and report what would be done, with examples.
        on_progress: Told after each batch.

    Raises:
        SeedError: A collection is not declared, a count is not possible, no value can be made for a field, or no
            free value can be found for a unique one. What was inserted before stays.
        StoreError: MongoDB cannot be reached.
    """
    _refuse(models, counts)
    relations = Relations(models)
    run = _Run(database, models, counts, relations, random_seed, dry_run=dry_run)
    total = sum(counts.values())
    done = 0
    for name in relations.order(list(counts)):
        generator = await run.generator(name)
        for first in range(0, counts[name], BATCH):
            positions = range(first, min(first + BATCH, counts[name]))
            await run.ensure(generator, positions)
            done += len(positions)
            on_progress(GeneratedEvent(name, done, total))
    return run.report()


def _refuse(models: Mapping[str, DeclaredModel], counts: Mapping[str, int]) -> None:
    unknown = sorted(counts.keys() - models.keys())
    if unknown:
        raise SeedError(f"No model declares {', '.join(unknown)}. Declared are {', '.join(sorted(models))}.")
    for name, count in counts.items():
        if not 1 <= count <= MAX_COUNT:
            raise SeedError(f"The number of {name} is {count}; it is to be from 1 to {MAX_COUNT:,}.")


class Generator:
    """Makes the documents of one collection, each from its position alone.

    Args:
        declared: The collection's model.
        numbering: Makes ids.
        make: Makes a document from a scene, without its `_id`.
    """

    def __init__(self, declared: DeclaredModel, numbering: Numbering, make: Callable[[Scene], Document]) -> None:
        self._declared = declared
        self._numbering = numbering
        self._make = make
        self._random = Random()  # noqa: S311  # data to try things with

    @property
    def name(self) -> str:
        """The collection."""
        return self._declared.name

    def id_at(self, position: int) -> object:
        """Return the `_id` of a document."""
        return self._numbering.id_at(position, self._declared.id_type)

    def document_at(self, position: int, attempt: int = 0) -> Document:
        """Return a document as it would be stored.

        Raises:
            SeedError: Its model refuses it, and so whatever can be made.
        """
        fault = Fault("", "", "")
        for draw in range(DRAWS):
            self._numbering.start(self._random, position, attempt, draw)
            made = self._make(Scene(self._random, position, attempt))
            try:
                return self._declared.validate({"_id": self.id_at(position), **made})
            except InvalidDocumentError as error:
                fault = error.faults[0]
        field = fault.pointer.strip("/").replace("/", ".") or "the whole document"
        raise SeedError(f"No {self.name} can be made: the model refuses {field}: {fault.detail.rstrip('.')}.")


class _Run:
    """One call of `generate`: what it knows of the collections, and what it has done."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        models: Mapping[str, DeclaredModel],
        counts: Mapping[str, int],
        relations: Relations,
        seed: int,
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._models = models
        self._counts = counts
        self._relations = relations
        self._seed = seed
        self._dry_run = dry_run
        self._generators: dict[str, Generator] = {}
        self._done: dict[str, Counter[Outcome]] = {}
        self._examples: dict[str, list[Any]] = {}

    async def generator(self, name: str) -> Generator:
        """Return the generator of a collection; those that it refers to were asked for before."""
        declared = self._models[name]
        numbering = Numbering(name, self._seed)
        pools = {target: await self._pool(target) for target in self._relations.targets(name)}
        builder = MakerBuilder(
            collection=name,
            model=declared.model,
            relations=self._relations,
            pools=pools,
            numbering=numbering,
            own_id=lambda position: numbering.id_at(position, declared.id_type),
        )
        generator = Generator(declared, numbering, builder.build())
        self._generators[name] = generator
        self._done[name] = Counter()
        # Made in any case: a model for which nothing can be made is refused before anything of it is written.
        examples = [generator.document_at(position) for position in range(min(EXAMPLES, self._counts[name]))]
        self._examples[name] = [orjson.loads(dump(example)) for example in examples]
        return generator

    async def ensure(self, generator: Generator, positions: Sequence[int]) -> None:
        """See to it that documents are there."""
        there = await self._existing(generator, positions)
        lacking = [position for position in positions if generator.id_at(position) not in there]
        self._done[generator.name] += Counter({Outcome.UNCHANGED: len(positions) - len(lacking)})
        self._done[generator.name] += Counter({Outcome.INSERTED: len(lacking)})
        attempt = 0
        while lacking and not self._dry_run:
            if attempt == ATTEMPTS:
                raise SeedError(f"No free values can be found for the unique fields of {generator.name}.")
            lacking = await self._insert(generator, lacking, attempt)
            attempt += 1

    def report(self) -> GeneratedReport:
        """Return what was done."""
        counts = {name: dict(counted) for name, counted in self._done.items()}
        return GeneratedReport(counts, self._seed, self._examples, self._dry_run)

    async def _existing(self, generator: Generator, positions: Sequence[int]) -> set[object]:
        ids = [generator.id_at(position) for position in positions]
        with running(writes=False):
            found = await self._database[generator.name].find({"_id": {"$in": ids}}, {"_id": 1}).to_list()
        return {document["_id"] for document in found}

    async def _insert(self, generator: Generator, positions: Sequence[int], attempt: int) -> list[int]:
        """Insert documents, and return the positions of those whose unique values others have."""
        made = [RawBSONDocument(encode(generator.document_at(each, attempt)), RAW_OPTIONS) for each in positions]
        collection = raw_collection(self._database, generator.name)
        with running(writes=True):
            try:
                await collection.insert_many(made, ordered=False)
            except BulkWriteError as error:
                details: Mapping[str, Any] = error.details or {}
                failures: Sequence[Mapping[str, Any]] = details.get("writeErrors", [])
                if details.get("writeConcernErrors") or not failures:
                    raise DatabaseUnavailableError("MongoDB did not confirm the write.", "unknown") from error
                return [positions[int(failure["index"])] for failure in failures if _is_taken(failure)]
        return []

    async def _pool(self, target: Reference) -> list[object]:
        """Return what a reference can hold: of documents generated here, else of those that are stored."""
        generator = self._generators.get(target.collection)
        first = range(min(POOL, self._counts.get(target.collection, 0)))
        if generator is not None and self._dry_run:
            return [_field(generator.document_at(position), target.field) for position in first]
        chosen: Document = {} if generator is None else {"_id": {"$in": [generator.id_at(each) for each in first]}}
        with running(writes=False):
            cursor = self._database[target.collection].find(chosen, {target.field: 1}).sort("_id").limit(POOL)
            found = [_field(document, target.field) async for document in cursor]
        return [value for value in found if value is not None]


def _is_taken(failure: Mapping[str, Any]) -> bool:
    """Tell whether a refused document has somebody else's unique values. One whose `_id` is taken is there already."""
    if failure.get("code") not in DUPLICATE_KEY_CODES:
        raise of_write_error(failure)
    return list(failure.get("keyPattern", {})) != ["_id"]


def _field(document: Document, name: str) -> object:
    return document.get(name)
