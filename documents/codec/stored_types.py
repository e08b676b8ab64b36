"""What a client sends, read as the types that are stored in the same places.

Plain JSON shows an ObjectId, a UUID, a date, a decimal and binary data as texts, and all numbers alike. Where the
document that is changed holds such a value at the very path, a text in its plain form is such a value again, and a
number keeps its width where it fits. Elsewhere nothing is guessed. Items of arrays are matched by position.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import orjson
from bson.binary import UUID_SUBTYPE, Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from documents.codec.plain import dump
from documents.codec.strict import MAX_FAULTS, check_keys, refuse_key
from documents.errors import Fault, InvalidDocumentError
from documents.plain_forms import bytes_of, date_of, decimal_of, object_id_of, uuid_of
from documents.types import MISSING, Document, FieldTypes, child

_INT32: Final = range(-(2**31), 2**31)
_INT64: Final = range(-(2**63), 2**63)
_EXACT_IN_FLOAT: Final = 2**53


class StoredTypes:
    """Reads what is sent for one document.

    Args:
        types: How declared fields read their values: those are left to the model or contract.
    """

    def __init__(self, types: FieldTypes) -> None:
        self._types = types
        self._faults: list[Fault] = []

    def read_document(self, stored: Document, sent: Document) -> Document:
        """Return a document that takes the place of a stored one.

        Raises:
            InvalidDocumentError: It has a key that no document may have, and the stored one has not.
        """
        read = self._members(stored, sent, "", "")
        self.finish()
        return read

    def read(self, stored: object, sent: object, pointer: str) -> Any:  # noqa: ANN401  # a value of any BSON type
        """Return a value that takes the place of a stored one; keys at fault are kept for `finish`."""
        names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
        path = ".".join(name for index, name in enumerate(names) if not (index and name.isdecimal()))
        return self._value(stored, sent, path, pointer)

    def finish(self) -> None:
        """Raise an InvalidDocumentError if there was a key that is refused."""
        if self._faults:
            raise InvalidDocumentError("A document has keys that cannot be stored.", self._faults[:MAX_FAULTS])

    def _members(self, stored: Mapping[str, Any], sent: Document, path: str, pointer: str) -> Document:
        return {
            name: self._member(name, stored.get(name, MISSING), value, path, pointer) for name, value in sent.items()
        }

    def _member(self, name: str, stored: object, sent: object, path: str, pointer: str) -> object:
        here = child(pointer, name)
        if stored is MISSING and (reason := refuse_key(name)):
            self._faults.append(Fault(here, "key-refused", reason))
        if name == "_id" and not path:
            return sent  # of the type that all ids have
        return self._value(stored, sent, f"{path}.{name}" if path else name, here)

    def _value(self, stored: object, sent: Any, path: str, pointer: str) -> Any:  # noqa: ANN401  # as above
        if type(sent) is dict:
            return self._object(stored, cast("Document", sent), path, pointer)
        if type(sent) is list:
            return self._array(stored, cast("list[object]", sent), path, pointer)
        if stored is MISSING or self._types(path) is not None:
            return sent
        if isinstance(sent, str):
            read = _TEXTS.get(type(stored))
            value = None if read is None else read(stored, sent)
            return sent if value is None else value
        return keep_width(stored, sent)

    def _object(self, stored: object, sent: Document, path: str, pointer: str) -> object:
        if type(stored) is dict:
            return self._members(cast("Document", stored), sent, path, pointer)
        if _is_shown_as(stored, sent):
            return stored
        self._faults += check_keys(sent, pointer=pointer)
        return sent

    def _array(self, stored: object, sent: list[object], path: str, pointer: str) -> list[Any]:
        items = cast("list[object]", stored) if type(stored) is list else []
        missing = [MISSING] * max(len(sent) - len(items), 0)
        return [
            self._value(old, new, path, child(pointer, index))
            for index, (old, new) in enumerate(zip([*items, *missing], sent, strict=False))
        ]


def keep_widths(stored: Any, value: Any) -> Any:  # noqa: ANN401  # a value of any BSON type
    """Return a value with its numbers as wide as the stored ones in their places, where those are equal or int64."""
    if isinstance(value, dict) and isinstance(stored, dict):
        members, wanted = cast("Document", stored), cast("Document", value)
        return {name: keep_widths(members.get(name), item) for name, item in wanted.items()}
    if isinstance(value, list) and isinstance(stored, list):
        items, others = cast("list[Any]", value), cast("list[Any]", stored)
        return [keep_widths(old, new) for old, new in zip(others, items, strict=False)] + items[len(others) :]
    if type(stored) is Int64 or (type(stored) in _NUMBERS and stored == value):
        return keep_width(stored, cast("object", value))
    return cast("object", value)


def keep_width(stored: object, value: object) -> object:
    """Return a number as int32, int64 or double like the stored one, where it fits; any other value as it is."""
    kind = type(stored)
    if type(value) not in _NUMBERS or kind not in _NUMBERS or type(value) is kind:
        return value
    number = cast("int | float", value)
    if kind is float:
        return float(number) if abs(number) <= _EXACT_IN_FLOAT else value
    if not _is_whole(number) or int(number) not in (_INT64 if kind is Int64 else _INT32):
        return value
    return Int64(number) if kind is Int64 else int(number)


def _is_whole(number: "int | float") -> bool:  # which of the two matters
    return isinstance(number, int) or (number.is_integer() and str(number) != "-0.0")


def _is_shown_as(stored: object, sent: Document) -> bool:
    """Tell whether an object is what plain JSON shows a stored value as that JSON has no form for."""
    return type(stored) in _WRAPPED and orjson.loads(dump(stored)) == sent


def _binary(stored: object, text: str) -> object:
    if isinstance(stored, Binary) and stored.subtype == UUID_SUBTYPE:  # a UUID, beside one that is not of 16 bytes
        uuid = uuid_of(text)
        if uuid is not None:
            return uuid
    data = bytes_of(text)
    if data is None or not isinstance(stored, Binary):
        return data
    return Binary(data, stored.subtype)


_NUMBERS: Final = frozenset({int, Int64, float})
_WRAPPED: Final = frozenset({float, DatetimeMS, Timestamp, Regex, Code, DBRef, MinKey, MaxKey})
_TEXTS: Final[Mapping[type, Callable[[object, str], object]]] = {
    ObjectId: lambda _, text: object_id_of(text),
    UUID: lambda _, text: uuid_of(text),
    datetime: lambda _, text: date_of(text),
    DatetimeMS: lambda _, text: date_of(text),
    Decimal128: lambda _, text: decimal_of(text),
    bytes: _binary,
    Binary: _binary,
}
"""What a text becomes in the place of a value of each type; None where it stays a text."""
