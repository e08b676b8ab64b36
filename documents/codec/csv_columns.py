"""The columns of a table: what their cells are read as, declared or inferred from the first rows.

| type | cells |
|---|---|
| `string` | any text |
| `int` | digits, perhaps with a minus, without leading zeros; within int64 |
| `double` | a decimal number, with an exponent or without |
| `decimal` | likewise, of up to 34 digits, none of which is lost |
| `bool` | `true` or `false`, in any case, or the words of the dialect |
| `date` | `2026-01-02` (midnight UTC), or RFC 3339 with its offset: `2026-01-02T03:04:05Z`, the T perhaps a space |
| `objectid` | 24 hexadecimal digits |
| `uuid` | as `73ffd264-44b3-4c69-90e8-e7d1dfc035d4` |
| `json` | JSON: an array, an object, or any other value |

Inferred are `int`, `double`, `decimal`, `bool` and `date`, each if every cell seen is one, and else `string`. Inference
loses no digit: a number that a double would change is a decimal, and what no decimal holds, has leading zeros, or has
an exponent but no point, is text. The other types look like text just as well, so they are only declared.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from documents.codec.dialect import Dialect
from documents.codec.spots import is_wide
from documents.codec.strict import check_keys, parse_json
from documents.codec.wrappers import WRAPPERS
from documents.errors import InputError

Cell: TypeAlias = Callable[[str], Any]

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)")
_DOUBLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?(?:[Zz]|[+-][0-9]{2}:?[0-5][0-9])"
)
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]++)?)?(?:[Zz]|[+-][0-9]{2}:?[0-5][0-9])?)?"
)
_NUMBERED: Final = re.compile(
    r"([0-9]{1,2})([/.\-])([0-9]{1,2})\2([0-9]{4})(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
_FRACTION: Final = re.compile(r":[0-9]{2}\.[0-9]{3}([0-9]+)")
_MILLISECOND_US: Final = 1000
_SAFE_CHARACTERS: Final = 15
"""Digits that every double keeps."""


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


def infer_type(cells: Iterable[str], readers: "Cells | None" = None) -> str:
    """Return the type that all of these cells have; `string` if there is none but that."""
    seen = [cell for cell in cells if cell]
    readers = readers or PLAIN
    return next(
        (kind for kind in _INFERRED if seen and all(_fits(readers.exact[kind], cell) for cell in seen)), "string"
    )


def infer_columns(
    names: Sequence[str],
    types: Mapping[str, str],
    rows: Sequence[Sequence[str]],
    readers: "Cells | None" = None,
) -> list[Column]:
    """Return the columns, those without a declared type with one inferred from some rows."""
    return [
        Column(name, types[name])
        if name in types
        else Column(name, infer_type((row[place] for row in rows), readers), sampled=len(rows))
        for place, name in enumerate(names)
    ]


class Cells:
    """How the cells of each type are read in a dialect.

    Args:
        dialect: Of the table.
    """

    def __init__(self, dialect: Dialect) -> None:
        number = _number_form(dialect)
        dates = dialect.dates
        self.declared: Final[Mapping[str, Cell]] = {
            **CELLS,
            **{kind: _behind(number, CELLS[kind]) for kind in ("int", "double", "decimal") if number},
            **({"bool": partial(_word, *dialect.booleans)} if dialect.booleans else {}),
            **({"date": partial(_told_date, dates)} if dates else {}),
        }
        """By type, for columns whose type somebody has declared."""
        exact: dict[str, Cell] = {"double": _exact_double, "decimal": _exact_decimal}
        self.exact: Final[Mapping[str, Cell]] = {
            **self.declared,
            **{kind: _behind(number, read) if number else read for kind, read in exact.items()},
            "date": partial(_exact_date, self.declared["date"]),
        }
        """Likewise, for those whose type is inferred: no digit is lost."""

    def of(self, column: Column) -> Cell:
        """Return how a column's cells are read."""
        return (self.declared if column.sampled is None else self.exact)[column.type]


def _behind(form: Cell, read: Cell) -> Cell:
    return lambda cell: read(form(cell))


def _number_form(dialect: Dialect) -> Cell | None:
    """Return what writes numbers of a dialect as JSON writes them; None if they are written so already."""
    decimal, thousands = dialect.decimal or ".", dialect.thousands or ""
    if decimal == "." and not thousands:
        return None
    if decimal == thousands:
        raise ValueError("One mark cannot both group digits and stand before the fraction.")
    group = re.escape(thousands)
    whole = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})++|[0-9]++" if thousands else "[0-9]++"
    form = re.compile(f"(-?(?:{whole}))(?:{re.escape(decimal)}([0-9]++))?([eE][+-]?[0-9]++)?")

    def plain(cell: str) -> str:
        match = form.fullmatch(cell)
        if not match:
            raise ValueError(f"It is no number that is written as 1{thousands}234{decimal}5.")
        number, fraction, exponent = match.groups(default="")
        digits = number.replace(thousands, "") if thousands else number
        return f"{digits}{'.' if fraction else ''}{fraction}{exponent}"

    return plain


def _fits(read: Cell, cell: str) -> bool:
    try:
        read(cell)
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


def _exact_double(cell: str) -> float:
    number = _double(cell)
    _check_integer(cell)
    if len(cell) > _SAFE_CHARACTERS and Decimal(repr(number)) != Decimal(cell):
        raise ValueError("A double would lose a digit of it.")
    return number


def _exact_decimal(cell: str) -> Any:  # noqa: ANN401  # a Decimal128
    _check_integer(cell)
    if not _DOUBLE.fullmatch(cell):
        raise ValueError("A decimal is written as JSON writes numbers, such as 1.50.")
    return CELLS["decimal"](cell)


def _check_integer(cell: str) -> None:
    """Refuse what has no point and is no integer: long numbers, and `557E90`, may as well be texts."""
    if "." not in cell:
        _integer(cell)


def _exact_date(read: Cell, cell: str) -> datetime:
    fraction = _FRACTION.search(cell)
    if fraction and fraction[1].strip("0"):
        raise ValueError("A date has milliseconds, and would lose a digit of it.")
    return read(cell)


def _word(true: str, false: str, cell: str) -> bool:
    word = cell.lower()
    if word not in {true.lower(), false.lower()}:
        raise ValueError(f"It is written {true} or {false}.")
    return word == true.lower()


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
        return _stored(datetime.fromisoformat(cell.upper()))
    except (ValueError, OverflowError):
        raise ValueError(expected) from None


def _told_date(form: str, cell: str) -> datetime:
    """Return a date in a form that somebody has named; without an offset it is in UTC."""
    try:
        return _stored(_DATES[form](cell) if form in _DATES else datetime.strptime(cell, form))  # noqa: DTZ007  # as told
    except (ValueError, OverflowError):
        raise ValueError(f"It is no date that is written as {form} says.") from None


def _iso(cell: str) -> datetime:
    if not _ISO.fullmatch(cell):
        raise ValueError
    return datetime.fromisoformat(cell.upper())


def _numbered(order: str, cell: str) -> datetime:
    match = _NUMBERED.fullmatch(cell)
    if not match:
        raise ValueError
    parts = dict(zip(order, (match[1], match[3], match[4]), strict=True))
    hour, minute, second = (int(match[place] or 0) for place in (5, 6, 7))
    year, month, day = int(parts["y"]), int(parts["m"]), int(parts["d"])
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # naive means UTC


def _stored(moment: datetime) -> datetime:
    """Return what a stored date has: no zone, and milliseconds."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // _MILLISECOND_US * _MILLISECOND_US)


def _json(cell: str) -> Any:  # noqa: ANN401  # what JSON holds
    try:
        value = parse_json(cell.encode())
    except InputError as error:
        raise ValueError(f"It is no JSON: {error.detail}") from None
    if refused := check_keys(value):
        raise ValueError(refused[0].detail)
    return value


CELLS: Final[Mapping[str, Cell]] = {
    "string": str,
    "int": _integer,
    "double": _double,
    "decimal": WRAPPERS["$numberDecimal"],
    "bool": _bool,
    "date": _date,
    "objectid": WRAPPERS["$oid"],
    "uuid": WRAPPERS["$uuid"],
    "json": _json,
}
"""What each type makes of a cell that is not empty, or a ValueError that says what would be right."""

_DATES: Final[Mapping[str, Callable[[str], datetime]]] = {
    "iso": _iso,
    "dmy": partial(_numbered, "dmy"),
    "mdy": partial(_numbered, "mdy"),
}
_INFERRED: Final = ("int", "double", "decimal", "bool", "date")
PLAIN: Final = Cells(Dialect())
