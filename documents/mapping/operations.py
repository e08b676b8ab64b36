"""What a mapping can do to a document, in one table. To add an operation, write its step, and its row below."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from documents.codec.extended import decode_extended
from documents.codec.plain import dump
from documents.codec.strict import parse_json
from documents.errors import Fault, InputError
from documents.mapping.escaping import escape_key, unescape_key, with_keys
from documents.mapping.paths import Path, Spot, objects_at, parse_path, spots_at
from documents.types import Document, child


class MappingError(ValueError):
    """A mapping that cannot be meant.

    Args:
        detail: What is wrong.
        pointer: Where in the mapping, as a JSON pointer.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class MismatchError(Exception):
    """A document that a step cannot change."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(pointer, code, detail)


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may use besides the document.

    Args:
        source: The name of the file.
        line: Of the record in it.
        hash_key: The key of hashes.
    """

    source: str | None = None
    line: int | None = None
    hash_key: bytes | None = None


class Step:
    """One thing that is done to documents."""

    def apply(self, document: Document, context: Context) -> Document:
        """Return the document as it is afterwards. What was given may be changed.

        Raises:
            MismatchError: It cannot be done to this document.
        """
        raise NotImplementedError

    def before(self, path: Path) -> Path:
        """Return what the path of a field was before this step."""
        return path

    @property
    def paths(self) -> tuple[Path, ...]:
        """The fields whose values it changes."""
        return ()


@dataclass(frozen=True, slots=True)
class Rename(Step):
    """Rename the keys of objects, all at once, each in its place."""

    names: Mapping[Path, Mapping[str, str]]
    """Old and new names, by the path of the object."""

    def apply(self, document: Document, context: Context) -> Document:  # noqa: ARG002, D102
        for path, names in self.names.items():
            for parent, pointer in objects_at(document, path):
                renamed = [(names.get(key, key), value) for key, value in parent.items()]
                fresh = dict(renamed)
                if len(fresh) < len(renamed):
                    taken = next(new for old, new in names.items() if old in parent and new in parent)
                    raise MismatchError(child(pointer, taken), "name-taken", f"The record has a field {taken} already.")
                parent.clear()
                parent.update(fresh)
        return document

    def before(self, path: Path) -> Path:  # noqa: D102
        for place in range(len(path)):
            old = {new: old for old, new in self.names.get(path[:place], {}).items()}
            if path[place] in old:
                return (*path[:place], old[path[place]], *path[place + 1 :])
        return path


@dataclass(frozen=True, slots=True)
class Change(Step):
    """Change the values at some paths, each by itself. A field that is not there is left out."""

    changes: Mapping[Path, Callable[[Any, Spot, Context], Any]]

    def apply(self, document: Document, context: Context) -> Document:  # noqa: D102
        for path, change in self.changes.items():
            for spot in list(spots_at(document, path)):
                value = spot.parent[spot.key]
                if value is not None:
                    spot.parent[spot.key] = change(value, spot, context)
        return document

    @property
    def paths(self) -> tuple[Path, ...]:  # noqa: D102
        return tuple(self.changes)


@dataclass(frozen=True, slots=True)
class Drop(Step):
    """Leave fields out."""

    fields: tuple[Path, ...]

    def apply(self, document: Document, context: Context) -> Document:  # noqa: ARG002, D102
        for path in self.fields:
            for spot in list(spots_at(document, path)):
                del spot.parent[spot.key]
        return document


@dataclass(frozen=True, slots=True)
class Put(Step):
    """Give fields a value, whether they had one or not."""

    values: Mapping[Path, Callable[[Context], Any]]

    def apply(self, document: Document, context: Context) -> Document:  # noqa: D102
        for path, value in self.values.items():
            parent = document
            for place, name in enumerate(path[:-1]):
                inner = _object_in(parent, name)
                if inner is None:
                    raise MismatchError(child("", *path[: place + 1]), "wrong-type", f"{name} holds no object.")
                parent = inner
            parent[path[-1]] = value(context)
        return document


@dataclass(frozen=True, slots=True)
class Keys(Step):
    """Change every key, at every depth."""

    change: Callable[[str], str]
    back: Callable[[str], str]

    def apply(self, document: Document, context: Context) -> Document:  # noqa: ARG002, D102
        return with_keys(document, self.change)

    def before(self, path: Path) -> Path:  # noqa: D102
        return tuple(map(self.back, path))


@dataclass(frozen=True, slots=True)
class Nest(Step):
    """Make objects of dots in the names of fields."""

    def apply(self, document: Document, context: Context) -> Document:  # noqa: ARG002, D102
        nested: Document = {}
        for key, value in document.items():
            parent, names = nested, key.split(".")
            for name in names[:-1]:
                inner = _object_in(parent, name)
                if inner is None:
                    raise MismatchError(child("", key), "name-taken", f"{key} lies within a field that has a value.")
                parent = inner
            if names[-1] in parent:
                raise MismatchError(child("", key), "name-taken", f"There are two fields {key}.")
            parent[names[-1]] = value
        return nested


def _object_in(parent: Document, name: str) -> Document | None:
    """Return the object that a field holds, a new one if it is not there; None if it holds anything else."""
    inner = parent.setdefault(name, {})
    return cast("Document", inner) if isinstance(inner, dict) else None


def _hash(value: Any, spot: Spot, context: Context) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_hash(item, spot, context) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        raise MismatchError(spot.pointer, "wrong-type", "An object has no hash; name the fields in it.")
    if context.hash_key is None:
        raise MappingError("Hashes need a key.")
    text = value if isinstance(value, str) else dump({"": value}).decode()[4:-1].strip('"')
    return hmac.digest(context.hash_key, text.encode(), "sha256").hex()


def _parse(value: Any, spot: Spot, _: Context) -> Any:  # noqa: ANN401
    if not isinstance(value, str):
        raise MismatchError(spot.pointer, "wrong-type", "A text is needed here, which holds JSON.")
    try:
        return parse_json(value.encode())
    except InputError as error:
        raise MismatchError(spot.pointer, "malformed-json", error.detail) from None


def _split_by(separator: str) -> Callable[[Any, Spot, Context], Any]:
    def split(value: Any, spot: Spot, _: Context) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            raise MismatchError(spot.pointer, "wrong-type", "A text is needed here, to be split.")
        return [part.strip() for part in value.split(separator)] if value.strip() else []

    return split


def _records_of(key_name: str, value_name: str | None) -> Callable[[Any, Spot, Context], Any]:
    def records(value: Any, spot: Spot, _: Context) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            raise MismatchError(spot.pointer, "wrong-type", "An object is needed here, whose keys are data.")
        return [record(key, item, spot.pointer) for key, item in cast("Document", value).items()]

    def record(key: str, item: Any, pointer: str) -> Document:  # noqa: ANN401
        if value_name is not None or not isinstance(item, dict):
            return {key_name: key, value_name or "value": item}
        members = cast("Document", item)
        if key_name in members:
            raise MismatchError(child(pointer, key, key_name), "name-taken", f"The object has a field {key_name}.")
        return {key_name: key, **members}

    return records


# How steps are read from what a mapping says.


def _text(value: object, pointer: str, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise MappingError(f"{what} is needed here, as text.", pointer)
    return value


def _path(value: object, pointer: str) -> Path:
    text = _text(value, pointer, "The path of a field")
    try:
        return parse_path(text)
    except ValueError as error:
        raise MappingError(str(error), pointer) from None


def _paths(value: object, pointer: str) -> tuple[Path, ...]:
    if isinstance(value, str):
        return (_path(value, pointer),)
    if not isinstance(value, list) or not value:
        raise MappingError("A path is needed here, or a list of them.", pointer)
    return tuple(_path(item, child(pointer, place)) for place, item in enumerate(cast("list[object]", value)))


def _table(value: object, pointer: str) -> dict[Path, tuple[object, str]]:
    """Return what is said of each path, with its pointer."""
    if not isinstance(value, dict) or not value:
        raise MappingError("An object is needed here, whose keys are paths of fields.", pointer)
    members = cast("Document", value)
    return {_path(key, child(pointer, key)): (item, child(pointer, key)) for key, item in members.items()}


def _read_rename(value: object, pointer: str) -> Step:
    names: dict[Path, dict[str, str]] = {}
    for path, (item, place) in _table(value, pointer).items():
        new, group = _text(item, place, "The new name"), names.setdefault(path[:-1], {})
        if new in group.values():
            raise MappingError(f"Two fields would be called {new}.", place)
        group[path[-1]] = new
    return Rename(names)


def _read_change(change: Callable[[Any, Spot, Context], Any]) -> Callable[[object, str], Step]:
    return lambda value, pointer: Change(dict.fromkeys(_paths(value, pointer), change))


def _read_split(value: object, pointer: str) -> Step:
    told = _table(value, pointer)
    return Change({path: _split_by(_separator(item, place)) for path, (item, place) in told.items()})


def _separator(value: object, pointer: str) -> str:
    return _text(value, pointer, "What separates the parts")


def _read_records(value: object, pointer: str) -> Step:
    changes: dict[Path, Callable[[Any, Spot, Context], Any]] = {}
    for path, (item, place) in _table(value, pointer).items():
        told = cast("Document", item) if isinstance(item, dict) else {"key": item}
        if unknown := sorted(set(told) - {"key", "value"}):
            raise MappingError(f"There is key and value, and no {unknown[0]}.", child(place, unknown[0]))
        value_name = told.get("value")
        changes[path] = _records_of(
            _text(told.get("key"), place, "The name of the field that gets the key"),
            None if value_name is None else _text(value_name, place, "The name of the field that gets the value"),
        )
    return Change(changes)


def _read_set(value: object, pointer: str) -> Step:
    return Put({path: _constant(item, place) for path, (item, place) in _table(value, pointer).items()})


def _constant(value: Any, pointer: str) -> Callable[[Context], Any]:  # noqa: ANN401
    try:
        decode_extended(value, pointer=pointer)
    except InputError as error:
        raise MappingError(error.faults[0].detail, error.faults[0].pointer) from None
    return lambda _: decode_extended(value)


def _read_put(take: Callable[[Context], Any]) -> Callable[[object, str], Step]:
    return lambda value, pointer: Put({_path(value, pointer): take})


def _read_flag(step: Step) -> Callable[[object, str], Step]:
    def read(value: object, pointer: str) -> Step:
        if value is not True:
            raise MappingError("true is needed here.", pointer)
        return step

    return read


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of mappings.

    Args:
        read: Makes its step, given what the mapping says and where.
        does: What it does, for the docs.
        example: What is said of it.
        is_bijective: Whether two different documents stay different.
    """

    read: Callable[[object, str], Step]
    does: str
    example: str
    is_bijective: bool = False


OPERATIONS: Final[Mapping[str, Operation]] = {
    "rename": Operation(
        _read_rename, "give fields new names, all at once, each in its place", "{preis: price, geo.lng: lon}", True
    ),
    "drop": Operation(lambda value, pointer: Drop(_paths(value, pointer)), "leave fields out", "[note, items.secret]"),
    "hash": Operation(
        _read_change(_hash), "put the HMAC-SHA-256 of values in their place, under `SHEAF_HASH_KEY`", "[email, phone]"
    ),
    "set": Operation(
        _read_set, "give fields a value; Extended JSON says others than JSON has", "{country: PT, paid: false}"
    ),
    "json": Operation(_read_change(_parse), "read text as the JSON that it holds", "[payload]"),
    "split": Operation(_read_split, "make arrays of text, at what separates the parts", '{tags: ";"}'),
    "escape": Operation(
        _read_flag(Keys(escape_key, unescape_key)),
        "escape keys that no document may have: `io.x` as `io%2Ex`, `$ref` as `%24ref`",
        "true",
        True,
    ),
    "unescape": Operation(_read_flag(Keys(unescape_key, escape_key)), "give such keys back their own form", "true"),
    "records": Operation(
        _read_records,
        "make an array of objects of an object whose keys are data; the key goes into the field that is named",
        "{prices: currency}",
    ),
    "nest": Operation(_read_flag(Nest()), "make objects of dots in the names of fields", "true"),
    "source": Operation(_read_put(lambda context: context.source), "put the name of the file into a field", "_source"),
    "line": Operation(_read_put(lambda context: context.line), "put the line of the record into a field", "_line"),
}
"""Every operation, by the word that a mapping has for it."""
