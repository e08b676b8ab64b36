"""Addresses of documents: which ids the last segment of a URL may mean.

A list shows ids as plain JSON, in which an ObjectId, a UUID or a date is a text like any other. So an address is tried
in each form that a list would show as that text. In an ordinary collection the first form finds the document, and the
others are only looked for when it does not.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice, product
from math import isfinite
from typing import Any, Final, cast
from uuid import UUID

from bson import Binary, Decimal128, ObjectId
from bson.binary import UUID_SUBTYPE
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.regex import Regex

from documents.codec.deprecated import Symbol
from documents.codec.extended import parse_extended
from documents.codec.plain import dump
from documents.codec.strict import parse_json
from documents.errors import InputError
from documents.plain_forms import bytes_of, date_of, decimal_of, object_id_of, uuid_of
from documents.query.filter.shown_ids import ShownIds
from documents.types import MISSING

MAX_FORMS: Final = 64
"""Forms of one address that are tried; only an object of many texts has so many."""

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_WORDS: Final[Mapping[str, object]] = {"true": True, "false": False, "null": None}
_INT64: Final = range(-(2**63), 2**63)
_SUBTYPES: Final = (*range(10), 128)
_UUID_BYTES: Final = 16


def ids_at(text: str) -> list[object]:
    """Return every id that a list would show as this text, the likeliest first, each once.

    A text that begins with `{` is Extended JSON, which says its type itself, or an object as a list shows it.
    """
    objects = _objects(text) if text.startswith("{") else ()
    forms = [*objects, *_texts(text, _SUBTYPES), *_scalars(text)]
    return _each_once(forms)


def ids_like(value: object) -> list[object]:
    """Return every id that a list would show as this JSON value, each once."""
    forms = _texts(value, _SUBTYPES) if type(value) is str else islice(_expand(value), MAX_FORMS)
    return _each_once(forms)


SHOWN_IDS: Final = ShownIds(ids_at, ids_like)
"""How filters read an `_id` to be equal to."""


def _each_once(forms: Iterable[object]) -> list[object]:
    return list({id_key(form): form for form in forms}.values())


def address_of(document_id: object) -> str:
    """Return an id as a list shows it."""
    return document_id if isinstance(document_id, str) else dump(document_id).decode().strip('"')


def twins_of(document_id: object) -> list[object]:
    """Return the other ids that a list would show as it shows this one."""
    own = id_key(document_id)
    return [each for each in ids_at(address_of(document_id)) if id_key(each) != own]


def is_same_id(given: object, stored: object) -> bool:
    """Tell whether what a client sent as `_id` is a stored one, or is what the client was shown of it."""
    return id_key(given) == id_key(stored) or dump(given) == dump(stored)


def _objects(text: str) -> Sequence[object]:
    value: object = MISSING
    for parse in (parse_extended, parse_json):  # others may have stored keys that no client may send, such as `a.b`
        with suppress(InputError, ValueError):
            value = parse(text.encode())
            break
    if value is MISSING:
        return ()
    if isinstance(value, Symbol):  # MongoDB takes it for the string: so this is how to name a string that has a twin
        return (value.text,)
    return () if isinstance(value, Regex) or _is_operator(value) else list(islice(_expand(value), MAX_FORMS))


def _is_operator(value: object) -> bool:
    """Tell whether MongoDB takes an object for an operator among others. It stores none as an `_id`."""
    return isinstance(value, DBRef) or (
        isinstance(value, dict) and any(key.startswith("$") for key in cast("dict[str, object]", value))
    )


def _expand(value: object) -> Iterator[object]:
    """Yield what an object may be whose texts stand for values of other types."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        for items in product(*(list(_expand(item)) for item in members.values())):
            yield dict(zip(members, items, strict=True))
    elif isinstance(value, list):
        yield from (list(items) for items in product(*(list(_expand(item)) for item in cast("list[object]", value))))
    elif type(value) is str:
        yield from _texts(value, (0,))
    else:
        yield value


def _texts(text: str, subtypes: Sequence[int]) -> Iterator[object]:
    """Yield what is shown as this string."""
    uuid = uuid_of(text)
    forms = (
        object_id_of(text),
        uuid and uuid.as_uuid(),
        text if _is_storable(text) else None,
        date_of(text),
        decimal_of(text),
    )
    yield from (form for form in forms if form is not None)
    data = bytes_of(text)
    if data is not None:
        yield from (
            Binary(data, subtype) for subtype in subtypes if subtype != UUID_SUBTYPE or len(data) != _UUID_BYTES
        )


def _scalars(text: str) -> Iterator[object]:
    """Yield what is shown as this text without quotes."""
    if text in _WORDS:
        yield _WORDS[text]
    elif _INTEGER.fullmatch(text) and int(text) in _INT64:
        yield int(text)
    elif _NUMBER.fullmatch(text) and isfinite(number := float(text)) and dump(number).decode() == text:
        yield number


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def id_key(value: object) -> Any:  # noqa: ANN401  # whatever is hashable
    """Return what is equal for two ids, and hashable, if MongoDB takes them for the same.

    Numbers are, whatever their width; objects if their fields are in the same order. Collations are left out.
    """
    kind = type(value)
    if kind is ObjectId or kind is str:
        return value
    convert = _KEYS.get(kind)
    if convert is None:
        convert = next((_KEYS[each] for each in kind.__mro__ if each in _KEYS), None)
    return (kind.__name__, repr(value)) if convert is None else convert(value)


def _number_key(value: float) -> object:
    return ("number", value if value == value else None)  # noqa: PLR0124  # NaN is the same id as NaN


def _decimal_key(value: Decimal128) -> object:
    number: Decimal = value.to_decimal()
    return ("number", None if number.is_nan() else number)


def _date_key(value: datetime) -> object:
    return ("date", int(DatetimeMS(value if value.tzinfo else value.replace(tzinfo=UTC))))


def _binary_key(value: bytes) -> object:
    return ("binary", getattr(value, "subtype", 0), bytes(value))


_KEYS: Final[Mapping[Any, Callable[[Any], object]]] = {
    bool: lambda value: ("bool", value),
    int: _number_key,
    float: _number_key,
    Decimal128: _decimal_key,
    datetime: _date_key,
    DatetimeMS: lambda value: ("date", int(value)),
    UUID: lambda value: ("binary", UUID_SUBTYPE, value.bytes),
    Binary: _binary_key,
    bytes: _binary_key,
    Code: lambda value: ("code", str(value), id_key(value.scope)),
    Symbol: lambda value: value.text,
    str: str,
    dict: lambda value: ("object", tuple((key, id_key(item)) for key, item in value.items())),
    list: lambda value: ("array", tuple(map(id_key, value))),
    DBRef: lambda value: id_key(value.as_doc()),
    type(MISSING): lambda _: MISSING,
}
