"""The columns of a table: what their cells are read as, declared or inferred from the first rows.

| type | cells |
|---|---|
| `string` | any text |
| `int` | digits, perhaps with a minus, without leading zeros; within int64 |
| `double` | a decimal number, with an exponent or without |
| `decimal` | likewise, of up to 34 digits, none of which is lost |
| `bool` | `true` or `false`, in any case |
| `date` | `2026-01-02` (midnight UTC), or RFC 3339 with its offset: `2026-01-02T03:04:05Z`, the T perhaps a space |
| `objectid` | 24 hexadecimal digits |
| `uuid` | as `73ffd264-44b3-4c69-90e8-e7d1dfc035d4` |

Inferred are `int`, `double`, `bool` and `date`, each if every cell seen is one, and else `string`. The others look like
text just as well, so they are only declared.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from documents.codec.spots import is_wide
from documents.codec.wrappers import WRAPPERS

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)")
_DOUBLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?(?:[Zz]|[+-][0-9]{2}:?[0-5][0-9])"
)
_MILLISECOND_US: Final = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it is read.

    Args:
        name: As the header has it.
        type: One of the names above.
        sampled: Rows from which the type was inferred; None if it was not.
    """

    name: str
    type: str
    sampled: int | None = None


def parse_columns(text: str) -> dict[str, str]:
    """Return the type of each column named in a text such as `price:decimal,when:date`.

    Raises:
        ValueError: A part is not a name, a colon and a type, or a name occurs twice.
    """
    types: dict[str, str] = {}
    for part in text.split(","):
        name, _, kind = part.strip().rpartition(":")
        if not name or kind not in CELLS or name in types:
            raise ValueError(f"{part.strip()!r} is no column and its type, once. Types are {', '.join(CELLS)}.")
        types[name] = kind
    return types


def infer_type(cells: Iterable[str]) -> str:
    """Return the type that all of these cells have; `string` if there is none but that."""
    seen = [cell for cell in cells if cell]
    return next((kind for kind in _INFERRED if seen and all(_fits(kind, cell) for cell in seen)), "string")


def infer_columns(names: Sequence[str], types: Mapping[str, str], rows: Sequence[Sequence[str]]) -> list[Column]:
    """Return the columns, those without a declared type with one inferred from some rows."""
    return [
        Column(name, types[name])
        if name in types
        else Column(name, infer_type(row[place] for row in rows), sampled=len(rows))
        for place, name in enumerate(names)
    ]


def _fits(kind: str, cell: str) -> bool:
    try:
        CELLS[kind](cell)
    except ValueError:
        return False
    return True


def _integer(cell: str) -> int:
    if not _INTEGER.fullmatch(cell):
        raise ValueError("An integer is written in digits, without leading zeros.")
    if is_wide(cell):
        raise ValueError("An integer must fit into 64 bits, from -2^63 to 2^63-1.")
    return int(cell)


def _double(cell: str) -> float:
    number = float(cell) if _DOUBLE.fullmatch(cell) else math.nan
    if not math.isfinite(number):
        raise ValueError("A double is written as JSON writes numbers, such as 1.5 or -2e10, and is finite.")
    return number


def _bool(cell: str) -> bool:
    word = cell.lower()
    if word not in {"true", "false"}:
        raise ValueError("It is written true or false.")
    return word == "true"


def _date(cell: str) -> datetime:
    expected = "A date is written 2026-01-02, or with time and offset as 2026-01-02T03:04:05Z."
    if not (_DAY.fullmatch(cell) or _MOMENT.fullmatch(cell)):
        raise ValueError(expected)
    try:
        moment = datetime.fromisoformat(cell.upper())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
    # What a stored date has: no zone, and milliseconds.
    return moment.replace(microsecond=moment.microsecond // _MILLISECOND_US * _MILLISECOND_US)


CELLS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "int": _integer,
    "double": _double,
    "decimal": WRAPPERS["$numberDecimal"],
    "bool": _bool,
    "date": _date,
    "objectid": WRAPPERS["$oid"],
    "uuid": WRAPPERS["$uuid"],
}
"""What each type makes of a cell that is not empty, or a ValueError that says what would be right."""

_INFERRED: Final = ("int", "double", "bool", "date")
