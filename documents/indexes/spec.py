"""An index as a value. Declared or stored, the same index is the same value, however it was written down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.json_util import RELAXED_JSON_OPTIONS
from bson.json_util import default as extended_json

from documents.errors import InvalidIndexError
from documents.indexes.equality import freeze, freeze_filter
from documents.types import Document

Direction: TypeAlias = int | float | str
Key: TypeAlias = tuple[str, Direction]

ID_KEYS: Final[tuple[Key, ...]] = (("_id", 1),)
"""The index that MongoDB makes itself; it is neither declared nor compared."""

SIMPLE: Final[Mapping[str, Any]] = {"locale": "simple"}
WITHOUT_COLLATION: Final = frozenset({"text", "2d"})
"""Kinds that compare bytes, whatever the collection's default is."""

_WITH_UUIDS: Final[CodecOptions[Document]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_TEXT_KEYS: Final[tuple[Key, ...]] = (("_fts", "text"), ("_ftsx", 1))

_IRRELEVANT: Final = frozenset(
    {"key", "name", "v", "ns", "background", "dropDups", "clustered", "textIndexVersion", "2dsphereIndexVersion"}
)

_DEFAULTS: Final[Mapping[str, Any]] = {
    "unique": False,
    "sparse": False,
    "hidden": False,
    "prepareUnique": False,
    "default_language": "english",
    "language_override": "language",
    "bits": 26,
    "min": -180,
    "max": 180,
}

_COLLATION: Final[Mapping[str, Any]] = {
    "caseLevel": False,
    "caseFirst": "off",
    "strength": 3,
    "numericOrdering": False,
    "alternate": "non-ignorable",
    "maxVariable": "punct",
    "normalization": False,
    "backwards": False,
}
_COLLATION_OF_LOCALE: Final[Mapping[str, Mapping[str, Any]]] = {"fr_CA": {"backwards": True}}
"""The one locale of MongoDB's list whose defaults differ; the server was asked for each."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """One index, normalised.

    Args:
        name: Its name; no part of what it is.
        keys: Fields and directions, in order. The fields of a text index are one `_fts`; `weights` names them.
        options: MongoDB's options by MongoDB's names, those at their default left out. A collation is whole;
            without one, the collection's default holds.
        building: Whether it is still being built.
    """

    name: str
    keys: tuple[Key, ...]
    options: Mapping[str, Any]
    building: bool = False

    @property
    def identity(self) -> object:
        """What makes it another index: keys, collation and filters. A collection has one text index at most."""
        if self.is_text:
            return "text"
        return (
            tuple((field, freeze(direction)) for field, direction in self.keys),
            freeze(self.options.get("collation")),
            freeze_filter(self.options.get("partialFilterExpression")),
            freeze(self.options.get("wildcardProjection")),
        )

    @property
    def is_text(self) -> bool:
        """Whether it is the text index."""
        return any(direction == "text" for _, direction in self.keys)

    @property
    def is_unique(self) -> bool:
        """Whether it keeps documents from having the same values."""
        return self.options.get("unique", False) is True

    def to_document(self) -> Document:
        """Return the entry for `createIndexes`."""
        return {"key": dict(_spelt_out(self)), "name": self.name, **self.options}

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: `{"name": ..., "keys": {field: direction}, ...options}`.

        Values that JSON lacks are in Extended JSON.
        """
        document = self.to_document()
        return {"name": document.pop("name"), "keys": document.pop("key"), **to_json(document)}

    def __str__(self) -> str:
        keys = ", ".join(f"{field}: {direction}" for field, direction in _spelt_out(self))
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.name} ({keys}{'; ' if options else ''}{options})"


def parse_index(document: Mapping[str, Any], *, building: bool = False) -> IndexSpec:
    """Return the index that a document describes, as `IndexModel.document` or as `listIndexes` has it.

    Raises:
        InvalidIndexError: Its text fields do not stand together.
        bson.errors.InvalidDocument: An option's value has no BSON form.
    """
    plain = bson.decode(bson.encode(document, codec_options=_WITH_UUIDS))  # pyright: ignore[reportUnknownMemberType]  # an overload is partly untyped in PyMongo
    keys = tuple((field, _direction(direction)) for field, direction in plain["key"].items())
    options = {name: _settle(name, value) for name, value in plain.items() if name not in _IRRELEVANT}
    if any(direction == "text" for _, direction in keys):
        keys, options["weights"] = _text_parts(keys, options.get("weights", {}))
        options.pop("collation", None)
    kept = {name: value for name, value in options.items() if not _is_default(name, value)}
    return IndexSpec(str(plain["name"]), keys, dict(sorted(kept.items())), building)


def fill_collation(collation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a collation with every attribute spelt out, as MongoDB stores it, less its version."""
    locale = str(collation["locale"])
    if locale == SIMPLE["locale"]:
        return dict(SIMPLE)
    given = {name: _number(value) for name, value in collation.items() if name != "version"}
    return {"locale": locale, **_COLLATION, **_COLLATION_OF_LOCALE.get(locale, {}), **given}


def to_json(value: object) -> Any:  # noqa: ANN401  # JSON of any type
    """Return a BSON value as JSON values, in relaxed Extended JSON where JSON has no such type."""
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [to_json(item) for item in cast("list[Any]", value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return extended_json(value, RELAXED_JSON_OPTIONS)


def _number(value: object) -> object:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0 else value


def _weights(value: Mapping[str, Any]) -> dict[str, object]:
    return {field: _number(weight) for field, weight in value.items()}


_SETTLE: Final[Mapping[str, Callable[[Any], object]]] = {
    "unique": bool,
    "sparse": bool,
    "hidden": bool,
    "prepareUnique": bool,
    "collation": fill_collation,
    "weights": _weights,
}


def _settle(name: str, value: Any) -> Any:  # noqa: ANN401  # an option's value is of any type
    return _SETTLE.get(name, _number)(value)


def _is_default(name: str, value: object) -> bool:
    return name in _DEFAULTS and freeze(_DEFAULTS[name]) == freeze(value)


def _direction(value: object) -> Direction:
    return cast("Direction", _number(value))


def _text_parts(keys: tuple[Key, ...], weights: Mapping[str, object]) -> tuple[tuple[Key, ...], dict[str, object]]:
    """Return the keys with the text fields as one, as MongoDB stores them, and the weight of each text field."""
    fields = [field for field, direction in keys if direction == "text" and field != "_fts"]
    if not fields:
        return keys, dict(sorted(weights.items()))
    names = [field for field, _ in keys]
    first = names.index(fields[0])
    if names[first : first + len(fields)] != fields:
        raise InvalidIndexError(f"The text fields {', '.join(fields)} have to stand side by side in the index.")
    others = [key for key in keys if key[1] != "text"]
    whole = (*others[:first], *_TEXT_KEYS, *others[first:])
    return whole, dict(sorted({**dict.fromkeys(fields, 1), **weights}.items()))


def _spelt_out(spec: IndexSpec) -> list[Key]:
    """Return the keys as `createIndexes` takes them: the text fields one by one."""
    keys: list[Key] = []
    for key in spec.keys:
        if key == _TEXT_KEYS[0]:
            keys += [(field, "text") for field in cast("Mapping[str, Any]", spec.options["weights"])]
        elif key != _TEXT_KEYS[1]:
            keys.append(key)
    return keys
