"""What values of Avro are as BSON, by their schema: each exact, or a ValueError that says why none is.

| Avro | BSON |
|---|---|
| null, boolean, int, long, float, double, string, bytes, fixed, enum | as they are |
| record, map, array | object, object, array |
| union | the value of its branch |
| decimal | Decimal128, of up to 34 digits |
| uuid | UUID |
| date, timestamps, local timestamps | date, in UTC; with whole milliseconds only |
| time of day | text, such as `13:30:00.250` |
| duration | text as ISO 8601 has it, such as `P1M2DT0.5S` |

fastavro gives records, enums and fixed values of a union as pairs of their name and the value (`return_named_type`), so
that the branch is known.
"""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from documents.codec.decimals import stored_decimal
from documents.types import MAX_DEPTH

Schema: TypeAlias = Any
"""As JSON has it, names resolved by fastavro."""

Convert: TypeAlias = Callable[[Any], Any]

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # naive means UTC
_DURATION: Final = struct.Struct("<III")
_MS_NS: Final = 10**6
_TIMES: Final = ("timestamp", "local-timestamp")


def _same(value: Any) -> Any:  # noqa: ANN401  # of any type
    return value


def _moment(value: datetime) -> datetime:
    if value.microsecond % 1000:
        raise ValueError(
            f"A date has milliseconds, and one here has microseconds: {value}. Write it in milliseconds, or as a text "
            "or an integer to keep them."
        )
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _nanoseconds(value: int) -> datetime:
    ms, rest = divmod(value, _MS_NS)
    if rest:
        raise ValueError(f"A date has milliseconds, and one here has {value} nanoseconds since 1970.")
    return _EPOCH + timedelta(milliseconds=ms)


def _time(value: time) -> str:
    forms = ((1_000_000, "seconds"), (1000, "milliseconds"), (1, "microseconds"))
    return value.isoformat(next(form for size, form in forms if value.microsecond % size == 0))


def _duration(value: bytes) -> str:
    months, days, ms = _DURATION.unpack(value)
    seconds = f"{ms // 1000}" + (f".{ms % 1000:03}" if ms % 1000 else "")
    day = "".join(f"{count}{mark}" for count, mark in ((months, "M"), (days, "D")) if count)
    return f"P{day}" + (f"T{seconds}S" if ms or not day else "")


_LOGICAL: Final[Mapping[tuple[str, str], tuple[type, Convert]]] = {
    ("bytes", "decimal"): (Decimal, stored_decimal),
    ("fixed", "decimal"): (Decimal, stored_decimal),
    ("string", "uuid"): (UUID, _same),
    ("fixed", "uuid"): (bytes, lambda value: UUID(bytes=value)),
    ("int", "date"): (date, lambda value: datetime.combine(value, time())),
    ("int", "time-millis"): (time, _time),
    ("long", "time-micros"): (time, _time),
    ("fixed", "duration"): (bytes, _duration),
    **{("long", f"{name}-{unit}"): (datetime, _moment) for name in _TIMES for unit in ("millis", "micros")},
    **{("long", f"{name}-nanos"): (int, _nanoseconds) for name in _TIMES},
}
"""By a type and its logical type: what fastavro gives, and what it is as BSON. Others are what they are stored as."""

_PLAIN: Final[Mapping[str, type]] = {
    "null": type(None),
    "boolean": bool,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "string": str,
    "bytes": bytes,
    "fixed": bytes,
    "enum": str,
    "array": list,
    "map": dict,
    "record": dict,
}
_EXACT: Final = frozenset({"uuid", "duration", "time-millis", "time-micros"})


class AvroValues:
    """Makes documents of records of one schema.

    Args:
        schema: Of a record.

    Raises:
        ValueError: BSON has nothing for a type of it, or it is no record.
    """

    def __init__(self, schema: Schema) -> None:
        self._named: dict[str, tuple[type, Convert]] = {}
        self.is_risky = False
        """Whether values may have more digits than BSON keeps, so that all are to be looked at first."""

        self.has_maps = False
        """Whether keys of objects are data."""

        if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") not in ("record", "error"):
            raise ValueError("Its schema is of no record, and so makes no documents.")
        _, self.convert = self._of(schema)

    def _of(self, schema: Schema) -> tuple[type, Convert]:
        """Return what fastavro gives for a type, and what makes BSON of it."""
        if isinstance(schema, list):
            return object, self._of_union(cast("list[Schema]", schema))
        if isinstance(schema, str):
            schema = {"type": schema}
        kind = schema["type"]
        if not isinstance(kind, str):
            return self._of(kind)
        made = {"record": self._of_record, "error": self._of_record, "array": self._of_array, "map": self._of_map}
        if kind in made:
            return (list if kind == "array" else dict), made[kind](schema)
        return self._of_simple(kind, schema)

    def _of_simple(self, kind: str, schema: Schema) -> tuple[type, Convert]:
        if kind not in _PLAIN:  # the name of a type that was told before, perhaps of the one around this
            return self._named[kind]
        logical = schema.get("logicalType")
        found = _LOGICAL.get((kind, logical), (_PLAIN[kind], _same))
        self.is_risky |= (kind, logical) in _LOGICAL and logical not in _EXACT
        if "name" in schema:
            self._named[schema["name"]] = found
        return found

    def _of_record(self, schema: Schema) -> Convert:
        fields: list[tuple[str, Convert]] = []
        convert = partial(_record, fields)
        self._named[schema["name"]] = (dict, convert)
        fields += [(field["name"], self._of(field["type"])[1]) for field in schema["fields"]]
        return convert

    def _of_array(self, schema: Schema) -> Convert:
        if _may_take_nothing(schema["items"]):
            raise ValueError("Items of an array that take no bytes cannot be counted on.")
        _, convert = self._of(schema["items"])
        return lambda values: [convert(value) for value in values]

    def _of_map(self, schema: Schema) -> Convert:
        self.has_maps = True
        _, convert = self._of(schema["values"])
        return lambda values: {key: convert(value) for key, value in values.items()}

    def _of_union(self, branches: list[Schema]) -> Convert:
        by_type: dict[type, Convert] = {}
        for branch in sorted(branches, key=_is_named):  # which come with their names
            kind, convert = self._of(branch)
            if by_type.setdefault(kind, convert) is not convert and kind is int:
                raise ValueError("A union of integers and nanoseconds cannot be told apart.")

        def choose(value: Any) -> Any:  # noqa: ANN401  # of any branch
            if isinstance(value, tuple):
                name, named = cast("tuple[str, Any]", value)
                return self._named[name][1](named)
            return by_type[type(value)](value)

        return choose


def _is_named(schema: Schema) -> bool:
    return "name" in schema if isinstance(schema, dict) else schema not in _PLAIN


def _record(fields: list[tuple[str, Convert]], value: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, convert in fields:
        try:
            document[name] = convert(value[name])
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{name}: {error}") from error
        except RecursionError:
            raise ValueError(f"Nothing may nest deeper than {MAX_DEPTH} levels.") from None
    return document


def _may_take_nothing(schema: Schema) -> bool:
    """Tell whether a value may have no bytes, so that a few bytes could stand for any number of them."""
    if isinstance(schema, dict):
        told = cast("dict[str, Any]", schema)
        kind = told["type"]
        if kind in ("record", "error"):
            return all(_may_take_nothing(field["type"]) for field in told["fields"])
        return told.get("size") == 0 or (kind not in _PLAIN and _may_take_nothing(kind))
    return schema == "null"
