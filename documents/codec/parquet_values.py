"""What the values of Arrow's arrays are as BSON: each exact, or a ValueError that says why none is.

| Arrow | BSON |
|---|---|
| boolean, integers, floats, text, binary | as they are; an integer must fit into 64 bits |
| decimals | Decimal128, of up to 34 digits |
| timestamps, dates | date, in UTC; of nanoseconds only whole milliseconds |
| time of day | text, such as `13:30:00.250` |
| duration | text as ISO 8601 has it, such as `P1DT2H0.5S` |
| lists | array |
| struct, map | object; the keys of a map are texts, or integers written as texts |
| UUID | UUID |
| a dictionary, another extension | what it stands for |

Values of time are read as the integers that they are stored as: what pyarrow makes of nanoseconds depends on whether
pandas is installed.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson.datetime_ms import DatetimeMS

from documents.codec.decimals import stored_decimal
from documents.codec.strict import refuse_key
from documents.types import MAX_DEPTH

Arrow: TypeAlias = Any
"""An array, type or field of pyarrow, which has no types here."""

Read: TypeAlias = Callable[[Arrow], list[Any]]
"""Returns the values of an array."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # naive means UTC
_PER_SECOND: Final[Mapping[str, int]] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_SECONDS: Final = 24 * 60 * 60
_DAY_MS: Final = _DAY_SECONDS * 1000
_MS_NS: Final = 10**6
_DIGITS: Final = 34


def read_values(array: Arrow) -> list[Any]:
    """Return the values of an array.

    Raises:
        ValueError: One of them has no exact BSON value.
    """
    return _reader_of(array.type)(array)


def refuse_fields(fields: Iterable[Arrow], depth: int = 1, *, any_keys: bool = False) -> str | None:
    """Return why no document can have these fields, whatever their values are; None if one can."""
    names = list[str]()
    for field in fields:
        if depth > MAX_DEPTH:
            return f"Nothing may nest deeper than {MAX_DEPTH} levels."
        if not any_keys and (reason := refuse_key(field.name)):
            return f"The column {field.name!r} cannot be a field. {reason}"
        if field.name in names:
            return f"There are two columns {field.name!r}."
        names.append(field.name)
        try:
            _reader_of(field.type)
        except ValueError as error:
            return f"The column {field.name!r} cannot be read. {error}"
        if reason := _refuse_below(field.type, depth + 1, any_keys=any_keys):
            return reason
    return None


def _refuse_below(kind: Arrow, depth: int, *, any_keys: bool) -> str | None:
    types = _types()
    if types.is_struct(kind):
        return refuse_fields(list(kind), depth, any_keys=any_keys)
    if types.is_map(kind) and not (_is_text(kind.key_type) or types.is_integer(kind.key_type)):
        return f"Keys of an object are texts, and a map here has keys of type {kind.key_type}."
    arrow = importlib.import_module("pyarrow")
    parts = [*_below(kind)][-1:]  # of a map, its values
    return refuse_fields([arrow.field("item", part) for part in parts], depth, any_keys=any_keys)


def is_risky(kind: Arrow) -> bool:
    """Tell whether values of a type may have more digits than BSON keeps, so that all are to be looked at first."""
    types = _types()
    if types.is_decimal(kind):
        return kind.precision > _DIGITS
    if types.is_timestamp(kind):
        return kind.unit == "ns"
    return any(is_risky(below) for below in _below(kind))


def has_maps(kind: Arrow) -> bool:
    """Tell whether keys of objects are data."""
    return _types().is_map(kind) or any(has_maps(below) for below in _below(kind))


def _below(kind: Arrow) -> Iterator[Arrow]:
    if hasattr(kind, "storage_type"):
        yield kind.storage_type
    elif _types().is_dictionary(kind):
        yield kind.value_type
    else:
        yield from (kind.field(place).type for place in range(kind.num_fields))


def _types() -> Arrow:
    return importlib.import_module("pyarrow.types")


def _is_text(kind: Arrow) -> bool:
    types = _types()
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _reader_of(kind: Arrow) -> Read:
    if hasattr(kind, "storage_type"):
        return _EXTENSIONS.get(kind.extension_name, _read_storage)
    types = _types()
    found = next((read for name, read in _READERS if getattr(types, f"is_{name}")(kind)), None)
    if found is None:
        raise ValueError(f"BSON has nothing for the type {kind}.")
    return found


def _each(convert: Callable[[Any], object], array: Arrow, stored_as: str | None = None) -> list[Any]:
    if stored_as is not None:
        array = array.cast(stored_as)
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _read_plain(array: Arrow) -> list[Any]:
    return array.to_pylist()


def _integer(value: int) -> int:
    if value >= 2**63:
        raise ValueError(f"An integer must fit into 64 bits, from -2^63 to 2^63-1, and one is {value}.")
    return value


def _read_timestamps(array: Arrow) -> list[Any]:
    unit = array.type.unit
    if unit == "ns":
        return _each(_nanoseconds, array, "int64")
    per_second = _PER_SECOND[unit]
    return _each(lambda value: _date(value * 1000 // per_second), array, "int64")


def _nanoseconds(value: int) -> Any:  # noqa: ANN401  # as `_date`
    ms, rest = divmod(value, _MS_NS)
    if rest:
        raise ValueError(
            f"A date has milliseconds, and one here has nanoseconds: {_date(ms)} and {rest} ns. Write the column in "
            "microseconds if those may be cut off, or as a text or an integer to keep them."
        )
    return _date(ms)


def _date(ms: int) -> datetime | DatetimeMS:
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        pass
    if not -(2**63) <= ms < 2**63:
        raise ValueError("A date is beyond what BSON can hold.")
    return DatetimeMS(ms)


def _read_times(array: Arrow) -> list[Any]:
    return _each(partial(_time, array.type.unit), array, f"int{array.type.bit_width}")


def _time(unit: str, value: int) -> str:
    seconds, rest = divmod(value, _PER_SECOND[unit])
    if not 0 <= seconds < _DAY_SECONDS:
        raise ValueError("A time of day is beyond the day.")
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(unit, rest)}"


def _fraction(unit: str, rest: int) -> str:
    if not rest:
        return ""
    digits = f"{rest:0{len(str(_PER_SECOND[unit])) - 1}}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f".{digits}"


def duration_text(unit: str, value: int) -> str:
    """Return a number of units as ISO 8601 has a duration, and Pydantic."""
    seconds, rest = divmod(abs(value), _PER_SECOND[unit])
    days, seconds = divmod(seconds, _DAY_SECONDS)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    second = f"{seconds}{_fraction(unit, rest)}"
    parts = ((f"{hours}", "H"), (f"{minutes}", "M"), (second, "S"))
    clock = "".join(f"{part}{mark}" for part, mark in parts if part != "0")
    day = f"{days}D" if days else ""
    return f"{'-' if value < 0 else ''}P{day}{'T' + clock if clock else ''}" if day or clock else "PT0S"


def _read_structs(array: Arrow) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [read_values(child) for child in array.flatten()]
    rows = zip(*columns, strict=True) if columns else ((),) * len(array)
    there = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if is_there else None for row, is_there in zip(rows, there, strict=True)]


def _read_lists(array: Arrow) -> list[Any]:
    values = iter(read_values(array.flatten()))
    lengths = importlib.import_module("pyarrow.compute").list_value_length(array).to_pylist()
    there = array.is_valid().to_pylist()
    return [
        [next(values) for _ in range(length)] if is_there else None
        for length, is_there in zip(lengths, there, strict=True)
    ]


def _read_maps(array: Arrow) -> list[Any]:
    arrow, kind = importlib.import_module("pyarrow"), array.type
    pairs = arrow.struct([kind.key_field.with_name("key"), kind.item_field.with_name("value")])
    return [None if each is None else _map(each) for each in _read_lists(array.cast(arrow.list_(pairs)))]


def _map(pairs: list[Any]) -> dict[str, Any]:
    found = {str(pair["key"]): pair["value"] for pair in pairs}
    if len(found) < len(pairs):
        raise ValueError("A map has a key twice.")
    return found


def _read_storage(array: Arrow) -> list[Any]:
    return read_values(array.storage)


_EXTENSIONS: Final[Mapping[str, Read]] = {
    "arrow.uuid": lambda array: _each(lambda raw: UUID(bytes=raw), array.storage),
    "arrow.bool8": lambda array: _each(bool, array.storage),
}

_READERS: Final[tuple[tuple[str, Read], ...]] = (
    *((name, _read_plain) for name in ("null", "boolean", "floating", "string", "large_string", "string_view")),
    *((name, _read_plain) for name in ("binary", "large_binary", "binary_view", "fixed_size_binary")),
    ("uint64", partial(_each, _integer)),
    ("integer", _read_plain),
    ("decimal", partial(_each, stored_decimal)),
    ("timestamp", _read_timestamps),
    ("date32", lambda array: _each(lambda days: _date(days * _DAY_MS), array, "int32")),
    ("date64", lambda array: _each(_date, array, "int64")),
    ("time", _read_times),
    ("duration", lambda array: _each(partial(duration_text, array.type.unit), array, "int64")),
    ("dictionary", lambda array: read_values(array.dictionary_decode())),
    ("map", _read_maps),
    ("struct", _read_structs),
    *((name, _read_lists) for name in ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")),
)
"""By the name of what pyarrow tells of a type."""
