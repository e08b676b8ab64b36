"""What a declared field's type says of the values that a filter or an update gives for it."""

import math
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin
from uuid import UUID

from beanie import Document as BeanieDocument
from bson import Decimal128, ObjectId
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    EmailStr,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
)
from pydantic.fields import FieldInfo

from documents.types import Coerce, FieldTypes, IdType

NUMBER: Final = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
"""A number as JSON writes it; Python's own reading takes nan, inf and 1_000 as well."""

INT64: Final = range(-(2**63), 2**63)


def coercions(model: type[BaseModel]) -> FieldTypes:
    """Return, for a model, how the values at each dotted path are read.

    A path into an array means its elements, as it does to MongoDB. Limits such as `ge=0` do not bind a
    filter: asking for `stock` below zero is a question with an empty answer, not a mistake.
    """

    @lru_cache(maxsize=1024)
    def resolve(path: str) -> Coerce | None:
        annotation: object = model
        for segment in path.split("."):
            annotation = _step(annotation, segment)
        return _coercion(_element(annotation))

    return resolve


def document_id_type(model: type[BeanieDocument]) -> IdType:
    """Return the type of the ids that a model declares."""
    kind = bare(model.model_fields["id"].annotation)
    for known, id_type in ((ObjectId, IdType.OBJECTID), (str, IdType.STRING), (int, IdType.INT), (UUID, IdType.UUID)):
        if isinstance(kind, type) and issubclass(kind, known):
            return id_type
    return IdType.ANY


def id_coercion(id_type: IdType) -> Coerce | None:
    """Return how an `_id` is read where the collection's ids are of this type; None where it is what JSON says."""
    return _ID_COERCIONS.get(id_type)


def _step(annotation: object, segment: str) -> object:
    kind = bare(annotation)
    if segment.isdecimal() and _item(kind) is not None:
        return _item(kind)
    kind = _element(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _field_annotation(kind, segment)
    if get_origin(kind) in (dict, Mapping):
        return get_args(kind)[1]
    return None


def _field_annotation(model: type[BaseModel], stored_name: str) -> object:
    for name, field in model.model_fields.items():
        if (field.alias or name) == stored_name:
            return _declared(field)
    return None


def _declared(field: FieldInfo) -> object:
    return field.annotation


def _element(annotation: object) -> object:
    kind = bare(annotation)
    item = _item(kind)
    return kind if item is None else bare(item)


def _item(kind: object) -> object | None:
    if get_origin(kind) in (list, set, frozenset) and get_args(kind):
        return get_args(kind)[0]
    return None


def bare(annotation: object) -> object:
    """Strip Annotated and Optional; a union of several types declares nothing that could be relied on."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            if len(members) != 1:
                return None
            annotation = members[0]
        else:
            return annotation


def _coercion(kind: object) -> Coerce | None:
    if get_origin(kind) is Literal:
        return _coercion(type(cast("object", get_args(kind)[0])))
    if not isinstance(kind, type):
        return None
    declared = cast("type[object]", kind)
    stored = type(cast("object", next(iter(declared)).value)) if issubclass(declared, Enum) else declared
    return next((coerce for known, coerce in _COERCIONS.items() if issubclass(stored, known)), None)


def _bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false is needed here")


def _number(value: object) -> object:
    is_number = isinstance(value, int | float | Decimal128) and not isinstance(value, bool)
    return value if is_number else _number_from_text(value)


def _number_from_text(value: object) -> object:
    text = _text(value)
    if not NUMBER.fullmatch(text):
        raise ValueError("a number is needed here")
    number = int(text) if text.lstrip("-").isdecimal() else float(text)
    if not (math.isfinite(number) if isinstance(number, float) else number in INT64):
        raise ValueError("a number that fits into 64 bits is needed here")
    return number


def _decimal(value: object) -> object:
    if isinstance(value, Decimal128):
        return value
    try:
        return Decimal128(Decimal(str(value) if isinstance(value, int | float) else _text(value)))
    except (ArithmeticError, ValueError):
        raise ValueError("a decimal number of at most 34 digits is needed here") from None


def read_time(value: object) -> object:
    """Return a date, or a text that says one, as a date.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(_text(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a date or an RFC 3339 time is needed here, such as 2026-01-31T12:00:00Z") from None


def _objectid(value: object) -> object:
    if isinstance(value, ObjectId):
        return value
    text = _text(value)
    if not ObjectId.is_valid(text):
        raise ValueError("an id of 24 hex digits is needed here")
    return ObjectId(text)


def _uuid(value: object) -> object:
    return value if isinstance(value, UUID) else UUID(_text(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a string is needed here")


_COERCIONS: Final[Mapping[type, Callable[[object], object]]] = cast(
    "Mapping[Any, Callable[[object], object]]",
    {
        bool: _bool,
        int: _number,
        float: _number,
        Decimal: _decimal,
        ObjectId: _objectid,
        datetime: read_time,
        date: read_time,
        UUID: _uuid,
        str: _text,
        # Pydantic's own, which are subclasses of none of these.
        **dict.fromkeys((AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime, PastDate, FutureDate), read_time),
        **dict.fromkeys((EmailStr, AnyUrl), _text),
    },
)
_ID_COERCIONS: Final[Mapping[IdType, Coerce]] = {
    IdType.OBJECTID: _objectid,
    IdType.STRING: _text,
    IdType.UUID: _uuid,
}
