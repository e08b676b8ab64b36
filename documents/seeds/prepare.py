"""Makes seeds ready: references resolved, validated by their models, compared with what is stored. Only reads."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from uuid import NAMESPACE_OID, uuid5

from beanie import Document as BeanieDocument
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from documents.catalog.declared import DeclaredModel
from documents.catalog.ids import admit_id
from documents.codec.encode import encode
from documents.codec.plain import dump
from documents.codec.strict import check_keys
from documents.database.connection import RAW_OPTIONS
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InputError, InvalidDocumentError
from documents.models.declarations import index_models
from documents.seeds.files import Seed, SeedError
from documents.seeds.references import order_collections, resolve_references
from documents.seeds.report import Outcome
from documents.types import SYSTEM_PREFIX, Document, IdType

STATES: Final = f"{SYSTEM_PREFIX}seeds"
STEP_LIMIT: Final = timedelta(seconds=30)
"""Longest that one read or write may take."""

FIRST_SECOND: Final = bytes.fromhex("65920080")
"""Ids that are made up here begin so: as made when the year 2024 began."""


@dataclass(frozen=True, slots=True)
class PreparedSeed:
    """A seed that could be written.

    Args:
        seed: As it was read.
        state_id: `_id` of the record of what was last planted.
        document_id: `_id` of the document.
        raw: The document as it would be stored.
        seed_hash: Of what the file says.
        existing: The document as it is stored now.
        outcome: What is to become of it.
    """

    seed: Seed
    state_id: str
    document_id: object
    raw: bytes
    seed_hash: str
    existing: RawBSONDocument | None
    outcome: Outcome


def running(*, writes: bool) -> Running:
    """Await one read or write inside this."""
    return Running(Deadline(STEP_LIMIT.total_seconds()), writes=writes)


def raw_collection(database: AsyncDatabase[Document], name: str) -> AsyncCollection[RawBSONDocument]:
    """Return a collection, its documents as the bytes they are."""
    return cast("Any", database).get_collection(name, codec_options=RAW_OPTIONS)


def hash_of(data: bytes | memoryview) -> str:
    """Return the hash by which contents are compared."""
    return hashlib.sha256(data).hexdigest()


def natural_key(model: type[BeanieDocument]) -> tuple[str, ...]:
    """Return the fields that tell a model's documents apart: those of its first unique index, else `_id`."""
    for index in index_models(model):
        if index.document.get("unique") and "partialFilterExpression" not in index.document:
            return tuple(index.document["key"])
    return ("_id",)


class Preparer:
    """Prepares the seeds of one run, and remembers which ids they have.

    Args:
        database: Where the documents are to be.
        models: The declared ones, by collection; Beanie is initialised.
    """

    def __init__(self, database: AsyncDatabase[Document], models: Mapping[str, DeclaredModel]) -> None:
        self._database = database
        self._models = models
        self._ids: dict[tuple[str, bytes], object] = {}

    async def prepare(self, seeds: Sequence[Seed]) -> list[PreparedSeed]:
        """Return the seeds ready to be written, those first that others refer to.

        Raises:
            SeedError: With every fault of the first collection that has any.
        """
        self._refuse_undeclared(seeds)
        prepared: list[PreparedSeed] = []
        for name in order_collections(seeds):
            faults: list[Fault] = []
            for seed in (seed for seed in seeds if seed.collection == name):
                try:
                    prepared.append(await self._prepare(seed, self._models[name]))
                except InputError as error:
                    faults += _placed(error, seed.source)
            if faults:
                raise SeedError(f"Some seeds of {name} cannot be planted.", faults)
        return prepared

    def _refuse_undeclared(self, seeds: Iterable[Seed]) -> None:
        unknown = sorted({seed.collection for seed in seeds} - self._models.keys())
        if unknown:
            raise SeedError(f"No model declares {', '.join(unknown)}. Declared are {', '.join(sorted(self._models))}.")

    async def _prepare(self, seed: Seed, model: DeclaredModel) -> PreparedSeed:
        value: Document = await resolve_references(seed.value, self._resolve, "")
        faults = check_keys(value)
        if faults:
            raise InvalidDocumentError("A key cannot be stored.", faults)
        given = admit_id(value, model.id_type) if "_id" in value else value
        document = model.validate(given)
        key = _key_of(document, natural_key(model.model))
        existing = await self._find(seed.collection, key)
        document_id = _choose_id(given, document, existing, model.id_type, (seed.collection, key))
        self._remember(seed.collection, key, document_id)
        raw = encode({"_id": document_id, **{name: item for name, item in document.items() if name != "_id"}})
        state_id = f"{seed.collection}:{dump(key).decode()}"
        seed_hash = hash_of(json.dumps(value, sort_keys=True, default=str).encode())
        with running(writes=False):
            state = await self._database[STATES].find_one({"_id": state_id})
        outcome = decide(existing, state, seed_hash=seed_hash, raw=raw)
        return PreparedSeed(seed, state_id, document_id, raw, seed_hash, existing, outcome)

    async def _find(self, collection: str, key: Document) -> RawBSONDocument | None:
        with running(writes=False):
            return await raw_collection(self._database, collection).find_one(key)

    def _remember(self, collection: str, key: Document, document_id: object) -> None:
        entry = (collection, encode(key))
        if entry in self._ids:
            raise _invalid("duplicate-seed", f"Another seed has the same {' and '.join(key)}.")
        self._ids[entry] = document_id

    async def _resolve(self, collection: str, fields: Document, pointer: str) -> object:
        """Return the `_id` that a reference means: of an earlier seed, else of a stored document."""
        model = self._models.get(collection)
        try:
            key = {name: _coerce(model, name, fields[name]) for name in sorted(fields)}
        except ValueError as error:
            raise _invalid("unresolved", f"The reference cannot be read: {error}.", pointer) from error
        known = self._ids.get((collection, encode(key)))
        if known is not None:
            return known
        with running(writes=False):
            found = await self._database[collection].find(key, {"_id": 1}).limit(2).to_list()
        if len(found) != 1:
            count = "No" if not found else "More than one"
            raise _invalid("unresolved", f"{count} document of {collection} has {dump(key).decode()}.", pointer)
        return found[0]["_id"]


def decide(existing: RawBSONDocument | None, state: Document | None, *, seed_hash: str, raw: bytes) -> Outcome:
    """Return what is to become of a seed.

    Args:
        existing: The document as it is stored.
        state: What was recorded when it was last planted: hashes of the seed, of the document and, as a run can be
            killed between the record and the write, of the document before.
        seed_hash: Of what the file says now.
        raw: The document as it would be stored.
    """
    if existing is None:
        return Outcome.INSERTED
    stored = hash_of(existing.raw)
    if state is None:
        return Outcome.UNCHANGED if stored == hash_of(raw) else Outcome.KEPT
    is_as_planted = stored == state["document"]
    if state["seed"] == seed_hash and (is_as_planted or stored != state["before"]):
        return Outcome.UNCHANGED
    return Outcome.UPDATED if is_as_planted or stored == state["before"] else Outcome.KEPT


def _key_of(document: Document, fields: Iterable[str]) -> Document:
    key = {field: _at(document, field) for field in sorted(fields)}
    missing = [field for field, value in key.items() if value is None]
    if missing:
        raise _invalid("no-key", f"A seed is told apart by {' and '.join(key)}, so it needs {' and '.join(missing)}.")
    return key


def _at(value: object, path: str) -> object:
    for segment in path.split("."):
        value = cast("Document", value).get(segment) if isinstance(value, dict) else None
    return value


def _choose_id(
    given: Document, document: Document, existing: RawBSONDocument | None, id_type: IdType, key: tuple[str, Document]
) -> object:
    """Return the stored `_id`, else the seed's own, else one that is the same wherever this seed is planted."""
    if existing is not None:
        if "_id" in given and given["_id"] != existing["_id"]:
            raise _invalid("other-id", f"The document with this {' and '.join(key[1])} has another _id.", "/_id")
        return existing["_id"]
    if document.get("_id") is not None:
        return document["_id"]
    name = f"{key[0]}:{dump(key[1]).decode()}"
    if id_type is IdType.OBJECTID:
        return ObjectId(FIRST_SECOND + hashlib.sha256(name.encode()).digest()[:8])
    if id_type is IdType.UUID:
        return uuid5(NAMESPACE_OID, name)
    raise _invalid("no-id", f"The ids of {key[0]} are of type {id_type}, so each seed brings its own _id.", "/_id")


def _coerce(model: DeclaredModel | None, field: str, value: object) -> object:
    coerce = model.coerce(field) if model else None
    return coerce(value) if coerce else value


def _invalid(code: str, detail: str, pointer: str = "") -> InvalidDocumentError:
    return InvalidDocumentError(detail, [Fault(pointer, code, detail)])


def _placed(error: InputError, source: str) -> list[Fault]:
    faults = error.faults or (Fault("", error.code, error.detail),)
    return [Fault(f"{source}{fault.pointer}", fault.code, fault.detail) for fault in faults]
