"""The plain view of a document: what the rules of JSON Schema are tried on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

import orjson
from bson import Decimal128
from bson.int64 import Int64

from documents.codec.plain import dump

_NATIVE: Final = frozenset({str, int, float, bool, type(None)})


def plain_view(value: object) -> Any:  # noqa: ANN401  # JSON, and Decimal
    """Return a value as plain JSON shows it, the value itself where that is all JSON.

    A decimal is a `Decimal`, so that it can be compared, except NaN and the infinities, which stay text. Costs no copy
    of what needs none.
    """
    kind = type(value)
    if kind in _NATIVE:
        return value
    if kind is dict:
        return _viewed(cast("dict[str, object]", value))
    if kind is list:
        items = cast("list[object]", value)
        viewed = [plain_view(item) for item in items]
        return viewed if any(new is not old for new, old in zip(viewed, items, strict=True)) else items
    return _converted(value)


def _viewed(members: Mapping[str, object]) -> Any:  # noqa: ANN401  # as above
    changed: dict[str, Any] = {}
    for key, item in members.items():
        if type(item) not in _NATIVE:
            viewed = plain_view(item)
            if viewed is not item:
                changed[key] = viewed
    return {**members, **changed} if changed else members


def _converted(value: object) -> Any:  # noqa: ANN401  # as above
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        return number if number.is_finite() else str(number)
    if isinstance(value, datetime) and value.tzinfo is None:
        return f"{value.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, Int64):
        return int(value)
    return orjson.loads(dump(value))
