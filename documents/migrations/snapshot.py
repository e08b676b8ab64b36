"""What the models declare, as a value and as a committed file: what the next revision is compared with. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, cast, get_origin

from beanie import Document
from beanie.odm.utils.encoder import Encoder
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from documents.codec.encode import encode
from documents.codec.extended import decode_extended, dump_extended_value
from documents.codec.strict import parse_json
from documents.errors import InputError, StoreError
from documents.indexes.declared import declared_indexes
from documents.indexes.spec import IndexSpec, parse_index
from documents.migrations.errors import MigrationError
from documents.migrations.paths import EACH
from documents.migrations.stored_types import StoredType, is_stored, read_annotation
from documents.models.declarations import collection_name
from documents.types import MISSING

FORMAT: Final = 1
REVISION_ID: Final = "revision_id"
"""The field that Beanie keeps only for models with `use_revision`."""


_EMPTY: Final = (list, dict, set, frozenset, tuple)
"""Factories that always make the same."""


class SnapshotError(MigrationError):
    """A snapshot cannot be taken or read."""

    code = "invalid-snapshot"


class Presence(StrEnum):
    """What stands for a field that a document lacks."""

    REQUIRED = "required"
    DEFAULT = "default"
    MADE = "made"
    """A value made at run time, such as the time of day."""

    ITEM = "item"
    """Not a field: the items of an array."""


@dataclass(frozen=True, slots=True)
class FieldSnapshot:
    """One declared field.

    Args:
        types: In the words of `$type`, sorted; see `StoredType`.
        presence: What stands for it where it lacks.
        default: That, as stored; MISSING unless `presence` is `default`.
        is_nullable: Whether it may be null.
        values: All that it may be besides null; None for no limit.
    """

    types: tuple[str, ...]
    presence: Presence
    default: object = MISSING
    is_nullable: bool = False
    values: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True)
class CollectionSnapshot:
    """One declared collection.

    Args:
        fields: By path, as operations have it. What lies below an object without any is free.
        indexes: By name.
    """

    fields: Mapping[str, FieldSnapshot]
    indexes: tuple[IndexSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every declared collection, by name."""

    collections: Mapping[str, CollectionSnapshot] = field(default_factory=dict[str, CollectionSnapshot])

    def to_text(self) -> str:
        """Return it as JSON, the same for the same models, with a line for each field and index."""
        blocks = [
            f"    {json.dumps(name)}: {{\n"
            f'      "fields": {_lines("{}", _field_lines(found.fields))},\n'
            f'      "indexes": {_lines("[]", [_dump(_index_to_dict(spec)) for spec in found.indexes])}\n'
            "    }"
            for name, found in sorted(self.collections.items())
        ]
        collections = "{\n" + ",\n".join(blocks) + "\n  }" if blocks else "{}"
        return f'{{\n  "format": {FORMAT},\n  "collections": {collections}\n}}\n'


def take_snapshot(models: Sequence[type[Document]]) -> Snapshot:
    """Return what models declare, by the names that MongoDB has. Needs no database.

    Raises:
        SnapshotError: A field has a name that no operation can say, or a default that BSON cannot hold.
        InvalidIndexError: An index cannot be meant.
    """
    return Snapshot(
        {
            collection_name(model): CollectionSnapshot(
                dict(sorted(_Reader(model).fields())),
                tuple(sorted(declared_indexes(model), key=lambda spec: spec.name)),
            )
            for model in models
        }
    )


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot of a file; an empty one if there is no such file.

    Raises:
        SnapshotError: It is none, or one of a later Sheaf.
    """
    if not path.exists():
        return Snapshot()
    try:
        found = _SnapshotFile.model_validate(parse_json(path.read_bytes()))
        return Snapshot({name: _collection(content) for name, content in found.collections.items()})
    except (StoreError, ValidationError) as error:
        raise SnapshotError(
            f"{path} is no snapshot of format {FORMAT}: {_first(error)}. "
            "Restore it from version control; after a merge, keep the lines of both sides."
        ) from error


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot to a file, which `read_snapshot` reads."""
    path.write_text(snapshot.to_text(), encoding="utf-8", newline="\n")


class _Reader:
    """Reads the fields of one model, and of those embedded in it."""

    def __init__(self, model: type[Document]) -> None:
        settings: object = getattr(model, "Settings", None)
        self._model = model
        self._encoders = cast("dict[Any, Any]", getattr(settings, "bson_encoders", None) or {})
        self._keeps_revisions = bool(getattr(settings, "use_revision", False))

    def fields(self) -> Iterator[tuple[str, FieldSnapshot]]:
        yield from self._of_model(self._model, "", ())

    def _of_model(
        self, model: type[BaseModel], prefix: str, around: tuple[type[BaseModel], ...]
    ) -> Iterator[tuple[str, FieldSnapshot]]:
        for name, info in model.model_fields.items():
            is_kept = not info.exclude or (name == REVISION_ID and self._keeps_revisions and not around)
            if not is_kept or not is_stored(info.annotation):
                continue
            path = prefix + self._checked(info.alias or name)
            stored = read_annotation(info.annotation, encoded=self._encoders)
            yield path, _field(stored, *self._presence(path, info))
            yield from self._below(stored, path, (*around, model))

    def _below(
        self, stored: StoredType, path: str, around: tuple[type[BaseModel], ...]
    ) -> Iterator[tuple[str, FieldSnapshot]]:
        if stored.items is not None:
            yield f"{path}.{EACH}", _field(stored.items, Presence.ITEM, MISSING)
            yield from self._below(stored.items, f"{path}.{EACH}", around)
        # A model inside itself has no end; what is below it counts as free.
        if stored.model is not None and stored.model not in around:
            yield from self._of_model(stored.model, f"{path}.", around)

    def _checked(self, name: str) -> str:
        if not name or name == EACH or "." in name or "\0" in name or name.startswith("$"):
            raise SnapshotError(f"{self._model.__qualname__} has a field {name!r}, which no migration can name.")
        return name

    def _presence(self, path: str, info: FieldInfo) -> tuple[Presence, object]:
        if info.is_required():
            return Presence.REQUIRED, MISSING
        factory: Any = info.default_factory
        if factory is not None and (get_origin(factory) or factory) not in _EMPTY:
            return Presence.MADE, MISSING
        value: Any = info.default if factory is None else factory()
        try:
            stored: Any = Encoder(custom_encoders=self._encoders, to_db=True).encode(value)
            encode({"": stored})
        except (InputError, ValueError, TypeError) as error:
            raise SnapshotError(
                f"The default of {path} in {self._model.__qualname__} is none that MongoDB can store: {value!r}."
            ) from error
        return Presence.DEFAULT, stored


def _first(error: StoreError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'/'.join(str(step) for step in fault['loc'])}: {fault['msg']}"
    faults = error.faults if isinstance(error, InputError) else ()
    return " ".join([error.detail, *(f"{each.pointer}: {each.detail}" for each in faults[:1])]).rstrip(".")


class _FieldFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    types: list[str]
    presence: Presence
    default: Any = MISSING
    nullable: bool = False
    values: list[Any] | None = None


class _IndexFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    keys: list[tuple[str, int | float | str]]
    options: dict[str, Any]


class _CollectionFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    fields: dict[str, _FieldFile]
    indexes: list[_IndexFile]


class _SnapshotFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: Literal[1]
    collections: dict[str, _CollectionFile]


def _field(stored: StoredType, presence: Presence, default: object) -> FieldSnapshot:
    return FieldSnapshot(tuple(sorted(stored.types)), presence, default, stored.is_nullable, stored.values)


def _collection(content: _CollectionFile) -> CollectionSnapshot:
    return CollectionSnapshot(
        {
            path: FieldSnapshot(
                tuple(found.types),
                found.presence,
                MISSING if found.default is MISSING else decode_extended(found.default),
                found.nullable,
                None if found.values is None else tuple(decode_extended(found.values)),
            )
            for path, found in content.fields.items()
        },
        tuple(
            parse_index({"key": dict(spec.keys), "name": spec.name, **decode_extended(spec.options, lenient_keys=True)})
            for spec in content.indexes
        ),
    )


def _field_lines(fields: Mapping[str, FieldSnapshot]) -> list[str]:
    return [
        f"{json.dumps(path, ensure_ascii=False)}: {_dump(_to_dict(found))}" for path, found in sorted(fields.items())
    ]


def _to_dict(found: FieldSnapshot) -> dict[str, Any]:
    entry: dict[str, Any] = {"types": list(found.types), "presence": str(found.presence)}
    if found.default is not MISSING:
        entry["default"] = _to_json(found.default)
    if found.is_nullable:
        entry["nullable"] = True
    if found.values is not None:
        entry["values"] = [_to_json(value) for value in found.values]
    return entry


def _index_to_dict(spec: IndexSpec) -> dict[str, Any]:
    document = spec.to_document()
    keys = [list(key) for key in document.pop("key").items()]
    return {"name": document.pop("name"), "keys": keys, "options": _to_json(document)}


def _to_json(value: object) -> object:
    """Return a stored value in Extended JSON, relaxed where that says the same."""
    relaxed: Any = parse_json(dump_extended_value(value, canonical=False))
    if encode({"": decode_extended(relaxed, lenient_keys=True)}) == encode({"": value}):
        return relaxed
    return parse_json(dump_extended_value(value, canonical=True))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(brackets: str, lines: Sequence[str]) -> str:
    if not lines:
        return brackets
    inner = ",\n".join(f"        {line}" for line in lines)
    return f"{brackets[0]}\n{inner}\n      {brackets[1]}"
